"""`ketamech trial`: virtual trials and their analysis."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.long_run import long_run
from ketamech.cli.options import Equations, Resume, Scheduler, Threads, fraction, listed_numbers, with_options
from ketamech.cli.terminal import require_extra
from ketamech.core import InputError, closest_match
from ketamech.core.environment import available_threads
from ketamech.core.yaml_lines import YAML_SUFFIXES

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketamech.calibration.published_arms import PublishedArm
    from ketamech.core.execution import Executor
    from ketamech.simulation.model import Model
    from ketamech.trials.analysis.analyse import TrialAnalysis
    from ketamech.trials.analysis.power import SuccessCriterion
    from ketamech.trials.analysis.sample_size import SampleSizeSearch
    from ketamech.trials.design import Trial

POWER_REPLICATES = 100

FOLDER = Path("runs/trials")


@dataclass(frozen=True)
class TrialOptions:
    """The arguments and the options of `ketamech trial`; None where an option was not given."""

    files: Annotated[
        list[Path],
        typer.Argument(
            help="Trial files (YAML), or names of shipped trials, e.g. murrough2013; 'all': all shipped ones"
        ),
    ]
    replicates: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Number of runs of each trial, each with other patients [default: 1; {POWER_REPLICATES} for power]",
        ),
    ] = None
    patients: Annotated[
        int | None, typer.Option(help="Total number of patients, instead of the number in the file")
    ] = None
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the virtual patients [default: of the file, or from its name]")
    ] = None
    threads: Threads = None
    posterior: Annotated[
        str, typer.Option(help="Posterior of the parameters: 'shipped', 'none' (the parameter tables) or a file")
    ] = "shipped"
    power: Annotated[
        str | None,
        typer.Option(
            "--power", help="Power for these numbers of patients per arm (crossover: in all), e.g. '20, 40, 80'"
        ),
    ] = None
    sample_size: Annotated[
        str | None,
        typer.Option(
            "--sample-size", metavar="POWER",
            help="Find the number of patients for this power, e.g. 0.8 or '80 %', by trials of several sizes",
        ),
    ] = None  # fmt: skip
    alpha: Annotated[float, typer.Option(help="Two-sided level of significance of the primary comparison")] = 0.05
    margin: Annotated[
        float | None,
        typer.Option(help="Non-inferiority margin in points: power counts trials that show the arm to be not inferior"),
    ] = None
    weight_to_published: Annotated[
        bool,
        typer.Option(
            "--weight-to-published",
            help="Also weight the patients of each arm so that it has its published mean and SD",
        ),
    ] = False
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for the results; several trials get a folder each in it [default: runs/trials]",
        ),
    ] = None
    resume: Resume = False
    scheduler: Scheduler = None
    variant: Equations = None

    def trials(self) -> list[tuple[str, Trial]]:
        """The trials with their names; with 'all' the shipped ones, or those that have published arms."""
        if [file.name for file in self.files] == ["all"]:
            return [_named_trial(Path(name)) for name in _shipped_names(self.weight_to_published)]
        return [_named_trial(file) for file in self.files]

    @cached_property
    def sizes(self) -> list[int]:
        """Numbers of patients per arm whose power is wanted. Raises InputError."""
        sizes = listed_numbers(self.power, "--power", "20, 40, 80") if self.power is not None else []
        if not all(size.is_integer() for size in sizes):
            raise InputError(f"'{self.power}' are not numbers of patients", key="--power", expected="whole numbers",
                             type_this="--power '20, 40, 80'")  # fmt: skip
        return [int(size) for size in sizes]

    @cached_property
    def target(self) -> float | None:
        """The power whose number of patients is wanted. Raises InputError."""
        return None if self.sample_size is None else fraction(self.sample_size, "--sample-size", "0.8")

    @property
    def n_replicates(self) -> int:
        """Runs of each trial."""
        return self.replicates or (POWER_REPLICATES if self.sizes or self.target else 1)

    def check_sizes(self, trials: list[Trial]) -> None:
        """Raise InputError for sizes that a trial cannot have, that are given twice, or that one run cannot find."""
        from ketamech.trials.analysis.power import check_comparison, check_power_sizes
        from ketamech.trials.analysis.sample_size import check_sample_size

        for trial in trials:
            if self.sizes:
                check_comparison(trial)
                check_power_sizes(trial.replace(patients=self.patients), self.sizes)
            if self.target is not None:
                check_sample_size(trial, self.target)
        if self.target and (self.sizes or self.patients):
            what = "--sample-size together with --power or --patients"
            raise InputError(what, key="--sample-size", expected="one of them: --sample-size chooses the sizes itself")
        if (self.sizes or self.target) and self.n_replicates == 1:
            what = "the sample size for a power from one trial" if self.target else "a power from one trial"
            many = f"--replicates {POWER_REPLICATES}"
            raise InputError(what, key="--replicates", expected="many trials", type_this=many)


@with_options(TrialOptions)
def trial(options: TrialOptions) -> None:
    """Run a virtual trial and compare its arms.

    Example:  ketamech trial murrough2013 --replicates 100

    Virtual patients are drawn, allocated to arms, dosed and rated at visits with rating error; the ratings are analysed
    and plotted. Replicate 0 uses the posterior median and a typical trial setting. Every later replicate uses a draw of
    the posterior and its own setting, so that intervals include chance, uncertainty and differences between trials.

    More examples:

      ketamech trial my_trial.yaml --patients 400 --replicates 200 --power "30, 60, 100, 200"

      ketamech trial my_trial.yaml --replicates 100 --sample-size 0.8    # patients for a power of 80 %

      ketamech trial withdrawal          # remitters are randomised to continue or to placebo

      ketamech trial synapse --patients 2000 --weight-to-published

    With --weight-to-published, weights of the virtual patients of each arm are found that give the published baseline,
    score or change (mean and SD) and share of responders with the least change of the population: weighted_arms.csv
    has the effective number of patients of each arm or why it cannot be met, patient_weights.csv the weights. With
    'all', only trials with such arms are run.
    """
    from ketamech.trials.posterior_draws import posterior_of

    require_extra("trials")
    trials = options.trials()
    arms = {name: _arms_of_trial(name) for name, _ in trials} if options.weight_to_published else {}
    options.check_sizes([design for _, design in trials])
    folders = _folders(options.out, [name for name, _ in trials])
    model = terminal.model(variant=options.variant)
    posterior = posterior_of(model, options.posterior)
    for folder, (name, design) in zip(folders, trials, strict=True):
        _run(folder, design, arms.get(name), model, posterior, options)


def _run(
    folder: Path, trial: Trial, arms: list[PublishedArm] | None, model: Model, posterior: list[dict[str, float]],
    options: TrialOptions,
) -> None:  # fmt: skip
    """Simulate and analyse a trial, write its folder and print the results."""
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.report.calibration_report import shown_weighted_arms, write_weighted_arms
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.trial_folder import write_trial
    from ketamech.trials.analysis.analyse import analyse
    from ketamech.trials.analysis.power import power, success_criterion
    from ketamech.trials.posterior_draws import posterior_hash

    key, console, line = posterior_hash(posterior), terminal.progress(), terminal.command_line()
    job = {"command": "trial", "trial": trial.fingerprint, "patients": options.patients, "seed": options.seed}
    with long_run(folder, job | {"posterior": key}, model, resume=options.resume, scheduler=options.scheduler) as work:
        threads = available_threads(options.threads, options.scheduler)
        simulate = Simulation(model, options.n_replicates, options.seed, threads, posterior, work)
        criterion = success_criterion(trial, options.alpha, options.margin)
        search = _search(trial, simulate, options.target, criterion) if options.target else None
        if search:
            trial = trial.replace(patients=search.data.sizes["patient"])
        data = search.data if search else simulate(trial, options.patients)
        if options.patients:
            trial = trial.replace(patients=data.sizes["patient"])
        data = data.assign_attrs(posterior=key)
        with console.status("Analysing ..."), replace_folder(folder) as draft:
            analysis = analyse(data, trial)
            powers = search.power if search else None
            if options.sizes:
                powers = power(data, *trial.primary, analysis.reference, options.sizes, criterion=criterion)
            data = data.assign_attrs(provenance_of_many(trial.title, trial.fingerprint, model, line))
            page = write_trial(draft, data, trial, analysis, power=powers, criterion=criterion, command_line=line)
            weighted_arms = write_weighted_arms(draft, data, arms) if arms else None
    _print_differences(trial, analysis, data, criterion, search, powers)
    console.print(_conditions(trial, data, analysis))
    if weighted_arms is not None:
        terminal.table(shown_weighted_arms(weighted_arms), title="Patients weighted to the published arms")
    _print_exceptions(data, analysis)
    terminal.print_open_hint(folder / page.name)


def _print_differences(
    trial: Trial, analysis: TrialAnalysis, data: xr.Dataset, criterion: SuccessCriterion,
    search: SampleSizeSearch | None, power: pd.DataFrame | None,
) -> None:  # fmt: skip
    """Print the sample size and the differences between arms as sentences and tables, then the means of each arm."""
    from ketamech.report.trial_folder import TITLE, difference_rows, other_scales, relapse_rows, summary_of
    from ketamech.trials.analysis.power import difference_sentences
    from ketamech.trials.analysis.sample_size import ASSURANCE

    size_sentences = [*(size.text for size in search.sizes), ASSURANCE] if search else []
    spread = _spread(trial, analysis, data)
    for sentence in (*size_sentences, *difference_sentences(analysis, trial, criterion), *spread):
        terminal.progress().print(terminal.escape_markup(sentence))
    terminal.table(difference_rows(analysis, trial, criterion.alpha), title=TITLE)
    if power is not None:
        terminal.table(power, title=f"Power: share of trials that are {criterion.text}")
    terminal.table(relapse_rows(analysis, criterion.alpha), title="Time to relapse, first trial")
    terminal.table(list(analysis.events), title="Patients with an event, share of patients")
    terminal.table(summary_of(analysis), title=trial.title)
    terminal.table(other_scales(analysis), title="Other scales at the largest mean change of each arm")


def _spread(trial: Trial, analysis: TrialAnalysis, data: xr.Dataset) -> list[str]:
    """The analysis in words, and the spread of the simulated trial beside published ones; empty for one arm."""
    from ketamech.calibration.change_sd import simulated_spread_sentences
    from ketamech.trials.analysis.analyse import method_sentences

    if not len(analysis.primary):
        return []
    return [*method_sentences(trial), *simulated_spread_sentences(trial, analysis, data)]


def _print_exceptions(data: xr.Dataset, analysis: TrialAnalysis) -> None:
    """Print who was not eligible, what could not be estimated, and the share of patients that could not be solved."""
    console = terminal.progress()
    if "screened" in data:
        total = int(data["screened"].sum())
        excluded_share = 1 - data["screened"].size / total
        console.print(f"{total} candidates were screened; {excluded_share:.0%} were not eligible")
    for estimate, reason in analysis.not_estimated.items():
        console.print(f"Not estimated: {terminal.escape_markup(estimate)}: {terminal.escape_markup(reason)}.")
    if analysis.failed:
        console.print(
            f"{100 * analysis.failed:.2g} % of the solves failed; they are missing values, with reasons in adsl.csv"
        )


def _conditions(trial: Trial, data: xr.Dataset, analysis: TrialAnalysis) -> str:
    """Seed, drop-out and the number of comparisons that p values are not adjusted for, as text."""
    lines = [f"Seed {int(data.attrs['seed'])}; --seed changes it."]
    if trial.dropout:
        dropout_text = ", ".join(f"{100 * share:.0f} % of {arm}" for arm, share in analysis.dropout.items())
        lines.append(f"Drop-out {100 * trial.dropout:g} % a week; left before the end: {dropout_text}.")
    if len(trial.arms) > 2:
        lines.append("p values are not adjusted for the number of comparisons.")
    return terminal.escape_markup(" ".join(lines))


@dataclass(frozen=True)
class Simulation:
    """Simulates replicates of a trial with a progress bar."""

    model: Model
    replicates: int
    seed: int | None
    threads: int
    posterior: list[dict[str, float]]
    executor: Executor

    def __call__(self, trial: Trial, patients: int | None, label: str = "Trials") -> xr.Dataset:
        """All replicates, with `patients` in all in place of the number of the trial."""
        from ketamech.trials.run_trial import run_trial

        with terminal.progress_bar(label, self.replicates) as tick:
            return run_trial(
                trial, self.model, replicates=self.replicates, patients=patients, seed=self.seed, threads=self.threads,
                posterior=self.posterior, progress=tick, executor=self.executor,
            )  # fmt: skip


def _search(trial: Trial, simulation: Simulation, target: float, criterion: SuccessCriterion) -> SampleSizeSearch:
    """The sample size by trials of doubling size, up to MAX_PATIENTS virtual patients in all replicates."""
    from ketamech.trials.analysis.sample_size import MAX_PATIENTS, find_sample_size

    def simulate(patients: int) -> xr.Dataset:
        return simulation(trial, patients, f"Trials of {patients} patients")

    max_patients = max(4 * len(trial.arms), MAX_PATIENTS // simulation.replicates)
    return find_sample_size(trial, simulate, target=target, criterion=criterion, most=max_patients)


def _folders(out: Path | None, names: list[str]) -> list[Path]:
    """The folder of each trial: `out` itself for one trial, a folder in it for each of several. Raises InputError."""
    from ketamech.core.checkpoint import CHECKPOINT_FOLDER

    terminal.refuse_file(out or FOLDER)
    folders = [out] if out is not None and len(names) == 1 else [(out or FOLDER) / name for name in names]
    for folder in folders:
        terminal.refuse_file(folder)
        if not (folder / CHECKPOINT_FOLDER).is_dir():
            terminal.check_folder(folder)
    return folders


def _named_trial(file: Path) -> tuple[str, Trial]:
    from ketamech.trials.trial_reader import load_trial, shipped_trial

    if file.suffix in YAML_SUFFIXES or file.is_file():
        return re.sub(r"[^a-z0-9]+", "-", file.stem.lower()), load_trial(file)
    if file.is_dir() and file.name not in _shipped_names(False):
        raise InputError(f"'{file}' is a folder", expected="a trial file (YAML), or the name of a shipped trial")
    return file.name, shipped_trial(file.name)


def _shipped_names(with_published_arms: bool) -> list[str]:
    """Names of the shipped trials, or of those that have published arms."""
    from ketamech.calibration.published_arms import published_arms
    from ketamech.trials.trial_reader import shipped_trial_names

    if with_published_arms:
        return sorted({arm.trial for arm in published_arms()})
    return shipped_trial_names()


def _arms_of_trial(name: str) -> list[PublishedArm]:
    """The published arms of a shipped trial. Raises InputError where there is none."""
    from ketamech.calibration.published_arms import published_arms

    if not (arms := published_arms(name)):
        message = f"'{name}' has no arm with a published mean and SD"
        expected = ", ".join(_shipped_names(True))
        raise InputError(
            message, key="--weight-to-published", expected=expected, nearest=closest_match(name, _shipped_names(True))
        )
    return arms
