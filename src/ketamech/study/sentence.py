"""Regimens as sentences: "racemic 0.5 mg/kg IV over 40 min", "TMS 5 times a week for 6 weeks"."""

from __future__ import annotations

import re

from ketamech.core import BadInput, nearest
from ketamech.study.drugs import ROUTES, Drug, drug, names, route
from ketamech.study.regimen import DAY, WEEK, Phase, Treatment

HOURS = {"min": 1 / 60, "h": 1.0, "day": DAY, "week": WEEK}
# never from the middle of a number: ".5 mg" is half a milligram, not five
_NUMBER = r"(?<![\d.,])((?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)"
_TIME_WORD = r"(minutes?|mins?|hours?|hrs?|h|days?|d|weeks?|wk)"
_COUNTS = {
    "once": 1,
    "twice": 2,
    "thrice": 3,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
}
_AMOUNT = re.compile(rf"{_NUMBER}\s*((?:mg|ug|ng|g|µg|mcg)(?:/kg)?(?:/(?:h|hr|min))?)\b", re.I)
_OVER = re.compile(rf"\b(?:over|in)\s+{_NUMBER}\s*{_TIME_WORD}\b", re.I)
_FOR = re.compile(rf"\bfor\s+{_NUMBER}\s*{_TIME_WORD}\b", re.I)
_AT = re.compile(rf"\b(?:at|on|from|starting)\s+(?:(day|week)\s+{_NUMBER}|{_NUMBER}\s*{_TIME_WORD})\b", re.I)
_EVERY = re.compile(rf"\bevery\s+(?:(other)\s+)?(?:{_NUMBER}\s*)?{_TIME_WORD}\b", re.I)
_A_WEEK = re.compile(
    rf"\b(?:{_NUMBER}|({'|'.join(_COUNTS)}))(?:\s+times)?\s*(?:/|a|per|each|every)?\s*(?:weekly|week)\b", re.I
)
_A_DAY = re.compile(rf"\b(?:{_NUMBER}|({'|'.join(_COUNTS)}))(?:\s+times)?\s*(?:/|a|per|each)?\s*(?:daily|day)\b", re.I)
_PLAIN = {"daily": DAY, "nightly": DAY, "weekly": WEEK, "fortnightly": 2 * WEEK}
_LAG = re.compile(rf"\b(?:after\s+a\s+|with\s+a\s+)?lag\s+(?:of\s+)?{_NUMBER}\s*{_TIME_WORD}\b", re.I)
_MISSING = re.compile(rf"\bmissing\s+{_NUMBER}\s*%", re.I)
_MISSED = re.compile(r"\bmissing\s+doses?\s+(\d+(?:(?:\s*,\s*|\s+and\s+|\s*,\s*and\s+)\d+)*)\b", re.I)
_STEADY = re.compile(r"\bat\s+steady\s+state\b", re.I)
_SALT = re.compile(r"\b(?:as\s+)?(?:hydrochloride|hcl)\b", re.I)
_FILLERS = {
    "a",
    "an",
    "and",
    "of",
    "by",
    "once",
    "spray",
    "infusion",
    "bolus",
    "dose",
    "doses",
    "session",
    "sessions",
    "tablet",
}


def read(sentence: str) -> tuple[Treatment, ...]:
    """Treatments of a sentence; several are joined by ';' or 'plus'. Raises BadInput."""
    parts = [part.strip(" .\r\t\n") for part in re.split(r";|\bplus\b|\n", sentence)]
    parts = [part for part in parts if part.split()]
    if not parts:
        raise BadInput("the regimen is empty", expected="a sentence", type_this='"racemic 0.5 mg/kg IV over 40 min"')
    return tuple(_treatment(part) for part in parts)


def _treatment(text: str) -> Treatment:
    taking = _Words(text)
    lag, missed, missing = taking.time(_LAG) or 0.0, taking.doses(_MISSED), taking.share(_MISSING)
    steady = bool(taking.take(_STEADY))
    head, *later = re.split(r",?\s*\bthen\b", taking.left.strip(), flags=re.I)
    words = _Words(head)
    name = words.drug()
    counted = drug(name).sessions
    words.refuse_negatives()
    amount, unit = words.no_amount(name) if counted else words.amount()
    duration = words.time(_OVER) or (words.time(_FOR) if "/h" in unit or "/min" in unit else None) or 0.0
    start = words.start()
    phase = words.phase()
    phases = tuple(p for p in (phase, *(_phase(part) for part in later)) if p is not None)
    way = words.route()
    salt = "hydrochloride" if words.take(_SALT) else "base"
    words.refuse_unknown_route(drug(name), way)
    words.refuse_leftovers()
    amount, unit = _per_hour(amount, unit)
    return Treatment(name, amount, unit, way, duration, start, phases, salt, lag, missed, missing, steady)


def _phase(text: str) -> Phase:
    words = _Words(text)
    phase = words.phase()
    words.refuse_leftovers()
    if phase is None:
        raise BadInput(f"'then{text}' says no rhythm", key="schedule", type_this="then weekly for 4 weeks")
    return phase


def _per_hour(amount: float | None, unit: str) -> tuple[float | None, str]:
    if amount is not None and unit.endswith("/min"):
        return amount * 60, unit.removesuffix("/min") + "/h"
    return amount, unit


class _Words:
    """The words of one part of a sentence; what is understood is taken out, the rest is an error."""

    def __init__(self, text: str) -> None:
        self.whole, self.left = text.strip(), f" {text.strip()} "

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.search(self.left)
        if match:
            self.left = f"{self.left[: match.start()]} {self.left[match.end() :]}"
        return match

    def drug(self) -> str:
        for name in names():
            if self.take(re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.I)):
                return drug(name).name
        if not self.whole:
            raise BadInput("a treatment begins without a drug", key="drug", type_this='"racemic 0.5 mg/kg IV"')
        return drug(self.whole.split()[0]).name

    def refuse_negatives(self) -> None:
        """No minus before a number; a dash between words or a 1e-5 is none."""
        negative = re.search(rf"(?<![\w.])-\s*{_NUMBER}\s*(\S*)", self.left)
        if negative:
            what, key = ("a dose", "dose") if re.match(r"[mnµu]?c?g\b", negative[2], re.I) else ("a time", "time")
            text = f"{what} of -{negative[1]} {negative[2]}".strip()
            raise BadInput(f"{text} in '{self.whole}'", key=key, expected="a positive number")

    def no_amount(self, name: str) -> tuple[None, str]:
        """Sessions and antidepressants are counted, not weighed: a mass would be ignored, so it is refused."""
        match = self.take(_AMOUNT)
        if match:
            raise BadInput(
                f"{name} is counted in treatments, not in {match[2]}",
                key="dose",
                expected="no amount: the model has no dose dependence here",
                type_this=f"{name} daily for 6 weeks" if name == "antidepressant" else f"{name} twice weekly",
            )
        return None, ""

    def amount(self) -> tuple[float, str]:
        match = self.take(_AMOUNT)
        if not match:
            raise BadInput(
                f"no dose in '{self.whole}'",
                key="dose",
                expected="a number and one of mg, mg/kg, ug/kg, ng/kg, mg/h, mg/kg/h, ug/kg/min",
                type_this="0.5 mg/kg",
            )
        unit = match[2].lower().replace("mcg", "ug").replace("µg", "ug").replace("/hr", "/h")
        return float(match[1]), unit

    def time(self, pattern: re.Pattern[str]) -> float | None:
        match = self.take(pattern)
        return float(match[1]) * hours(match[2]) if match else None

    def share(self, pattern: re.Pattern[str]) -> float:
        match = self.take(pattern)
        return float(match[1]) / 100 if match else 0.0

    def doses(self, pattern: re.Pattern[str]) -> tuple[int, ...]:
        match = self.take(pattern)
        return tuple(int(number) for number in re.findall(r"\d+", match[1])) if match else ()

    def start(self) -> float:
        match = self.take(_AT)
        if not match:
            return 0.0
        if match[1]:
            return (float(match[2]) - 1) * HOURS[match[1].lower()]
        return float(match[3]) * hours(match[4])

    def phase(self) -> Phase | None:
        length = self.time(_FOR)
        rhythm = self._rhythm()
        if rhythm is None:
            if length is not None:
                raise BadInput(
                    f"'{self.whole}' says for how long but not how often",
                    key="schedule",
                    type_this="weekly for 4 weeks",
                )
            return None
        return Phase(rhythm.every, rhythm.times_a_week, length)

    def _rhythm(self) -> Phase | None:
        every = self.take(_EVERY)
        if every:
            return Phase(every=float(every[2] or 1) * (2 if every[1] else 1) * hours(every[3]))
        a_week = self.take(_A_WEEK)
        if a_week:
            return _times_a_week(_count(a_week))
        a_day = self.take(_A_DAY)
        if a_day:
            return Phase(every=DAY / _count(a_day))
        for word, gap in _PLAIN.items():
            if self.take(re.compile(rf"\b{word}\b", re.I)):
                return Phase(times_a_week=1) if gap == WEEK else Phase(every=gap)
        return None

    def route(self) -> str:
        for word, name in ROUTES.items():
            if self.take(re.compile(rf"\b{word}\b", re.I)):
                return name
        return ""

    def refuse_unknown_route(self, given: Drug, found: str) -> None:
        """One word is left and the route is missing: that word was meant to be it."""
        left = self._leftovers()
        if len(left) == 1 and not found and "" not in given.routes:
            route(given, left[0])

    def _leftovers(self) -> list[str]:
        return [w for w in re.findall(r"[^\s,.]+", self.left) if w.lower() not in _FILLERS]

    def refuse_leftovers(self) -> None:
        left = self._leftovers()
        if left:
            known = [*ROUTES, *_PLAIN, "over", "for", "every", "twice weekly", "then", *names()]
            raise BadInput(
                f"'{' '.join(left)}' was not understood in '{self.whole}'",
                key="treatment",
                expected="drug, dose, route, 'over' a time, how often, 'for' how long",
                nearest=nearest(left[0], known),
                type_this='"esketamine 84 mg nasal twice weekly for 4 weeks, then weekly"',
            )


def _count(match: re.Match[str]) -> int:
    return int(float(match[1])) if match[1] else _COUNTS[match[2].lower()]


def _times_a_week(n: int) -> Phase:
    if not 1 <= n <= 7:
        raise BadInput(f"{n} times a week", key="schedule", expected="1 to 7 times a week")
    return Phase(times_a_week=n)


def hours(word: str) -> float:
    """Hours in a unit of time, e.g. min, h, days, weeks."""
    word = word.lower()
    return HOURS["min" if word.startswith("min") else "h" if word[0] == "h" else "day" if word[0] == "d" else "week"]


def write(treatment: Treatment) -> str:
    """One treatment as words that `read` understands."""
    parts = [treatment.drug]
    if treatment.amount is not None:
        parts.append(f"{treatment.amount!r} {treatment.unit}")
    if treatment.salt != "base":
        parts.append(f"as {treatment.salt}")
    if treatment.route:
        parts.append(treatment.route)
    if treatment.duration:
        parts.append(f"over {treatment.duration!r} h")
    if treatment.start:
        parts.append(f"at {treatment.start!r} h")
    schedule = "".join((", then " if i else " ") + _phase_words(phase) for i, phase in enumerate(treatment.phases))
    return " ".join(parts) + schedule + _taking_words(treatment)


def _taking_words(treatment: Treatment) -> str:
    words = f" lag {treatment.lag!r} h" if treatment.lag else ""
    if treatment.missed:
        words += " missing doses " + ", ".join(map(str, treatment.missed))
    if treatment.missing:
        words += f" missing {100 * treatment.missing!r} %"
    return words + (" at steady state" if treatment.steady else "")


def _phase_words(phase: Phase) -> str:
    rhythm = f"every {phase.every!r} h" if phase.every is not None else f"{phase.times_a_week} times a week"
    return rhythm + (f" for {phase.length!r} h" if phase.length is not None else "")
