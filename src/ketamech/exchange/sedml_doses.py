"""Doses back from SED-ML, alone or in an OMEX archive: those of the model that it names, for as long as it looks."""

from __future__ import annotations

import re
from contextlib import suppress
from math import isfinite
from pathlib import Path

from ketamech.core import InputError
from ketamech.exchange.omex import read_archive
from ketamech.exchange.sbml.reader import text_of
from ketamech.exchange.sedml import libsedml, read_time_courses

ARCHIVE = ".omex"
_TARGET = re.compile(r".*parameter\[@id='(\w+)'\](/@value)?$")


def model_of_sedml(path: Path) -> tuple[str, float, dict[str, float]]:
    """SBML text, the last hour that is looked at, and values (by SBML id) that are changed beforehand.

    Raises BadInput, naming it, for a change that is more than a value, and for a model that is not beside the file.
    """
    files = read_archive(path) if path.suffix.lower() == ARCHIVE else {}
    place = next((name for name in files if name.endswith(".sedml")), "")
    if files and not place:
        raise InputError("the archive holds no SED-ML", file=path, expected="a file ending in .sedml")
    text = files[place] if files else text_of(path)
    source, courses = read_time_courses(text)
    if not courses:
        raise InputError("nothing is simulated", file=path, expected="a uniform time course")
    changed = _changed(text, path)
    name = source.removeprefix("./")
    if files and name not in files:
        raise InputError(f"the archive holds no '{name}'", file=path, expected="the model that its SED-ML names")
    if not files and (Path(name).is_absolute() or ".." in Path(name).parts or "://" in name):
        raise InputError(f"the model '{name}' is not beside this file", file=path, expected="a file beside it")
    return files[name] if files else text_of(path.parent / name), max(one.end for one in courses), changed


def _changed(text: str, path: Path) -> dict[str, float]:
    document = libsedml().readSedMLFromString(text)  # its parts die with it
    model = document.getModel(0)
    found = {}
    for one in (model.getChange(i) for i in range(model.getNumChanges())):
        kind, where = one.getElementName(), one.getTarget()
        target, value = _TARGET.match(where), None
        if target and kind == "changeAttribute":
            with suppress(ValueError):
                value = float(one.getNewValue())
        if target is None or value is None or not isfinite(value):
            what = f"the SED-ML changes more than a value ({kind} of {where[:80]})"
            raise InputError(what, file=path, expected="changeAttribute of the value of a parameter")
        found[target[1]] = value
    return found
