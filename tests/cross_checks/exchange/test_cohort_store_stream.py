"""Cohorts on disk: what is finished can be read, whatever happens next."""

import errno
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from ketamech.core import InputError
from ketamech.core.checkpoint import open_checkpoint
from ketamech.exchange.cohort_store import read_cohort, require_disk_space, require_empty_folder, write_cohort
from ketamech.exchange.result_io import metadata_of

MODULE = sys.modules[write_cohort.__module__]
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
    return lambda firsts: (part(first, min(size, total - first)) for first in firsts)


def write(folder, parts, patients, about=None, *, chunk, resume=False):
    with open_checkpoint(folder, {"patients": patients}, about=about, resume=resume) as pieces:
        return write_cohort(pieces, parts, patients, chunk=chunk)


def test_chunks_come_back_as_one_dataset(tmp_path):
    state = write(tmp_path / "c", chunks(10, 4), 10, {"seed": 3}, chunk=4)
    found = read_cohort(tmp_path / "c")
    assert (state["finished"], state["failed"]) == (10, 0)
    assert found["a.b"].values == pytest.approx(np.arange(10)[:, None] + np.array([0.0, 0.5]))
    assert found["a.b"].attrs["units"] == "umol"
    assert found["time"].attrs["units"] == "h"
    assert (found["patient"] == np.arange(10)).all()
    assert found.attrs["seed"] == 3
    for place in ("cohort.zarr", "failures.csv"):
        assert metadata_of(tmp_path / "c" / place)["seed"] == 3, "carried away alone, it still says what it is"


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("cohort.json", '"seed": 3', '"seed": 4'),
        ("cohort.json", '"finished": 8', '"finished": 12'),
        ("cohort.zarr/a.b/zarr.json", '"umol"', '"mmol"'),
    ],
)
def test_what_describes_a_cohort_is_not_read_when_it_was_changed(path, old, new, tmp_path):
    def stopped(firsts):
        yield from chunks(8, 4)(firsts[:2])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "c", stopped, 12, {"seed": 3}, chunk=4)
    text = (tmp_path / "c" / path).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "c" / path).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=rf"'{path}' was changed"):
        read_cohort(tmp_path / "c")


def test_failures_are_counted_and_explained(tmp_path):
    state = write(tmp_path / "c", lambda firsts: [part(0, 4, bad=[2])], 4, chunk=4)
    assert state["failed"] == 1
    assert "2,\"not finite at 3 h, state a.b, term 'loss'\"" in (tmp_path / "c" / "failures.csv").read_text(
        encoding="utf-8"
    )
    found = read_cohort(tmp_path / "c")
    assert found["solved"].values.tolist() == [1, 1, 0, 1]
    assert np.isnan(found["a.b"].values[2]).all()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError])
def test_what_is_finished_survives_an_interruption(tmp_path, interruption):
    def broken(firsts):
        yield from chunks(8, 4)(firsts[:2])
        raise interruption

    with pytest.raises(interruption):
        write(tmp_path / "c", broken, 20, chunk=4)
    assert read_cohort(tmp_path / "c")["a.b"].values[:, 0].tolist() == list(range(8))


def test_a_full_disk_keeps_what_is_finished(tmp_path, monkeypatch):
    usual, calls = MODULE.write_chunk, []

    def full(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return usual(*arguments)

    monkeypatch.setattr(MODULE, "write_chunk", full)
    with pytest.raises(InputError, match="disk is full: 3 finished units are kept"):
        write(tmp_path / "c", chunks(20, 4), 20, chunk=4)
    assert read_cohort(tmp_path / "c").sizes["patient"] == 8


def test_more_than_the_disk_holds_is_refused_with_its_size(tmp_path):
    with pytest.raises(InputError, match=r"the results need 1\.05e\+03 TB and the disk has"):
        require_disk_space(tmp_path / "new" / "folder", 10**15)
    require_disk_space(tmp_path, 1000)


def test_what_is_there_of_a_cohort_needs_no_room_again(tmp_path, monkeypatch):
    (tmp_path / "cohort.zarr").mkdir()
    (tmp_path / "cohort.zarr" / "chunk").write_bytes(bytes(900))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=200))
    require_disk_space(tmp_path, 1000)
    with pytest.raises(InputError, match="the results need"):
        require_disk_space(tmp_path / "new", 1000)


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        require_empty_folder(tmp_path)
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("state", [None, "", "{", "[]", '{"finished": "x"}'])
def test_what_is_no_cohort_is_refused(tmp_path, state):
    if state is not None:
        (tmp_path / MODULE.STATE).write_text(state)
    with pytest.raises(InputError, match="holds no cohort"):
        read_cohort(tmp_path)


def files_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_resumed_cohort_is_the_same_file_for_file(tmp_path):
    def broken(firsts):
        yield from chunks(20, 4)(firsts[:2])
        raise KeyboardInterrupt

    write(tmp_path / "whole", chunks(20, 4), 20, {"seed": 3}, chunk=4)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "c", broken, 20, {"seed": 3}, chunk=4)
    asked = []
    write(tmp_path / "c", lambda firsts: asked.extend(firsts) or chunks(20, 4)(firsts), 20, chunk=4, resume=True)
    assert asked == [8, 12, 16]
    assert files_of(tmp_path / "c") == files_of(tmp_path / "whole")


def chunk_file(folder, number):
    return folder / "cohort.zarr" / "a.b" / "c" / str(number) / "0"


@pytest.mark.parametrize("how", ["removed", "truncated"])
def test_a_missing_or_cut_chunk_is_never_read_as_nan(tmp_path, how):
    write(tmp_path / "c", chunks(12, 4), 12, chunk=4)
    path = chunk_file(tmp_path / "c", 1)
    path.unlink() if how == "removed" else path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"a\.b/c/1/0' (is missing|has \d+ bytes instead of)"):
        read_cohort(tmp_path / "c")


def test_an_edited_chunk_is_refused_as_it_is_read_and_made_again_by_resuming(tmp_path):
    write(tmp_path / "c", chunks(12, 4), 12, chunk=4)
    path, whole = chunk_file(tmp_path / "c", 1), files_of(tmp_path / "c")
    raw = path.read_bytes()
    path.write_bytes(raw[:9] + bytes([raw[9] ^ 4]) + raw[10:])
    found = read_cohort(tmp_path / "c")
    with pytest.raises(Exception, match=r"(?i)checksum|crc"):
        found["a.b"].load()
    write(tmp_path / "c", chunks(12, 4), 12, chunk=4, resume=True)
    again = files_of(tmp_path / "c")
    assert {k: v for k, v in again.items() if "journal" not in k} == {
        k: v for k, v in whole.items() if "journal" not in k
    }


def test_while_a_chunk_is_made_again_only_what_stands_before_it_counts(tmp_path):
    write(tmp_path / "c", chunks(12, 4), 12, chunk=4)
    chunk_file(tmp_path / "c", 1).unlink()

    def stopped(firsts):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "c", stopped, 12, chunk=4, resume=True)
    assert read_cohort(tmp_path / "c").sizes["patient"] == 4
