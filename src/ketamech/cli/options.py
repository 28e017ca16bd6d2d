"""Options and arguments that several commands share, and the options of `ketamech simulate` as one object.

A command with many options takes one dataclass of them, see `with_options`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from ketamech.core import InputError
from ketamech.core.csv_table import parts
from ketamech.core.deprecated_names import as_fraction, current_name
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
PkModel = Annotated[
    Path | None,
    typer.Option(help="Your own pharmacokinetics (.yaml): names of an SBML model, or a model of 1 to 3 compartments"),
]
ResultFolder = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results")]
Connectome = Annotated[
    Path | None, typer.Option(help="CSV file of weights between brain areas, instead of the shipped ones")
]


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


def fraction(text: str, key: str, example: str) -> float:
    """The option `key` as a fraction, from a fraction or from a percentage with its sign; `example`: a value to type.

    For one release a number above 1 is a percentage without its sign. Raises InputError for any other text.
    """
    number, sign, after = text.partition("%")
    try:
        value = float(number) / (100 if sign else 1)
    except ValueError:
        value = math.nan
    if after.strip() or not math.isfinite(value):
        expected = "a fraction or a percentage"
        raise InputError(f"'{text}' is not a number", key=key, expected=expected, type_this=f"{key} {example}")
    return value if sign else as_fraction(value, key)


MAX_FOLDER_NAME_LENGTH = 60


def folder_name(title: str) -> str:
    """The title as a folder name; a long one is cut and gets a hash, so that two long titles do not share a folder."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "run"
    return name if len(name) <= MAX_FOLDER_NAME_LENGTH else f"{name[:MAX_FOLDER_NAME_LENGTH]}-{short_hash(title, 6)}"


Options = TypeVar("Options")


def with_options(options: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """A decorator for a command that takes one object: the fields of the dataclass `options` become its arguments and
    options, with the types, help texts and defaults of the fields.
    """

    def decorate(command: Callable[[Options], None]) -> Callable[..., None]:
        @wraps(command)
        def call(**values: Any) -> None:
            command(options(**values))

        types = get_type_hints(options, include_extras=True)
        fields = signature(options).parameters.values()
        call.__annotations__ = types
        parameters = [field.replace(annotation=types[field.name]) for field in fields]
        call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return call

    return decorate


@dataclass(frozen=True)
class SimulateOptions:
    """The argument and the options of `ketamech simulate`; None where an option was not given."""

    scenario: Annotated[
        str,
        typer.Argument(
            help='A regimen in words ("esketamine 84 mg nasal twice weekly for 4 weeks"), a scenario file (.yaml) or a'
            " NONMEM-style dose table (.csv)"
        ),
    ]
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results [default: runs/<title>]")] = (
        None
    )
    png: Annotated[bool, typer.Option("--png", help="Also write the overview figure as PNG")] = False
    perturb: Annotated[
        list[str] | None,
        typer.Option(
            "--perturb", help='A perturbation: "NBQX 10 mg/kg IP at -30 min", "BDNF knock-out"; may be repeated'
        ),
    ] = None
    species: Annotated[str | None, typer.Option(help="human, rat or mouse [default: as the file says, or human]")] = (
        None
    )
    variant: Annotated[
        str | None, typer.Option(help="A model variant; 'ketamech variants' lists them [default: none]")
    ] = None
    patients: Annotated[
        int | None, typer.Option(help="Simulate this many virtual patients instead of the typical patient")
    ] = None
    population: Annotated[
        str | None,
        typer.Option(
            help="With --patients: people of this population (trd, mdd, bipolar, suicidal, elderly, healthy, crps or"
            " surgical), with covariates and correlations [default: each parameter is drawn from its own spread,"
            " independently; such bands are not those of a clinical sample]"
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Seed of the virtual patients; patient i is the same for any number [default: as the file says, or 1]",
        ),
    ] = None
    outputs: Annotated[
        str | None,
        typer.Option(
            help="Names of the outputs to write, joined by ',' ('ketamech equations --outputs' lists them) "
            "[default: mood.madrs; one patient: also venous levels]"
        ),
    ] = None
    times: Annotated[
        str | None,
        typer.Option(help="Output times in hours, e.g. '0, 2, 24, 672' [default: every day and around doses]"),
    ] = None
    output_interval: Annotated[float | None, typer.Option(help="Hours between output times, instead of --times")] = None
    varying: Annotated[
        str | None,
        typer.Option(
            help="Parameters or stages that vary between patients, joined by ',' [default: all with a spread]"
        ),
    ] = None
    threads: Threads = None
    chunk: Annotated[
        int | None, typer.Option(help="Patients per chunk on disk; does not change the results [default: 2048]")
    ] = None
    tolerance: Annotated[float | None, typer.Option(help="Relative tolerance of the solver [default: 6e-7]")] = None
    device: Annotated[str | None, typer.Option(help="Device of the solver, cpu or cuda [default: cpu]")] = None
    resume: Resume = False
    scheduler: Scheduler = None
    person: Annotated[
        list[str] | None,
        typer.Option(
            "--person",
            help='A value of the person: "weight=90 kg", age=75, "cyp2b6=*6/*6", "liver_function=Child-Pugh B"; more'
            " joined by ',' or in further options; a bare number is in the unit of the parameter table",
        ),
    ] = None
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any parameter by its full name: mood.expectancy_weight=0; may be repeated"),
    ] = None
    drug: Drug = None
    subject: Annotated[str | None, typer.Option(help="Dose table: only the subject with this ID")] = None
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            help="Dose table: solve each subject this many times with parameters drawn from their spreads; see --seed",
        ),
    ] = None
    every_record: Annotated[
        bool, typer.Option("--every-record", help="Dose table: a row for every record, also for those of doses")
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --patients: print the time, disk and memory that it needs, and stop")
    ] = False
    pk_model: PkModel = None
    connectome: Connectome = None
    receptors: Receptors = None
    report: Annotated[
        bool,
        typer.Option("--report/--no-report", help="Draw figures and write report.html; without, curves and tables"),
    ] = True

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
            parameter_values=scenario_argument.settings(self.set_, "--set"),
        ).with_connectome(self.connectome, self.receptors)  # fmt: skip
