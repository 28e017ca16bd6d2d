"""Model files for R hold our equations: their text is evaluated here, and read by R where it is installed."""

import csv
import io
import math
import re
import shutil
import subprocess

import numpy as np
import pytest

from ketamech.exchange.import_scenarios import dosed_states
from ketamech.exchange.route_templates import InputProfile
from ketamech.exchange.rxode2_mrgsolve import doses_table, mrgsolve_text, rxode2_text
from ketamech.exchange.sbml.exporter import course_model
from ketamech.exchange.sbml.ids import own_name, sbml_id
from ketamech.model.rates_and_jacobian import plain_function
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import subjects

SENTENCE = "esketamine 84 mg nasal twice weekly for 1 week"


@pytest.fixture(scope="module")
def patient(model):
    return course_model(model, subjects(load_scenario(SENTENCE), model)[0])


@pytest.fixture(scope="module")
def texts(patient):
    return {"rxode2": rxode2_text(patient), "mrgsolve": mrgsolve_text(patient)}


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
    "rxode2": ("rxode2({", "})", r"d/dt\((\w+)\)", "<-"),
    "mrgsolve": ("$ODE", "$CAPTURE", r"dxdt_(\w+)", "="),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_rates_of_change_are_ours(language, patient, texts, model):
    begin, end, rate, assignment = LANGUAGES[language]
    system = model.system
    inputs = np.array([patient.values[name] for name in system.inputs])
    state = np.array(list(patient.starts.values())) + 0.01 * np.array([s.scale for s in system.states])
    values = {sbml_id(n): float(v) for n, v in zip(system.inputs, inputs, strict=True)}
    values |= {sbml_id(n): float(v) for n, v in zip(system.state_names, state, strict=True)}
    found = rates_of(between(texts[language], begin, end), rate, assignment, values)
    ours = plain_function(system)(state, inputs)
    assert [found[sbml_id(name)] for name in system.state_names] == pytest.approx(list(ours), rel=1e-9, abs=1e-12)


def test_the_table_of_doses_and_the_start_put_in_what_the_regimen_does(model):
    """Second method: the input profile of the dose events, with infusions that overlap and one at time 0."""
    sentence = "racemic 0.5 mg/kg IV over 40 min; esketamine 84 mg nasal at 24 h; racemic 20 mg IV over 2 h at 48 h"
    subject = subjects(load_scenario(f"{sentence}; racemic 30 mg IV over 2 h at 49 h"), model)[0]
    patient, found = course_model(model, subject), InputProfile()
    for state in dosed_states() & set(patient.starts):
        found.add(state, 0.0, patient.starts[state])
    for row in csv.DictReader(io.StringIO(doses_table(patient))):
        amount, rate = float(row["AMT"]), float(row["RATE"])
        found.add(own_name(row["CMT"]), float(row["TIME"]), amount, amount / rate if rate else 0.0)
        assert row["EVID"] == "1"
    assert found.first_difference(InputProfile.of(subject.events)) == ""


def test_parameters_and_initial_values_are_those_of_the_patient(patient, texts):
    values = {sbml_id(name): value for name, value in patient.values.items()}
    starts = {sbml_id(name): value for name, value in patient.starts.items()}
    for begin, wanted in (("parameters <- c(", values), ("initial <- c(", starts)):
        rows = [line.strip().rstrip(",").split(" = ") for line in between(texts["rxode2"], begin, "\n)")]
        found = {name: float(value) for name, value in rows}
        assert found == {name: wanted[name] for name in found}
        assert len(found) == len(rows) > 100
    for begin, end, wanted in (("$PARAM @annotated", "$INIT", values), ("$INIT @annotated", "$ODE", starts)):
        rows = [line.split(" : ") for line in between(texts["mrgsolve"], begin, end)]
        found = {name: float(value) for name, value, _ in rows}
        assert found == {name: wanted[name] for name in found}
        assert len(found) == len(rows) > 100


# Instead of rxode2, which compiles the block, R evaluates it: d/dt(x) <- ... assigns the rate of x
EVALUATE = """
text <- readLines('model.R')
rxode2 <- function(block) substitute(block)
eval(parse(text = text[text != 'library(rxode2)']))
space <- list2env(as.list(c(parameters, initial)))
scale <- read.csv('scales.csv')
for (i in seq_len(nrow(scale))) assign(scale$state[i], initial[[scale$state[i]]] + 0.01 * scale$scale[i], space)
for (line in as.list(ketamech)[-1]) {
  value <- eval(line[[3]], space)
  if (is.name(line[[2]])) assign(as.character(line[[2]]), value, space)
  else cat(as.character(line[[2]][[3]][[2]]), sprintf('%.17g', value), '\\n')
}
"""


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_computes_our_rates_of_change(texts, patient, model, tmp_path):
    system = model.system
    scales = [f"{sbml_id(state.name)},{state.scale!r}" for state in system.states]
    for name, text in (
        ("model.R", texts["rxode2"]),
        ("scales.csv", "\n".join(["state,scale", *scales])),
        ("e.R", EVALUATE),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(["Rscript", "e.R"], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    found = {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}
    state = np.array(list(patient.starts.values())) + 0.01 * np.array([s.scale for s in system.states])
    ours = plain_function(system)(state, np.array([patient.values[name] for name in system.inputs]))
    assert [found[sbml_id(name)] for name in system.state_names] == pytest.approx(list(ours), rel=1e-9, abs=1e-12)
