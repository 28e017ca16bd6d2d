"""Tables of data/claims -> checked claims. Every complaint names file, line and column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from ketamech.analysis.claims.claim import RELATIONS, Claim, Figure, Point, Test
from ketamech.analysis.claims.rule import IN_PEOPLE, LEVELS, SIDES, STRENGTHS, Exhibit, Rule
from ketamech.analysis.protocols import Protocol, load_protocols
from ketamech.analysis.targets import MEASURE_COLUMNS, known, measure
from ketamech.evidence import Evidence, Observation, Row, read_table

DIRECTORY = Path(__file__).parents[2] / "data" / "claims"
COLUMNS = ("id", "statement", "met", "stage", "level", "figure", "start", "end", "curves", "axis", "note")
TEST_COLUMNS = ("claim", *MEASURE_COLUMNS, "relation", "bound", "says")
EXHIBIT_COLUMNS = ("claim", "evidence", "side", "strength", "why")
POINT_COLUMNS = ("claim", "evidence", "arm", "hours", "factor", "offset", "why")
RULE_COLUMNS = ("name", "value", "why")
VARIANT_COLUMNS = ("name", "settings", "why")
Part = TypeVar("Part")


def load_arms(folder: Path = DIRECTORY) -> dict[str, Protocol]:
    """The treatments by id."""
    return load_protocols(folder / "arms.csv")


def load_claims(evidence: Evidence, folder: Path = DIRECTORY) -> dict[str, Claim]:
    """Every claim with its tests, exhibits and points; raises BadInput for an id, arm or word that does not exist."""
    arms = load_arms(folder)
    rows = read_table(folder / "claims.csv", COLUMNS)
    ids = _ids(rows)
    tests = _by_claim(read_table(folder / "experiments.csv", TEST_COLUMNS), ids, lambda row: _test(row, arms))
    exhibits = _by_claim(read_table(folder / "evidence.csv", EXHIBIT_COLUMNS), ids, lambda row: _exhibit(row, evidence))
    points = _by_claim(read_table(folder / "points.csv", POINT_COLUMNS), ids, lambda row: _point(row, evidence, ids))
    return {row["id"]: _claim(row, arms, tests[row["id"]], exhibits[row["id"]], points[row["id"]]) for row in rows}


def load_rule(folder: Path = DIRECTORY) -> tuple[Rule, dict[str, str]]:
    """The rule, and why each of its numbers is what it is."""
    rows = read_table(folder / "rule.csv", RULE_COLUMNS)
    values = {row.required("name", "a name such as weight.animal"): row.number("value") for row in rows}
    return Rule(values), {row["name"]: row["why"] for row in rows}


def load_variants(rule: Rule, folder: Path = DIRECTORY) -> dict[str, Rule]:
    """Other rules by name, under which every verdict is computed again."""
    return {row["name"]: rule.changed(_settings(row)) for row in read_table(folder / "variants.csv", VARIANT_COLUMNS)}


def _settings(row: Row) -> dict[str, float]:
    found = {}
    for part in row["settings"].split(";"):
        name, _, text = part.partition("=")
        try:
            found[name.strip()] = float(text)
        except ValueError as problem:
            raise row.bad("settings", f"cannot read '{part}'", expected="name=number") from problem
    return found


def _ids(rows: Iterable[Row]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in rows:
        name = row.required("id", "a name such as glutamate-rises")
        if name in found:
            raise row.bad("id", f"'{name}' is already used", expected="each claim once")
        found[name] = row
    return found


def _by_claim(rows: Iterable[Row], ids: Mapping[str, Row], make: Callable[[Row], Part]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = defaultdict(list)
    for row in rows:
        found[known(row, "claim", ids, "an id of claims.csv")].append(make(row))
    return found


def _claim(
    row: Row, arms: Mapping[str, Protocol], tests: list[Test], exhibits: list[Exhibit], points: list[Point]
) -> Claim:
    if not tests:
        raise row.bad("id", f"'{row['id']}' has no experiment", expected="a line of experiments.csv")
    curves = {}
    for part in row.required("curves", "label=arm; label=arm").split(";"):
        label, _, arm = (text.strip() for text in part.partition("="))
        curves[label] = known(Row(row.file, row.line, {"curves": arm}), "curves", arms, "an id of arms.csv")
    figure = Figure(row["figure"], row.number("start"), row.number("end"), curves, row["axis"])
    told = (row.required("statement", "a sentence"), row["met"], row["stage"], row.choice("level", LEVELS))
    return Claim(row["id"], *told, figure, row["note"], tuple(tests), tuple(exhibits), tuple(points))


def _test(row: Row, arms: Mapping[str, Protocol]) -> Test:
    arm = known(row, "protocol", arms, "an id of arms.csv")
    relation = row.choice("relation", RELATIONS)
    return Test(arm, measure(row), relation, row.number("bound"), row.required("says", "what would count, in words"))


def _exhibit(row: Row, evidence: Evidence) -> Exhibit:
    found = evidence[known(row, "evidence", evidence.observations, "an id of data/evidence/*.csv")]
    strength = row.choice("strength", STRENGTHS)
    if (strength in IN_PEOPLE) != _in_people(found) or (strength == "in vitro") != _in_a_dish(found):
        raise row.bad("strength", f"'{row['evidence']}' is no such study", expected=_expected(found))
    return Exhibit(found, row.choice("side", SIDES), strength, row.required("why", "what the row says"))


def _in_a_dish(row: Observation) -> bool:
    words = f"{row.route} {row.population}".lower()
    return any(word in words for word in ("in vitro", "hek-293", "membranes", "homogenate", "oocytes"))


def _in_people(row: Observation) -> bool:
    return row.species == "human" and not _in_a_dish(row)


def _expected(row: Observation) -> str:
    if _in_a_dish(row):
        return "in vitro"
    return " | ".join(IN_PEOPLE) if _in_people(row) else "animal"


def _point(row: Row, evidence: Evidence, ids: Mapping[str, Row]) -> Point:
    found = evidence[known(row, "evidence", evidence.observations, "an id of data/evidence/*.csv")]
    drawn = dict.fromkeys(part.partition("=")[2].strip() for part in ids[row["claim"]]["curves"].split(";"))
    arm = known(row, "arm", drawn, "an arm that the figure of this claim draws")
    return Point(found, arm, row.number("hours"), row.number("factor"), row.number("offset"), row["why"])
