"""The argument SCENARIO: a regimen in words, a scenario file or a dose table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ketamech.core import InputError, require_known
from ketamech.simulation.load_scenario import TABLE_SUFFIXES, Settings, is_table

if TYPE_CHECKING:
    from ketamech.nonmem.read import DoseTable, DoseTableSubject
    from ketamech.parameters import ParameterTable
    from ketamech.simulation.scenario import Scenario

__all__ = ["TABLE_SUFFIXES", "doses", "is_table", "one_of", "refuse_additions", "scenario", "settings"]


def scenario(
    source: str, table: ParameterTable | None = None, *, drug: str | None = None, subject: str | None = None,
    species: str | None = None, perturb: tuple[str, ...] = (), variant: str | None = None,
    person: Settings | None = None, parameter_values: Settings | None = None,
) -> Scenario:  # fmt: skip
    """The scenario of an argument; of a dose table, that of its `subject` or of its only subject."""
    from ketamech.dosing.perturbations import PERTURB
    from ketamech.simulation.load_scenario import load_scenario

    if not is_table(source):
        if drug or subject:
            key = "--drug" if drug else "--subject"
            raise InputError(f"{key} is for a dose table", key=key, expected="a file such as doses.csv")
        try:
            return load_scenario(
                source, table, species=species, perturbations=perturb, variant=variant, person=person,
                parameter_values=parameter_values,
            )  # fmt: skip
        except InputError as problem:
            if problem.key != PERTURB:
                raise
            example = problem.type_this and f'--perturb "{problem.type_this}"'
            raise problem.replace(key="--perturb", type_this=example) from None
    refuse_additions(species, perturb, variant, person, parameter_values)
    from ketamech.nonmem.subjects import scenario_of
    from ketamech.parameters import load_parameters

    parameter_table = table or load_parameters()
    records = doses(source, parameter_table, drug)
    return scenario_of(records, one_of(records, subject), parameter_table)


def settings(options: list[str] | None, option: str) -> dict[str, str]:
    """Names and values of options such as `--person "weight=90 kg, age=75"`. Raises InputError, also for two values."""
    settings: dict[str, str] = {}
    for text in (part for texts in options or () for part in re.split(r",(?=[^,=]*=)", texts)):
        name, sign, value = (part.strip() for part in text.partition("="))
        if not (sign and name and value):
            example = '--person "weight=90 kg"' if option == "--person" else "--set mood.expectancy_weight=0"
            raise InputError(f"{option} {text}", key=option, expected="NAME=VALUE", type_this=example)
        if name in settings:
            raise InputError(
                f"'{name}' has two values, {settings[name]} and {value}", key=option, expected="one of them"
            )
        settings[name] = value
    return settings


def refuse_additions(
    species: object, perturb: object, variant: object, person: object, parameter_values: object
) -> None:
    """Raise InputError for an option with a value that a dose table states in a column or does not have."""
    other = "a regimen in words or a scenario file"
    options = (
        ("--species", species, "a column SPECIES"),
        ("--perturb", perturb, other),
        ("--variant", variant, other),
        ("--person", person, "a column such as WEIGHT or AGE"),
        ("--set", parameter_values, "a column of the full name"),
    )
    for key, value, expected in options:
        if value:
            raise InputError(f"{key} is not for a dose table", key=key, expected=expected)


def doses(source: str, parameters: ParameterTable, drug: str | None) -> DoseTable:
    """The subjects of a dose table."""
    from ketamech.nonmem.read import read_doses

    return read_doses(source, parameters, drug=drug)


def one_of(table: DoseTable, name: str | None) -> DoseTableSubject:
    """The subject of this name, or the only one. Raises InputError."""
    names = [subject.name for subject in table.subjects]
    if name is None:
        if len(names) > 1:
            message = f"the table holds {len(names)} subjects"
            raise InputError(
                message, file=table.path, key="ID", expected="one of them", type_this=f"--subject {names[0]}"
            )
        return table.subjects[0]
    require_known(name, names, f"there is no ID {name}", file=table.path, key="ID", expected=", ".join(names[:10]))
    return table.subjects[names.index(name)]
