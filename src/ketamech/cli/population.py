"""`ketamech people`: who the virtual people are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.core import InputError, closest_match

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ketamech.analysis.sensitivity import Endpoint
    from ketamech.simulation.model import Model

Population = Annotated[str, typer.Option(help="trd, mdd, bipolar, suicidal, elderly, healthy, crps or surgical")]
Number = Annotated[int, typer.Option("--n", min=2, help="How many are drawn")]
Seed = Annotated[int, typer.Option(min=0, help="Person i is the same in any cohort of this seed")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help='A distribution that differs, e.g. "age=normal 70 4 in 65 85"')
]
Target = Annotated[
    list[str] | None, typer.Option(help='Weight to shares, e.g. "male=0.5" or "age<40=0.3" (the rest have the rest)')
]
Keep = Annotated[
    list[str] | None,
    typer.Option(help='Keep only persons with a simulated output in bounds: "mood.madrs at 24 h = 5..40"'),
]
Given = Annotated[str, typer.Option(help="What --keep simulates them on")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the table and the picture")]
SHOWN = (
    "person.age", "person.weight", "male", "person.baseline_madrs", "person.responsiveness", "person.expectancy",
    "person.stress", "resistance", "cyp2b6_alleles", "pharmacokinetics.intrinsic_clearance_s",
    "pharmacokinetics.nasal_f_first", "dissociation.cadss_ec50",
)  # fmt: skip


def people(
    population: Population = "trd", number: Number = 1000, seed: Seed = 1, changed: Set = None, target: Target = None,
    keep: Keep = None, given: Given = "racemic 0.5 mg/kg IV over 40 min", out: Out = Path("runs/people"),
) -> None:  # fmt: skip
    """Draw virtual people from the distributions of a population, summarise them and plot them.

    Example:  ketamech people --population trd --n 2000

    They can also be weighted to target shares, or kept only where a simulated output lies within bounds. A distribution
    that you state with --set is drawn as it is written: covariates do not change it, and 'fixed 70' is 70 in everybody.

    More examples:

      ketamech people --population elderly --set "weight=lognormal 70 0.15 in 45 110"

      ketamech people --target "male=0.5" --target "age<40=0.35"

      ketamech people --n 500 --keep "mood.madrs at 24 h = 5..45"
    """
    from ketamech.cli import terminal
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.parameters import load_parameters
    from ketamech.population.virtual_population import load_population
    from ketamech.report.run_folder import check_folder
    from ketamech.report.trial_figures import save_people

    check_folder(out)
    parameters = load_parameters()
    chosen = load_population(population).with_marginals(_changes(changed or []), parameters)
    drawn = chosen.draw(parameters, seed, range(number))
    table, facts = drawn.table(), {"population": population, "drawn": number, "seed": seed}
    if keep:
        mask = _plausible(drawn, keep, given)
        table, facts["plausible"] = table[mask].reset_index(drop=True), int(mask.sum())
    if target:
        weights = _weights(table, target)
        table["weight_in_target"] = weights
        facts["effective_size"] = round(_effective(weights), 1)
    shown = [name for name in SHOWN if name in table and table[name].nunique() > 1]
    title = f"{len(table)} virtual people: {population}"
    said = facts | {"command_line": terminal.command_line(), "disclaimer": terminal.DISCLAIMER}
    with atomic_folder(out) as draft:
        write_table(table, draft / "people.parquet", said)
        write_table(table, draft / "people.csv", said)
        paths = [out / path.name for path in save_people(draft, table, title, shown)]
        (draft / "summary.json").write_text(json.dumps(said, indent=1), encoding="utf-8")
    terminal.table(_summary(table), title=title)
    for name, value in facts.items():
        terminal.progress().print(f"{name}: {value}")
    terminal.opened(paths[0])


def _changes(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, sign, words = text.partition("=")
        if not sign or not words.strip():
            raise InputError(f"'{text}' sets nothing", key="--set", type_this='--set "age=normal 70 4 in 65 85"')
        found[name.strip()] = words.strip()
    return found


def _weights(table: pd.DataFrame, targets: list[str]) -> np.ndarray:
    from ketamech.population.plausible_population import prevalence_weights

    groups: dict[str, Any] = {}
    shares: dict[str, dict[object, float]] = {}
    names = {name.removeprefix("person."): name for name in table.columns}
    for text in targets:
        match = re.match(r"^\s*([\w.]+)\s*(?:(<)\s*([\d.]+))?\s*=\s*([\d.]+)\s*$", text)
        if not match:
            raise InputError(f"'{text}' is no target", key="--target", type_this='--target "age<40=0.35"')
        name = names.get(match[1].removeprefix("person."))
        if name is None:
            raise InputError(f"people have no '{match[1]}'", key="--target", nearest=closest_match(match[1], names))
        groups[text] = table[name] < float(match[3]) if match[2] else table[name] == 1
        shares[text] = {True: float(match[4]), False: 1 - float(match[4])}
    return prevalence_weights({k: v.to_numpy() for k, v in groups.items()}, shares)


def _effective(weights: np.ndarray) -> float:
    from ketamech.population.plausible_population import effective_size

    return effective_size(weights)


def _plausible(drawn: Any, keep: list[str], given: str) -> np.ndarray:
    """Persons whose simulated outputs lie in the bounds asked for."""
    from ketamech.cli import terminal
    from ketamech.population.cohort import simulate_patients
    from ketamech.population.plausible_population import select_plausible

    model = terminal.model()
    asked = [_kept(text, model) for text in keep]
    found = simulate_patients(model, drawn, given, [(one.output, one.hour) for one, _ in asked])
    named = {str(i): values for i, values in enumerate(found)}
    return select_plausible(named, {str(i): bounds for i, (_, bounds) in enumerate(asked)})


def _kept(text: str, model: Model) -> tuple[Endpoint, tuple[float, float]]:
    """An output at a time and its bounds, e.g. "mood.madrs at 24 h = 5..45"."""
    from ketamech.analysis.sensitivity import parse_endpoints

    words, _, bounds = text.partition("=")
    low, _, high = bounds.partition("..")
    nobody = InputError(f"'{text}' keeps nobody", key="--keep", type_this='--keep "mood.madrs at 24 h = 5..45"')
    try:
        limits = float(low), float(high)
    except ValueError:
        raise nobody from None
    found = parse_endpoints(words, model)
    if len(found) != 1 or found[0].statistic != "at":
        raise nobody
    return found[0], limits


def _summary(table: pd.DataFrame) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name in table.columns.drop("person"):
        x = table[name]
        if x.nunique() > 1:
            rows.append(
                {
                    "variable": name,
                    "mean": x.mean(),
                    "SD": x.std(),
                    "5 %": x.quantile(0.05),
                    "median": x.median(),
                    "95 %": x.quantile(0.95),
                }
            )
    return rows
