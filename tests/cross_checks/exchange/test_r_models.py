"""Model files for R hold our equations: their text is evaluated here, and read by R where it is installed."""

import csv
import io
import math
import re
import shutil
import subprocess
from collections import Counter

import numpy as np
import pytest

from ketamech.exchange.r_models import doses_table, mrgsolve_text, rxode2_text
from ketamech.exchange.sbml.exporter import course_model
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.model.reference_rhs import plain_function
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import subjects

SENTENCE = "esketamine 84 mg nasal twice weekly for 1 week"


@pytest.fixture(scope="module")
def patient(model):
    return course_model(model, subjects(load_scenario(SENTENCE), model)[0])


def rates_of(lines, rate, assignment, values):
    """Rates of change by state, from lines of a language that differs from Python in little."""
    known = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt, "abs": abs, "fabs": abs, "pow": pow, **values}
    found = {}
    for line in lines:
        left, _, right = line.strip().rstrip(";").partition(assignment)
        value = eval(right.replace("^", "**"), {}, known)
        moved = re.fullmatch(rate, left.strip())
        if moved:
            found[moved[1]] = value
        else:
            known[left.strip().removeprefix("double ")] = value
    return found


def between(text, begin, end):
    return text.partition(begin)[2].partition(end)[0].strip().splitlines()


LANGUAGES = {
    "rxode2": (rxode2_text, "rxode2({", "})", r"d/dt\((\w+)\)", "<-"),
    "mrgsolve": (mrgsolve_text, "$ODE", "$CAPTURE", r"dxdt_(\w+)", "="),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_rates_of_change_are_ours(language, patient, model):
    write, begin, end, rate, assignment = LANGUAGES[language]
    system = model.system
    inputs = np.array([patient.values[name] for name in system.inputs])
    state = np.array(list(patient.starts.values())) + 0.01 * np.array([s.scale for s in system.states])
    values = {sbml_id(n): float(v) for n, v in zip(system.inputs, inputs, strict=True)}
    values |= {sbml_id(n): float(v) for n, v in zip(system.state_names, state, strict=True)}
    found = rates_of(between(write(patient), begin, end), rate, assignment, values)
    ours = plain_function(system)(state, inputs)
    assert [found[sbml_id(name)] for name in system.state_names] == pytest.approx(list(ours), rel=1e-9, abs=1e-12)


def test_the_table_of_doses_holds_what_enters(patient, model):
    rows = list(csv.DictReader(io.StringIO(doses_table(patient))))
    assert [float(row["TIME"]) for row in rows] == sorted(float(row["TIME"]) for row in rows)
    given, names = Counter(), model.system.state_names
    for row in rows:
        given[row["CMT"]] += float(row["AMT"])
    expected, flowing = Counter(), dict(patient.inflows)
    last = dict.fromkeys(flowing, 0.0)
    for at, change in patient.doses.changes.items():
        for i, amount in change.amounts.items():
            expected[sbml_id(names[i])] += amount
        for i, rate in change.inflows.items():
            expected[sbml_id(names[i])] += flowing[names[i]] * (at - last[names[i]])
            flowing[names[i]], last[names[i]] = rate, at
    assert all(rate == 0 for rate in flowing.values())
    assert {k: v for k, v in given.items() if v} == pytest.approx({k: v for k, v in expected.items() if v})


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_reads_the_file(patient, tmp_path):
    (tmp_path / "model.R").write_text(rxode2_text(patient), encoding="utf-8")
    check = "stopifnot(length(parse('model.R')) == 4); cat('read')"
    done = subprocess.run(["Rscript", "-e", check], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout == "read"
