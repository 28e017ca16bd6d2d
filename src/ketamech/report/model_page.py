"""Description of the model: every stage with equations, reasons, units, values and sources; layout of its chain.

In the layout stages stand in layers from top to bottom, each below the stages that it reads. An input from a stage that
comes later in the model is a feedback, which the layers ignore. Within a layer, stages are ordered so that lines cross
rarely: repeatedly by the mean place of the stages to which they are joined (the barycentre method).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import sympy

from ketamech.core.constants import DISCLAIMER
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.evidence import load_evidence
from ketamech.model.stage import Output, Stage
from ketamech.model.system import System
from ketamech.parameters import Distribution, Parameter
from ketamech.report.number_format import markdown_table, number
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
    size_text = f"{len(system.states)} states, {len(system.outputs)} outputs, {len(system.fluxes)} fluxes"
    size_text += f", {len(used)} parameters"
    if html:
        return render(
            "model.html.j2", sections=sections, size=size_text, counts=counts(used), fingerprint=system.fingerprint
        )
    return _markdown(sections, size_text, counts(used))


def stage_section(system: System, stage: Stage) -> StageSection:
    """The text and tables of one stage."""
    title, _, description = stage.description.partition("\n")
    return StageSection(
        stage.name,
        title.strip(),
        " ".join(description.split()),
        list(stage.inputs.items()),
        [_equation(stage, name) for name in stage.states],
        [_state_cells(system, name) for name in stage.states],
        [_output_cells(offer, stage) for offer in stage.outputs.values()],
        [_parameter_cells(system.parameters[name]) for name in stage.used_parameters],
    )


def _equation(stage: Stage, name: str) -> tuple[str, list[tuple[str, str]]]:
    terms = [(_signed(_readable(flux.term, stage)), flux.because) for flux in stage.fluxes if flux.state == name]
    return f"d {_local_name(name, stage)} / dt", terms


def _readable(expression: sympy.Expr, stage: Stage) -> str:
    """An expression in which names of this stage are written without the stage prefix."""
    text = re.sub(rf"(?<![\w.]){re.escape(stage.name)}\.", "", sympy.sstr(expression))
    return text.replace("**", "^")


def _local_name(name: str, stage: Stage) -> str:
    return name.removeprefix(f"{stage.name}.")


def _signed(text: str) -> str:
    return f"- {text[1:].strip()}" if text.startswith("-") else f"+ {text}"


def _state_cells(system: System, name: str) -> tuple[str, str, str, str, str]:
    state = next(s for s in system.states if s.name == name)
    low, high = state.bounds
    bounds = f"{'−∞' if low is None else number(low)} to {'∞' if high is None else number(high)}"
    rest = "accumulates" if state.is_sink else f"about {number(state.initial_guess)}"
    return name, state.unit, rest, bounds, state.description


def _output_cells(offer: Output, stage: Stage) -> tuple[str, str, str, str]:
    description = offer.description + (" (fixed for a person)" if offer.is_constant else "")
    return offer.name, offer.unit, description, _readable(offer.expression, stage)


def _parameter_cells(row: Parameter) -> tuple[str, str, str, str, str, str, str]:
    sources = "; ".join(row.evidence) or "none"
    location = f" ({row.locator})" if row.locator and row.locator != "none" else ""
    return row.name, number(row.value, 4), row.unit, _spread(row.spread), row.status, sources + location, row.reason


def _spread(spread: Distribution) -> str:
    return " ".join([spread.kind, *(f"{part:g}" for part in (spread.a, spread.b) if part is not None)])


def _markdown(sections: list[StageSection], size: str, sources: list[tuple[str, int, str]]) -> str:
    lines = [
        "# The KetaMech model",
        "",
        f"> {DISCLAIMER}",
        "",
        f"{size}. Time in hours, amounts in umol, volumes in L.",
        "",
    ]
    lines += [markdown_table(("status", "parameters", "meaning"), sources), ""]
    for section in sections:
        lines += _markdown_section(section)
    return "\n".join([*lines, *_markdown_sources(sections)]) + "\n"


def _markdown_section(section: StageSection) -> list[str]:
    lines = [f"## {section.name}", "", f"**{section.title}**", "", section.about, ""]
    if section.inputs:
        lines += ["Inputs: " + ", ".join(f"`{name}` ({unit})" for name, unit in section.inputs), ""]
    if section.equations:
        lines += ["```", *(line for equation in section.equations for line in _equation_lines(equation)), "```", ""]
    lines += _table(("state", "unit", "initial guess", "bounds", "meaning"), section.states)
    lines += _table(
        ("output", "unit", "meaning", "definition"), [(n, u, a, f"`{how}`") for n, u, a, how in section.outputs]
    )
    lines += _table(("parameter", "value", "unit", "spread", "status", "sources", "reason"), section.parameters)
    return lines


def _equation_lines(equation: tuple[str, list[tuple[str, str]]]) -> list[str]:
    left, terms = equation
    return [f"{left} =", *(f"    {term}\n        # {reason}" for term, reason in terms), ""]


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [markdown_table(header, escaped), ""] if rows else []


def _markdown_sources(sections: list[StageSection]) -> list[str]:
    ids = {name for section in sections for row in section.parameters for name in re.split(r"; | \(", row[5])}
    evidence = load_evidence()
    papers = evidence.cite(name for name in sorted(ids) if name in evidence.observations)
    return ["## Papers behind the parameters", "", *(f"- {p.citation}{f'. {p.url}' if p.url else ''}" for p in papers)]


ORDERING_SWEEPS = 24
MAX_NODES_IN_LAYER = 6


@dataclass(frozen=True)
class StageNode:
    """One stage: its `layer` and its `place` in the layer (layers are centred), and its size."""

    name: str
    label: str
    layer: int
    place: float
    states: int
    parameters: int
    assumed: int


@dataclass(frozen=True)
class StageLink:
    """The quantities of `source` that `target` reads; `feedback`: against the order of the stages."""

    source: str
    target: str
    quantities: tuple[str, ...]
    feedback: bool


@dataclass(frozen=True)
class ChainLayout:
    """All stages and links; the number of `layers`, and of `places` in the largest layer."""

    nodes: tuple[StageNode, ...]
    links: tuple[StageLink, ...]
    layers: int
    places: int


@cache
def load_stage_labels() -> dict[str, str]:
    """{stage: label} (data/chain/stages.csv)."""
    return {row["stage"]: row["label"] for row in read_table(DATA / "chain" / "stages.csv", ("stage", "label"))}


def chain_layout(system: System) -> ChainLayout:
    """The layout of all stages of a system."""
    links = stage_links(system)
    names = [stage.name for stage in system.stages]
    layers = ordered_layers(names, [(link.source, link.target) for link in links if not link.feedback])
    width = max(len(layer) for layer in layers)
    places = {name: (i, k + (width - len(layer)) / 2) for i, layer in enumerate(layers) for k, name in enumerate(layer)}
    labels, nodes = load_stage_labels(), []
    for stage in system.stages:
        used = [system.parameters[name] for name in stage.used_parameters]
        assumed = sum(row.status == "assumed" for row in used)
        label = labels.get(stage.name, stage.name.replace("_", " "))
        nodes.append(StageNode(stage.name, label, *places[stage.name], len(stage.states), len(used), assumed))
    return ChainLayout(tuple(nodes), tuple(links), len(layers), width)


def stage_links(system: System) -> list[StageLink]:
    """Every pair of stages of which the second reads quantities of the first."""
    order = {stage.name: i for i, stage in enumerate(system.stages)}
    links = []
    for stage in system.stages:
        quantities: dict[str, list[str]] = {}
        for name in stage.inputs:
            source = system.stage_of.get(name, "")
            if source and source != stage.name:
                quantities.setdefault(source, []).append(name)
        for source, names_read in quantities.items():
            links.append(StageLink(source, stage.name, tuple(names_read), order[source] > order[stage.name]))
    return links


def ordered_layers(names: Sequence[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Layers of names: every link leads from a layer to a later one; `names` are in an order that the links follow.

    Raises ValueError for a link against that order.
    """
    order = {name: i for i, name in enumerate(names)}
    link_list = list(links)
    if any(order[source] >= order[target] for source, target in link_list):
        raise ValueError("a link leads against the order of the names")
    layer: dict[str, int] = {}
    counts: dict[int, int] = {}
    for name in names:
        index = 1 + max((layer[source] for source, target in link_list if target == name), default=-1)
        while counts.get(index, 0) >= MAX_NODES_IN_LAYER:
            index += 1
        layer[name] = index
        counts[index] = counts.get(index, 0) + 1
    layers = [[name for name in names if layer[name] == i] for i in range(max(layer.values()) + 1)]
    return _with_fewest_crossings(layers, link_list)


def _with_fewest_crossings(layers: list[list[str]], links: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The layers in the order with the fewest crossings of all sweeps."""
    best, fewest = layers, crossings(layers, links)
    current = [list(layer) for layer in layers]
    for sweep in range(ORDERING_SWEEPS):
        back = sweep % 2 == 1
        for i in reversed(range(len(current))) if back else range(len(current)):
            positions = _node_positions(current)
            mean_positions = {
                name: _mean([positions[neighbour] for neighbour in _neighbours(name, links, back)], positions[name])
                for name in current[i]
            }
            current[i].sort(key=mean_positions.__getitem__)
        if (count := crossings(current, links)) < fewest:
            best, fewest = [list(layer) for layer in current], count
    return best


def _neighbours(name: str, links: Sequence[tuple[str, str]], targets: bool) -> list[str]:
    """The stages to which a stage is joined on one side."""
    if targets:
        return [target for source, target in links if source == name]
    return [source for source, target in links if target == name]


def _node_positions(layers: Sequence[Sequence[str]]) -> dict[str, float]:
    """The row of every name, with layers centred."""
    return {name: k - (len(layer) - 1) / 2 for layer in layers for k, name in enumerate(layer)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def crossings(layers: Sequence[Sequence[str]], links: Sequence[tuple[str, str]]) -> int:
    """Number of pairs of links that cross, each a straight line from layer to layer."""
    positions = _node_positions(layers)
    layer = {name: i for i, names in enumerate(layers) for name in names}
    lines = [_Line(layer[source], layer[target], positions[source], positions[target]) for source, target in links]
    return sum(lines[i].crosses(lines[j]) for i in range(len(lines)) for j in range(i))


@dataclass(frozen=True)
class _Line:
    """A straight line from a layer and place to another."""

    start: int
    end: int
    low: float
    high: float

    def at(self, layer: float) -> float:
        """Place at a layer."""
        return self.low + (self.high - self.low) * (layer - self.start) / (self.end - self.start)

    def crosses(self, other: _Line) -> bool:
        """Whether two lines change sides over the layers that they share."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        if start >= end:
            return False
        difference_at_start, difference_at_end = self.at(start) - other.at(start), self.at(end) - other.at(end)
        return difference_at_start * difference_at_end < 0
