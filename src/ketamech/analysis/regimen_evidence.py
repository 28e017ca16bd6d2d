"""Regimens of depression that were studied in humans, and whether a regimen is one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.evidence import load_evidence

PATH = DATA / "dosing" / "studied_regimens.csv"
COLUMNS = ("regimen", "control", "evidence", "why")
SAME_DURATION, SAME_AMOUNT = 0.1, 1e-6  # h between two infusions of the same kind; relative difference of amounts
STUDIED, NO_CONTROL, OTHER_SCHEDULE = "controlled trial", "uncontrolled study", "dose studied, schedule not"
WITHOUT = "without evidence"


@dataclass(frozen=True)
class StudiedRegimen:
    """A regimen, whether the study had a control group, and its evidence rows."""

    treatment: Treatment
    has_control: bool
    evidence: tuple[str, ...]
    why: str

    def has_same_dose(self, other: Treatment) -> bool:
        """Whether drug, route, amount and duration of one dose are the same."""
        mine = self.treatment
        same = (mine.drug, mine.route, mine.unit) == (other.drug, other.route, other.unit)
        if not same or mine.amount is None or other.amount is None:
            return False
        is_near = abs(mine.amount - other.amount) <= SAME_AMOUNT * mine.amount
        return is_near and abs(mine.duration - other.duration) < SAME_DURATION

    def has_same_schedule(self, other: Treatment, until: float) -> bool:
        """Whether the doses up to `until` (h), or up to the end of the study, are given at the same times."""
        mine, theirs = self.treatment.starts(until), other.starts(until)
        common = min(len(mine), len(theirs))
        is_single = len(mine) == 1
        return is_single == (len(theirs) == 1) and mine[:common] == theirs[:common]


@dataclass(frozen=True)
class RegimenEvidence:
    """What kind of evidence there is for a regimen, and the ids of its rows."""

    kind: str
    evidence: tuple[str, ...]


@cache
def load_studied_regimens(path: Path = PATH) -> tuple[StudiedRegimen, ...]:
    """Every studied regimen. Raises InputError for an unknown evidence row or an unreadable regimen."""
    return tuple(_studied(row) for row in read_table(path, COLUMNS))


def _studied(row: CsvRow) -> StudiedRegimen:
    known = load_evidence().observations
    ids = tuple(part.strip() for part in row.required("evidence", "ids of data/evidence").split(";"))
    for one in ids:
        if one not in known:
            raise row.error("evidence", f"no evidence row '{one}'", expected="ids of data/evidence")
    (treatment,) = Regimen.parse(row.required("regimen", "a regimen")).treatments
    return StudiedRegimen(treatment, row.one_of("control", ("yes", "no")) == "yes", ids, row["why"])


def evidence_of_regimen(regimen: Regimen, until: float) -> RegimenEvidence:
    """The best evidence for the doses of a regimen before `until` (h); several treatments together were not studied."""
    if len(regimen.treatments) != 1:
        return RegimenEvidence(WITHOUT, ())
    found = dict(reversed(list(_matches(regimen.treatments[0], until))))
    for kind in (STUDIED, NO_CONTROL, OTHER_SCHEDULE):
        if kind in found:
            return RegimenEvidence(kind, found[kind])
    return RegimenEvidence(WITHOUT, ())


def _matches(treatment: Treatment, until: float) -> Iterator[tuple[str, tuple[str, ...]]]:
    for one in load_studied_regimens():
        if one.has_same_dose(treatment):
            is_whole = one.has_same_schedule(treatment, until)
            kind = OTHER_SCHEDULE if not is_whole else STUDIED if one.has_control else NO_CONTROL
            yield kind, one.evidence
