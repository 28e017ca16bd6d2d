"""Non-compartmental analysis (NCA) of one concentration profile, by the rules of Phoenix WinNonlin.

Parameters have the codes of CDISC (PKPARMCD; data/nca). The terminal regression uses the last three or more levels
after the peak (after a bolus from the peak on) with the best adjusted R squared; of regressions within 0.0001 of the
best, the one with the most levels. A value that cannot be estimated is NaN, with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

BOLUS, INFUSION, EXTRAVASCULAR = "bolus", "infusion", "extravascular"
LINEAR_UP_LOG_DOWN, LINEAR = "linear-up-log-down", "linear"
MIN_TERMINAL_LEVELS = 3
R2_TIE = 1e-4  # regressions with nearly the best adjusted R squared: the one with the most levels is used
MRT = {BOLUS: "MRTIB", INFUSION: "MRTIC", EXTRAVASCULAR: "MRTEV"}
NO_LEVEL, ALL_BLQ = "no level was measured", "every level is below the limit of quantification"
NO_DOSE, CARRIED_OVER = "the dose is not known", "earlier doses add to the levels, and no steady state is stated"
# Usual limits of acceptance: percent, 1, half-lives.
MAX_EXTRAPOLATED_PERCENT, MIN_ADJUSTED_R2, MIN_TERMINAL_SPAN = 20.0, 0.8, 2.0


@dataclass(frozen=True)
class NcaDose:
    """The dose at 0 h of a profile: `amount`, None if unknown (`missing_reason`), over `duration` (h) if an infusion.

    `litres`: the volume (L, or L/kg) in which one unit of the dose has a concentration of one unit of the levels; None
    if the units cannot be converted. `interval` (h) to the next dose (tau). `steady_state`: the profile is that of an
    interval at steady state. `carried_over`: earlier doses add to the levels.
    """

    amount: float | None = None
    route: str = EXTRAVASCULAR
    duration: float = 0.0
    interval: float | None = None
    steady_state: bool = False
    carried_over: bool = False
    litres: float | None = 1.0
    missing_reason: str = NO_DOSE


@dataclass(frozen=True)
class NcaRules:
    """`trapezoids` of areas; levels below `lloq` (in their unit) count as BLQ, like 0 and negative ones.

    BLQ before the first level is 0, between two levels missing (or 0 with `zero_between`), after the last level not
    part of areas to the last level. `terminal_window` (h): levels of the terminal regression, in place of the best fit.
    """

    trapezoids: str = LINEAR_UP_LOG_DOWN
    lloq: float = 0.0
    zero_between: bool = False
    terminal_window: tuple[float, float] | None = None


@dataclass(frozen=True)
class TerminalFit:
    """The terminal regression: ln C = `intercept` - `rate` t, through `points` levels from `first` to `last` (h)."""

    rate: float
    intercept: float
    first: float
    last: float
    points: int
    correlation: float

    @property
    def half_life(self) -> float:
        """Half-life (h)."""
        return math.log(2) / self.rate

    @property
    def r2(self) -> float:
        """R squared."""
        return self.correlation**2

    @property
    def r2_adjusted(self) -> float:
        """R squared adjusted for the number of levels."""
        return 1 - (1 - self.r2) * (self.points - 1) / (self.points - 2)

    def level(self, time: float) -> float:
        """The level of the regression at a time (h)."""
        return math.exp(self.intercept - self.rate * time)


@dataclass(frozen=True)
class NcaResult:
    """Values by code, the reason of each that is NaN, and the profile (h, level) as it was integrated."""

    values: Mapping[str, float]
    reasons: Mapping[str, str]
    terminal: TerminalFit | None = None
    time: np.ndarray = field(default_factory=lambda: np.array([]))
    level: np.ndarray = field(default_factory=lambda: np.array([]))

    def __getitem__(self, code: str) -> float:
        return self.values[code]

    @property
    def flags(self) -> tuple[str, ...]:
        """Usual limits of acceptance that the terminal phase does not meet."""
        if self.terminal is None:
            return ()
        span, share = self.values["LAMZSPN"], self.values["AUCPEO"]
        flags = []
        if share > MAX_EXTRAPOLATED_PERCENT:
            flags.append(f"{share:.0f} % of AUCIFO is extrapolated")
        if self.terminal.r2_adjusted < MIN_ADJUSTED_R2:
            flags.append(f"adjusted R squared {self.terminal.r2_adjusted:.2f}")
        if span < MIN_TERMINAL_SPAN:
            flags.append(f"the regression spans {span:.1f} half-lives")
        return tuple(flags)

    def with_values(self, more: Mapping[str, float]) -> NcaResult:
        """The same result with more values."""
        return replace(self, values={**self.values, **more})


SINGLE_DOSE, DEFAULT_RULES = NcaDose(), NcaRules()


def non_compartmental(
    time: np.ndarray, level: np.ndarray, dose: NcaDose = SINGLE_DOSE, rules: NcaRules = DEFAULT_RULES
) -> NcaResult:
    """The parameters of one profile: `time` [level] in h after the dose, `level` [level] in any unit of concentration.

    NaN and times before 0 are left out. Without a level at 0 h, the profile begins with 0 (at steady state with the
    lowest level of the interval), after a bolus with C0: ln C through the first two levels, back to 0 h.
    """
    known = np.isfinite(level) & np.isfinite(time) & (np.asarray(time) >= 0)
    t, c = np.asarray(time, dtype=float)[known], np.asarray(level, dtype=float)[known]
    order = np.argsort(t, kind="stable")
    t, c = t[order], np.where(c[order] >= max(rules.lloq, 0.0), c[order], 0.0)
    if not c.any():
        return _without_levels(dose, measured=len(c) > 0)
    t, c = _without_blq(t, c, dose, rules)
    has_origin = t[0] == 0
    t, c = (t, c) if has_origin else _with_origin(t, c, dose)
    peak = peak_index(c, has_origin)
    terminal, why = terminal_fit(t, c, peak if dose.route == BOLUS else peak + 1, rules.terminal_window)
    values, reasons = _Profile(t, c, dose, rules.trapezoids, terminal, why, has_origin).parameters()
    return NcaResult(values, reasons, terminal, t, c)


def _without_levels(dose: NcaDose, *, measured: bool) -> NcaResult:
    """The result without a quantifiable level: the peak is 0 if all are BLQ, everything else is missing."""
    codes = [*_codes(dose), "CMAX"]
    values = dict.fromkeys(codes, math.nan) | ({"CMAX": 0.0} if measured else {})
    why = ALL_BLQ if measured else NO_LEVEL
    return NcaResult(values, {code: why for code, value in values.items() if math.isnan(value)})


@lru_cache
def _codes(dose: NcaDose) -> tuple[str, ...]:
    """Codes of the parameters after such a dose."""
    t = np.arange(4.0)
    return tuple(non_compartmental(t, np.exp(-t), dose).values)


def _without_blq(t: np.ndarray, c: np.ndarray, dose: NcaDose, rules: NcaRules) -> tuple[np.ndarray, np.ndarray]:
    """The profile without BLQ between two levels, and without a BLQ sample at the time of a bolus."""
    positive = np.flatnonzero(c > 0)
    keep = np.ones(len(t), dtype=bool)
    if not rules.zero_between:
        keep[positive[0] : positive[-1] + 1] = c[positive[0] : positive[-1] + 1] > 0
    if dose.route == BOLUS:
        keep[: positive[0]] &= t[: positive[0]] > 0
    return t[keep], c[keep]


def _with_origin(t: np.ndarray, c: np.ndarray, dose: NcaDose) -> tuple[np.ndarray, np.ndarray]:
    """The profile with a level at 0 h: C0 of a bolus, the lowest of an interval with earlier doses, else 0."""
    first = 0.0
    if dose.route == BOLUS:
        falls = len(c) > 1 and c[0] > c[1] > 0
        first = c[0] * (c[0] / c[1]) ** (t[0] / (t[1] - t[0])) if falls else c[0]
    elif dose.steady_state or dose.carried_over:
        within = t <= (dose.interval or math.inf)
        first = float(np.min(c[within])) if within.any() else 0.0
    return np.concatenate([[0.0], t]), np.concatenate([[first], c])


def peak_index(c: np.ndarray, has_origin: bool) -> int:
    """Index of the highest measured of the levels `c` [level]: not that of a level at 0 h that was added."""
    return int(np.argmax(c)) if has_origin else 1 + int(np.argmax(c[1:]))


def terminal_fit(
    t: np.ndarray, c: np.ndarray, start: int, window: tuple[float, float] | None = None
) -> tuple[TerminalFit | None, str]:
    """The terminal regression of levels `c` at times `t` (h) [level], else the reason why there is none.

    It begins at index `start` or covers a `window` (h).
    """
    inside = (c > 0) & (np.arange(len(t)) >= start)
    if window is not None:
        inside = (c > 0) & (t >= window[0]) & (t <= window[1])
    t, y = t[inside], np.log(c[inside])
    if len(t) < MIN_TERMINAL_LEVELS:
        where = (
            "after the peak (after a bolus: from it on)" if window is None else f"from {window[0]:g} to {window[1]:g} h"
        )
        return None, f"fewer than three levels {where} for the terminal regression"
    count = len(t) if window is not None else _best_count(t, y)
    fit = log_regression(t[-count:], y[-count:]) if count else None
    return (fit, "") if fit is not None else (None, "the last levels do not fall")


def _best_count(t: np.ndarray, y: np.ndarray) -> int:
    """Number of last points with the best adjusted R squared among falling regressions; 0 if there is none."""
    x, z = t[::-1] - t[-1], y[::-1] - y[-1]
    n = np.arange(1, len(x) + 1)
    sums = {name: np.cumsum(part) for name, part in {"x": x, "z": z, "xx": x * x, "xz": x * z, "zz": z * z}.items()}
    across, along, rest = (sums[a + b] - sums[a] * sums[b] / n for a, b in (("x", "z"), ("x", "x"), ("z", "z")))
    with np.errstate(divide="ignore", invalid="ignore"):
        adjusted = 1 - (1 - across**2 / (along * rest)) * (n - 1) / (n - 2)
    adjusted[(across >= 0) | (n < MIN_TERMINAL_LEVELS) | ~np.isfinite(adjusted)] = -np.inf
    if not np.isfinite(adjusted).any():
        return 0
    return int(n[adjusted > adjusted.max() - R2_TIE][-1])


def log_regression(t: np.ndarray, y: np.ndarray) -> TerminalFit | None:
    """Least squares of ln C `y` [level] on the times `t` (h) [level]; None unless the levels fall."""
    x, z = t - t.mean(), y - y.mean()
    slope = float(np.sum(x * z) / np.sum(x * x)) if np.any(x) else 0.0
    if not slope < 0:
        return None
    correlation = float(np.sum(x * z) / math.sqrt(float(np.sum(x * x) * np.sum(z * z))))
    return TerminalFit(-slope, float(y.mean() - slope * t.mean()), float(t[0]), float(t[-1]), len(t), correlation)


def areas(t: np.ndarray, c: np.ndarray, trapezoids: str = LINEAR_UP_LOG_DOWN) -> tuple[np.ndarray, np.ndarray]:
    """Areas [..., interval] under the curve and under its first moment, of levels `c` at times `t` (h) [..., level].

    Linear where levels rise or one of them is 0; where they fall logarithmic, unless all `trapezoids` are linear.
    """
    a, b, begin, end = c[..., :-1], c[..., 1:], t[..., :-1], t[..., 1:]
    step = end - begin
    area, moment = step * (a + b) / 2, step * (a * begin + b * end) / 2
    if trapezoids == LINEAR:
        return area, moment
    falls = (b < a) & (b > 0) & (step > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.log(a / b) / step
        log_area = (a - b) / rate
        log_moment = (a * begin - b * end) / rate + (a - b) / rate**2
    return np.where(falls, log_area, area), np.where(falls, log_moment, moment)


@dataclass(frozen=True)
class _Profile:
    """A profile from 0 h on with its terminal regression, or the `missing_reason`; `has_origin`: measured at 0 h."""

    t: np.ndarray
    c: np.ndarray
    dose: NcaDose
    trapezoids: str
    terminal: TerminalFit | None
    missing_reason: str
    has_origin: bool

    def parameters(self) -> tuple[dict[str, float], dict[str, str]]:
        """Values by code, and the reason of each that is NaN."""
        values = self._observed() | self._terminal() | self._to_infinity() | self._interval()
        by_dose = self._by_dose(values)
        values = {code: float(v) if math.isfinite(v) else math.nan for code, v in (values | by_dose).items()}
        missing = [code for code, value in values.items() if math.isnan(value)]
        return values, {c: (self._why_without_dose(c) if c in by_dose else "") or self.missing_reason for c in missing}

    @cached_property
    def _last(self) -> int:
        return int(np.flatnonzero(self.c > 0)[-1])

    @cached_property
    def _areas(self) -> tuple[np.ndarray, np.ndarray]:
        return areas(self.t, self.c, self.trapezoids)

    @property
    def _input_time(self) -> float:
        """Mean time (h) of the input of an infusion."""
        return self.dose.duration / 2 if self.dose.route == INFUSION else 0.0

    @property
    def _rate(self) -> float:
        return self.terminal.rate if self.terminal else math.nan

    def _to_last(self) -> tuple[float, float]:
        """Area and first moment to the last level."""
        area, moment = self._areas
        return float(area[: self._last].sum()), float(moment[: self._last].sum())

    def _observed(self) -> dict[str, float]:
        t, c, last, peak = self.t, self.c, self._last, peak_index(self.c, self.has_origin)
        auc, aumc = self._to_last()
        values = {"C0": c[0]} if self.dose.route == BOLUS else {}
        values |= {"CMAX": c[peak], "TMAX": t[peak]}
        if self.dose.route == EXTRAVASCULAR and not (self.dose.carried_over or self.dose.steady_state):
            values["TLAG"] = t[max(0, int(np.argmax(c > 0)) - 1)]
        return {
            **values, "CLST": c[last], "TLST": t[last], "AUCLST": auc, "AUMCLST": aumc,
            "AUCALL": float(self._areas[0][: last + 1].sum()),  # also the triangle to the first BLQ afterwards
            f"{MRT[self.dose.route]}LST": (aumc / auc if auc else math.nan) - self._input_time,
        }  # fmt: skip

    def _terminal(self) -> dict[str, float]:
        fit = self.terminal
        if fit is None:
            codes = ("LAMZHL", "LAMZ", "LAMZLL", "LAMZUL", "LAMZNPT", "LAMZSPN", "R2", "R2ADJ", "CORRXY")
            return dict.fromkeys(codes, math.nan)
        return {
            "LAMZHL": fit.half_life, "LAMZ": fit.rate, "LAMZLL": fit.first, "LAMZUL": fit.last,
            "LAMZNPT": float(fit.points), "LAMZSPN": (fit.last - fit.first) / fit.half_life,
            "R2": fit.r2, "R2ADJ": fit.r2_adjusted, "CORRXY": fit.correlation,
        }  # fmt: skip

    def _to_infinity(self) -> dict[str, float]:
        """Areas extrapolated from the last level as observed (O) and as the regression predicts it (P)."""
        (auc, aumc), end, rate = self._to_last(), float(self.t[self._last]), self._rate
        predicted = self.terminal.level(end) if self.terminal else math.nan
        values: dict[str, float] = {}
        for kind, level in (("O", float(self.c[self._last])), ("P", predicted)):
            whole, whole_moment = auc + level / rate, aumc + level * (end / rate + 1 / rate**2)
            values |= {f"AUCIF{kind}": whole, f"AUCPE{kind}": 100 * (1 - auc / whole)}
            values |= {f"AUMCIF{kind}": whole_moment, f"AUMCPE{kind}": 100 * (1 - aumc / whole_moment)}
            if self.dose.route == BOLUS:
                values[f"AUCPBE{kind}"] = 0.0 if self.has_origin else 100 * float(self._areas[0][0]) / whole
            if not (self.dose.carried_over or self.dose.steady_state):
                values[f"{MRT[self.dose.route]}IF{kind}"] = whole_moment / whole - self._input_time
        return values

    def _interval(self) -> dict[str, float]:
        """Parameters of the dosing interval, if it is known."""
        tau = self.dose.interval
        if not tau:
            return {}
        trough = self._level_at(tau)
        inside = self.t < tau
        t, c = np.append(self.t[inside], tau), np.append(self.c[inside], trough)
        auc, aumc = (float(part.sum()) for part in areas(t, c, self.trapezoids))
        values = {"AUCTAU": auc, "CTROUGH": trough, "AILAMZ": 1 / -math.expm1(-self._rate * tau)}
        if self.dose.steady_state or self.dose.carried_over:
            lowest, highest, mean = float(c.min()), float(c[peak_index(c, self.has_origin)]), auc / tau
            values |= {"CAVG": mean, "CMIN": lowest, "FLUCP": 100 * (highest - lowest) / mean}
        if self.dose.steady_state:
            for kind in "OP":
                beyond = self._to_infinity()[f"AUCIF{kind}"] - auc
                values[f"{MRT[self.dose.route]}IF{kind}"] = (aumc + tau * beyond) / auc - self._input_time
        return values

    def _level_at(self, time: float) -> float:
        """The level at a time (h): between two levels by the rule of the areas, afterwards by the regression."""
        end = self.t[self._last]
        if time > end * (1 + 1e-9):
            return float(self.c[self._last]) * math.exp(-self._rate * (time - end))
        i = min(int(np.searchsorted(self.t, time, side="right")) - 1, self._last)
        if i == self._last or self.t[i] == time:
            return float(self.c[i])
        a, b = self.c[i], self.c[i + 1]
        share = (time - self.t[i]) / (self.t[i + 1] - self.t[i])
        falls = 0 < b < a and self.trapezoids != LINEAR
        return float(a * (b / a) ** share if falls else a + share * (b - a))

    def _by_dose(self, parameters: Mapping[str, float]) -> dict[str, float]:
        """Parameters that need the dose: normalised values, clearance and volumes."""
        amount = math.nan if self.dose.amount is None else self.dose.amount
        normal = [code for code in ("CMAX", "AUCLST", "AUCIFO", "AUCIFP", "AUCTAU") if code in parameters]
        values = {f"{code}D": parameters[code] / amount for code in normal}
        by_f = "F" if self.dose.route == EXTRAVASCULAR else ""
        dosed = amount * (math.nan if self.dose.litres is None else self.dose.litres)
        if self.dose.steady_state:
            flow = dosed / parameters.get("AUCTAU", math.nan)
            return {**values, f"CL{by_f}TAU": flow, f"VZ{by_f}TAU": flow / self._rate}
        for kind in "OP":
            flow = math.nan if self.dose.carried_over else dosed / parameters[f"AUCIF{kind}"]
            values |= {f"CL{by_f}{kind}": flow, f"VZ{by_f}{kind}": flow / self._rate}
            if not by_f:
                values[f"VSS{kind}"] = flow * parameters.get(f"{MRT[self.dose.route]}IF{kind}", math.nan)
        return values

    def _why_without_dose(self, code: str) -> str:
        """The reason why a parameter that needs the dose is missing; "" if the dose is not the reason."""
        dose = self.dose
        if dose.amount is None:
            return dose.missing_reason
        if code.endswith("D"):
            return ""
        if dose.litres is None:
            return "the units of dose and level need a molar mass"
        if dose.steady_state and not dose.interval:
            return "a steady state without a dosing interval"
        return CARRIED_OVER if dose.carried_over and not dose.steady_state else ""
