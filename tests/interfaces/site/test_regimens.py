"""The parser of the browser reads 2,000 random regimens as the parser in Python does: the same events or refusal."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from random_regimens import random_phrase, random_regimen

from ketamech.app.browser.engine_files import dosing_tables
from ketamech.app.server import STATIC
from ketamech.core import InputError
from ketamech.dosing.dose_events import dose_events, parameter_lookup
from ketamech.dosing.perturbations import read_perturbations
from ketamech.dosing.regimen import Regimen

ENGINE, HERE = STATIC / "engine", Path(__file__).parent
HORIZON, COUNT, PHRASES = 1000.0, 2000, 500
REPEATED = (
    "lithium 900 mg oral daily for 2 weeks", "naltrexone 50 mg oral twice weekly for 4 weeks at 24 h",
    "NBQX 10 mg/kg IP every 12 h for 3 days", "riluzole 100 mg oral daily", "restraint daily for 7 days",
    "lithium throughout daily for 2 weeks", "lithium 900 mg oral every 6 min for 2 years", "lithium weekly for 2 days",
    "naltrexone 600 mg oral every 12 h for 1 week", "lithium 900 mg oral once a week for 4 weeks",
)  # fmt: skip
TWICE = ("NBQX held; NBQX 5 mg/kg IP held", "BDNF Met/Met; BDNF Val/Met", "NBQX held; NBQX 5 mg/kg IP")
CHOSEN = (
    "racemic 10 mg/h IV for 2 h, then 20 mg/h for 2 h, then 5 mg/h for 1 h", "racemic 0.1 mg/kg/h IV continuously",
    "racemic 0.3 mg/kg IV bolus, then 0.1 mg/kg/h for 2 h", "esketamine 20 mg/m2 IV over 40 min; ketamine 1 mg/m^2 SC",
    "racemic 0.5 mg/kg IV over 40 min weekly for 2 weeks, then 100 mg oral daily for 2 weeks",
    "racemic 0.5 mg/kg IV over 40 min, then 20 mg", "racemic 1 mg/kg/m2 IV",
    "racemic 0.5 mg/kg IV, then 20 mg SC over 1 h", "ketamine 0.5 mg/kg/h for 4 h", "Spravto 84 mg", "cocaine 10 mg IV",
    "ketamine 0.5 mg/kg as a 40-min infusion", "ketamine 10 mg/h for 2 h, then 20 mg/h for 2 h",
    "ketamine 0.5 mg/kg over 40 min, then 1 mg/kg IV weekly", "ketamine 0.3 mg/kg, then 0.1 mg/kg/h for 2 h",
    "ketamine 0.5 mg/kg over 40 min on day 1; ketamine 0.5 mg/kg IV over 40 min on day 4",
    "esketamine 84 mg nasal on days 1, 3, 3 and 5", "esketamine 84 mg nasal at 0, 0 and 24 h",
    "Spravato 84 mg over 40 min", "memantine 20 mg over 10 min", "ketamine 10 mg/h",
    f"ketamine 35 mg{' ' * 483}IV", f"ketamine 35 mg{' ' * 484}IV", f"ketamine{' ' * 100_000}",
)  # fmt: skip
OPTIONAL = ("nearest", "expected", "type_this")


@pytest.fixture(scope="module")
def regimens():
    chance = random.Random(20)
    titrated = "esketamine 56 to 84 mg nasal on day 1 by response and tolerability"
    return [*(random_regimen(chance) for _ in range(COUNT - len(CHOSEN) - 1)), *CHOSEN, titrated]


@pytest.fixture(scope="module")
def phrases():
    chance = random.Random(21)
    return [*(random_phrase(chance) for _ in range(PHRASES)), *TWICE, *REPEATED]


@pytest.fixture(scope="module")
def in_browser(regimens, phrases, model, tmp_path_factory):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node, which runs the JavaScript modules")
    request = tmp_path_factory.mktemp("regimens") / "request.json"
    parameters = {name: row.canonical for name, row in model.parameters.items()}
    content = {"dosing": dosing_tables(), "parameters": parameters, "regimens": regimens, "phrases": phrases}
    content["horizon"] = HORIZON
    request.write_text(json.dumps(content))
    done = subprocess.run(
        [node, HERE / "regimens.mjs", ENGINE, request], capture_output=True, encoding="utf-8", check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def attempt(make, *arguments):
    """The result, or the error."""
    try:
        return make(*arguments)
    except InputError as error:
        return error


def last_perturbation(text):
    """The last of several perturbations, which may exclude each other."""
    return read_perturbations(text.split("; "))[-1]


def answer(text, model):
    regimen = Regimen.parse(text)
    return regimen, dose_events(regimen, model.parameters, {}, HORIZON)


def test_the_same_regimens_are_refused_with_the_same_words(regimens, in_browser, model):
    refused = 0
    for text, found in zip(regimens, in_browser["regimens"], strict=True):
        expected = attempt(answer, text, model)
        is_refused = isinstance(expected, InputError)
        assert is_refused == ("error" in found), (text, expected, found)
        if is_refused:
            refused += 1
            assert (found["error"]["what"], found["error"]["key"]) == (expected.what, expected.key), text
            if expected.key != "with":  # suggestions for perturbations are those of the installed program only
                assert [found["error"][name] for name in OPTIONAL] == [getattr(expected, name) for name in OPTIONAL]
    assert 0.2 * COUNT < refused < 0.7 * COUNT, "both kinds must occur often"


def test_treatments_are_shown_in_the_words_of_the_server(regimens, in_browser):
    shown = [
        (text, found["sentences"])
        for text, found in zip(regimens, in_browser["regimens"], strict=True)
        if "error" not in found
    ]
    assert len(shown) > 100
    for text, sentences in shown:
        assert tuple(sentences) == Regimen.parse(text).sentences(exact=False), text


def test_the_other_regimens_give_the_same_treatments_and_dose_events(regimens, in_browser, model):
    for text, found in zip(regimens, in_browser["regimens"], strict=True):
        if "error" in found:
            continue
        regimen, events = answer(text, model)
        for own, other in zip(found["treatments"], regimen.treatments, strict=True):
            assert (own["drug"], own["unit"], own["route"], own["salt"]) == (
                other.drug, other.unit, other.route, other.salt,
            ), text  # fmt: skip
            assert own["routeReason"] == other.route_reason
            assert tuple(own["skippedDoses"]) == other.skipped_doses
            assert own["atSteadyState"] == other.at_steady_state
            assert own["missProbability"] == pytest.approx(other.miss_probability, rel=1e-12)
            assert len(own["schedule"]) == len(other.schedule)
        assert [one["compartment"] for one in found["events"]] == [one.compartment for one in events], text
        for name in ("time", "amount", "duration"):
            own = np.array([one[name] for one in found["events"]])
            np.testing.assert_allclose(own, [getattr(one, name) for one in events], rtol=1e-12, atol=1e-12)


def test_perturbations_in_words_are_read_or_refused_alike(phrases, in_browser, model):
    refused = 0
    for text, found in zip(phrases, in_browser["phrases"], strict=True):
        expected = attempt(last_perturbation, text)
        assert isinstance(expected, InputError) == ("error" in found), (text, expected, found)
        if isinstance(expected, InputError):
            refused += 1
            assert found["error"]["what"] == expected.what, text
            continue
        assert found["values"] == pytest.approx(expected.values(model.parameters), rel=1e-12), text
        events = expected.events(parameter_lookup(model.parameters, {}))
        assert [one["compartment"] for one in found["events"]] == [one.compartment for one in events], text
        for name in ("time", "amount", "duration"):
            own = [one[name] for one in found["events"]]
            np.testing.assert_allclose(own, [getattr(one, name) for one in events], rtol=1e-12, atol=1e-12)
    assert 0.1 * PHRASES < refused < 0.7 * PHRASES, "both kinds must occur often"
