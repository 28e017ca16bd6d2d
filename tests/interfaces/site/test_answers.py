"""The engine of the browser, run by node, answers the requests of the story as the server does."""

import io

import numpy as np
import pandas as pd
import pytest

from ketamech.app.browser.model_tables import PEOPLE
from ketamech.app.curve_responses import curves_of, outputs_of, population_of, published_values_of
from ketamech.app.job_tasks import attribution_work
from ketamech.app.routes.metadata import load_story
from ketamech.app.scenarios import scenario_of, scenario_summary
from ketamech.app.schemas import AttributionRequest, CurvesRequest, OutputsRequest, PopulationRequest
from ketamech.core import InputError
from ketamech.exchange.curves_io import COLUMNS
from ketamech.simulation.load_scenario import keys_from_text
from ketamech.simulation.scenario_schema import ScenarioFile

MONTH = 730.5
INFUSION = "racemic 0.5 mg/kg IV over 40 min"
OF_70_KG = {"person": {"weight": "70 kg"}, "horizon": "31 days"}


def story_scenarios():
    """One scenario for each route, schedule, compared treatment and perturbation of the story."""
    story = load_story()
    for row in story["routes"]:
        drug = row["only_drug"] or "racemic"
        person = {"species": row["species"], "horizon": "31 days"} if row["species"] else OF_70_KG
        yield {"treatments": [f"{drug} {row['usual']} {row['unit']} {row['regimen']}"], **person}
    for row in story["schedules"]:
        yield {"treatments": [f"arketamine 0.4 mg/kg IM {row['regimen']}".strip()], **OF_70_KG}
    for row in story["compared_treatments"]:
        yield {"treatments": [row["regimen"]], "horizon": "84 days"}
    for row in story["perturbations"]:
        yield {"treatments": [INFUSION], **OF_70_KG, "perturbations": [row["phrase"]]}
    yield {"treatments": [f"{INFUSION} with NBQX 10 mg/kg IP at -30 min and rapamycin"], **OF_70_KG}
    yield {"treatments": [INFUSION], **OF_70_KG, "perturbations": ["restraint for 7 days", "BDNF knock-out"]}
    yield {"treatments": ["esketamine 84 mg nasal twice weekly for 8 weeks at steady state"], "horizon": "31 days"}
    yield {"treatments": ["racemic 0.1 mg/kg/h IV over 30 h every 24 h for 10 days at steady state"], **OF_70_KG}
    yield {"treatments": [INFUSION], **OF_70_KG, "variant": "opioid-gate"}
    yield {"treatments": ["esketamine 84 mg nasal weekly for 4 weeks, missing doses 1 and 3"], "horizon": "31 days"}
    for dose in (0.53, 0.57):  # within and beyond a tenth of the dose of many studies
        yield {"treatments": [f"racemic {dose} mg/kg IV over 40 min"], **OF_70_KG}
    yield {"treatments": [INFUSION], **OF_70_KG, "pathways": {"habenula": False, "disinhibition": False}}
    for genotype in ("*1/*1", "*1/*6", "*6/*6"):
        person = {"weight": "70 kg", "cyp2b6": genotype, "liver_function": "Child-Pugh B"}
        yield {"treatments": ["esketamine 28 mg oral"], "person": person, "horizon": "31 days"}
    yield {"treatments": [INFUSION, "midazolam 0.045 mg/kg IV on day 8"], "person": {"weight": 55, "age": "60 year"}}


SCENARIOS = tuple(story_scenarios())
REFUSED = (
    {"treatments": [INFUSION]},
    {"treatments": ["racemc 0.5 mg/kg IV"], **OF_70_KG},
    {"treatments": ["racemic 500 mg/kg IV"], **OF_70_KG},
    {"treatments": ["racemic 10 mg/kg IP"], **OF_70_KG},
    {"treatments": ["esketamine 84 mg nasal"], "species": "rat"},
    {"treatments": [INFUSION], "person": {"weight": "700 kg"}},
    {"treatments": [INFUSION], "person": {"weight": "70 points"}},
    {"treatments": [INFUSION], "person": {"weight": "70 kg", "cyp2b6": "*9/*9"}},
    {"treatments": [INFUSION], **OF_70_KG, "horizon": "soon"},
    {"treatments": [f"{INFUSION} on day 40"], **OF_70_KG},
    {"treatments": [INFUSION], **OF_70_KG, "variant": "no-such-gate"},
    {"treatments": [f"{INFUSION} weekly at steady state with NBQX 10 mg/kg IP"], **OF_70_KG},
    {"treatments": ["racemic 5 mg oral daily at steady state", "ECT weekly at steady state"]},
    {"treatments": ["racemic 5 mg oral at 30 h daily at steady state"]},
    {"treatments": ["antidepressant every 1 h for 80 days"], "horizon": "84 days"},
)


def close(own, other, relative=2e-4):
    """Whether two curves are the same to `relative` of the largest value; None stands for a missing number."""
    a, b = (np.array(values, dtype=float) for values in (own, other))
    largest = 1e-9 + np.max(np.abs(b), where=np.isfinite(b), initial=0.0)
    return np.allclose(a, b, rtol=0.0, atol=relative * largest, equal_nan=True)


def same_times(own, other):
    """Whether times agree to their last shown digit."""
    return np.allclose(own, other, rtol=0.0, atol=1.1e-5)


def test_curves_are_those_of_the_server(ask, app_state):
    bodies = [{"scenario": scenario, "until": MONTH} for scenario in SCENARIOS]
    for body, found in zip(bodies, ask([("curves", body) for body in bodies]), strict=True):
        expected = curves_of(app_state, CurvesRequest.model_validate(body))
        assert same_times(found["time"], expected["time"]), body
        assert same_times(found["treatment_times"], expected["treatment_times"])
        assert found["horizon"] == pytest.approx(expected["horizon"])
        assert [track["key"] for track in found["tracks"]] == [track["key"] for track in expected["tracks"]]
        for own, other in zip(found["tracks"], expected["tracks"], strict=True):
            assert {name: own[name] for name in ("group", "label", "unit")} == {
                name: other[name] for name in ("group", "label", "unit")
            }
            for a, b in zip(own["curves"], other["curves"], strict=True):
                assert (a["key"], a["label"]) == (b["key"], b["label"])
                assert close(a["treated"], b["treated"]), (body, a["key"])
                assert close(a["control"], b["control"]), (body, a["key"])


def test_curves_of_single_outputs_and_the_treatments_in_words_are_those_of_the_server(ask, app_state):
    outputs = ["venous.ketamine", "plasticity.bdnf", "mood.madrs"]
    bodies = [{"scenario": scenario, "tracks": ["mood"], "outputs": outputs} for scenario in SCENARIOS[:12]]
    for body, found in zip(bodies, ask([("curves", body) for body in bodies]), strict=True):
        expected = curves_of(app_state, CurvesRequest.model_validate(body))
        assert found["treatments"] == expected["treatments"]
        heads = [
            [(track["key"], track["label"], track["unit"]) for track in one["tracks"]] for one in (found, expected)
        ]
        assert heads[0] == heads[1]
        for own, other in zip(found["tracks"], expected["tracks"], strict=True):
            assert close(own["curves"][0]["treated"], other["curves"][0]["treated"]), (body, own["key"])


def test_a_saved_scenario_and_a_saved_table_are_read_by_the_installed_program(ask, app_state):
    scenario = {**SCENARIOS[0], "title": 'Mine: a "case"', "pathways": {"habenula": False}}
    summary, table = ask([("check", {"scenario": scenario}), ("csv", {"scenario": scenario})])
    read = keys_from_text(summary["yaml"], "scenario.yaml")
    assert read == ScenarioFile.model_validate(scenario)
    assert summary["treatments"] == scenario_summary(read, app_state.model)["treatments"]
    compile(summary["python"], "scenario.py", "exec")
    rows = pd.read_csv(io.StringIO(table["text"]))
    assert list(rows.columns) == list(COLUMNS)
    assert set(rows["variable"]) == set(app_state.model.layout.units)
    level = rows[(rows["variable"] == "venous.ketamine") & (rows["patient"] == "treated")]
    assert set(level["unit"]) == {app_state.model.layout.units["venous.ketamine"]}
    request = OutputsRequest(scenario=read, outputs=["venous.ketamine"], times=level["time_h"].tolist())
    assert close(level["value"], outputs_of(app_state, request)["values"]["venous.ketamine"])


@pytest.mark.parametrize(
    "scenario",
    [
        {"treatments": [INFUSION], **OF_70_KG, "pathways": {"habenula": False}},
        {"treatments": ["esketamine 84 mg nasal twice weekly for 1 week"], "horizon": "8 days"},
    ],
)
def test_contributions_of_pathways_are_those_of_the_server(ask, app_state, scenario):
    (found,) = ask([("attribution", {"scenario": scenario})])
    request = AttributionRequest.model_validate({"scenario": scenario})
    expected = attribution_work(app_state, request)(lambda fraction, message: None)
    assert {name: found[name] for name in ("components", "skipped", "failed")} == {
        name: expected[name] for name in ("components", "skipped", "failed")
    }
    assert same_times(found["times"], expected["times"])
    for own, other in zip(found["contributions"], expected["contributions"], strict=True):
        assert np.allclose(own, other, rtol=0.0, atol=0.01)  # points of MADRS
    whole = {row["endpoint"]: abs(row["drug"]) for row in expected["totals"]}
    for own, other in zip(found["table"], expected["table"], strict=True):
        assert {name: own[name] for name in ("endpoint", "output", "unit", "pathway")} == {
            name: other[name] for name in ("endpoint", "output", "unit", "pathway")
        }
        for name in ("shapley", "loss_when_off", "single_effect"):
            assert own[name] == pytest.approx(other[name], abs=0.01 * whole[own["endpoint"]] + 1e-4), (own, other)


def test_outputs_are_those_of_the_server(ask, app_state):
    body = {"scenario": SCENARIOS[0], "outputs": ["mood.madrs", "nmda.occupancy"], "times": [0.0, 1.0, 24.0, 168.0]}
    (found,) = ask([("outputs", body)])
    expected = outputs_of(app_state, OutputsRequest.model_validate(body))
    assert found["times"] == expected["times"]
    for who in ("values", "control"):
        for name in body["outputs"]:
            assert close(found[who][name], expected[who][name]), name


def test_a_genotype_gives_the_levels_that_python_computes(ask, app_state, monkeypatch):
    monkeypatch.setattr("ketamech.app.curve_responses.rounded", np.ndarray.tolist)
    outputs, times = ["venous.ketamine", "venous.norketamine"], [0.0, 0.5, 2.0, 8.0, 24.0]
    people = [{"weight": "70 kg", "cyp2b6": one} for one in ("*1/*1", "*6/*6", 0.7985)]
    scenarios = [{"treatments": ["esketamine 28 mg oral"], "person": one, "horizon": "2 days"} for one in people]
    bodies = [{"scenario": one, "outputs": outputs, "times": times} for one in scenarios]
    found = ask([("outputs", body) for body in bodies])
    for body, answer in zip(bodies, found, strict=True):
        expected = outputs_of(app_state, OutputsRequest.model_validate(body))["values"]
        for name in outputs:
            assert close(answer["values"][name], expected[name], 1e-6), (body, name)
    fast, slow, number = (one["values"]["venous.norketamine"] for one in found)
    assert slow == number
    assert not close(fast, slow, 1e-3)


def test_published_values_are_those_of_the_server(ask, app_state):
    answers = ask([("publishedValues", {"scenario": scenario}) for scenario in SCENARIOS])
    count, compared = 0, ("shape", "translated", "partly_model", "fitted", "label", "how")
    for scenario, answer in zip(SCENARIOS, answers, strict=True):
        expected = published_values_of(app_state, ScenarioFile.model_validate(scenario))["published_values"]
        found = answer["published_values"]
        assert [(one["evidence"], one["track"], one["curve"]) for one in found] == [
            (one["evidence"], one["track"], one["curve"]) for one in expected
        ], scenario
        for own, other in zip(found, expected, strict=True):
            assert {name: own[name] for name in compared} == {name: other[name] for name in compared}
            for name in ("start", "end", "value", "low", "high"):
                a, b = (np.array(one[name], dtype=float) for one in (own, other))
                assert np.allclose(a, b, rtol=1e-3, atol=1e-6, equal_nan=True), (scenario, own, other)
        count += len(found)
    assert count > 50


def test_percentiles_of_virtual_patients_are_those_of_the_server(ask, app_state):
    chosen = [SCENARIOS[0], SCENARIOS[1], {"treatments": [INFUSION], "person": {"weight": 55}, "horizon": "31 days"}]
    bodies = [{"scenario": scenario, "until": MONTH, "track": "mood", "individuals": 10} for scenario in chosen]
    larger = {**SCENARIOS[0], "treatments": ["racemic 1 mg/kg IV over 40 min"]}
    bodies += [{**bodies[0], "control": True}, {**bodies[0], "control": True, "scenario": larger}]
    bodies += [{**bodies[0], "control": True, "scenario": SCENARIOS[1]}, {**bodies[0], "track": "plasticity.bdnf"}]
    for body, found in zip(bodies, ask([("population", body) for body in bodies]), strict=True):
        expected = population_of(app_state, PopulationRequest.model_validate({**body, "patients": PEOPLE}))
        assert same_times(found["time"], expected["time"])
        assert (found["patients"], found["failed"]) == (PEOPLE, 0)
        for percent, values in expected["curves"][0]["percentiles"].items():
            assert close(found["curves"][0]["percentiles"][percent], values, 2e-3), (body, percent)
        assert close(found["curves"][0]["individuals"], expected["curves"][0]["individuals"], 2e-3), body


def test_differences_from_a_reference_are_those_of_the_server(ask, app_state):
    body = {"scenario": SCENARIOS[0], "until": MONTH, "track": "mood"}
    larger = {**SCENARIOS[0], "treatments": ["racemic 1 mg/kg IV over 40 min"]}
    bodies = [{**body, "reference": SCENARIOS[0]}, {**body, "reference": larger}]
    same, found = ask([("population", one) for one in bodies])
    assert not any(np.ravel(list(same["curves"][0]["percentiles"].values())))
    expected = population_of(app_state, PopulationRequest.model_validate({**bodies[1], "patients": PEOPLE}))
    for percent, values in expected["curves"][0]["percentiles"].items():
        assert close(found["curves"][0]["percentiles"][percent], values, 2e-2), percent
    assert max(expected["curves"][0]["percentiles"]["50"]) > 0.1, "the smaller dose leaves a higher score"


def test_scenarios_are_refused_with_the_words_of_the_server(ask, app_state):
    answers = ask([("curves", {"scenario": scenario, "until": MONTH}) for scenario in REFUSED])
    for scenario, found in zip(REFUSED, answers, strict=True):
        with pytest.raises(InputError) as refusal:
            scenario_of(ScenarioFile.model_validate(scenario), app_state.model)
        assert found["error"] == refusal.value.what, scenario


def test_populations_that_only_the_server_simulates_are_refused(ask):
    by_chance = {**SCENARIOS[0], "treatments": ["esketamine 84 mg nasal twice weekly for 4 weeks, missing 20 %"]}
    bodies = [
        {"scenario": SCENARIOS[0], "patients": PEOPLE + 1},
        {"scenario": SCENARIOS[0], "seed": 2},
        {"scenario": by_chance},
    ]
    for found in ask([("population", body) for body in bodies]):
        assert "in the browser" in found["error"]
    rat = {"treatments": ["racemic 10 mg/kg IP"], "species": "rat"}
    (found,) = ask([("population", {"scenario": rat})])
    assert found["error"] == "mood.madrs exists for humans only: a rat has no rating"


def test_ratings_of_children_are_refused_with_the_words_of_the_server(ask, app_state):
    child = {"treatments": [INFUSION], "person": {"weight": "40 kg", "age": "12 year"}, "horizon": "2 days"}
    adolescent = {**child, "person": {"weight": "40 kg", "age": "14 year"}}
    body = {"scenario": child, "outputs": ["mood.madrs"], "times": [0.0, 24.0]}
    asked = [("outputs", body), ("population", {"scenario": child}), ("attribution", {"scenario": child})]
    asked += [("curves", {"scenario": child}), ("csv", {"scenario": child}), ("curves", {"scenario": adolescent})]
    *refused, curves, table, rated = ask(asked)
    with pytest.raises(InputError) as refusal:
        outputs_of(app_state, OutputsRequest.model_validate(body))
    assert [found["error"] for found in refused] == [refusal.value.what] * 3
    server = curves_of(app_state, CurvesRequest.model_validate({"scenario": child}))
    assert [track["key"] for track in curves["tracks"]] == [track["key"] for track in server["tracks"]]
    assert "mood.madrs" not in table["text"]
    assert "mood" in [track["key"] for track in rated["tracks"]]


def test_what_only_the_installed_program_reads_is_refused_by_name(ask):
    extras = ({"connectome": "mine.csv"}, {"receptors": "mine.csv"}, {"treatments": [{"drug": "ECT"}]})
    scenarios = [{"treatments": [INFUSION], **OF_70_KG, **extra} for extra in extras]
    for found in ask([("curves", {"scenario": scenario}) for scenario in scenarios]):
        assert "installed program" in found["expected"]
