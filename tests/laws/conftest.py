"""Fixtures of the laws: the small system of toy_models with its machine code, and a cache folder of its own."""

import pytest

from ketamech.engine import load_kernel
from ketamech.model.assemble import build_system
from toy_models import TABLE, kinetics, response


@pytest.fixture(scope="module")
def system():
    """The system of `toy_models.kinetics` and `toy_models.response`."""
    return build_system(TABLE, [kinetics, response])


@pytest.fixture(scope="module")
def kernel(system):
    """Compiled code of the small system."""
    return load_kernel(system.layout, lambda: system)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path))
    return tmp_path
