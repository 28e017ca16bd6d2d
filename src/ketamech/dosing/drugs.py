"""Drugs and other treatments of data/dosing: names, aliases, routes, enantiomers and compartments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ketamech.core import UnknownNameError
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.core.errors import misspelled

DIRECTORY = DATA / "dosing"
NO_ROUTE = "none"  # in the tables; the route of a treatment without one is ""
COLUMNS = (
    "drug", "aliases", "routes", "enantiomers", "molar_mass", "is_session", "infused_session", "carries_expectancy",
    "is_procedure", "compartment", "max_dose", "maintenance_elimination", "dose", "brand_routes", "nasal_f",
)  # fmt: skip


@dataclass(frozen=True)
class Drug:
    """One drug or other treatment. `enantiomers`: fractions of S and R. `is_session`: counted, without an amount.

    `molar_mass` and `maintenance_elimination` are names of parameters; the latter is the elimination of a level that is
    maintained for the duration of a session. `carries_expectancy` says whether a visit for it adds expectancy,
    `is_procedure` whether a visit raises it at once (an infusion) or over weeks (tablets, psychotherapy);
    `infused_session` whether a session enters evenly over its duration. `dose` is the amount (mass per body weight)
    that the model counts as one dose, for a substance that it does not follow in umol. `routes_of_brands`: the one
    route of an alias that is a brand. `nasal_bioavailability_parameters` name the share that the nose absorbs, by
    route, of drops and of sprays that are no devices of 28 mg.
    """

    name: str
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
    nasal_bioavailability_parameters: Mapping[str, str]

    def max_dose(self, route: str) -> str:
        """The dose above which a dose by this route is refused: a quantity or the name of a parameter."""
        return self.max_dose_parameters.get(route, "drug.max_dose")


@cache
def load_routes() -> dict[str, str]:
    """The route of every word for one, lower case."""
    return {row["word"]: row["route"] for row in _route_rows()}


@cache
def dosage_forms() -> dict[str, str]:
    """The route that a more precise route may be named with: {"prolonged release": "oral"}."""
    return {row["route"]: row["form_of"] for row in _route_rows() if row["form_of"]}


def _route_rows() -> tuple[CsvRow, ...]:
    return tuple(read_table(DIRECTORY / "routes.csv", ("word", "route", "form_of")))


@cache
def load_drugs(file: Path = DIRECTORY / "drugs.csv") -> tuple[Drug, ...]:
    """Every drug. Raises InputError with file, line and column."""
    return tuple(_drug(row) for row in read_table(file, COLUMNS))


def _drug(row: CsvRow) -> Drug:
    known = {*load_routes().values(), NO_ROUTE}
    for name in (routes := row.listed("routes")):
        row.known("routes", known, ", ".join(sorted(known)), name=name, what="there is no route")
    yes = {column: row.is_yes(column) for column in COLUMNS[5:9]}
    return Drug(
        row.required("drug", "a name"), row.listed("aliases"),
        tuple(name.replace(NO_ROUTE, "") for name in routes),
        {name: float(share) for name, share in _pairs(row, "enantiomers").items()},
        row["molar_mass"] or None, **yes, compartment=row["compartment"] or None,
        max_dose_parameters=_pairs(row, "max_dose"), maintenance_elimination=row["maintenance_elimination"] or None,
        dose=row["dose"] or None, routes_of_brands=_pairs(row, "brand_routes"),
        nasal_bioavailability_parameters=_pairs(row, "nasal_f"),
    )  # fmt: skip


def _pairs(row: CsvRow, column: str) -> dict[str, str]:
    return {name: value for name, _, value in (item.partition("=") for item in row.listed(column))}


@dataclass(frozen=True)
class Absorption:
    """Absorption of a drug by one route: names of the parameters of the absorbed fraction and of its duration."""

    fraction: str
    duration: str


@cache
def load_absorption() -> dict[tuple[str, str], Absorption]:
    """Absorption {(drug, route)} of the drugs that enter one compartment; other routes lead there at once."""
    rows = read_table(DIRECTORY / "absorption.csv", ("drug", "route", "fraction", "duration"))
    return {(row["drug"], row["route"]): Absorption(row["fraction"], row["duration"]) for row in rows}


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
        near = misspelled(name, [*drug.routes, *load_routes()])
        raise UnknownNameError(what, key="route", expected=expected, nearest=near)
    return spelled
