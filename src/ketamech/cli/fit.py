"""`ketamech fit` and `ketamech vpc`: estimate parameters from a user's own measurements, and check predictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.long_run import long_run
from ketamech.cli.options import Drug, PkModel, Resume, Seed, Threads, listed_names, listed_numbers, with_options
from ketamech.core import InputError
from ketamech.core.environment import available_threads, short_hash
from ketamech.core.yaml_lines import YAML_SUFFIXES

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.core.progress import Progress
    from ketamech.fitting.fit import Fit, FitSettings
    from ketamech.fitting.observations import FitData
    from ketamech.population.virtual_population import Population

Data = Annotated[
    Path,
    typer.Argument(
        help="Table of doses and measurements (.csv): ID, TIME, DV, DVID, AMT, CENS ... as in NONMEM; or a PEtab"
        " problem that KetaMech wrote (.yaml)"
    ),
]
Observe = Annotated[
    list[str] | None,
    typer.Option(
        "--observe",
        help='Output and unit that DV measures: "venous.ketamine [ng/mL]", or "1=venous.ketamine [ng/mL]" for DVID 1;'
        " may be repeated",
    ),
]
Parameters = Annotated[
    str | None,
    typer.Option(help="Parameters to fit, joined by ',' [default: those that vary between people and matter]"),
]
Error = Annotated[
    list[str] | None,
    typer.Option(
        "--error",
        help='Residual error: "proportional 0.2", "additive 2", "combined 2 0.2", "bounded 0.4"; of one output:'
        ' "venous.ketamine: proportional 0.2"; may be repeated',
    ),
]
Lloq = Annotated[
    list[str] | None,
    typer.Option(
        "--lloq",
        help='Limit of quantification in the unit of DV, of all levels ("0.5") or of one output ("venous.ketamine:'
        ' 0.5"); lower values are below the limit; may be repeated',
    ),
]
PopulationName = Annotated[str, typer.Option("--population", help="Population whose variability is the prior")]
Bins = Annotated[
    str, typer.Option(help="Predictive check: number of bins of time, or their edges in hours, joined by ','")
]
Stratify = Annotated[str, typer.Option(help="Predictive check: a column of the table, one panel per value")]
Corrected = Annotated[bool, typer.Option("--corrected", help="Predictive check: correct for predictions")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results [default: runs/fit-<table>]")]
FitFolder = Annotated[
    Path | None, typer.Option("--fit", help="Folder of a group fit, whose posterior is checked [default: the tables]")
]


@dataclass(frozen=True)
class FitOptions:
    """The argument and the options of `ketamech fit`; None where an option was not given."""

    data: Data
    observe: Observe = None
    parameters: Parameters = None
    error: Error = None
    lloq: Lloq = None
    drug: Drug = None
    population: PopulationName = "adult"
    group: Annotated[
        bool | None,
        typer.Option("--group/--each", help="Fit a group, or each person alone [default: a group from 5 persons on]"),
    ] = None
    full: Annotated[bool, typer.Option("--full", help="Full covariance between people [default: diagonal]")] = False
    covariate: Annotated[
        list[str] | None,
        typer.Option("--covariate", help='Covariate effect of a group: "central_volume ~ AGE"; may be repeated'),
    ] = None
    iov: Annotated[
        str,
        typer.Option(help="Group: parameters that differ between periods of a person (OCC, resets), joined by ','"),
    ] = ""
    seed: Seed = 1
    warm_up: Annotated[int, typer.Option(min=10, help="Sweeps of each chain before the draws of a group")] = 100
    draws: Annotated[
        int | None,
        typer.Option(
            min=20, help="Posterior draws of each chain of a group [default: until chains agree, at most 6000]"
        ),
    ] = None
    bins: Bins = "8"
    stratify: Stratify = ""
    corrected: Corrected = False
    compare: Annotated[
        list[Path] | None,
        typer.Option("--compare", help="Folder of another fit of this group, to compare with; may be repeated"),
    ] = None
    pk_model: PkModel = None
    estimates: Annotated[
        Path | None,
        typer.Option(
            help="PEtab problem: estimates of pyPESTO (.hdf5) or a table of estimates (.tsv, .csv), not fitted again"
        ),
    ] = None
    threads: Threads = None
    out: Out = None
    resume: Resume = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters to fit; empty for the default."""
        return listed_names(self.parameters or "")

    @property
    def without_problem(self) -> dict[str, Any]:
        """Options that do not apply to a PEtab problem, by name."""
        return {
            "--observe": self.observe, "--error": self.error, "--lloq": self.lloq, "--drug": self.drug,
            "--group": self.group, "--full": self.full, "--covariate": self.covariate, "--iov": self.iov,
            "--compare": self.compare, "--pk-model": self.pk_model, "--resume": self.resume,
        }  # fmt: skip

    @property
    def settings(self) -> FitSettings:
        """The settings of the fit."""
        from ketamech.fitting.fit import FitSettings

        return FitSettings(
            self.names, tuple(self.error or ()), self.population, self.group, self.full, tuple(self.covariate or ()),
            listed_names(self.iov), self.seed, warm_up=self.warm_up, draws=self.draws,
            threads=available_threads(self.threads),
        )  # fmt: skip

    def job(self) -> dict[str, object]:
        """The settings and hashes of the files that determine the result."""
        files = {"table": _hash(self.data), "observe": list(self.observe or ()), "drug": self.drug, "lloq": self.lloq}
        job = {"command": "fit", **files, **self.settings.job}
        return job | ({"pk_model": _hash(self.pk_model)} if self.pk_model else {})


@with_options(FitOptions)
def fit(options: FitOptions) -> None:
    """Fit parameters to your own measurements, of one person or of a group.

    Example:  ketamech fit examples/fit/ketamine_levels.csv --observe "venous.ketamine [ng/mL]"

    Up to 4 persons are fitted each alone: the most probable parameters, with the variability between people as prior
    distribution. More persons are fitted as a group: population medians, variability, residual error. Values below the
    limit of quantification are marked by CENS 1 with the limit in DV, or found by --lloq. The results are a folder with
    tables, figures, posterior draws, a visual predictive check and report.html. A fit of a group that was stopped
    continues with the same command and --resume.

    More examples:

      ketamech fit levels.csv --observe "1=venous.ketamine [ng/mL]" --observe "2=mood.madrs [points]"

      ketamech fit levels.csv --covariate "central_volume ~ AGE" --compare runs/fit-without

      ketamech fit levels.csv --parameters "intrinsic_clearance_s, central_volume" --error "combined 1 0.15"

      ketamech fit scenario.petab/v1/problem.yaml --estimates pypesto.hdf5
    """
    if options.data.suffix.lower() in YAML_SUFFIXES:
        if key := next((key for key, value in options.without_problem.items() if value), None):
            raise InputError("a PEtab problem states its own data and noise", key=key, expected="no such option")
        _fit_problem(options)
        return
    if options.estimates is not None:
        raise InputError("estimates belong to a PEtab problem", key="--estimates", expected="a problem (.yaml)")
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.fitting.diagnostics import require_bins, summarise_fit
    from ketamech.fitting.fit import fit as fit_data
    from ketamech.fitting.leave_one_out import read_log_likelihoods
    from ketamech.report.fit_folder import write_fit

    data, settings, pk_model = options.data, options.settings, options.pk_model
    folder = options.out or Path("runs") / f"fit-{data.stem}"
    terminal.refuse_file(folder)
    edges = _bins(options.bins)
    model, population = terminal.model(pk_model), population_of(options.population, pk_model)
    table = _measurements(data, model, options.observe, options.drug, options.lloq)
    require_bins(table, edges)
    others = {str(path): read_log_likelihoods(path, table) for path in options.compare or ()}
    with long_run(folder, options.job(), model, resume=options.resume) as work:
        with _progress() as progress:
            result = fit_data(
                table, model, settings, population=population, checkpoint=work.checkpoint, progress=progress
            )
        metadata = _metadata(data, model, options.seed)
        with terminal.progress().status("Figures ..."), replace_folder(folder) as draft:
            summary = summarise_fit(result, settings.seed, bins=edges, stratify=options.stratify,
                                    corrected=options.corrected, others=others)  # fmt: skip
            write_fit(draft, result, summary, settings, metadata)
    _print(result, summary.tables)
    terminal.print_open_hint(folder / "report.html")


def _fit_problem(options: FitOptions) -> None:
    """Fit a PEtab problem, or evaluate the estimates of another program for it."""
    from ketamech.core.atomic_files import atomic_write
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.exchange.petab_fit import evaluate_estimates, fit_problem, read_fit_problem
    from ketamech.exchange.result_metadata import write_table
    from ketamech.trials.posterior_draws import save_posterior

    folder, model = options.out or Path("runs") / f"fit-{options.data.parent.name}", terminal.model()
    terminal.refuse_file(folder)
    with terminal.progress().status("Fitting ..."):
        problem, estimates = read_fit_problem(options.data, model, options.names), options.estimates
        result = fit_problem(problem) if estimates is None else evaluate_estimates(problem, estimates)
    with replace_folder(folder) as draft:
        metadata = terminal.provenance("fit", model, options.seed)
        write_table(result.table, draft / "estimates.csv", metadata)
        write_table(result.simulations, draft / "simulations.csv", metadata)
        atomic_write(draft / "parameters.tsv", result.parameter_table.encode())
        save_posterior(draft / "posterior.csv", list(result.values), result.draws(options.seed))
        for name, text in result.scenarios().items():
            atomic_write(draft / f"scenario-{name}.yaml", text.encode())
    terminal.table(result.table, title=f"Estimates of {result.program}")
    terminal.progress().print(f"Negative log-likelihood: {result.negative_log_likelihood:.6g}")
    if not result.converged:
        terminal.progress().print("Check: the search for the most probable parameters did not converge.")
    terminal.print_note(f"Written: {folder}. Next: ketamech trial TRIAL --posterior {folder / 'posterior.csv'}")


def vpc(
    data: Data, observe: Observe = None, fit: FitFolder = None, parameters: Parameters = None, error: Error = None,
    lloq: Lloq = None, drug: Drug = None, population: PopulationName = "adult", seed: Seed = 1, bins: Bins = "8",
    stratify: Stratify = "", corrected: Corrected = False, pk_model: PkModel = None, threads: Threads = None,
    out: Out = None,
) -> None:  # fmt: skip
    """Compare measurements with simulated groups of people (visual predictive check).

    Example:  ketamech vpc examples/fit/ketamine_levels.csv --observe "venous.ketamine [ng/mL]"

    Simulates groups with the doses, covariates and times of the table, from the population of the tables or, with
    --fit, from the posterior of a group that was fitted, also to other data. Writes predictive_check.svg, .png and
    .csv: the 5th, 50th and 95th percentile of the measurements, and 95 % bands of the same percentiles in the simulated
    groups.
    """
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.fitting.diagnostics import REPLICATES, require_bins, visual_predictive_check
    from ketamech.report.fit_folder import write_predictive_check

    folder = out or Path("runs") / f"vpc-{data.stem}"
    terminal.check_folder(folder)
    edges = _bins(bins)
    model, people = terminal.model(pk_model), population_of(population, pk_model)
    table = _measurements(data, model, observe, drug, lloq)
    require_bins(table, edges)
    names = listed_names(parameters or "")
    with terminal.progress().status("Simulating ..."):
        distribution = _distribution(table, model, fit, names, tuple(error or ()), people, available_threads(threads))
        simulated = distribution.replicates(REPLICATES, seed)
        predicted = distribution.predictor.predictions(distribution.mean[None])[0]
    vpc_options: dict[str, Any] = {"bins": edges, "stratify": stratify, "corrected": corrected}
    with atomic_folder(folder) as draft:
        write_predictive_check(draft, visual_predictive_check(table, simulated, predicted, **vpc_options),
                               _metadata(data, model, seed))  # fmt: skip
    _print_flags(table.flags, table.notes)
    terminal.print_open_hint(folder / "predictive_check.svg")


def _measurements(
    data: Path, model: Any, observe: list[str] | None, drug: str | None, lloq: list[str] | None
) -> FitData:
    from ketamech.fitting.observations import read_measurements

    return read_measurements(data, model, observe=observe or (), drug=drug, lloq=lloq or ())


def population_of(name: str, pk_model: Path | None) -> Population:
    """A population, with the variability of a population model of kinetics."""
    from ketamech.exchange.population_pk import is_population_pk, read_population_pk
    from ketamech.population.virtual_population import load_population

    base = load_population(name)
    return read_population_pk(pk_model).population(base) if pk_model and is_population_pk(pk_model) else base


def _distribution(
    table: FitData, model: Any, folder: Path | None, names: tuple[str, ...], errors: tuple[str, ...],
    population: Population, threads: int,
) -> Any:  # fmt: skip
    """The population of the tables, or the posterior of a fit in `folder`."""
    from ketamech.fitting.diagnostics import population_distribution, posterior_distribution
    from ketamech.fitting.fit import FitSettings
    from ketamech.report.fit_folder import DRAWS, SETTINGS

    if folder is None:
        return population_distribution(table, model, FitSettings(names, errors, threads=threads), population)
    if not (folder / DRAWS).is_file():
        raise InputError(
            f"'{folder}' holds no fit of a group", key="--fit", expected="a folder written by ketamech fit"
        )
    stored_settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["settings"]
    settings_values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored_settings.items()
    }
    check_kinetics(folder, settings_values["parameters"], model)
    settings = FitSettings(**settings_values, threads=threads)
    return posterior_distribution(table, model, settings, folder / DRAWS, population)


def check_kinetics(folder: Path, names: Iterable[str], model: Any) -> None:
    """Raise InputError if the parameters of the fit in `folder` are not those of `model`."""
    if not set(names) <= set(model.parameters):
        message, expected = f"'{folder}' is a fit of other pharmacokinetics", "the file of that fit"
        raise InputError(message, key="--pk-model", expected=expected)


def _bins(text: str) -> int | list[float]:
    edges = listed_numbers(text, "--bins", "0, 1, 4, 24")
    if len(edges) == 1 and not (edges[0].is_integer() and edges[0] >= 1):
        raise InputError(f"'{text}' are no bins", key="--bins", expected="a number of bins or edges in hours",
                         type_this='--bins "0, 1, 4, 24"')  # fmt: skip
    return int(edges[0]) if len(edges) == 1 else edges


def _hash(path: Path) -> str:
    return short_hash(path.read_bytes())


def _metadata(data: Path, model: Any, seed: int) -> dict[str, str]:
    from ketamech.report.provenance import provenance_of_many

    return provenance_of_many(data.stem, data.read_text("utf-8-sig"), model, terminal.command_line(), seed)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar that appears with the first step of a group."""
    with ExitStack() as stack:
        bars: list[Callable[..., None]] = []

        def report(step: str, count: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(terminal.progress_bar("Fit")))
            bars[0](count, total or None, step)

        yield report


def _print(fit: Fit, tables: dict[str, pd.DataFrame]) -> None:
    """Print flags, notes and the estimates."""
    _print_flags(fit.flags, fit.notes)
    if "group" in tables:
        columns = [
            "parameter",
            "estimate",
            "low",
            "high",
            "unit",
            "RSE",
            "prior",
            "variance_reduction",
            "R_hat",
        ]
        terminal.table(tables["group"][columns], title="The group")
        for name, title in (("criteria", "Predictive accuracy"), ("comparison", "Comparison of fits")):
            if name in tables:
                terminal.table(tables[name], title=title)
    else:
        columns = ["ID", "parameter", "estimate", "low", "high", "unit", "population", "variance_reduction"]
        terminal.table(tables["persons"][columns], title="Most probable parameters")


def _print_flags(flags: Any, notes: Any) -> None:
    terminal.print_assumptions(notes, "Note")
    for flag in flags:
        location = f"ID {flag.subject}" + (f", line {flag.line}" if flag.line else "")
        terminal.progress().print(f"Check: {terminal.escape_markup(location)}: {terminal.escape_markup(flag.text)}.")
