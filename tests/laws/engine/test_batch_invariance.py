"""Many patients at once: nobody's numbers depend on who else is there, how many threads, or how wide the group."""

from dataclasses import replace

import numpy as np
import pytest

from ketamech.core import InputError, UnknownNameError
from ketamech.engine import drug_free_steady_state, events, solve, table
from ketamech.engine import kernel as kernels
from toy_models import TABLE

TIMES = np.array([0.5, 1.0, 4.0, 12.0, 24.0, 48.0])
COUNT = 37


@pytest.fixture(scope="module")
def people(kernel):
    """Patients who differ in every parameter, and a treatment of their own for each."""
    chance = np.random.Generator(np.random.Philox(7))
    usual = np.array([TABLE[name].canonical for name in kernel.layout.parameter_names])
    inputs = np.column_stack([usual * np.exp(0.3 * chance.standard_normal((COUNT, usual.size))), np.zeros(COUNT)])
    start, found = drug_free_steady_state(kernel, inputs)
    assert found.all()
    return start, inputs, [treatment(i) for i in range(COUNT)]


def treatment(i):
    """A bolus for everyone, an infusion for every other, a late second bolus for every third."""
    rows = [(0.1 * (i % 4), 0, 0, 20.0 + i)]
    if i % 2:
        rows += [(2.0, 1, 0, 5.0 + i), (3.0 + 0.1 * i, 1, 0, -5.0 - i)]
    if i % 3 == 0:
        rows.append((20.0 + 0.05 * i, 0, 0, 10.0))
    return events(rows)


@pytest.fixture(scope="module")
def together(kernel, people):
    return solve(kernel, *people, TIMES)


def some(people, which):
    start, inputs, given = people
    return start[which], inputs[which], [given[i] for i in which]


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_the_number_of_threads_changes_no_bit(kernel, people, together, threads):
    assert (solve(kernel, *people, TIMES, threads=threads).values == together.values).all()


@pytest.mark.parametrize("which", [[5], [5, 3], [36, 0, 17], list(range(36, -1, -1)), list(range(9, 30))])
def test_company_and_order_change_no_bit(kernel, people, together, which):
    assert (solve(kernel, *some(people, which), TIMES).values == together.values[which]).all()


@pytest.mark.parametrize("lanes", [4, 8])
def test_the_number_of_lanes_changes_no_bit(kernel, people, together, lanes, tmp_path, monkeypatch):
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path))  # compiled code of other lanes would be used
    monkeypatch.setattr(kernels, "cpu_lanes", lambda: lanes)
    own = kernels.Kernel(kernel.layout, kernel.build_system)
    assert own.compiled_for("cpu", COUNT).lanes == lanes
    assert (solve(own, *people, TIMES).values == together.values).all()


def test_a_rest_state_does_not_depend_on_company(kernel, people):
    start, inputs, _ = people
    for i in (0, 11, COUNT - 1):
        alone = inputs[i : i + 1].copy()
        alone[:, -1] = 0.0
        state, _ = drug_free_steady_state(kernel, alone, threads=2)
        assert (state[0] == start[i]).all()
        assert (alone[0] == inputs[i]).all()


def test_everyone_is_as_accurate_as_alone_with_tight_tolerance(kernel, people, together):
    exact = solve(kernel, *people, TIMES, tolerance=1e-11)
    scale = np.abs(exact.values).max(axis=(0, 1)) + 1e-9
    assert np.abs(together.values - exact.values).max(axis=(0, 1)) / scale == pytest.approx(0, abs=1e-4)


def test_fewer_outputs_are_the_same_numbers(kernel, people, together):
    names = ("response.rise", "kinetics.central")
    found = solve(kernel, *people, TIMES, outputs=names)
    assert found.names == names
    assert found.values.shape == (COUNT, TIMES.size, 2)
    assert (found.of("kinetics.central") == together.of("kinetics.central")).all()
    assert (found.of("response.rise") == together.of("response.rise")).all()


def test_each_patient_may_have_times_of_his_own(kernel, people):
    own = np.array([TIMES + 0.01 * i for i in range(COUNT)])
    found = solve(kernel, *people, own)
    for i in (0, 8, 36):
        alone = solve(kernel, *some(people, [i]), own[i])
        assert (alone.values[0] == found.values[i]).all()


def test_a_table_of_events_is_the_same_as_a_list(kernel, people, together):
    start, inputs, given = people
    owner = np.concatenate([np.full(e.time.size, i) for i, e in enumerate(given)])
    columns = [np.concatenate([getattr(e, part) for e in given]) for part in ("time", "kind", "state", "size")]
    mixed = np.random.Generator(np.random.Philox(1)).permutation(owner.size)
    one_table = table(COUNT, owner[mixed], *(column[mixed] for column in columns))
    assert (solve(kernel, start, inputs, one_table, TIMES).values == together.values).all()


def test_one_bad_patient_changes_no_other_bit(kernel, people, together):
    start, inputs, given = people
    sick = inputs.copy()
    sick[13, kernel.layout.parameter_names.index("toy.delay")] = np.nan
    found = solve(kernel, start, sick, given, TIMES, threads=2)
    others = np.arange(COUNT) != 13
    assert (found.values[others] == together.values[others]).all()
    assert np.isnan(found.values[13]).all()
    assert found.reason(13) == "not finite at 0.1 h, state response.site, term 'equilibration'"
    assert (found.status != 0).sum() == 1


def test_too_few_steps_are_reported_and_tried_again(kernel, people):
    found = solve(kernel, *people, TIMES, max_steps=5)
    assert (found.status == 1).all()
    assert (found.tries == 3).all()
    assert found.reason(0).startswith("too many steps at ")
    assert np.isnan(found.values).all()


def test_a_run_continues_from_the_last_state(kernel, people):
    start, inputs, given = people
    whole = solve(kernel, start, inputs, given, np.array([48.0]), tolerance=1e-9)
    half = solve(kernel, start, inputs, given, np.array([40.0]), tolerance=1e-9)
    rest_of_it = solve(kernel, half.final_state, inputs, [events([])] * COUNT, np.array([0.0, 8.0]), tolerance=1e-9)
    assert rest_of_it.final_state == pytest.approx(whole.final_state, rel=1e-6, abs=1e-8)


def test_what_makes_no_sense_is_refused(kernel, people):
    with pytest.raises(UnknownNameError, match=r"response\.rise"):
        solve(kernel, *people, TIMES, outputs=["response.ries"])
    with pytest.raises(InputError, match="0 threads"):
        solve(kernel, *people, TIMES, threads=0)
    with pytest.raises(InputError, match="ascending order"):
        solve(kernel, *people, TIMES[::-1])


def test_the_clock_may_begin_before_zero(kernel, people):
    """Nothing depends on the hour alone: everything 8 h earlier gives the same values."""
    start, inputs, given = people
    earlier = [replace(own, time=own.time - 8.0) for own in given]
    found, usual = (solve(kernel, start, inputs, g, t).values for g, t in ((earlier, TIMES - 8.0), (given, TIMES)))
    assert found == pytest.approx(usual, rel=1e-9, abs=1e-12)


def test_an_infusion_leaves_nothing_running(kernel, people):
    start, inputs, _ = people
    given = [events([(0.0, 1, 0, 0.1), (1.0, 1, 0, 0.2), (2.0, 1, 0, -0.1), (3.0, 1, 0, -0.2)])] * COUNT
    amounts = solve(kernel, start, inputs, given, np.array([50.0, 500.0])).values[:, :, :3].sum(axis=2)
    assert amounts == pytest.approx(np.full((COUNT, 2), 0.6), rel=1e-12)


def test_doses_every_day_reach_the_periodic_steady_state(kernel):
    """One compartment: at steady state the amount after a dose is D / (1 - exp(-k tau))."""
    usual = np.array([[TABLE[name].canonical for name in kernel.layout.parameter_names] + [0.0]])
    usual[0, kernel.layout.parameter_names.index("toy.exchange")] = 0.0
    start, _ = drug_free_steady_state(kernel, usual)
    given = [events([(24.0 * day, 0, 0, 100.0) for day in range(20)])]
    found = solve(kernel, start, usual, given, np.array([19 * 24.0, 19 * 24.0 + 6.0]), tolerance=1e-10)
    k = 10 / 20
    after = 100.0 / (1 - np.exp(-k * 24))
    assert found.of("kinetics.central")[0] == pytest.approx([after, after * np.exp(-6 * k)], rel=1e-7)
