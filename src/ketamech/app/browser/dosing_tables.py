"""Tables of regimens, drugs and dose records for the browser, from the sources of the readers in Python."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import Any

from lark.parsers.lalr_analysis import Shift

from ketamech.app.app_state import LIMITS
from ketamech.app.routes.scenario import MAX_RECORDS, MAX_ROWS_OF_SUBJECT, MAX_SUBJECTS
from ketamech.core import unit
from ketamech.core.units import TIME_UNIT_SPELLINGS, format_dimensions
from ketamech.dosing import (
    dose_events,
    dose_records,
    lexicon,
    parse,
    parse_errors,
    perturbations,
    regimen_reader,
    treatment,
)
from ketamech.dosing.drugs import (
    NO_ROUTE,
    Drug,
    absorption,
    animal_routes,
    dosage_forms,
    load_drugs,
    load_routes,
    routes_without_visit,
    spellings,
    timed_routes,
)
from ketamech.dosing.perturbations import Perturbation, load_perturbations, perturbations_by_name
from ketamech.nonmem import csv_cells, occasions
from ketamech.parameters import load_parameters

GRAMMAR_STARTS = ("sentence", "phrase", "time")  # the rules that the browser parses
PER = ("", "/kg", "/m^2", "/h", "/kg/h", "/m^2/h")


def dosing_tables() -> dict[str, Any]:
    """Words, drugs, routes, the tables of the parser and the limits of treatments."""
    return {
        "words": {word: [meaning.kind, meaning.value] for word, meaning in lexicon.load_words().items()},
        "routes": load_routes(),
        "drug_words": {word: [word_drug.name, route] for word, (word_drug, route) in spellings().items()},
        "perturbation_words": {word: perturbation.name for word, perturbation in perturbations_by_name().items()},
        "perturbations": {row.name: _perturbation(row) for row in load_perturbations().values()},
        "drugs": {drug.name: _drug(drug) for drug in load_drugs()},
        "grammar": grammar_tables(),
        "unit_words": [words[-1] for words in TIME_UNIT_SPELLINGS.values()],
        "masses": {name: unit(name).factor for name in regimen_reader.MASS_UNITS},
        "dose_units": {f"{mass}{per}": _unit(f"{mass}{per}") for mass in sorted(_mass_words()) for per in PER},
        "starts": parse_errors.STARTS,
        "keys": parse_errors.KEYS,
        "texts": {"masses": parse_errors.MASSES, "times": parse_errors.TIMES, "after_in": parse_errors.AFTER_IN,
                  "frequencies": lexicon.FREQUENCIES},
        "surface": dose_events.body_surface_constants(),
        "timed_routes": timed_routes(),
        "tablets": routes_without_visit(),
        "dosage_forms": dosage_forms(),
        "animal_routes": animal_routes(),
        "limits": {
            "text": lexicon.MAX_TEXT_LENGTH, "part": lexicon.MAX_PART_LENGTH,
            "shown": parse_errors.MAX_SHOWN_CHARACTERS,
            "doses": treatment.MAX_DOSES, "horizon": treatment.MAX_HORIZON_H, "lag": treatment.MAX_LAG_H,
            "a_week": parse.MAX_TIMES_A_WEEK, "numbers": parse.MAX_LIST_LENGTH,
            **perturbations.perturbation_limits(),
        },
    }  # fmt: skip


def _drug(drug: Drug) -> dict[str, Any]:
    """A drug with its limits (mg/kg) by route, its unit dose (mg/kg) and its absorption by route."""
    parameters = load_parameters()

    def milligrams(dose: str) -> float:
        return float(dose_events.milligrams_per_kilogram(dose, lambda name: parameters[name].canonical))

    return {
        **asdict(drug),
        "limits": {route: milligrams(dose) for route, dose in drug.max_dose_parameters.items()},
        "unit_dose": milligrams(drug.dose) if drug.dose else None,
        "absorption": {route: [asdict(part) for part in absorption(drug, route)] for route in drug.routes},
    }


def _perturbation(perturbation: Perturbation) -> dict[str, Any]:
    fields = {name: getattr(perturbation, name) for name in ("kind", "target", "target_states", "level", "at")}
    dosable = perturbation.kind in perturbations.DOSABLE_KINDS
    doses = [asdict(dose) for dose in perturbation.doses]
    values = perturbation.values(load_parameters())
    return {
        **fields,
        "loss_rate": perturbation.loss_rate_parameter,
        "dosable": dosable,
        "for_people": perturbation.human_dose is not None,
        "parameter_values": values,
        "doses": doses,
    }


def _mass_words() -> set[str]:
    """Masses and amounts as the values of words, e.g. ug."""
    return {str(meaning.value) for meaning in lexicon.load_words().values() if meaning.kind == "MASS"}


def _unit(text: str) -> list[float | str]:
    """Factor to canonical units, and the dimensions as text."""
    parsed = unit(text)
    return [parsed.factor, format_dimensions(parsed.dims)]


def grammar_tables() -> dict[str, Any]:
    """The LALR(1) tables: `states` [{symbol: action}], an action n >= 0 goes to state n, else it reduces rule -n - 1.

    States are numbered in the order in which they are found, so that the same grammar gives the same tables.
    """
    parser = parse.parser()
    table = parser.parser.parser._parse_table
    rules = {rule: i for i, rule in enumerate(parser.rules)}
    order: dict[int, int] = {}
    waiting = deque(table.start_states[name] for name in GRAMMAR_STARTS)
    while waiting:
        state = waiting.popleft()
        if state in order:
            continue
        order[state] = len(order)
        actions = sorted(table.states[state].items())
        waiting.extend(target for _, (action, target) in actions if action is Shift)
    states = [
        {
            symbol: order[target] if action is Shift else -rules[target] - 1
            for symbol, (action, target) in sorted(table.states[state].items())
        }
        for state in order
    ]
    return {
        "states": states,
        "starts": {name: order[table.start_states[name]] for name in GRAMMAR_STARTS},
        "ends": {name: order[table.end_states[name]] for name in GRAMMAR_STARTS},
        "rules": [[rule.origin.name, len(rule.expansion), rule.alias or rule.origin.name] for rule in parser.rules],
    }


def file_tables() -> dict[str, Any]:
    """Columns with their other names, compartments, units, and the limits of files."""
    return {
        "columns": csv_cells.COLUMNS,
        "aliases": csv_cells.ALIASES,
        "synonyms": csv_cells.SYNONYMS,
        "unrelated": csv_cells.NOT_MISSPELLED,
        "rows": MAX_RECORDS,
        "codes": dose_records.cmt_routes(),
        "places": dose_records.compartments(),
        "no_route": NO_ROUTE,
        "masses": dose_records.MASSES,
        "salts": dose_records.SALTS,
        "absorbed": dose_records.absorption_routes(),
        "subjects": MAX_SUBJECTS,
        "rows_of_subject": MAX_ROWS_OF_SUBJECT,
        "limits": {"scenario": LIMITS.file_characters, "text": LIMITS.text_characters},
        "missing": sorted(csv_cells.MISSING),
        "separators": csv_cells.SEPARATORS,
        "comments": csv_cells.COMMENT_PREFIXES,
        "numbers": {
            "printed": csv_cells.PRINTED_NUMBER.pattern, "thousands": csv_cells.THOUSANDS.pattern,
            "comma": csv_cells.DECIMAL_COMMA.pattern, "point": csv_cells.DECIMAL_POINT.pattern,
        },
        "dates": csv_cells.DATES,
        "visit_drug": occasions.VISIT_DRUG,
        "undosed": occasions.UNDOSED,
        "kinds": [occasions.OBSERVATION, occasions.DOSE, occasions.OTHER, occasions.RESET, occasions.RESET_AND_DOSE],
        "same_time": occasions.SAME_TIME,
    }  # fmt: skip
