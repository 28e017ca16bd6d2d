"""Reads and checks the tables of data/claims. Every error names file, line and column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from ketamech.analysis.claims.claim import RELATIONS, Claim, ClaimFigure, ClaimTest, FigurePoint
from ketamech.analysis.claims.verdict_rule import IN_HUMANS, LEVELS, SIDES, STRENGTHS, EvidenceItem, Rule
from ketamech.analysis.reference_protocols import Protocol, load_protocols
from ketamech.analysis.scorecard_targets import MEASURE_COLUMNS, known, measure
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.paths import DATA
from ketamech.evidence import Evidence, Observation

DIRECTORY = DATA / "claims"
COLUMNS = ("id", "statement", "met", "stage", "level", "figure", "start", "end", "curves", "axis", "note")
TEST_COLUMNS = ("claim", *MEASURE_COLUMNS, "relation", "bound", "says")
EVIDENCE_COLUMNS = ("claim", "evidence", "side", "strength", "why")
POINT_COLUMNS = ("claim", "evidence", "arm", "hours", "factor", "offset", "why")
RULE_COLUMNS = ("name", "value", "why")
VARIANT_COLUMNS = ("name", "settings", "why")
Part = TypeVar("Part")


def load_arms(folder: Path = DIRECTORY) -> dict[str, Protocol]:
    """The treatments by id."""
    return load_protocols(folder / "arms.csv")


def load_claims(evidence: Evidence, folder: Path = DIRECTORY) -> dict[str, Claim]:
    """Every claim with its tests, evidence and points. Raises InputError for an unknown id, arm or word."""
    arms = load_arms(folder)
    rows = read_table(folder / "claims.csv", COLUMNS)
    ids = _ids(rows)
    tests = _by_claim(read_table(folder / "experiments.csv", TEST_COLUMNS), ids, lambda row: _test(row, arms))
    exhibits = _by_claim(
        read_table(folder / "evidence.csv", EVIDENCE_COLUMNS), ids, lambda row: _evidence_item(row, evidence)
    )
    points = _by_claim(read_table(folder / "points.csv", POINT_COLUMNS), ids, lambda row: _point(row, evidence, ids))
    return {row["id"]: _claim(row, arms, tests[row["id"]], exhibits[row["id"]], points[row["id"]]) for row in rows}


def load_rule(folder: Path = DIRECTORY) -> tuple[Rule, dict[str, str]]:
    """The rule, and the reason for each of its numbers."""
    rows = read_table(folder / "rule.csv", RULE_COLUMNS)
    values = {row.required("name", "a name such as weight.animal"): row.number("value") for row in rows}
    return Rule(values), {row["name"]: row["why"] for row in rows}


def load_rule_variants(rule: Rule, folder: Path = DIRECTORY) -> dict[str, Rule]:
    """Variants of the rule by name, for the robustness of the verdicts."""
    return {row["name"]: rule.changed(_settings(row)) for row in read_table(folder / "variants.csv", VARIANT_COLUMNS)}


def _settings(row: CsvRow) -> dict[str, float]:
    found = {}
    for part in row["settings"].split(";"):
        name, _, text = part.partition("=")
        try:
            found[name.strip()] = float(text)
        except ValueError as problem:
            raise row.error("settings", f"cannot read '{part}'", expected="name=number") from problem
    return found


def _ids(rows: Iterable[CsvRow]) -> dict[str, CsvRow]:
    found: dict[str, CsvRow] = {}
    for row in rows:
        name = row.required("id", "a name such as glutamate-rises")
        if name in found:
            raise row.error("id", f"'{name}' is already used", expected="each claim once")
        found[name] = row
    return found


def _by_claim(
    rows: Iterable[CsvRow], ids: Mapping[str, CsvRow], make: Callable[[CsvRow], Part]
) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = defaultdict(list)
    for row in rows:
        found[known(row, "claim", ids, "an id of claims.csv")].append(make(row))
    return found


def _claim(
    row: CsvRow,
    arms: Mapping[str, Protocol],
    tests: list[ClaimTest],
    exhibits: list[EvidenceItem],
    points: list[FigurePoint],
) -> Claim:
    if not tests:
        raise row.error("id", f"'{row['id']}' has no experiment", expected="a line of experiments.csv")
    curves = {}
    for part in row.required("curves", "label=arm; label=arm").split(";"):
        label, _, arm = (text.strip() for text in part.partition("="))
        curves[label] = known(CsvRow(row.file, row.line, {"curves": arm}), "curves", arms, "an id of arms.csv")
    figure = ClaimFigure(row["figure"], row.number("start"), row.number("end"), curves, row["axis"])
    told = (row.required("statement", "a sentence"), row["met"], row["stage"], row.one_of("level", LEVELS))
    return Claim(row["id"], *told, figure, row["note"], tuple(tests), tuple(exhibits), tuple(points))


def _test(row: CsvRow, arms: Mapping[str, Protocol]) -> ClaimTest:
    arm = known(row, "protocol", arms, "an id of arms.csv")
    relation = row.one_of("relation", RELATIONS)
    return ClaimTest(
        arm, measure(row), relation, row.number("bound"), row.required("says", "what would count, in words")
    )


def _evidence_item(row: CsvRow, evidence: Evidence) -> EvidenceItem:
    found = evidence[known(row, "evidence", evidence.observations, "an id of data/evidence/*.csv")]
    strength = row.one_of("strength", STRENGTHS)
    if (strength in IN_HUMANS) != _is_in_humans(found) or (strength == "in vitro") != _is_in_vitro(found):
        raise row.error("strength", f"'{row['evidence']}' is no such study", expected=_expected(found))
    return EvidenceItem(found, row.one_of("side", SIDES), strength, row.required("why", "what the row says"))


def _is_in_vitro(row: Observation) -> bool:
    words = f"{row.route} {row.population}".lower()
    return any(word in words for word in ("in vitro", "hek-293", "membranes", "homogenate", "oocytes"))


def _is_in_humans(row: Observation) -> bool:
    return row.species == "human" and not _is_in_vitro(row)


def _expected(row: Observation) -> str:
    if _is_in_vitro(row):
        return "in vitro"
    return " | ".join(IN_HUMANS) if _is_in_humans(row) else "animal"


def _point(row: CsvRow, evidence: Evidence, ids: Mapping[str, CsvRow]) -> FigurePoint:
    found = evidence[known(row, "evidence", evidence.observations, "an id of data/evidence/*.csv")]
    drawn = dict.fromkeys(part.partition("=")[2].strip() for part in ids[row["claim"]]["curves"].split(";"))
    arm = known(row, "arm", drawn, "an arm that the figure of this claim draws")
    return FigurePoint(found, arm, row.number("hours"), row.number("factor"), row.number("offset"), row["why"])
