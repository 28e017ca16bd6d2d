"""Regimens: all treatments of one patient, read from a sentence and written as one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ketamech.core import InputError
from ketamech.core.time_units import DAY, WEEK
from ketamech.dosing.format_regimen import sentences
from ketamech.dosing.sentence import read_treatments
from ketamech.dosing.treatment import Treatment


@dataclass(frozen=True)
class Regimen:
    """All treatments of one patient."""

    treatments: tuple[Treatment, ...]

    def __add__(self, other: Regimen) -> Regimen:
        """Both regimens in one patient, in order of their first doses."""
        if not isinstance(other, Regimen):
            return NotImplemented
        return Regimen(tuple(sorted((*self.treatments, *other.treatments), key=lambda treatment: treatment.start)))

    @classmethod
    def parse(cls, sentence: str) -> Regimen:
        """Read a sentence such as "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly".

        Raises InputError with the unknown words and their positions.
        """
        return cls(read_treatments(sentence))

    def steady_state_cycle(self, visit_gap: float) -> tuple[Regimen, float]:
        """The repeated part of a regimen that starts at steady state, and its length (h); (itself, 0) if there is none.

        Every dose is taken, and a cycle is at least `visit_gap` (h) long, since at most one visit in that time carries
        expectancy. Treatments that do not start at steady state are not part of the cycle. Raises InputError if the
        rhythms differ, or a first dose comes too late.
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
        return Regimen(tuple(treatment.repeated(period, length) for treatment in steady)), length

    def sentences(self, *, exact: bool = True) -> tuple[str, ...]:
        """The treatments as sentences; single doses that differ in their days share one.

        Where `exact`, `parse` reads them back as they are; otherwise numbers are rounded to four digits, for display.
        """
        return sentences(self.treatments, exact=exact)

    def sentence(self, *, exact: bool = True) -> str:
        """The regimen as one sentence, in the words of `sentences`."""
        return "; ".join(self.sentences(exact=exact))

    def horizon(self) -> float:
        """Default simulated time (h): 28 days, or four weeks beyond the last dose or the end of its infusion."""
        ends = [end + t.lag + t.duration for t in self.treatments if (end := t.end()) is not None]
        begins = [t.start + sum(p.duration or 0.0 for p in t.schedule) for t in self.treatments if t.end() is None]
        return 4 * WEEK + max([0.0, *(end for end in ends if end > DAY), *begins])
