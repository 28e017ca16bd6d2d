"""A scenario as a file for other programs, by the suffix of its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ketamech.core import InputError
from ketamech.exchange.antimony import antimony_text
from ketamech.exchange.omex import build_archive, write_archive
from ketamech.exchange.rxode2_mrgsolve import doses_table, is_doses_table, mrgsolve_text, rxode2_text
from ketamech.exchange.sbml.exporter import PatientModel, course_model, sbml_text
from ketamech.nonmem.write import doses_csv
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import subjects

MODEL_TEXTS = {".xml": sbml_text, ".sbml": sbml_text, ".ant": antimony_text, ".r": rxode2_text, ".cpp": mrgsolve_text}
WITH_DOSES = (".r", ".cpp")  # the doses are a table beside the model


def export_scenario(scenario: Scenario, path: Path, model: Model) -> Path:
    """Write the doses, the model of the treated patient, or an archive of both. Raises InputError."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".omex", *MODEL_TEXTS):
        expected = f"a name ending in {', '.join(('.csv', *MODEL_TEXTS, '.omex'))}"
        raise InputError(f"cannot write '{path}'", expected=expected, type_this="model.xml")
    if kind in WITH_DOSES:
        refuse_other_file(path.with_suffix(".csv"), is_doses_table)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".omex":
        write_archive(path, build_archive(scenario, model))
    elif kind == ".csv":
        doses = doses_csv(
            scenario.regimen, scenario.horizon, scenario.values, model.parameters, species=scenario.species
        )
        path.write_text(doses, encoding="utf-8")
    else:
        patient = patient_model(scenario, model)
        path.write_text(MODEL_TEXTS[kind](patient), encoding="utf-8")
        if kind in WITH_DOSES:
            path.with_suffix(".csv").write_text(doses_table(patient), encoding="utf-8")
    return path


def refuse_other_file(beside: Path, is_own: Callable[[str], bool]) -> None:
    """Raise InputError where a file that is written beside another exists and no export has written it."""
    if beside.exists() and not (beside.is_file() and is_own(beside.read_text(encoding="utf-8", errors="replace"))):
        what = f"'{beside}' would be replaced, and it is not of a former export"
        raise InputError(what, key="--to", expected="another name, so that nothing is lost")


def patient_model(scenario: Scenario, model: Model) -> PatientModel:
    """The model and the doses of the treated patient."""
    notes = [f"Assumed: {assumption}." for assumption in scenario.assumptions]
    treated = subjects(scenario, model)[0]
    return course_model(model, treated, name=scenario.title, notes=notes, species=scenario.species)
