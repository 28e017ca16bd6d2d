"""Drugs and other treatments of data/dosing: names, aliases, routes, enantiomers and compartments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from ketamech.core import UnknownNameError
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.core.errors import misspelled

DIRECTORY = DATA / "dosing"
RACEMIC_NOSE = "racemic_nose"  # in absorption.csv: entered by drops, and by sprays that are no devices of 28 mg
NO_ROUTE = "none"  # in the tables; the route of a treatment without one is ""
COLUMNS = (
    "drug", "class", "aliases", "routes", "enantiomers", "molar_mass", "is_session", "infused_session",
    "carries_expectancy", "is_procedure", "compartment", "max_dose", "maintenance_elimination", "dose", "brand_routes",
)  # fmt: skip


KETAMINE, PLACEBO_CLASS, ACTIVE_PLACEBO, ANAESTHESIA = "ketamine", "placebo", "active placebo", "anaesthesia"
NO_TREATMENT = (ANAESTHESIA, "challenge", "care")  # classes that both arms of a trial may receive
CLASSES = (KETAMINE, PLACEBO_CLASS, ACTIVE_PLACEBO, *NO_TREATMENT, "treatment")


@dataclass(frozen=True)
class Drug:
    """One drug or other treatment of a `drug_class` (of CLASSES).

    `enantiomers`: fractions of S and R. `is_session`: counted, without an amount.
    `molar_mass` and `maintenance_elimination` are names of parameters; the latter is the elimination of a level that is
    maintained for the duration of a session. `carries_expectancy` says whether a visit for it adds expectancy,
    `is_procedure` whether a visit raises it at once (an infusion) or over weeks (tablets, psychotherapy);
    `infused_session` whether a session enters evenly over its duration. `dose` is the amount (mass per body weight)
    that the model counts as one dose, for a substance that it does not follow in umol. `routes_of_brands`: the one
    route of an alias that is a brand.
    """

    name: str
    drug_class: str
    aliases: tuple[str, ...]
    routes: tuple[str, ...]
    enantiomers: Mapping[str, float]
    molar_mass: str | None
    is_session: bool
    infused_session: bool
    carries_expectancy: bool
    is_procedure: bool
    compartment: str | None
    max_dose_parameters: Mapping[str, str]
    maintenance_elimination: str | None
    dose: str | None
    routes_of_brands: Mapping[str, str]

    def max_dose(self, route: str) -> str:
        """The dose above which a dose by this route is refused: a quantity or the name of a parameter."""
        return self.max_dose_parameters.get(route, "drug.max_dose")


@dataclass(frozen=True)
class Route:
    """A route of administration. `number`: its CMT in dose tables, from 1 (None: named there by its words only).

    `compartments`: names that stand for the route in dose tables. `timed`: whether a dose may enter over a stated time;
    `visit`: whether a dose is a visit; `animals_only`: whether there are kinetics in animals only. `form_of`: a less
    precise route that may be named beside it. `words` are lower case.
    """

    name: str
    number: int | None
    compartments: tuple[str, ...]
    timed: bool
    visit: bool
    animals_only: bool
    form_of: str
    words: tuple[str, ...]


ROUTE_COLUMNS = ("route", "number", "compartments", "timed", "visit", "animals_only", "form_of", "words")


@cache
def route_table() -> dict[str, Route]:
    """Every route by name; that of treatments without a route is ""."""
    rows = [_route(row) for row in read_table(DIRECTORY / "routes.csv", ROUTE_COLUMNS)]
    return {row.name: row for row in rows}


def _route(row: CsvRow) -> Route:
    return Route(
        row.required("route", "a name").replace(NO_ROUTE, ""), int(row["number"]) if row["number"] else None,
        row.listed("compartments"), row.is_yes("timed"), row.is_yes("visit"), row.is_yes("animals_only"),
        row["form_of"], row.listed("words"),
    )  # fmt: skip


@cache
def load_routes() -> dict[str, str]:
    """The route of every word for one, lower case."""
    return {word: route.name for route in route_table().values() for word in route.words}


@cache
def timed_routes() -> tuple[str, ...]:
    """Routes of a dose that may enter over a stated time."""
    return tuple(name for name, route in route_table().items() if route.timed)


@cache
def routes_without_visit() -> tuple[str, ...]:
    """Routes of doses that are no visits."""
    return tuple(name for name, route in route_table().items() if not route.visit)


@cache
def animal_routes() -> tuple[str, ...]:
    """Routes with kinetics in animals only."""
    return tuple(name for name, route in route_table().items() if route.animals_only)


def dosage_forms() -> dict[str, str]:
    """The route that a more precise route may be named with: {"prolonged release": "oral"}."""
    return {name: route.form_of for name, route in route_table().items() if route.form_of}


@cache
def load_drugs(file: Path = DIRECTORY / "drugs.csv") -> tuple[Drug, ...]:
    """Every drug. Raises InputError with file, line and column."""
    return tuple(_drug(row) for row in read_table(file, COLUMNS))


def _drug(row: CsvRow) -> Drug:
    known = {*load_routes().values(), NO_ROUTE}
    for name in (routes := row.listed("routes")):
        row.known("routes", known, ", ".join(sorted(known)), name=name, what="there is no route")
    yes = {column: row.is_yes(column) for column in COLUMNS[6:10]}
    return Drug(
        row.required("drug", "a name"), row.one_of("class", CLASSES), row.listed("aliases"),
        tuple(name.replace(NO_ROUTE, "") for name in routes),
        {name: float(share) for name, share in _pairs(row, "enantiomers").items()},
        row["molar_mass"] or None, **yes, compartment=row["compartment"] or None,
        max_dose_parameters=_pairs(row, "max_dose"), maintenance_elimination=row["maintenance_elimination"] or None,
        dose=row["dose"] or None, routes_of_brands=_pairs(row, "brand_routes"),
    )  # fmt: skip


def _pairs(row: CsvRow, column: str) -> dict[str, str]:
    return {name: value for name, _, value in (item.partition("=") for item in row.listed(column))}


@dataclass(frozen=True)
class Absorption:
    """A part of a dose by one route that enters one compartment; all but `compartment` name parameters ("": none).

    The part is the absorbed `fraction` (1 without one) times what `remainder_of` leaves (1 without one). It enters over
    `duration`, or over the stated duration of the dose where that is longer or `stated_duration` is "replaces".
    With a `device_interval` the dose is divided into devices at this interval; `later_fraction` is the fraction of
    later devices relative to the first, `japanese_ratio` the ratio of the fraction in Japanese people.
    `compartment` is "" for the one compartment of the drug, else the site without the enantiomer.
    """

    compartment: str = ""
    fraction: str = ""
    remainder_of: str = ""
    duration: str = ""
    stated_duration: str = ""
    device_interval: str = ""
    later_fraction: str = ""
    japanese_ratio: str = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters of this part."""
        names = (self.fraction, self.remainder_of, self.duration, self.device_interval, self.later_fraction,
                 self.japanese_ratio)  # fmt: skip
        return tuple(filter(None, names))


ABSORPTION_COLUMNS = tuple(field.name for field in fields(Absorption))


@cache
def load_absorption() -> dict[tuple[str, str], tuple[Absorption, ...]]:
    """The parts of a dose {(drug, route)}; those of drug "" hold for every drug that enters by enantiomer."""
    parts: dict[tuple[str, str], tuple[Absorption, ...]] = {}
    for row in read_table(DIRECTORY / "absorption.csv", ("drug", "route", *ABSORPTION_COLUMNS)):
        row.one_of("stated_duration", ("", "replaces"))
        key = row["drug"], row.known("route", route_table(), "a route of routes.csv", what="there is no route")
        parts[key] = (*parts.get(key, ()), Absorption(*(row[column] for column in ABSORPTION_COLUMNS)))
    return parts


def absorption(drug: Drug, route: str) -> tuple[Absorption, ...]:
    """The parts of a dose of a drug by a route; one that enters one compartment is absorbed at once without a row."""
    rows = load_absorption()
    general = rows.get(("", route), ()) if drug.enantiomers else (Absorption(),)
    return rows.get((drug.name, route), general)


def bioavailability_parameter(drug: Drug, route: str) -> str:
    """The parameter of the absorbed fraction at the site of a route; "" for a dose that is absorbed completely."""
    parts = absorption(drug, route)
    return parts[0].fraction if parts else ""


@cache
def _by_name() -> dict[str, Drug]:
    return {word.lower(): drug for drug in load_drugs() for word in (drug.name, *drug.aliases)}


def spellings() -> dict[str, tuple[Drug, str]]:
    """Every name and alias with its drug, and the route of a brand ("" for other names)."""
    return {word: (substance, substance.routes_of_brands.get(word, "")) for word, substance in _by_name().items()}


def drug(name: str) -> Drug:
    """The drug of a name or alias. Raises UnknownNameError with the nearest name."""
    substance = _by_name().get(name.strip().lower())
    if substance is None:
        raise unknown_drug_error(name)
    return substance


@cache
def _not_modelled() -> dict[str, tuple[str, str]]:
    """Treatments of trials that the model does not contain, with the reason and what represents them, lower case."""
    rows = read_table(DIRECTORY / "not_modelled.csv", ("word", "why", "instead"))
    return {row["word"].lower(): (row["why"], row["instead"]) for row in rows}


def not_modelled_error(name: str, key: str) -> UnknownNameError | None:
    """The error about a known treatment without a mechanism in the model; None for any other name."""
    word = name.strip().lower()
    reason = _not_modelled().get(word) or _not_modelled().get(word.split(" ")[0])
    if reason is None:
        return None
    why, instead = reason
    what = f"'{name}' is not a treatment of its own: {why}" if instead else f"'{name}' cannot be simulated: {why}"
    expected = instead or "a trial without it, with a line under assumed:"
    return UnknownNameError(what, key=key, expected=expected, type_this=instead or None)


def unknown_drug_error(name: str) -> UnknownNameError:
    """The error about an unknown drug: one without a mechanism, a perturbation, or a misspelling."""
    from ketamech.dosing.perturbations import perturbations_by_name

    if (problem := not_modelled_error(name, "drug")) is not None:
        return problem
    if name.strip().lower() in perturbations_by_name():
        what, expected = f"'{name}' is not a treatment of its own", "a perturbation of another treatment, after 'with'"
        return UnknownNameError(what, key="drug", expected=expected, type_this=f"with {name}")
    what, expected = f"'{name}' is not a known treatment", ", ".join(d.name for d in load_drugs())
    return UnknownNameError(what, key="drug", expected=expected, nearest=misspelled(name, _by_name()))


def route(drug: Drug, name: str) -> str:
    """The route in its usual spelling. Raises UnknownNameError if the drug has no such route, or needs one."""
    spelled = load_routes().get(name.strip().lower().replace(".", ""), name.strip())
    if spelled not in drug.routes:
        what = f"{drug.name} cannot be given by route '{name}'" if name else f"no route is named for {drug.name}"
        expected = ", ".join(r for r in drug.routes if r) or "no route"
        near = None if spelled in load_routes().values() else misspelled(name, [*drug.routes, *load_routes()])
        raise UnknownNameError(what, key="route", expected=expected, nearest=near)
    return spelled
