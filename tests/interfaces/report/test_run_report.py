"""A run's folder: every lane drawn, only the papers it used cited, nothing fetched, no machine named."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from ketamech import simulate
from ketamech.core import InputError
from ketamech.core.constants import DISCLAIMER
from ketamech.evidence import load_evidence
from ketamech.exchange.curves_io import read_run
from ketamech.parameters import load_parameters
from ketamech.report.bibliography import as_bibtex, cite
from ketamech.report.model_page import describe
from ketamech.report.panels import outputs_by_stage, stage_panels
from ketamech.report.provenance import provenance
from ketamech.report.published_points import published_points
from ketamech.report.run_description import describe_run
from ketamech.report.run_folder import write_run
from ketamech.report.summary import hours_unconscious, sedation_rows, summary_rows, summary_rows_of
from ketamech.report.svg_canvas import Shape, SvgText, save_png
from ketamech.report.timeline_figure import timeline_figure
from ketamech.report.tracks import load_tracks, tracks_of
from ketamech.simulation.citations import cited_evidence, used_parameters
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.scenario import Scenario

SENTENCE = "racemic 0.5 mg/kg IV over 40 min"


@pytest.fixture(scope="module")
def racemic(model):
    scenario = load_scenario(SENTENCE, model.parameters)
    return scenario, simulate(scenario, model=model)


@pytest.fixture(scope="module")
def folder(model, racemic, tmp_path_factory):
    place = tmp_path_factory.mktemp("runs") / "racemic"
    command = "ketamech simulate '0.5 mg/kg' /somewhere/private/file.yaml"
    write_run(place, racemic[1], racemic[0], model, command)
    return place


def used(model, sentence, **values):
    scenario = load_scenario(sentence, model.parameters)
    changed = Scenario(**{**vars(scenario), "values": {**scenario.values, **values}})
    curves = simulate(changed, model=model)
    return changed, set(used_parameters(curves, model, changed.values, changed.regimen))


def stages(names):
    return {name.split(".")[0] for name in names}


def test_the_folder_holds_what_it_promises(folder):
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "curves.zarr",
        "curves.parquet",
        "summary.json",
        "report.html",
        "bibliography.bib",
        "provenance.json",
    }
    assert "timeline.svg" in {path.name for path in (folder / "figures").iterdir()}
    assert "racemic" in (folder / "scenario.yaml").read_text(encoding="utf-8")


def test_the_summary_holds_baseline_and_extremum_of_every_curve(folder):
    rows = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["outputs"]
    mood = next(row for row in rows if row["output"] == "mood.madrs")
    assert mood["extremum"] < mood["baseline"]
    assert mood["values_at"]["24 h"] >= mood["extremum"]
    assert mood["difference_from_control"]["extremum"] < 0
    assert not {"rest", "extreme"} & set(mood)


def test_the_summary_holds_the_exposure_in_cdisc_codes(folder, racemic, model):
    """Second method: peak and area of the curve in ng/mL, by linear trapezoids."""
    (exposure,) = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["non_compartmental"]
    assert (exposure["output"], exposure["dose"], exposure["dose_at_h"]) == ("venous.ketamine", 1, 0.0)
    found = exposure["parameters"]
    level = (
        racemic[1]["venous.ketamine"].sel(patient="treated").values * model.parameters["drug.ketamine_molar_mass"].value
    )
    assert found["CMAX"] == {"value": pytest.approx(level.max(), rel=1e-4), "unit": "ng/mL"}
    area = np.trapezoid(level, racemic[1]["time"].values)
    assert found["AUCIFO"] == {"value": pytest.approx(area, rel=0.01), "unit": "h*ng/mL"}
    assert found["CLO"]["unit"] == "L/h"


def test_curves_read_back_equal_what_was_simulated(folder, racemic):
    found = read_run(folder)
    for name, variable in racemic[1].data_vars.items():
        np.testing.assert_array_equal(found[name].values, variable.values)
        assert found[name].attrs == variable.attrs


def test_the_timeline_has_every_track_of_the_run(racemic, model):
    scenario, curves = racemic
    picture = timeline_figure(curves, describe_run(scenario, model), model.parameters)
    words = {shape.text for shape in picture.shapes if isinstance(shape, SvgText)}
    assert {lane.label for lane in tracks_of(curves)} <= words
    always = {track.key for track in load_tracks().values() if track.always_shown}
    assert always <= {track.key for track in tracks_of(curves)}


def test_every_curve_of_a_lane_is_drawn_and_named(racemic, model):
    scenario, curves = racemic
    asked = describe_run(scenario, model)
    picture = timeline_figure(curves, asked, model.parameters)
    names = [shape.title for shape in picture.shapes if isinstance(shape, Shape) and shape.title]
    for line in summary_rows_of(curves, asked, model.parameters):
        assert names.count(f"{line.label}: {line.in_words()}") == 1
    assert names.count("control") == len(tracks_of(curves))


def test_a_long_course_is_written_out_in_the_timeline_and_leaves_room_for_it(racemic, model, tmp_path):
    doses = [f"racemic 0.{i} mg/kg IV over 40 min on day {10 * i}" for i in range(1, 10)]
    scenario = load_scenario("; ".join(doses), model.parameters)
    run = describe_run(scenario, model)
    figure = timeline_figure(simulate(scenario, model=model), run, model.parameters)
    texts = " ".join(shape.text for shape in figure.shapes if isinstance(shape, SvgText))
    assert texts.count("; ".join(run.treatments)) == 2  # title and doses
    short = timeline_figure(racemic[1], describe_run(racemic[0], model), model.parameters)
    assert figure.height > short.height + 40
    save_png(figure, tmp_path / "timeline.png")
    assert "racemic" in figure.svg()


def test_titles_of_stage_panels_are_whole_descriptions(racemic, model):
    scenario, curves = racemic
    run = describe_run(scenario, model)
    plan = outputs_by_stage(curves, run, model, [])
    for stage, figure in stage_panels(curves, run, model, [], plan).items():
        texts = " ".join(shape.text for shape in figure.shapes if isinstance(shape, SvgText)).lower()
        for output in plan[stage]:
            assert " ".join(model.layout.descriptions[output].lower().split()) in texts


def test_panels_draw_every_published_point_they_show(racemic, model):
    scenario, curves = racemic
    points = published_points(curves, describe_run(scenario, model), model, load_evidence())
    plan = outputs_by_stage(curves, describe_run(scenario, model), model, points)
    pictures = stage_panels(curves, describe_run(scenario, model), model, points, plan)
    assert list(pictures) == [stage for stage, _ in model.expression_trees.stages if stage in plan]
    for stage, picture in pictures.items():
        due = sorted(f"{point.label}: {point.evidence}" for point in points if point.output in plan[stage])
        drawn = [shape.title for shape in picture.shapes if isinstance(shape, Shape) and ": " in shape.title]
        assert sorted(drawn) == due


def test_a_png_is_drawn_when_asked_for(model, racemic, tmp_path):
    write_run(tmp_path / "run", racemic[1], racemic[0], model, "x", png=True)
    png = (tmp_path / "run" / "figures" / "timeline.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 100_000
    assert "figures/timeline.png" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_every_stage_of_the_model_has_a_lane(model):
    series = [one for track in load_tracks().values() for one in track.curves]
    shown = {model.layout.stage_of.get(name) for one in series for name in one.names}
    assert {stage.name for stage in model.system.stages} <= shown


def test_lanes_name_only_outputs_that_exist(model):
    for lane in load_tracks().values():
        for series in lane.curves:
            assert set(series.names) <= set(model.layout.output_names), lane.key


def test_the_page_fetches_nothing_and_says_what_it_is_not(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert DISCLAIMER in page
    assert not re.search(r'(?:src|srcset|poster)="(?!data:)', page)
    assert not re.search(r"<link|<script|<iframe|@import|url\(", page)
    pictures = re.findall(r"<svg[^>]*>", page)
    assert len(pictures) > 10
    assert all(re.search(r'role="img" aria-label="[^"]{20,}"', picture) for picture in pictures)


def test_nothing_written_names_the_machine(folder):
    for path in folder.iterdir():
        if path.suffix in (".json", ".html", ".txt", ".yaml", ".bib"):
            text = path.read_text(encoding="utf-8")
            assert "/somewhere/private" not in text
            assert str(folder.parent) not in text
    assert "0.5 mg/kg" in json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["command_line"]


def test_only_papers_behind_what_was_given_are_cited(folder, racemic, model):
    scenario, curves = racemic
    names = used_parameters(curves, model, scenario.values, scenario.regimen)
    owed = {model.parameters[name].name for name in names}
    assert not any(name.startswith("memantine.") for name in owed)
    entries = json.loads((folder / "bibliography.json").read_text(encoding="utf-8"))
    behind = {name for entry in entries for name in entry["parameters"]}
    assert behind <= owed
    assert all(entry["parameters"] or entry["drawn"] for entry in entries)


def test_cite_prints_exactly_the_papers_of_the_run(folder):
    entries = json.loads((folder / "bibliography.json").read_text(encoding="utf-8"))
    lines = cite(folder).splitlines()
    assert len(lines) == len(entries)
    assert all(entry["citation"] in line for entry, line in zip(entries, lines, strict=True))
    assert cite(folder, bibtex=True).count("\n@") + 1 == len(entries)


def test_cite_of_no_run_says_what_to_type(tmp_path):
    with pytest.raises(InputError, match="ketamech simulate"):
        cite(tmp_path)


def test_arketamine_and_routes_count_only_when_given(model):
    _, racemic = used(model, SENTENCE)
    _, nasal = used(model, "esketamine 56 mg nasal")
    assert "pharmacokinetics.intrinsic_clearance_r" in racemic - nasal
    assert "pharmacokinetics.nasal_f_first" in nasal - racemic
    assert "pharmacokinetics.spray_interval" in nasal - racemic
    _, inhaled = used(model, "esketamine 20 mg inhaled")
    assert "pharmacokinetics.inhaled_f" in inhaled - nasal - racemic
    assert "pharmacokinetics.prolonged_release_duration" not in nasal | inhaled


def test_a_pathway_switched_off_drops_its_papers(model):
    _, on = used(model, SENTENCE)
    _, off = used(model, SENTENCE, **{"pathway.opioid": 0.0})
    assert any(name.startswith("opioid.") for name in on)
    assert {name for name in on if name.startswith("opioid.")} - off


def test_a_comparator_is_cited_when_it_is_given(model):
    _, ketamine = used(model, SENTENCE)
    _, pill = used(model, "antidepressant daily for 6 weeks")
    others = {name for name in pill - ketamine if name.startswith("other_treatments.")}
    assert others
    assert not any(name.startswith("pharmacokinetics.intrinsic") for name in pill)


def test_a_value_set_by_the_user_no_longer_cites_its_paper(model):
    name = "pharmacokinetics.hepatic_flow"
    scenario, names = used(model, SENTENCE, **{name: model.parameters[name].canonical * 1.1})
    assert name in names
    assert cited_evidence([name], model, scenario.values) == ()


def test_the_summary_finds_the_peak_and_its_time(racemic, model):
    scenario, curves = racemic
    line = next(
        line
        for line in summary_rows_of(curves, describe_run(scenario, model), model.parameters)
        if line.key == "plasma"
    )
    total = (curves["plasma.esketamine"] + curves["plasma.arketamine"]).values[0]
    assert line.extremum == pytest.approx(total.max() * model.parameters["drug.ketamine_molar_mass"].value)
    assert line.extremum_time == curves["time"].values[total.argmax()]


def test_the_terminal_table_has_a_row_a_lane(racemic):
    rows = summary_rows(racemic[1])
    assert len(rows) == len(tracks_of(racemic[1]))
    assert {"output", "unit", "baseline", "peak or lowest", "when", "2 h", "24 h", "7 d", "end"} <= set(rows[0])


def test_the_same_source_date_gives_the_same_date(model, racemic, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert provenance(describe_run(racemic[0], model), model, "x")["date"] == "1970-01-02T00:00:00Z"


def test_the_parameter_hash_follows_the_values(model, racemic):
    asked = describe_run(racemic[0], model)
    changed = replace(model, parameters=load_parameters().with_values({"brain.total_ratio": 5.0}))
    assert provenance(asked, model, "x")["parameters"] != provenance(asked, changed, "x")["parameters"]


def test_the_model_page_prints_every_flux_with_its_reason(model):
    text = describe(model.system)
    assert DISCLAIMER in text
    for flux in model.system.fluxes:
        assert flux.because in text
    for name in (*model.system.output_names, *model.system.parameter_names):
        assert name in text


def test_the_model_page_as_html_fetches_nothing(model):
    page = describe(model.system, html=True)
    assert DISCLAIMER in page
    assert not re.search(r"<link|<script|src=|@import|url\(", page)


def test_bibtex_entries_are_balanced(model):
    text = as_bibtex(load_evidence().references.values())
    assert text.count("{") == text.count("}")
    keys = re.findall(r"^@\w+\{([^,]+),", text, re.M)
    assert len(keys) == len(set(keys)) == len(load_evidence().references)
    dahan = text[text.index("@article{dahan-2011,") :].split("\n\n")[0]
    for field in (
        "author = {Dahan}",
        "year = {2011}",
        "title = {Population pharmacokinetic-",
        "journal = {Eur J Pain}",
    ):
        assert field in dahan


def points_of(model, sentence):
    scenario = load_scenario(sentence, model.parameters)
    curves = simulate(scenario, model=model)
    return published_points(curves, describe_run(scenario, model), model, load_evidence())


def test_published_points_stand_only_over_the_treatment_they_were_measured_in(model):
    assert len(points_of(model, SENTENCE)) > 10
    assert points_of(model, "racemic 0.37 mg/kg IV over 55 min") == []


def test_two_sprays_are_not_the_beginning_of_three(model):
    names = {point.evidence for point in points_of(model, "esketamine 84 mg nasal twice weekly for 1 week")}
    assert any("-84-" in name for name in names)
    assert not any("-56-" in name for name in names)


def test_a_course_shows_single_dose_points_up_to_its_second_dose(model):
    points = points_of(model, "esketamine 84 mg nasal every 3 days for 2 weeks")
    assert all(point.end <= 72 + 1e-6 for point in points)


def test_an_anaesthetic_dose_states_the_hours_unconscious(model, racemic, tmp_path):
    """Second method: the minutes at which being awake is less likely than not, counted."""
    scenario = load_scenario("racemic 2 mg/kg IV", model.parameters)
    times = np.arange(0, 2, 1 / 600)
    fine = simulate(scenario, model=model, times=times)
    asleep = (fine["sedation.consciousness"].sel(patient="treated").values < 0.5).mean() * times[-1]
    curves = simulate(scenario, model=model)
    run = describe_run(scenario, model)
    assert hours_unconscious(curves, run) == pytest.approx(asleep, abs=1 / 60)
    assert asleep > 0.05
    (row,) = sedation_rows(curves)
    depth = 100 * curves["sedation.depth"].sel(patient="treated").values.max()
    assert row["peak of sedation"] == f"{depth:.1f} % of anaesthesia"
    write_run(tmp_path / "bolus", curves, scenario, model, "ketamech simulate")
    assert f"than awake) for {row['unconscious for']}" in (tmp_path / "bolus" / "report.html").read_text(
        encoding="utf-8"
    )
    stored = json.loads((tmp_path / "bolus" / "summary.json").read_text(encoding="utf-8"))["unconscious_h"]
    assert stored == pytest.approx(asleep, abs=1 / 60)
    assert sedation_rows(racemic[1]) == []


def test_a_concentration_far_below_its_peak_is_stated(model):
    scenario = load_scenario("racemic 2 mg/kg IV", model.parameters)
    lines = summary_rows_of(simulate(scenario, model=model), describe_run(scenario, model), model.parameters)
    line = next(one for one in lines if one.label == "Plasma concentration: ketamine, arterial")
    assert 0 < line.values_at["24 h"] < 0.002 * line.extremum
    assert float(line.text(line.values_at["24 h"])) == pytest.approx(line.values_at["24 h"], rel=0.01)
