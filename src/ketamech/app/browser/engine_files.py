"""Files of the compiled model and its tables, by the names that the worker of a page requests, and their routes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from lark.parsers.lalr_analysis import Shift

from ketamech.analysis.reference_protocols import Protocol, load_protocols
from ketamech.analysis.scorecard_targets import Target, load_targets
from ketamech.app.app_state import LIMITS, AppState
from ketamech.app.browser.model_tables import (
    endpoint_table,
    kernel_tables,
    output_tables,
    people_tables,
    scenario_tables,
)
from ketamech.app.curve_responses import curves_by_sum, sorted_sum
from ketamech.app.responses import NotFound, as_json
from ketamech.app.routes.scenario import MAX_RECORDS, MAX_ROWS_OF_SUBJECT, MAX_SUBJECTS
from ketamech.core import InputError, unit
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
from ketamech.report.published_points import (
    MAX_AGE_DIFFERENCE,
    SAME_PERSON,
    SHAPE_OF_STATISTIC,
    drug_events_of_protocol,
    how_drawn,
    is_drawable,
    is_translated,
    part_of_model,
    published_numbers,
    short_citation,
)
from ketamech.report.tracks import Track, TrackCurve
from ketamech.simulation.model import Model

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
                  "frequencies": lexicon.FREQUENCIES, "many_doses": lexicon.MANY_DOSES,
                  "infusion_reason": treatment.INFUSION_REASON},
        "infusion_route": treatment.INFUSION_ROUTE,
        "surface": dose_events.body_surface_constants(),
        "timed_routes": timed_routes(),
        "tablets": routes_without_visit(),
        "dosage_forms": dosage_forms(),
        "animal_routes": animal_routes(),
        "limits": {
            "text": lexicon.MAX_TEXT_LENGTH, "shown": parse_errors.MAX_SHOWN_CHARACTERS,
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


CONTRASTS = ("", "difference")  # differences from a control that a curve can show
RELATIVE_TO = ("value", "of_rest", "change", "fall", "rise")


def published_tables(app_state: AppState) -> dict[str, Any]:
    """Values with the track and curve that shows each, and the dose events and parameters of their protocols."""
    model = app_state.model
    curves, protocols = curves_by_sum(model), load_protocols()
    shown = [
        (target, curves[key])
        for target in load_targets(app_state.evidence, protocols)
        if is_drawable(target) and _has_times(target) and (key := sorted_sum(target.measure.output)) in curves
    ]
    used = dict.fromkeys(target.protocol for target, _ in shown)
    return {
        "protocols": {name: _protocol(protocols[name], model) for name in used},
        "values": [_value(target, *curve, app_state) for target, curve in shown],
        "same_person": SAME_PERSON,
        "age_difference": MAX_AGE_DIFFERENCE * unit("year").factor,
    }


def _has_times(target: Target) -> bool:
    measure = target.measure
    plain = not set("<>;") & set(measure.time)
    return plain and measure.control_contrast in CONTRASTS and measure.relative_to in RELATIVE_TO


def _protocol(protocol: Protocol, model: Model) -> dict[str, Any]:
    events = drug_events_of_protocol(protocol, model)
    rows = [(float(e.time), e.compartment, float(e.amount), float(e.duration)) for e in events]
    return {"events": rows, "values": protocol.values(model.parameters)}


def _value(target: Target, track: Track, curve: TrackCurve, app_state: AppState) -> dict[str, Any]:
    measure, row = target.measure, app_state.evidence[target.evidence]
    names = ("value", "low", "high")
    numbers = dict(zip(names, published_numbers(target, row), strict=True))
    return {
        "evidence": row.id,
        "protocol": target.protocol,
        "track": track.key,
        "curve": curve.outputs,
        "output": measure.output,
        "shape": SHAPE_OF_STATISTIC[measure.statistic],
        "statistic": measure.statistic,
        "times": [float(part) for part in measure.time.split("-")] if measure.time else [],
        "relative_to": measure.relative_to,
        "contrast": measure.control_contrast,
        "factor": measure.factor,
        **{name: number if math.isfinite(number) else None for name, number in numbers.items()},
        "translated": is_translated(target, row),
        "model_part": part_of_model(target, 1.0),
        "fitted": row.id in app_state.fitted,
        "label": short_citation(app_state.evidence.references[row.reference].citation),
        "how": how_drawn(target, row),
    }


_TABLES: dict[str, Callable[[AppState], Any]] = {
    "kernel.json": lambda app_state: kernel_tables(app_state.model),
    "scenario.json": lambda app_state: scenario_tables(app_state.model),
    "dosing.json": lambda app_state: dosing_tables(),
    "outputs.json": lambda app_state: output_tables(app_state.model),
    "endpoints.json": lambda app_state: endpoint_table(app_state.model),
    "people.json": lambda app_state: people_tables(app_state.model)[0],
    "published.json": published_tables,
    "files.json": lambda app_state: file_tables(),
}
ENGINE_FILES = ("kernel.wasm", "people.bin", *_TABLES)


def engine_file(app_state: AppState, name: str) -> bytes:
    """One of ENGINE_FILES. Raises InputError where the module must be built and its linker is not installed."""
    if name == "kernel.wasm":
        code = app_state.model.kernel.webassembly().code
        assert isinstance(code, bytes)
        return code
    if name == "people.bin":
        return people_tables(app_state.model)[1]
    return as_json(_TABLES[name](app_state))


MEDIA_TYPES = {"json": "application/json", "wasm": "application/wasm", "bin": "application/octet-stream"}


def routes(app_state: AppState) -> APIRouter:
    """One route for each of ENGINE_FILES; 404 where the module is not packaged and cannot be built."""
    router = APIRouter(prefix="/engine", include_in_schema=False)

    def add(name: str) -> None:
        media_type = MEDIA_TYPES[name.rsplit(".", 1)[1]]

        @router.get(f"/{name}")
        async def file() -> Response:
            content = await app_state.compute(lambda: app_state.cache.get(("engine", name), read))
            return Response(content, media_type=media_type, headers={"cache-control": "no-cache"})

        def read() -> bytes:
            try:
                return engine_file(app_state, name)
            except InputError as error:
                raise NotFound(error.what) from None

    for name in ENGINE_FILES:
        add(name)
    return router
