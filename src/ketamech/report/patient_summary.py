"""A one-page summary of a scenario for patients and clinicians: setting, results, limits, sources; HTML or PDF.

Every page states that it is not medical advice.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ketamech.report.number_format import DISCLAIMER, hours_in_words, number
from ketamech.report.page_templates import counts, plain_words, render
from ketamech.report.patient_summary_panels import draw_panels
from ketamech.report.patient_summary_pdf import Sheet, sheet
from ketamech.report.run_description import RunDescription
from ketamech.report.run_folder import RunReport
from ketamech.report.summary import SummaryRow

MOST_PAPERS, MOST_GIVEN, MOST_SETTINGS = 14, 4, 6
HOW_TO_READ = (
    "Line: simulated. Dashed: the same expectancy without the drug. Dots: published; hollow dots are converted from"
    " animals or another scale."
)
WARNING = (
    "This page is computed by a research model for one typical, virtual person. It is not medical advice, not a"
    " prescription, and not a prediction for you. Talk to your doctor before you start, change or stop a treatment."
)
LIMITS = (
    "One typical person is shown; real people differ widely, and some do not respond at all.",
    "Most steps between the receptor and the mood were never measured in people.",
    "Not in the model: dependence, bladder damage, pregnancy, children, most other medicines and illnesses.",
)


@dataclass(frozen=True)
class PatientSummary:
    """The texts of the page, in order."""

    title: str
    simulated: tuple[str, ...]
    results: tuple[str, ...]
    limits: tuple[str, ...]
    papers: tuple[str, ...]
    papers_left_out: int


def patient_summary(found: RunReport) -> PatientSummary:
    """The texts of the page from the report of a run."""
    lines = {line.key: line for line in reversed(found.lines) if line.is_primary}
    run = found.run
    end = float(found.dataset.variables["time"].values[-1])
    assumed = {status: n for status, n, _ in counts(found.used)}.get("assumed", 0)
    share = f"{assumed} of the {len(found.used)} values behind these curves are assumed, the others come from papers."
    papers = sorted(found.papers, key=lambda paper: (not paper["drawn"], paper["citation"]))
    return PatientSummary(
        run.title,
        tuple(plain_words(_short(run), end, _few(found.provenance["changed_parameters"]))),
        tuple(_results(lines)),
        (*LIMITS, share),
        tuple(paper["citation"] for paper in papers[:MOST_PAPERS]),
        max(0, len(papers) - MOST_PAPERS),
    )


def _short(run: RunDescription) -> RunDescription:
    """The description with at most MOST_GIVEN treatments."""
    given, more = run.treatments[:MOST_GIVEN], len(run.treatments) - MOST_GIVEN
    return replace(run, treatments=(*given, f"and {more} more treatments")) if more > 0 else run


def _few(changed: Mapping[str, str]) -> dict[str, str]:
    """Changed parameters as text, at most MOST_SETTINGS."""
    said = dict(_setting_text(name, value) for name, value in changed.items())
    shown, more = dict(list(said.items())[:MOST_SETTINGS]), len(said) - MOST_SETTINGS
    return {**shown, f"and {more} more": "in the scenario file"} if more > 0 else shown


def _setting_text(name: str, value: str) -> tuple[str, str]:
    """pathway.habenula, '0 1 (usually 1)' -> habenula pathway, off."""
    kind, words = name.split(".", 1)[0], name.split(".", 1)[-1].replace("_", " ")
    if kind == "pathway":
        return f"{words} pathway", "off" if value.startswith("0 ") else "on"
    return words if kind in ("person", "perturbation") else name, value.replace(" 1 (", " (")


def _results(lines: Mapping[str, SummaryRow]) -> list[str]:
    """The results as sentences: exposure, receptor block, scores, adverse effects."""
    said = [_score(lines[key], words) for key, words in SCORES.items() if key in lines]
    if "plasma" in lines and lines["plasma"].moved:
        said.insert(0, f"In the blood: {lines['plasma'].in_words()}.")
    if "nmda" in lines and lines["nmda"].moved:
        said.insert(1, f"In the brain: NMDA receptors are blocked, {lines['nmda'].in_words()}.")
    for key, words in DISSOCIATION_OUTPUTS.items():
        if key in lines:
            line = lines[key]
            said.append(f"{words}: {line.in_words() if line.moved else 'no relevant change'}.")
    return said


SCORES = {"mood": "Depression (MADRS, 0 to 60)", "suicidality": "Suicidal thoughts (SSI, 0 to 38)"}
DISSOCIATION_OUTPUTS = {
    "dissociation": "Dissociation (CADSS, 0 to 92)",
    "sedation": "Sleepiness, as a share of anaesthesia",
    "haemodynamics": "Rise in systolic blood pressure, mmHg",
    "pain": "Pain relief, as a share of full relief",
}


def _score(line: SummaryRow, words: str) -> str:
    if not line.moved:
        return f"{words}: stays at {number(line.baseline)}."
    way = "lowest" if not line.rises else "highest"
    when = hours_in_words(line.extreme_time)
    text = f"{words}: {number(line.baseline)} before, {way} {number(line.extreme)} after {when}"
    gap = line.difference.get("extreme")
    if gap is not None:
        without = number(line.extreme - gap)
        text += f" ({without} with the same expectancy and no drug)"
    week = line.moments.get("7 d")
    text += f"; {number(week)} after a week" if week is not None else ""
    return f"{text}; {number(line.moments['end'])} at the end."


def patient_summary_html(found: RunReport) -> str:
    """The page as one HTML file with inline figures; it prints on one A4 page."""
    figure = sheet(7.2, 4.3)
    draw_panels(figure, found, top=0.99, bottom=0.03)
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    drawn = held.getvalue()
    return render(
        "one_page.html.j2", page=patient_summary(found), warning=WARNING, how=HOW_TO_READ,
        picture=drawn[drawn.index("<svg") :],
    )  # fmt: skip


def patient_summary_pdf(found: RunReport) -> bytes:
    """The page as PDF, A4."""
    page, figure = patient_summary(found), sheet(8.27, 11.69)
    write = Sheet(figure)
    write.line(page.title, size=15, weight="bold", most=2)
    write.line(WARNING, size=8.8, colour="#7a2b00")
    write.gap()
    for text in page.simulated:
        write.line(text)
    top = write.at - 0.012
    draw_panels(figure, found, top=top, bottom=top - 0.37)
    write.at = top - 0.375
    write.line(HOW_TO_READ, size=7.6, colour="#55606c")
    for title, lines in (("What happens", page.results), ("Limits", page.limits)):
        write.head(title)
        for text in lines:
            write.line(f"• {text}")
    write.head("Sources")
    more = f"; and {page.papers_left_out} more in the full report" if page.papers_left_out else ""
    write.line("; ".join(page.papers) + more + ".", size=7.4)
    figure.text(0.06, 0.02, DISCLAIMER, size=8, weight="bold")
    held = io.BytesIO()
    facts = {"Title": page.title, "Subject": DISCLAIMER, "CreationDate": None, "Creator": "KetaMech", "Producer": None}
    figure.savefig(held, format="pdf", metadata=facts)
    return held.getvalue()
