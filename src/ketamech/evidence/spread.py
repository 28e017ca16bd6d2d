"""The spread of a published value: its kind, and the interval that it gives."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

NUMBER = r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
_PAIR = NUMBER + r"\s*(?:-|to)\s*" + NUMBER
_INTERVALS = (
    ("ci", re.compile(r"\b(?:CI|CrI)\d+\s+" + _PAIR)),
    ("range", re.compile(r"^(?:range\s+)?" + _PAIR + "$")),
)
_WIDTHS = (
    ("sd", re.compile(r"^SD\s+" + NUMBER)),
    ("se", re.compile(r"(?:^SE|\bSE about)\s+" + NUMBER)),
    ("range", re.compile(r"^about \+-" + NUMBER + " points")),
    ("rse", re.compile(r"^RSE\s+" + NUMBER + "%")),
    ("cv", re.compile(r"^IIV(?: CV%)?\s+" + NUMBER + "%?")),
    ("cv", re.compile(r"^digitising error about " + NUMBER + "%")),
    ("omega2", re.compile(r"omega2\s+" + NUMBER)),
)
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Spread:
    """A published spread as an interval in the published unit.

    kind: sd (value +- 1 SD) | se (value +- 1.96 SE) | ci (the published interval) | range | cv (between people,
    lognormal: the value divided and multiplied by exp(1 SD)) | none (no spread, or a test statistic that gives no
    interval).
    """

    kind: str
    low: float | None
    high: float | None
    text: str


def parse_spread(text: str, value: float) -> Spread:
    """The spread of `value`; text that names no interval (a p value, "SD or SE") has kind none."""
    for kind, pattern in _INTERVALS:
        if match := pattern.search(text):
            low, high = sorted((float(match[1]), float(match[2])))
            return Spread(kind, low, high, text)
    for kind, pattern in _WIDTHS:
        if match := pattern.search(text):
            return _around(kind, float(match[1]), value, text)
    return Spread("none", None, None, text)


def _around(kind: str, size: float, value: float, text: str) -> Spread:
    if kind in ("cv", "omega2"):
        log_sd = math.sqrt(size) if kind == "omega2" else math.sqrt(math.log(1 + (size / 100) ** 2))
        low, high = sorted((value * math.exp(-log_sd), value * math.exp(log_sd)))
        return Spread("cv", low, high, text)
    if kind == "rse":
        kind, size = "se", abs(value) * size / 100
    half = size * _NORMAL_95 if kind == "se" else size
    return Spread(kind, value - half, value + half, text)
