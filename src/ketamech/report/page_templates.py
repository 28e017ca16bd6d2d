"""Rendering of self-contained HTML pages from templates, and the sentences they share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from ketamech.core.constants import DISCLAIMER
from ketamech.core.units import time_text
from ketamech.parameters import Parameter
from ketamech.report.number_format import number, signed, stage_in_words
from ketamech.report.run_description import RunDescription
from ketamech.report.summary import SummaryRow

TEMPLATES = Path(__file__).parent / "templates"
STATUSES = {
    "measured": "taken from a paper",
    "derived": "arithmetic on published numbers",
    "calibrated": "adjusted to match published values",
    "assumed": "an assumption with a reason, no source",
    "set": "set by the user",
}


def render(template: str, **values: Any) -> str:
    """A page from a template in templates/, with the shared style inline."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {"number": number, "signed": signed, "hours": time_text}
    environment.filters |= {"stage_in_words": stage_in_words, "with_code": with_code}
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(style=style, disclaimer=DISCLAIMER, **values)


def with_code(text: str) -> Markup:
    """Text as HTML, with names in backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def sentence(line: SummaryRow) -> str:
    """The course of one output in one sentence."""
    if not line.moved:
        return f"stays at {line.value_in_words(line.baseline)}."
    words = f"from {line.value_in_words(line.baseline)} at baseline; {line.in_words()}"
    day = line.values_at.get("24 h")
    words += f"; {line.value_in_words(day)} at 24 h" if day is not None else ""
    difference = line.difference.get("24 h")
    words += f" ({line.text(difference, sign=True)} compared with control)" if difference is not None else ""
    return words + f"; {line.value_in_words(line.values_at['end'])} at the end."


def alternative_text(run: RunDescription, lines: Sequence[SummaryRow]) -> str:
    """Alternative text of the timeline figure."""
    sentences = [f"{line.label}: {line.in_words()}" for line in lines if line.is_primary]
    return f"{run.title}. One track per stage over time since the first treatment. " + ". ".join(sentences) + "."


def counts(parameters: Sequence[Parameter]) -> list[tuple[str, int, str]]:
    """Number of parameters by status, with the meaning of the status."""
    by_status = Counter(row.status for row in parameters)
    return [(status, by_status[status], meaning) for status, meaning in STATUSES.items() if by_status[status]]


def plain_words(run: RunDescription, horizon: float, changed: Mapping[str, str]) -> list[str]:
    """The simulated scenario in plain sentences."""
    treatments = "; ".join(run.treatments) or "nothing"
    sentences = [f"One typical virtual patient gets {treatments}. The simulation covers {time_text(horizon)}."]
    if run.index_of_control is not None:
        sentences.append(
            "The dashed control is the same person with the same visits and perturbations but no drug: expectancy of a"
            " treatment is part of it, and a drug that is felt raises expectancy further."
        )
    if changed:
        sentences.append("Set for this run: " + "; ".join(f"{name} = {value}" for name, value in changed.items()) + ".")
    return sentences + [f"Assumed: {note}." for note in run.assumptions]
