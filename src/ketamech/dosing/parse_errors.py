"""Errors of the parser: the word at which it stopped, its position, what was expected, and the nearest word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from ketamech.core import InputError
from ketamech.core.errors import misspelled
from ketamech.core.units import SPELLINGS
from ketamech.dosing.lexicon import Lexicon, Word, common_words, quoted

SHOWN = 120  # characters of a text that an error repeats
# For each start rule of the grammar: what is expected, and an example.
STARTS = {
    "sentence": (
        "drug, dose, route, 'over' a time, how often, 'for' how long",
        '"esketamine 84 mg nasal twice weekly for 4 weeks, then weekly"',
    ),
    "phrase": (
        "a name, then perhaps a dose, a route or 'into' a site, and 'at' a time",
        '"NBQX 10 mg/kg IP at -30 min"',
    ),
    "dose_form": ("ROUTE AMOUNT UNIT, perhaps = share of the usual level", "IP 10 mg/kg"),
    "time": ("24 h, 3 d, day 8, 4 weeks, 3 months", None),
    "share": ("a percentage", None),
    "condition": (
        "conditions on scales joined by 'and' or 'or', perhaps 'at' the last visits",
        "no response of MADRS and CADSS < 40 at the last visit",
    ),
    "relapse": ("a scale, a share of baseline and a visit", "MADRS > 50 % of baseline from day 29"),
    "endpoints": ("an output at a time, or its peak or lowest value", "mood.madrs at day 28; dissociation.cadss peak"),
}
# The key of a spelled-out treatment that a terminal belongs to, and the keys that hold times.
KEYS = {
    "OVER": "over", "IN": "over", "FOR": "schedule", "X": "schedule", "EVERY": "schedule", "THEN": "schedule",
    "AT": "at", "LABEL": "at", "LAG": "lag", "MISSING": "missing",
}  # fmt: skip
TIME_KEYS = ("over", "schedule", "at", "lag")
MASSES = "a number and one of mg, mg/kg, mg/m2, ug/kg, ng/kg, mg/h, mg/kg/h, ug/kg/min"
UNITS = tuple(words[-1] for words in SPELLINGS.values())  # one word of each, so that no two are equally near
TIMES = "a number and one of min, h, days, weeks, months"
IN_A_NUMBER = ("NUMBER", "MINUS", "HYPHEN", "TO", "DOSE", "LIST", "A", "HALF")
JOINERS = (["and"], ["or"], ["no"], ["of"])  # words of a condition that a scale follows
AGE = re.compile(r"\b(\d+(?:\.\d+)?)[ -]years?[ -]old\b", re.IGNORECASE)
IN_A_NAME = ("UNKNOWN", "NO", "OTHER", "DOSE")


class _Stretch(NamedTuple):
    """A treatment, perturbation or condition: its words, and the lexicon that applies to it."""

    words: list[Word]
    lexicon: Lexicon
    inside: str  # the terminal that selected the lexicon, if there is one


def shorten_text(text: str) -> str:
    """A text for an error message: on one line, and cut at SHOWN characters."""
    plain = " ".join(text[: 2 * SHOWN].split())
    return plain if len(text) <= SHOWN else f"{plain[:SHOWN]}..."


def missing_drug_error(text: str) -> InputError:
    """The error about a treatment that names no drug."""
    what = f"a treatment without a drug: '{shorten_text(text)}'"
    single = shorten_text(text)[:1].isdigit() and ";" not in text and len(text) <= SHOWN
    example = f'"racemic {shorten_text(text)}"' if single else None
    return InputError(what, key="drug", expected="a drug first, such as racemic or esketamine", type_this=example)


def unexpected_word_error(
    start: str, text: str, found: list[Word], position: int | None, lexicon: Lexicon
) -> InputError:
    """The error about the word at `position` (None: the end of the text) that is out of place."""
    at = next((i for i, word in enumerate(found) if word.start == position), len(found))
    if not found:
        return InputError("the text is empty", expected=STARTS[start][0], type_this=STARTS[start][1])
    stretch = _stretch(found, at, lexicon)
    if not any(word.kind in ("NAME", "REINDUCE") for word in stretch.words) and start not in ("time", "share"):
        return _unknown_name_error(text, found, at, stretch)
    key = _key(start, found[:at], stretch)
    if at == len(found):
        what = f"something is missing after '{shorten_text(text)}'"
    elif found[at].kind == "UNKNOWN":
        return _unknown_word_error(start, text, found, at, stretch)
    else:
        what = f"{quoted(text, found[at].start, found[at].end)} does not fit here in '{shorten_text(text)}'"
    if key in ("over", "lag"):
        return InputError(what, key=key, expected=TIMES, type_this=f"{key} 40 min")
    return InputError(what, key=key, expected=_expected_of(start))


def _expected_of(start: str) -> str:
    """What a text of this kind consists of, with an example: one that is no correction is not a line to type."""
    expected, example = STARTS[start]
    return f"{expected}, e.g. {example}" if example else expected


def _stretch(found: list[Word], at: int, lexicon: Lexicon) -> _Stretch:
    begin, inside = 0, ""
    for i, word in enumerate(found[:at]):
        if word.kind == "SEP":
            begin, inside = i + 1, ""
        elif word.kind in lexicon.inside or (inside and word.kind == "AND"):
            begin, inside = i + 1, inside if word.kind == "AND" else word.kind
    ends = ("SEP", "AND", *lexicon.inside)
    end = next((i for i in range(max(at, begin), len(found)) if found[i].kind in ends), len(found))
    return _Stretch(found[begin:end], lexicon.inside[inside]() if inside else lexicon, inside)


def _unknown_name_error(text: str, found: list[Word], at: int, stretch: _Stretch) -> InputError:
    """The error about a treatment, perturbation or condition without a known name."""
    first = stretch.words[0] if stretch.words else None
    if first is None or first.kind == "THEN":
        return missing_drug_error(text)
    unknown = next((word for word in stretch.words if word.kind == "UNKNOWN"), first)
    begin = stretch.words.index(unknown) if unknown.kind == "UNKNOWN" else 0
    run = [unknown]
    for word in stretch.words[begin + 1 :]:
        if word.kind not in IN_A_NAME and word.start != run[-1].end:
            break
        run.append(word)
    name = text[unknown.start : run[-1].end]
    problem = stretch.lexicon.unknown(name)
    what = problem.what.replace(f"'{name}'", quoted(text, unknown.start, run[-1].end), 1)
    example = problem.type_this
    if example and example.startswith("with ") and not stretch.inside:
        example = _moved_after_with(text, found, stretch)
    return type(problem)(what, key=problem.key, expected=problem.expected, nearest=problem.nearest, type_this=example)


def _moved_after_with(text: str, found: list[Word], stretch: _Stretch) -> str:
    """The user's own sentence with the treatment of `stretch`, a perturbation, after 'with' at its end."""
    groups = [
        list(words) for is_separator, words in groupby(found, lambda word: word.kind == "SEP") if not is_separator
    ]
    parts = {words[0].start: " ".join(text[words[0].start : words[-1].end].split()) for words in groups}
    own = parts.pop(stretch.words[0].start)
    return f'"{"; ".join(parts.values())} with {own}"' if parts else f"with {own}"


def _unknown_word_error(start: str, text: str, found: list[Word], at: int, stretch: _Stretch) -> InputError:
    """The error about an unknown word beside a known name; consecutive unknown words count as one."""
    last = at
    while last + 1 < len(found) and found[last + 1].kind == "UNKNOWN":
        last += 1
    word, where = text[found[at].start : found[last].end], quoted(text, found[at].start, found[last].end)
    before = found[at - 1].kind if at else ""
    key = _key(start, found[:at], stretch)
    if start == "condition" and text[: found[at].start].casefold().split()[-1:] in JOINERS:
        problem = stretch.lexicon.unknown(word)
        what = problem.what.replace(f"'{word}'", where, 1)
        return type(problem)(what, key=problem.key, expected=problem.expected, nearest=problem.nearest)
    if before == "NUMBER" and key in TIME_KEYS:
        what = f"{where} is not a unit of time in '{shorten_text(text)}'"
        return InputError(what, key=key, expected=TIMES, nearest=misspelled(word, UNITS))
    if before == "NUMBER" and key == "treatment":
        what = f"no dose in '{shorten_text(text)}': {where} is not a unit of mass"
        return InputError(what, key="dose", expected=MASSES, type_this="0.5 mg/kg")
    if before in ("INTO", "IN") and key == "with":
        sites = tuple(common_words("SITE"))
        what = f"nothing can be infused into {where}"
        return InputError(what, key=key, expected=", ".join(sites), nearest=misspelled(word, sites))
    known: Iterable[str] = (*stretch.lexicon.spellings, *common_words())
    what = f"{where} is not known in '{shorten_text(text)}'"
    if age := AGE.search(text):
        expected = "a sentence without the age, which is a value of the person"
        return InputError(what, key=key, expected=expected, type_this=f'--person "age={age[1]} years"')
    expected = _expected_of("phrase" if key == "with" else start)
    return InputError(what, key=key, expected=expected, nearest=misspelled(word, known))


def _key(start: str, before: list[Word], stretch: _Stretch) -> str | None:
    """The key that the text was about: that of the last word that belongs to one, if only numbers followed it."""
    if start == "phrase" or stretch.inside == "WITH":
        return "with"
    if start != "sentence":
        return None
    for word in reversed(before):
        if word.kind in KEYS:
            return KEYS[word.kind]
        if word.kind not in IN_A_NUMBER:
            break
    return "treatment"
