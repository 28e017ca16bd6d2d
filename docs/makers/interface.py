"""The reference of the Python interface: signatures and docstrings of the public names and of chosen modules."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterable
from typing import Any

import ketamech
from ketamech.interface import Results
from ketamech.trials.trial_result import TrialResult
from makers.markdown import NOTICE, blocks

PAGES = {  # package: modules that a user's program may import
    "dosing": ("regimen", "treatment", "dose_records", "dose_events"),
    "simulation": (
        "scenario", "load_scenario", "simulate", "ensemble", "model", "citations", "periodic_steady_state", "nca",
        "nca_tables", "forward_sensitivities",
    ),
    "population": ("virtual_population", "weights", "cohort"),
    "trials": (
        "design", "trial_reader", "run_trial", "trial_result", "posterior_draws",
        "analysis.analyse", "analysis.treatment_effects", "analysis.power",
        "analysis.repeated_measures",
    ),
    "calibration": ("calibration_problem", "surrogate_posterior", "published_arms"),
    "analysis": ("attribution", "sensitivity", "scorecard", "model_checks", "regimen_search"),
    "nonmem": ("read", "subjects", "solve_table", "write"),
    "exchange": ("result_io", "concentration_profiles", "export_scenario", "sbml.exporter", "omex"),
    "fitting": ("fit", "observations", "error_models", "fitted_parameters", "predict", "diagnostics",
                "individual_dose", "sampling_times"),
    "parameters": ("load_parameters", "connectome", "species_tables"),
    "evidence": ("load_evidence", "evidence", "observation"),
    "model": ("stage", "assemble", "system"),
    "core": ("errors", "progress", "checkpoint", "dask_executor", "execution"),
}  # fmt: skip
RESULTS = (Results, TrialResult)  # classes that no program constructs


def interface_pages() -> dict[str, str]:
    """{page: Markdown}: the public names of `ketamech`, then one page per package."""
    public = [(name, getattr(ketamech, name)) for name in ketamech.__all__]
    public += [(item.__name__, item) for item in RESULTS]
    head = [NOTICE, "", "# ketamech", "", inspect.cleandoc(ketamech.__doc__ or ""), ""]
    pages = {"reference/python/ketamech": "\n".join([*head, *_section("ketamech", public)]) + "\n"}
    described = {_key(name, item) for name, item in public}
    for package, modules in PAGES.items():
        pages[f"reference/python/{package}"] = _package_page(package, modules, described)
    return pages


def _package_page(package: str, modules: Iterable[str], described: set[str]) -> str:
    """What modules of a package define, without what is `described` already; adds to `described`."""
    about = inspect.cleandoc(importlib.import_module(f"ketamech.{package}").__doc__ or "")
    lines = [NOTICE, "", f"# ketamech.{package}", "", about, ""]
    for name in modules:
        module = importlib.import_module(f"ketamech.{package}.{name}")
        found = [(public, item) for public, item in _defined(module) if _key(public, item) not in described]
        described |= {_key(public, item) for public, item in found}
        if found:
            lines += [f"## {name}", "", inspect.cleandoc(module.__doc__ or ""), ""]
            lines += _section(module.__name__, found)
    return "\n".join(lines) + "\n"


def _key(name: str, item: Any) -> str:
    """A class is described once under its name, so that references to it are unique; a function once where it lies."""
    return name if inspect.isclass(item) else f"{item.__module__}.{name}"


def _defined(module: Any) -> list[tuple[str, Any]]:
    """Public functions and classes that a module defines, in order of the source."""
    return [
        (name, item)
        for name, item in vars(module).items()
        if not name.startswith("_") and getattr(item, "__module__", "") == module.__name__ and item.__doc__
        and (inspect.isclass(item) or inspect.isroutine(item) or hasattr(item, "__wrapped__"))
    ]  # fmt: skip


def _section(name: str, items: Iterable[tuple[str, Any]]) -> list[str]:
    lines = [f"```{{py:module}} {name}", "```", ""]
    for public, item in items:
        lines += _entry(public, item)
    return lines


def _entry(name: str, item: Any) -> list[str]:
    if inspect.isclass(item):
        return _class(name, item)
    if callable(item):
        return _directive("py:function", f"{name}{_signature(item)}", item.__doc__ or "", ())
    return _directive("py:data", name, f"{type(item).__name__}", ())


def _class(name: str, item: type) -> list[str]:
    protocol = getattr(item, "_is_protocol", False)
    plain = not protocol and not issubclass(item, Exception)
    head = f"{name}{_signature(item)}" if plain else name
    members: list[str] = []
    done = {f.name for f in dataclasses.fields(item)} if dataclasses.is_dataclass(item) else set()
    for owner in (one for one in item.__mro__ if one.__module__.startswith("ketamech")):
        for attribute, member in vars(owner).items():
            if not attribute.startswith("_") and attribute not in done:
                done.add(attribute)
                members += _member(attribute, member)
    return _directive("py:class", head, item.__doc__ or "", members)


def _member(name: str, member: Any) -> list[str]:
    if isinstance(member, classmethod | staticmethod):
        return _directive("py:method", f"{name}{_signature(member.__func__)}", member.__doc__ or "", (), deep=True)
    if inspect.isfunction(member):
        return _directive("py:method", f"{name}{_signature(member)}", member.__doc__ or "", (), deep=True)
    if isinstance(member, property) or type(member).__name__ == "cached_property":
        return _directive("py:property", name, member.__doc__ or "", (), deep=True)
    return []


def _signature(item: Any) -> str:
    try:
        signature = inspect.signature(item)
    except (TypeError, ValueError):
        return "(...)"
    parts = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    default = inspect.Parameter.empty
    shown = [p if p.default is default or _short(p.default) else p.replace(default=...) for p in parts]
    return str(signature.replace(parameters=shown)).replace("'", "").replace("<factory>", "...")


def _short(value: object) -> bool:
    return len(repr(value)) < 30 and " at 0x" not in repr(value)


def _directive(kind: str, head: str, words: str, inner: Any, *, deep: bool = False) -> list[str]:
    fence = ":::" if deep else "::::"
    return [f"{fence}{{{kind}}} {head}", "", blocks(words), "", *inner, fence, ""]
