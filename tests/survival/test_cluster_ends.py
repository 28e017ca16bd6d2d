"""A scheduler or workers that go away or stand still end a run with an error, and Ctrl-C ends it at once."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from ketamech.core import InputError, dask_executor
from ketamech.core.dask_executor import connect
from waits import PATIENCE, until_true

distributed = pytest.importorskip("distributed")
PAUSES = [0.05] * 24


@pytest.fixture
def short_waits(monkeypatch):
    for name, seconds in {
        "REPLY_SECONDS": 1.0,
        "RECONNECT_SECONDS": 1.0,
        "POLL_SECONDS": 0.2,
        "CLOSE_SECONDS": 1.0,
    }.items():
        monkeypatch.setattr(dask_executor, name, seconds)


@pytest.fixture
def scheduler(tmp_path):
    """The address and the process of a scheduler that has one worker, of two threads: units begin in any order."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    parts = {
        "scheduler": ["--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"],
        "worker": [address, "--nthreads", "2", "--no-dashboard", "--no-nanny", "--death-timeout", str(PATIENCE)],
    }
    began = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{name}", *words], cwd=tmp_path, stderr=subprocess.DEVNULL
        )
        for name, words in parts.items()
    ]
    try:
        until_true(lambda: is_listening(address))
        yield address, began[0]
    finally:
        for process in began:
            process.kill()
            process.wait(10)


def is_listening(address):
    try:
        dask_executor.require_listener(address)
    except ConnectionRefusedError:
        return False
    return True


def each_unit(address, then, one=time.sleep, units=PAUSES):
    """Do the units, and tell `then` the number of each and the cluster."""
    with connect(address) as dask:
        for number, _ in enumerate(dask.map(one, units)):
            then(number, dask)


def test_a_stalled_scheduler_is_reported(scheduler, request):
    address, process = scheduler

    def stop(number, _):
        if number == 2:
            request.getfixturevalue("short_waits")  # not before it is connected
            process.send_signal(signal.SIGSTOP)

    with pytest.raises(InputError, match="has not answered for"):
        each_unit(address, stop)


def test_ctrl_c_ends_a_wait_for_a_scheduler_that_stands_still(scheduler):
    address, process = scheduler
    interrupt = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))

    def stop(number, _):
        if number == 2:
            process.send_signal(signal.SIGSTOP)
            interrupt.start()

    with pytest.raises(KeyboardInterrupt):
        each_unit(address, stop)


def test_ctrl_c_ends_a_wait_for_a_unit_that_never_ends(scheduler):
    address, _ = scheduler
    interrupt = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        each_unit(address, lambda *_: interrupt.start(), units=[0.0, 3600.0])


def test_what_listens_and_never_answers_is_no_scheduler(short_waits):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(InputError, match="no scheduler answers at"), connect(address):
            pass


def close_a_loop_in_which_a_wait_ends(monkeypatch):
    """Dask waits a few milliseconds between two messages, in coroutines of Tornado, which are no tasks to cancel."""
    from tornado import gen, locks

    @gen.coroutine
    def between_messages():
        with contextlib.suppress(gen.TimeoutError):
            yield locks.Event().wait(timedelta(seconds=0.5))

    async def begin():
        between_messages()

    loop, usual, is_busy = dask_executor.EventLoop("waits"), dask_executor.wait_for_futures, threading.Event()

    def then_busy(*given):
        """The end of the wait and that of the loop fall together: the loop has been busy."""
        found = usual(*given)
        loop._loop.call_soon_threadsafe(lambda: (is_busy.set(), time.sleep(0.7)))
        assert is_busy.wait(PATIENCE)
        return found

    monkeypatch.setattr(dask_executor, "wait_for_futures", then_busy)
    monkeypatch.setattr(dask_executor, "LAST_WAITS_SECONDS", 0.7)
    loop.run_coroutine(begin, PATIENCE)
    loop.close()
    monkeypatch.undo()


def test_a_wait_of_dask_that_ends_with_the_loop_prints_nothing(monkeypatch, caplog):
    close_a_loop_in_which_a_wait_ends(monkeypatch)
    gc.collect()  # the message comes when the last reference to the wait goes
    assert "never retrieved" not in caplog.text


def test_a_result_that_goes_away_with_the_last_worker_is_not_awaited_for_ever(monkeypatch):
    """Units 1 and 2 are done, 1 is fetched, and the only copy of 2 goes away."""
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as made:

        def leave(number, dask):
            if number == 0:
                for name in ("RECONNECT_SECONDS", "POLL_SECONDS"):  # a slow scheduler may take longer to answer
                    monkeypatch.setattr(dask_executor, name, 0.5)
                until_true(lambda: all(each.status == "finished" for each in dask._client.futures.values()))
            if number == 1:
                made.scale(0)
                until_true(lambda: not made.scheduler.workers)

        with pytest.raises(InputError, match="all workers are lost"):
            each_unit(made.scheduler_address, leave)
