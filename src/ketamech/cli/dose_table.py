"""`ketamech simulate doses.csv`: the outputs of every subject of a dose table at the observation times."""

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
    """The subjects of a dose table that are to be simulated; `outputs` as typed."""

    table: DoseTable
    outputs: str | None

    @classmethod
    def read(cls, source: str, drug: str | None, subject: str | None, outputs: str | None) -> Records:
        """A dose table, or one subject of it. Raises InputError."""
        from ketamech.cli import scenario_argument
        from ketamech.parameters import load_parameters

        table = scenario_argument.doses(source, load_parameters(), drug)
        chosen = table if subject is None else replace(table, subjects=(scenario_argument.one_of(table, subject),))
        return cls(chosen, outputs)

    @property
    def single_scenario(self) -> bool:
        """Whether the table holds one subject with one occasion, so that a report can be written."""
        stays = [stay for subject in self.table.subjects for stay in subject.occasions]
        return len(stays) == 1 and stays[0].is_scenario

    @property
    def has_observations(self) -> bool:
        """Whether any record is an observation."""
        return any(stay.observations for subject in self.table.subjects for stay in subject.occasions)

    def solved(self, model: Model) -> tuple[pd.DataFrame, dict[str, str]]:
        """The observation records in the units that are shown, and the units of their columns."""
        from ketamech.cli.simulate_cohort import listed_names
        from ketamech.exchange.nonmem.simulate_table import solve_table
        from ketamech.exchange.simulate_any import OUTPUTS, shown_records

        return shown_records(
            solve_table(self.table, model, listed_names(self.outputs) if self.outputs else OUTPUTS), model
        )

    def report_tables(self, model: Model) -> dict[str, tuple[pd.DataFrame, dict[str, str]]]:
        """The table for the folder of a report, if there are observations or outputs were named."""
        return {FILE: self.solved(model)} if self.has_observations or self.outputs else {}


def simulate_table(
    records: Records,
    out: Path | None,
    pk_model: Path | None,
    folder_name: Callable[[str], str],
    others: Mapping[str, object],
) -> None:
    """Solve every subject of a dose table and write `simulated.csv`: one row for each observation."""
    from ketamech.cli import terminal
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.run_folder import check_folder

    table = records.table
    for name, value in others.items():
        what = f"--{name} {value} is for one scenario"
        raise InputError(what, key=f"--{name}", expected="one subject of the table", type_this="--subject 1")
    folder = out or Path("runs") / folder_name(table.path.stem)
    check_folder(folder)
    model = terminal.model(pk_model)
    console = terminal.progress()
    with console.status("Simulating ..."):
        found, units = records.solved(model)
    facts: dict[str, Any] = provenance_of_many(
        table.path.stem, table.path.read_text("utf-8-sig"), model, terminal.command_line()
    )
    with atomic_folder(folder) as draft:
        write_table(found, draft / FILE, facts | {f"units {name}": unit for name, unit in units.items()})
    terminal.print_assumptions(table.notes)
    _print_records(found, units, f"{table.path.name}: {len(found)} records")
    bad = int((found["solve_status"] != "ok").sum())
    console.print(f"{len(table.subjects)} subjects; {bad} records without a value.")
    terminal.opened(folder / FILE)


def _print_records(found: pd.DataFrame, units: Mapping[str, str], title: str) -> None:
    """Print the first records, with the unit of each output."""
    from ketamech.cli import terminal

    named = {name: f"{name} ({unit})" for name, unit in units.items() if unit != "1" and name != "TIME"}
    terminal.table(found.head(SHOWN).rename(columns=named).to_dict("records"), title=title)
