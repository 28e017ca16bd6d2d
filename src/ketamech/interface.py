"""The public classes and functions of `ketamech`. Each delegates to the package that does the work."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from ketamech.analysis import attribution
from ketamech.analysis import sensitivity as sensitivity_analysis
from ketamech.analysis.model_checks import CheckResult, run_checks
from ketamech.core import InputError
from ketamech.core.csv_table import parts
from ketamech.core.environment import available_threads
from ketamech.estimation import calibration
from ketamech.estimation.clinical_targets import shipped_trial
from ketamech.estimation.posterior import posterior_of
from ketamech.estimation.surrogate_posterior import DesignPoints, QuadraticEmulator, sample_posterior
from ketamech.exchange.nonmem.solve_table import simulate_table
from ketamech.exchange.result_io import from_cohort, from_run, from_trial, long_table, save_results
from ketamech.exchange.result_metadata import PAPERS
from ketamech.fitting.fit import Fit, FitSettings
from ketamech.fitting.fit import fit as fit_data
from ketamech.fitting.observations import read_measurements
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.population.cohort import independent_patients
from ketamech.population.virtual_population import Population as PopulationDistribution
from ketamech.population.virtual_population import VirtualPatients, load_population
from ketamech.report import bibliography
from ketamech.report.provenance import papers_behind, papers_of_run
from ketamech.simulation.load_scenario import Settings, is_table, load_scenario
from ketamech.simulation.model import Model as CompiledModel
from ketamech.simulation.model import StageFunction, load_model, load_variant, with_stage
from ketamech.simulation.scenario import Scenario as CheckedScenario
from ketamech.simulation.simulate import as_scenario, select_outputs, simulate_scenario
from ketamech.trials.analysis.analyse import TrialAnalysis, analyse, reference_arm
from ketamech.trials.analysis.power import ALPHA, power, success_criterion
from ketamech.trials.analysis.sample_size import sample_sizes
from ketamech.trials.design import Trial as TrialDesign
from ketamech.trials.run_trial import run_trial, with_sample_size
from ketamech.trials.trial_reader import load_trial

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.dosing.regimen import Regimen

Posterior = Sequence[Mapping[str, float]] | Path | str


def _fields(loaded: Any) -> dict[str, Any]:
    """The fields of a dataclass instance by name."""
    return {field.name: getattr(loaded, field.name) for field in dataclasses.fields(loaded)}


class Model(CompiledModel):
    """The compiled model: `Model()` for the shipped equations and parameter values.

    `parameters`: other values, e.g. `load_parameters().with_values({"person.weight": "80 kg"})`. `stages`: other stage
    functions than the shipped ones; see `with_stage`. The first construction on a machine compiles the equations (10 to
    15 s); later ones read them from the cache. `variant`: a model variant with equations of its own, "reduced-core",
    instead. `announce` receives one line before each slow step. Raises UnitError for a term whose unit does not fit,
    ModelError for equations that do not fit together, UnknownNameError for another variant.
    """

    def __init__(
        self, parameters: ParameterTable | None = None, stages: Sequence[StageFunction] | None = None, *,
        variant: str = "", announce: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        own = load_variant(variant, announce=announce) if variant else None
        super().__init__(**_fields(own or load_model(parameters, stages, announce=announce)))

    def simulate(
        self, scenario: CheckedScenario | Regimen | Path | str, people: VirtualPatients | None = None, *,
        person: Settings | None = None, parameters: Settings | None = None, perturb: Sequence[str] = (),
        species: str | None = None, variant: str | None = None, outputs: str | Sequence[str] | None = None,
        times: Sequence[float] | None = None, drug: str | None = None,
    ) -> xr.Dataset:  # fmt: skip
        """Simulate on this model; arguments, result and errors are those of `ketamech.simulate`."""
        return simulate(
            scenario, people, model=self, person=person, parameters=parameters, perturb=perturb, species=species,
            variant=variant, outputs=outputs, times=times, drug=drug,
        )  # fmt: skip

    def with_stage(self, stage: StageFunction, table: ParameterTable | Path | str | None = None) -> Model:
        """The model with one stage function more, or with the stage of the same name replaced; compiled.

        `table`: a CSV file with the columns of data/parameters, named after the stage (sleep.csv holds `sleep.*`), or
        rows read by `load_parameters`. Raises InputError naming file, line and column of a wrong cell, UnitError for a
        term whose unit does not fit, ModelError for a quantity that no stage declares.
        """
        return Model(*with_stage(self, stage, table))


def simulate(
    scenario: CheckedScenario | Regimen | Path | str, people: VirtualPatients | None = None, *,
    model: CompiledModel | None = None, person: Settings | None = None, parameters: Settings | None = None,
    perturb: Sequence[str] = (), species: str | None = None, variant: str | None = None,
    outputs: str | Sequence[str] | None = None, times: Sequence[float] | None = None, drug: str | None = None,
    announce: Callable[[str], None] | None = None,
) -> xr.Dataset:  # fmt: skip
    """Simulate a sentence, a scenario file, a Regimen, a Scenario or a table of dose records.

    `people`: virtual patients, as `Population.sample` or `sample_parameters` draws them, in place of the typical
    patient; they vary about the parameter values of the model. `person` and `parameters` are those keys of a scenario
    file, e.g. person={"weight": "90 kg", "age": 75} and parameters={"mood.expectancy_weight": 0}; a bare number is in
    the unit of the parameter table. `perturb`: compounds or gene deletions beside the treatment, e.g. ["NBQX 10 mg/kg
    IP at -30 min"]. `species`: "human", "rat" or "mouse". `variant`: a model variant by name. `outputs`: names such as
    "mood.madrs" (default: every state and output of a scenario; ratings and venous concentrations of people and
    tables). `times` (h, rising): output times in place of the usual ones, which are dense after each dose. `drug`:
    what a table without a column DRUG gives.

    Returns a Dataset with dims (patient, time): time in h; `units` and `long_name` on every variable. Patients are
    'treated' and 'control' (same expectancy, no drug), or the numbers of `people`, or the IDs of the table. A
    patient that could not be solved is NaN, with the reason in `solve_status`. The accessor `.ketamech` has the
    methods of `Results`.

    Raises InputError for what cannot be read or given, UnknownNameError for an output that does not exist,
    SolverError if nothing could be solved.
    """
    chosen = model or load_model(announce=announce)
    names = _output_names(outputs)
    _check_people_and_times(people, times)
    if isinstance(scenario, Path | str) and is_table(scenario):
        _refuse_for_table(
            people=people, species=species, perturb=perturb, variant=variant, times=times, person=person,
            parameters=parameters,
        )  # fmt: skip
        curves = simulate_table(scenario, chosen, drug=drug, outputs=names)
        return _with_papers(curves, papers_behind(chosen))
    if drug is not None:
        raise InputError("drug is for a table of doses", key="drug", expected="a file such as doses.csv")
    checked = as_scenario(
        scenario, chosen, species=species, perturb=perturb, variant=variant, person=person, parameters=parameters
    )
    if people is not None:
        curves = simulate_scenario(checked, chosen, people, outputs=names, times=times)
        return _with_papers(curves, papers_behind(chosen))
    curves = simulate_scenario(checked, chosen, times=times)
    papers = papers_of_run(curves, checked, chosen) if times is None else papers_behind(chosen)
    return _with_papers(select_outputs(curves, chosen, names), papers)


def _require_patients(patients: int) -> None:
    if patients < 1:
        raise InputError(f"{patients} patients", key="patients", expected="at least 1")


def _with_papers(result: xr.Dataset, papers: Sequence[str]) -> xr.Dataset:
    """The result with the keys of the papers behind it, which `cite` reads."""
    return result.assign_attrs({PAPERS: " ".join(papers)})


def _refuse_for_table(**added: Any) -> None:
    """Raise InputError for an argument with a value that a table of doses states itself or does not have."""
    for key, value in added.items():
        if value is not None and len(value):
            expected = "a column SPECIES" if key == "species" else "a sentence or a scenario file"
            raise InputError(f"{key} is not for a table of doses", key=key, expected=expected)


def _output_names(outputs: str | Sequence[str] | None) -> Sequence[str] | None:
    """Names of outputs; a text holds one name, or several joined by commas."""
    return list(parts(outputs, ",")) if isinstance(outputs, str) else outputs


def _check_people_and_times(people: object, times: Any) -> None:
    """Raise InputError for parameter values in place of patients, and for times that are not a list of numbers."""
    if people is not None and not isinstance(people, VirtualPatients):
        what, example = f"people of type {type(people).__name__}", 'Population("trd").sample(100)'
        if isinstance(people, Mapping):
            example = 'person={"weight": 90} or parameters={"person.weight": 90}'
        raise InputError(what, key="people", expected="virtual patients", type_this=example)
    numbers = np.ndim(times) == 1 and np.issubdtype(np.asarray(times).dtype, np.number) if times is not None else True
    if not numbers:
        raise InputError(f"times of {times!r}", key="times", expected="a list of hours", type_this="times=[0, 2, 24]")


def sample_parameters(
    patients: int, *, seed: int = 1, first: int = 0, vary: Sequence[str] | None = None,
    model: CompiledModel | None = None,
) -> VirtualPatients:  # fmt: skip
    """Virtual patients in whom each parameter is drawn from its own spread, as `ketamech simulate --patients` draws.

    Draws are independent, and a spread may also hold the uncertainty of a mean: receptors and synapses vary several
    times as much as in people of `Population.sample`, which have covariates and correlations; moods vary about as much,
    concentrations less. `vary`: parameters or stages that are drawn (default: all with a spread). Raises InputError for
    fewer than one patient, UnknownNameError.
    """
    _require_patients(patients)
    chosen = model or load_model()
    return independent_patients(chosen.parameters, range(first, first + patients), model=chosen, seed=seed, vary=vary)


class Scenario(CheckedScenario):
    """A checked scenario: `Scenario("racemic 0.5 mg/kg IV over 40 min")`, or of a YAML file or a Regimen.

    `person`, `parameters`, `species`, `perturb` and `variant` are added to it, as in `Model.simulate`. Fields given by
    keyword replace those that were read, e.g. `horizon=336.0` (h). `values`: parameter values that differ from the
    tables, canonical units.
    Raises InputError with file, line, key, what was expected and the nearest valid name.
    """

    def __init__(
        self, source: Regimen | Path | str | None = None, /, *, species: str | None = None,
        perturb: Sequence[str] = (), variant: str | None = None, person: Settings | None = None,
        parameters: Settings | None = None, **fields: Any,
    ) -> None:  # fmt: skip
        if source is not None:
            read = load_scenario(
                source, species=species, perturbations=perturb, variant=variant, person=person, parameters=parameters
            )
            fields = _fields(read) | fields
        elif "regimen" not in fields:
            raise InputError("no regimen is stated", expected="a sentence, a file or a Regimen")
        super().__init__(**fields)


@dataclass(frozen=True, init=False)
class Population(PopulationDistribution):
    """A kind of patients, by name: trd, mdd, bipolar, suicidal, elderly, healthy, crps or surgical.

    `seed`: patient i is the same in every sample of a seed. Raises UnknownNameError for another name.
    """

    seed: int = 1

    def __init__(self, name: str = "trd", *, seed: int = 1, **fields: Any) -> None:
        super().__init__(**(fields | {"name": name} if fields else _fields(load_population(name))))
        object.__setattr__(self, "seed", seed)

    def sample(self, patients: int, *, first: int = 0) -> VirtualPatients:
        """Patients number `first` to `first + patients - 1`, with covariates and parameter values of their own.

        `.values` {parameter: [patient]} in canonical units; `.table()` is one row per patient in the units of the
        parameter tables. They vary about the shipped parameter values; `.with_parameters(model.parameters)` are the
        same patients about those of a model, as `Model.simulate` simulates them. Raises InputError for fewer than one
        patient.
        """
        _require_patients(patients)
        return self.draw(load_parameters(), self.seed, range(first, first + patients))


class Trial(TrialDesign):
    """A trial design: `Trial("murrough2013")` for a shipped trial, or of a YAML file or a mapping of its keys.

    Fields given by keyword replace those that were read. Raises InputError with file, line and key, and the nearest
    valid name.
    """

    def __init__(self, source: Mapping[str, Any] | Path | str | None = None, /, **fields: Any) -> None:
        if source is not None:
            fields = _fields(_read_trial(source)) | fields
        elif "arms" not in fields:
            raise InputError("a trial of nothing", expected="a shipped trial or a file", type_this="murrough2013")
        super().__init__(**fields)

    def replace(self, *, patients: int | None = None, **fields: Any) -> Trial:
        """The same trial with other fields; `patients` in all, arms in proportion.

        Raises InputError if an arm would be empty.
        """
        changed = dataclasses.replace(self, **fields)
        return changed if patients is None else Trial(**_fields(with_sample_size(changed, patients)))

    def run(
        self, model: CompiledModel | None = None, *, replicates: int = 1, posterior: Posterior = "shipped",
        seed: int | None = None, threads: int | None = None, progress: Callable[[int], None] | None = None,
    ) -> TrialResult:  # fmt: skip
        """Run the trial `replicates` times, each time with other patients.

        `posterior`: parameter values of the replicates: "shipped" as `ketamech trial` uses them, "none" for those of
        the tables, a file of `ketamech calibrate`, or draws {parameter: value in the unit of the parameter table}, as
        `calibrate` returns them. Replicate 0 has the medians. Results are the same for any number of `threads`.
        `progress` receives the number of replicates done.
        Raises InputError for fewer than one replicate.
        """
        chosen = model or load_model()
        data = run_trial(
            self, chosen, replicates=replicates, seed=seed, threads=threads, posterior=_draws(posterior, chosen),
            progress=progress,
        )  # fmt: skip
        return TrialResult(data.assign_attrs({PAPERS: " ".join(papers_behind(chosen))}), self)


def _read_trial(source: Mapping[str, Any] | Path | str) -> TrialDesign:
    if isinstance(source, Mapping) or Path(source).suffix in (".yaml", ".yml") or Path(source).is_file():
        return load_trial(source)
    return shipped_trial(str(source))


def _draws(posterior: Posterior, model: CompiledModel) -> Sequence[Mapping[str, float]]:
    if isinstance(posterior, Path | str):
        return posterior_of(model, posterior)
    rows = model.parameters
    return [{name: rows[name].with_value(value).canonical for name, value in draw.items()} for draw in posterior]


@dataclass(frozen=True)
class TrialResult:
    """A trial that was run.

    `dataset`: dims (replicate, patient, visit): each scale as rated and, as `true_<scale>`, without error; `arm`,
    `visit_time` (h), `left` (h), `why_left`, doses, exposures and covariates. Missing values are NaN.
    """

    dataset: xr.Dataset
    trial: TrialDesign

    @cached_property
    def analysis(self) -> TrialAnalysis:
        """The tables of `analyse`, computed once."""
        return analyse(self.dataset, self.trial)

    def analyse(self) -> TrialAnalysis:
        """Means, response rates, the primary comparison (ANCOVA) of each replicate, repeated measures, relapse."""
        return self.analysis

    def power(
        self, patients: Sequence[int], *, scale: str | None = None, visit: str | None = None, draws: int = 4,
        alpha: float = ALPHA, margin: float | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Power of the primary comparison (or of `scale` at `visit`) in trials of so many `patients` in all.

        Smaller trials are drawn from each replicate, arms in proportion. Columns: patients, arm, n_per_arm, power with
        its 95 % interval low to high (percent of trials with p < `alpha`, or not inferior by `margin` points), trials.
        Raises InputError for more patients than were simulated, or for a trial of one arm.
        """
        import pandas as pd

        criterion = success_criterion(self.trial, alpha, margin)
        comparison = (scale or self.trial.primary[0], visit or self.trial.primary[1], reference_arm(self.trial))
        tables = []
        for total in patients:
            sizes = {arm.name: round(arm.n * total / self.trial.patients) for arm in self.trial.arms}
            table = power(self.dataset, *comparison, [sizes], draws=draws, criterion=criterion)
            tables.append(table.assign(patients=total))
        powers = pd.concat(tables, ignore_index=True)
        return powers[["patients", *powers.columns.drop("patients")]]

    def sample_size(self, power: float = 80.0, *, alpha: float = ALPHA, margin: float | None = None) -> pd.DataFrame:
        """The number of patients for a `power` (percent) of the primary comparison, with its 95 % interval.

        One row for each compared arm: arm, target, patients in all with the interval low to high (missing where it is
        above the simulated number), per_arm, limit (the power that no number exceeds), missed (percent of trials of
        that size that do not succeed), text ... Raises InputError for a trial of one arm or a crossover.
        """
        import pandas as pd

        criterion = success_criterion(self.trial, alpha, margin)
        sizes, _ = sample_sizes(self.dataset, self.trial, target=power, criterion=criterion)
        return pd.DataFrame([size.row() for size in sizes])


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


def attribute(
    scenario: CheckedScenario | Regimen | Path | str, *, model: CompiledModel | None = None,
    endpoints: str | None = None, draws: int = attribution.DRAWS, seed: int = 1, threads: int | None = None,
) -> attribution.Attribution:  # fmt: skip
    """Contribution of each pathway to the endpoints of a scenario: Shapley values, loss when off, effect alone.

    `endpoints` are joined by ";", e.g. "mood.madrs at 24 h" (default: the shipped list). `draws` of the posterior give
    95 % intervals. `.table` has one row per endpoint and pathway, `.totals` one per endpoint. Raises InputError if no
    pathway is on or no endpoint lies before the horizon.
    """
    chosen = model or load_model()
    chosen_scenario = as_scenario(scenario, chosen)
    return attribution.attribute(
        chosen, chosen_scenario, wanted=endpoints, draws=draws, seed=seed, threads=available_threads(threads)
    )


def sensitivity(
    scenario: CheckedScenario | Regimen | Path | str, endpoints: str = "mood.madrs at 24 h", *,
    method: Literal["tornado", "morris", "sobol"] = "tornado", model: CompiledModel | None = None,
    parameters: Sequence[str] | None = None, size: int | None = None, seed: int = 1, threads: int | None = None,
    absolute: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Sensitivity of endpoints (joined by ";") to the parameters, each moved over its spread.

    Endpoints are those of the treated patient minus those of the control (same expectancy, no drug), or with
    `absolute` those of the treated patient.

    `method`: "tornado" (one at a time, 5th and 95th percentile), "morris" (`size` trajectories, default 20) or "sobol"
    (`size` base points, a power of 2, default 1024). `parameters`: names of parameters or stages (default: all with a
    spread). One row per endpoint and parameter, the most influential first. Raises InputError, UnknownNameError.
    """
    chosen = model or load_model()
    chosen_scenario = as_scenario(scenario, chosen)
    rows = sensitivity_analysis.varied_parameters(chosen, parameters, chosen_scenario.values)
    parsed = sensitivity_analysis.parse_endpoints(endpoints, chosen)
    cores = available_threads(threads)
    problem = sensitivity_analysis.SensitivityProblem(chosen, chosen_scenario, parsed, rows, cores, absolute=absolute)
    if method == "tornado":
        return sensitivity_analysis.tornado(problem)
    if method == "morris":
        return sensitivity_analysis.morris(problem, size or 20, seed)
    if method == "sobol":
        return sensitivity_analysis.sobol(problem, size or 1024, seed)
    raise InputError(f"there is no method '{method}'", key="method", expected="tornado, morris or sobol")


def calibrate(
    model: CompiledModel | None = None, *, parameters: Sequence[str] | None = None, design_points: int = 600,
    draws: int = 200, patients: int = calibration.PATIENTS_PER_ARM, seed: int = 1, threads: int | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Estimate parameters on the published trials of data/calibration; takes hours with the default numbers.

    `parameters`: some of those of data/calibration/parameters.csv (default: all). `design_points`: simulations to which
    the surrogate is fitted, with `patients` in each arm of each trial. `progress` receives a count and the step.
    Returns `draws` of the posterior, one row per draw and one column per parameter, in the units of the parameter
    tables (`attrs["units"]`); `attrs` also holds `effective_size` and `emulator_error`. Raises UnknownNameError for a
    parameter that is not estimated.
    """
    import pandas as pd

    task = calibration.calibration(model, persons=patients, threads=threads)
    task = task if parameters is None else calibration.select_parameters(parameters, task)
    tell = progress or (lambda done, step: None)
    design = DesignPoints(task, seed)
    emulator = QuadraticEmulator.fitted(*design.sample(design_points, tell))
    posterior = sample_posterior(design, emulator, draws, tell, seed=seed)
    names = [one.name for one in task.estimated]
    table = pd.DataFrame(calibration.in_table_units(task, posterior.draws), columns=names)
    table.attrs = {
        "units": {name: task.model.parameters[name].unit for name in names},
        "effective_size": posterior.effective_size,
        "emulator_error": posterior.emulator_error,
    }
    return table


def fit(
    table: str | Path, model: CompiledModel | None = None, *, observe: str | Sequence[str] = (),
    parameters: Sequence[str] = (), error: str | Sequence[str] = (), lloq: str | Sequence[str] = (),
    drug: str | None = None, population: str | PopulationDistribution = "adult",
    group: bool | None = None, full: bool = False, covariates: Sequence[str] = (), iov: Sequence[str] = (),
    seed: int = 1, draws: int | None = None, threads: int | None = None,
) -> Fit:  # fmt: skip
    """Fit parameters to the measurements of a table (ID, TIME, DV, DVID, AMT ...), of each person or of a group.

    `observe`: outputs and units that DV measures, such as "venous.ketamine [ng/mL]" or "1=venous.ketamine [ng/mL]" for
    DVID 1. `parameters`: names (default: those that vary between people of the `population` and matter for the
    measurements). `error`: residual error, such as "proportional 0.2". `lloq`: limit of quantification in the unit of
    DV, such as "0.5" or "venous.ketamine: 0.5". `group`: None for a group from 5 persons on. `full`: full covariance
    between people; `covariates`: such as "central_volume ~ AGE"; `iov`: parameters that differ between periods of a
    person (column OCC, or resets); `draws`: posterior draws of each chain of a group.

    Returns a `Fit`; `ketamech.fitting.diagnostics` has its tables (`person_table`, `group_table`, `residual_table`).
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
    return fit_data(data, chosen, settings, population=known)


def _texts(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def check(model: CompiledModel | None = None, stage: str | None = None) -> list[CheckResult]:
    """Model checks (steady state, recovery, conservation, bounds, response, decay) of all stages or of one.

    Raises UnknownNameError for a stage that does not exist.
    """
    return run_checks(model or load_model(), stage)
