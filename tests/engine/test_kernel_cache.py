"""Kernels kept on disk: found again, rebuilt when damaged, never half-written."""

import pytest

from ketamech.engine import kernel as kept
from ketamech.system import build
from toys import TABLE, kinetics


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path))
    return tmp_path


def test_a_kernel_is_written_once_and_found_again(folder):
    system = build(TABLE, [kinetics])
    first = kept._kept(folder / "k", system)
    stamp = first.stat().st_mtime_ns
    assert kept._kept(folder / "k", system) == first
    assert first.stat().st_mtime_ns == stamp
    assert not list((folder / "k").glob("*.tmp"))


def test_a_damaged_kernel_is_rebuilt(folder):
    system = build(TABLE, [kinetics])
    path = kept._kept(folder / "k", system)
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[: len(whole) // 2], encoding="utf-8")
    assert kept._kept(folder / "k", system).read_text(encoding="utf-8") == whole


def test_other_equations_are_another_kernel(folder):
    def extra(m):
        m.offers("extra.double", 2 * m.needs("kinetics.concentration", "umol/L"), "umol/L")

    assert kept._key(build(TABLE, [kinetics])) != kept._key(build(TABLE, [kinetics, extra]))
