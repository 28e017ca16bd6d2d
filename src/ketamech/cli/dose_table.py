"""`ketamech simulate doses.csv`: the records of a table with what everybody shows at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketamech.core import InputError

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.exchange.nonmem.read import DoseTable
    from ketamech.simulation.model import Model

FILE, SHOWN = "simulated.csv", 20


@dataclass(frozen=True)
class Records:
    """The person, or persons, of a table that are to be simulated; `outputs` as typed."""

    table: DoseTable
    outputs: str | None

    @classmethod
    def read(cls, source: str, drug: str | None, subject: str | None, outputs: str | None) -> Records:
        """A table, or one person of it. Raises BadInput."""
        from ketamech.cli import scenario_argument
        from ketamech.parameters import load_parameters

        table = scenario_argument.doses(source, load_parameters(), drug)
        chosen = table if subject is None else replace(table, subjects=(scenario_argument.one_of(table, subject),))
        return cls(chosen, outputs)

    @property
    def one_story(self) -> bool:
        """Whether there is one person whose whole story a report can tell."""
        stays = [stay for subject in self.table.subjects for stay in subject.occasions]
        return len(stays) == 1 and stays[0].is_scenario

    @property
    def looked_at(self) -> bool:
        """Whether any record asks for values."""
        return any(stay.observations for subject in self.table.subjects for stay in subject.occasions)

    def solved(self, model: Model) -> tuple[pd.DataFrame, dict[str, str]]:
        """The records as a person reads them, and the units of their columns."""
        from ketamech.cli.cohort_options import names
        from ketamech.exchange.nonmem.simulate_table import solve_table
        from ketamech.exchange.simulate_any import OUTPUTS, shown_records

        return shown_records(solve_table(self.table, model, names(self.outputs) if self.outputs else OUTPUTS), model)

    def beside_report(self, model: Model) -> dict[str, tuple[pd.DataFrame, dict[str, str]]]:
        """The table that goes into the folder of a report, where records ask for values or outputs were named."""
        return {FILE: self.solved(model)} if self.looked_at or self.outputs else {}


def simulate_table(
    records: Records,
    out: Path | None,
    kinetics: Path | None,
    folder_name: Callable[[str], str],
    others: Mapping[str, object],
) -> None:
    """Solve every person of a table and write `simulated.csv`: a row a record that is looked at."""
    from ketamech.cli import terminal
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.run_folder import check_folder

    table = records.table
    for name, value in others.items():
        what = f"--{name} {value} is for one scenario"
        raise InputError(what, key=f"--{name}", expected="one person of the table", type_this="--id 1")
    folder = out or Path("runs") / folder_name(table.path.stem)
    check_folder(folder)
    model = terminal.model(kinetics)
    console = terminal.progress()
    with console.status("Simulating ..."):
        found, units = records.solved(model)
    facts: dict[str, Any] = provenance_of_many(
        table.path.stem, table.path.read_text("utf-8-sig"), model, terminal.command_line()
    )
    with atomic_folder(folder) as draft:
        write_table(found, draft / FILE, facts | {f"units {name}": unit for name, unit in units.items()})
    for note in table.notes:
        console.print(f"Assumed: {terminal.escape_markup(note)}.")
    show(found, units, f"{table.path.name}: {len(found)} records")
    bad = int((found["solve_status"] != "ok").sum())
    console.print(f"{len(table.subjects)} persons; {bad} records without a value.")
    terminal.opened(folder / FILE)


def show(found: pd.DataFrame, units: Mapping[str, str], title: str) -> None:
    """The first records on the terminal, with the unit of each output."""
    from ketamech.cli import terminal

    named = {name: f"{name} ({unit})" for name, unit in units.items() if unit != "1" and name != "TIME"}
    terminal.table(found.head(SHOWN).rename(columns=named).to_dict("records"), title=title)
