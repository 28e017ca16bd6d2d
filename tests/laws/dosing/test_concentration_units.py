"""Levels in blood as people read them: ng/mL by the molar mass of each substance, everywhere but in raw curves."""

import numpy as np
import pytest
import xarray as xr

from ketamech import simulate
from ketamech.cli.simulate_cohort import cohort_summary as summary_of_cohort
from ketamech.parameters import load_parameters
from ketamech.parameters.concentration_units import factors, molar_masses, shown
from ketamech.report.panels import display_scale as panel_scale
from ketamech.report.summary import curve_values
from ketamech.report.tracks import load_tracks
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.nca_tables import adpp, wide_table
from ketamech.trials.analysis.analyse import adpc, adqs, adsl, exposure_of_visits
from ketamech.trials.rating_scales import load_scales, scale
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial
from molar_masses import KETAMINE, NORKETAMINE

TRIAL = """title: Levels
arms:
  drug: {treatment: racemic 0.5 mg/kg IV over 40 min, n: 3}
visits:
  MADRS: [2 h]
  ketamine: [40 min, 2 h]
  norketamine: [2 h]
"""


def test_every_level_in_blood_is_shown_in_ng_per_ml(model):
    units = model.layout.units
    levels = {n for n, unit in units.items() if unit == "umol/L" and n.split(".")[0] in ("plasma", "venous")}
    assert levels == set(molar_masses())
    assert set(molar_masses().values()) <= set(model.parameters)


def test_each_substance_has_its_own_mass():
    assert shown("venous.ketamine", "umol/L") == (pytest.approx(KETAMINE), "ng/mL")
    assert shown("plasma.s_norketamine", "umol/L") == (pytest.approx(NORKETAMINE), "ng/mL")
    assert shown("mood.madrs", "points") == (1.0, "points")


def test_a_report_shows_norketamine_by_its_own_mass(model):
    curves = simulate("racemic 0.5 mg/kg IV over 40 min", model=model)
    track = load_tracks()["plasma"]
    values = {n: row.value for n, row in load_parameters().items() if n.startswith("drug.")}
    for series in track.curves:
        raw = sum(curves[name].values for name in series.names)
        assert curve_values(series, track, curves, values) == pytest.approx(factors()[series.names[0]] * raw)
        assert len({factors()[name] for name in series.names}) == 1
    assert curves["venous.norketamine"].attrs["units"] == "umol/L"


def test_levels_in_the_brain_are_shown_in_ng_per_ml_in_figures_and_in_the_drawing():
    metadata = pytest.importorskip("ketamech.app.routes.metadata", reason="the page is not installed")
    track = load_tracks()["brain"]
    values = {n: row.value for n, row in load_parameters().items() if n.startswith("drug.")}
    assert track.unit == "ng/mL"
    found = {series.label: track.factor(series, values) for series in track.curves}
    assert found["ketamine"] == pytest.approx(KETAMINE)
    assert found["norketamine"] == pytest.approx(NORKETAMINE)
    rows = {row["id"]: row for row in metadata.load_story_texts()["bindings"]}
    levels = {name for name, row in rows.items() if row["display"] == "level"}
    assert {"vessels", "brain_tint"} <= levels
    assert [rows[name]["shown_factor"] for name in levels] == pytest.approx([KETAMINE] * len(levels))


def test_scales_of_levels_are_written_down_in_ng_per_ml():
    for name, mass in (("ketamine", KETAMINE), ("esketamine", KETAMINE), ("norketamine", NORKETAMINE)):
        found = scale(name)
        assert (found.unit, found.factor) == ("ng/mL", pytest.approx(mass))
        assert found.rated_scores(np.array([50 * mass]), np.zeros(1)) == pytest.approx(50 * mass)
    assert all(s.unit == "ng/mL" for s in load_scales().values() if s.output in molar_masses())


def test_tables_of_a_trial_say_their_units(model, tmp_path):
    """Second road: the peak of exposure, which is worked out in ng/mL from the curve, falls at the end of infusion."""
    (tmp_path / "t.yaml").write_text(TRIAL, encoding="utf-8")
    data = run_trial(load_trial(tmp_path / "t.yaml"), model, threads=1)
    levels, ratings, subjects = adpc(data), adqs(data), adsl(data)
    assert set(levels["AVALU"]) == {"ng/mL"}
    assert set(levels["PARAM"]) == {"ketamine (ng/mL)", "norketamine (ng/mL)"}
    assert set(ratings["AVALU"]) == {"points"}
    assert set(levels["ATMU"]) == set(ratings["ATMU"]) == {"h"}
    assert (subjects[["AGEU", "WEIGHTBLU", "DCTTMU"]] == ["year", "kg", "h"]).all().all()
    assert data["ketamine"].attrs["units"] == "ng/mL"
    end = data["true_ketamine"].sel(visit="40 min").values
    assert end == pytest.approx(data["exposure_ketamine_cmax"].values, rel=0.05)
    wrote = levels[(levels["PARAMCD"] == "ketamine") & (levels["AVISIT"] == "40 min")]["AVAL"].to_numpy()
    assert wrote == pytest.approx(data["ketamine"].sel(visit="40 min").values[0])
    assert 100 < wrote.mean() < 600


def test_exposure_of_a_trial_states_its_units(model, tmp_path):
    """Second method: the peak over the visits of each patient."""
    (tmp_path / "t.yaml").write_text(TRIAL, encoding="utf-8")
    data = run_trial(load_trial(tmp_path / "t.yaml"), model, threads=1)
    rows = exposure_of_visits(data, ("ketamine", "norketamine", "esketamine"))
    wide = wide_table(rows).set_index(["ANALYTE", "ID"])
    peaks = np.nanmax(data["ketamine"].values[0], axis=1)
    assert wide.loc["ketamine", "CMAX (ng/mL)"].tolist() == pytest.approx(peaks.tolist())
    assert set(wide.index.get_level_values(0)) == {"ketamine", "norketamine"}
    long = adpp(rows, "study")
    assert set(long.loc[long["PARAMCD"] == "AUCLST", "AVALU"]) == {"h*ng/mL"}
    assert (long["TRTP"] != "").all()
    assert "not analysed by dose" in long.loc[long["PARAMCD"] == "CLFO", "PPREASND"].iloc[0]


def test_bands_and_panels_show_levels_in_ng_per_ml(model):
    raw = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    level = (("patient", "time"), raw, {"units": "umol/L"})
    curves = xr.Dataset({"venous.ketamine": level}, {"time": [0.0, 1.0], "solved": ("patient", [1, 1, 1])})
    rows = summary_of_cohort(curves, load_scenario("placebo IV", load_parameters()), np.array([0.0, 1.0]))
    assert {row["unit"] for row in rows} == {"ng/mL"}
    assert [row["median"] for row in rows] == pytest.approx([KETAMINE, 2 * KETAMINE, 2 * KETAMINE])
    one = np.ones(3)
    assert panel_scale("plasma.esketamine + plasma.arketamine", model.layout, one) == (pytest.approx(KETAMINE), "ng/mL")
    assert panel_scale("venous.esketamine / venous.arketamine", model.layout, one)[0] == 1.0
    assert panel_scale("brain.esketamine", model.layout, one)[1] != "ng/mL"
