"""Options and arguments that several commands share, and the options of `ketamech simulate` as one object."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.core import InputError
from ketamech.core.csv_table import parts
from ketamech.core.deprecated_names import current_name
from ketamech.core.environment import short_hash

if TYPE_CHECKING:
    from ketamech.simulation.scenario import Scenario

ScenarioOrFile = Annotated[str, typer.Argument(help="A regimen in words or a scenario file (.yaml)")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Number of threads; does not change the results [default: cores]")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped; the result is the same")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Dask scheduler to compute on, e.g. tcp://HOST:8786; does not change the results [default: this process]"
    ),
]
Equations = Annotated[
    str | None,
    typer.Option("--variant", help="A model variant with equations of its own: reduced-core [default: the full model]"),
]
FigurePng = Annotated[bool, typer.Option("--png", help="Also write the figure as PNG")]
Drug = Annotated[str | None, typer.Option("--drug", help="Dose table: the drug, if there is no column DRUG")]
Receptors = Annotated[
    Path | None, typer.Option(help="CSV file of receptor densities: area and any of nmda, glun2b, ampa")
]
FigureFolder = Annotated[Path, typer.Option("--out", "-o", help="Folder for the table and the figure")]


def listed_names(text: str) -> tuple[str, ...]:
    """Names of outputs or parameters joined by commas, each once; old names are replaced."""
    return tuple(dict.fromkeys(map(current_name, parts(text, ","))))


def listed_numbers(text: str, key: str, example: str, *, positive: bool = False) -> list[float]:
    """The finite numbers of the option `key`, joined by commas or blanks; `example`: a value to type.

    Raises InputError for any other text, for none, and with `positive` for a number that is not above 0.
    """
    try:
        found = [float(part) for part in re.split(r"[,\s]+", text.strip(", \t"))]
    except ValueError:
        found = []
    if not found or not all(math.isfinite(number) and (number > 0 or not positive) for number in found):
        what, expected = f"'{text}' is not a list of numbers", f"{'positive ' * positive}numbers joined by ','"
        raise InputError(
            what, key=key, expected=expected, type_this=f"{key} '{example}'" if key.startswith("--") else example
        )
    return found


MAX_NAME_LENGTH = 60  # of a folder that is named after a title


def folder_name(title: str) -> str:
    """The title as a folder name; a long one is cut and gets a hash, so that two long titles do not share a folder."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "run"
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[:MAX_NAME_LENGTH]}-{short_hash(title, 6)}"


@dataclass(frozen=True)
class SimulateOptions:
    """The argument and the options of `ketamech simulate` as typed; None where an option was not given."""

    scenario: str
    out: Path | None
    png: bool
    perturb: list[str] | None
    species: str | None
    variant: str | None
    patients: int | None
    seed: int | None
    outputs: str | None
    times: str | None
    output_interval: float | None
    varying: str | None
    threads: int | None
    chunk: int | None
    tolerance: float | None
    device: str | None
    resume: bool
    dry_run: bool
    scheduler: str | None
    person: list[str] | None
    set_: list[str] | None
    drug: str | None
    subject: str | None
    replicates: int | None
    every_record: bool
    pk_model: Path | None
    connectome: Path | None
    receptors: Path | None
    report: bool

    def given(self, *names: str) -> dict[str, Any]:
        """The options of these names that were given, with their values."""
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None and value is not False}

    def loaded_scenario(self) -> Scenario:
        """The scenario with everything that the options add to it. Raises InputError."""
        from ketamech.cli import scenario_argument

        return scenario_argument.scenario(
            self.scenario, drug=self.drug, subject=self.subject, species=self.species,
            perturb=tuple(self.perturb or ()), variant=self.variant,
            person=scenario_argument.settings(self.person, "--person"),
            parameters=scenario_argument.settings(self.set_, "--set"),
        ).with_connectome(self.connectome, self.receptors)  # fmt: skip
