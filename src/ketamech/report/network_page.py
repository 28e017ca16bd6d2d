"""The page of network predictions: what imaging should see and how sure the model is, before any comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.report.number_format import DISCLAIMER, hours_in_words, number, signed
from ketamech.report.provenance import today

if TYPE_CHECKING:
    from ketamech.analysis.network import NetworkPrediction

INTRODUCTION = """# Predicted networks

{disclaimer} Written on {date} by `ketamech network "{title}" --markdown`; do not edit.

Change from own drug-free rest, in percent, after: **{title}**. Median and 90 % interval over {draws} draws of every
parameter from its spread, the person kept ({failed} draws failed). *Rises*: share of draws above rest.

No value was fitted to imaging. What had been read of imaging beforehand (signs, no sizes used), and what would count
against the model, stand in [the decision record](../decisions/0006-brain-areas.md): where a sign had been read, it is
no test. The interval holds ignorance of parameters, not scanner noise nor difference between people: a study of n
people scatters more.

![Areas and networks](../pictures/areas.png)
"""


def write_areas_page(path: Path, found: NetworkPrediction, title: str) -> Path:
    """Write the page as Markdown."""
    facts = {"title": title, "draws": found.curves.sizes["patient"], "failed": found.failed, "date": today()}
    lines = ["| readout | at rest | after | change, % | 90 % interval | rises |", "|---|---|---|---|---|---|"]
    for row in found.table().to_dict("records"):
        moved, rise = signed(float(row["change"])), f"{100 * row['rising']:.0f} %"
        interval = f"{signed(float(row['low']))} to {signed(float(row['high']))}"
        cells = [row["readout"], number(float(row["rest"])), hours_in_words(row["hours"]), moved, interval, rise]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = INTRODUCTION.format(disclaimer=DISCLAIMER, **facts)
    path.write_text("\n".join([text, *lines]) + "\n", encoding="utf-8")
    return path
