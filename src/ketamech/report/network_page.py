"""The page of predicted imaging readouts with intervals, written before any comparison with data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.report.number_format import DISCLAIMER, hours_in_words, number, signed
from ketamech.report.provenance import today

if TYPE_CHECKING:
    from ketamech.analysis.network import NetworkPrediction

INTRODUCTION = """# Predicted networks

{disclaimer} Written on {date} by `ketamech areas "{title}" --docs`; do not edit.

Change from the drug-free baseline, in percent, after: **{title}**. Median and 90 % interval over {draws} draws of every
parameter from its spread, for one person ({failed} draws failed). *Rises*: share of draws above the baseline.

No parameter was fitted to imaging. [The decision record](../decisions/0006-brain-areas.md) lists the imaging results
known beforehand (signs; no sizes were used) and the results that would contradict the model. A known sign is not a
test. The interval contains parameter uncertainty, but no measurement noise and no variability between people, so the
results of a study vary more.

![Areas and networks](../pictures/areas.png)
"""


def write_areas_page(path: Path, found: NetworkPrediction, title: str) -> Path:
    """Write the page as Markdown."""
    facts = {"title": title, "draws": found.curves.sizes["patient"], "failed": found.failed, "date": today()}
    lines = ["| readout | baseline | after | change, % | 90 % interval | rises |", "|---|---|---|---|---|---|"]
    for row in found.table().to_dict("records"):
        moved, rise = signed(float(row["change"])), f"{100 * row['rising']:.0f} %"
        interval = f"{signed(float(row['low']))} to {signed(float(row['high']))}"
        cells = [row["readout"], number(float(row["rest"])), hours_in_words(row["hours"]), moved, interval, rise]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = INTRODUCTION.format(disclaimer=DISCLAIMER, **facts)
    path.write_text("\n".join([text, *lines]) + "\n", encoding="utf-8")
    return path
