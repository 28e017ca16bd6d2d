"""The statistic of a published row, counted by hand in a few simulated patients."""

import numpy as np
import xarray as xr
from relapse_cases import with_relapse

from ketamech.calibration.clinical_targets import load_clinical_targets, statistic

VISITS = ["baseline", "day 13", "day 15", "day 17", "day 19", "day 21"]
HOURS = 24.0 * np.array([0, 12, 14, 16, 18, 20])


def relapsing(rows):
    """Ratings [patient, visit] of the trial of six infusions; relapse is counted from day 13."""
    values = np.array([rows], dtype=float)
    patient = ("replicate", "patient")
    data = xr.Dataset(
        {
            "MADRS-24h": ((*patient, "visit"), values),
            "arm": ((*patient, "visit"), np.full(values.shape, "ketamine")),
            "visit_time": ((*patient, "visit"), np.broadcast_to(HOURS, values.shape)),
        },
        {"visit": VISITS},
    )
    return with_relapse(data, HOURS, HOURS[1], "MADRS-24h")


def the(kind, rows):
    row = next(
        row for row in load_clinical_targets() if row.trial == "murrough2013_six_infusions" and row.statistic == kind
    )
    return statistic(row, relapsing(rows))[0]


NEVER = [40, 10, 10, 10, 10, 10]
AT_ONCE = [40, 10, 30, 30, 10, 10]
AT_THE_END = [40, 10, 10, 10, 30, 30]
LAST_ALONE = [40, 10, 10, 10, 10, 30]
HALF = [40, 20, 20, 20, 20, 20]  # a response, and no relapse
NO_RESPONSE = [40, 30, 30, 30, 30, 30]


def test_relapse_is_confirmed_and_counted_in_days_from_the_rating_of_response():
    assert the("median relapse", [AT_ONCE]) == 2
    assert the("median relapse", [AT_THE_END]) == 6
    assert the("median relapse", [AT_ONCE, AT_THE_END, NO_RESPONSE]) == 4


def test_a_median_that_is_not_reached_is_the_last_day_on_which_a_relapse_could_begin():
    assert the("median relapse", [NEVER, LAST_ALONE, AT_ONCE]) == 6
    assert the("median relapse", [NO_RESPONSE]) == 0


def test_who_is_still_well_is_counted_among_those_who_responded():
    assert the("still well", [NEVER, LAST_ALONE, HALF, AT_THE_END, NO_RESPONSE]) == 75
    assert np.isnan(the("still well", [NO_RESPONSE]))
