"""A trial file of a crossover between an infusion of ketamine and saline."""


def crossover_file(drug: str, patients: int, visits: dict[str, list[str]], primary: str) -> dict:
    """The keys of the file; `drug` is the name of the first arm, and `patients` those of each sequence."""
    return {
        "title": "crossover",
        "arms": {
            drug: {"treatment": "racemic 0.5 mg/kg IV over 40 min", "n": patients},
            "saline": {"treatment": "placebo IV", "n": patients},
        },
        "crossover": "7 days",
        "visits": visits,
        "primary": primary,
    }
