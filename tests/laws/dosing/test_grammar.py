"""The grammar itself: no conflict, work that grows with the text and no faster, errors with the word and its place."""

import logging
import re
import sys
from functools import partial

import lark
import pytest

from ketamech.core import InputError
from ketamech.core.units import HOURS_PER_UNIT, MONTH, TIME_UNIT_SPELLINGS, YEAR, duration_text
from ketamech.dosing.lexicon import MAX_TEXT_LENGTH, SPECIAL_KINDS, Lexicon, load_words
from ketamech.dosing.parse import GRAMMAR_FILE, PARSER_OPTIONS, parse_duration, parse_percentage, parse_time, parser
from ketamech.dosing.parse import parse as parse_text
from ketamech.dosing.parse_errors import STARTS
from ketamech.dosing.perturbations import perturbation_lexicon as perturbations
from ketamech.dosing.perturbations import read_perturbation
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.regimen_reader import regimen_lexicon as regimens
from ketamech.evidence.load_evidence import time_hours
from ketamech.parameters import load_parameters
from ketamech.simulation.load_scenario import load_scenario, scenario_from_text
from ketamech.trials.rating_scales import scale
from ketamech.trials.trial_text import condition, relapse, share, time

PARSER = sys.modules["ketamech.dosing.parse"]  # the package offers the function of this name


def test_no_sentence_can_be_parsed_in_two_ways(caplog):
    """LALR(1) without a conflict: `debug` logs each one that the parser would resolve by itself."""
    with caplog.at_level(logging.DEBUG, logger=lark.logger.name):
        lark.Lark(GRAMMAR_FILE.read_text(encoding="utf-8"), **PARSER_OPTIONS, debug=True)
    assert "onflict" not in caplog.text
    assert "onflict" in _log_of_an_ambiguous_grammar(caplog)


def _log_of_an_ambiguous_grammar(caplog):
    with caplog.at_level(logging.DEBUG, logger=lark.logger.name):
        lark.Lark('start: a\na: a a | "x"', parser="lalr", debug=True)
    return caplog.text


def test_every_kind_of_word_is_a_terminal_of_the_grammar():
    declared = re.findall(r"^%declare (.*)$", GRAMMAR_FILE.read_text(encoding="utf-8"), flags=re.M)
    known = set(" ".join(declared).split())
    found = {meaning.kind for meaning in load_words().values()} - set(SPECIAL_KINDS)
    assert found <= known | {"COMMA"}
    made = {"NAME", "NUMBER", "LABEL", "HOURS", "HYPHEN", "LIST", "UNKNOWN", "ROUTE"}  # from names and neighbours
    made |= {"OPEN", "CLOSE"}  # brackets of conditions
    assert known <= found | made


@pytest.mark.parametrize(
    ("bad", "said"),
    [("iv,route,IV\niv,route,IV\n", "occurs twice"), ("some,number,many\n", "not a value of a number")],
)
def test_a_bad_table_of_words_names_its_line(tmp_path, bad, said):
    path = tmp_path / "words.csv"
    path.write_text("word,kind,means\n" + bad)
    with pytest.raises(InputError, match=f"words.csv:[23]: .*{said}"):
        load_words(path)


def calls(work, *arguments):
    """How many functions, of Python or C, are called: a measure of work that no clock disturbs."""
    found = 0

    def count(frame, event, argument):
        nonlocal found
        found += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work(*arguments)
    except InputError:
        pass
    finally:
        sys.setprofile(None)
    return found


LONG = {
    "blanks between words": ("racemic 35 mg", " ", "IV"),
    "blanks after a number": ("racemic 35", " ", "mg IV"),
    "doses": ("racemic 35 mg IV", "; racemic 35 mg IV", ""),
    "numbers of a list": ("racemic 35 mg IV on days 1", ", 2", ""),
    "digits": ("racemic 3", "5", " mg IV"),
    "points": ("racemic 3", ".5", " mg IV"),
    "words that nobody knows": ("racemic 35 mg", " xyz", " IV"),
    "letters": ("racemic 35 mg ", "x", " IV"),
    "phases": ("racemic 35 mg IV daily for 1 day", ", then daily for 1 day", ""),
}


@pytest.mark.parametrize("what", LONG)
def test_twice_the_text_is_twice_the_work(what, monkeypatch):
    monkeypatch.setattr(PARSER, "MAX_TEXT_LENGTH", 10**9)
    begin, middle, end = LONG[what]
    texts = [begin + middle * n + end for n in (100, 200, 400)]
    work = partial(parse_text.__wrapped__, "sentence", lexicon=regimens())
    calls(work, texts[0])  # tables are loaded
    few, more, many = (calls(work, text) for text in texts)
    assert many - more <= 2.1 * (more - few) + 50


def test_each_word_is_given_to_the_parser_once(monkeypatch):
    from lark.parsers.lalr_parser_state import ParserState

    fed, real = [], ParserState.feed_token
    monkeypatch.setattr(ParserState, "feed_token", lambda self, token, *a: fed.append(token) or real(self, token, *a))
    text = "racemic 0.5 mg/kg IV over 40 min twice weekly for 4 weeks, then weekly"
    parse_text.__wrapped__("sentence", text, regimens())
    assert len(fed) == len(PARSER.tokenize(text, regimens())) + 1  # and the end


BLANKS = " " * 100_000


@pytest.mark.parametrize("start", STARTS)
def test_an_endless_text_is_refused_before_it_is_read(start, monkeypatch):
    monkeypatch.setattr("ketamech.dosing.lexicon.split_text", None)
    with pytest.raises(InputError, match="a text of 100,002 characters is too long"):
        parse_text(start, f"1{BLANKS}h", Lexicon({}, InputError))


@pytest.mark.parametrize(
    "read",
    [
        Regimen.parse,
        read_perturbation,
        time,
        share,
        parse_duration,
        lambda text: condition(text, {"MADRS": scale("MADRS")}),
    ],
)
def test_every_reader_is_bounded(read):
    with pytest.raises(InputError) as refused:
        read(f"racemic{BLANKS}1 mg IV")
    assert len(str(refused.value)) < 500


def test_a_sentence_has_at_most_500_characters_and_the_error_says_what_takes_more():
    """Many treatments are a Regimen of their own in Python, whose scenario is a file with one treatment a line."""
    assert MAX_TEXT_LENGTH == 500
    begin, end = "racemic 35 mg", "IV"
    longest = f"{begin}{' ' * (500 - len(begin + end))}{end}"
    assert len(Regimen.parse(longest).treatments) == 1
    with pytest.raises(
        InputError, match=r"(?s)a text of 501 characters is too long.*type: ketamech simulate doses.csv"
    ):
        Regimen.parse(f"{longest} ")
    days = range(1, 60, 2)
    many = sum((Regimen.parse(f"racemic {day} mg IV over 40 min at day {day}") for day in days), Regimen(()))
    assert len(many.sentence()) > 1000
    scenario = load_scenario(many)
    assert scenario_from_text(scenario.source, load_parameters(), "x.yaml").regimen == scenario.regimen == many


ERRORS = {
    "racemic 0.5 mg/kg IV sometimes": ("'sometimes' (character 22)", "treatment", None),
    "racemic 0.5 mg/kg IV over 40 mim": ("'mim' (character 30) is not a unit of time", "over", None),
    "racemic 0.5 mg/kg IV over 40 minuts": ("'minuts' (character 30)", "over", "minutes"),
    "racemic 0.5 mL IV": ("'mL' (character 13) is not a unit", "dose", None),
    "esketamine 84 mg intranassal": ("'intranassal' (character 18)", "treatment", "intranasal"),
    "esketamine 84 mg nasal twice wekly": ("'wekly' (character 30)", "treatment", "weekly"),
    "racemic 0.5 mg/kg IV over": ("something is missing", "over", None),
    "racemic 0.5 mg/kg IV weekly for": ("something is missing", "schedule", None),
    "racemic 0.5 mg/kg IV weekly of of per": ("'per' (character 35) does not fit", "treatment", None),
    "cocaine 10 mg IV": ("'cocaine' (character 1) is not a known treatment", "drug", None),
    "racemc 10 mg IV": ("'racemc' (character 1)", "drug", "racemic"),
    "10 mg IV": ("without a drug", "drug", None),
    "Spravto 84 mg BIW": ("'Spravto' (character 1) is not a known treatment", "drug", "spravato"),
    "Ketalr 35 mg IV": ("'Ketalr' (character 1)", "drug", "ketalar"),
    "racemic 35 mg IV; spravatto 84 mg": ("'spravatto' (character 19)", "drug", "spravato"),
    "racemic 10 mg IV with naltrexon": ("'naltrexon' (character 23)", "with", "naltrexone"),
    "racemic 10 mg IV with NBQX into livr": ("'livr' (character 33)", "with", None),
    "racemic 35 mg IV 4 weekly": ("'4 weekly' (character 18) can be read in two ways", "schedule", None),
    "racemic 35 mg IV every 4 to 6 h": ("'4 to 6 h' (character 24) is a range", "schedule", None),
    "esketamine 56-84 mg nasal": ("'56-84 mg' (character 12) is a range", "dose", None),
    "racemic 1,000 mg IV": ("'1,000' (character 9) can be read in more than one way", "dose", None),
    "racemic 35 mg IV PRN": ("'PRN' (character 18)", "schedule", None),
    "racemic 35 mg IV biweekly": ("'biweekly' (character 18)", "schedule", None),
    "racemic 35 mg IV racemic 70 mg IV": ("'70 mg' (character 26) is the second of two doses", "dose", None),
    "racemic 35 mg IV weekly daily": ("'daily' (character 25) is the second of two frequencies", "schedule", None),
    "Spravato 84 mg IV": ("'Spravato' (character 1) is given by route nasal only", "route", None),
    "esketamine 84 mg": ("no route is named", "route", None),
    "memantine 20 mg over 10 min": ("no route is named", "route", None),
    "racemic 0.3 mg/kg, then 0.1 mg/kg/h for 2 h": ("no route is named", "route", None),
    "Spravato 84 mg over 40 min": ("an infusion by route nasal", "route", None),
    "racemic 10 mg/h": ("a rate needs a duration", "dose", None),
}


@pytest.mark.parametrize("text", ERRORS)
def test_an_error_names_the_word_its_place_and_only_a_right_suggestion(text):
    said, key, near = ERRORS[text]
    with pytest.raises(InputError) as refused:
        load_scenario(text)
    assert said in refused.value.what
    assert (refused.value.key, refused.value.nearest) == (key, near)


@pytest.mark.parametrize("name", ["wrong", "wholly", "other", "xyz", "a"])
def test_a_word_that_is_no_slip_gets_no_suggestion(name):
    with pytest.raises(InputError) as refused:
        Regimen.parse(f"{name} 10 mg IV")
    assert refused.value.nearest is None


def test_one_month_is_as_long_everywhere():
    assert MONTH == 30.4375 * 24
    assert YEAR == 12 * MONTH
    every = {
        "duration": parse_duration("1 month"),
        "trial": time("1 month"),
        "evidence": time_hours("1 month"),
        "frequency": Regimen.parse("TMS monthly").treatments[0].schedule[0].interval,
        "length": Regimen.parse("TMS daily for 1 month").treatments[0].schedule[0].duration,
        "start": Regimen.parse("TMS at 1 month").treatments[0].start,
        "perturbation": read_perturbation("restraint for 1 month at 0 h").duration,
    }
    assert set(every.values()) == {MONTH}


@pytest.mark.parametrize("word", HOURS_PER_UNIT)
def test_every_word_of_time_means_the_same_everywhere(word):
    size = HOURS_PER_UNIT[word]
    assert parse_duration(f"2 {word}") == 2 * size
    assert Regimen.parse(f"racemic 1 mg/h IV over 2 {word}").treatments[0].duration == 2 * size
    assert time_hours(f"2 {word}") == 2 * size


@pytest.mark.parametrize(
    ("text", "hours"),
    {"24 h": 24, "3 d": 72, "day 8": 168, "2 weeks": 336, "1 h 30 min": 1.5, "half an hour": 0.5, "two weeks": 336,
     "1 year 6 months": 1.5 * YEAR, "40-min": 2 / 3, "-30 min": -0.5}.items(),
)  # fmt: skip
def test_times(text, hours):
    assert parse_time(text) == pytest.approx(hours)


@pytest.mark.parametrize("read", [parse_time, time])
def test_a_numbered_week_is_its_first_day_or_so_many_weeks_later(read):
    with pytest.raises(InputError, match=r"(?s)'week 4' can be read in two ways.*'day 22', its .* or '4 weeks'"):
        read("week 4")


@pytest.mark.parametrize("hours", [2 / 3, 1.5, 24.0, 36.0, 168.0, 672.0, MONTH, 1e-3, 0.1 + 0.2, 1e-7, 40 * (1 / 60)])
def test_a_duration_is_read_back_as_the_same_float(hours):
    assert parse_duration(duration_text(hours)) == hours


def test_durations_are_short():
    texts = {
        "40 min": 40 / 60, "30 s": 0.5 / 60, "1.5 h": 1.5, "100 min": 100 * (1 / 60), "24 h": 24.0, "36 h": 36.0,
        "3 days": 72.0, "4 weeks": 672.0, "50.5 h": 50.5, "3 months": 3 * MONTH, "1 year": YEAR,
    }  # fmt: skip
    assert {duration_text(hours): hours for hours in texts.values()} == texts
    assert duration_text(0.666666666667) == "0.666666666667 h"
    assert duration_text(0.666666666667, exact=False) == "40 min"
    assert duration_text(2.3456789, exact=False) == "2.346 h"


def test_spellings_are_words_of_one_table():
    assert sum(map(len, TIME_UNIT_SPELLINGS.values())) == len(HOURS_PER_UNIT)


def test_shares_and_conditions():
    scales = {name: scale(name) for name in ("MADRS", "MADRS-24h", "CADSS")}
    assert parse_percentage("12.5 %") == parse_percentage("12.5") == 0.125
    found = condition("no response of MADRS-24h", scales)
    assert (found.scale, found.test, found.number) == ("MADRS-24h", "no response", 0.0)
    found = condition("MADRS falls less than 20 %", scales)
    assert (found.scale, found.test, found.number) == ("MADRS", "falls less than", 0.2)
    found = condition("CADSS >= 30.5", scales)
    assert (found.scale, found.test, found.number) == ("CADSS", ">=", 30.5)
    assert relapse("MADRS-24h > 50 % of baseline from day 13", scales) == ("MADRS-24h", 0.5, 288.0)
    with pytest.raises(InputError, match=r"'HDRS-17' \(character 14\) is not rated in this trial"):
        condition("remission of HDRS-17", scales)


def test_perturbations_by_position_and_number():
    assert len(perturbations().spellings) > 100
    given = read_perturbation("NBQX 10 mg/kg, IP, 30 min before")
    assert (given.perturbation.name, given.target_fraction, given.time) == ("NBQX", 1.0, -0.5)
    with pytest.raises(InputError, match=r"'mL' \(character 8\) is not known"):
        read_perturbation("NBQX 3 mL")


def test_damaged_tables_on_disk_are_computed_again(tmp_path, monkeypatch):
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path))
    anew = partial(parse_text.__wrapped__, "time", "40 min", regimens())
    parser.cache_clear()
    try:
        assert anew().hours == 40 / 60
        (kept,) = tmp_path.glob("grammar-*.tables")
        whole = kept.read_bytes()
        for damaged in (b"", b"x", whole[: len(whole) // 2]):
            kept.write_bytes(damaged)
            parser.cache_clear()
            assert anew().hours == 40 / 60
    finally:
        parser.cache_clear()


@pytest.mark.parametrize("times", ["on days 1, 3, 3 and 5", "on days 1-3 and 3-5", "at 0, 0 and 24 h"])
def test_a_time_named_twice_is_refused(times):
    """A slip of the pen gave two doses at once."""
    with pytest.raises(InputError, match="names a time twice"):
        Regimen.parse(f"esketamine 84 mg nasal {times}")
