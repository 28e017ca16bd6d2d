"""Pages of the documentation that show results of the program; `scripts/publish.py` writes them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ketamech.analysis.claims import ClaimResult, load_rule, load_rule_variants
from ketamech.analysis.network import NetworkPrediction
from ketamech.analysis.robustness import ROBUST, RobustnessRow, load_robustness, percent
from ketamech.core.constants import DISCLAIMER
from ketamech.core.units import time_text
from ketamech.exchange.cross_simulator_check import FAILURE, MAX_DIFFERENCE, VERSION, largest_differences
from ketamech.exchange.result_metadata import read_csv_metadata
from ketamech.report.claims_page import claim_in_full, claim_rows
from ketamech.report.number_format import markdown_table, number, signed, with_interval
from ketamech.report.provenance import today

WRITTEN = f"{DISCLAIMER} Written by scripts/publish.py"

AREAS_INTRODUCTION = """# Predicted networks

{written} on {date}; do not edit.

Change from the drug-free baseline, in percent, after: **{title}**. Median and 90 % interval over {draws} draws of every
parameter from its spread, for one person ({failed} draws failed). *Rises*: share of draws above the baseline.

No parameter was fitted to imaging. [The decision record](../decisions/0006-brain-areas.md) lists the imaging results
known beforehand (signs; no sizes were used) and the results that would contradict the model. A known sign is not a
test. The interval contains parameter uncertainty, but no measurement noise and no variability between people, so the
results of a study vary more.

![Areas and networks](../pictures/areas.png)
"""


def areas_page(prediction: NetworkPrediction, title: str) -> str:
    """Every readout and time with its interval, as Markdown."""
    values = {"title": title, "draws": prediction.curves.sizes["patient"], "failed": prediction.failed, "date": today()}
    header, rows = ("readout", "baseline", "after", "change, %", "90 % interval", "rises"), []
    for row in prediction.table().to_dict("records"):
        change, low, high = (signed(100 * row[name]) for name in ("relative_change", "low", "high"))
        cells = (number(row["baseline"]), time_text(row["hours"]), change, f"{low} to {high}")
        rows.append((row["readout"], *cells, f"{100 * row['rising_share']:.0f} %"))
    return f"{AREAS_INTRODUCTION.format(written=WRITTEN, **values)}\n{markdown_table(header, rows)}\n"


def agreement(results: Path) -> str:
    """Counts of the comparison of the typical patient, from the tables of `ketamech scorecard`, as sentences."""
    names = ("scorecard", "acceptance_criteria", "uncovered")
    rows, criteria, uncovered = (pd.read_csv(results / f"{name}.csv") for name in names)
    opened = rows[rows["use"] == "calibrate"]
    independent = opened[opened["role"] == "independent"]
    bounded = criteria[criteria["reached"].notna()]
    missed = bounded.loc[bounded["reached"].astype(str) == "False", "goal"]
    population = int((uncovered["reason"] == "needs a population").sum())
    goals = f" ({'; '.join(missed)})" if len(missed) else ""
    return (
        f"{len(rows)} published numbers are compared: {_verdict_counts(rows)}. {len(opened)} of them have a source"
        f" that can be opened, and of these only {len(independent)} belong to trials that set no value:"
        f" {_verdict_counts(independent)}. Of {len(bounded)} goals with bounds {len(missed)} are missed{goals}.\n"
        f"{len(uncovered)} further rows for calibration are not compared, {population} of them because they need a"
        " population; `data/scorecard/uncovered.csv` has the reasons."
    )


def _verdict_counts(rows: pd.DataFrame) -> str:
    inside, near = (int((rows["verdict"] == word).sum()) for word in ("inside", "near"))
    return f"{inside} inside, {near} near, {len(rows) - inside - near} missed"


CLAIMS_INTRODUCTION = """# Common statements about ketamine and the evidence

{written}; do not edit.

Every statement has an experiment in the model, evidence for and against, and a verdict computed from that evidence by
one rule. The result of the model is shown next to the verdict and does not change it. *Same verdict*: the number of
alternative rules, out of {tried}, that give the same verdict. *Model holds in*: the percentage of sets of assumed
parameter values in which the model gives the same result.

## The rule
Each paper counts once for a side, by its row with the largest weight. Balance = (for - against) / (for + against).

| verdict | when |
|---|---|
| supported | balance at least {lean}, and weight {enough} of it from human studies (about molecules: from any study) |
| contradicted | balance at most -{lean}, and a weight of at least {enough} against it from human studies |
| mixed | in between, or a positive balance without enough human evidence |
| not supported | total weight below {total}, or a negative balance without enough human evidence |

| number | value | why |
|---|---|---|
{numbers}

Alternative rules: {variants}.

Papers that pool the same trials are counted as separate papers; publication bias is not corrected.
"""


def claims_page(answers: Mapping[str, ClaimResult]) -> str:
    """Every claim with its verdict, experiment and evidence, and the conclusions that assumptions decide."""
    rule, why = load_rule()
    rule_variants = load_rule_variants(rule)
    numbers = "\n".join(f"| {name} | {number(value)} | {why[name]} |" for name, value in rule.values.items())
    introduction = CLAIMS_INTRODUCTION.format(
        written=WRITTEN, tried=len(rule_variants), numbers=numbers, variants="; ".join(rule_variants),
        lean=rule["lean"], enough=rule["enough.people"], total=rule["enough.total"],
    )  # fmt: skip
    parts = [introduction, "## All statements", summary_table(answers), ROBUSTNESS_HEAD, *_robustness_tables()]
    parts += [f"## {name}\n\n{claim_in_full(answer, rule)}\n" for name, answer in answers.items()]
    return "\n".join(parts) + "\n"


ROBUSTNESS_HEAD = f"""## Which conclusions are consequences of assumptions

All assumed parameters with a spread, except properties of the patient, are drawn jointly over their stated spreads
(Latin hypercubes); calibrated and measured values stay. *Holds*: percentage of these sets in which the model gives the
same answer as at the values of the tables. *With the drug effect*: the same among the sets in which the drug effect on
MADRS after a day is within two-fold of the calibrated one. Below {100 * ROBUST:g} % the conclusion is marked as the
consequence of an assumption. *Where it stops*: the parameters that most separate the sets in which it holds from the
others. Effects of drugs are those of the treated patient minus those of the same patient with expectancy alone. The
share of a pathway is the mean of its effect alone and of the loss without it, scaled so that the shares sum to what the
pathways add together; this is the Shapley value where pathways interact in pairs only.
"""


def _robustness_tables() -> list[str]:
    """One Markdown table for each kind of conclusion."""
    stored = load_robustness()
    groups: dict[str, list[RobustnessRow]] = defaultdict(list)
    for row in stored.rows.values():
        groups[row.kind].append(row)
    parts = [stored.note() + "\n"]
    for kind, rows in groups.items():
        count = sum(row.is_consequence for row in rows)
        parts.append(f"### {kind.capitalize()}: {count} of {len(rows)} are consequences of assumptions\n")
        columns = ("conclusion", "statement", "finding", "holds", "with the drug effect", "number", "where it stops")
        parts.append(markdown_table(columns, [_robustness_cells(row) for row in rows]) + "\n")
    return parts


def _robustness_cells(row: RobustnessRow) -> tuple[object, ...]:
    calibrated = "" if math.isnan(row.calibrated_share) else f"{percent(row.calibrated_share)} %"
    spread = "" if math.isnan(row.low) else with_interval(row.median, row.low, row.high)
    return f"`{row.conclusion}`", row.statement, row.finding, row.text, calibrated, spread, row.where_it_stops


def summary_table(answers: Mapping[str, ClaimResult]) -> str:
    """One line per claim: statement, verdict, model result, steadiness."""
    columns = ("statement", "verdict", "model", "model_and_evidence", "same_verdict", "model_holds_in")
    rows = [(f"[`{row['claim']}`](#{row['claim']})", *(row[k] for k in columns)) for row in claim_rows(answers)]
    return markdown_table(("claim", *(name.replace("_", " ") for name in columns)), rows) + "\n"


ENGINE_NAMES = {
    "libRoadRunner": "libRoadRunner (CVODE)",
    "COPASI": "COPASI (LSODA)",
    "AMICI": "AMICI (CVODES)",
}
TELLURIUM_NOTE = """\
Tellurium executed each archive itself: its integrator and tolerances (1e-9, absolute 1e-10) are those of the
SED-ML, and outputs that an archive does not report (amounts in compartments of the kinetics) have no number.
"""
CERTIFICATE_INTRODUCTION = """# Certificate: the exported model in other engines

{written} from `ketamech compare-simulators{options}`; do not edit.

The OMEX archive of every example scenario was written and read again, and its SBML was run by {engines}
at the times of its SED-ML: every minute of the first day and every hour afterwards, without the times of dose
events. A difference is the largest deviation from the engine of KetaMech (tolerance 1e-9), as a share of
the output's scale: the declared scale of a state; of an output that is computed from states, the largest value in any
of these scenarios or after 0.5 mg/kg of racemic ketamine over 40 min. Goal: {goal:g}.
{note}**Largest difference: {largest:.2g}: {verdict}.**

Equations `{fingerprint}`.
{versions}.
"""


FIGURES_INTRODUCTION = """# Archives of published figures in other programs

{written} from `ketamech export figures --to runs/figures` and
`ketamech compare-simulators --scenarios runs/figures{options}`; do not edit.

One archive contains one published figure: the treated patient or animal as SBML, a simulation up to the last published
time and the published values. The SBML was run by {engines} at the times of the simulation.
A difference is the largest deviation of any output from the engine of KetaMech, as a share of the output's
scale, as in the [cross-simulator check](certificate.md). Goal: {goal:g}.
{note}
Equations `{fingerprint}`.
{versions}.
"""


def certificate(folder: Path) -> str:
    """The differences of a folder of `ketamech compare-simulators`, by scenario and by output."""
    table, metadata = _differences(folder)
    largest = float(table["difference"].max(skipna=False))
    verdict = "reached" if largest <= MAX_DIFFERENCE else "missed"
    head = CERTIFICATE_INTRODUCTION.format(**_introduction(table, metadata), largest=largest, verdict=verdict)
    rows = [
        [f"{value:.2g}" if isinstance(value, float) else value for value in row]
        for row in largest_differences(table).itertuples(index=False)
    ]
    scenarios = markdown_table(["scenario", "engine", "largest difference", "output", "hour"], rows)
    by_output = table.pivot_table(index="output", columns="engine", values="difference", aggfunc="max", sort=False)
    ordered = by_output.loc[by_output.max(axis=1).sort_values(ascending=False, kind="stable").index]
    lines = zip(ordered.index, ordered.to_numpy(), strict=True)
    outputs = [[f"`{name}`", *("" if share != share else f"{share:.1e}" for share in line)] for name, line in lines]
    parts = [head, "## By scenario", scenarios, *_failures(metadata), "## By output, worst first"]
    parts.append(markdown_table(["output", *map(str, ordered.columns)], outputs))
    return "\n\n".join(parts) + "\n"


def figure_archives(folder: Path) -> str:
    """The differences of `ketamech compare-simulators --scenarios runs/figures`: how many agree, and each figure."""
    table, metadata = _differences(folder)
    worst = largest_differences(table).set_index(["scenario", "engine"])
    engines, reasons = list(table["engine"].unique()), _reasons(metadata)
    archives = sorted({*table["scenario"], *(key.rpartition(", ")[0] for key in reasons)})

    def cell(archive: str, engine: str) -> str:
        return f"{worst.loc[(archive, engine), 'difference']:.1e}" if (archive, engine) in worst.index else "no result"

    def within(engine: str) -> int:
        return int((worst.xs(engine, level="engine")["difference"] <= MAX_DIFFERENCE).sum())

    counts = [(engine, f"{within(engine)} of {len(archives)}") for engine in engines]
    rows = []
    for archive in archives:
        largest = worst.loc[[archive]].sort_values("difference", ascending=False, na_position="first").iloc[0]
        rows.append((archive, *(cell(archive, engine) for engine in engines), f"`{largest['output']}`"))
    parts = [
        FIGURES_INTRODUCTION.format(**_introduction(table, metadata)),
        markdown_table(["program", "figures within the goal"], counts),
        markdown_table(["figure", *engines, "output of the largest difference"], rows), *_failures(metadata),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _differences(folder: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    path = folder / "differences.csv"
    return pd.read_csv(path), dict(read_csv_metadata(path))


def _introduction(table: pd.DataFrame, metadata: Mapping[str, str]) -> dict[str, object]:
    """What the introductions of both comparisons state: programs, options, goal, equations and versions."""
    used = list(table["engine"].unique())
    *first, last = [ENGINE_NAMES[one] for one in used if one in ENGINE_NAMES]
    versions = [f"{key.removeprefix(VERSION)} {value}" for key, value in metadata.items() if key.startswith(VERSION)]
    return {
        "written": WRITTEN, "engines": f"{', '.join(first)} and {last}",
        "note": TELLURIUM_NOTE if "Tellurium" in used else "",
        "options": "".join(f" --{one.lower()}" for one in ("AMICI", "Tellurium") if one in used),
        "goal": MAX_DIFFERENCE, "fingerprint": metadata["ketamech equations"], "versions": ",\n".join(versions),
    }  # fmt: skip


def _reasons(metadata: Mapping[str, str]) -> dict[str, str]:
    """{"archive, program": why it could not be executed}."""
    return {key.removeprefix(FAILURE): reason for key, reason in metadata.items() if key.startswith(FAILURE)}


def _failures(metadata: Mapping[str, str]) -> list[str]:
    return [f"{key.rpartition(', ')[0]}: {reason}." for key, reason in _reasons(metadata).items()]
