"""The API gives the numbers of the command line."""

import numpy as np
import pytest

from ketamech import simulate
from ketamech.population.cohort import Cohort
from ketamech.report.tracks import load_tracks
from ketamech.simulation.load_scenario import load_scenario

SENTENCE = "racemic 0.5 mg/kg IV over 40 min"


def curve(answer, track, place=0):
    return next(f for f in answer["tracks"] if f["key"] == track)["curves"][place]


def at(answer, values, hour):
    return float(np.interp(hour, answer["time"], values))


@pytest.mark.parametrize("hour", [2 / 3, 24.0, 168.0])
def test_curves_agree_with_a_run_at_default_tolerance(client, model, infusion, hour):
    answer = client.post("/api/curves", json={"scenario": infusion}).json()
    careful = simulate(SENTENCE, model=model)
    for track, output, scale in (("mood", "mood.madrs", 1), ("nmda", "nmda.occupancy", 100)):
        told = curve(answer, track)
        for who, values in enumerate((told["treated"], told["control"])):
            y = careful[output].values[who] * scale
            assert at(answer, values, hour) == pytest.approx(np.interp(hour, careful["time"], y), rel=5e-3, abs=1e-3)


def test_every_track_has_a_unit_and_one_value_per_time(client, infusion):
    answer = client.post("/api/curves", json={"scenario": infusion}).json()
    assert {f["key"] for f in answer["tracks"]} <= set(load_tracks())
    assert len(answer["tracks"]) > 20
    for figure in answer["tracks"]:
        assert figure["unit"]
        assert all(len(one["treated"]) == len(answer["time"]) for one in figure["curves"])


def test_an_animal_has_no_rating_on_the_page(client):
    rat = {"treatments": ["racemic 10 mg/kg IP"], "species": "rat"}
    answer = client.post("/api/curves", json={"scenario": rat, "outputs": ["mood.madrs"]}).json()
    assert answer["tracks"] == []
    keys = {f["key"] for f in client.post("/api/curves", json={"scenario": rat}).json()["tracks"]}
    assert "behaviour" in keys
    assert not keys & {"mood", "suicidality", "dissociation", "expectancy"}


def test_times_are_relative_to_the_first_treatment(client, infusion):
    later = {**infusion, "treatments": [f"{SENTENCE} at day 3"], "horizon": "31 days"}
    a, b = (client.post("/api/curves", json={"scenario": s, "tracks": ["plasma"]}).json() for s in (infusion, later))
    for hour in (0.5, 2.0):
        now, then = (at(x, curve(x, "plasma")["treated"], hour) for x in (a, b))
        assert now == pytest.approx(then, rel=2e-2)


def test_an_output_is_requested_by_name(client, infusion, model):
    answer = client.post("/api/curves", json={"scenario": infusion, "outputs": ["plasticity.bdnf"]}).json()
    assert [f["key"] for f in answer["tracks"]] == ["plasticity.bdnf"]
    wrong = client.post("/api/curves", json={"scenario": infusion, "outputs": ["plasticity.bdfn"]})
    assert wrong.status_code == 422
    assert wrong.json()["nearest"] == "plasticity.bdnf"


def test_percentiles_agree_with_the_cohort_of_the_command_line(client, model, infusion):
    answer = client.post("/api/population", json={"scenario": infusion, "patients": 64, "seed": 3}).json()
    hour = answer["time"][40]
    cohort = Cohort(model, load_scenario(SENTENCE), 64, ("mood.madrs",), np.array([0.0, hour]), 3)
    careful = np.concatenate([part["mood.madrs"].values[:, 1] for part in cohort.chunks()])
    percentiles = answer["curves"][0]["percentiles"]
    assert list(percentiles) == ["5", "25", "50", "75", "95"]
    for percent, values in percentiles.items():
        assert values[40] == pytest.approx(np.percentile(careful, float(percent)), rel=5e-3)


def test_a_shorter_time_range_does_not_change_earlier_values(client, infusion):
    whole, part = (client.post("/api/curves", json={"scenario": infusion, "tracks": ["mood"], **more}).json()
                   for more in ({}, {"until": 200}))  # fmt: skip
    assert part["time"][-1] == pytest.approx(200, abs=1)
    values = [at(x, curve(x, "mood")["treated"], 24.0) for x in (whole, part)]
    assert values[0] == pytest.approx(values[1], rel=1e-3)


def test_published_points_belong_to_a_curve_and_to_a_dose(client, infusion):
    points = client.post("/api/published-values", json={"scenario": infusion}).json()["published_values"]
    murrough = next(p for p in points if p["evidence"] == "murrough13-ket-24h-abs")
    assert (murrough["track"], murrough["start"], murrough["value"]) == ("mood", 24.0, 16.5)
    elsewhere = {**infusion, "treatments": ["racemic 0.37 mg/kg IV over 40 min"]}
    assert len(client.post("/api/published-values", json={"scenario": elsewhere}).json()["published_values"]) < len(
        points
    )


def test_outputs_are_returned_in_model_units_at_the_requested_times(client, infusion, model):
    request = {"scenario": infusion, "outputs": ["mood.madrs", "nmda.occupancy"], "times": [0.0, 0.5, 24.0, 168.0]}
    answer = client.post("/api/outputs", json=request).json()
    careful = simulate(SENTENCE, model=model, times=request["times"])
    assert answer["times"] == request["times"]
    for name in request["outputs"]:
        for place, who in enumerate(("values", "control")):
            assert answer[who][name] == pytest.approx(careful[name].values[place], rel=5e-3, abs=1e-4)


@pytest.mark.parametrize("change", [{"outputs": ["mood.sadness"]}, {"times": [2.0, 1.0]}, {"times": []}])
def test_unknown_outputs_and_invalid_times_are_refused(client, infusion, change):
    request = {"scenario": infusion, "outputs": ["mood.madrs"], "times": [1.0], **change}
    assert client.post("/api/outputs", json=request).status_code == 422


def test_a_difference_between_falls_is_drawn_from_the_control(client, infusion):
    """A trial that reports a fall of 4.96 points more than in the control lies 4.96 points below the control."""
    scenario = {**infusion, "horizon": "31 days"}
    points = client.post("/api/published-values", json={"scenario": scenario}).json()["published_values"]
    found = {point["evidence"]: point for point in points}
    request = {"scenario": scenario, "outputs": ["suicidality.ideation"], "times": [0, 24]}
    control = client.post("/api/outputs", json=request).json()["control"]["suicidality.ideation"][1]
    assert found["grunebaum18-ssi"]["value"] == pytest.approx(control - 4.96, abs=0.05)
    difference = found["murrough13-diff-24h"]
    assert difference["translated"]
    assert "difference from the control" in difference["how"]


def test_more_numbers_of_outputs_than_the_limit_are_refused(client, engine, infusion):
    names = list(engine.model.layout.output_names[:101])
    request = {"scenario": infusion, "outputs": names, "times": [i / 10 for i in range(2000)]}
    told = client.post("/api/outputs", json=request)
    assert (told.status_code, told.json()["error"]) == (429, "101 outputs at 2,000 times")


def test_a_population_against_a_reference_is_the_difference_in_each_virtual_patient(client, infusion):
    request = {"scenario": infusion, "track": "mood", "patients": 40, "seed": 3}
    same = client.post("/api/population", json={**request, "reference": infusion}).json()["curves"][0]["percentiles"]
    assert all(value == 0 for values in same.values() for value in values), "the same people on the same treatment"
    higher = {**infusion, "treatments": ["racemic 1 mg/kg IV over 40 min"]}
    answer = client.post("/api/population", json={**request, "reference": higher}).json()
    day = nearest(answer, 24)
    percentiles = answer["curves"][0]["percentiles"]
    assert percentiles["50"][day] > 0, "a lower dose leaves a higher score"
    apart = client.post("/api/population", json=request).json()["curves"][0]["percentiles"]
    assert percentiles["95"][day] - percentiles["5"][day] < 0.5 * (apart["95"][day] - apart["5"][day]), "paired"
    assert client.post("/api/population", json={**request, "reference": {"treatments": ["x"]}}).status_code == 422


def nearest(answer, hour):
    return int(np.argmin(np.abs(np.array(answer["time"]) - hour)))


def test_a_difference_between_cases_is_judged_by_published_differences_and_trials(client):
    basis = client.get("/api/comparison").json()
    assert basis["rows"] >= basis["fitted"]
    assert basis["rows"] > 10
    assert 0.5 < basis["error"] < 10
    infusion = "racemic ketamine 0.5 mg/kg IV over 40 min"
    assert any(["midazolam 0.045 mg/kg IV over 40 min"] in one["arms"] and [infusion] in one["arms"]
               for one in basis["trials"])  # fmt: skip
