"""Tables under data/ that reports and the page read: a row added to a table is enough for it to appear in both."""

import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import ketamech.analysis.attribution_text as pathways
import ketamech.report.tracks as tracks
from ketamech import simulate
from ketamech.analysis.attribution_text import component, label_in_sentence, load_components, load_pathways
from ketamech.core import InputError
from ketamech.parameters.load_parameters import ParameterTable
from ketamech.report.run_description import describe_run
from ketamech.report.timeline_figure import timeline_figure
from ketamech.report.tracks import load_groups, load_tracks, tracks_of
from ketamech.simulation.load_scenario import load_scenario

INFUSION = "racemic 0.5 mg/kg IV over 40 min"


def append(path, *rows):
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{row}\n" for row in rows)


@pytest.fixture
def track_tables(tmp_path, monkeypatch):
    folder = shutil.copytree(tracks.DIRECTORY, tmp_path / "tracks")
    monkeypatch.setattr(tracks, "DIRECTORY", folder)
    return folder


@pytest.fixture
def pathway_tables(tmp_path, monkeypatch):
    folder = shutil.copytree(pathways.DIRECTORY, tmp_path / "pathways")
    monkeypatch.setattr(pathways, "DIRECTORY", folder)
    return folder


def metadata(model):
    from ketamech.app.app_state import AppState
    from ketamech.app.routes.metadata import metadata_of

    return metadata_of(AppState(model))


def test_a_row_adds_a_track_to_reports_and_to_the_page(model, track_tables):
    from ketamech.app.app_state import AppState
    from ketamech.app.curve_responses import curves_of
    from ketamech.app.schemas import CurvesRequest

    cells = "vesicle_release", "Molecular signalling", "Vesicle release", "relative to baseline", "relative_to_baseline"
    append(track_tables / "tracks.csv", ",".join((*cells, "1,peak,yes,,1,1e-6,no,no,no,")))
    append(track_tables / "curves.csv", "vesicle_release,glutamate.extracellular,spillover,")
    scenario = load_scenario(INFUSION)
    curves = simulate(scenario, model=model)
    assert "vesicle_release" in {track.key for track in tracks_of(curves)}
    figure = timeline_figure(curves, describe_run(scenario, model), model.parameters)
    assert "Vesicle release" in figure.svg()
    assert "vesicle_release" in {track.key for track in metadata(model).tracks}
    asked = CurvesRequest.model_validate({"scenario": {"treatments": [INFUSION], "person": {"weight": "70 kg"}},
                                        "tracks": ["vesicle_release"]})  # fmt: skip
    (answer,) = curves_of(AppState(model), asked)["tracks"]
    assert answer["label"] == "Vesicle release"
    assert answer["curves"][0]["label"] == "spillover"


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("tracks.csv", "x,No such group,X,%,percent,1,peak,yes,,1,1,no,no,no,", "group"),
        ("tracks.csv", "mood,Drug,X,%,percent,1,peak,yes,,1,1,no,no,no,", "id"),
        ("tracks.csv", "x,Drug,X,%,percent,1,upwards,yes,,1,1,no,no,no,", "id"),
        ("curves.csv", "no_such_track,mood.madrs,,", "track"),
    ],
)
def test_a_bad_row_of_the_track_tables_is_refused_with_its_column(track_tables, table, row, column):
    append(track_tables / table, row)
    with pytest.raises(InputError, match=column):
        load_tracks()


def test_every_track_belongs_to_a_group_with_a_colour_and_every_name_is_used_once():
    assert {track.group for track in load_tracks().values()} == set(load_groups())
    labels = [track.label for track in load_tracks().values()]
    assert len(labels) == len(set(labels))


def test_a_row_adds_a_pathway_to_reports_and_to_the_page(model, pathway_tables):
    from ketamech.report.attribution_page import course_figure

    append(
        pathway_tables / "pathways.csv",
        "sleep,Slow-wave sleep,#4477AA,slow waves consolidate new synapses,eef2k-ko,metabolite",
    )
    switch = replace(model.parameters["pathway.opioid"], name="pathway.sleep")
    extended = replace(model, parameters=ParameterTable({**model.parameters, "pathway.sleep": switch}))
    shown = {row.name: row for row in metadata(extended).pathways}
    assert (shown["sleep"].label, shown["sleep"].colour) == ("Slow-wave sleep", "#4477AA")
    assert (shown["sleep"].evidence, shown["sleep"].claims) == (["eef2k-ko"], ["metabolite"])
    found = SimpleNamespace(scenario=load_scenario(INFUSION), components=("expectancy", "sleep"),
                            times=np.array([1.0, 24.0]), madrs_decomposition=np.zeros((2, 1, 2)),
                            n_doses=1)  # fmt: skip
    _, labels = course_figure(found).axes[0].get_legend_handles_labels()
    assert labels[:2] == ["Expectancy", "Slow-wave sleep"]


def test_pathway_rows_are_the_switches_of_the_model_and_name_rows_that_exist(model):
    from ketamech.analysis.claims import load_claims
    from ketamech.evidence import load_evidence

    assert {f"pathway.{name}" for name in load_pathways()} == {n for n in model.parameters if n.startswith("pathway.")}
    evidence = load_evidence()
    claims = load_claims(evidence)
    for row in load_pathways().values():
        assert row.evidence or row.claims, row.id
        assert set(row.evidence) <= set(evidence.observations), row.id
        assert set(row.claims) <= set(claims), row.id


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("ground", ["#fcfcfb", "#121518"])
def test_components_have_colours_that_differ_and_are_seen_on_light_and_dark_ground(ground):
    colours = [one.colour for one in load_components().values()]
    assert len(set(colours)) == len(colours)
    for colour in colours:
        high, low = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 2.6, colour


def test_a_label_within_a_sentence_keeps_its_abbreviations():
    assert label_in_sentence("opioid") == "opioid system"
    assert label_in_sentence("extrasynaptic") == "extrasynaptic NMDA receptors"
    assert label_in_sentence("resting_release") == "NMDA receptors at rest"
    assert component("vagus_nerve").label == "Vagus nerve"


def test_every_preset_is_offered_and_can_be_simulated(client):
    presets = client.get("/api/metadata").json()["presets"]
    assert len(presets) > 10
    for preset in presets:
        answer = client.post("/api/curves", json={"scenario": preset, "tracks": ["mood"]})
        assert answer.status_code == 200, (preset["title"], answer.json())


@pytest.fixture
def preset_tables(tmp_path):
    from ketamech.app.routes.metadata import PRESETS

    return shutil.copytree(PRESETS, tmp_path / "presets")


def test_a_row_adds_a_preset(preset_tables):
    from ketamech.app.routes.metadata import load_presets

    table = preset_tables / "presets.csv"
    append(table, "Two treatments,ECT; placebo IV,weight: 60 kg; age: 50 year,opioid; habenula,14 days")
    assert load_presets(preset_tables)[-1] == {
        "title": "Two treatments", "treatments": ["ECT", "placebo IV"], "person": {"weight": "60 kg", "age": "50 year"},
        "pathways": {"opioid": False, "habenula": False}, "horizon": "14 days",
    }  # fmt: skip
    append(table, "Bad,ECT,sixty kilograms,,")
    with pytest.raises(InputError, match="person"):
        load_presets(preset_tables)


def test_a_row_adds_a_route_to_the_story(preset_tables):
    from ketamech.app.routes.metadata import load_story

    table = preset_tables / "story_routes.csv"
    append(table, "skin,Subcutaneous,,SC,subcutaneous,mg/kg,0.5,0.1,2,0.05,,,SC")
    route = load_story(preset_tables)["routes"][-1]
    assert (route["label"], route["max"], route["only_drug"]) == ("Subcutaneous", 2.0, "")
    append(table, "skin,Subcutaneous,,SC,subcutaneous,mg/kg,half,0.1,2,0.05,,,SC")
    with pytest.raises(InputError, match="usual"):
        load_story(preset_tables)


def test_every_control_of_the_story_and_every_trial_population_can_be_used(client, model):
    from ketamech.population.virtual_population import load_population

    found = client.get("/api/metadata").json()
    story = found["story"]
    drugs = {drug["id"] for drug in story["drugs"]}
    first = story["drugs"][0]["id"]
    human = {"person": {"weight": "70 kg"}}
    cases = [(one["regimen"], human) for one in story["compared_treatments"]]
    cases += [(f"{first} 0.5 mg/kg IM {schedule['regimen']}", human) for schedule in story["schedules"]]
    for route in story["routes"]:
        assert route["min"] <= route["usual"] <= route["max"]
        keys = {"species": route["species"]} if route["species"] else human
        for drug in [route["only_drug"]] if route["only_drug"] else drugs:
            for dose in (route["min"], route["usual"], route["max"]):
                amount = f"{drug} {dose:g} {route['unit']}" if dose else "placebo"
                cases.append((f"{amount} {route['regimen']}", keys))
    for text, keys in cases:
        answer = client.post("/api/scenario/check", json={"scenario": {"treatments": [text], **keys}})
        assert answer.status_code == 200, (text, answer.json())
    phrases = [one["phrase"] for one in story["perturbations"]]
    scenario = {"treatments": ["placebo IV"], "perturbations": phrases}
    assert client.post("/api/scenario/check", json={"scenario": scenario}).status_code == 200
    for population in found["trial_populations"]:
        load_population(population["id"])


def test_controls_named_in_the_text_of_the_story_exist(client):
    found = client.get("/api/metadata").json()
    named = {name for chapter in found["story"]["chapters"] for name in chapter["controls"].split()}
    blocked = {name.removeprefix("block:") for name in named if name.startswith("block:")}
    off = {name.removeprefix("off:") for name in named if name.startswith("off:")}
    assert blocked == {one["id"] for one in found["story"]["perturbations"]}
    assert off <= {one["name"] for one in found["pathways"]}


def test_the_page_for_patients_names_tracks_that_exist():
    from ketamech.report.patient_summary import PANELS, small_tracks

    rows = small_tracks()
    assert {row["track"] for row in rows} <= set(load_tracks())
    assert {row["kind"] for row in rows} == {"exposure", "score", "effect", ""}
    assert all(row["sentence"].count("{}") == 1 for row in rows if row["kind"])
    assert sum(row["panel"] == "first" for row in rows) == PANELS


def test_the_readouts_of_networks_are_outputs(model):
    from ketamech.analysis.network import load_readouts

    assert set(load_readouts()) <= set(model.layout.output_names)
    assert all(load_readouts().values())


def test_every_value_of_the_patient_has_a_field_whose_choices_can_be_simulated(client, model):
    found = client.get("/api/metadata").json()["person"]
    names = {name.removeprefix("person.") for name in model.parameters if name.startswith("person.")}
    assert {field["name"] for field in found} == names
    assert [field["name"] for field in found[:3]] == ["age", "weight", "baseline_madrs"]
    for field in found:
        assert not field["choices"] or str(f"{field['value']:g}") in {choice["value"] for choice in field["choices"]}
        for choice in field["choices"]:
            scenario = {"treatments": [INFUSION], "person": {"weight": "70 kg", field["name"]: choice["value"]}}
            answer = client.post("/api/scenario/check", json={"scenario": scenario})
            assert answer.status_code == 200, (field["name"], choice, answer.json())


def test_a_bad_choice_of_a_patient_field_is_refused(preset_tables, model):
    from ketamech.app.routes.metadata import load_patient_fields

    table = preset_tables / "patient_fields.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("no=0;yes=1", "no=0;yes", 1), encoding="utf-8")
    with pytest.raises(InputError, match="choices"):
        load_patient_fields(model.parameters, preset_tables)
    table.write_text(text.replace("asian,", "sex,", 1), encoding="utf-8")
    with pytest.raises(InputError, match="name"):
        load_patient_fields(model.parameters, preset_tables)


def test_drugs_in_doses_for_people_come_first_and_daily_courses_are_as_large_as_their_label(client):
    found = client.get("/api/metadata").json()["perturbations"]
    kinds = [one["kind"] for one in found]
    assert kinds[0] == "drugs in doses for people"
    assert kinds.index("knock-out") > max(i for i, kind in enumerate(kinds) if kind == kinds[0])
    courses = [one for one in found if "taken daily" in one["label"]]
    assert {one["name"] for one in courses} == {"lorazepam", "diazepam"}
    for one in courses:
        daily = float(re.search(r"daily, ([\d.]+) mg of", one["label"])[1])
        total, days = map(float, re.search(r"([\d.]+) mg oral over (\d+) days", one["phrase"]).groups())
        assert daily * days == total
        scenario = {"treatments": ["esketamine 84 mg nasal"], "perturbations": [one["phrase"]]}
        assert client.post("/api/scenario/check", json={"scenario": scenario}).status_code == 200
