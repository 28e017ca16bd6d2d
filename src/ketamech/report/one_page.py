"""A scenario on one page in plain words: what was simulated, what happened, how sure, from where. HTML or PDF.

Something to bring to a conversation, marked as no medical advice on every sheet.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from ketamech.report.html import counts, plain_words, render
from ketamech.report.one_page_picture import draw_panels
from ketamech.report.run_folder import Findings
from ketamech.report.style import SETTINGS
from ketamech.report.summary import Line
from ketamech.report.words import DISCLAIMER, and_so_on, hours_in_words, number

MOST_PAPERS = 14
WARNING = (
    "This page is computed by a research model for one typical, imagined person. It is not medical advice, not a"
    " prescription, and says nothing about you. Talk to your doctor before you start, change or stop a treatment."
)
LIMITS = (
    "One typical person is shown; real people differ widely, and some do not respond at all.",
    "Most steps between the receptor and the mood were never measured in people.",
    "Not in the model: dependence, bladder damage, pregnancy, children, most other medicines and illnesses.",
)


@dataclass(frozen=True)
class OnePage:
    """What stands on the page, in order."""

    title: str
    given: str
    what: tuple[str, ...]
    happened: tuple[str, ...]
    limits: tuple[str, ...]
    papers: tuple[str, ...]
    more: int


def one_page(found: Findings) -> OnePage:
    """Everything on the page as text."""
    lines = {line.key: line for line in reversed(found.lines) if line.main}
    told = found.told
    end = float(found.dataset.variables["time"].values[-1])
    assumed = {status: n for status, n, _ in counts(found.used)}.get("assumed", 0)
    share = f"{assumed} of the {len(found.used)} values behind these curves are assumed, the others come from papers."
    papers = sorted(found.papers, key=lambda paper: (not paper["drawn"], paper["citation"]))
    return OnePage(
        told.title,
        and_so_on(list(told.given)) or "nothing",
        tuple(plain_words(told, end, found.provenance["changed_parameters"])),
        tuple(_happened(lines)),
        (*LIMITS, share),
        tuple(paper["citation"] for paper in papers[:MOST_PAPERS]),
        max(0, len(papers) - MOST_PAPERS),
    )


def _happened(lines: Mapping[str, Line]) -> list[str]:
    """What happens, in the order in which one would ask."""
    said = [_score(lines[key], words) for key, words in SCORES.items() if key in lines]
    if "plasma" in lines and lines["plasma"].moved:
        said.insert(0, f"In the blood: {lines['plasma'].in_words()}.")
    if "nmda" in lines and lines["nmda"].moved:
        said.insert(1, f"In the brain: NMDA receptors are blocked, {lines['nmda'].in_words()}.")
    for key, words in FELT.items():
        if key in lines:
            line = lines[key]
            said.append(f"{words}: {line.in_words() if line.moved else 'hardly any change'}.")
    return said


SCORES = {"mood": "Depression (MADRS, 0 to 60)", "suicidality": "Suicidal thoughts (SSI, 0 to 38)"}
FELT = {
    "dissociation": "Feeling apart from oneself (CADSS, 0 to 92)",
    "sedation": "Sleepiness, as a share of anaesthesia",
    "haemodynamics": "Rise in systolic blood pressure, mmHg",
    "pain": "Pain relief, as a share of full relief",
}


def _score(line: Line, words: str) -> str:
    if not line.moved:
        return f"{words}: stays at {number(line.rest)}."
    way = "lowest" if not line.rises else "highest"
    text = f"{words}: {number(line.rest)} before, {way} {number(line.extreme)} after {hours_in_words(line.at)}"
    gap = line.difference.get("extreme")
    if gap is not None:
        without = number(line.extreme - gap)
        text += f" (with the same hopes and no drug it would be {without})"
    week = line.moments.get("7 d")
    text += f"; {number(week)} after a week" if week is not None else ""
    return f"{text}; {number(line.moments['end'])} at the end."


def one_page_html(found: Findings) -> str:
    """The page as one HTML file with its figures inside."""
    figure = _sheet(7.2, 5.0)
    draw_panels(figure, found, top=0.99, bottom=0.06)
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    drawn = held.getvalue()
    return render("one_page.html.j2", page=one_page(found), warning=WARNING, picture=drawn[drawn.index("<svg") :])


def one_page_pdf(found: Findings) -> bytes:
    """The page as PDF, A4."""
    page, figure = one_page(found), _sheet(8.27, 11.69)
    write = _Writer(figure)
    write.line(page.title, size=15, weight="bold", wide=62)
    write.line(WARNING, size=8.5, colour="#7a2b00", wide=122)
    write.gap()
    for text in page.what:
        write.line(text, wide=116)
    top = write.at - 0.012
    draw_panels(figure, found, top=top, bottom=top - 0.36)
    write.at = top - 0.40
    write.head("What happens")
    for text in page.happened:
        write.line(f"• {text}", wide=118)
    write.head("How far to trust it")
    for text in page.limits:
        write.line(f"• {text}", wide=118)
    write.head("Sources")
    more = f"; and {page.more} more in the full report" if page.more else ""
    write.line("; ".join(page.papers) + more + ".", size=7.2, wide=146)
    figure.text(0.06, 0.02, DISCLAIMER, size=8, weight="bold")
    held = io.BytesIO()
    facts = {"Title": page.title, "Subject": DISCLAIMER, "CreationDate": None, "Creator": "KetaMech", "Producer": None}
    figure.savefig(held, format="pdf", metadata=facts)
    return held.getvalue()


def _sheet(width: float, height: float) -> Figure:
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        return Figure(figsize=(width, height))


class _Writer:
    """Writes lines down a sheet; `at` is the height of the next one, from 1 to 0."""

    def __init__(self, figure: Figure) -> None:
        self.figure, self.at = figure, 0.965

    def line(
        self, text: str, *, size: float = 8.8, colour: str = "#1b1f24", weight: str = "normal", wide: int = 110
    ) -> None:
        """A paragraph, wrapped."""
        for part in textwrap.wrap(_plain(text), wide) or [""]:
            self.figure.text(0.06, self.at, part, size=size, color=colour, weight=weight, va="top")
            self.at -= size * 1.42 / 842

    def head(self, text: str) -> None:
        """A heading."""
        self.gap()
        self.line(text, size=10.5, weight="bold")

    def gap(self) -> None:
        """A little room."""
        self.at -= 0.007


def _plain(text: str) -> str:
    """No formula and no letter without a form: a title may hold anything."""
    return "".join(letter for letter in text if letter.isprintable()).replace("$", r"\$")
