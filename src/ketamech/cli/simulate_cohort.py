"""`ketamech simulate` for many patients: virtual patients (`--patients N`), or every subject of a dose table.

Virtual patients are written to disk in chunks; for a dose table the outputs at the observation times are written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import ProgressColumn, Task
from rich.text import Text

from ketamech.cli import terminal
from ketamech.cli.long_run import long_run
from ketamech.cli.options import SimulateOptions, folder_name, listed_names, listed_numbers
from ketamech.core import InputError
from ketamech.core.environment import available_threads, short_hash
from ketamech.simulation.output_times import table_times

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketamech.nonmem.read import DoseTable
    from ketamech.nonmem.solve_table import Replicates
    from ketamech.population.cohort import Cohort
    from ketamech.simulation.model import Model
    from ketamech.simulation.scenario import Scenario


MAX_TIMES = 1_000_000
INDEPENDENT_DRAW = (
    "Each parameter was drawn from its own spread, independently: the bands are not those of a clinical sample."
    " For people with covariates and correlations: --population trd"
)
DEFAULT_OUTPUT = "mood.madrs"
SHARES, MAX_ROWS, ZERO_SHARE = (5, 50, 95), 12, 1e-6  # rows for each output; a share of the highest value shown as 0
SHOWN_TIMES = (2.0, 24.0, 168.0, 672.0)  # h after the first dose that are shown unless --times names others


def simulate_cohort(options: SimulateOptions) -> None:
    """Draw, solve and write virtual patients, then print quantiles and the number of failures."""
    from ketamech.exchange.cohort_store import require_disk_space, require_empty_folder, write_cohort
    from ketamech.report.provenance import provenance_of

    assert options.patients is not None
    scenario = options.loaded_scenario()
    cohort = _cohort(options, scenario)
    title = f"{scenario.title} {options.patients} {options.population or ''} patients seed {cohort.seed}"
    folder = options.out or Path("runs") / folder_name(title)
    if options.dry_run:
        terminal.table(_estimate(cohort, folder, options.scheduler), title=f"Estimate: {scenario.title}")
        return
    require_disk_space(folder, cohort.result_bytes)
    require_empty_folder(folder)
    metadata = {"outputs": cohort.outputs, "title": scenario.title, "seed": cohort.seed, "tolerance": cohort.tolerance}
    metadata |= {"population": options.population or "each parameter drawn from its spread"}
    metadata |= provenance_of(scenario, cohort.model, cohort.seed, terminal.command_line())
    terminal.print_regimen(scenario)
    how: dict[str, Any] = {
        "resume": options.resume,
        "scheduler": options.scheduler,
        "metadata": metadata,
        "replace": False,
    }
    bar = terminal.progress_bar("Patients", options.patients, columns=(_PatientsPerSecond(),))
    with _reading_hint(folder), long_run(folder, _job(cohort), cohort.model, **how) as work, bar as progress:
        chunks = partial(cohort.chunks, progress, cluster=work.cluster)
        assert work.checkpoint is not None
        state = write_cohort(work.checkpoint, chunks, options.patients, chunk=cohort.chunk_size)
    _report_cohort(folder, options, scenario, state, metadata)


def _cohort(options: SimulateOptions, scenario: Scenario) -> Cohort:
    """The virtual patients that the options name."""
    from ketamech.engine.solve import TOLERANCE
    from ketamech.population.cohort import CHUNK, Cohort
    from ketamech.population.virtual_population import load_population

    population = load_population(options.population) if options.population else None
    model = terminal.model(options.pk_model)
    assert options.patients is not None
    return Cohort(
        model, scenario, options.patients, listed_names(options.outputs or DEFAULT_OUTPUT),
        output_times(options.times, options.output_interval, scenario),
        scenario.seed if options.seed is None else options.seed,
        vary=listed_names(options.varying) if options.varying else None,
        tolerance=TOLERANCE if options.tolerance is None else options.tolerance,
        threads=available_threads(options.threads, options.scheduler),
        chunk=CHUNK if options.chunk is None else options.chunk, device=options.device or "cpu",
        population=population,
    )  # fmt: skip


def _report_cohort(
    folder: Path, options: SimulateOptions, scenario: Scenario, state: dict[str, Any], metadata: Mapping[str, object]
) -> None:
    """Draw the bands, write their table, and print the summary of a cohort that has been written."""
    from ketamech.exchange.cohort_store import read_cohort
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.analysis_figures import cohort_figure

    curves = read_cohort(folder)
    kinds = ("svg", "png") if options.png else ("svg",)
    figures = [cohort_figure(folder / f"bands.{kind}", curves, scenario.title) for kind in kinds]
    write_table(cohort_bands(curves), folder / BANDS, metadata)
    chosen_times = output_times(options.times, options.output_interval, scenario) if options.times else None
    terminal.table(cohort_summary(curves, scenario, chosen_times), title=scenario.title)
    terminal.print_assumptions(scenario.of_people().assumptions, "Assumed of the typical patient")
    if not options.population:
        terminal.progress().print(INDEPENDENT_DRAW)
    terminal.progress().print(terminal.escape_markup(outcome_text(state)))
    terminal.print_open_hint(figures[0])


def _estimate(cohort: Cohort, folder: Path, scheduler: str | None) -> list[dict[str, object]]:
    """Time, disk and memory of a run, from its first chunk, which is solved and not written."""
    from ketamech.core.dask_executor import connect
    from ketamech.core.environment import peak_memory
    from ketamech.exchange.cohort_store import DISK_MARGIN, free_space, readable_size

    sample = replace(cohort, patients=min(cohort.patients, cohort.chunk_size))
    cohort.model.kernel_for(cohort.outputs).compile_slices(sample.patients)  # as the run itself does
    for sample_part in (replace(sample, patients=1), sample):  # the first loads the code
        start_time = perf_counter()
        sample_part.chunk_at(0)
        seconds = perf_counter() - start_time
    parallel = 1
    if scheduler:
        with connect(scheduler) as cluster:
            parallel = cluster.threads
    n_rounds = len(cohort.chunk_starts) / parallel
    memory = peak_memory()
    rows: list[tuple[str, str]] = [
        ("patients", f"{cohort.patients:,} in {len(cohort.chunk_starts):,} chunks of {cohort.chunk_size:,}"),
        ("time", f"{timedelta(seconds=round(seconds * n_rounds))} h:min:s, from {seconds:.2g} s for the first chunk"),
        ("parallel", f"{parallel} threads of the cluster" if scheduler else f"{cohort.threads} threads"),
        (
            "disk",
            f"at most {readable_size(DISK_MARGIN * cohort.result_bytes)}; free: {readable_size(free_space(folder))}",
        ),
        (
            "memory of each process",
            "not measured" if memory is None else f"{memory:.0f} MiB, for any number of patients",
        ),
    ]
    return [{"what": quantity, "estimate": amount} for quantity, amount in rows]


def _job(cohort: Cohort) -> dict[str, Any]:
    """The inputs that determine the results, besides the model, {name: value}."""
    scenario = cohort.scenario
    return {
        "command": "simulate",
        "scenario": short_hash(repr((scenario.regimen, scenario.values, scenario.horizon, scenario.source))),
        **{name: getattr(cohort, name) for name in ("patients", "outputs", "seed", "vary", "tolerance", "device")},
        **({"population": cohort.population.name} if cohort.population else {}),
        "times": short_hash(cohort.times.tobytes().hex()),
        "chunk": cohort.chunk_size,
    }


def outcome_text(state: dict[str, Any]) -> str:
    """The number of patients, the number of failures and their reasons."""
    text = f"{state['finished']} patients; {state['failed']} failed"
    if not state["failed"]:
        return text
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(state["reasons"].items()))
    return f"{text} ({100 * state['failed'] / state['finished']:.2g} %): {reasons}; see failures.csv"


def cohort_summary(curves: xr.Dataset, scenario: Scenario, chosen_times: np.ndarray | None) -> list[dict[str, object]]:
    """Median, 5 % and 95 % quantile of each output at some times, and of the peak (or lowest value) of each patient.

    The times are `chosen_times` (h), or default ones after the first dose. The row of the peak names its median
    time. Values that are negligible for an output are 0.
    """
    from ketamech.parameters.concentration_units import shown
    from ketamech.report.analysis_figures import cohort_percentiles, extremes

    indices = _shown_places(curves["time"].values, scenario, chosen_times)
    rows: list[dict[str, object]] = []
    for name in map(str, curves.data_vars):
        factor, unit = shown(name, curves[name].attrs["units"])
        extremum_name, peaks, median_time = extremes(curves, name)
        percentile_table = cohort_percentiles(curves, name, SHARES, indices).T
        row = {
            f"{curves['time'].values[i]:.4g}": values_at for i, values_at in zip(indices, percentile_table, strict=True)
        }
        row[f"{extremum_name} (at {median_time:.3g})"] = peaks
        largest = np.nanmax(np.abs([*row.values()])) if np.isfinite([*row.values()]).any() else 0.0
        for hours, values in row.items():
            displayed = [0.0 if abs(number) < ZERO_SHARE * largest else float(factor * number) for number in values]
            quantiles = dict(zip(("5 %", "median", "95 %"), displayed, strict=True))
            rows.append({"output": name, "hours": hours, **quantiles, "unit": unit})
    return rows


def cohort_bands(curves: xr.Dataset) -> pd.DataFrame:
    """Percentiles of each output over the solved patients at each time (h), in the unit in which it is shown."""
    import pandas as pd

    from ketamech.parameters.concentration_units import shown
    from ketamech.report.analysis_figures import cohort_percentiles

    hours, tables = curves["time"].values, []
    for name in map(str, curves.data_vars):
        if curves[name].dims == ("patient", "time"):
            factor, unit = shown(name, curves[name].attrs["units"])
            bands = factor * cohort_percentiles(curves, name, SHARES, range(len(hours)))
            columns = {f"{share} %": band for share, band in zip(SHARES, bands, strict=True)}
            tables.append(pd.DataFrame({"output": name, "unit": unit, "time (h)": hours, **columns}))
    return pd.concat(tables, ignore_index=True)


def _shown_places(hours: np.ndarray, scenario: Scenario, chosen_times: np.ndarray | None) -> list[int]:
    """Indices of the times in the table: those chosen, up to MAX_ROWS, or usual ones after the first dose."""
    if chosen_times is None:
        first_dose = min(scenario.regimen.starts(scenario.horizon), default=0.0)
        target_times = np.array([*(first_dose + delay for delay in SHOWN_TIMES), hours[-1]])
        indices = np.unique([int(np.argmin(np.abs(hours - hour))) for hour in target_times if hour <= hours[-1]])
    else:
        indices = np.searchsorted(hours, chosen_times)
    if len(indices) > MAX_ROWS:
        terminal.progress().print(f"The table shows {MAX_ROWS} of the {len(indices)} times; the folder holds all.")
        indices = indices[np.linspace(0, len(indices) - 1, MAX_ROWS).round().astype(int)]
    return [int(index) for index in indices]


class _PatientsPerSecond(ProgressColumn):
    """A column of the progress bar: patients per second."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:,.0f} a second", style="progress.data.speed")


@contextmanager
def _reading_hint(folder: Path) -> Iterator[None]:
    """When the command is stopped, print how to read the results so far."""
    try:
        yield
    except SystemExit:
        sys.stderr.write(f"To read the results so far: ketamech.exchange.cohort_store.read_cohort({str(folder)!r})\n")
        raise


def output_times(text: str | None, interval: float | None, scenario: Scenario) -> np.ndarray:
    """Output times (h): the hours listed in `text`, or every `interval` h, or every day and around the doses.

    Raises InputError if both are given, if `text` holds no hours and if `interval` is not positive.
    """
    if text is None and interval is None:
        ends = [treatment.duration + treatment.lag for treatment in scenario.regimen.treatments]
        return table_times(scenario.horizon, scenario.regimen.starts(scenario.horizon), ends)
    if interval is not None:
        return _even_times(interval, scenario.horizon, text)
    return np.array(listed_numbers(str(text), "--times", "0, 2, 24, 672"))


def _even_times(interval: float, horizon: float, text: str | None) -> np.ndarray:
    key, example = "--output-interval", "--output-interval 24"
    if text is not None:
        raise InputError(f"--times and {key}", key=key, expected="one of them", type_this=example)
    if not horizon / MAX_TIMES < interval < np.inf:
        expected = f"hours, more than {horizon / MAX_TIMES:.2g}"
        raise InputError(f"an output interval of {interval:g} h", key=key, expected=expected, type_this=example)
    return np.unique(np.append(np.arange(0.0, horizon, interval), horizon))


FILE, BANDS, SHOWN = "simulated.csv", "bands.csv", 20


@dataclass(frozen=True)
class Records:
    """The subjects of a dose table that are to be simulated; `outputs` as typed."""

    table: DoseTable
    outputs: str | None
    every_record: bool = False
    replicates: Replicates | None = None

    @classmethod
    def read(cls, options: SimulateOptions) -> Records:
        """A dose table, or one subject of it, with the options that tables have. Raises InputError."""
        from ketamech.cli import scenario_argument
        from ketamech.nonmem.solve_table import Replicates
        from ketamech.parameters import load_parameters

        table, replicates = scenario_argument.doses(options.scenario, load_parameters(), options.drug), None
        if options.subject is not None:
            table = replace(table, subjects=(scenario_argument.one_of(table, options.subject),))
        if options.replicates is not None:
            vary = listed_names(options.varying) if options.varying else None
            replicates = Replicates(options.replicates, 1 if options.seed is None else options.seed, vary)
        return cls(table, options.outputs, options.every_record, replicates)

    @property
    def applied_options(self) -> tuple[str, ...]:
        """Names of the options of many patients and of tables that these records apply."""
        return ("outputs", "every_record", *(("replicates", "varying", "seed") if self.replicates else ()))

    @property
    def single_scenario(self) -> bool:
        """Whether the table holds one subject with one occasion, so that a report can be written."""
        occasions = [occasion for subject in self.table.subjects for occasion in subject.occasions]
        return len(occasions) == 1 and occasions[0].is_scenario and self.replicates is None

    @property
    def has_observations(self) -> bool:
        """Whether any record is an observation."""
        return any(occasion.observations for subject in self.table.subjects for occasion in subject.occasions)

    def solved(self, model: Model) -> tuple[pd.DataFrame, dict[str, str]]:
        """The records in the units that are shown, and the units of their columns."""
        from ketamech.nonmem.solve_table import shown_records, solve_table

        options: dict[str, Any] = {"replicates": self.replicates, "every_record": self.every_record}
        return shown_records(solve_table(self.table, model, self.names, **options), model)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        from ketamech.simulation.simulate import DEFAULT_OUTPUTS

        return listed_names(self.outputs) if self.outputs else DEFAULT_OUTPUTS

    def bands(self, records: pd.DataFrame, units: dict[str, str]) -> tuple[pd.DataFrame, dict[str, str]]:
        """Percentiles over replicates at each record, and the units of the columns."""
        from ketamech.nonmem.solve_table import bands_of

        table = bands_of(records, self.names)
        return table, {name: units[name.split(" ")[0]] for name in table.columns if name.split(" ")[0] in units}

    def report_tables(self, model: Model) -> dict[str, tuple[pd.DataFrame, dict[str, str]]]:
        """The table for the folder of a report, if there are observations or outputs were named."""
        is_requested = self.has_observations or self.outputs or self.every_record
        return {FILE: self.solved(model)} if is_requested else {}


def simulate_table(records: Records, options: SimulateOptions, unused_options: Mapping[str, object]) -> None:
    """Solve every subject of a dose table and write `simulated.csv`: one row for each observation (of a replicate).

    Raises InputError for the first of the `unused_options`, options that a table does not have.
    """
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.provenance import provenance_of_many
    from ketamech.simulation.ensemble import OK

    table = records.table
    for name, value in unused_options.items():
        option = f"--{name.replace('_', '-')}"
        if name in ("seed", "varying"):
            message = f"{option} {value} of a dose table is for replicates"
            raise InputError(message, key=option, expected="also --replicates", type_this="--replicates 100")
        message = f"{option} {value} is for one scenario"
        raise InputError(message, key=option, expected="one subject of the table", type_this="--subject 1")
    folder = options.out or Path("runs") / folder_name(table.path.stem)
    terminal.check_folder(folder)
    model = terminal.model(options.pk_model)
    console = terminal.progress()
    with console.status("Simulating ..."):
        table_of_records, units = records.solved(model)
    source, command_text = table.path.read_text("utf-8-sig"), terminal.command_line()
    metadata: dict[str, Any] = provenance_of_many(table.path.stem, source, model, command_text)
    with atomic_folder(folder) as draft:
        write_table(table_of_records, draft / FILE, metadata | {f"units {name}": unit for name, unit in units.items()})
        if records.replicates is not None:
            bands, band_units = records.bands(table_of_records, units)
            write_table(bands, draft / BANDS, metadata | {f"units {name}": unit for name, unit in band_units.items()})
    terminal.print_assumptions(table.notes)
    headers = {name: f"{name} ({unit})" for name, unit in units.items() if unit != "1" and name != "TIME"}
    terminal.table(
        table_of_records.head(SHOWN).rename(columns=headers),
        title=f"{table.path.name}: {len(table_of_records)} records",
    )
    n_failed = int((table_of_records["solve_status"] != OK).sum())
    times = f", {records.replicates.count} replicates" if records.replicates else ""
    console.print(f"{len(table.subjects)} subjects{times}; {n_failed} records without a value.")
    terminal.print_open_hint(folder / FILE)
