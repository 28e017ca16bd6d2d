"""Comparison of the treatments of a crossover within patients, and what is left of a treatment in the next period.

A rating is the change from the baseline of its period. Differences within patients assume that nothing is left of an
earlier treatment; the first period alone does not need that, and `carry_over` shows what is left.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError
from ketamech.trials.analysis.repeated_measures import (
    COLUMNS,
    NOT_ESTIMATED,
    RepeatedMeasures,
    coefficient_test,
    fit_or_reason,
)
from ketamech.trials.analysis.treatment_effects import (
    COMPARISON_COLUMNS,
    ancova,
    arm_names,
    baselines,
    compared_arms,
    comparison_rows,
    covariance_table,
    least_squares,
    scores,
    visit_names,
)


def is_crossover(dataset: xr.Dataset) -> bool:
    """Whether patients pass through several periods."""
    return "period" in dataset.coords and int(dataset["period"].max()) > 1


def first_period(visit: str) -> str:
    """The name that a visit has in the first period."""
    return f"period 1: {visit}"


def compare_arms(dataset: xr.Dataset, scale: str, visit: str, reference: str) -> pd.DataFrame:
    """Differences from a reference arm in every replicate: within the patients of a crossover, else by `ancova`."""
    compare = within_patients if is_crossover(dataset) else ancova
    return compare(dataset, scale, visit, reference)


def period_baselines(dataset: xr.Dataset) -> list[int]:
    """Index of the baseline visit of each period; of parallel arms the baseline alone."""
    return list(dict.fromkeys(baselines(dataset).tolist()))


def sequence_names(dataset: xr.Dataset) -> np.ndarray:
    """The sequence of treatments of each patient [replicate, patient]: ketamine, then saline; else the arm."""
    arm = dataset["arm"].values
    periods = [arm[:, :, k] for k in period_baselines(dataset)]
    names = periods[0].astype(object)
    for period in periods[1:]:
        names = names + ", then " + period.astype(object)
    return names.astype(str)


def period_changes(dataset: xr.Dataset, scale: str, visit: str) -> tuple[np.ndarray, np.ndarray]:
    """Change from the baseline of the period at a visit, and arm, each [replicate, patient, period].

    Raises InputError for a visit that no period has.
    """
    names = visit_names(dataset)
    places = [k for k, name in enumerate(names) if name == visit]
    if not places:
        raise InputError(f"there is no visit '{visit}'", key="visit", expected=", ".join(dict.fromkeys(names)))
    values, base, arm = scores(dataset, scale)
    return (values - base)[:, :, places], arm[:, :, places]


def within_patients(dataset: xr.Dataset, scale: str, visit: str, reference: str) -> pd.DataFrame:
    """Difference in change from a reference arm within patients, in every replicate.

    Least squares of the change on patient, period and arm, in closed form for speed: with complete data the estimate of
    the mixed model, and for two arms the t test of half the difference between the sequences in the difference between
    the periods. A patient counts who was rated in two periods or more. Columns as those of `ancova`; n is the number of
    patients rated on both arms.
    """
    change, arm = period_changes(dataset, scale, visit)
    others = compared_arms(dataset, reference)
    rows = []
    for r in range(len(change)):
        known = np.isfinite(change[r])
        paired = known & (known.sum(axis=1) > 1)[:, None]
        patient, period = np.nonzero(paired)
        rated_arm = arm[r][paired]
        columns = [(period == k).astype(float) for k in range(1, change.shape[2])]
        columns += [(rated_arm == name).astype(float) for name in others]
        table = _minus_means(np.column_stack([change[r][paired], *columns]), patient)
        fits = least_squares(
            table[:, 1:], table[:, 0], rated_arm, reference, others, of="arm and period", absorbed=len(set(patient))
        )
        on = {name: ((arm[r] == name) & known).any(axis=1) for name in (*others, reference)}
        counts = [int((on[name] & on[reference]).sum()) for name in others]
        rows += comparison_rows(dataset, r, others, fits, counts)
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def _minus_means(table: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Rows [rating, column] minus the mean of the rows of the same patient."""
    _, place, counts = np.unique(patient, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), table.shape[1]))
    np.add.at(sums, place, table)
    return np.asarray(table - (sums / np.maximum(counts, 1)[:, None])[place])


def carry_over(dataset: xr.Dataset, scale: str, reference: str) -> pd.DataFrame:
    """What is left of the first treatment at the baseline of the second period, in every replicate.

    Difference in the change from the first baseline to the second between the arms of the first period, adjusted for
    the first baseline. Columns as those of `ancova`.
    """
    values, _, arm = scores(dataset, scale)
    first, second = period_baselines(dataset)[:2]
    start = values[:, :, first]
    return covariance_table(dataset, values[:, :, second] - start, start, arm[:, :, first], reference)


def mixed_model(dataset: xr.Dataset, scale: str, reference: str, replicate: int = 0) -> pd.DataFrame:
    """Difference from a reference arm at every visit, from all periods of one replicate together.

    Change on period, sequence and arm with a random patient (`RepeatedMeasures.exchangeable`), by REML, and
    Satterthwaite degrees of freedom. A patient rated in one period only counts, too. Columns as those of `mmrm`; n is
    the number of patients rated on one of the two arms or both.
    """
    names = dict.fromkeys(visit_names(dataset))
    sequences = sequence_names(dataset)[replicate]
    rows = []
    for visit in (name for name in names if name != "baseline"):
        change, arm = (part[replicate] for part in period_changes(dataset, scale, visit))
        known = np.isfinite(change)
        if not known.any():
            continue
        others = compared_arms(dataset, reference)
        patient, period = np.nonzero(known)
        design = _design(period, sequences[patient], arm[known], others)
        data = RepeatedMeasures(change[known], design, patient, period, exchangeable=True)
        reason = _too_few(data, len(set(sequences[patient])))
        fit, reason = (None, reason) if reason else fit_or_reason(data)
        for i, name in enumerate(others):
            column = design.shape[1] - len(others) + i
            numbers, why = coefficient_test(fit, column) if fit else (NOT_ESTIMATED, reason)
            n = int((known & np.isin(arm, (name, reference))).any(axis=1).sum())
            rows.append({"arm": name, "visit": visit, **numbers, "n": n, "reason": why})
    return pd.DataFrame(rows, columns=COLUMNS)


def _design(period: np.ndarray, sequence: np.ndarray, arm: np.ndarray, others: list[str]) -> np.ndarray:
    """Columns of the mixed model [rating, coefficient]: 1, periods, sequences and, last, arms."""
    columns = [np.ones(len(arm))]
    columns += [(period == k).astype(float) for k in np.unique(period)[1:]]
    columns += [(sequence == name).astype(float) for name in arm_names(sequence)[1:]]
    columns += [(arm == name).astype(float) for name in others]
    return np.column_stack(columns)


def _too_few(data: RepeatedMeasures, sequences: int) -> str:
    """Why the variances within and between patients cannot be estimated; empty where they can."""
    patients, coefficients = len(set(data.subject.tolist())), data.design.shape[1]
    if np.linalg.matrix_rank(data.design) < coefficients:
        return f"{patients} patients do not determine {coefficients} coefficients"
    within = len(data.score) - patients - (coefficients - sequences)
    if within < 1 or patients <= sequences:
        return f"{patients} patients in {sequences} sequences leave no error to estimate"
    return ""
