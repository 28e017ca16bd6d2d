"""Cohorts on disk: what is finished can be read, whatever happens next."""

import errno
import sys

import numpy as np
import pytest
import xarray as xr

from ketamech.core import BadInput
from ketamech.exchange import read_cohort, refuse_small_disk, stream

MODULE = sys.modules[stream.__module__]
TIMES = np.array([0.0, 24.0])


def part(first, count, bad=()):
    values = np.arange(first, first + count)[:, None] + np.array([0.0, 0.5])
    status = np.full(count, "ok", dtype=object)
    for i in bad:
        values[i], status[i] = np.nan, "not finite at 3 h, state a.b, term 'loss'"
    return xr.Dataset(
        {"a.b": (("patient", "time"), values, {"units": "umol", "long_name": "amount"})},
        {
            "patient": np.arange(first, first + count),
            "time": ("time", TIMES, {"units": "h"}),
            "solve_status": ("patient", status),
            "solve_steps": ("patient", np.full(count, 9)),
        },
    )


def chunks(total, size):
    for first in range(0, total, size):
        yield part(first, min(size, total - first))


def test_chunks_come_back_as_one_dataset(tmp_path):
    state = stream(tmp_path / "c", chunks(10, 4), 10, {"seed": 3}, chunk=4)
    found = read_cohort(tmp_path / "c")
    assert (state["finished"], state["failed"]) == (10, 0)
    assert found["a.b"].values == pytest.approx(np.arange(10)[:, None] + np.array([0.0, 0.5]))
    assert found["a.b"].attrs["units"] == "umol"
    assert found["time"].attrs["units"] == "h"
    assert (found["patient"] == np.arange(10)).all()
    assert found.attrs["seed"] == 3


def test_failures_are_counted_and_explained(tmp_path):
    state = stream(tmp_path / "c", [part(0, 4, bad=[2])], 4, {}, chunk=4)
    assert state["failed"] == 1
    assert "2,\"not finite at 3 h, state a.b, term 'loss'\"" in (tmp_path / "c" / "failures.csv").read_text(
        encoding="utf-8"
    )
    found = read_cohort(tmp_path / "c")
    assert found["solved"].values.tolist() == [1, 1, 0, 1]
    assert np.isnan(found["a.b"].values[2]).all()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError])
def test_what_is_finished_survives_an_interruption(tmp_path, interruption):
    def broken():
        yield from chunks(8, 4)
        raise interruption

    with pytest.raises(interruption):
        stream(tmp_path / "c", broken(), 20, {}, chunk=4)
    assert read_cohort(tmp_path / "c")["a.b"].values[:, 0].tolist() == list(range(8))


def test_a_full_disk_keeps_what_is_finished(tmp_path, monkeypatch):
    write, calls = MODULE._write, []

    def full(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(MODULE, "_write", full)
    with pytest.raises(BadInput, match="disk is full: 8 of 20 patients are kept"):
        stream(tmp_path / "c", chunks(20, 4), 20, {}, chunk=4)
    assert read_cohort(tmp_path / "c").sizes["patient"] == 8


def test_more_than_the_disk_holds_is_refused_with_its_size(tmp_path):
    with pytest.raises(BadInput, match=r"the results need 1\.05e\+03 TB and the disk has"):
        refuse_small_disk(tmp_path / "new" / "folder", 10**15)
    refuse_small_disk(tmp_path, 1000)


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(BadInput, match="not empty"):
        stream(tmp_path, chunks(4, 4), 4, {}, chunk=4)
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("state", [None, "", "{", "[]", '{"finished": "x"}'])
def test_what_is_no_cohort_is_refused(tmp_path, state):
    if state is not None:
        (tmp_path / MODULE.STATE).write_text(state)
    with pytest.raises(BadInput, match="holds no cohort"):
        read_cohort(tmp_path)
