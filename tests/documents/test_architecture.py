"""The packages: imports point one way, nothing imports in a circle, and the document draws what is there."""

import inspect
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import architecture


@pytest.mark.parametrize("name", architecture.PACKAGES)
def test_a_package_imports_only_packages_above_it(name):
    wrong = [
        f"{module} imports {other}"
        for module, path in architecture.MODULES.items()
        if architecture.package(module) == name
        for other in sorted(architecture.imports(path))
        if (theirs := architecture.package(other))
        and architecture.PACKAGES.index(theirs) > architecture.PACKAGES.index(name)
    ]
    assert not wrong


def test_every_package_is_in_the_order():
    folders = {path.name for path in architecture.SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(architecture.PACKAGES)


def test_no_modules_import_one_another_in_a_circle():
    assert architecture.cycles() == []


def test_no_module_imports_the_face_of_the_package():
    faces = {
        module
        for module, path in architecture.MODULES.items()
        if architecture.package(module) and "ketamech" in architecture.imports(path)
    }
    assert {module for module in faces if module.split(".")[1] not in ("app", "cli", "report", "core")} == set()


def test_the_document_draws_the_packages_of_today():
    assert architecture.DOCUMENT.read_text(encoding="utf-8") == architecture.written()


def test_the_way_of_a_dose_in_the_document_exists():
    """Each step of the document names a function that can be imported."""
    import importlib
    import re

    text = architecture.DOCUMENT.read_text(encoding="utf-8")
    steps = re.findall(r"^\d+\. `(ketamech[\w.]+)\.(\w+)`", text, re.M)
    assert len(steps) >= 6
    for module, name in steps:
        owner = module
        try:
            found = getattr(importlib.import_module(owner), name)
        except ModuleNotFoundError:
            owner, _, outer = module.rpartition(".")
            found = getattr(getattr(importlib.import_module(owner), outer), name)
        assert inspect.isfunction(found) or inspect.isclass(found) or inspect.ismethod(found), (module, name)


def test_every_module_with_at_most_one_importer_has_a_reason():
    """A module that only one other imports usually belongs in it; tests/documents/single_importers.csv says why not."""
    modules, reasons = architecture.single_importers(), architecture.reasons()
    explained = {name for pattern in reasons for name in architecture.matching(pattern, modules)}
    assert not sorted(set(modules) - explained), "merge these with their importer, or state a reason"
    assert not [p for p in reasons if not architecture.matching(p, modules)], "no such module with one importer"
    assert all(len(reason.split()) > 2 for reason in reasons.values())


def test_a_module_with_one_importer_is_found():
    modules = architecture.single_importers()
    assert modules["trials.decision_reader"] == "trials.trial_reader"
    assert "dosing.regimen" not in modules
    assert "dosing" not in modules
