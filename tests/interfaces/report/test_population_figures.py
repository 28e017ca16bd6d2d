"""Figures of virtual patients, and files of figures that are the same when written again."""

import sys
from types import SimpleNamespace

import matplotlib.colors
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketamech.analysis.regimen_search import WITHOUT
from ketamech.report.analysis_figures import cohort_figure, cohort_percentiles, draw_front, draw_people, extremes
from ketamech.report.palette import UNSTUDIED_COLOUR
from ketamech.report.style import draw, page
from ketamech.report.trial_folder import power_figure, relapse_figure

MODULE = sys.modules[cohort_percentiles.__module__]


def cohort(solved, times=7):
    values = np.random.default_rng(1).normal(20, 5, (len(solved), times))
    values[~np.asarray(solved, dtype=bool)] = np.nan
    return xr.Dataset(
        {"mood.madrs": (("patient", "time"), values, {"units": "points"})},
        {"time": np.arange(times) * 24.0, "solved": ("patient", np.asarray(solved, dtype="i1"))},
    )


@pytest.mark.parametrize("room", [1, 8 * 50 * 3, 2**27])
def test_percentiles_leave_failures_out_however_much_is_read_at_once(monkeypatch, room):
    monkeypatch.setattr(MODULE, "BLOCK_BYTES", room)
    curves = cohort([1] * 40 + [0] * 10)
    known = np.percentile(curves["mood.madrs"].values[:40], (5, 50, 95), axis=0)
    assert (cohort_percentiles(curves, "mood.madrs", (5, 50, 95), range(7)) == known).all()
    assert (cohort_percentiles(curves, "mood.madrs", (5, 50, 95), [6, 2]) == known[:, [6, 2]]).all()


@pytest.mark.parametrize("room", [1, 8 * 50 * 3, 2**27])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_peak_of_each_patient_is_found_however_much_is_read_at_once(monkeypatch, room, sign):
    monkeypatch.setattr(MODULE, "BLOCK_BYTES", room)
    curves = cohort([1] * 40 + [0] * 10)
    curves["mood.madrs"][:, 3] += sign * 100.0
    kind, found, when = extremes(curves, "mood.madrs")
    known = np.percentile(curves["mood.madrs"].values[:40, 3], (5, 50, 95))
    assert (kind, when) == ("peak" if sign > 0 else "lowest", 72.0)
    assert (found == known).all()


@pytest.mark.filterwarnings("error")
def test_a_cohort_in_which_every_patient_failed_is_still_drawn(tmp_path):
    curves = cohort([0, 0])
    assert np.isnan(cohort_percentiles(curves, "mood.madrs", (5, 50), [0, 1])).all()
    assert np.isnan(extremes(curves, "mood.madrs")[1]).all()
    assert "<svg" in cohort_figure(tmp_path / "bands.svg", curves, "nobody").read_text(encoding="utf-8")


def test_a_picture_of_thousands_of_times_reads_a_hundred(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(MODULE, "cohort_percentiles", lambda c, n, s, p: read.extend(p) or np.zeros((len(s), len(p))))
    cohort_figure(tmp_path / "bands.svg", cohort([1] * 3, times=5000), "long")
    assert len(read) == MODULE.MAX_TIMES_DRAWN
    assert (read[0], read[-1]) == (0, 4999)


def test_figures_of_covariates_are_written_as_png_and_svg(tmp_path):
    table = pd.DataFrame({"person.weight": np.linspace(50, 90, 60), "person.female": [0.0, 1.0] * 30})
    table["weight_in_target"] = np.linspace(0.1, 1, 60)
    paths = draw_people(tmp_path / "new", table, "People", list(table)[:2])
    assert [path.name for path in paths] == ["people.png", "people.svg"]
    assert all(path.stat().st_size > 1000 for path in paths)


def test_the_same_figure_is_the_same_file(tmp_path):
    power = pd.DataFrame({"arm": ["a", "a"], "patients_per_arm": [10, 20], "power": [0.3, 0.5], "low": [0.2, 0.4]})
    power["high"] = [0.4, 0.6]
    first, second = (
        draw(tmp_path / name, "power", lambda: power_figure(power, "Power", ["a"])) for name in ("first", "second")
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_long_title_of_a_page_is_wrapped(tmp_path):
    title = "esketamine 56 mg nasal twice weekly for 4 weeks; " * 8
    draw(tmp_path, "long", lambda: page(8, 3, f"{title}\nsecond line"))
    heading = page(8, 3, f"{title}\nsecond line").get_suptitle()
    assert " ".join(heading.split()) == f"{title.strip()} second line"
    assert heading.endswith("\nsecond line")


def test_every_listed_regimen_of_a_front_is_whole_and_inside(tmp_path):
    regimens = [
        f"esketamine {d} mg nasal twice weekly for 4 weeks, then weekly for 4 weeks, then as needed" for d in range(40)
    ]
    costs = {name: np.linspace(1, 20, 40) for name in ("benefit", "cadss", "systolic")}
    table = pd.DataFrame({"regimen": regimens, "front": [i < 20 for i in range(40)], "evidence": WITHOUT, **costs})
    for name in costs:
        table[f"{name}_low"], table[f"{name}_high"] = table[name] - 1, table[name] + 1
    assert {path.name for path in draw_front(tmp_path, table)} == {"front.png", "front.svg"}


def test_regimens_without_evidence_are_grey_marks_of_a_front(tmp_path):
    """In the drawn pixels: matplotlib hid marks that were drawn below those of the error bars."""
    costs = {name: [2.0, 8.0] for name in ("benefit", "cadss", "systolic")}
    regimens = ["racemic 0.5 mg/kg IV", "racemic 2 mg/kg IV"]

    def greys(evidence):
        table = pd.DataFrame({"regimen": regimens, "front": False, "evidence": evidence, **costs})
        for name in costs:
            table[f"{name}_low"], table[f"{name}_high"] = table[name] - 1, table[name] + 1
        draw_front(tmp_path, table)
        pixels = matplotlib.image.imread(tmp_path / "front.png")[:, :, :3]
        return int((np.abs(pixels - matplotlib.colors.to_rgb(UNSTUDIED_COLOUR)) < 0.01).all(axis=2).sum())

    none, one, both = greys("controlled trial"), greys(["controlled trial", WITHOUT]), greys(WITHOUT)
    assert none < one < both
    assert both - one == pytest.approx(one - none, rel=0.3)


def test_long_names_of_arms_are_whole_in_the_legend_of_relapse(tmp_path):
    groups = ["continued " + "spray and a new oral antidepressant " * 4 + end for end in ("weekly", "every 2 weeks")]
    curves = pd.DataFrame(
        {"group": np.repeat(groups, 2), "day": [0.0, 80.0] * 2, "without_relapse": [1.0, 0.5] * 2}
    ).assign(low=0.4, high=1.0)
    median = pd.DataFrame({"group": groups, "median_days": 80.0, "low": 40.0, "high": np.inf})
    analysis = SimpleNamespace(relapse=SimpleNamespace(curves=curves, median=median))
    figures = []
    draw(tmp_path, "relapse", lambda: figures.append(relapse_figure(analysis, "Relapse")) or figures[0])
    texts = [" ".join(text.get_text().split()) for text in figures[0].axes[0].get_legend().get_texts()]
    assert texts == [f"{group}: median 80 d (40 d to not reached)" for group in groups]


def test_a_page_of_figures_states_the_disclaimer():
    assert "not treatment or dosing advice" in " ".join(text.get_text() for text in page(4, 3, "Title").texts)
