"""Bands of a cohort: percentiles of those who were solved, a few times at once."""

import sys

import numpy as np
import pytest
import xarray as xr

from ketamech.report.population_figures import cohort_figure, percentiles

MODULE = sys.modules[percentiles.__module__]


def cohort(solved, times=7):
    values = np.random.default_rng(1).normal(20, 5, (len(solved), times))
    values[~np.asarray(solved, dtype=bool)] = np.nan
    return xr.Dataset(
        {"mood.madrs": (("patient", "time"), values, {"units": "points"})},
        {"time": np.arange(times) * 24.0, "solved": ("patient", np.asarray(solved, dtype="i1"))},
    )


@pytest.mark.parametrize("room", [1, 8 * 50 * 3, 2**27])
def test_percentiles_leave_failures_out_however_much_is_read_at_once(monkeypatch, room):
    monkeypatch.setattr(MODULE, "AT_ONCE", room)
    curves = cohort([1] * 40 + [0] * 10)
    known = np.percentile(curves["mood.madrs"].values[:40], (5, 50, 95), axis=0)
    assert (percentiles(curves, "mood.madrs", (5, 50, 95), range(7)) == known).all()
    assert (percentiles(curves, "mood.madrs", (5, 50, 95), [6, 2]) == known[:, [6, 2]]).all()


@pytest.mark.filterwarnings("error")
def test_a_cohort_in_which_everybody_failed_is_still_drawn(tmp_path):
    curves = cohort([0, 0])
    assert np.isnan(percentiles(curves, "mood.madrs", (5, 50), [0, 1])).all()
    assert "<svg" in cohort_figure(tmp_path / "bands.svg", curves, "nobody").read_text(encoding="utf-8")


def test_a_picture_of_thousands_of_times_reads_a_hundred(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(MODULE, "percentiles", lambda c, n, s, p: read.extend(p) or np.zeros((len(s), len(p))))
    cohort_figure(tmp_path / "bands.svg", cohort([1] * 3, times=5000), "long")
    assert len(read) == MODULE.MOST_DRAWN
    assert (read[0], read[-1]) == (0, 4999)
