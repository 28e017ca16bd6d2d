"""Simulates PEtab problems of other programs: the observables at the measurements, with nominal parameter values.

Versions 1 (converted by the PEtab library) and 2 with one SBML model. The changes of the first period are initial
values; those of later periods are events. A period at -inf ends at the steady state, whose values the next one takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy

from ketamech.core import InputError
from ketamech.core.atomic_files import read_text
from ketamech.core.optional_libraries import import_optional
from ketamech.exchange.document_libraries import libsbml, with_fields
from ketamech.exchange.sbml.importer import import_sbml
from ketamech.exchange.sbml.model_editor import ModelEditor, steady_state
from ketamech.exchange.sbml.sbml_model import compile_vector
from ketamech.exchange.sbml.simulate import simulate_imported
from ketamech.model.stage import symbol

TOLERANCE = 1e-9
EVENT_PRIORITY = 1e9  # of the changes of a period, before the events of the model at the same time
Changes = Mapping[str, sympy.Expr]


def simulate_petab(path: Path) -> pd.DataFrame:
    """The measurements of a problem (.yaml) and, as `simulation`, the observables at nominal parameter values.

    Raises InputError for what cannot be read or simulated, and SolverError.
    """
    problem = read_problem(path)
    simulations: dict[int, float] = {}
    scales: dict[str, float] = {}
    for name in dict.fromkeys(row.experiment_id for row in problem.measurements):
        periods = _entity(problem, name).sorted_periods if name else []
        selected = [(i, row) for i, row in enumerate(problem.measurements) if row.experiment_id == name]
        simulations |= _Experiment(path, problem, periods, scales).simulations(dict(selected))
    rows = [
        {"observableId": row.observable_id, "experimentId": row.experiment_id or "", "time": row.time,
         "measurement": row.measurement, "simulation": simulations[i]}
        for i, row in enumerate(problem.measurements)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def read_problem(path: Path) -> Any:
    """A problem of version 2, or converted to it, of the PEtab library. Raises InputError."""
    library = import_optional("petab.v2", "petab", "reading PEtab problems")
    expected = "a problem with one SBML model that petablint accepts"
    if "://" in read_text(path, "a PEtab problem"):
        raise InputError("the problem names a file at an address", file=path, expected="files beside the problem")
    try:
        problem = library.Problem.from_yaml(str(path))
    except Exception as error:  # the library and its parsers raise errors of many kinds
        cause = error.__cause__ or error  # of a failed conversion from version 1
        reason = " ".join(str(getattr(cause, "message", cause)).split())[:200]  # without the schema of the library
        raise InputError(f"this PEtab problem cannot be read: {reason}", file=path, expected=expected) from None
    if len(problem.models) != 1 or problem.models[0].type_id != "sbml" or problem.model.sbml_model is None:
        raise InputError("the problem has not one SBML model", file=path, expected=expected)
    if without_formula := [observable.id for observable in problem.observables if observable.formula is None]:
        raise InputError(f"observable '{without_formula[0]}' has no formula", file=path, expected=expected)
    return problem


def changes_of(problem: Any, period: Any) -> list[Any]:
    """The changes of a period. Raises InputError for a condition that is not in the tables."""
    return [change for name in (period.condition_ids if period else ()) for change in _entity(problem, name).changes]


def _entity(problem: Any, name: str) -> Any:
    """A condition, an experiment or an observable. Raises InputError where there is none."""
    try:
        return problem[name]
    except KeyError:
        raise InputError(f"there is no '{name}' in the tables of the problem", key=name) from None


def observable_formulas(problem: Any) -> dict[str, sympy.Expr]:
    """The formula of each measured observable in plain symbols; parameters of the observable are not replaced."""
    formulas = {name: sympy.sympify(_entity(problem, name).formula)
                for name in dict.fromkeys(row.observable_id for row in problem.measurements)}  # fmt: skip
    return {name: f.xreplace({s: symbol(s.name) for s in f.free_symbols}) for name, f in formulas.items()}


class _Experiment:
    """The model of one experiment: values that are not in the model are `numbers`.

    `scales`: those of the states, set by the first experiment, because other scales would need another compilation.
    """

    def __init__(self, path: Path, problem: Any, periods: Sequence[Any], scales: dict[str, float]) -> None:
        self.path, self.problem, self.scales = path, problem, scales
        self.edited = ModelEditor(problem.model.sbml_model.getSBMLDocument())
        self.model = self.edited.model
        self.numbers: dict[str, sympy.Expr] = {}
        for parameter in problem.parameters:
            value = math.nan if parameter.nominal_value is None else float(parameter.nominal_value)
            self._set(parameter.id, sympy.Float(value))
        preequilibration = [period for period in periods if period.is_preequilibration]
        main_periods = [period for period in periods if not period.is_preequilibration]
        self.start = float(main_periods[0].time) if main_periods else 0.0
        initial_periods = preequilibration or main_periods[:1]
        for target, value in self._changes(initial_periods[0] if initial_periods else None).items():
            self._set(target, value)
        if preequilibration:
            self.edited.show_triggers()
            self._continue(self._steady_state(0.0), self._changes(main_periods[0] if main_periods else None))
        for period in main_periods[1:]:
            self._add_event(float(period.time), self._changes(period))

    def simulations(self, measurements: Mapping[int, Any]) -> dict[int, float]:
        """The observable of each measurement."""
        times = sorted({row_of_time.time for row_of_time in measurements.values() if math.isfinite(row_of_time.time)})
        curves = self._simulate(np.array(times)) if times else {}
        has_steady_state = any(not math.isfinite(row_of_time.time) for row_of_time in measurements.values())
        steady_state = self._steady_state(self.start) if has_steady_state else {}
        observables = {
            name: _entity(self.problem, name) for name in {row.observable_id for row in measurements.values()}
        }
        formulas = {name: self._in_model(observable.formula) for name, observable in observables.items()}
        simulations = {}
        for i, measurement in measurements.items():
            row = times.index(measurement.time) if math.isfinite(measurement.time) else None
            values = steady_state if row is None else {name: curve[row] for name, curve in curves.items()}
            for placeholder, value in zip(
                observables[measurement.observable_id].observable_placeholders,
                measurement.observable_parameters,
                strict=False,
            ):
                values[str(placeholder)] = self._number(self._in_model(value), values)
            simulations[i] = self._number(formulas[measurement.observable_id], values)
        return simulations

    def _simulate(self, times: np.ndarray) -> dict[str, np.ndarray]:
        model = import_sbml(self.path, self.edited.text, start=self.start)
        self.scales.update({name: scale for name, scale in model.scales.items() if name not in self.scales})
        model.scales = {name: self.scales[name] for name in model.rates}
        return simulate_imported(model, times, tolerance=TOLERANCE)

    def _steady_state(self, start: float) -> dict[str, float]:
        """Every value at the steady state after `start`. Raises SolverError where there is none."""
        self.start, original_start = start, self.start
        values = steady_state(self._simulate, start)
        self.start = original_start
        return values

    def _changes(self, period: Any) -> dict[str, sympy.Expr]:
        """The changes of a period in ids of the model."""
        return {change.target_id: self._in_model(change.target_value) for change in changes_of(self.problem, period)}

    def _in_model(self, expression: Any) -> sympy.Expr:
        """An expression in plain symbols of ids of the model; parameters of the problem have their values."""
        renamed = {mapping.petab_id: symbol(mapping.model_id) for mapping in self.problem.mappings if mapping.model_id}
        for substitutions in (self.numbers, renamed):
            expression = sympy.sympify(expression)
            expression = expression.xreplace({s: substitutions.get(s.name, s) for s in expression.free_symbols})
        return expression.xreplace({s: symbol(s.name) for s in expression.free_symbols})

    def _number(self, expression: sympy.Expr, values: Mapping[str, float]) -> float:
        names = sorted(s.name for s in expression.free_symbols)
        if unknown := [name for name in names if name not in values]:
            raise InputError(f"'{unknown[0]}' is neither in the model nor a parameter", expected="an id of the model")
        with np.errstate(all="ignore"):
            return float(compile_vector(expression, names)(np.array([values[name] for name in names])))

    def _set(self, identifier: str, value: sympy.Expr) -> None:
        """Set an initial value: a number, or an initial assignment."""
        if not self.edited.set_value(identifier, value):
            self.numbers[identifier] = value

    def _continue(self, steady_state: Mapping[str, float], changes: Changes) -> None:
        """Take all values and triggers from a steady state, and then the changes of the next period."""
        for target in changes:
            self.numbers.pop(target, None)
        new_values = {target: sympy.Float(self._number(value, steady_state)) for target, value in changes.items()}
        for name in self.edited.continue_from(steady_state, new_values):
            self.numbers[name] = new_values[name]

    def _add_event(self, time: float, changes: Changes) -> None:
        """The changes of a period as an event; a species keeps its concentration where its compartment changes."""
        if unknown := [target for target in changes if self.model.getElementBySId(target) is None]:
            raise InputError(f"a later period changes '{unknown[0]}', which is not in the model")
        event = with_fields(self.model.createEvent(), UseValuesFromTriggerTime=True)
        with_fields(event.createPriority(), Math=libsbml().parseL3Formula(repr(EVENT_PRIORITY)))
        trigger = libsbml().parseL3Formula(f"time >= {time!r}")
        with_fields(event.createTrigger(), InitialValue=False, Persistent=True, Math=trigger)
        new_values = dict(changes)
        for i in range(self.model.getNumSpecies()):
            species = self.model.getSpecies(i)
            name, compartment = species.getId(), species.getCompartment()
            if compartment in changes and not species.getHasOnlySubstanceUnits():
                new_values[name] = changes.get(name, symbol(name)) * changes[compartment] / symbol(compartment)
        for name, value in new_values.items():
            self.model.getElementBySId(name).setConstant(False)
            with_fields(event.createEventAssignment(), Variable=name, Math=self.edited.math(value))
