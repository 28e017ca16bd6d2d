"""PEtab problems of other programs: simulated values against closed forms."""

import json
import math

import antimony
import pandas as pd
import pytest

from benchmarks.conformance import find_cases, judge
from command_line import run
from ketamech.core import InputError, SolverError
from ketamech.exchange.petab_simulation import simulate_petab

MODEL = "x = 3; x' = a - k*x; a = 7; k = 7"


def written(folder, tables, model=MODEL):
    """A problem of version 2 with tables of rows."""
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(f"model m\n{model}\nend") >= 0, antimony.getLastError()
    (folder / "model.xml").write_text(antimony.getSBMLString("m"))
    for kind, rows in tables.items():
        text = "\n".join("\t".join(row.split()) for row in rows)
        (folder / f"{kind}s.tsv").write_text(f"{text}\n")
    files = {f"{kind}_files": [f"{kind}s.tsv"] for kind in tables}
    models = {"model_files": {"m": {"location": "model.xml", "language": "sbml"}}}
    (folder / "problem.yaml").write_text(json.dumps({"format_version": "2.0.0", **models, **files}))
    return folder / "problem.yaml"


PARAMETERS = ["parameterId lowerBound upperBound nominalValue estimate", "a 0 9 4 true", "gain 0 9 3 true"]
CONDITIONS = ["conditionId targetId targetValue", "fast k 2", "slow k gain/3", "none k 0", "none a 2*a", "far x 5+gain"]
EXPERIMENTS = ["experimentId time conditionId", "e -inf fast", "e 1 slow", "e 3 none", "s 0 slow", "s 0 far"]
OBSERVABLES = ["observableId observableFormula noiseFormula observablePlaceholders", "o gain*x+shift 1 shift"]
MEASURED = ["observableId experimentId time measurement observableParameters", "o e 1 0 0", "o e 2 0 a", "o e 4 0 0",
            "o s 1 0 0.5", "o s inf 0 0"]  # fmt: skip
TABLES = {"parameter": PARAMETERS, "condition": CONDITIONS, "experiment": EXPERIMENTS, "observable": OBSERVABLES,
          "measurement": MEASURED}  # fmt: skip
HALF = 4 - 2 * math.exp(-1)  # a / k = 4 / 1 is approached from 4 / 2, at the rate 1
WANTED = [3 * 2, 3 * HALF + 4, 3 * (4 - 2 * math.exp(-2) + 8), 3 * (4 + 4 * math.exp(-1)) + 0.5, 3 * 4]


def test_periods_and_placeholders(tmp_path):
    found = simulate_petab(written(tmp_path, TABLES))
    assert found["simulation"].to_numpy() == pytest.approx(WANTED, rel=1e-6)
    assert list(found["time"])[:2] == [1, 2]


def test_problems_are_judged_by_their_simulated_data(tmp_path):
    written(tmp_path, TABLES)
    simulated = pd.read_csv(tmp_path / "measurements.tsv", sep="\t").assign(simulation=WANTED)
    simulated.iloc[::-1].to_csv(tmp_path / "simulations.tsv", sep="\t", index=False)  # in another order
    (case,) = find_cases("petab", tmp_path)
    assert judge("petab", case) == ("passed", "")
    simulated["simulation"] *= 1.01
    simulated.to_csv(tmp_path / "simulations.tsv", sep="\t", index=False)
    assert judge("petab", case) == ("wrong", "o is 6, expected 6.06, at 1")
    simulated.assign(simulation=simulated["measurement"]).to_csv(tmp_path / "simulations.tsv", sep="\t", index=False)
    assert judge("petab", case) == ("not applicable", "the simulated data repeat the measurements")
    simulated[:3].to_csv(tmp_path / "simulations.tsv", sep="\t", index=False)
    assert judge("petab", case)[0] == "not applicable"


def test_a_fired_event_does_not_fire_again_after_the_steady_state(tmp_path):
    tables = {**TABLES, "experiment": EXPERIMENTS[:2], "measurement": [*MEASURED[:1], "o e 0 0 0"]}
    model = "x = 3; x' = piecewise(1, x < 50, 0); a = 0; k = 0; E: at x >= 50, t0=false: x = x + 10"
    (found,) = simulate_petab(written(tmp_path, tables, model))["simulation"]
    assert found == pytest.approx(3 * 60, rel=1e-6)


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"observable": [OBSERVABLES[0], "o other 1 shift"]}, InputError, "'other' is neither in the model"),
    ({"condition": [*CONDITIONS[:2], "slow k 0", *CONDITIONS[3:]]}, SolverError, "no steady state"),
    ({"experiment": [*EXPERIMENTS[:2], "e 0 other"]}, InputError, "no 'other' in the tables"),
    ({"measurement": [MEASURED[0], "q e 1 0 0"]}, InputError, "no 'q' in the tables"),
    ({"measurement": ["observableId experimentId time", "o e 1"]}, InputError, "cannot be read"),
])  # fmt: skip
def test_what_cannot_be_simulated_is_named(change, error, message, tmp_path):
    with pytest.raises(error, match=message):
        simulate_petab(written(tmp_path, {**TABLES, **change}))


def test_a_problem_is_simulated_by_the_command(tmp_path):
    written(tmp_path, TABLES)
    ended = run("import", "problem.yaml", "--to", "simulated.csv", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert pd.read_csv(tmp_path / "simulated.csv")["simulation"].to_numpy() == pytest.approx(WANTED, rel=1e-6)


def test_files_at_addresses_are_refused(tmp_path):
    path = written(tmp_path, TABLES)
    path.write_text(path.read_text().replace("model.xml", "https://example.org/model.xml"))
    with pytest.raises(InputError, match="file at an address"):
        simulate_petab(path)
