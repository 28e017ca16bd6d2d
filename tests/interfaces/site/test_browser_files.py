"""Files that are opened on the static site are read or refused as Python reads them."""

import random

import pytest

from ketamech.app.routes.scenario import subjects_of_table
from ketamech.app.scenarios import parse_uploaded, scenario_of
from ketamech.app.schemas import DoseTableRequest
from ketamech.core import InputError
from ketamech.dosing.dose_events import dose_events
from ketamech.simulation.scenario_schema import ScenarioFile

TABLES, LEFT = 300, "not read in the browser"
INFUSION = "racemic 0.5 mg/kg IV over 40 min"
COLUMNS = {
    "DRUG": ("esketamine", "racemic", "midazolam", "ECT", "placebo", "esketamin", "."),
    "ROUTE": ("IV", "nasal", "oral", "IM", "nose", "."),
    "CMT": ("1", "2", "3", "gut", "depot", "12", "-1", "."),
    "RATE": ("0", "20", "-2", "-1", "."), "DUR": ("0", "0.6666666666666666", "."), "II": ("0", "12", "84", "."),
    "ADDL": ("0", "3", "1.5", "."), "SS": ("0", "1", "2", "."), "EVID": ("0", "1", "2", "3", "4", "."),
    "UNIT": ("mg", "mg/kg", "mcg/kg", "mol"), "F": ("1", "0.5"), "LAG": ("0", "0.25"), "WT": ("70", "82.5", "700"),
    "AGE": ("40", "65"), "MDV": ("0", "1"), "SPECIES": ("human", "rat"), "NOTE": ("a", "b"), "R": ("10",), "D": ("2",),
    "SALT": ("base", "hydrochloride"), "MISSING": ("0", "0.1"), "STRES": ("0", "1"), "ADMIN": ("1",),
}  # fmt: skip
UNUSUAL = (
    "", "ID,TIME\n1,0\n", "TIME;AMT;DRUG;ROUTE\n0;12,5;esketamine;nasal\n24;1,000;esketamine;nasal\n",
    "TIME;AMT\n0;12,5\n24;12.5\n", "TIME;AMT\n0;1,000\n", "# C,TIME,AMT\n#TIME AMT CMT\n0 56 3\n24 56 3\n",
    'id,"time",amt,drug,route,"NOTE"\n1,0,56,"esketamine",nasal,"a, ""b"""\n1,84,56,esketamine,nasal,c\n',
    "C,TIME,AMT,CMT\nC comment of any length,,\n.,0,56,nasal\n", "TIME,AMT,AMOUNT\n0,1,1\n", "TIME,AMT,CMT\n0,56\n",
    "ID,TIME,AMT,CMT\n1,0,56,3\n2,0,56,3\n1,24,56,3\n", "ID,TIME,AMT,CMT\n1.0E+00,0,56,3\n1.0000E+00,24,56,3\n",
    "TIME,AMT,DATE,CMT\n0,56,1,3\n24,56,2,3\n", "SUBJID,TIME,AMT,CMT,WGT\n001,0,56,3,80\n002,10:00,56,3,80\n",
    "TIME,AMT,DRUG,ROUTE\n0,56,esketamine,nasal\n0,56,esketamine,nasal\n", "TIME,AMT,RATE,SS,CMT\n0,0,5,1,1\n",
    "TIME,AMT,DRUG,CMT\n0,56,constructor,3\n",
    "TIME,AMT,II,ADDL,SS,CMT\n12,56,84,7,1,nasal\n100,.,.,.,.,.\n",
)  # fmt: skip


def random_table(chance):
    """A table of one to three persons; most cells are usual ones."""
    names = ["ROUTE", *chance.sample(list(COLUMNS)[2:], chance.randint(1, 4))]
    lines = [",".join(["ID", "TIME", "AMT", *names])]
    for person in range(chance.randint(1, 3)):
        time, kept = (
            0.0,
            {name: COLUMNS[name][0] if chance.random() < 0.5 else chance.choice(COLUMNS[name]) for name in names},
        )
        for _ in range(chance.randint(1, 5)):
            cells = [kept[name] if chance.random() < 0.97 else chance.choice(COLUMNS[name]) for name in names]
            lines.append(",".join([str(person), f"{time:g}", chance.choice(["28", "56", "0"]), *cells]))
            time += chance.choice([0, 1, 24, 2 / 3, 72.5])
    return "\n".join(lines) + "\n"


def read_in_python(body, model):
    """The subjects of a table, or the error."""
    try:
        return subjects_of_table(DoseTableRequest.model_validate({"name": "doses.csv", **body}), model)
    except InputError as error:
        return error


def events_of(keys, model):
    """Dose events, horizon and parameter values of a scenario."""
    found = scenario_of(ScenarioFile.model_validate(keys), model)
    events = dose_events(found.regimen, model.parameters, found.values, found.horizon)
    numbers = [number for one in events for number in (one.time, one.amount, one.duration)]
    return [one.compartment for one in events], [*numbers, found.horizon], dict(found.values)


def test_dose_tables_give_the_scenarios_of_python_or_name_the_command(ask, model):
    chance = random.Random(7)
    given = [{"drug": "racemic", "route": "IV"}, {"drug": "esketamine"}, {}]
    bodies = [{"text": random_table(chance), **chance.choice(given)} for _ in range(TABLES)]
    bodies += [{"text": text, "drug": "esketamine"} for text in UNUSUAL]
    answers = ask([("doseTable", {"name": "doses.csv", **body}) for body in bodies])
    counts = dict.fromkeys(("read", "refused", "left"), 0)
    for body, found in zip(bodies, answers, strict=True):
        expected = read_in_python(body, model)
        if LEFT in found.get("error", "") or any(LEFT in text for text in found.get("errors", ())):
            counts["left"] += 1
        elif isinstance(expected, InputError):
            counts["refused"] += 1
            assert (found.get("error"), found["key"]) == (expected.what, expected.key), body
        else:
            counts["read"] += 1
            assert "error" not in found, (body, found)
            assert found["assumptions"] == expected["assumptions"], body
            assert [one["id"] for one in found["subjects"]] == [one["id"] for one in expected["subjects"]], body
            for own, other in zip(found["subjects"], expected["subjects"], strict=True):
                mine, theirs = (events_of(one["scenario"], model) for one in (own, other))
                assert mine[0] == theirs[0], body
                assert mine[1] == pytest.approx(theirs[1], rel=1e-9, abs=1e-9), body
                assert mine[2] == pytest.approx(theirs[2], rel=1e-9), body
                assert own["scenario"]["title"] == other["scenario"]["title"]
    assert counts["read"] > 60, counts
    assert counts["refused"] > 60, counts
    assert counts["left"] < 60, counts


SCENARIOS = (
    f"title: One\ntreatments:\n  - {INFUSION}\nperson: {{weight: 82 kg}}\n",
    f'{{"title": "JSON", "treatments": ["{INFUSION}"], "person": {{"weight": 82}}, "pathways": {{"habenula": false}}}}',
    "treatments:\n  - drug: esketamine\n    dose: 84 mg\n    route: nasal\n    schedule: twice weekly for 4 weeks\n"
    "    steady_state: off\npathways:\n  habenula: off\n  disinhibition: 'yes'\ncontrol: no\nseed: 3\nhorizon: 40 days",
    "# comment\ndescription: |\n  two\n  lines\ntreatments: [esketamine 84 mg nasal]\nvariant: opioid-gate\n",
    "treatments: [racemic 10 mg/kg IP]\nspecies: rat\nperturbations: [NBQX 10 mg/kg IP at -30 min]\n",
    "treatments: [esketamine 84 mg nasal]\nperturbations: {nbqx: 0.9}\nparameters: {person.weight: 90 kg}\n",
    "treatments: [esketamine 84 mg nasal]\nwiring: opioid-gate\nperson:\n",
)
BROKEN = (
    "", "- a\n- b\n", "title: [\n", "title: A\n", "treatments: esketamine 84 mg nasal\n", "treatments: []\n",
    "treatment: [esketamine 84 mg nasal]\n", "treatments: [esketamin 84 mg nasal]\n", "a: &x 1\nb: *x\n",
    "treatments: [!!python/object:os.system esketamine 84 mg nasal]\n", "connectome: a.csv\ntreatments: [ECT weekly]\n",
    "treatments:\n  - drug: esketamine\n    doze: 84 mg\n", "treatments:\n  - dose: 84 mg\n",
    "horizon: 28\ntreatments: [ECT]\n", f"treatments: ['{'x' * 501}']\n", f"treatments: ['{INFUSION}']\n",
    "treatments: [ECT]\ncontrol: perhaps\n", "treatments: [ECT]\nperson: {weight: 900 kg}\n",
    "treatments: [ECT]\nhorizon: soon\n", "treatments: [ECT]\nseed: -1\n",
    "treatments: [ECT]\nspecies: constructor\n", "treatments: [ECT]\nvariant: constructor\n",
    "treatments: [ECT]\nparameters: {constructor: 1}\n", "treatments: [constructor 1 mg IV]\n",
    "title: A\ntitle: B\ntreatments: [ECT]\n", "treatments: [ECT]\ntitle: 2026-01-02\n", "\0", "x" * 60_001,
)  # fmt: skip


def keys_in_python(text, model):
    """The keys of a file, or the error."""
    try:
        return parse_uploaded(text, "case.yaml", model)
    except InputError as error:
        return error


def test_scenario_files_are_read_with_the_same_meaning_or_refused_at_the_same_key(ask, model):
    texts = [*SCENARIOS, *BROKEN]
    for text, found in zip(
        texts, ask([("scenarioOfFile", {"name": "case.yaml", "text": t}) for t in texts]), strict=True
    ):
        expected = keys_in_python(text, model)
        assert isinstance(expected, InputError) == ("error" in found) == (text in BROKEN), (text, found)
        if text in SCENARIOS:
            own = ScenarioFile.model_validate(found)
            assert events_of(found, model) == events_of(expected.model_dump(), model), text
            for key in (
                "title",
                "description",
                "control",
                "seed",
                "pathways",
                "person",
                "parameters",
                "species",
                "variant",
            ):
                assert getattr(own, key) == getattr(expected, key), (text, key)
        elif expected.key and expected.key != "person.weight":
            assert (found["key"] or "").split(".")[0] == expected.key.split(".")[0], (text, found, expected.key)
