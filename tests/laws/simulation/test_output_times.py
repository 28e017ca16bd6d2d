"""Output times: they lie within the run, resolve every dose, and are the same in the browser."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from ketamech.core.environment import PACKAGE
from ketamech.dosing.regimen import Regimen
from ketamech.simulation import output_times as grids

CASES = {
    "one dose": (672.0, [0.0]),
    "a late dose": (200.0, [30.5]),
    "twice weekly": (2016.0, [0.0, 72.0, *np.arange(168.0, 1344.0, 84.0).tolist()]),
    "daily for a year": (8766.0, np.arange(0.0, 8760.0, 24.0).tolist()),
    "short": (4.0, [0.0]),
}
SCRIPT = """
const [folder, request] = process.argv.slice(1);
const { outputTimes, dailyTimes, peakTimes, unique } = await import(folder + "/engine/output-times.js");
const { cases, options } = JSON.parse(request);
const all = ([horizon, starts]) => [
  outputTimes(horizon, starts, starts.slice(0, 3).map((at) => at + 2 / 3), options),
  dailyTimes(horizon, starts, { ...options, first_hour: [] }),
  unique(peakTimes(horizon, starts, options)),
];
console.log(JSON.stringify(cases.map(all)));
"""


def of(horizon, starts):
    return (
        grids.curve_times(horizon, starts, [start + 2 / 3 for start in starts[:3]]),
        grids.daily_times(horizon, starts),
        grids.peak_times(horizon, starts),
        grids.output_times(horizon, starts),
        grids.table_times(horizon, starts, [2 / 3]),
    )


@pytest.mark.parametrize("case", CASES)
def test_times_are_in_order_within_the_run_and_denser_after_a_dose(case):
    horizon, starts = CASES[case]
    for times in of(horizon, starts):
        assert (np.diff(times) > 0).all()
        assert times[0] >= 0
        assert times[-1] <= horizon
        assert np.isin(np.arange(24.0, horizon, 24.0), times).all() or len(times) < 1000
        day = starts[0] + 24
        assert np.sum((times > starts[0]) & (times < day)) >= min(4, horizon)


def test_the_browser_has_the_same_times():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node, which runs the JavaScript modules")
    options = {
        "after_a_dose": grids.CURVE_HOURS.tolist(), "long_horizon": grids.LONG_HORIZON_TIMES,
        "daily": grids.DAILY_HOURS, "most_daily": grids.MAX_DAILY_TIMES, "peaks": grids.PEAK_HOURS,
    }  # fmt: skip
    request = json.dumps({"cases": list(CASES.values()), "options": options})
    command = [node, "--input-type=module", "-e", SCRIPT, PACKAGE / "app" / "static", request]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60)
    for case, found in zip(CASES.values(), json.loads(done.stdout), strict=True):
        for ours, theirs in zip(of(*case), found, strict=False):
            assert theirs == pytest.approx(ours.tolist(), abs=1e-9)


def test_doses_of_a_regimen_start_once_each_in_order():
    regimen = Regimen.parse(
        "esketamine 56 mg nasal twice weekly for 2 weeks; racemic 0.5 mg/kg IV over 40 min on day 3"
    )
    starts = regimen.starts(336.0)
    assert starts == sorted(set(starts))
    assert 48.0 in starts
    assert len(starts) == 5
    assert regimen.starts(0.5) == [0.0]
