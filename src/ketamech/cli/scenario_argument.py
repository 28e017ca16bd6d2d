"""The argument SCENARIO: a regimen in words, a scenario file or a dose table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ketamech.core import InputError, require_known
from ketamech.simulation.load_scenario import TABLES, is_table

if TYPE_CHECKING:
    from ketamech.exchange.nonmem.read import DoseTable, DoseTableSubject
    from ketamech.parameters import ParameterTable
    from ketamech.simulation.scenario import Scenario

__all__ = ["TABLES", "doses", "is_table", "one_of", "scenario"]


def scenario(
    source: str, parameters: ParameterTable | None = None, *, drug: str | None = None, subject: str | None = None,
    species: str | None = None, perturb: tuple[str, ...] = (), variant: str | None = None,
) -> Scenario:  # fmt: skip
    """The scenario of an argument; of a dose table, that of its `subject` or of its only subject."""
    from ketamech.simulation.load_scenario import load_scenario

    if not is_table(source):
        if drug or subject:
            key = "--drug" if drug else "--subject"
            raise InputError(f"{key} is for a dose table", key=key, expected="a file such as doses.csv")
        return load_scenario(source, parameters, species=species, perturbations=perturb, variant=variant)
    for key, said in (("--species", species), ("--perturb", perturb), ("--variant", variant)):
        if said:
            expected = "a column SPECIES" if key == "--species" else "a regimen in words or a scenario file"
            raise InputError(f"{key} is not for a dose table", key=key, expected=expected)
    from ketamech.exchange.simulate_any import scenario_of
    from ketamech.parameters import load_parameters

    known = parameters or load_parameters()
    table = doses(source, known, drug)
    return scenario_of(table, one_of(table, subject), known)


def doses(source: str, parameters: ParameterTable, drug: str | None) -> DoseTable:
    """The subjects of a dose table."""
    from ketamech.exchange.nonmem.read import read_doses

    return read_doses(source, parameters, drug=drug)


def one_of(table: DoseTable, name: str | None) -> DoseTableSubject:
    """The subject of this name, or the only one. Raises InputError."""
    names = [subject.name for subject in table.subjects]
    if name is None:
        if len(names) > 1:
            what = f"the table holds {len(names)} subjects"
            raise InputError(what, file=table.path, key="ID", expected="one of them", type_this=f"--subject {names[0]}")
        return table.subjects[0]
    require_known(name, names, f"there is no ID {name}", file=table.path, key="ID", expected=", ".join(names[:10]))
    return table.subjects[names.index(name)]
