"""An SBML file -> a document of Level 3 with functions expanded and local parameters promoted, or a refusal by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ketamech.core import InputError
from ketamech.exchange.sbml.document import libsbml

LARGEST_FILE = 50_000_000
LEVEL, VERSION = 3, 1
CONVERSIONS = ("promoteLocalParameters", "expandFunctionDefinitions", "expandInitialAssignments")
HARMLESS = ("layout", "render", "groups", "annot", "l3v2extendedmath")  # the last: its functions are refused by name


def read_document(path: Path) -> Any:
    """A libSBML document ready to be translated. Raises BadInput for a file that is no valid SBML, or not supported.

    Keep the document for as long as anything in it is used: its parts die with it.
    """
    names = libsbml()
    document = names.readSBMLFromString(text_of(path))
    _refuse_errors(names, document, path)
    if document.getModel() is None:
        raise InputError("the file holds no model", file=path, expected="an SBML model")
    _refuse_packages(document, path)
    if document.getLevel() < LEVEL and not document.setLevelAndVersion(LEVEL, VERSION, False):
        raise InputError(f"SBML Level {document.getLevel()} that cannot be brought to Level 3", file=path)
    for what in CONVERSIONS[:2]:
        asked = names.ConversionProperties()
        asked.addOption(what, True)
        if document.convert(asked) != names.LIBSBML_OPERATION_SUCCESS:
            raise InputError(f"libSBML could not do '{what}'", file=path, expected="a valid model")
    _refuse_parts(document.getModel(), path)
    return document


def text_of(path: Path) -> str:
    """The text of a model's file. Raises BadInput for what is too large or no text."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InputError("the file is too large", file=path, expected=f"at most {LARGEST_FILE:,} bytes")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise InputError(f"the file cannot be read: {problem.strerror}", file=path, expected="an SBML model") from None
    except UnicodeDecodeError:
        raise InputError("the file is not text", file=path, expected="an SBML model in UTF-8") from None


def _refuse_errors(names: Any, document: Any, path: Path) -> None:
    for i in range(document.getNumErrors()):
        error = document.getError(i)
        harmless = error.getErrorId() == names.MissingXMLEncoding  # UTF-8 then, which has been checked
        if error.getSeverity() >= names.LIBSBML_SEV_ERROR and not harmless:
            raise InputError(_told(error), file=path, line=error.getLine() or None, expected="a valid SBML model")


def _told(error: Any) -> str:
    """What libSBML says in short, and what is wrong here, which it says after its reference to the specification."""
    short = " ".join(error.getShortMessage().split()) or "not valid SBML"
    _, _, after = error.getMessage().partition("\nReference:")
    here = " ".join(after.partition("\n")[2].split())[:200].rstrip(".")
    return f"{short}: {here}" if here else short


def _refuse_packages(document: Any, path: Path) -> None:
    for i in range(document.getNumPlugins()):
        name = document.getPlugin(i).getPackageName()
        part = document.getModel().getPlugin(name)
        empty = name == "comp" and (part is None or part.getNumSubmodels() == 0)
        if name not in HARMLESS and not empty and document.getPackageRequired(name):
            raise InputError(f"the model needs the package '{name}'", file=path, expected="SBML core only")
    for i in range(document.getNumUnknownPackages()):
        prefix = document.getUnknownPackagePrefix(i)
        if document.getPackageRequired(document.getUnknownPackageURI(i)):
            raise InputError(f"the model needs the package '{prefix}'", file=path, expected="SBML core only")


def _refuse_parts(model: Any, path: Path) -> None:
    """Refuse what changes numbers and is not known here."""
    for what in _unsupported(model):
        raise InputError(f"the model has {what}", file=path, expected="what docs/exchange.md lists as supported")


def _unsupported(model: Any) -> Iterator[str]:
    for i in range(model.getNumReactions()):
        reaction = model.getReaction(i)
        if reaction.isSetFast() and reaction.getFast():
            yield f"a fast reaction, '{reaction.getId()}'"
        if reaction.isSetKineticLaw() and not reaction.getKineticLaw().isSetMath():
            yield f"a reaction without a rate, '{reaction.getId()}'"
