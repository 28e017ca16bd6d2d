"""`ketamech simulate doses.csv` for several persons, or one who is reset: a table at the times of the observations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ketamech.core import BadInput

OUTPUTS = ("mood.madrs", "dissociation.cadss", "venous.ketamine", "venous.norketamine", "venous.esketamine")
FILE, SHOWN = "simulated.csv", 20


def simulate_table(
    source: str,
    out: Path | None,
    outputs: str | None,
    drug: str | None,
    subject: str | None,
    kinetics: Path | None,
    folder_name: Callable[[str], str],
    others: Mapping[str, object],
) -> bool:
    """Solve every person of a table and write `simulated.csv`; False for one whose whole story can be told."""
    from ketamech import exchange, report
    from ketamech.cli import sources, terminal
    from ketamech.cli.cohort_options import names
    from ketamech.exchange.dose_scenarios import solve_table
    from ketamech.exchange.facts import write_table
    from ketamech.parameters import load_parameters

    table = sources.doses(source, load_parameters(), drug)
    if subject is not None or (len(table.subjects) == 1 and len(table.subjects[0].occasions) == 1):
        return False
    for name, value in others.items():
        what = f"--{name} {value} is for one scenario"
        raise BadInput(what, key=f"--{name}", expected="one person of the table", type_this="--id 1")
    folder = out or Path("runs") / folder_name(table.path.stem)
    report.refuse_folder(folder)
    model = terminal.model(kinetics)
    console = terminal.progress()
    with console.status("Simulating ..."):
        found = solve_table(table, model, names(outputs) if outputs else OUTPUTS)
    facts = report.provenance_of_many(
        table.path.stem, table.path.read_text("utf-8-sig"), model, terminal.command_line()
    )
    units = {"TIME": "h", **model.layout.units}
    facts |= {f"units {name}": units[name] for name in found.columns if name in units}
    with exchange.whole_folder(folder) as draft:
        write_table(found, draft / FILE, facts)
    for note in table.notes:
        console.print(f"Assumed: {terminal.written(note)}.")
    terminal.table(found.head(SHOWN).to_dict("records"), title=f"{table.path.name}: {len(found)} records")
    bad = int((found["solve_status"] != "ok").sum())
    console.print(f"{len(table.subjects)} persons; {bad} records without a value.")
    terminal.opened(folder / FILE)
    return True
