"""Description of the model: every stage with equations, reasons, units, values and sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from ketamech.evidence import load_evidence
from ketamech.model.stage import Output, Stage
from ketamech.model.system import System
from ketamech.parameters import Distribution, Parameter
from ketamech.report.number_format import DISCLAIMER, markdown_table, number
from ketamech.report.page_templates import counts, render


@dataclass(frozen=True)
class StageSection:
    """One stage as text: equations are (left side, [(term, reason)]); tables are rows of cells."""

    name: str
    title: str
    about: str
    inputs: list[tuple[str, str]]
    equations: list[tuple[str, list[tuple[str, str]]]]
    states: list[tuple[str, str, str, str, str]]
    outputs: list[tuple[str, str, str, str]]
    parameters: list[tuple[str, str, str, str, str, str, str]]


def describe(system: System, *, html: bool = False) -> str:
    """The system as Markdown, or as one self-contained HTML page."""
    sections = [stage_section(system, stage) for stage in system.stages]
    used = [system.parameters[name] for name in system.parameter_names]
    size = f"{len(system.states)} states, {len(system.outputs)} outputs, {len(system.fluxes)} fluxes"
    size += f", {len(used)} parameters"
    if html:
        return render(
            "describe.html.j2", sections=sections, size=size, counts=counts(used), fingerprint=system.fingerprint
        )
    return _markdown(sections, size, counts(used))


def stage_section(system: System, stage: Stage) -> StageSection:
    """The text and tables of one stage."""
    title, _, about = stage.description.partition("\n")
    return StageSection(
        stage.name,
        title.strip(),
        " ".join(about.split()),
        list(stage.inputs.items()),
        [_equation(stage, name) for name in stage.states],
        [_state(system, name) for name in stage.states],
        [_output(offer, stage) for offer in stage.outputs.values()],
        [_row(system.parameters[name]) for name in stage.used_parameters],
    )


def _equation(stage: Stage, name: str) -> tuple[str, list[tuple[str, str]]]:
    terms = [(_signed(_readable(flux.term, stage)), flux.because) for flux in stage.fluxes if flux.state == name]
    return f"d {_own(name, stage)} / dt", terms


def _readable(expression: sympy.Expr, stage: Stage) -> str:
    """An expression in which names of this stage are written without the stage prefix."""
    text = re.sub(rf"(?<![\w.]){re.escape(stage.name)}\.", "", sympy.sstr(expression))
    return text.replace("**", "^")


def _own(name: str, stage: Stage) -> str:
    return name.removeprefix(f"{stage.name}.")


def _signed(text: str) -> str:
    return f"- {text[1:].strip()}" if text.startswith("-") else f"+ {text}"


def _state(system: System, name: str) -> tuple[str, str, str, str, str]:
    state = next(s for s in system.states if s.name == name)
    low, high = state.bounds
    bounds = f"{'−∞' if low is None else number(low)} to {'∞' if high is None else number(high)}"
    rest = "accumulates" if state.is_sink else f"about {number(state.initial_guess)}"
    return name, state.unit, rest, bounds, state.description


def _output(offer: Output, stage: Stage) -> tuple[str, str, str, str]:
    about = offer.description + (" (fixed for a person)" if offer.is_constant else "")
    return offer.name, offer.unit, about, _readable(offer.expression, stage)


def _row(row: Parameter) -> tuple[str, str, str, str, str, str, str]:
    sources = "; ".join(row.evidence) or "none"
    place = f" ({row.locator})" if row.locator and row.locator != "none" else ""
    return row.name, number(row.value, 4), row.unit, _spread(row.spread), row.status, sources + place, row.reason


def _spread(spread: Distribution) -> str:
    return " ".join([spread.kind, *(f"{part:g}" for part in (spread.a, spread.b) if part is not None)])


def _markdown(sections: list[StageSection], size: str, found: list[tuple[str, int, str]]) -> str:
    lines = [
        "# The KetaMech model",
        "",
        f"> {DISCLAIMER}",
        "",
        f"{size}. Time in hours, amounts in umol, volumes in L.",
        "",
    ]
    lines += [markdown_table(("status", "parameters", "meaning"), found), ""]
    for part in sections:
        lines += _markdown_section(part)
    return "\n".join([*lines, *_markdown_sources(sections)]) + "\n"


def _markdown_section(part: StageSection) -> list[str]:
    lines = [f"## {part.name}", "", f"**{part.title}**", "", part.about, ""]
    if part.inputs:
        lines += ["Inputs: " + ", ".join(f"`{name}` ({unit})" for name, unit in part.inputs), ""]
    if part.equations:
        lines += ["```", *(line for equation in part.equations for line in _plain(equation)), "```", ""]
    lines += _table(("state", "unit", "initial guess", "bounds", "meaning"), part.states)
    lines += _table(
        ("output", "unit", "meaning", "definition"), [(n, u, a, f"`{how}`") for n, u, a, how in part.outputs]
    )
    lines += _table(("parameter", "value", "unit", "spread", "status", "sources", "reason"), part.parameters)
    return lines


def _plain(equation: tuple[str, list[tuple[str, str]]]) -> list[str]:
    left, terms = equation
    return [f"{left} =", *(f"    {term}\n        # {reason}" for term, reason in terms), ""]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [markdown_table(head, escaped), ""] if rows else []


def _markdown_sources(sections: list[StageSection]) -> list[str]:
    ids = {name for part in sections for row in part.parameters for name in re.split(r"; | \(", row[5])}
    evidence = load_evidence()
    papers = evidence.cite(name for name in sorted(ids) if name in evidence.observations)
    return ["## Papers behind the parameters", "", *(f"- {p.citation}{f'. {p.url}' if p.url else ''}" for p in papers)]
