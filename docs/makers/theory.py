"""The theory pages: each stage's equations drawn, every flux beside its reason, every value beside its source."""

from __future__ import annotations

import sympy

from ketamech.model.stage import Flux, Output, Stage
from ketamech.model.system import System
from ketamech.report.model_page import stage_section
from ketamech.report.page_templates import counts
from makers.chain import chain_picture
from makers.markdown import NOTICE, code, table
from makers.mathematics import LONG, mathml

CHAIN = (
    "Every box is a stage and leads to its equations. Lines lead down from a stage to those that read it (pale: across "
    "layers; dashed: feedback, or within a layer). The drawing is made from the model that runs."
)


def theory_pages(system: System) -> dict[str, str]:
    """{page: Markdown}: a page a stage, and one that counts."""
    names = {name: "state" for name in system.state_names}
    names |= {offer.name: "offer" for offer in system.outputs} | {name: "parameter" for name in system.parameter_names}
    pages = {f"theory/{stage.name}": _stage(system, stage, names) for stage in system.stages}
    return pages | {"theory/size": _size(system), "theory/order": _order(system)}


def _order(system: System) -> str:
    """The table of contents in story order, to be included by the page above."""
    entries = [f"made/theory/{stage.name}" for stage in system.stages]
    titles = {stage.name: title_of(stage.name) for stage in system.stages}
    drawing = ["```{raw} html", chain_picture(system, titles), "```", "", CHAIN, ""]
    return "\n".join([NOTICE, "", *drawing, "```{toctree}", ":hidden:", "", "made/theory/size", *entries, "```", ""])


def title_of(stage: str) -> str:
    """A stage's name as a title: NMDA, Second blocker."""
    return stage.upper() if stage in ("nmda", "ampa") else stage.replace("_", " ").capitalize()


def _size(system: System) -> str:
    used = [system.parameters[name] for name in system.parameter_names]
    kinds = ("states", "offers", "fluxes", "parameters")
    sizes = [(s.name, len(s.states), len(s.outputs), len(s.fluxes), len(s.used_parameters)) for s in system.stages]
    total = ("all", len(system.states), len(system.outputs), len(system.fluxes), len(used))
    lines = [NOTICE, "", "# Size and sources", "", f"Equations `{system.fingerprint}`.", ""]
    lines += table(("stage", *kinds), [(f"[{name}]({name}.md)", *rest) for name, *rest in sizes] + [total])
    lines += ["A parameter that two stages use is counted in each, once in the last line.", ""]
    lines += table(("status", "parameters", "meaning"), counts(used))
    return "\n".join(lines) + "\n"


def _stage(system: System, stage: Stage, names: dict[str, str]) -> str:
    part = stage_section(system, stage)
    lines = [NOTICE, "", f"# {title_of(stage.name)}", "", f"**{part.title}**", "", _rest(part.about, part.title), ""]
    if part.inputs:
        lines += ["It needs " + ", ".join(f"`{name}` ({unit})" for name, unit in part.inputs) + ".", ""]
    lines += _equations(stage, names) + _offers(stage, names)
    heads = ("state", "unit", "rest", "within", "what it is")
    lines += _under("States", table(heads, [(code(name), *rest) for name, *rest in part.states]))
    rows = [(code(name), *rest) for name, *rest in part.parameters]
    lines += _under("Values", table(("parameter", "value", "unit", "spread", "status", "sources", "why"), rows))
    return "\n".join(lines) + "\n"


def _rest(about: str, title: str) -> str:
    return about.removeprefix(title).strip()


def _under(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", "", *lines] if lines else []


def _equations(stage: Stage, names: dict[str, str]) -> list[str]:
    if not stage.fluxes:
        return []
    lines = ["## Rates of change", ""]
    for state in stage.states.values():
        own = state.name.removeprefix(f"{stage.name}.")
        left = f'<div class="left">d <span class="state">{own}</span> / dt =</div>'
        fluxes = "".join(_flux(flux, stage, names) for flux in stage.fluxes if flux.state == state.name)
        lines += [f'<div class="equation">{left}{fluxes}</div>', ""]
    return lines


def _flux(flux: Flux, stage: Stage, names: dict[str, str]) -> str:
    return f'<div class="reason">{flux.because}</div><div class="drawn">{_drawn(flux.term, names, stage)}</div>'


def _offers(stage: Stage, names: dict[str, str]) -> list[str]:
    if not stage.outputs:
        return []
    rows = [_offer(offer, stage, names) for offer in stage.outputs.values()]
    return ["## What it offers", "", f'<div class="offers">{"".join(rows)}</div>', ""]


def _offer(offer: Output, stage: Stage, names: dict[str, str]) -> str:
    own = offer.name.removeprefix(f"{stage.name}.")
    unit = f" ({offer.unit})" if offer.unit != "1" else ""
    fixed = " Fixed for a person." if offer.is_constant else ""
    drawn = _drawn(offer.expression, names, stage, sign=False)
    head = f'<b class="offer">{own}</b>{unit}: {offer.description}.{fixed}'
    return f'<div class="equation"><div>{head}</div><div class="drawn">{drawn}</div></div>'


def _drawn(term: sympy.Expr, names: dict[str, str], stage: Stage, *, sign: bool = True) -> str:
    if len(str(term)) > LONG:
        held = sorted(str(s) for s in term.free_symbols)
        return f'<span class="long">a sum over {len(held)} names, too long to draw: {_listed(held)}</span>'
    lead = "+ " if sign and not term.could_extract_minus_sign() else ""
    return f"{lead}{mathml(term, names, stage.name)}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"<code>{name}</code>" for name in names[:8])
    return shown + (" ..." if len(names) > 8 else "")
