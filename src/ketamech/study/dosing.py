"""Dose records as tables of NONMEM and mrgsolve hold them, turned into treatments."""

from __future__ import annotations

from dataclasses import dataclass

from ketamech.core import BadInput
from ketamech.study.regimen import Phase, Regimen, Treatment


@dataclass(frozen=True)
class DoseRecord:
    """One record: a dose at `time` (h), given `addl` more times every `ii` h; `ss`: at the steady state of that rhythm.

    `duration` (h) of an infusion, 0 for a bolus; `lag` (h) from giving to entering the body.
    """

    time: float
    drug: str
    amount: float
    unit: str
    route: str
    duration: float = 0.0
    addl: int = 0
    ii: float = 0.0
    ss: bool = False
    lag: float = 0.0

    def __post_init__(self) -> None:
        if self.addl < 0 or int(self.addl) != self.addl:
            raise BadInput(f"ADDL of {self.addl}", key="addl", expected="how many more doses follow: 0, 1, 2, ...")
        if (self.addl or self.ss) and not self.ii > 0:
            what = "ADDL" if self.addl else "SS"
            raise BadInput(f"{what} without II", key="ii", expected="hours between two doses", type_this="ii=12")

    def treatment(self) -> Treatment:
        """The treatment this record stands for. Raises BadInput for a dose that cannot be given."""
        phases = (Phase(every=self.ii, length=(self.addl + 1) * self.ii),) if self.addl or self.ss else ()
        return Treatment(
            self.drug,
            self.amount,
            self.unit,
            self.route,
            self.duration,
            self.time,
            phases,
            lag=self.lag,
            steady=self.ss,
        )


def regimen(*records: DoseRecord) -> Regimen:
    """The regimen of one person's records, in order of time."""
    return Regimen(tuple(record.treatment() for record in sorted(records, key=lambda record: record.time)))
