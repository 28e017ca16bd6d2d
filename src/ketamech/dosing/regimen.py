"""Regimens: all treatments of one patient, read from a sentence and written as one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ketamech.core import InputError
from ketamech.core.time_units import DAY, WEEK
from ketamech.dosing.format_regimen import sentences
from ketamech.dosing.sentence import read
from ketamech.dosing.treatment import Treatment


@dataclass(frozen=True)
class Regimen:
    """Everything one person is given."""

    treatments: tuple[Treatment, ...]

    def __add__(self, other: Regimen) -> Regimen:
        """Both regimens in one person, in order of their first doses."""
        if not isinstance(other, Regimen):
            return NotImplemented
        return Regimen(tuple(sorted((*self.treatments, *other.treatments), key=lambda treatment: treatment.start)))

    @classmethod
    def parse(cls, sentence: str) -> Regimen:
        """Read a sentence such as "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly".

        Raises BadInput saying which words were not understood.
        """
        return cls(read(sentence))

    def cycle(self, visit_gap: float) -> tuple[Regimen, float]:
        """What repeats itself in a regimen that starts at steady state, and after how many hours; (itself, 0) if none.

        Every dose is taken, and a cycle is long enough for a visit, of which at most one in `visit_gap` h counts.
        What does not start at steady state had not been given before the start. Raises BadInput when the rhythms
        differ, or a first dose comes too late.
        """
        steady = [treatment for treatment in self.treatments if treatment.at_steady_state]
        if not steady:
            return self, 0.0
        periods = {treatment.schedule[0].period for treatment in steady}
        if len(periods) > 1:
            what = "some treatments start at steady state in one rhythm and others in another rhythm"
            raise InputError(what, key="schedule", expected="one rhythm for all that start at steady state")
        period = periods.pop()
        length = max(1, math.ceil(visit_gap / period - 1e-9)) * period
        return Regimen(tuple(treatment.repeating(period, length) for treatment in steady)), length

    def sentences(self, *, exact: bool = True) -> tuple[str, ...]:
        """The treatments in words; single doses that differ by their days are named together.

        Where `exact`, `parse` reads them back as they are; otherwise numbers are rounded to four digits, for people.
        """
        return sentences(self.treatments, exact=exact)

    def sentence(self, *, exact: bool = True) -> str:
        """The regimen as one sentence, in the words of `sentences`."""
        return "; ".join(self.sentences(exact=exact))

    def horizon(self) -> float:
        """A sensible time to look (h): 28 days, or four weeks beyond the last dose or the end of its infusion."""
        ends = [end + t.lag + t.duration for t in self.treatments if (end := t.end()) is not None]
        begins = [t.start + sum(p.duration or 0.0 for p in t.schedule) for t in self.treatments if t.end() is None]
        return 4 * WEEK + max([0.0, *(end for end in ends if end > DAY), *begins])
