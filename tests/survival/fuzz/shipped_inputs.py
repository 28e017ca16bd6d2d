"""The tables that ship, which whoever adds a row edits: each read from a folder in which one file is anything."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[3] / "src" / "ketamech" / "data"
PLACE = Path(tempfile.mkdtemp(prefix="ketamech-fuzz-tables-"))
LINES = 6  # of a table, to begin from


def _evidence(folder: Path) -> None:
    from ketamech.evidence import load_evidence

    load_evidence(folder)


def _parameters(folder: Path) -> None:
    from ketamech.parameters import load_parameters

    load_parameters(folder)


def _people(folder: Path) -> None:
    from ketamech.population.population_tables import load_tables

    load_tables.cache_clear()
    load_tables(folder)


def _scales(folder: Path) -> None:
    from ketamech.trials.rating_scales import load_scales

    load_scales.cache_clear()
    load_scales(folder / "scales.csv")


def _perturbations(folder: Path) -> None:
    from ketamech.analysis.perturbation_scorecard import load_perturbation_targets
    from ketamech.dosing import perturbations

    perturbations.load_perturbations.cache_clear()
    perturbations.load_perturbations(folder / "perturbations.csv")
    load_perturbation_targets.cache_clear()
    load_perturbation_targets(folder / "rows.csv")


def _dosing(folder: Path) -> None:
    from ketamech.dosing.lexicon import load_words

    load_words(folder / "words.csv")


def _scorecard(folder: Path) -> None:
    from ketamech.analysis import reference_protocols, scorecard, scorecard_targets
    from ketamech.evidence import load_evidence

    evidence, known = load_evidence(), reference_protocols.load_protocols(folder / "protocols.csv")
    found = scorecard_targets.load_targets(evidence, known, folder / "targets.csv")
    scorecard_targets.load_uncovered(evidence, found, folder / "uncovered.csv")
    scorecard.load_acceptance_criteria(evidence, known, folder / "acceptance_criteria.csv")


def _claims(folder: Path) -> None:
    from ketamech.analysis import claims
    from ketamech.evidence import load_evidence

    claims.load_claims(load_evidence(), folder)
    claims.load_rule_variants(claims.load_rule(folder)[0], folder)


def _variants(folder: Path) -> None:
    from ketamech.analysis.variant_fit import load_draws, load_variant_scores
    from ketamech.simulation.model_variants import load_model_variants

    load_model_variants(_values(), folder)
    load_variant_scores(folder)
    load_draws(_values(), folder)


@cache
def _values() -> Any:
    from ketamech.parameters import load_parameters

    return load_parameters()


FOLDERS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "evidence": (_evidence, ("clinical", "references")),
    "parameters": (_parameters, ("mood",)),
    "people": (_people, ("between", "correlations", "effects", "populations", "settings")),
    "scales": (_scales, ("scales",)),
    "dosing": (_dosing, ("words",)),
    "perturbations": (_perturbations, ("perturbations", "rows")),
    "scorecard": (_scorecard, ("protocols", "targets", "uncovered", "acceptance_criteria")),
    "claims": (_claims, ("arms", "claims", "evidence", "experiments", "points", "rule", "variants")),
    "variants": (_variants, ("variants", "settings", "fitted", "compared", "draws")),
}
TABLES = [f"{folder}_{name}" for folder, (_, names) in FOLDERS.items() for name in names]


def read_with(table: str, data: bytes) -> None:
    """Read a folder of tables of which one is these bytes."""
    kind, _, name = table.partition("_")
    folder = _copy(kind, f"{name}.csv")
    (folder / f"{name}.csv").write_bytes(data)
    FOLDERS[kind][0](folder)


def beginning(table: str) -> bytes:
    """The first lines of a table as it ships."""
    kind, _, name = table.partition("_")
    path = DATA / kind / f"{name}.csv"
    return b"".join(path.read_bytes().splitlines(keepends=True)[:LINES]) if path.exists() else b""


@cache
def _copy(kind: str, name: str) -> Path:
    return Path(shutil.copytree(DATA / kind, PLACE / f"{kind}-{name}"))
