"""Every output that a run can hold, every scale, drug and paper, as tables."""

from __future__ import annotations

from ketamech.evidence import load_evidence
from ketamech.model.system import System
from ketamech.report.number_format import unit_in_words
from makers.markdown import NOTICE, code, table
from makers.theory import title_of


def quantity_pages(system: System) -> dict[str, str]:
    """{page: Markdown}: outputs by stage, and the papers behind the tables."""
    return {"reference/outputs": _outputs(system), "reference/papers": _papers()}


def _outputs(system: System) -> str:
    lines = [NOTICE, "", "# Outputs", ""]
    lines += ["Every name that `--outputs` takes and that a result holds, with its unit.", ""]
    owner = system.stage_of
    for stage in system.stages:
        names = [name for name in system.output_names if owner[name] == stage.name]
        rows = [(code(n), unit_in_words(system.units[n]) or "1", system.descriptions[n]) for n in names]
        lines += [f"## {title_of(stage.name)}", "", f"Equations: [{stage.name}](../theory/{stage.name}.md).", ""]
        lines += table(("output", "unit", "what it is"), rows)
    return "\n".join(lines) + "\n"


def _papers() -> str:
    evidence = load_evidence()
    papers = evidence.cite(evidence.observations)
    lines = [NOTICE, "", "# Papers", ""]
    lines += [f"The {len(papers)} papers behind {len(evidence.observations)} evidence rows.", ""]
    lines += [f"- {p.citation}{f'. <{p.url}>' if p.url else ''}" for p in papers]
    return "\n".join(lines) + "\n"
