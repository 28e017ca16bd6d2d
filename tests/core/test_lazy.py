"""Names that are loaded when they are first used are listed before."""

import importlib
import inspect
import subprocess
import sys

import pytest

PACKAGES = [
    "ketamech", "ketamech.analysis", "ketamech.analysis.claims", "ketamech.trials.analysis", "ketamech.app",
    "benchmarks", "ketamech.report", "ketamech.model.stages", "ketamech.study", "ketamech.model",
]  # fmt: skip


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_lists_its_public_names_and_nothing_private(name):
    module = importlib.import_module(name)
    listed = dir(module)
    assert set(module.__all__) <= set(listed)
    assert {"__name__", "__doc__"} <= set(listed)
    assert {one for one in listed if not one.startswith("__")} == set(module.__all__)
    assert listed == sorted(listed)


def test_listing_loads_nothing():
    program = "import sys, ketamech; dir(ketamech); print(sorted({'numpy', 'ketamech.study'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    assert found.stdout.strip() == "[]"


def test_what_is_listed_can_be_had():
    ketamech = importlib.import_module("ketamech")
    members = dict(inspect.getmembers(ketamech))
    assert callable(members["simulate"])
    assert members["__version__"] == ketamech.__version__
