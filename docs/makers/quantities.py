"""Every output that a run can hold, every scale, drug and paper, as tables."""

from __future__ import annotations

from ketamech.evidence import load_evidence
from ketamech.report.words import unit_in_words
from ketamech.system import System
from makers.markdown import NOTICE, code, table


def quantity_pages(system: System) -> dict[str, str]:
    """{page: Markdown}: outputs by stage, and the papers behind the tables."""
    return {"reference/outputs": _outputs(system), "reference/papers": _papers()}


def _outputs(system: System) -> str:
    lines = [NOTICE, "", "# Outputs", ""]
    lines += ["Every name that `--outputs` takes and that a result holds, with its unit.", ""]
    owner = system.stage_of
    for stage in system.stages:
        names = [name for name in system.output_names if owner[name] == stage.name]
        rows = [(code(n), unit_in_words(system.units[n]) or "1", system.about[n]) for n in names]
        head = f"## {stage.name.replace('_', ' ').capitalize()}"
        lines += [head, "", f"Equations: [{stage.name}](../theory/{stage.name}.md).", "", *table(("output", "unit", "what it is"), rows)]  # fmt: skip  # noqa: E501
    return "\n".join(lines) + "\n"


def _papers() -> str:
    evidence = load_evidence()
    papers = evidence.cite(evidence.observations)
    lines = [NOTICE, "", "# Papers", "", f"The {len(papers)} papers behind {len(evidence.observations)} evidence rows.", ""]  # fmt: skip  # noqa: E501
    lines += [f"- {p.citation}{f'. <{p.url}>' if p.url else ''}" for p in papers]
    return "\n".join(lines) + "\n"
