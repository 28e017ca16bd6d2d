"""Tables of virtual patients that are weighted to published arms: of the arms, and of the patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from ketamech.estimation.clinical_targets import DIRECTORY
from ketamech.estimation.published_arms import MOMENTS, PublishedArm, WeightedArm, weigh_arms
from ketamech.exchange.result_metadata import csv_with_metadata, write_table
from ketamech.report.number_format import number

ARMS, PATIENTS = "weighted_arms.csv", "patient_weights.csv"


def write_weighted_arms(folder: Path, dataset: xr.Dataset, arms: list[PublishedArm]) -> pd.DataFrame:
    """Write the weights of a simulated trial; returns the table of its arms."""
    found = list(weigh_arms(dataset, arms))
    table = arms_table(found)
    facts = {str(name): value for name, value in dataset.attrs.items()}
    write_table(table, folder / ARMS, facts, digits="%.6g")
    write_table(patients_table(dataset, found), folder / PATIENTS, facts, digits="%.8g")
    return table


def arms_table(found: Sequence[WeightedArm]) -> pd.DataFrame:
    """One row for each arm, visit and replicate: patients, effective patients, each moment as published and simulated
    without weights, and why there are no weights where there are none."""
    rows = []
    for one in found:
        arm, count = one.arm, len(one.patients)
        row: dict[str, object] = {"trial": arm.trial, "replicate": one.replicate, "arm": arm.arm, "scale": arm.scale}
        row |= {"visit": arm.visit, "patients": count, "effective": one.effective_size}
        row |= {"effective_percent": 100 * one.effective_size / count if count else float("nan")}
        for name in (name for name in MOMENTS if name in arm.moments):
            row |= {name: arm.moments[name], f"simulated {name}": one.simulated[name]}
        rows.append(row | {"reason": one.reason, "evidence": ";".join(arm.evidence)})
    table = pd.DataFrame(rows)
    last = ["reason", "evidence"]
    return table[[*(name for name in table if name not in last), *last]]


def patients_table(dataset: xr.Dataset, found: Sequence[WeightedArm]) -> pd.DataFrame:
    """One row for each patient and published arm, with CDISC names: REPLIC, USUBJID, TRTP, PARAMCD, AVISIT, WEIGHT."""
    numbers = dataset["patient"].values
    parts = [
        pd.DataFrame(
            {
                "REPLIC": one.replicate, "USUBJID": [f"{one.replicate}-{numbers[i]}" for i in one.patients],
                "TRTP": one.arm.arm, "PARAMCD": one.arm.scale, "AVISIT": one.arm.visit, "WEIGHT": one.weights,
            }
        )
        for one in found
        if one.weights.size
    ]  # fmt: skip
    names = ["REPLIC", "USUBJID", "TRTP", "PARAMCD", "AVISIT", "WEIGHT"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def shown_weighted_arms(table: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of the first replicate for the terminal."""
    first = table[table["replicate"] == table["replicate"].iloc[0]]
    names = ["arm", "visit", "patients", "effective", "effective_percent", "reason"]
    return [{str(name): value for name, value in row.items()} for row in first[names].to_dict("records")]


def publish_weighted_arms(tables: Sequence[pd.DataFrame], facts: Mapping[str, object]) -> Path:
    """Write the first replicate of all trials to data/calibration; `facts` name command line and posterior."""
    table = pd.concat(tables, ignore_index=True)
    first = table[table["replicate"] == 0].drop(columns="replicate")
    last = ["reason", "evidence"]
    ordered = first[[*(name for name in first if name not in last), *last]]
    (DIRECTORY / ARMS).write_text(csv_with_metadata(ordered, facts, digits="%.4g"), encoding="utf-8")
    return DIRECTORY / ARMS


def arm_lines(table: pd.DataFrame) -> list[tuple[object, ...]]:
    """The rows of a table of arms as text: trial, arm, visit, moments, patients, effective patients."""
    lines: list[tuple[object, ...]] = []
    for row in table.to_dict("records"):
        names = [str(name) for name in row if f"simulated {name}" in row and row[name] == row[name]]
        parts = [f"{name} {number(row[name])} ({number(row[f'simulated {name}'])})" for name in names]
        effective = f"{row['effective']:.0f} ({row['effective_percent']:.0f} %)" if row["effective"] else "**refused**"
        lines.append((row["trial"], row["arm"], row["visit"], "; ".join(parts), row["patients"], effective))
    return lines
