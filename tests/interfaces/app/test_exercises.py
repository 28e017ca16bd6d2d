"""The teacher's sheet: every answer is the number of the model, read off its curves in another way."""

import re

import numpy as np
import pytest

from ketamech import simulate
from ketamech.analysis.exercises import load_exercises
from ketamech.core import InputError
from ketamech.parameters import load_parameters
from ketamech.simulation.load_scenario import scenario_from_keys

INFUSION = "racemic 0.5 mg/kg IV over 40 min"


@pytest.fixture(scope="module")
def curves(model):
    """Dense curves of the infusion, of the same with AMPA receptors blocked, and of the same with the habenula off."""
    times = np.concatenate([np.arange(0, 2, 0.005), np.arange(2, 48, 0.02), [168.0]])
    found = {}
    changes = {
        "usual": {},
        "blocked": {"perturbations": {"nbqx": 0.9}},
        "no habenula": {"pathways": {"habenula": False}},
    }
    for name, changed in changes.items():
        keys = next(one.scenario for one in load_exercises() if one.id == "level")
        keys = keys.model_copy(update=changed)
        found[name] = simulate(scenario_from_keys(keys, model.parameters, __file__, {}), model=model, times=times)
    return found


def at(dataset, output, hours, patient="treated"):
    return float(np.interp(hours, dataset["time"].values, dataset[output].sel(patient=patient).values))


def test_every_answer_is_what_the_model_gives(client, curves):
    usual, blocked, no_habenula = curves.values()
    brain = (usual["brain.esketamine"] + usual["brain.arketamine"]).sel(patient="treated").values
    above = usual["time"].values[brain > 0.1 * brain.max()]
    density = usual["spines.density"].sel(patient="treated").values
    molar_mass = load_parameters()["drug.ketamine_molar_mass"].value  # g/mol
    expected = {
        "level": float(usual["venous.ketamine"].sel(patient="treated").max()) * molar_mass,
        "duration": above[-1],
        "receptors": 100 * at(usual, "nmda.occupancy", 40 / 60),
        "spines": 100 * (at(usual, "spines.density", 24) / density[0] - 1),
        "expectancy": at(usual, "mood.madrs", 24, "control") - at(usual, "mood.madrs", 24),
        "ampa": at(blocked, "mood.madrs", 24) - at(usual, "mood.madrs", 24),
        "control": 100 * at(usual, "mood.change", 24, "control") / at(usual, "mood.change", 24),
        "first-day": at(no_habenula, "mood.madrs", 24) - at(usual, "mood.madrs", 24),
        "week": at(no_habenula, "mood.madrs", 168) - at(usual, "mood.madrs", 168),
    }
    found = client.get("/api/exercises").json()
    assert [one["id"] for one in found] == list(expected)
    for one in found:
        assert one["value"] == pytest.approx(expected[one["id"]], rel=0.01), one["id"]
        shown, unit = one["text"].split(" ", 1)
        assert (float(shown), unit) == (pytest.approx(one["value"], rel=0.05), one["unit"])


def test_the_working_of_an_answer_gives_the_answer(client):
    for one in client.get("/api/exercises").json():
        assert one["mistake"].endswith(".")
        found = re.fullmatch(r"([\d.]+) ([/−]) ([\d.]+)(?: = ([\d.]+))?", one["working"])
        assert bool(found) == (one["id"] not in ("level", "duration", "receptors")), one["working"]
        if not found:
            continue
        first, second = float(found[1]), float(found[3])
        value = first - second if found[2] == "−" else 100 * first / second - 100 * (one["id"] == "spines")
        assert value == pytest.approx(one["value"], abs=0.35 if found[2] == "/" else 0.11), one["working"]
        if found[4]:
            assert float(found[4]) == pytest.approx(first / second, rel=3e-3)


def test_questions_and_explanations_hold_no_answer(client):
    for one in client.get("/api/exercises").json():
        number = one["text"].split()[0]
        assert number not in one["question"].replace("0.5 mg/kg", "")
        assert not any(letter.isdigit() for letter in one["explanation"]), "an explanation holds no number"


def test_the_scenarios_of_an_exercise_can_be_simulated(client):
    groups = {track["group"] for track in client.get("/api/metadata").json()["tracks"]}
    for one in client.get("/api/exercises").json():
        assert one["group"] in groups
        for scenario in one["scenarios"]:
            assert client.post("/api/curves", json={"scenario": scenario, "tracks": ["mood"]}).status_code == 200


def test_every_answer_can_be_read_from_the_printed_figure(client):
    """The figure of an exercise shows what it asks about, at a time that it shows."""
    read = {
        "level": lambda y, other, at: max(y["treated"]),
        "duration": lambda y, other, at: max(
            t for t, value in zip(y["time"], y["treated"], strict=True) if value > 0.1 * max(y["treated"])
        ),
        "receptors": lambda y, other, at: at(y["treated"]),
        "spines": lambda y, other, at: 100 * (at(y["treated"]) / y["treated"][0] - 1),
        "control": lambda y, other, at: (
            100 * (y["treated"][0] - at(y["treated"])) / (other["treated"][0] - at(other["treated"], other))
        ),
        "expectancy": lambda y, other, at: at(y["control"]) - at(y["treated"]),
    }
    for one in client.get("/api/exercises").json():
        first, *others = one["figures"]
        other = others[0] if others else None

        def at(values, figure=first, hours=one["hours"]):
            return float(np.interp(hours, figure["time"], values))

        between = lambda y, other, at: at(y["treated"]) - at(other["treated"], other)  # noqa: E731
        value = read.get(one["id"], between)(first, other, at)
        assert value == pytest.approx(one["value"], rel=0.05, abs=0.05), one["id"]
        assert (one["hours"] or 0) <= one["figure_hours"] == pytest.approx(first["time"][-1])
        assert len({scenario["title"] for scenario in one["scenarios"]}) == len(one["scenarios"]), "names that differ"


def test_how_long_the_drug_stays_is_the_time_of_the_first_line_of_the_story(client):
    """`hero.js` states when nine tenths of the drug have left the brain, counted from the start."""
    found = next(one for one in client.get("/api/exercises").json() if one["id"] == "duration")
    scenario = found["scenarios"][0]
    outputs = ["brain.esketamine", "brain.arketamine"]
    times = list(np.arange(0.1, 8, 0.02))
    request = {"scenario": scenario, "outputs": outputs, "times": times}
    values = client.post("/api/outputs", json=request).json()["values"]
    brain = np.sum([values[name] for name in outputs], axis=0)
    gone = times[int(np.flatnonzero(brain > 0.1 * brain.max())[-1]) + 1]
    assert found["value"] == pytest.approx(gone, abs=0.03)


def test_the_lesson_lasts_45_minutes_and_leads_to_chapters_and_exercises(client):
    parts = client.get("/api/lesson").json()
    assert sum(part["minutes"] or 0 for part in parts) == 45
    chapters = {row["id"]: row["title"] for row in client.get("/api/metadata").json()["story"]["chapters"]}
    exercises = {one["id"] for one in client.get("/api/exercises").json()}
    for part in parts:
        is_step = part["part"] == "step"
        assert is_step == bool(part["minutes"]) == bool(part["chapter"]), part["text"]
        assert not is_step or part["chapter_title"].endswith(chapters[part["chapter"]])
        assert part["exercise"] in {"", *exercises}
    assert {"aim", "evidence"} <= {part["part"] for part in parts}


def test_a_contrast_without_a_reference_is_an_error_of_its_row(tmp_path):
    from ketamech.analysis.exercises import FILE

    table = tmp_path / "exercises.csv"
    table.write_text(FILE.read_text(encoding="utf-8").replace("difference,control", "difference,"), encoding="utf-8")
    with pytest.raises(InputError, match="belong together"):
        load_exercises(table)
