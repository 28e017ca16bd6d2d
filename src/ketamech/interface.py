"""The public functions of `ketamech`, and the accessor of results. Each delegates to the package that does the work."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from ketamech.analysis import attribution
from ketamech.analysis import sensitivity as sensitivity_analysis
from ketamech.analysis.model_checks import CheckResult, run_checks
from ketamech.calibration import calibration_problem
from ketamech.calibration.surrogate_posterior import DesignPoints, QuadraticEmulator, sample_posterior
from ketamech.core import InputError
from ketamech.core.data_frames import DataFrame
from ketamech.core.deprecated_names import renamed_arguments
from ketamech.core.environment import available_threads
from ketamech.core.progress import Progress, progress_by_share
from ketamech.exchange.export_scenario import export_scenario
from ketamech.exchange.result_io import from_cohort, from_run, from_trial, long_table, save_results
from ketamech.fitting.fit import Fit, FitSettings
from ketamech.fitting.fit import fit as fit_data
from ketamech.fitting.observations import read_measurements
from ketamech.nonmem.solve_table import simulate_table
from ketamech.parameters.concentration_units import MODEL_UNIT, shown
from ketamech.population.cohort import independent_patients
from ketamech.population.virtual_population import Population, VirtualPatients, load_population, patient_numbers
from ketamech.report import bibliography
from ketamech.simulation.citations import papers_behind, with_papers
from ketamech.simulation.load_scenario import Settings, is_table
from ketamech.simulation.model import Model, load_model, model_by_keyword
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import as_scenario, check_people_and_times, output_names

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.dosing.regimen import Regimen

    ScenarioSource = Scenario | Regimen | Path | str


@renamed_arguments(parameters="parameter_values")
def simulate(
    scenario: ScenarioSource | DataFrame, people: VirtualPatients | None = None, *,
    model: Model | None = None, person: Settings | None = None, parameter_values: Settings | None = None,
    perturb: str | Sequence[str] = (), species: str | None = None, variant: str | None = None,
    outputs: str | Sequence[str] | None = None, times: Sequence[float] | None = None, drug: str | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:  # fmt: skip
    """Simulate a sentence, a scenario file, a Regimen, a Scenario or a table of dose records.

    The table, with columns as in NONMEM, is a file or a DataFrame of pandas or polars. `people`: virtual patients, as
    `Population.sample` or `sample_parameters` draws them, in place of the typical patient; they vary about the
    parameter values of the model. `person` and `parameter_values` are the keys `person` and `parameters` of a scenario
    file, e.g. person={"weight": "90 kg", "age": 75} and parameter_values={"mood.expectancy_weight": 0}; a bare number
    is in the unit of the parameter table. `perturb`: compounds or gene deletions beside the treatment, e.g. "naltrexone
    50 mg oral" or ["NBQX 10 mg/kg IP at -30 min"]. `species`: "human", "rat" or "mouse". `variant`: a model variant by
    name. `outputs`: names such as "mood.madrs" (default: every state and output of a scenario; ratings and venous
    concentrations of people and tables). `times` (h, rising): output times in place of the usual ones, which are dense
    after each dose. `drug`: what a table without a column DRUG gives. `progress` receives each slow step.

    Returns a Dataset with dims (patient, time): time in h; `units` and `long_name` on every variable. Patients are
    'treated' and 'control' (same visits, no drug), or the numbers of `people`, or the IDs of the table. A
    patient that could not be solved is NaN, with the reason in `solve_status`. The accessor `.ketamech` has the
    methods of `Results`.

    Raises InputError for what cannot be read or given, UnknownNameError for an output that does not exist,
    SolverError if nothing could be solved.
    """
    chosen = model or Model.load(progress=progress)
    if not (isinstance(scenario, DataFrame) or (isinstance(scenario, Path | str) and is_table(scenario))):
        if drug is not None:
            raise InputError("drug is for a table of doses", key="drug", expected="a file such as doses.csv")
        return chosen.simulate(
            scenario, people, person=person, parameter_values=parameter_values, perturb=perturb, species=species,
            variant=variant, outputs=outputs, times=times,
        )  # fmt: skip
    check_people_and_times(people, times)
    _refuse_for_table(
        people=people, species=species, perturb=perturb, variant=variant, times=times, person=person,
        parameter_values=parameter_values,
    )  # fmt: skip
    curves = simulate_table(scenario, chosen, drug=drug, outputs=output_names(outputs))
    return with_papers(curves, papers_behind(chosen))


def _refuse_for_table(**added: Any) -> None:
    """Raise InputError for an argument with a value that a table of doses states itself or does not have."""
    for key, value in added.items():
        if value is not None and len(value):
            expected = "a column SPECIES" if key == "species" else "a sentence or a scenario file"
            raise InputError(f"{key} is not for a table of doses", key=key, expected=expected)


def sample_parameters(
    patients: int, *, seed: int = 1, first: int = 0, vary: Sequence[str] | None = None,
    model: Model | None = None,
) -> VirtualPatients:  # fmt: skip
    """Virtual patients in whom each parameter is drawn from its own spread, as `ketamech simulate --patients` draws.

    Draws are independent, and a spread may also hold the uncertainty of a mean: receptors and synapses vary several
    times as much as in people of `Population.sample`, which have covariates and correlations; moods vary about as much,
    concentrations less. `vary`: parameters or stages that are drawn (default: all with a spread). Raises InputError for
    fewer than one patient, UnknownNameError.
    """
    chosen = model or load_model()
    return independent_patients(chosen.parameters, patient_numbers(patients, first), model=chosen, seed=seed, vary=vary)


@xr.register_dataset_accessor("ketamech")
class Results:
    """Methods of a Dataset of `simulate` or of a trial, as `dataset.ketamech`."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def cite(self, *, bibtex: bool = False) -> str:
        """The papers whose values the run used, one per line, or as BibTeX. Raises InputError for another Dataset."""
        return bibliography.cite(self._dataset, bibtex=bibtex)

    def to_frame(self) -> pd.DataFrame:
        """One row per value: replicate, arm, patient, time (h), variable, value, unit. Missing values are left out."""
        return long_table(self._exported())

    def shown(self) -> xr.Dataset:
        """The same results with concentrations in blood in ng/mL, as tables, reports and the page show them.

        Other variables keep their unit; `units` of every variable names it.
        """
        result = self._dataset.copy()
        for name in map(str, result.data_vars):
            factor, unit = shown(name, result[name].attrs.get("units", ""))
            if factor != 1.0 and result[name].attrs.get("units") == MODEL_UNIT:
                result[name] = (result[name] * factor).assign_attrs({**result[name].attrs, "units": unit})
        return result

    def export(self, path: Path | str) -> Path:
        """Write a file by its suffix: .nc, .zarr, .parquet or .csv (as `to_frame`); returns the path.

        Raises InputError for another suffix, a library that is not installed, or a folder with other files.
        """
        return save_results(self._exported(), path)

    def _exported(self) -> xr.Dataset:
        """Dims replicate, arm, patient, time."""
        if "visit" in self._dataset.dims:
            return from_trial(self._dataset)
        labels = {str(label) for label in self._dataset["patient"].values}
        return from_run(self._dataset) if labels <= {"treated", "control"} else from_cohort(self._dataset)


def export(scenario: ScenarioSource, path: Path | str, *, model: Model | None = None) -> Path:
    """Write a scenario for other programs by the suffix of the file, as `ketamech export`; returns the path.

    .csv (dose records), .xml or .sbml (SBML), .ant (Antimony), .R (rxode2) and .cpp (mrgsolve), with the doses in a
    .csv file beside them, .omex (archive). All but .csv hold the whole model of the treated patient. Results are
    written by `dataset.ketamech.export(path)`. Raises InputError for another suffix or a library that is missing.
    """
    chosen = model or load_model()
    return export_scenario(as_scenario(scenario, chosen), Path(path), chosen)


def attribute(
    scenario: ScenarioSource, endpoints: str | Sequence[str] | None = None, *, draws: int = attribution.DRAWS,
    seed: int = 1, threads: int | None = None, model: Model | None = None, progress: Progress | None = None,
) -> attribution.Attribution:  # fmt: skip
    """Contribution of each pathway to the endpoints of a scenario: Shapley values, loss when off, effect alone.

    `endpoints`: such as ["mood.madrs at 24 h", "dissociation.cadss peak"], or one text with ";" between them (default:
    the shipped list). `draws`: parameter draws of the posterior, which give 95 % intervals. `.table` has one row per
    endpoint and pathway, `.totals` one per endpoint. Raises InputError if no pathway is on or no endpoint lies before
    the horizon.
    """
    chosen = model or load_model()
    return attribution.attribute(
        chosen, as_scenario(scenario, chosen), endpoints=endpoints, draws=draws,
        seed=seed, threads=available_threads(threads), progress=progress_by_share(progress, "draws"),
    )  # fmt: skip


def sensitivity(
    scenario: ScenarioSource, endpoints: str | Sequence[str] = "mood.madrs at 24 h", *,
    method: Literal["tornado", "morris", "sobol"] = "tornado", parameters: Sequence[str] | None = None,
    size: int | None = None, seed: int = 1, threads: int | None = None, absolute: bool = False,
    model: Model | None = None, progress: Progress | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Sensitivity of endpoints to the parameters, each moved over its spread.

    `endpoints` as in `attribute`. They are those of the treated patient minus those of the control (same visits, no
    drug), or with `absolute` those of the treated patient.

    `method`: "tornado" (one at a time, 5th and 95th percentile), "morris" (`size` trajectories, default 20) or "sobol"
    (`size` base points, a power of 2, default 1024). `parameters`: names of parameters or stages (default: all with a
    spread). One row per endpoint and parameter, the most influential first. Raises InputError, also where SALib is
    missing or too few points could be solved, UnknownNameError.
    """
    chosen = model or load_model()
    checked = as_scenario(scenario, chosen)
    rows = sensitivity_analysis.varied_parameters(chosen, parameters, checked.values)
    parsed = sensitivity_analysis.parse_endpoints(endpoints, chosen)
    cores = available_threads(threads)
    problem = sensitivity_analysis.SensitivityProblem(chosen, checked, parsed, rows, cores, absolute=absolute)
    report = progress_by_share(progress, "simulations")
    if method == "tornado":
        return sensitivity_analysis.tornado(problem, report)
    if method == "morris":
        return sensitivity_analysis.morris(problem, 20 if size is None else size, seed, report)
    if method == "sobol":
        base = 1024 if size is None else size
        sensitivity_analysis.check_base_points(base, "size=1024")
        return sensitivity_analysis.sobol(problem, base, seed, report)
    raise InputError(f"there is no method '{method}'", key="method", expected="tornado, morris or sobol")


@model_by_keyword
@renamed_arguments(patients="patients_per_arm")
def calibrate(
    *, parameters: Sequence[str] | None = None, design_points: int = 600, draws: int = 200,
    patients_per_arm: int = calibration_problem.PATIENTS_PER_ARM, seed: int = 1, threads: int | None = None,
    model: Model | None = None, progress: Progress | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Estimate parameters on the published trials of data/calibration; takes hours with the default numbers.

    `parameters`: some of those of data/calibration/parameters.csv (default: all). `design_points`: parameter sets at
    which all trials are simulated, with `patients_per_arm` virtual patients in each arm; the surrogate is fitted to
    them. `draws`: number of draws of the posterior.

    Returns these draws, one row per draw and one column per parameter, in the units of the parameter
    tables (`attrs["units"]`); `attrs` also holds `effective_size` and `emulator_error`. Raises UnknownNameError for a
    parameter that is not estimated.
    """
    import pandas as pd

    task = calibration_problem.shipped_problem(model, patients_per_arm=patients_per_arm, threads=threads)
    task = task if parameters is None else calibration_problem.select_parameters(parameters, task)

    def report(done: int, step: str) -> None:
        if progress:
            progress(step, done, 0)

    design = DesignPoints(task, seed)
    emulator = QuadraticEmulator.fitted(*design.sample(design_points, report))
    posterior = sample_posterior(design, emulator, draws, report, seed=seed)
    names = [one.name for one in task.estimated]
    table = pd.DataFrame(calibration_problem.in_table_units(task, posterior.draws), columns=names)
    table.attrs = {
        "units": {name: task.model.parameters[name].unit for name in names},
        "effective_size": posterior.effective_size,
        "emulator_error": posterior.emulator_error,
    }
    return table


@model_by_keyword
def fit(
    table: str | Path | DataFrame, *, observe: str | Sequence[str] = (),
    parameters: Sequence[str] = (), error: str | Sequence[str] = (), lloq: str | Sequence[str] = (),
    drug: str | None = None, population: str | Population = "adult",
    group: bool | None = None, full: bool = False, covariates: Sequence[str] = (), iov: Sequence[str] = (),
    seed: int = 1, draws: int | None = None, threads: int | None = None, model: Model | None = None,
    progress: Progress | None = None,
) -> Fit:  # fmt: skip
    """Fit parameters to the measurements of a table (ID, TIME, DV, DVID, AMT ...), of each person or of a group.

    The table is a file or a DataFrame of pandas or polars.

    `observe`: outputs and units that DV measures, such as "venous.ketamine [ng/mL]" or "1=venous.ketamine [ng/mL]" for
    DVID 1. `parameters`: names (default: those that vary between people of the `population` and matter for the
    measurements). `error`: residual error, such as "proportional 0.2". `lloq`: limit of quantification in the unit of
    DV, such as "0.5" or "venous.ketamine: 0.5". `group`: None for a group from 5 persons on. `full`: full covariance
    between people; `covariates`: such as "central_volume ~ AGE"; `iov`: parameters that differ between periods of a
    person (column OCC, or resets); `draws`: posterior draws of each chain of a group. `population`: the name of the
    population whose variability is the prior distribution, or a `Population`.

    Returns a `Fit` with the tables `person_table()`, `group_table()` and `residual_table()`.
    Raises InputError for a table, unit, output or parameter that cannot be used.
    """
    chosen = model or load_model()
    known = load_population(population) if isinstance(population, str) else population
    settings = FitSettings(
        tuple(parameters), _texts(error), known.name, group, full, tuple(covariates), tuple(iov), seed,
        threads=available_threads(threads),
    )  # fmt: skip
    settings = settings if draws is None else dataclasses.replace(settings, draws=draws)
    data = read_measurements(table, chosen, observe=_texts(observe), drug=drug, lloq=_texts(lloq))
    return fit_data(data, chosen, settings, population=known, progress=progress)


def _texts(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


@model_by_keyword
def check(stage: str | None = None, *, model: Model | None = None) -> list[CheckResult]:
    """Model checks (steady state, recovery, conservation, bounds, response, decay) of all stages or of one.

    Raises UnknownNameError for a stage that does not exist.
    """
    return run_checks(model or load_model(), stage)
