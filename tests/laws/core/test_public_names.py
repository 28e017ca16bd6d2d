"""Public names of the package are listed before they are loaded."""

import importlib
import inspect
import subprocess
import sys


def test_the_package_lists_its_public_names_and_nothing_private():
    module = importlib.import_module("ketamech")
    listed = dir(module)
    assert {"__name__", "__doc__"} <= set(listed)
    assert {one for one in listed if not one.startswith("__")} == set(module.__all__)
    assert listed == sorted(listed)


def test_listing_loads_nothing():
    program = "import sys, ketamech; dir(ketamech); print(sorted({'numpy', 'ketamech.simulation'} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"


def test_a_model_brings_the_methods_of_its_results():
    """`dataset.ketamech` exists wherever a public class can make a Dataset."""
    program = "import ketamech, xarray; ketamech.Model; print(hasattr(xarray.Dataset, 'ketamech'))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, timeout=180
    )
    assert found.stdout.strip() == "True"


def test_what_is_listed_can_be_loaded():
    ketamech = importlib.import_module("ketamech")
    members = dict(inspect.getmembers(ketamech))
    assert set(ketamech.__all__) <= set(members)
    assert callable(members["simulate"])
    assert members["__version__"] == ketamech.__version__
