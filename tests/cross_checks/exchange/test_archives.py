"""The model elsewhere: what archives, simulations, estimation problems and annotations hold, run by other engines."""

import io
from pathlib import Path

import antimony
import libsbml
import libsedml
import numpy as np
import pandas as pd
import pytest
import roadrunner

from ketamech.calibration.calibration_problem import load_estimated
from ketamech.core import InputError
from ketamech.core.checkpoint import open_checkpoint
from ketamech.core.execution import Executor
from ketamech.exchange import cross_simulator_check
from ketamech.exchange.antimony import antimony_text
from ketamech.exchange.cross_simulator_check import (
    ARCHIVE_ENGINES,
    compare_archives,
    compare_simulators,
    simulate_copasi,
    simulate_roadrunner,
)
from ketamech.exchange.omex import MODEL, SIMULATION, build_archive, read_archive, write_archive
from ketamech.exchange.petab import (
    OBSERVABLE_FORMULAS,
    PetabMeasurement,
    _Observables,
    formula,
    petab_files,
    scenario_case,
    scorecard_cases,
)
from ketamech.exchange.sbml.exporter import course_model, course_sbml
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.simulation.ensemble import run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.observable import RELATIVE_TO
from ketamech.simulation.simulate import subjects

NASAL = "esketamine 84 mg nasal twice weekly for 1 week"
BOLUS = "racemic 35 mg IV"
STEADY = "racemic 20 mg IV over 1 h every 12 h for 2 days at steady state"
roadrunner.Logger.disableLogging()


@pytest.fixture(scope="module")
def nasal(model):
    return load_scenario(NASAL, model.parameters)


@pytest.fixture(scope="module")
def made(nasal, model):
    return build_archive(nasal, model)


@pytest.fixture(scope="module")
def sbml(made):
    return made.files[MODEL]


@pytest.fixture(scope="module")
def whole(made):
    """The expected curves of the archive."""
    return pd.read_csv(io.StringIO(made.files["expected/whole.csv"])).iloc[1:]


@pytest.fixture(scope="module")
def theirs(made, sbml, whole):
    """The same curves by libRoadRunner, by SBML id."""
    ids = [sbml_id(name) for name in made.outputs]
    return pd.DataFrame(simulate_roadrunner(sbml, whole["time"].to_numpy(), ids, {}), columns=ids)


@pytest.fixture(scope="module")
def bolus(model, tmp_path_factory):
    """The archive of a bolus, written once for all comparisons."""
    path = tmp_path_factory.mktemp("archives") / "bolus.omex"
    write_archive(path, build_archive(load_scenario(BOLUS, model.parameters), model))
    return path


@pytest.fixture(scope="module")
def copasi():
    """COPASI, which simulates the same text at the same times once."""
    known = {}

    def simulate(text, times, ids, scales):
        key = (text, times.tobytes(), *ids)
        if key not in known:
            known[key] = simulate_copasi(text, times, ids, scales)
        return known[key].copy()

    return simulate


def inside(text):
    return libsbml.readSBMLFromString(text).getModel().clone()  # dies with its document, and its parts with it: keep it


def parameters(found):
    return [found.getParameter(i) for i in range(found.getNumParameters())]


def test_reading_an_archive_returns_every_file(made, tmp_path):
    write_archive(tmp_path / "x.omex", made)
    assert read_archive(tmp_path / "x.omex") == made.files
    assert [path.name for path in tmp_path.iterdir()] == ["x.omex"]


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "x.omex").write_text("nothing")
    with pytest.raises(InputError, match="no OMEX archive"):
        read_archive(tmp_path / "x.omex")


def test_the_simulation_names_what_the_model_holds(made, sbml):
    document = libsedml.readSedMLFromString(made.files[SIMULATION])
    assert document.getNumErrors() == 0
    assert document.getModel(0).getSource() == MODEL
    assert [document.getSimulation(i).getOutputEndTime() for i in range(document.getNumSimulations())] == [
        one.end for one in made.courses
    ]
    whole = inside(sbml)
    held = {"parameter": {p.getId() for p in parameters(whole)}}
    held["species"] = {whole.getSpecies(i).getId() for i in range(whole.getNumSpecies())}
    for i in range(document.getNumDataGenerators()):
        variable = document.getDataGenerator(i).getVariable(0)
        kind, _, identifier = variable.getTarget().rpartition(":")[2].partition("[@id='")
        assert variable.getSymbol() or identifier.removesuffix("']") in held[kind]


def test_the_expected_curves_are_what_another_engine_finds(whole, theirs):
    ours = whole[list(theirs)]
    moments = whole["time"].isin([0, 72]).to_numpy()  # where a dose is given
    apart = np.abs(theirs.to_numpy() - ours.to_numpy()) / np.maximum(ours.abs().max().to_numpy(), 1e-3)
    assert apart[~moments].max() < 1e-5


def test_a_difference_is_found_and_named(model, bolus, copasi):
    """The certificate of an engine that is a little wrong in one output, and of one that gives no number."""
    place = model.layout.output_names.index("mood.madrs")

    def wrong(text, times, ids, scales):
        curves = copasi(text, times, ids, scales)
        curves[40, place] *= 1.01
        return curves

    def lost(text, times, ids, scales):
        return np.full((len(times), len(ids)), np.nan)

    found = compare_archives([bolus], model, engines={"COPASI": copasi, "wrong": wrong, "lost": lost})
    worst = found.table.set_index(["engine", "output"])["difference"]
    assert worst["COPASI"].max() < 1e-6
    assert worst["wrong"].idxmax() == "mood.madrs"
    assert worst["wrong"].max() > 1e-3
    assert not found.within_goal


def test_a_comparison_that_was_stopped_continues(model, bolus, copasi, tmp_path):
    calls = []

    def first(text, times, ids, scales):
        calls.append(len(times))
        return np.zeros((len(times), len(ids)))

    def stopped(*_):
        raise KeyboardInterrupt

    def compared(second, resume):
        engines = {"first": first, "second": second}
        with open_checkpoint(tmp_path, {"job": "compare"}, resume=resume) as pieces:
            return compare_archives([bolus], model, engines=engines, executor=Executor(pieces))

    with pytest.raises(KeyboardInterrupt):
        compared(stopped, resume=False)
    found = compared(copasi, resume=True).table.groupby("engine")["difference"].max()
    assert len(calls) == 1
    assert found["second"] < 1e-6 < found["first"]


class StandIn:
    """Executes an archive as Tellurium does: the curves that KetaMech expects, later by `delay`, one of them wrong."""

    def __init__(self, delay=0.0):
        self.delay = delay

    def executeCombineArchive(self, path, createOutputs):
        assert not createOutputs
        held, curves = read_archive(Path(path)), {}
        for course in ("first_day", "whole"):
            table = pd.read_csv(io.StringIO(held[f"expected/{course}.csv"])).assign(
                time=lambda t: t["time"] + self.delay
            )
            curves |= {f"{course}_{name}": table[[name]].to_numpy() for name in table.columns}
        curves["whole_mood__madrs"][30] *= 1.01
        return {"simulation.sedml": {"dataGenerators": curves}}


def test_an_archive_is_executed_by_tellurium(model, tmp_path, monkeypatch):
    scenario = load_scenario(BOLUS, model.parameters)
    monkeypatch.setattr(cross_simulator_check, "import_tellurium", StandIn)
    found = compare_simulators({"bolus": scenario}, model, tmp_path, engines=ARCHIVE_ENGINES)
    worst = found.table.set_index("output")["difference"].sort_values()
    assert worst.index[-1] == "mood.madrs"
    assert worst.iloc[-1] > 1e-3 > 1e-6 > worst.iloc[-2]
    assert found.table.set_index("output")["hour"]["mood.madrs"] == 30
    assert not any(name.startswith("pharmacokinetics.") for name in worst.index)  # an archive does not report these
    monkeypatch.setattr(cross_simulator_check, "import_tellurium", lambda: StandIn(0.001))
    found = compare_archives([tmp_path / "bolus.omex"], model, engines=ARCHIVE_ENGINES)
    assert found.table.empty
    assert not found.within_goal
    assert "other times" in found.failures["bolus", "Tellurium"]


def test_a_start_at_steady_state_travels(model):
    treated = subjects(load_scenario(STEADY, model.parameters), model)[0]
    times = np.array([0.5, 2, 11.9, 12.5, 23.9, 40])
    ours = run_subjects(model, [treated], times, tolerance=1e-9)
    names = ["plasma.esketamine", "venous.norketamine", "mood.madrs"]
    theirs = simulate_roadrunner(course_sbml(model, treated), times, [sbml_id(name) for name in names], {})
    for name, curve in zip(names, theirs.T, strict=True):
        assert curve == pytest.approx(ours[name].values[0], rel=1e-5)
    assert ours["plasma.esketamine"].values[0, 2] == pytest.approx(ours["plasma.esketamine"].values[0, 4], rel=1e-3)


def test_antimony_text_is_the_same_model_and_short(whole, theirs, nasal, model):
    text = antimony_text(course_model(model, subjects(nasal, model)[0]))
    assert "plasma__esketamine := pharmacokinetics__central_s/" in text
    assert "dimensionless" not in text
    assert "hill(" in text.partition("model ketamech")[2]
    assert text.count("\n") < 2500
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(text) >= 0, antimony.getLastError()
    back = antimony.getSBMLString(antimony.getMainModuleName())
    rows = np.flatnonzero(~whole["time"].isin([0, 72]))[::20]
    ids = ["mood__madrs", "plasma__esketamine", "spines__density"]
    other = simulate_roadrunner(back, whole["time"].to_numpy()[rows], ids, {})
    assert len(rows) > 3
    assert other == pytest.approx(theirs[ids].to_numpy()[rows], rel=1e-6, abs=1e-9)


def test_an_animal_is_not_called_a_person(model):
    found = inside(build_archive(load_scenario("racemic 10 mg/kg IP", species="rat"), model).files[MODEL])
    assert "taxonomy:10116" in found.getAnnotationString()
    assert "taxonomy:9606" not in found.getAnnotationString()


def test_quantities_say_what_they_are_and_values_where_they_come_from(sbml, model):
    found = inside(sbml)
    assert found.getSBOTermID() == "SBO:0000293"
    assert "taxonomy:9606" in found.getAnnotationString()
    drug = found.getParameter("plasma__esketamine")
    assert drug.getSBOTermID() == "SBO:0000196"
    assert "inchikey:YQEZLKZALYSWHR-ZDUSSCGKSA-N" in drug.getAnnotationString()
    described = [p for p in parameters(found) if "isDescribedBy" in p.getAnnotationString()]
    sourced = [n for n in model.layout.parameter_names if model.parameters[n].status in ("measured", "derived")]
    assert len(described) > len(sourced) / 3
    assert all(p.getConstant() for p in described)


def written(folder, files):
    for place, text in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def problem(nasal, model, tmp_path_factory):
    return written(tmp_path_factory.mktemp("petab"), petab_files([scenario_case(nasal, model)], model))


def test_petab_finds_no_fault_with_either_version(problem):
    from petab.v1 import CompositeProblem, lint_problem
    from petab.v2 import Problem

    found = Problem.from_yaml(problem / "v2" / "person_01" / "problem.yaml")
    assert list(found.validate()) == []
    assert len(found.measurements) > 100
    (only,) = CompositeProblem.from_yaml(str(problem / "v1" / "problem.yaml")).problems
    assert not lint_problem(only)


def test_experiments_give_what_the_regimen_gives(problem):
    """The periods of PEtab 2, carried out by libRoadRunner: every simulated reading is met."""
    place = problem / "v2" / "person_01"
    conditions = pd.read_csv(place / "conditions.tsv", sep="\t")
    periods = pd.read_csv(place / "experiments.tsv", sep="\t")
    rows = pd.read_csv(place / "measurements.tsv", sep="\t")
    formulas = pd.read_csv(place / "observables.tsv", sep="\t").set_index("observableId")["observableFormula"]
    simulator = roadrunner.RoadRunner(str(place / "model.xml"))
    simulator.integrator.relative_tolerance = 1e-9
    simulator.integrator.absolute_tolerance = [1e-11] * simulator.model.getNumFloatingSpecies()
    simulator.timeCourseSelections = ["time", *formulas]
    found = []
    ends = [*periods["time"][1:], rows["time"].max()]
    for begin, end, name in zip(periods["time"], ends, periods["conditionId"], strict=True):
        for change in conditions[conditions["conditionId"] == name].itertuples():
            first, _, more = str(change.targetValue).partition(" + ")
            simulator[change.targetId] = simulator[first] + float(more) if more else float(first)
        times = [begin, *sorted(t for t in set(rows["time"]) if begin < t < end), end]
        found.append(np.array(simulator.simulate(times=times))[:-1])
    curves = pd.DataFrame(np.concatenate(found), columns=simulator.timeCourseSelections).set_index("time")
    inside = rows[rows["time"].isin(curves.index)]
    assert len(inside) > 0.9 * len(rows)
    for row in inside.itertuples():
        simulated = curves.loc[row.time, formulas[row.observableId]]
        assert abs(simulated - row.measurement) < 0.1 * row.noiseParameters, row


def test_published_readings_keep_their_numbers_and_sources(model):
    cases, left = scorecard_cases(model)
    readings = [reading for case in cases for reading in case.measurements]
    assert len(readings) + sum(left.values()) == len(pd.read_csv(TARGETS))
    assert all(reading.noise > 0 and reading.source and reading.citation for reading in readings)
    one = next(reading for reading in readings if reading.source == "kamp20-a-1.0h")
    assert (one.formula, one.time, one.log) == ("plasma__esketamine", 1.0, True)


TARGETS = Path(__file__).parents[3] / "src" / "ketamech" / "data" / "scorecard" / "targets.csv"


def test_readings_against_rest_are_formulas():
    rest = {"mood.madrs": 33.0, "a.b": 2.0, "a.c": 4.0}
    assert formula("mood.madrs", "change", 1.0, rest) == "(mood__madrs) - 33.0"
    assert formula("a.b / a.c", "of_rest", 2.0, rest) == "2.0 * ((a__b / a__c) / 0.5)"


@pytest.mark.parametrize("relative_to", OBSERVABLE_FORMULAS)
def test_a_formula_has_the_value_of_the_observable(relative_to):
    """Second method: the reading of the scorecard. Of one output and of a ratio, with a conversion."""
    baseline, later = {"a.b": 0.25, "a.c": 0.4}, {"a.b": np.array([0.7]), "a.c": np.array([0.1])}
    ids = {sbml_id(name): float(value[0]) for name, value in later.items()}
    for output, rest, value in (("a.b", 0.25, 0.7), ("a.b / a.c", 0.625, 7.0)):
        expected = 1.5 * float(RELATIVE_TO[relative_to](np.array([value]), rest)[0])
        assert eval(formula(output, relative_to, 1.5, baseline), {}, ids) == pytest.approx(expected), output


def test_observables_of_one_output_have_different_ids():
    """The baseline is a number in a formula, so that subjects with other baselines have other observables."""
    formulas = ["(mood__madrs) - 33.0", "(mood__madrs) - 30.0", "(mood__madrs) - 28.0", "mood__madrs"]
    rows = [PetabMeasurement(text, 24.0, 5.0, 1.0, False, "points", "x", "x") for text in formulas]
    rows.append(PetabMeasurement("mood__madrs", 24.0, 5.0, 0.2, True, "points", "x", "x"))
    found = _Observables([*rows, rows[0]])
    change = "observable_mood__madrs_change"
    assert [found.id(row) for row in rows] == [
        change, f"{change}_2", f"{change}_3", "observable_mood__madrs", "observable_mood__madrs_log",
    ]  # fmt: skip
    for table in (found.rows_1, found.rows_2):
        assert [row["observableFormula"] for row in table] == [row.formula for row in rows]


def test_both_versions_state_the_prior_of_the_calibration_and_bounds_of_four_sd(problem, model):
    one, two = (
        pd.read_csv(problem / place, sep="\t").set_index("parameterId")
        for place in ("v1/parameters.tsv", "v2/person_01/parameters.tsv")
    )
    for parameter in load_estimated(model.parameters):
        if parameter.name not in model.system.parameter_names:
            continue
        median, sd = np.log(parameter.prior_median), parameter.prior_log_sd
        for row, prior in (
            (one.loc[sbml_id(parameter.name)], "objectivePriorParameters"),
            (two.loc[sbml_id(parameter.name)], "priorParameters"),
        ):
            assert np.log(row[["lowerBound", "nominalValue", "upperBound"]].astype(float)).to_numpy() == pytest.approx(
                [median - 4 * sd, median, median + 4 * sd], abs=1e-9
            )
            assert [float(number) for number in row[prior].split(";")] == pytest.approx([median, sd])


def test_a_simulator_without_numbers_has_a_row():
    rows = [
        ("a", "x", "COPASI", 1e-6),
        ("a", "y", "COPASI", 2e-6),
        ("a", "x", "AMICI", np.nan),
        ("a", "y", "AMICI", 1e-9),
    ]
    table = pd.DataFrame(rows, columns=["scenario", "output", "engine", "difference"]).assign(hour=1.0)
    found = cross_simulator_check.largest_differences(table).set_index("engine")
    assert found.loc["COPASI", "output"] == "y"
    assert (found.loc["AMICI", "output"], np.isnan(found.loc["AMICI", "difference"])) == ("x", True)
    nothing = table[table["engine"] == "AMICI"].assign(difference=np.nan)
    assert np.isnan(cross_simulator_check.largest_differences(nothing)["difference"]).all()
