"""The benchmark: everybody solves the same equations, and the command writes what it says."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import toy_models
from benchmarks import benchmark_case, ketamech_engine, lsoda
from benchmarks.engine_process import CAN_FORK, isolated
from benchmarks.engines import BY_HAND, ENGINES, OURS, select_engines
from benchmarks.scaling import sizes, summary
from benchmarks.suite import SomeOutputs, remembered
from benchmarks.work_precision import QUICK, ErrorNorm, compare, measure, one_core, shares
from ketamech.core import UnknownNameError
from ketamech.engine import events, load_kernel
from ketamech.model.assemble import build_system
from ketamech.model.rates_and_jacobian import plain_function
from ketamech.parameters.load_parameters import Distribution, Parameter
from ketamech.simulation.model import Model, load_model

GIVEN = events([(0.0, 0, 0, 40.0), (1.0, 1, 0, 30.0), (2.5, 1, 0, -30.0), (5.0, 0, 0, 25.0)])
TIMES = np.array([0.5, 1.2, 2.0, 3.0, 5.5, 12.0, 24.0])


def known(name, value):
    """A toy value with all that a parameter of a table has."""
    nowhere = Distribution("fixed")
    return Parameter(name, value.canonical, value.unit, nowhere, "assumed", (), "nowhere", "a toy", "toys.csv", 1)


@pytest.fixture(scope="module")
def toy():
    """Two patients of the toy system, one with twice the clearance."""
    table = {name: known(name, value) for name, value in toy_models.TABLE.items()}
    system = build_system(table, (toy_models.kinetics, toy_models.response))
    model = Model(system.layout, table, load_kernel(system.layout, lambda: system), lambda: system)
    inputs = np.tile([table[n].canonical for n in system.parameter_names] + [0.0] * len(system.baseline_names), (2, 1))
    inputs[1, 0] *= 2
    start = ketamech_engine.rest_of(model, inputs)
    outputs = ("kinetics.concentration", "response.level", "response.rise")
    return benchmark_case.BenchmarkCase(model, inputs, start, GIVEN, TIMES, outputs)


@pytest.mark.parametrize("peer", [p for p in ENGINES if p is not OURS], ids=lambda p: p.name)
def test_every_peer_draws_our_curves(peer, toy):
    if not peer.installed:
        pytest.skip(peer.type_this)
    ketamech_engine = OURS.load(toy)(1e-11)
    theirs = peer.load(toy)(1e-9)
    assert theirs.shape == (2, TIMES.size, 3)
    assert np.max(np.abs(theirs - ketamech_engine) / np.ptp(ketamech_engine, axis=(0, 1))) < 1e-6
    assert np.max(np.abs(ketamech_engine[0] - ketamech_engine[1])) > 0.1, (
        "the patients must differ, or nothing is shown"
    )


@pytest.fixture(scope="module")
def posed(model):
    return benchmark_case.make_case(3, model=model)


@pytest.fixture(scope="module")
def written(posed):
    """The generated Python of the whole system, run as it stands, without numba."""
    source = lsoda.write_python(posed.system, posed.outputs).replace("from numba import njit", "njit = lambda **_: id_")
    place = {"id_": lambda function: function}
    exec(compile(source, "<equations>", "exec"), place)
    return place


def test_equations_written_for_peers_have_our_rates(posed, written):
    f = plain_function(posed.system)
    chance = np.random.default_rng(1)
    for inputs, start in zip(posed.inputs, posed.start, strict=True):
        y = (start + posed.segments()[0].jump + 0.05 * posed.scale) * chance.uniform(0.8, 1.2, start.size)
        q = written["prepare"](inputs)
        inflow = chance.uniform(0, 1, start.size)
        expected = f(y, inputs) + inflow
        found = written["rates"](y, 0.0, q, inflow)
        assert np.max(np.abs(found - expected) / (posed.scale + np.abs(expected))) < 1e-9


def test_the_jacobian_written_for_peers_is_the_slope_of_the_rates(posed, written):
    q, zero = written["prepare"](posed.inputs[0]), np.zeros(posed.start.shape[1])
    y = posed.start[0] + posed.segments()[0].jump + 0.05 * posed.scale
    jacobian = written["jacobian"](y, 0.0, q, zero)
    for column in range(0, y.size, 7):
        step = np.zeros_like(y)
        step[column] = 1e-6 * posed.scale[column]
        above, below = written["rates"](y + step, 0.0, q, zero), written["rates"](y - step, 0.0, q, zero)
        slope = (above - below) / (2 * step[column])
        size = 1e-3 + np.abs(slope)
        assert np.max(np.abs(jacobian[:, column] - slope) / size) < 1e-4, posed.system.state_names[column]


def test_equations_of_a_slice_have_the_rates_and_outputs_of_the_whole_model(posed):
    part = posed.sliced(("mood.madrs", "dissociation.cadss"))
    names = part.system.state_names
    assert len(names) < 0.6 * len(posed.system.states)
    own = [posed.system.state_names.index(name) for name in names]
    y = np.zeros(len(posed.system.states))
    y[own] = (posed.start[0, own] + 0.05 * part.scale) * np.random.default_rng(1).uniform(0.8, 1.2, len(own))
    expected, found = (
        plain_function(posed.system)(y, posed.inputs[0])[own],
        plain_function(part.system)(y[own], part.inputs[0]),
    )
    assert np.max(np.abs(found - expected) / (part.scale + np.abs(expected))) < 1e-12
    ours, whole = OURS.load(part.subset(1))(1e-9), OURS.load(posed.subset(1))(1e-9)
    chosen = whole[:, :, [posed.outputs.index(name) for name in part.outputs]]
    assert np.max(np.abs(ours - chosen) / np.ptp(chosen, axis=(0, 1))) < 1e-7


def test_a_ratio_is_that_of_runs_side_by_side():
    ours = {"name": "ours", "settings": [{"tolerance": 1e-3, "ms": [1.0, 2.0, 9.0], "median_ms": 2.0, "error": 1e-4}]}
    theirs = {"tolerance": 1e-4, "ms": [10.0, 18.0], "median_ms": 14.0, "error": 1e-3}
    peer = {"name": "p", "label": "p", "settings": [theirs], "beside": [0, 2]}
    assert compare([ours, peer])[0]["times"] == pytest.approx(6.0)


def test_patients_differ_and_are_the_same_in_any_number(model):
    few, many = (benchmark_case.make_case(n, model=model).inputs for n in (3, 20))
    assert np.array_equal(few, many[:3])
    assert len(benchmark_case.drawn_columns(model)) > 30
    assert np.all(np.std(many[:, benchmark_case.drawn_columns(model)], axis=0) > 0)


def test_segments_give_every_dose_once(posed):
    entered = sum(part.jump + part.inflow * (part.stop - part.start) for part in posed.segments())
    amounts = np.zeros_like(entered)
    np.add.at(amounts, posed.events.state[posed.events.kind == 0], posed.events.size[posed.events.kind == 0])
    flows = posed.events.kind == 1
    np.add.at(amounts, posed.events.state[flows], -posed.events.size[flows] * posed.events.time[flows])
    assert entered == pytest.approx(amounts, rel=1e-9, abs=1e-9)
    assert not set(posed.times) & set(posed.events.time), "an output at the instant of a dose has two values"


def test_ours_is_compared_only_where_it_is_no_less_exact():
    def setting(tolerance, ms, error):
        return {"tolerance": tolerance, "ms": [ms], "median_ms": ms, "error": error}

    ketamech_engine = {"name": "ours", "label": "o", "settings": [setting(1e-3, 1.0, 1e-3), setting(1e-5, 2.0, 1e-6)]}
    peer = {"name": "p", "label": "p", "settings": [setting(1e-4, 60.0, 1e-4), setting(1e-8, 90.0, 1e-9)]}
    first, second = compare([ketamech_engine, peer])
    assert (first["ours_tolerance"], first["times"]) == (1e-5, 30.0)
    assert "times" not in second


def test_error_is_the_largest_difference_in_sizes():
    judge = ErrorNorm(np.zeros((2, 3, 2)), np.array([10.0, 1.0]))
    values = np.zeros((1, 3, 2))
    values[0, 1, 0] = 5.0
    assert judge.error(values) == 0.5


def test_scaling_goes_by_tens_and_sums_up():
    assert sizes(100_000) == [100, 1000, 10_000, 100_000]
    rows = [
        {"patients": n, "threads": t, "seconds": n * 1e-3 / t, "ms_per_patient": 1 / t, "peak_mib": 100}
        for n in (1000, 10_000)
        for t in (1, 2)
    ]
    expected = {"two_over_one": pytest.approx(2), "linear_within": 0, "peak_mib": 100, "failed": 0, "silent": 3}
    assert summary([*rows, {**rows[-1], "silent": 3}]) == expected


def test_a_peer_that_is_not_there_is_listed_with_what_to_type(toy):
    absent = replace(ENGINES[1], modules=("no_such_module",))
    ketamech_engine, theirs = measure(toy, [OURS, absent], QUICK, lambda line: None)
    assert not theirs["installed"]
    assert theirs["type_this"] == "pip install libroadrunner python-libsbml"
    assert all(setting["ms"] and setting["error"] < 0.01 for setting in ketamech_engine["settings"])
    assert compare([ketamech_engine, theirs]) == []


def test_ours_has_its_own_tolerances_also_where_its_run_is_remembered(toy):
    loaded = {}
    (ours,) = measure(toy, [remembered(OURS, loaded)], QUICK, lambda line: None)
    assert [setting["tolerance"] for setting in ours["settings"]] == list(QUICK.our_tolerances)
    assert set(loaded) == {OURS.name}


def _ends(case):
    os.write(2, b"LLVM ERROR: no fixpoint\n")
    os.kill(os.getpid(), signal.SIGKILL)


def _ends_in_a_run(case):
    return lambda tolerance: _ends(case) if tolerance < 1e-3 else np.zeros((1, 2, 3))


@pytest.mark.skipif(not CAN_FORK, reason="needs processes that fork")
def test_an_engine_that_aborts_is_a_row_and_the_others_go_on(toy):
    broken = [isolated(replace(OURS, name=load.__name__, load=load)) for load in (_ends, _ends_in_a_run)]
    ours, at_once, later = measure(toy, [OURS, *broken], QUICK, lambda line: None)
    why = "aborts (SIGKILL): LLVM ERROR: no fixpoint"
    assert at_once["failed"] == why
    assert later["settings"][0]["failed"] == why
    assert all(setting["ms"] for setting in ours["settings"])
    assert compare([ours, at_once, later]) == []


@pytest.mark.skipif(not CAN_FORK, reason="needs processes that fork")
def test_an_engine_in_a_process_of_its_own_gives_the_same_curves_and_says_how_long_it_took(toy):
    run = isolated(replace(OURS, name="apart")).load(toy)
    assert np.array_equal(run(1e-6), OURS.load(toy)(1e-6))
    assert 0 < run.seconds < 60


def test_the_time_of_some_outputs_is_that_of_the_process_that_solved_them(toy):
    class Elsewhere:
        seconds = 12.0

        def __call__(self, tolerance):
            return np.zeros((2, TIMES.size, 3))

    some = replace(OURS, name="apart", load=lambda case: SomeOutputs(Elsewhere(), [0, 1, 2]), solves_groups=False)
    _, apart = measure(toy, [OURS, some], QUICK, lambda line: None)
    assert apart["settings"][0]["ms"] == [6000.0]


def test_the_share_of_the_kernel_by_hand_is_that_at_the_same_tolerance():
    def setting(tolerance, ms):
        return {"tolerance": tolerance, "ms": ms, "median_ms": ms[0], "error": 1e-5}

    ours = {"name": "ours", "settings": [setting(1e-3, [1.0, 1.0]), setting(1e-4, [2.0, 4.0])]}
    by_hand = {"name": BY_HAND, "label": "C", "settings": [setting(1e-4, [3.0, 4.0])], "beside": [0, 1]}
    assert [row["share"] for row in shares([ours, by_hand])] == [pytest.approx(1.25)]
    assert compare([ours, by_hand]) == []


def test_cores_are_given_back():
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot pin")
    before = os.sched_getaffinity(0)
    with one_core() as core:
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before


def test_an_unknown_peer_is_named():
    with pytest.raises(UnknownNameError, match="roadrunner"):
        select_engines(["roadruner"])


def test_a_quick_run_writes_what_it_says(tmp_path):
    page = tmp_path / "page.md"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "engines",
        "--quick",
        "--engines",
        "roadrunner",
        "--repeats",
        "1",
        "--out",
        str(tmp_path / "b"),
        "--markdown",
        str(page),
    ]
    done = subprocess.run(command, capture_output=True, cwd=Path(__file__).parents[3], check=False, timeout=240)
    assert done.returncode == 0, done.stderr.decode("utf-8", errors="replace")
    found = json.loads((tmp_path / "b" / "benchmark.json").read_text(encoding="utf-8"))
    expected = {"task", "machine", "versions", "quick", "reference", "peers", "comparison", "headline", "scaling"}
    assert expected | {
        "scaling_summary",
        "starts",
        "aims",
        "elsewhere",
        "slices",
        "by_hand",
        "roofline",
        "accuracy",
        "minutes",
    } == set(found)
    assert found["task"]["states"] == len(load_model().layout.states)
    for peer in (one for one in found["peers"] if one["installed"]):
        for setting in peer["settings"]:
            assert len(setting["ms"]) >= 1, (peer["name"], setting)
            assert np.isfinite(setting["error"]), (peer["name"], setting)  # how near others come is for them to keep
    (ketamech_engine,) = [one for one in found["peers"] if one["name"] == OURS.name]
    assert all(setting["error"] < 100 * setting["tolerance"] for setting in ketamech_engine["settings"])
    agreement = found["reference"]["agreement"]
    assert agreement["by"] is None or agreement["error"] < 1e-7
    assert (tmp_path / "b" / "benchmark.svg").stat().st_size > 5000
    assert (tmp_path / "b" / "benchmark.png").stat().st_size > 5000
    text = page.read_text(encoding="utf-8")
    assert "b/benchmark.svg" in text
    assert "mrgsolve 2.0" in text
