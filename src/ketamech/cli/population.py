"""`ketamech population`: virtual patients and the distributions of their covariates."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.options import ResultFolder
from ketamech.core import InputError, closest_match
from ketamech.core.constants import DISCLAIMER
from ketamech.core.deprecated_names import current_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ketamech.analysis.sensitivity import Endpoint
    from ketamech.simulation.model import Model

Population = Annotated[
    str, typer.Option(help="Name of the population: trd, mdd, bipolar, suicidal, elderly, healthy, crps or surgical")
]
Patients = Annotated[int, typer.Option(min=2, help="Number of virtual patients")]
Seed = Annotated[int, typer.Option(min=0, help="Seed; patient i is the same for any number of patients")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help='A distribution to replace, e.g. "age=normal 70 4 in 65 85"; may be repeated'),
]
WeightTo = Annotated[
    list[str] | None,
    typer.Option(help='Weight patients to a target share, e.g. "male=0.5" or "age<40=0.3"; may be repeated'),
]
Plausible = Annotated[
    list[str] | None,
    typer.Option(help='Only patients with a simulated output within bounds, e.g. "mood.madrs at 24 h = 5..45"'),
]
Scenario = Annotated[str, typer.Option(help="Regimen or scenario file that --plausible simulates")]
SHOWN = (
    "person.age", "person.weight", "male", "person.baseline_madrs", "person.responsiveness", "person.expectancy",
    "person.stress", "resistance", "cyp2b6_alleles", "pharmacokinetics.intrinsic_clearance_s",
    "pharmacokinetics.nasal_f_first", "dissociation.cadss_ec50",
)  # fmt: skip


def population(
    population: Population = "trd", patients: Patients = 1000, seed: Seed = 1, changed: Set = None,
    weight_to: WeightTo = None, plausible: Plausible = None, scenario: Scenario = "racemic 0.5 mg/kg IV over 40 min",
    out: ResultFolder = Path("runs/population"),
) -> None:  # fmt: skip
    """Draw and summarise a population of virtual patients.

    Example:  ketamech population --population trd --patients 2000

    Patients can be weighted to target shares, or selected by a simulated output within bounds. A distribution stated
    with --set is used as it is: covariates do not change it, and 'fixed 70' means 70 in every patient.

    More examples:

      ketamech population --population elderly --set "weight=lognormal 70 0.15 in 45 110"

      ketamech population --weight-to "male=0.5" --weight-to "age<40=0.35"

      ketamech population --patients 500 --plausible "mood.madrs at 24 h = 5..45"
    """
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_csv_and_parquet
    from ketamech.parameters import load_parameters
    from ketamech.population.virtual_population import load_population
    from ketamech.population.weights import effective_size
    from ketamech.report.analysis_figures import draw_people

    terminal.check_folder(out)
    parameters = load_parameters()
    chosen_population = load_population(population).with_marginals(_changes(changed or []), parameters)
    patients_drawn = chosen_population.draw(parameters, seed, range(patients))
    table, metadata = patients_drawn.table(), {"population": population, "drawn": patients, "seed": seed}
    if plausible:
        mask = _select(patients_drawn, plausible, scenario)
        if mask.sum() < 2:
            message = f"{int(mask.sum())} of {patients} patients lie within the bounds"
            raise InputError(message, key="--plausible", expected="two patients or more: wider bounds, more patients")
        table, metadata["plausible"] = table[mask].reset_index(drop=True), int(mask.sum())
    if weight_to:
        weights = _weights(table, weight_to)
        table["weight_in_target"] = weights
        metadata["effective_size"] = round(effective_size(weights), 1)
    shown_columns = [name for name in SHOWN if name in table and table[name].nunique() > 1]
    title = f"{len(table)} virtual patients: {population}"
    provenance = metadata | {"command_line": terminal.command_line(), "disclaimer": DISCLAIMER}
    with atomic_folder(out) as draft:
        write_csv_and_parquet(table, draft, "people", provenance)
        paths = [out / path.name for path in draw_people(draft, table, title, shown_columns)]
        (draft / "summary.json").write_text(json.dumps(provenance, indent=1), encoding="utf-8")
    terminal.table(_summary(table), title=title)
    for name, value in metadata.items():
        terminal.progress().print(f"{name}: {value}")
    terminal.print_open_hint(paths[0])


def _changes(texts: list[str]) -> dict[str, str]:
    changes = {}
    for text in texts:
        name, sign, words = text.partition("=")
        if not sign or not words.strip():
            message = f"'{text}' is not a distribution"
            raise InputError(message, key="--set", type_this='--set "age=normal 70 4 in 65 85"')
        variable = current_name(name.strip())
        if variable in changes:
            raise InputError(f"'{variable}' has two distributions", key="--set", expected="one of them")
        changes[variable] = words.strip()
    return changes


def _weights(table: pd.DataFrame, texts: list[str]) -> np.ndarray:
    from ketamech.population.weights import prevalence_weights

    groups: dict[str, Any] = {}
    shares: dict[str, dict[object, float]] = {}
    names = {name.removeprefix("person."): name for name in table.columns}
    for text in texts:
        match = re.match(r"^\s*([\w.]+)\s*(?:(<)\s*([\d.]+))?\s*=\s*([\d.]+)\s*$", text)
        if not match:
            message = f"'{text}' is not a target share"
            expected = "a share; the arms of a trial are weighted by ketamech trial NAME --weight-to-published"
            raise InputError(message, key="--weight-to", expected=expected, type_this='--weight-to "age<40=0.35"')
        name = names.get(match[1].removeprefix("person."))
        if name is None:
            message = f"patients have no variable '{match[1]}'"
            raise InputError(message, key="--weight-to", nearest=closest_match(match[1], names))
        if float(match[4]) > 1:
            message = f"a share of {match[4]}"
            raise InputError(
                message, key="--weight-to", expected="a share from 0 to 1", type_this='--weight-to "male=0.5"'
            )
        groups[text] = table[name] < float(match[3]) if match[2] else table[name] == 1
        shares[text] = {True: float(match[4]), False: 1 - float(match[4])}
    return prevalence_weights({k: v.to_numpy() for k, v in groups.items()}, shares)


def _select(patients: Any, plausible: list[str], scenario: str) -> np.ndarray:
    """Whether the simulated outputs of each patient lie within the bounds [patient]."""
    from ketamech.population.cohort import simulate_patients
    from ketamech.population.virtual_population import select_plausible

    model = terminal.model()
    endpoints = [_bounded_endpoint(text, model) for text in plausible]
    curves = simulate_patients(model, patients, scenario, [(e.output, e.hour) for e, _ in endpoints])
    curves_by_index = {str(i): values for i, values in enumerate(curves)}
    return select_plausible(curves_by_index, {str(i): bounds for i, (_, bounds) in enumerate(endpoints)})


def _bounded_endpoint(text: str, model: Model) -> tuple[Endpoint, tuple[float, float]]:
    """An output at a time and its bounds, e.g. "mood.madrs at 24 h = 5..45"."""
    from ketamech.analysis.sensitivity import parse_endpoints

    words, _, bounds = text.partition("=")
    low, _, high = bounds.partition("..")
    problem = InputError(
        f"'{text}' is not an endpoint with bounds", key="--plausible",
        type_this='--plausible "mood.madrs at 24 h = 5..45"',
    )  # fmt: skip
    try:
        limits = float(low), float(high)
    except ValueError:
        raise problem from None
    if not limits[0] < limits[1]:
        raise problem
    endpoints = parse_endpoints(words, model)
    if len(endpoints) != 1 or endpoints[0].statistic != "at":
        raise problem
    return endpoints[0], limits


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, SD and quantiles of each variable that varies."""
    varying_columns = table.drop(columns="person").loc[:, lambda statistics: statistics.nunique() > 1]
    names = {"mean": "mean", "std": "SD", "5%": "5 %", "50%": "median", "95%": "95 %"}
    statistics = varying_columns.describe(percentiles=[0.05, 0.5, 0.95]).T[list(names)].rename(columns=names)
    return statistics.rename_axis("variable").reset_index()
