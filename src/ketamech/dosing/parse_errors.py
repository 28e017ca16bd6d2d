"""Errors of the parser: the word at which it stopped, its position, what was expected, and the nearest word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from ketamech.core import InputError
from ketamech.core.errors import misspelled
from ketamech.core.units import TIME_UNIT_SPELLINGS
from ketamech.dosing.lexicon import Lexicon, Word, common_words, quoted

MAX_SHOWN_CHARACTERS = 120
# For each start rule of the grammar: what is expected, and an example.
STARTS = {
    "sentence": (
        "drug, dose, route, 'over' a time, how often, 'for' how long",
        '"esketamine 84 mg nasal twice weekly for 4 weeks, then weekly"',
    ),
    "phrase": (
        "a name, then perhaps a dose, a route or 'into' a site, 'over' a time, 'at' a time, how often 'for' how long",
        '"lorazepam 2 mg oral at -120 min"',
    ),
    "dose_form": ("ROUTE AMOUNT UNIT, perhaps = share of the usual level", "IP 10 mg/kg"),
    "time": ("24 h, 3 d, day 8, 4 weeks, 3 months", None),
    "share": ("a percentage", None),
    "condition": (
        "conditions on scales joined by 'and' or 'or', perhaps 'at' the last visits",
        "no response of MADRS and CADSS < 40 at the last visit",
    ),
    "relapse": (
        "MADRS > 50 % of baseline from day 29, or keys for any other condition",
        "relapse: {when: MADRS >= 22, since: day 29}",
    ),
    "endpoints": ("an output at a time, or its peak or lowest value", "mood.madrs at day 28; dissociation.cadss peak"),
}
# The key of a spelled-out treatment that a terminal belongs to, and the keys that hold times.
KEYS = {
    "OVER": "over", "IN": "over", "FOR": "schedule", "X": "schedule", "EVERY": "schedule", "THEN": "schedule",
    "AT": "at", "LABEL": "at", "LAG": "lag", "MISSING": "missing",
}  # fmt: skip
TIME_KEYS = ("over", "schedule", "at", "lag")
MASSES = "a number and one of mg, mg/kg, mg/m2, ug/kg, ng/kg, mg/h, mg/kg/h, ug/kg/min"
UNITS = tuple(words[-1] for words in TIME_UNIT_SPELLINGS.values())  # one word of each, so that no two are equally near
TIMES = "a number and one of min, h, days, weeks, months"
AFTER_IN = f"{TIMES}; the route is 'nasal' or, in capitals, IN"
NUMBER_TERMINALS = ("NUMBER", "MINUS", "HYPHEN", "TO", "DOSE", "LIST", "A", "HALF")
CONJUNCTIONS = (["and"], ["or"], ["no"], ["of"])  # words of a condition that a scale follows
AGE_PATTERN = re.compile(r"\b(\d+(?:\.\d+)?)[ -]years?[ -]old\b", re.IGNORECASE)
NAME_TERMINALS = ("UNKNOWN", "NO", "OTHER", "DOSE")


class _TextSpan(NamedTuple):
    """A treatment, perturbation or condition: its words, and the lexicon that applies to it."""

    words: list[Word]
    lexicon: Lexicon
    inside: str  # the terminal that selected the lexicon, if there is one


class DoseRangeError(InputError):
    """Several doses in `text` where one is needed: `with_lowest` is it with the lowest, `highest` the highest dose."""

    text: str = ""
    with_lowest: str = ""
    highest: str = ""


def shorten_text(text: str) -> str:
    """A text for an error message: on one line, and cut at MAX_SHOWN_CHARACTERS characters."""
    plain = " ".join(text[: 2 * MAX_SHOWN_CHARACTERS].split())
    return plain if len(text) <= MAX_SHOWN_CHARACTERS else f"{plain[:MAX_SHOWN_CHARACTERS]}..."


def missing_drug_error(text: str) -> InputError:
    """The error about a treatment that names no drug."""
    what = f"a treatment without a drug: '{shorten_text(text)}'"
    single = shorten_text(text)[:1].isdigit() and ";" not in text and len(text) <= MAX_SHOWN_CHARACTERS
    example = f'"racemic {shorten_text(text)}"' if single else None
    return InputError(what, key="drug", expected="a drug first, such as racemic or esketamine", type_this=example)


def unexpected_word_error(
    start: str, text: str, words: list[Word], position: int | None, lexicon: Lexicon
) -> InputError:
    """The error about the word at `position` (None: the end of the text) that is out of place."""
    at = next((i for i, word in enumerate(words) if word.start == position), len(words))
    if not words:
        return InputError("the text is empty", expected=STARTS[start][0], type_this=STARTS[start][1])
    span = _unexpected_span(words, at, lexicon)
    if not any(word.kind in ("NAME", "REINDUCE") for word in span.words) and start not in ("time", "share"):
        return _unknown_name_error(text, words, span)
    key = _key(start, words[:at], span)
    if at == len(words):
        what = f"something is missing after '{shorten_text(text)}'"
    elif words[at].kind == "UNKNOWN":
        return _unknown_word_error(start, text, words, at, span)
    else:
        what = f"{quoted(text, words[at].start, words[at].end)} does not fit here in '{shorten_text(text)}'"
    if at and words[at - 1].kind == "IN" and key == "over":
        return InputError(what, key=key, expected=AFTER_IN, type_this="nasal")
    if key in ("over", "lag"):
        return InputError(what, key=key, expected=TIMES, type_this=f"{key} 40 min")
    if key == "with":
        return InputError(what, key=key, expected=_expected_of("phrase"))
    return InputError(what, key=key, expected=_expected_of(start))


def _expected_of(start: str) -> str:
    """What a text of this kind consists of, with an example: one that is no correction is not a line to type."""
    expected, example = STARTS[start]
    return f"{expected}, e.g. {example}" if example else expected


def _unexpected_span(words: list[Word], at: int, lexicon: Lexicon) -> _TextSpan:
    begin, inside = 0, ""
    for i, word in enumerate(words[:at]):
        if word.kind == "SEP":
            begin, inside = i + 1, ""
        elif word.kind in lexicon.inside or (inside and word.kind == "AND"):
            begin, inside = i + 1, inside if word.kind == "AND" else word.kind
    ends = ("SEP", "AND", *lexicon.inside)
    end = next((i for i in range(max(at, begin), len(words)) if words[i].kind in ends), len(words))
    return _TextSpan(words[begin:end], lexicon.inside[inside]() if inside else lexicon, inside)


def _unknown_name_error(text: str, words: list[Word], span: _TextSpan) -> InputError:
    """The error about a treatment, perturbation or condition without a known name."""
    first = span.words[0] if span.words else None
    if first is None or first.kind == "THEN":
        return missing_drug_error(text)
    unknown = next((word for word in span.words if word.kind == "UNKNOWN"), first)
    begin = span.words.index(unknown) if unknown.kind == "UNKNOWN" else 0
    run = [unknown]
    for word in span.words[begin + 1 :]:
        if word.kind not in NAME_TERMINALS and word.start != run[-1].end:
            break
        run.append(word)
    name = text[unknown.start : run[-1].end]
    problem = span.lexicon.unknown(name)
    what = problem.what.replace(f"'{name}'", quoted(text, unknown.start, run[-1].end), 1)
    example = problem.type_this
    if example == f"with {name}" and not span.inside:
        example = _moved_after_with(text, words, span)
    return problem.replace(what=what, type_this=example)


def _moved_after_with(text: str, parsed: list[Word], span: _TextSpan) -> str:
    """The user's own sentence with the treatment of `span`, a perturbation, after 'with' at its end."""
    groups = [
        list(words) for is_separator, words in groupby(parsed, lambda word: word.kind == "SEP") if not is_separator
    ]
    parts = {words[0].start: " ".join(text[words[0].start : words[-1].end].split()) for words in groups}
    own = parts.pop(span.words[0].start)
    return f'"{"; ".join(parts.values())} with {own}"' if parts else f"with {own}"


def _unknown_word_error(start: str, text: str, words: list[Word], at: int, span: _TextSpan) -> InputError:
    """The error about an unknown word beside a known name; consecutive unknown words count as one."""
    last = at
    while last + 1 < len(words) and words[last + 1].kind == "UNKNOWN":
        last += 1
    word, where = text[words[at].start : words[last].end], quoted(text, words[at].start, words[last].end)
    before = words[at - 1].kind if at else ""
    key = _key(start, words[:at], span)
    if start == "condition" and text[: words[at].start].casefold().split()[-1:] in CONJUNCTIONS:
        problem = span.lexicon.unknown(word)
        what = problem.what.replace(f"'{word}'", where, 1)
        return problem.replace(what=what, type_this=None)
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
    known: Iterable[str] = (*span.lexicon.spellings, *common_words())
    what = f"{where} is not known in '{shorten_text(text)}'"
    if age := AGE_PATTERN.search(text):
        expected = "a sentence without the age, which is a value of the person"
        return InputError(what, key=key, expected=expected, type_this=f'--person "age={age[1]} years"')
    expected = _expected_of("phrase" if key == "with" else start)
    return InputError(what, key=key, expected=expected, nearest=misspelled(word, known))


def _key(start: str, before: list[Word], span: _TextSpan) -> str | None:
    """The key that the text was about: that of the last word that belongs to one, if only numbers followed it."""
    if start == "phrase" or span.inside == "WITH":
        return "with"
    if start != "sentence":
        return None
    for word in reversed(before):
        if word.kind in KEYS:
            return KEYS[word.kind]
        if word.kind not in NUMBER_TERMINALS:
            break
    return "treatment"
