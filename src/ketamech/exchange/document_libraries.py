"""libSBML, libSEDML and libCombine, which read and write documents of other programs, and filling of elements."""

from __future__ import annotations

from typing import Any

from ketamech.core.optional_libraries import import_optional


def with_fields(element: Any, **values: Any) -> Any:
    """An element of an SBML, SED-ML or OMEX document after `element.setName(value)` for every field."""
    for name, value in values.items():
        getattr(element, f"set{name}")(value)
    return element


def libsbml() -> Any:
    """The libSBML module."""
    return import_optional("libsbml", "python-libsbml", "reading or writing SBML")


def libsedml() -> Any:
    """The libSEDML module."""
    return import_optional("libsedml", "python-libsedml", "SED-ML")


def libcombine() -> Any:
    """The libCombine module."""
    return import_optional("libcombine", "python-libcombine", "reading or writing an OMEX archive")
