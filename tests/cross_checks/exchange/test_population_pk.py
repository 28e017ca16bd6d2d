"""A population model of kinetics: closed forms, variability of the file, and errors that say what to type."""

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import expm

from ketamech.core import InputError
from ketamech.dosing.dose_events import DoseEvent
from ketamech.engine import load_kernel
from ketamech.evidence import load_evidence
from ketamech.exchange import population_pk
from ketamech.exchange.custom_pk import load_kinetics_model
from ketamech.exchange.population_pk import is_population_pk, read_population_pk
from ketamech.fitting.fit import FitSettings, fit
from ketamech.fitting.observations import measurements_of
from ketamech.model.assemble import build_system
from ketamech.model.stages import all_stages
from ketamech.nonmem.read import doses_in
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.population.virtual_population import load_population
from ketamech.simulation.ensemble import Ensemble, Subject
from ketamech.simulation.model import Model
from molar_masses import KETAMINE
from toy_models import expectancy

TABLE = load_parameters()
EXAMPLE = Path(__file__).parents[3] / "examples" / "fit" / "otto_2021.yaml"
TWO = """title: two
compartments: 2
parameters: {CL: 80 L/h, V1: 60 L, Q2: 1 L/min, V2: 150 L, KA: 1.2 1/h, F: 0.2}
standard_errors: {CL: 0.05}
between: {CL: 0.3, V1: 0.4}
correlations: {"CL V1": 0.5}
covariates:
  CL: {covariate: person.weight, reference: 70, power: 0.75}
"""


def kinetics_of(folder, text=TWO):
    path = folder / "pop.yaml"
    path.write_text(text, encoding="utf-8")
    return read_population_pk(path)


def model_of(kinetics):
    """The stage with hardly any other, which compiles in a second."""
    rows = ParameterTable({**dict(TABLE), **kinetics.rows(TABLE)})
    system = build_system(rows, [kinetics.stage, expectancy])
    return Model(system.layout, rows, load_kernel(system.layout, lambda: system), lambda: system)


def test_levels_are_those_of_the_matrix_exponential(tmp_path):
    """Oral and intravenous doses, of both enantiomers, at a body weight other than the reference."""
    model = model_of(kinetics_of(tmp_path))
    doses = {"central_s": 100.0, "gut_s": 50.0, "central_r": 40.0}
    given = tuple(DoseEvent(0.0, f"pharmacokinetics.{name}", amount, 0.0) for name, amount in doses.items())
    times, cl = np.array([0.0, 0.5, 2.0, 8.0]), 80 * (90 / 70) ** 0.75
    ensemble = Ensemble.of_subjects(model, [Subject("one", given, {"person.weight": 90.0})])
    found = ensemble.solve(times, ("plasma.esketamine", "venous.ketamine"), tolerance=1e-9).values[0]
    rates = np.array([[-(cl + 60) / 60, 60 / 150, 0.2 * 1.2], [1.0, -60 / 150, 0], [0, 0, -1.2]])
    expected = np.array([[(expm(rates * t) @ start)[0] / 60 for start in ([100, 0, 50], [140, 0, 50])] for t in times])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_population_model_is_loaded_as_the_kinetics_of_a_model(tmp_path, monkeypatch):
    """Among few stages: the whole model takes seconds to compile."""
    stages = [stage for stage in all_stages() if stage.__name__ == "pharmacokinetics"]
    monkeypatch.setattr(population_pk, "all_stages", lambda: [*stages, expectancy])
    kinetics_of(tmp_path)
    model = load_kinetics_model(tmp_path / "pop.yaml")
    given = (DoseEvent(0.0, "pharmacokinetics.central_s", 100.0, 0.0),)
    ensemble = Ensemble.of_subjects(model, [Subject("one", given)])
    found = ensemble.solve(np.array([0.0, 1e-3]), ("plasma.esketamine",), tolerance=1e-9).values[0, :, 0]
    assert found[0] == pytest.approx(100 / 60)
    assert (found[0] - found[1]) / found[0] == pytest.approx(1e-3 * (80 + 60) / 60, rel=2e-3)
    assert dict(model.expression_trees.stages)["pharmacokinetics"] == model.stages[0].__doc__  # not those of a cache


def test_the_population_has_the_variability_of_the_file(tmp_path):
    population = kinetics_of(tmp_path).population(load_population("adult"))
    own = {row.parameter: row.person for row in population.tables.between if row.parameter.startswith("poppk.")}
    assert own == {"poppk.cl": 0.3, "poppk.v1": 0.4}
    assert population.tables.correlations["poppk.cl", "poppk.v1"] == 0.5
    assert not any(row.parameter.startswith("pharmacokinetics.") for row in population.tables.between)
    assert any(row.parameter == "dissociation.cadss_ec50" for row in population.tables.between)


def test_parameters_of_the_file_are_fitted(tmp_path):
    """Levels that follow a clearance of 120 L/h; the prior has 80."""
    kinetics = kinetics_of(tmp_path)
    model, population = model_of(kinetics), kinetics.population(load_population("adult"))
    subject = Subject("x", (DoseEvent(0.0, "pharmacokinetics.central_s", 84.13, 0.0),), {"poppk.cl": 120.0})
    times = np.array([0.5, 1.0, 2.0, 4.0])
    levels = KETAMINE * Ensemble.of_subjects(model, [subject]).solve(times, ("venous.esketamine",)).values[0, :, 0]
    rows = ["ID,TIME,AMT,ROUTE,DRUG,DV,WT", "1,0,20,IV,esketamine,.,70"]
    rows += [f"1,{t},0,.,.,{level:.5g},70" for t, level in zip(times, levels, strict=True)]
    data = measurements_of(
        doses_in("\n".join(rows) + "\n", "x.csv", model.parameters), model, ["venous.esketamine [ng/mL]"]
    )
    made = fit(data, model, FitSettings(errors=("proportional 0.05",)), population=population)
    names = [one.name for one in made.parameters]
    assert set(names) == {"poppk.cl", "poppk.v1"}
    assert made.parameters[0].shown(made.mode[0, names.index("poppk.cl")]) == pytest.approx(120, rel=0.1)
    assert fit(data, model, FitSettings(("cl",)), population=population).parameters[0].mean_sd == 0.05


def test_the_example_has_the_values_of_its_evidence_rows():
    made, evidence = read_population_pk(EXAMPLE), load_evidence()
    ids = {"cl": "otto-cl", "v1": "otto-v1", "q2": "otto-q1", "v2": "otto-vp1", "q3": "otto-q2", "v3": "otto-vp2"}
    assert is_population_pk(EXAMPLE)
    assert {name: value for name, (value, _) in made.values.items()} == {
        name: evidence[i].value for name, i in ids.items()
    }
    assert made.file.between == pytest.approx({"CL": 0.0260**0.5, "V1": 0.0842**0.5}, rel=3e-3)
    assert made.file.correlations["CL V1"] == pytest.approx(0.0226 / (0.0260 * 0.0842) ** 0.5, rel=2e-3)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("V2: 150 L", "V2: 150 L/h", r"(?s)pop\.yaml:3: V2 of '150 L/h'.*unit such as L"),
        ("V2: 150 L, ", "", "2 compartments without V2"),
        ("V2: 150 L", "V2: 150 L, CLL: 3 L/h", "(?s)there is no parameter 'CLL'.*nearest: CL"),
        ("compartments: 2", "compartments: 4", "compartments"),
        ("standard_errors: {CL: 0.05}", "standard_errors: {V3: 0.05}", "'V3' has no value"),
        ('"CL V1": 0.5', '"CL V2": 0.5', "'CL V2' is no pair"),
        ("person.weight", "person.wait", "(?s)no covariate 'person.wait'"),
        ("title: two", "titel: two", "titel"),
        ("CL: 0.3,", "CL: -0.3,", "between"),
        (
            'V1: 0.4}\ncorrelations: {"CL V1": 0.5}',
            'V1: 0.4, V2: 0.2}\ncorrelations: {"CL V1": 0.9, "CL V2": 0.9, "V1 V2": -0.9}',
            "contradict each other",
        ),
        ("80 L/h", "inf L/h", "CL of 'inf L/h'"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path, old, new, words):
    assert old in TWO
    with pytest.raises(InputError, match=words):
        kinetics_of(tmp_path, TWO.replace(old, new))
