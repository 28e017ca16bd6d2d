"""The words of a trial file: times, shares, conditions, and doses that are adapted to the person."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ketamech.core import BadInput, nearest
from ketamech.study.perturbing import Given, read_perturbations, split
from ketamech.study.regimen import LONGEST, Regimen
from ketamech.study.scales import Scale
from ketamech.study.sentence import hours
from ketamech.study.trial import Adapting, Condition

_TIME = re.compile(
    r"^\s*(?:(day|week)\s+(\d+(?:\.\d+)?)|(-?\d+(?:\.\d+)?)\s*(min|h|hours?|d|days?|weeks?|months?))\s*$", re.I
)
_SHARE = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*%?\s*$")
_WHEN = re.compile(
    r"^\s*(?:(response|remission|no response|no remission)\s+of\s+(\S+)|(\S+)\s*(<=|>=|<|>)\s*(-?[\d.]+))\s*$"
)
_FALLS = re.compile(r"^\s*(\S+)\s+falls\s+(less than|by)\s+([\d.]+)\s*%\s*$", re.I)
_RELAPSE = re.compile(r"^\s*(\S+)\s*>\s*([\d.]+)\s*%\s*of baseline from\s+(.+)$")
_BY = re.compile(r"^(.*?),?\s*\bthen\s+((?:(?!\bthen\b).)+?)\s+or\s+(.+?)\s+by\s+(remission|response)\b(.*)$", re.I)
_AGAIN = re.compile(r"^\s*re-?induce\s+(?:on\s+(relapse)|when\s+(.+?))\s*$", re.I)
MONTH = 30.4 * 24


def time(text: str) -> float:
    """Hours after the first dose: 24 h, 3 d, day 8 (168 h), 4 weeks. Raises BadInput."""
    match = _TIME.match(text)
    if not match:
        raise BadInput(f"'{text}' is not a time", expected="24 h, 3 d, day 8, 4 weeks, 3 months")
    if match[1]:
        found = (float(match[2]) - 1) * hours(match[1])
    else:
        found = float(match[3]) * (MONTH if match[4].lower().startswith("mon") else hours(match[4]))
    if not 0 <= found <= LONGEST:
        what = f"'{text}' lies before the first dose" if found < 0 else f"'{text}' lies beyond two years"
        raise BadInput(what, expected="a time from the first dose on, below two years")
    return found


def share(text: str, most: float = 1.0) -> float:
    """A share from a percentage, up to `most`. Raises BadInput."""
    match = _SHARE.match(text)
    found = float(match[1]) / 100 if match else -1.0
    if not 0 <= found <= most:
        raise BadInput(f"'{text}' is not possible", expected=f"0 % to {100 * most:g} %")
    return found


def condition(text: str, scales: Mapping[str, Scale]) -> Condition:
    """A condition on a scale of this trial: remission of MADRS, MADRS > 22, MADRS falls by 20 %. Raises BadInput."""
    match, falls = _WHEN.match(text), _FALLS.match(text)
    if falls:
        found = Condition(falls[1], f"falls {falls[2].lower()}", float(falls[3]) / 100)
    elif match:
        found = Condition(match[2] or match[3], match[1] or match[4], float(match[5] or 0))
    else:
        raise BadInput(
            f"'{text}' was not understood", expected="a condition on a scale", type_this="no response of MADRS"
        )
    if found.scale not in scales:
        what = f"'{found.scale}' is not rated in this trial"
        raise BadInput(what, expected=", ".join(scales), nearest=nearest(found.scale, scales))
    return found


def relapse(text: str, scales: Mapping[str, Scale]) -> tuple[str, float, float]:
    """Scale, share of baseline beyond which it is a relapse, and from which hour. Raises BadInput."""
    match = _RELAPSE.match(text)
    if not match or match[1] not in scales:
        raise BadInput(
            f"'{text}' was not understood",
            expected="a scale of this trial, a share of baseline and a visit",
            type_this=f"{next(iter(scales))} > 50 % of baseline from day 29",
        )
    return match[1], float(match[2]) / 100, time(match[3])


def perturbed(sentences: list[str]) -> tuple[list[str], tuple[Given, ...]]:
    """Sentences of an arm without what they say after "with", and that: perturbations. Raises BadInput."""
    split_up = [split(part) for text in sentences for part in text.split(";")]
    return [sentence for sentence, _ in split_up], read_perturbations(one for _, phrases in split_up for one in phrases)


def treatment(sentences: list[str], scales: Mapping[str, Scale], first: str) -> tuple[Regimen, Adapting | None]:
    """What an arm is given, and how it is adapted; `first` names the scale of "by remission". Raises BadInput."""
    parts = [part.strip() for text in sentences for part in text.split(";") if part.strip()]
    anew = [match for part in parts if (match := _AGAIN.match(part))]
    plain = [part for part in parts if not _AGAIN.match(part)]
    if not plain:
        raise BadInput("an arm without doses is given nothing", expected="a regimen sentence", type_this="placebo IV")
    rhythms = [_BY.match(part) for part in plain]
    usual = Regimen.parse("; ".join(_one(part, match, 2) for part, match in zip(plain, rhythms, strict=True)))
    adapted = [match for match in rhythms if match]
    if not adapted and not anew:
        return usual, None
    sparse = Regimen.parse("; ".join(_one(part, match, 3) for part, match in zip(plain, rhythms, strict=True)))
    changing = next((t for t, match in zip(usual.treatments, rhythms, strict=False) if match), usual.treatments[0])
    lengths = [phase.length or 0.0 for phase in changing.phases]
    return usual, Adapting(
        sparse if adapted else None,
        Condition(first, adapted[0][4].lower()) if adapted else None,
        changing.start + sum(lengths[:-1]),
        _again(anew[0], scales, first) if anew else None,
        changing.start + (lengths[0] if lengths else 0.0),
    )


def _one(part: str, match: re.Match[str] | None, which: int) -> str:
    """The part with one of its two rhythms."""
    return f"{match[1]}, then {match[which]}{match[5]}" if match else part


def _again(match: re.Match[str], scales: Mapping[str, Scale], first: str) -> Condition:
    return Condition(first, "relapse") if match[1] else condition(match[2], scales)
