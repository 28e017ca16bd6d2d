"""Scenarios from an uploaded dose table with NONMEM columns, one per subject."""

from __future__ import annotations

from typing import Any

from ketamech.app.request_models import DoseTableRequest
from ketamech.app.scenarios import scenario_of, shown_name, without_file
from ketamech.core import InputError
from ketamech.exchange.nonmem.read import DoseTable, DoseTableSubject, doses_in
from ketamech.exchange.nonmem.simulate_table import scenario_of as scenario_of_person
from ketamech.simulation.model import Model
from ketamech.simulation.scenario_reader import keys_from_text
from ketamech.simulation.scenario_schema import ScenarioFile

MOST_PEOPLE = 200  # larger tables: command line
PERSON = "person."


def subjects_of_table(request: DoseTableRequest, model: Model) -> dict[str, Any]:
    """Every subject of a table as a scenario; the response `responses.DoseTableSubjects`.

    Raises InputError with line and column when the text is not a dose table or no subject can be read.
    """
    name = shown_name(request.name)
    table = doses_in(request.text, name, model.parameters, drug=request.drug or None)
    if len(table.subjects) > MOST_PEOPLE:
        what = f"{len(table.subjects)} people in one table"
        raise InputError(what, file=name, expected=f"at most {MOST_PEOPLE} on the page; the command line reads more")
    found, refused = [], []
    for subject in table.subjects:
        try:
            found.append({"id": subject.name, "scenario": _keys(table, subject, model).model_dump(mode="json")})
        except InputError as problem:
            refused.append(problem)
    if not found:
        raise refused[0]
    return {"people": found, "notes": list(table.notes), "refused": [str(problem) for problem in refused]}


def _keys(table: DoseTable, subject: DoseTableSubject, model: Model) -> ScenarioFile:
    """The scenario of one subject as the keys of a file, with covariates under `person`."""
    if not any(occasion.rows for occasion in subject.occasions):
        raise InputError(f"no dose for ID {subject.name}", file=table.path, expected="rows with AMT above 0")
    source = scenario_of_person(table, subject, model.parameters).source
    keys = keys_from_text(source, table.path.name)
    person = {n.removeprefix(PERSON): v for n, v in keys.parameters.items() if n.startswith(PERSON)}
    others = {n: v for n, v in keys.parameters.items() if not n.startswith(PERSON)}
    found = keys.model_copy(update={"person": person, "parameters": others})
    try:
        scenario_of(found, model)
    except InputError as problem:
        raise without_file(problem) from None
    return found
