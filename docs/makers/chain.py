"""A drawing of the model: the stages in layers from drug to symptoms, and which stage reads which."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ketamech.model.stage import Stage
from ketamech.model.system import System

WIDTH, BOX_WIDTH, BOX_HEIGHT, ROW, COLUMN = 980, 150, 30, 74, 162
STYLE = (
    "<style>.chain a{text-decoration:none}.chain rect{fill:#eef3f8;stroke:#33557a}.chain text{font:13px sans-serif;"
    "fill:#1a1a1a;text-anchor:middle}.chain path{fill:none;stroke:#8096ac;stroke-width:1.1}"
    ".chain .far{stroke:#c9d3dd}.chain .feedback{stroke:#b5552d;stroke-dasharray:4 3}</style>"
)


def readers(system: System) -> dict[str, set[str]]:
    """{stage: stages whose outputs or drug-free values it reads}."""
    owner = {name: stage.name for stage in system.stages for name in (*stage.states, *stage.outputs)}
    return {
        stage.name: {owner[name] for name in (*stage.inputs, *stage.baselines) if name in owner} - {stage.name}
        for stage in system.stages
    }


def layers(system: System) -> dict[str, int]:
    """{stage: layer from 0}, one below the lowest of the stages before it that it reads; feedback is left out."""
    reads, layer = readers(system), {}
    for stage in system.stages:
        layer[stage.name] = 1 + max((layer[name] for name in reads[stage.name] if name in layer), default=-1)
    return layer


def chain_picture(system: System, titles: Mapping[str, str]) -> str:
    """The drawing as SVG; every box links to the page of its stage. `titles`: {stage: text of its box}."""
    layer, reads = layers(system), readers(system)
    rows = [[name for name in layer if layer[name] == depth] for depth in range(max(layer.values()) + 1)]
    place = {}
    for depth, names in enumerate(rows):
        for i, name in enumerate(names):
            place[name] = (WIDTH / 2 + COLUMN * (i - (len(names) - 1) / 2), 30 + ROW * depth)
    lines = [
        _line(place[source], place[name], layer[name] - layer[source])
        for name in place
        for source in sorted(reads[name])
    ]
    boxes = [_box(name, titles[name], place[name], _stage(system, name)) for name in place]
    height = 30 + ROW * len(rows) - BOX_HEIGHT
    drawn = "".join([STYLE, *sorted(lines, key=lambda line: "far" not in line), *boxes])
    label = "Stages of the model from drug to symptoms; lines lead from a stage to those that read it"
    return (
        f'<svg class="chain" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{label}">{drawn}</svg>'
    )


def _stage(system: System, name: str) -> Stage:
    return next(stage for stage in system.stages if stage.name == name)


def _line(start: tuple[float, float], end: tuple[float, float], span: int) -> str:
    """A line over `span` layers: dashed where it does not lead down, pale where it passes other layers."""
    (x1, y1), (x2, y2) = start, end
    if span < 1:
        x1, x2 = x1 + BOX_WIDTH / 2, x2 + BOX_WIDTH / 2
        side = max(x1, x2) + 14
        curve = f"M{x1:.0f} {y1:.0f}C{side:.0f} {y1:.0f} {side:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
        return f'<path class="feedback" d="{curve}"/>'
    top, bottom = y1 + BOX_HEIGHT / 2, y2 - BOX_HEIGHT / 2
    bend = (top + bottom) / 2
    far = ' class="far"' if span > 1 else ""
    return f'<path{far} d="M{x1:.0f} {top:.0f}C{x1:.0f} {bend:.0f} {x2:.0f} {bend:.0f} {x2:.0f} {bottom:.0f}"/>'


def _box(name: str, title: str, place: tuple[float, float], stage: Stage) -> str:
    x, y = place
    about = escape(
        f"{title}: {len(stage.states)} states, {len(stage.fluxes)} fluxes, {len(stage.used_parameters)} parameters"
    )
    return (
        f'<a href="made/theory/{name}.html"><title>{about}</title><rect x="{x - BOX_WIDTH / 2:.0f}" '
        f'y="{y - BOX_HEIGHT / 2:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}">{escape(title)}</text></a>'
    )
