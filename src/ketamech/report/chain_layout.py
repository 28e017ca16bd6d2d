"""Layout of the chain of stages as a layered drawing: a place for every stage, and the quantities that pass between.

Stages stand in layers from top to bottom, each below the stages that it reads. An input from a stage that comes later
in the model is a feedback, which the layers ignore. Within a layer, stages are ordered so that lines cross rarely:
repeatedly by the mean place of the stages to which they are joined (the barycentre method).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.model.system import System

SWEEPS = 24
MOST_IN_LAYER = 6  # larger layers are divided


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
    layers = ordered_layers(names, [(one.source, one.target) for one in links if not one.feedback])
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
        for source, read in quantities.items():
            links.append(StageLink(source, stage.name, tuple(read), order[source] > order[stage.name]))
    return links


def ordered_layers(names: Sequence[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Layers of names: every link leads from a layer to a later one; `names` are in an order that the links follow.

    Raises ValueError for a link against that order.
    """
    order = {name: i for i, name in enumerate(names)}
    joined = list(links)
    if any(order[source] >= order[target] for source, target in joined):
        raise ValueError("a link leads against the order of the names")
    layer: dict[str, int] = {}
    filled: dict[int, int] = {}
    for name in names:
        first = 1 + max((layer[source] for source, target in joined if target == name), default=-1)
        while filled.get(first, 0) >= MOST_IN_LAYER:
            first += 1
        layer[name] = first
        filled[first] = filled.get(first, 0) + 1
    layers = [[name for name in names if layer[name] == i] for i in range(max(layer.values()) + 1)]
    return _untangled(layers, joined)


def _untangled(layers: list[list[str]], links: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The layers with the order of rows of fewest crossings that the sweeps reach."""
    best, fewest = layers, crossings(layers, links)
    current = [list(layer) for layer in layers]
    for sweep in range(SWEEPS):
        backwards = sweep % 2 == 1
        for i in reversed(range(len(current))) if backwards else range(len(current)):
            place = _places_in_layers(current)
            wanted = {
                name: _mean([place[one] for one in _neighbours(name, links, backwards)], place[name])
                for name in current[i]
            }
            current[i].sort(key=wanted.__getitem__)
        if (count := crossings(current, links)) < fewest:
            best, fewest = [list(layer) for layer in current], count
    return best


def _neighbours(name: str, links: Sequence[tuple[str, str]], targets: bool) -> list[str]:
    """The stages to which a stage is joined on one side."""
    if targets:
        return [target for source, target in links if source == name]
    return [source for source, target in links if target == name]


def _places_in_layers(layers: Sequence[Sequence[str]]) -> dict[str, float]:
    """The row of every name, with layers centred."""
    return {name: k - (len(layer) - 1) / 2 for layer in layers for k, name in enumerate(layer)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def crossings(layers: Sequence[Sequence[str]], links: Sequence[tuple[str, str]]) -> int:
    """Number of pairs of links that cross, each a straight line from layer to layer."""
    place = _places_in_layers(layers)
    layer = {name: i for i, names in enumerate(layers) for name in names}
    lines = [_Line(layer[a], layer[b], place[a], place[b]) for a, b in links]
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
        before, after = self.at(start) - other.at(start), self.at(end) - other.at(end)
        return before * after < 0
