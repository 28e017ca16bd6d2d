"""Kinetics of others in place of the built-in ones: the same model out and in again changes nothing; gaps are named."""

import re

import antimony
import numpy as np
import pytest

from command_line import refused, run
from ketamech.core import InputError
from ketamech.dosing.dose_events import DoseEvent
from ketamech.engine import events
from ketamech.exchange import custom_pk
from ketamech.exchange.custom_pk import load_kinetics_model
from ketamech.exchange.sbml.exporter import write_sbml
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.model.assemble import build_system
from ketamech.model.stages import all_stages
from ketamech.parameters import load_parameters
from ketamech.simulation.ensemble import Ensemble, Subject
from ketamech.simulation.ensemble import run_subjects as run_courses
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import subjects
from toy_models import expectancy

TABLE = load_parameters()
OUTPUTS = [
    f"{place}.{drug}"
    for place, drugs in {
        "plasma": ("esketamine", "arketamine", "s_norketamine", "r_norketamine", "s_hydroxynorketamine",
                   "r_hydroxynorketamine", "s_dehydronorketamine", "r_dehydronorketamine"),
        "venous": ("esketamine", "arketamine", "s_norketamine", "r_norketamine"),
    }.items()
    for drug in drugs
]  # fmt: skip
ONE = """model one
 compartment c=70; species A in c; A=0; ke=0.3; k12=0.5; k21=0.2; species zone in c; zone=0
 substanceOnly species urine in c; urine=0
 J: A -> urine; ke*A*c
 K: A -> zone; k12*A*c*(sin(zone)^2 + cos(zone)^2) // times 1, by the sine and cosine of the engine
 L: zone -> A; k21*zone*c
end"""


def files(folder, sbml, outputs, doses, **more):
    (folder / "pk.xml").write_text(sbml, encoding="utf-8")
    lines = ["model: pk.xml", *(f"{key}: {value}" for key, value in more.items()), "doses:"]
    lines += [f"  {name}: {into}" for name, into in doses.items()] + ["outputs:"]
    lines += [f"  {name}: {told}" for name, told in outputs.items()]
    (folder / "kinetics.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "kinetics.yaml"


def one_compartment(folder, amounts="mg", time="h", text=ONE, **changed):
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(text) >= 0, antimony.getLastError()
    outputs = dict.fromkeys(OUTPUTS, "0")
    outputs |= {"plasma.esketamine": "{formula: A, unit: mg/L}", "venous.esketamine": "{formula: A, unit: mg/L}"}
    doses = {"pharmacokinetics.central_s": "A", "pharmacokinetics.central_r": "A"}
    return files(folder, antimony.getSBMLString("one"), {**outputs, **changed}, doses, amounts=amounts, time=time)


@pytest.mark.parametrize("sentence", ["racemic 0.5 mg/kg IV over 40 min", "esketamine 84 mg nasal"])
def test_our_own_kinetics_out_and_in_again_change_nothing(sentence, model, tmp_path):
    alone = build_system(TABLE, [write for write in all_stages() if write.__name__ == "pharmacokinetics"])
    inputs = np.array([TABLE[name].canonical for name in alone.parameter_names])
    sbml = write_sbml(alone, inputs, np.zeros(len(alone.states)), events([]))
    doses = {name: sbml_id(name) for name in alone.state_names if name.startswith("pharmacokinetics.")}
    outputs = {name: f"{{formula: {sbml_id(name)}, unit: umol/L}}" for name in OUTPUTS}
    swapped = load_kinetics_model(files(tmp_path, sbml, outputs, doses))
    times, names = np.array([0.3, 0.7, 2.0, 24.0, 168.0]), ("plasma.esketamine", "venous.ketamine", "mood.madrs")
    scenario = load_scenario(sentence, model.parameters)
    ours, theirs = (run_courses(m, [subjects(scenario, m)[0]], times, tolerance=1e-8) for m in (model, swapped))
    for name in names:
        assert theirs[name].values == pytest.approx(ours[name].values, rel=1e-5), name


def test_a_dose_enters_the_imported_species(tmp_path):
    """Two compartments in closed form at early times; both enantiomers enter one species."""
    swapped = load_kinetics_model(one_compartment(tmp_path))
    for sentence in ("racemic 20 mg IV", "esketamine 20 mg IV"):
        treated = subjects(load_scenario(sentence, TABLE), swapped)[0]
        found = run_courses(swapped, [treated], np.array([0.0, 1e-3, 4.0]), tolerance=1e-8)
        plasma = found["plasma.esketamine"].values[0]
        at_first = 20 / 70 / (TABLE["drug.ketamine_molar_mass"].canonical * 1e9) * 1e3  # mg/L to umol/L
        assert plasma[0] == pytest.approx(at_first)
        assert (plasma[0] - plasma[1]) / plasma[0] == pytest.approx(0.8e-3, rel=1e-3)
        eigenvalues, vectors = np.linalg.eig(np.array([[-0.8, 0.2], [0.5, -0.2]]))
        share = (vectors @ (np.exp(eigenvalues * 4.0) * np.linalg.solve(vectors, [1.0, 0.0])))[0]
        assert plasma[2] == pytest.approx(at_first * share, rel=1e-6)
        assert found["mood.madrs"].values[0, 2] < found["mood.madrs"].values[0, 0]


@pytest.mark.parametrize(("time", "hours"), [("h", 1.0), ("min", 1 / 60), ("day", 24.0)])
@pytest.mark.parametrize("amounts", ["umol", "mg"])
def test_units_of_time_and_amounts_are_those_of_the_file(time, hours, amounts, tmp_path, monkeypatch):
    """Among few stages: 100 umol in closed form after a tenth of a unit of time, and a molar mass of an output."""
    stages = [stage for stage in all_stages() if stage.__name__ == "pharmacokinetics"]
    monkeypatch.setattr(custom_pk, "all_stages", lambda: [*stages, expectancy])
    outputs = {"plasma.esketamine": f"{{formula: A, unit: {amounts}/L}}"}
    outputs["plasma.s_norketamine"] = "{formula: zone, unit: mg/L, molar_mass: 200}"
    swapped = load_kinetics_model(one_compartment(tmp_path, amounts, time, **outputs))
    states = ["central_s", "imported_zone_amount", "imported_urine"]
    assert list(swapped.layout.state_names)[:-2] == [f"pharmacokinetics.{name}" for name in states]
    given = (DoseEvent(0.0, "pharmacokinetics.central_s", 100.0),)
    times = np.array([0.0, 0.1 * hours])
    found = Ensemble.of_subjects(swapped, [Subject("one", given)]).solve(times, tuple(outputs), tolerance=1e-9)
    eigenvalues, vectors = np.linalg.eig(np.array([[-0.8, 0.2], [0.5, -0.2]]))
    central, peripheral = vectors @ (np.exp(eigenvalues * 0.1) * np.linalg.solve(vectors, [1.0, 0.0]))
    level = 100 / 70  # umol/L
    assert found.values[0, :, 0] == pytest.approx([level, level * central], rel=1e-5)
    per_umol = TABLE["drug.ketamine_molar_mass"].value / 1000 if amounts == "mg" else 1.0
    assert found.values[0, 1, 1] == pytest.approx(per_umol * level * peripheral * 1000 / 200, rel=1e-5)


def test_a_dose_that_the_kinetics_do_not_take_is_refused(tmp_path):
    swapped = load_kinetics_model(one_compartment(tmp_path))
    treated = subjects(load_scenario("esketamine 84 mg nasal", TABLE), swapped)[0]
    with pytest.raises(InputError, match=r"there is no state 'pharmacokinetics\.nose_s'"):
        run_courses(swapped, [treated], np.array([1.0]))


def without(path, key):
    path.write_text("\n".join(line for line in path.read_text().splitlines() if key not in line), encoding="utf-8")
    return path


def test_a_missing_name_is_named(tmp_path):
    path = without(one_compartment(tmp_path), "plasma.s_norketamine")
    with pytest.raises(InputError, match=r"kinetics without plasma\.s_norketamine"):
        load_kinetics_model(path)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"plasma.esketamine": "{formula: Z, unit: mg/L}"}, "names 'Z'"),
        ({"plasma.esketamine": "{formula: A +, unit: mg/L}"}, "no formula"),
        ({"plasma.nonsense": "0"}, "no stage knows 'plasma.nonsense'"),
        ({"plasma.esketamine": "{formel: A}"}, "formel"),
    ],
)
def test_a_bad_file_of_kinetics_says_what_is_wrong(changed, complaint, tmp_path):
    with pytest.raises(InputError, match=complaint):
        load_kinetics_model(one_compartment(tmp_path, **changed))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ONE.replace("ke*A*c", "ke*A*c*(1 + time)"), "the model depends on time itself"),
        (ONE.replace("ke*A*c", "ke*delay(A, 1)*c"), "the model has delays"),
        (ONE.replace("\nend", "\n at time > 1: A = 2\nend"), "'pk.xml' has events: doses come from the scenario"),
        (re.sub(r"\bA\b", "B", ONE), "'A' is no species of 'pk.xml'"),
    ],
)
def test_kinetics_with_doses_or_clocks_of_their_own_are_refused(text, complaint, tmp_path, monkeypatch):
    stages = [stage for stage in all_stages() if stage.__name__ == "pharmacokinetics"]
    monkeypatch.setattr(custom_pk, "all_stages", lambda: [*stages, expectancy])
    with pytest.raises(InputError, match=complaint):
        load_kinetics_model(one_compartment(tmp_path, text=text))


def test_the_command_takes_kinetics(tmp_path):
    path = one_compartment(tmp_path)
    ended = run("simulate", "racemic 35 mg IV", "--pk-model", path.name, "--out", "a", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "a" / "report.html").is_file()
    message = refused(run("simulate", "racemic 35 mg IV", "--pk-model", "gone.yaml", cwd=tmp_path), folder=tmp_path)
    assert "cannot be read" in message
