"""Random regimens: well-formed ones, and ones with words left out, doubled, exchanged or misspelt."""

import random

from ketamech.dosing.drugs import load_drugs, load_routes
from ketamech.dosing.lexicon import load_words
from ketamech.dosing.perturbations import load_perturbations

# Of each kind, the words that are usually accepted, then others.
SPANS = (("40 min", "1 h", "90 minutes", "half an hour", "an hour", "45min"), ("1 h 30 min", "2 days", "4 weeks"))
FREQUENCIES = (
    (
        "daily", "twice weekly", "3 times a week", "every 12 h", "every other day", "q2w", "bid", "weekly", "q.d.",
        "TIW", "every third day", "5 days a week", "8 hourly", "2-weekly", "twice a day", "monthly", "every 2 weeks",
        "fortnightly", "3x/week", "once weekly", "each day", "MWF", "on weekdays", "2 days apart", "a week apart",
        "on mondays and thursdays",
    ),
    ("4 weekly", "biweekly", "nine times a week", "2.5 times a week", "every 1 h 30 min", "prn",
     "every 2 to 3 days", "on Mondays", "1 h 30 min apart", "apart"),
)  # fmt: skip
DOSES = (("0.5", "28", "1", "0,5", ".25", "0.75", "1.0"), ("-3", "0", "6000", "two", "1e3", "1.2.3", "1,000", "84"))
UNITS = (
    ("mg/kg", "mg", "mg per kg", "mcg/kg"),
    ("ug/kg/min", "mg/h", "ng/kg", "g", "nmol", "mg/day", "ml", "mg/m2", ""),
)
STARTS = (
    ("on day 1", "from day 8", "at 3 h", "at week 2", "on day 0", "starting on day 3", "at 2.5 days"),
    (
        "on days 1, 4 and 8", "at 24, 48 and 72 h", "days 1-5", "on days 2 to 4", "at day 1 and day 4", "at -2 h",
        "on day 1.5", "at 1 h 30 min", "day -1",
    ),
)  # fmt: skip
ADHERENCE = (
    ("missing 10 %", "lag 30 min", "at steady state", "with a lag of 1 h", "as hydrochloride", "missing dose 2",
     "skip dose 2"),
    ("missing dose 30", "missing doses 2 and 5", "missing 100%", "lag 30 h", "missing dose 0", "missing doses 1 to 3"),
)  # fmt: skip
COUNTS = (("for 4 weeks", "x 8 doses", "6 doses", "for 10 sessions", "for 35 days"), ("x2w", "for 1 h", "once", "x"))


def _choose(words: tuple[tuple[str, ...], tuple[str, ...]], chance: random.Random) -> str:
    return chance.choice(words[chance.random() > 0.93])


def random_regimen(chance: random.Random) -> str:
    """A regimen of one to three treatments."""
    many = chance.choice((1, 1, 1, 2, 3))
    text = chance.choice(("; ", " plus ", "\n", " + ")).join(_treatment(chance) for _ in range(many))
    return _spoiled(text, chance) if chance.random() < 0.2 else text


def _treatment(chance: random.Random) -> str:
    drug = chance.choice(load_drugs())
    words = [chance.choice((drug.name, *drug.aliases))]
    routes = [route for route in drug.routes if route and route != "IP"] or [""]
    route = chance.choice(routes)
    if chance.random() < (0.03 if drug.is_session else 0.98):
        words.append(f"{_choose(DOSES, chance)}{chance.choice((' ', ''))}{_choose(UNITS, chance)}")
    if route and chance.random() < 0.9:
        spelled = [word for word, name in load_routes().items() if name == route or chance.random() < 0.01]
        words.append(chance.choice((*spelled, *(["IN", "i.n."] if route == "nasal" else []))))
    if chance.random() < (0.5 if route in ("IV", "SC") else 0.02):
        words.append(f"over {_choose(SPANS, chance)}")
    words += [_choose(STARTS, chance)] if chance.random() < 0.3 else []
    words += [_schedule(chance)] if chance.random() < 0.6 else []
    words += [_choose(ADHERENCE, chance)] if chance.random() < 0.15 else []
    if chance.random() < 0.05:
        chance.shuffle(words)
    return " ".join(words)


def _schedule(chance: random.Random) -> str:
    count = chance.choice((1, 1, 1, 2, 3))
    phases = [f"{_choose(FREQUENCIES, chance)} {_choose(COUNTS, chance)}" for _ in range(count)]
    if chance.random() < 0.4:
        phases[-1] = _choose(FREQUENCIES, chance)
    if len(phases) > 1 and chance.random() < 0.3:
        phases[-1] = f"{_choose(DOSES, chance)} mg {phases[-1]}"
    return ", then ".join(phases)


def _spoiled(text: str, chance: random.Random) -> str:
    """The text with one word left out, doubled, exchanged for another one, or misspelt."""
    words = text.split(" ")
    place = chance.randrange(len(words))
    kind = chance.randrange(5)
    if kind == 0:
        del words[place]
    elif kind == 1:
        words.insert(place, words[chance.randrange(len(words))])
    elif kind == 2:
        words[place] = chance.choice(list(load_words()))
    elif kind == 3 and words[place]:
        letters = list(words[place])
        letters[chance.randrange(len(letters))] = chance.choice("abcdefgikmnopst0(")
        words[place] = "".join(letters)
    else:
        words.insert(
            place, chance.choice(("with NBQX 10 mg/kg IP", "and", "banana", "to", "re-induce at relapse", "%"))
        )
    return " ".join(words)


TIMES = (
    "at -30 min", "at 2 h", "1 h before", "30 min after", "at -20 days", "for 7 days", "over 1 h", "throughout"
)  # fmt: skip


def random_phrase(chance: random.Random) -> str:
    """A perturbation: a name, perhaps a dose, a route or site, and times."""
    one = chance.choice(list(load_perturbations().values()))
    words = [chance.choice(one.perturbation_names)]
    if one.doses and chance.random() < 0.7:
        dose = chance.choice(one.doses)
        words.append(f"{chance.choice((0.5, 1, 2)) * dose.amount:g} {dose.unit}")
        words.append("into the brain" if dose.route == "brain" else dose.route)
    elif chance.random() < 0.1:
        words.append("10 mg/kg IP")
    words += [chance.choice(TIMES) for _ in range(chance.choice((0, 1, 1, 2)))]
    text = " ".join(filter(None, words))
    return _spoiled(text, chance) if chance.random() < 0.2 else text
