"""Machine code kept on disk: found again, rebuilt when damaged, never half-written."""

import errno
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from ketamech.engine import drug_free_steady_state
from ketamech.engine import kernel as kept
from ketamech.model.assemble import build_system
from toy_models import TABLE, kinetics


def counted(calls, **made):
    def make():
        calls.append(1)
        return made

    return make


def test_stored_results_are_read_again(folder):
    calls = []
    for _ in range(2):
        assert kept.cached_files(folder / "k", counted(calls, code=b"abc", facts=b"{}")) == {
            "code": b"abc",
            "facts": b"{}",
        }
    assert len(calls) == 1
    assert not list((folder / "k").glob("*.tmp"))


@pytest.mark.parametrize("damage", [b"", b"ab", b"abd"])
def test_damaged_files_are_computed_again(folder, damage):
    calls = []
    kept.cached_files(folder / "k", counted(calls, code=b"abc"))
    (folder / "k" / "code").write_bytes(damage)
    assert kept.cached_files(folder / "k", counted(calls, code=b"abc")) == {"code": b"abc"}
    assert (folder / "k" / "code").read_bytes() == b"abc"
    assert len(calls) == 2


@pytest.mark.parametrize("seals", ["", "{", "[]", "{}", '{"other": "x"}', "7"])
def test_files_with_damaged_checksums_are_computed_again(folder, seals):
    calls = []
    kept.cached_files(folder / "k", counted(calls, code=b"abc"))
    (folder / "k" / "checksums.json").write_text(seals, encoding="utf-8")
    assert kept.cached_files(folder / "k", counted(calls, code=b"abc")) == {"code": b"abc"}
    assert len(calls) == 2


@pytest.mark.parametrize("problem", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_without_a_writable_cache_results_are_computed_each_time(folder, problem, monkeypatch):
    def refused(*_):
        raise OSError(problem, os.strerror(problem))

    monkeypatch.setattr(os, "replace", refused)
    calls = []
    for _ in range(2):
        assert kept.cached_files(folder / "k", counted(calls, code=b"abc")) == {"code": b"abc"}
    assert len(calls) == 2
    assert not list((folder / "k").iterdir())


def test_stored_files_have_the_usual_permissions(folder):
    (folder / "usual").write_bytes(b"")
    kept.cached_files(folder / "k", counted([], code=b"abc"))
    assert (folder / "k" / "code").stat().st_mode == (folder / "usual").stat().st_mode


@pytest.fixture
def compiled_loops(monkeypatch):
    """The loops, which are the same for all kernels, compiled for all tests once and not in each empty cache."""
    code = kept.loops_object()
    monkeypatch.setattr(kept, "loops_object", lambda: code)


@pytest.mark.usefixtures("compiled_loops", "folder")
def test_a_warm_kernel_needs_no_equations():
    system = build_system(TABLE, [kinetics])
    said = []
    kept.Kernel(system.layout, lambda: system, said.append).compiled  # noqa: B018
    assert len(said) == 1
    assert "3 states" in said[0]
    warm = kept.Kernel(system.layout, pytest.fail, said.append)
    inputs = np.array([[TABLE[n].canonical for n in system.parameter_names]])
    state, found = drug_free_steady_state(warm, inputs)
    assert found.all()
    assert (state == 0).all()
    assert len(said) == 1


def test_a_first_start_with_what_comes_with_the_wheel_needs_no_equations(tmp_path, monkeypatch):
    system = build_system(TABLE, [kinetics])
    prebuilt = tmp_path / "prebuilt"
    compiled = SimpleNamespace(stdout=json.dumps(dict(enumerate(kept.driver_texts(kept.ARGUMENTS)))))  # by Numba
    monkeypatch.setattr("ketamech.core.environment.PREBUILT", tmp_path / "nothing")
    monkeypatch.setenv("KETAMECH_CACHE", str(prebuilt))
    monkeypatch.setattr(kept.subprocess, "run", lambda *_, **__: compiled)
    kept.Kernel(system.layout, lambda: system).generate()
    monkeypatch.setattr("ketamech.core.environment.PREBUILT", prebuilt)
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(kept.subprocess, "run", pytest.fail)  # Numba
    first = kept.Kernel(system.layout, pytest.fail)
    inputs = np.array([[TABLE[n].canonical for n in system.parameter_names]])
    assert drug_free_steady_state(first, inputs)[1].all()


@pytest.mark.parametrize("source", ["engine/codegen/rosenbrock.py", "model/rates_and_jacobian.py"])
def test_another_source_of_the_generated_code_is_another_kernel(source, tmp_path):
    from ketamech.core.environment import PACKAGE, source_hash
    from ketamech.engine.packaged_kernel import CODE_GENERATOR

    for name in ("engine/codegen/rosenbrock.py", "model/rates_and_jacobian.py", "model/assemble.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((PACKAGE / name).read_bytes())
    before = source_hash(*CODE_GENERATOR, root=tmp_path)
    (tmp_path / source).write_text("# edited", encoding="utf-8")
    assert source_hash(*CODE_GENERATOR, root=tmp_path) != before


def test_two_threads_share_one_kernel_of_a_scope():
    """The second thread must never see a kernel whose scope is not set yet."""
    from concurrent.futures import ThreadPoolExecutor

    system = build_system(TABLE, [kinetics])
    kernel = kept.Kernel(system.layout, pytest.fail)
    scope = SimpleNamespace(name="levels")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: kernel.within(scope), range(200)))
    assert {id(one) for one in found} == {id(found[0])}
    assert found[0].scope is scope
