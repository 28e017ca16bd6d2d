"""A real scheduler with workers in other processes, on loopback: the same bits, and a killed worker costs its unit."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from ketamech.core import InputError
from ketamech.core.checkpoint import open_checkpoint
from ketamech.core.dask_executor import connect
from ketamech.core.execution import Executor

distributed = pytest.importorskip("distributed")
UNITS = {f"u{i}": i for i in range(24)}


def slowly(number):
    """A unit of 0.15 s that says who did it."""
    time.sleep(0.15)
    return {"value": np.sqrt(np.arange(number + 1.0)), "worker": np.array(os.getpid())}


def counted(unit):
    """The same, and a line for each time that it is begun: which, and by whom."""
    number, log = unit
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{number} {os.getpid()}\n")
    return slowly(number)


def deadly(number):
    os.kill(os.getpid(), signal.SIGKILL)


def wrongly(number):
    raise InputError(f"unit {number} cannot be done", key="--seed")


@pytest.fixture(scope="module")
def cluster():
    """Two workers of one thread each, in processes of their own; one that dies comes back."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, memory_limit=0
    ) as made:
        yield made


def test_units_come_back_in_order_and_from_several_workers(cluster):
    with connect(cluster.scheduler_address) as dask:
        found = list(Executor(cluster=dask).map(UNITS, slowly))
    assert [len(each["value"]) for each in found] == list(range(1, 25))
    workers = {int(each["worker"]) for each in found}
    assert len(workers) > 1
    assert os.getpid() not in workers


def test_a_killed_worker_loses_only_its_unit(cluster, tmp_path):
    log = tmp_path / "begun.txt"
    with connect(cluster.scheduler_address) as dask, open_checkpoint(tmp_path, {}) as pieces:
        found, killed = [], None
        for each in Executor(pieces, dask).map({name: (i, log) for name, i in UNITS.items()}, counted):
            found.append(each)
            if len(found) == 6:
                killed = int(each["worker"])
                os.kill(killed, signal.SIGKILL)
        assert sorted(pieces) == sorted(UNITS)
    assert all(np.array_equal(each["value"], slowly(i)["value"]) for i, each in enumerate(found))
    assert any(int(each["worker"]) != killed for each in found[6:])
    begun = [tuple(map(int, line.split())) for line in log.read_text(encoding="utf-8").splitlines()]
    times = Counter(number for number, _ in begun)
    again = [number for number in times if times[number] > 1]
    assert set(times) == set(range(len(UNITS)))
    assert max(times.values()) <= 2
    assert all((number, killed) in begun for number in again)  # what the others did is not done again


def test_an_error_of_ours_comes_back_as_it_is(cluster):
    with (
        connect(cluster.scheduler_address) as dask,
        pytest.raises(InputError, match=r"unit \d+ cannot be done") as problem,
    ):
        list(Executor(cluster=dask).map(UNITS, wrongly))
    assert problem.value.key == "--seed"


def test_a_worker_of_another_version_is_refused(cluster, monkeypatch):
    import ketamech.core.dask_executor as kit

    usual = kit.environment()
    monkeypatch.setattr(kit, "environment", lambda: {**usual, "numpy": "1.0"})
    with pytest.raises(InputError, match=r"the worker at 'tcp.*' has numpy"), connect(cluster.scheduler_address):
        pass


def test_a_worker_that_connects_later_is_checked_too(cluster, monkeypatch):
    import ketamech.core.dask_executor as kit

    usual = kit.environment()
    with connect(cluster.scheduler_address) as dask:
        monkeypatch.setattr(kit, "environment", lambda: {**usual, "sources": "edited"})
        with pytest.raises(InputError, match=r"has sources \w+, and this process edited"):
            list(Executor(cluster=dask).map(UNITS, slowly))


def test_sources_that_were_edited_bear_another_mark(tmp_path):
    from ketamech.core import environment

    for path, text in (("trials/visit_ratings.py", "x = 1"), ("data/scales/scales.csv", "1"), ("cli/main.py", "1")):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    marks = [environment.numerical_sources(tmp_path)]
    for path in ("trials/visit_ratings.py", "data/scales/scales.csv"):
        (tmp_path / path).write_text("other", encoding="utf-8")
        marks.append(environment.numerical_sources(tmp_path))
    (tmp_path / "cli/main.py").write_text("other", encoding="utf-8")
    assert environment.numerical_sources(tmp_path) == marks[-1]  # what draws and prints decides on no number
    assert len(set(marks)) == 3


def test_a_worker_without_the_package_is_named(tmp_path):
    (tmp_path / "ketamech.py").write_text("raise ModuleNotFoundError('no', name='ketamech')", encoding="utf-8")
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as made:
        words = ["-m", "distributed.cli.dask_worker", made.scheduler_address, "--nthreads", "1", "--no-dashboard"]
        command = [sys.executable, *words, "--local-directory", str(tmp_path)]
        worker = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(tmp_path)}, stderr=subprocess.DEVNULL)
        try:
            with pytest.raises(InputError, match="has no module 'ketamech'"), connect(made.scheduler_address):
                pass
        finally:
            worker.terminate()
            worker.wait(10)


def test_a_unit_that_ends_every_worker_is_reported(cluster, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with (
        connect(cluster.scheduler_address) as dask,
        pytest.raises(InputError, match="every worker that ran this unit stopped"),
    ):
        list(Executor(cluster=dask).map({"u0": 0}, deadly))


def do_and_leave(address, pieces, leave):
    """Begin the units, and let the cluster go away when three are there."""
    with connect(address) as dask:
        for number, _ in enumerate(Executor(pieces, dask).map(UNITS, slowly)):
            if number == 2:
                leave()


@pytest.mark.parametrize("ending", ["workers", "scheduler"])
def test_a_lost_cluster_is_reported_and_finished_units_are_kept(ending, tmp_path, monkeypatch):
    import ketamech.core.dask_executor as kit

    monkeypatch.setattr(kit, "RECONNECT_SECONDS", 1.0)
    monkeypatch.setattr(kit, "POLL_SECONDS", 0.5)
    with distributed.LocalCluster(n_workers=1, host="127.0.0.1", dashboard_address=None, memory_limit=0) as made:
        said = {"workers": "all workers are lost", "scheduler": "the scheduler is lost"}[ending]
        leave = {"workers": lambda: made.scale(0), "scheduler": made.close}[ending]
        with open_checkpoint(tmp_path, {}) as pieces, pytest.raises(InputError, match=said):
            do_and_leave(made.scheduler_address, pieces, leave)
        assert 3 <= len(list(pieces)) < len(UNITS)


def test_an_address_without_an_answer_is_reported(monkeypatch):
    monkeypatch.setattr("ketamech.core.dask_executor.REPLY_SECONDS", 0.5)
    for address in ("tcp://127.0.0.1:9", "nonsense", "gopher://x", "tcp://127.0.0.1", "tcp://127.0.0.1:99999"):
        with pytest.raises(InputError, match="no scheduler answers at"), connect(address):
            pass


def test_a_trial_a_cohort_and_a_screen_have_the_same_bits_on_a_cluster(cluster, model, tmp_path):
    from ketamech.analysis import sensitivity
    from ketamech.population.cohort import Cohort
    from ketamech.simulation.load_scenario import load_scenario
    from ketamech.trials.run_trial import run_trial
    from ketamech.trials.trial_reader import shipped_trial

    given = load_scenario("racemic 0.5 mg/kg IV over 40 min")
    cohort = Cohort(model, given, 64, ("mood.madrs", "spines.density"), np.array([0.0, 24.0, 168.0]), chunk=16)
    rows = sensitivity.varied_parameters(model, ["mood"])
    question = sensitivity.SensitivityProblem(
        model, given, sensitivity.parse_endpoints("mood.madrs at 24 h", model), rows
    )
    trial = shipped_trial("murrough2013")
    here = run_trial(trial, model, replicates=3)
    with connect(cluster.scheduler_address) as dask:
        there = run_trial(trial, model, replicates=3, executor=Executor(cluster=dask))
        parts = {int(part.patient[0]): part for part in cohort.chunks(cluster=dask)}
        assert all(part.identical(parts[int(part.patient[0])]) for part in cohort.chunks())
        elsewhere = sensitivity.SensitivityProblem(
            model, given, question.endpoints, rows, executor=Executor(cluster=dask)
        )
        ranks = np.random.default_rng(1).random((20, len(rows)))
        assert np.array_equal(question.evaluate(ranks), elsewhere.evaluate(ranks))
    assert here.identical(there)
    assert all(here[name].values.tobytes() == there[name].values.tobytes() for name in here.data_vars)


def test_a_calibration_and_a_search_of_regimens_have_the_same_bits_on_a_cluster(cluster, model):
    from dataclasses import replace

    from ketamech.analysis import regimen_search
    from ketamech.calibration.calibration_problem import shipped_problem
    from ketamech.trials.posterior_draws import load_posterior

    task = shipped_problem(model, patients_per_arm=10, threads=1)
    task = replace(task, rows=task.rows[:2])
    points = np.random.default_rng(3).normal(size=(4, len(task.estimated))) / 4
    asked = [regimen_search.CandidateRegimen("one", "racemic 0.5 mg/kg IV over 40 min weekly for 1 weeks")]
    how = {"weeks": 1, "patients": 10, "posterior": load_posterior()[:4]}
    with connect(cluster.scheduler_address) as dask:
        work = Executor(cluster=dask)
        assert np.array_equal(
            task.simulated_statistics(points), replace(task, executor=work).simulated_statistics(points)
        )
        here, there = (
            regimen_search.compare_regimens(model, asked, **how),
            regimen_search.compare_regimens(model, asked, **how, work=work),
        )
    assert here.equals(there)
