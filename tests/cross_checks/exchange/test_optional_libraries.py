"""Modules of the optional dependencies: the table names those of pyproject.toml, and errors say what to install."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ketamech.core import InputError
from ketamech.core.optional_libraries import EXTRAS, how_to_install, import_optional

PROJECT = Path(__file__).parents[3] / "pyproject.toml"
NOT_LOCKED = {"amici", "tellurium"}  # extras that `dev` does not contain


def test_every_module_belongs_to_a_package_of_its_extra():
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    packages = packages_distributions()
    for extra, modules in EXTRAS.items():
        listed = " ".join(extras[extra]).lower()
        for module in modules:
            names = [name.lower() for name in packages.get(module, [])]
            assert not names or any(name in listed for name in names), (extra, module)


def test_the_lock_holds_every_package_that_is_declared():
    """`make lock` after a change of pyproject.toml; the environment of `make` is installed from the lock alone."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = {name: rows for name, rows in project["optional-dependencies"].items() if name not in NOT_LOCKED}
    rows = [row for part in (project["dependencies"], *extras.values()) for row in part]
    lock = PROJECT.with_name("requirements.lock").read_text(encoding="utf-8")
    declared, locked = (
        {re.sub(r"[-_.]+", "-", name).lower() for name in names}
        for names in (re.findall(r"^[\w.-]+", "\n".join(rows), re.M), re.findall(r"^([\w.-]+)==", lock, re.M))
    )
    assert declared - {project["name"]} <= locked


def test_an_error_names_the_extra():
    assert how_to_install("petab.v2") == 'pip install "ketamech[exchange]"'
    assert how_to_install("nowhere") == "pip install nowhere"
    with pytest.raises(InputError, match="reading needs Nowhere") as caught:
        import_optional("nowhere_at_all", "Nowhere", "reading")
    assert "pip install nowhere_at_all" in str(caught.value)
