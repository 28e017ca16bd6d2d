"""Concentration profiles of subjects, analysed, as tables: one row a profile, one row a parameter, and statistics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.core import InputError, convert
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.simulation.nca import DEFAULT_RULES, NcaDose, NcaResult, NcaRules, non_compartmental

if TYPE_CHECKING:
    import pandas as pd

FILE = DATA / "nca" / "parameters.csv"
PER_KG = "/kg"
SINGLE, STEADY, MULTIPLE = "SINGLE DOSE", "STEADY STATE", "MULTIPLE DOSE"
SIMULATED_LLOQ = 1e-3  # of the highest level, where no limit of quantification is given
STATISTICS = ("n", "mean", "sd", "geometric mean", "geometric CV %", "median", "min", "max")


@dataclass(frozen=True)
class NcaParameter:
    """A parameter: CDISC code and name, its unit with places for {level}, {dose} and {volume}."""

    code: str
    name: str
    unit: str
    is_shown: bool


@cache
def nca_parameters() -> Mapping[str, NcaParameter]:
    """Every parameter by code, in the order of tables."""
    rows = read_table(FILE, ("code", "name", "unit", "shown"))
    return {row["code"]: NcaParameter(row["code"], row["name"], row["unit"], row.is_yes("shown")) for row in rows}


@dataclass(frozen=True)
class ConcentrationProfile:
    """Levels of one `analyte` of one subject after one dose; `time` in h after the dose, which is at `dose_time` (h).

    `dose_number` counts the doses of an occasion from 1. `keys`: more columns that identify the profile.
    """

    subject: str
    analyte: str
    time: np.ndarray
    level: np.ndarray
    level_unit: str
    dose: NcaDose
    dose_unit: str = "mg"
    dose_number: int = 1
    occasion: int = 1
    dose_time: float = 0.0
    keys: Mapping[str, Any] = field(default_factory=dict)

    def unit(self, code: str) -> str:
        """Unit of a parameter of this profile, in CDISC spelling; "" for one without."""
        volume = f"L{PER_KG}" if self.dose_unit.endswith(PER_KG) else "L"
        return nca_parameters()[code].unit.format(level=self.level_unit, dose=self.dose_unit, volume=volume)

    @property
    def category(self) -> str:
        """Single dose, steady state, or a later dose of several."""
        return STEADY if self.dose.steady_state else MULTIPLE if self.dose.carried_over else SINGLE


@dataclass(frozen=True)
class AnalysedProfile:
    """A profile and its parameters."""

    profile: ConcentrationProfile
    result: NcaResult


def litres_per_dose(dose_unit: str, level_unit: str, molar_mass: float | None) -> float | None:
    """The volume (L) in which one `dose_unit` has a concentration of one `level_unit`; None without the molar mass."""
    try:
        return convert(1.0, dose_unit.removesuffix(PER_KG), f"{level_unit}*L", molar_mass=molar_mass)
    except InputError:
        return None


def analysed(profiles: Iterable[ConcentrationProfile], rules: NcaRules = DEFAULT_RULES) -> list[AnalysedProfile]:
    """Every profile with its parameters; later doses also with the observed accumulation since the first."""
    rows: list[AnalysedProfile] = []
    first: dict[tuple[str, str, int], NcaResult] = {}
    for profile in profiles:
        result = non_compartmental(profile.time, profile.level, profile.dose, rules)
        begin = first.setdefault((profile.subject, profile.analyte, profile.occasion), result)
        if begin is not result and profile.dose_number > 1:
            result = result.with_values(_accumulation(result.values, begin.values))
        rows.append(AnalysedProfile(profile, result))
    return rows


def _accumulation(last: Mapping[str, float], first: Mapping[str, float]) -> dict[str, float]:
    """Ratios of a later to the first interval, where both are known."""
    pairs = {"ARAUC": "AUCTAU", "ARCMAX": "CMAX"}
    ratios = {ratio: last.get(code, math.nan) / (first.get(code) or math.nan) for ratio, code in pairs.items()}
    return {ratio: value for ratio, value in ratios.items() if math.isfinite(value)}


def wide_table(rows: Sequence[AnalysedProfile], codes: Iterable[str] | None = None) -> pd.DataFrame:
    """One row a profile: ID, analyte, dose, then a column "CODE (unit)" for each parameter, reasons and flags.

    `codes`: only these parameters (default: all that any profile has).
    """
    import pandas as pd

    chosen = set(nca_parameters() if codes is None else codes)
    present = {(code, row.profile.unit(code)) for row in rows for code in row.result.values if code in chosen}
    order = list(nca_parameters())
    columns = sorted(present, key=lambda one: (order.index(one[0]), one[1]))
    lines = []
    for row in rows:
        values = {heading(code, row.profile.unit(code)): value for code, value in row.result.values.items()}
        words = {"missing because": "; ".join(dict.fromkeys(row.result.reasons.values()))}
        lines.append({**_identity(row.profile), **values, **words, "flags": "; ".join(row.result.flags)})
    identities = dict.fromkeys(name for row in rows for name in _identity(row.profile))
    names = [*identities, *(heading(*column) for column in columns), "missing because", "flags"]
    return pd.DataFrame(lines, columns=names) if lines else pd.DataFrame()


def heading(code: str, unit: str) -> str:
    """The name of a column: the code with its unit."""
    return f"{code} ({unit})" if unit else code


def _identity(profile: ConcentrationProfile) -> dict[str, Any]:
    amount = math.nan if profile.dose.amount is None else profile.dose.amount
    return {
        "ID": profile.subject, **profile.keys, "ANALYTE": profile.analyte, "OCC": profile.occasion,
        "DOSENO": profile.dose_number, "DOSETIME (h)": profile.dose_time,
        heading("DOSE", profile.dose_unit): amount, "ROUTE": profile.dose.route,
    }  # fmt: skip


def adpp(rows: Sequence[AnalysedProfile], study: str = "") -> pd.DataFrame:
    """One row a parameter, as the ADaM table ADPP: USUBJID, PARAMCD, PARAM, AVAL, AVALU, PPCAT, PPSCAT, PPREASND ...

    PPCAT is the analyte, PPSCAT single dose, multiple dose or steady state, PPREASND why a value is missing.
    """
    import pandas as pd

    lines = [
        {
            "STUDYID": study, "USUBJID": row.profile.subject, **row.profile.keys, "PPCAT": row.profile.analyte,
            "PPSCAT": row.profile.category,
            "AVISIT": f"occasion {row.profile.occasion}, dose {row.profile.dose_number}",
            "PARAMCD": code, "PARAM": heading(parameter.name, row.profile.unit(code)), "AVAL": row.result.values[code],
            "AVALU": row.profile.unit(code), "PPREASND": row.result.reasons.get(code, ""),
            "DOSEA": row.profile.dose.amount, "DOSEU": row.profile.dose_unit, "PPROUTE": row.profile.dose.route,
        }
        for row in rows
        for code, parameter in nca_parameters().items()
        if code in row.result.values
    ]  # fmt: skip
    return pd.DataFrame(lines)


def statistics(rows: Sequence[AnalysedProfile]) -> pd.DataFrame:
    """Statistics over subjects of each parameter, by analyte, occasion and dose number: one row each."""
    import pandas as pd

    groups: dict[tuple[str, int, int, int], list[float]] = {}
    units: dict[tuple[str, int, int, int], set[str]] = {}
    order = list(nca_parameters())
    for row in rows:
        one = row.profile
        for code, value in row.result.values.items():
            key = (one.analyte, one.occasion, one.dose_number, order.index(code))
            groups.setdefault(key, []).append(value)
            units.setdefault(key, set()).add(one.unit(code))
    lines = [
        {
            "ANALYTE": key[0], "OCC": key[1], "DOSENO": key[2], "PARAMCD": order[key[3]], "unit": ", ".join(units[key]),
            **_statistics(np.array(groups[key] if len(units[key]) == 1 else [])),
        }
        for key in sorted(groups)
    ]  # fmt: skip
    return pd.DataFrame(lines)


def _statistics(values: np.ndarray) -> dict[str, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return dict(zip(STATISTICS, (0.0, *[math.nan] * 7), strict=True))
    sd = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    logs = np.log(known) if (known > 0).all() else np.array([math.nan])
    log_sd = float(logs.std(ddof=1)) if len(logs) > 1 else math.nan
    statistics = (
        len(known), known.mean(), sd, math.exp(logs.mean()), 100 * math.sqrt(math.expm1(log_sd**2)),
        np.median(known), known.min(), known.max(),
    )  # fmt: skip
    return dict(zip(STATISTICS, map(float, statistics), strict=True))
