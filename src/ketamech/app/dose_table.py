"""An uploaded dose table with the columns of NONMEM -> scenarios, one a person, read as the command line reads it."""

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

MOST_PEOPLE = 200  # a table of more is for the command line
PERSON = "person."


def subjects_of_table(asked: DoseTableRequest, model: Model) -> dict[str, Any]:
    """Every person of a table as a scenario that can be run; see `told.DosePeople`.

    Raises BadInput with line and column for what is no table, and where none of its people can be read.
    """
    name = shown_name(asked.name)
    table = doses_in(asked.text, name, model.parameters, drug=asked.drug or None)
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
    """One person's scenario as the keys of a file; what belongs to the person stands there."""
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
