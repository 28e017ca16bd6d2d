"""Sentences about an attribution, how far it depends on assumed values, and the labels and colours of its pathways."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ketamech.analysis.attribution import Attribution, pathway_parameters, shapley
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.parameters import ParameterTable

DIRECTORY = DATA / "pathways"
UNLISTED_COLOUR = "#8C564B"  # of a pathway that a user's own stage adds without a row in the table


@dataclass(frozen=True)
class Pathway:
    """A component of an attribution. `evidence` and `claims`: ids of rows in data/evidence and data/claims."""

    id: str
    label: str
    colour: str
    one_line: str = ""
    evidence: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()


def load_pathways() -> dict[str, Pathway]:
    """Pathways by id, in display order. Raises InputError naming file, line and column of a bad cell."""
    return _pathways(DIRECTORY)


def load_components() -> dict[str, Pathway]:
    """Pathways, then the components that are no pathway (expectancy, unattributed drug effect), by id."""
    return {**_pathways(DIRECTORY), **_other_components(DIRECTORY)}


def component(name: str) -> Pathway:
    """One component; a name without a row in the tables is its own label."""
    label = name.replace("_", " ")
    return load_components().get(name) or Pathway(name, label[:1].upper() + label[1:], UNLISTED_COLOUR)


def label_in_sentence(name: str) -> str:
    """The label inside a sentence: "Opioid system" becomes "opioid system", "TrkB" is unchanged."""
    label = component(name).label
    return label[0].lower() + label[1:] if label[1:2].islower() else label


@cache
def _pathways(folder: Path) -> dict[str, Pathway]:
    columns = ("id", "label", "colour", "one_line", "evidence", "claims")
    rows = read_table(folder / "pathways.csv", columns)
    return {row["id"]: _pathway(row, row.listed("evidence"), row.listed("claims")) for row in rows}


@cache
def _other_components(folder: Path) -> dict[str, Pathway]:
    rows = read_table(folder / "other_components.csv", ("id", "label", "colour", "one_line"))
    return {row["id"]: _pathway(row) for row in rows}


def _pathway(row: CsvRow, evidence: tuple[str, ...] = (), claims: tuple[str, ...] = ()) -> Pathway:
    colour = row["colour"]
    if len(colour) != 7 or colour[0] != "#" or set(colour[1:]) - set("0123456789ABCDEFabcdef"):
        raise row.error("colour", f"'{colour}' is not a colour", expected="#RRGGBB")
    label = row.required("label", "what a reader sees")
    return Pathway(row.required("id", "a short name"), label, colour, row["one_line"], evidence, claims)


SMALL_SHARE = 0.05  # of the drug effect: smaller contributions get no sentence of their own
DEPENDENCE_THRESHOLD = 0.3  # absolute rank correlation
MIN_DRAWS_FOR_CORRELATION = 8


def dependence(attribution: Attribution, parameters: ParameterTable) -> pd.DataFrame:
    """Correlation of each pathway's contribution with its parameters; empty without draws.

    Columns: endpoint, pathway, parameter, status, why, and correlation: the rank correlation, over the draws, of the
    size of the pathway's Shapley value with the parameter.
    """
    lines = []
    endpoints = list(dict.fromkeys(attribution.table["endpoint"]))
    for j, endpoint in enumerate(endpoints):
        own = shapley(attribution.coalition_values[1:, :-2, j])
        for i, player in enumerate(attribution.active_pathways):
            for name, why in pathway_parameters().get(player, {}).items():
                if name not in attribution.parameter_draws or len(own) < MIN_DRAWS_FOR_CORRELATION:
                    continue
                size = own[:, i] * np.sign(np.median(own[:, i]) or 1.0)
                correlation = _rank_correlation(attribution.parameter_draws[name][1:], size)
                pathway = player.removeprefix("pathway.")
                lines.append((endpoint, pathway, name, parameters[name].status, why, correlation))
    return pd.DataFrame(lines, columns=["endpoint", "pathway", "parameter", "status", "why", "correlation"])


def describe_attribution(
    attribution: Attribution, parameters: ParameterTable, endpoint: str | None = None
) -> list[str]:
    """Sentences on one endpoint (default: MADRS at 24 h, else the first): sizes, and dependence on assumptions."""
    chosen = endpoint or _total_effect_text(attribution)
    rows = attribution.table[attribution.table["endpoint"] == chosen].sort_values("shapley", key=abs, ascending=False)
    total = next(row for row in attribution.totals.to_dict("records") if row["endpoint"] == chosen)
    unit = "" if total["unit"] == "1" else f" {total['unit']}"
    sentences = [
        f"{chosen}: {total['baseline']:.3g} at baseline, {total['full']:.3g}{unit} with all pathways on. Expectancy"
        f" alone changes it by {_signed_text(total['expectancy'])}, the drug with all pathways off by"
        f" {_signed_text(total['no_pathway'])},"
        f" and the pathways by {_signed_text(total['pathways'])}."
    ]
    if total["pathways"] == 0 or abs(total["pathways"]) < SMALL_SHARE * abs(total["drug"]):
        return [*sentences, "No pathway affects this endpoint."]
    correlations = dependence(attribution, parameters)
    correlations = correlations[correlations["endpoint"] == chosen]
    large = rows[rows["shapley"].abs() >= SMALL_SHARE * abs(total["pathways"])]
    sentences += [
        f"{_size_text(row)} {_parameters_text(str(row['pathway']), correlations, parameters, attribution)}"
        for row in large.to_dict("records")
    ]
    small = [label_in_sentence(str(p)) for p in rows["pathway"] if p not in set(large["pathway"])]
    if small:
        sentences.append(f"Below {100 * SMALL_SHARE:.0f} % of it: {', '.join(small)}.")
    return [*sentences, _joined_text(rows, float(total["pathways"]))]


def _total_effect_text(attribution: Attribution) -> str:
    names = list(attribution.totals["endpoint"])
    return next((name for name in names if name.startswith("MADRS at 24 h")), names[0])


def _size_text(row: dict[str, object]) -> str:
    name = component(str(row["pathway"])).label
    share = "" if row["share"] != row["share"] else f", {100 * float(row['share']):.0f} % of the drug effect"  # type: ignore[arg-type]
    interval = ""
    if row["shapley_low"] == row["shapley_low"]:
        low, high = sorted((float(row["shapley_low"]), float(row["shapley_high"])), key=abs)  # type: ignore[arg-type]
        at_table_values = f"{_signed_text(row['shapley_tables'])} at the table values"
        interval = f" ({_signed_text(low)} to {_signed_text(high)} in 95 % of draws; {at_table_values})"
    parts = f"Loss when off: {_signed_text(row['loss_when_off'])}; effect alone: {_signed_text(row['single_effect'])}."
    return f"{name}: {_signed_text(row['shapley'])}{interval}{share}. {parts}"


def _parameters_text(
    pathway: str, correlations: pd.DataFrame, parameters: ParameterTable, attribution: Attribution
) -> str:
    """How many parameters of a pathway are assumed, and with which ones its contribution correlates."""
    own = [name for name in pathway_parameters().get(f"pathway.{pathway}", {}) if name in parameters]
    if not own:
        return "Its parameters are not listed."
    held = Counter(_status(parameters, name, attribution) for name in own)
    words = f"Of its {len(own)} parameters, {_count_text(held)}."
    strongest = correlations[
        (correlations["pathway"] == pathway) & (correlations["correlation"].abs() >= DEPENDENCE_THRESHOLD)
    ]
    if strongest.empty:
        return words + ("" if correlations.empty else " Its size correlates with none of them.")
    best = strongest.sort_values("correlation", key=abs, ascending=False).head(2).to_dict("records")
    named = " and ".join(
        f"{row['parameter']} ({_status(parameters, row['parameter'], attribution)},"
        f" rank correlation {row['correlation']:+.2f})"
        for row in best
    )
    verdict = " This contribution therefore depends on an assumed value." if best[0]["status"] == "assumed" else ""
    return f"{words} Its size correlates with {named}.{verdict}"


def _status(parameters: ParameterTable, name: str, attribution: Attribution) -> str:
    """The status in the table, or "set" for a value set by the scenario."""
    return "set" if name in attribution.scenario.values else parameters[name].status


def _count_text(held: Counter[str]) -> str:
    words = [f"{n} {'is' if n == 1 else 'are'} {status}" for status, n in held.most_common()]
    return ", ".join(words)


def _joined_text(rows: pd.DataFrame, pathways: float) -> str:
    off, each = float(rows["loss_when_off"].sum()), float(rows["single_effect"].sum())
    if max(abs(off - pathways), abs(each - pathways)) <= SMALL_SHARE * abs(pathways):
        return "The pathways are additive: the losses when off and the effects alone both sum to the whole effect."
    return (
        f"The pathways are not additive: the losses when off sum to {_signed_text(off)} and the effects alone to"
        f" {_signed_text(each)}; the effect of all together is {_signed_text(pathways)}. Shapley values divide joint"
        " effects evenly and sum to the whole."
    )


def _signed_text(value: object) -> str:
    text = f"{float(value):+.2g}"  # type: ignore[arg-type]
    return "0" if abs(float(value)) < 5e-4 else text.replace("-", "−")  # type: ignore[arg-type]


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import rankdata

    if np.ptp(x) == 0 or np.ptp(y) < 1e-9:
        return 0.0
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
