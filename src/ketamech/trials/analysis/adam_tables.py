"""CDISC ADaM tables of a trial: one row for each subject, rating or concentration, with units.

AVALU is the unit of AVAL, BASE and CHG, ng/mL for levels. Other columns whose names end in U are units, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ketamech.trials.analysis.treatment_effects import baselines

if TYPE_CHECKING:
    import pandas as pd

LEVELS = ("ketamine", "esketamine", "norketamine")
SUBJECT = {"age": "AGE", "weight": "WEIGHTBL", "male": "MALEFL", "asian": "ASIANFL", "resistance": "RESISTBL"}
UNITS = ("AGE", "WEIGHTBL", "DCTTM")  # columns whose unit is in a further column: AGEU ...


def adsl(dataset: xr.Dataset) -> pd.DataFrame:
    """One row for each subject: STUDYID, REPLIC, USUBJID, TRT01P, AGE, AGEU, ..., DCTTM, DCTTMU, DCREASCD, SOLVST."""
    import pandas as pd

    r, i, subjects = _subjects(dataset)
    behind = {"left": "DCTTM", **SUBJECT}
    found = {
        "STUDYID": str(dataset.attrs.get("title", "")), "REPLIC": dataset["replicate"].values[r], "USUBJID": subjects,
        "TRT01P": dataset["arm"].values[r, i, 0],
    }  # fmt: skip
    found |= {column: dataset[name].values[r, i] for name, column in SUBJECT.items() if name in dataset}
    found |= {"DCTTM": dataset["left"].values[r, i], "DCREASCD": dataset["why_left"].values[r, i]}
    found |= {"DECISION": dataset["decision"].values[r, i], "SOLVST": dataset["solve_status"].values[r, i]}
    table = pd.DataFrame(found)
    for name, column in behind.items():
        if column in UNITS and column in table:
            table.insert(list(table.columns).index(column) + 1, f"{column}U", _unit(dataset, name))
    return table


def adqs(dataset: xr.Dataset) -> pd.DataFrame:
    """One row for each rating: USUBJID, TRTP, PARAM, PARAMCD, AVISIT, AVISITN, ATM, AVAL, AVALU, BASE, CHG, PCHG ...

    PARAM names the scale and its unit; PCHG is in percent of BASE.
    """
    return _long(dataset, [name for name in _scales(dataset) if name not in LEVELS])


def adpc(dataset: xr.Dataset) -> pd.DataFrame:
    """One row for each concentration, with the same columns."""
    return _long(dataset, [name for name in _scales(dataset) if name in LEVELS])


def _long(dataset: xr.Dataset, names: list[str]) -> pd.DataFrame:
    import pandas as pd

    r, i, subjects = _subjects(dataset)
    bases, visits = baselines(dataset), dataset["visit"].values.astype(str)
    parts = []
    for name in names:
        values, unit = dataset[name].values, _unit(dataset, name)
        for k, visit in enumerate(visits):
            score, base = values[r, i, k], values[r, i, bases[k]]
            rated = np.isfinite(score)
            if not rated.any():
                continue
            cells = {
                "REPLIC": dataset["replicate"].values[r], "USUBJID": subjects, "TRTP": dataset["arm"].values[r, i, k],
                "PARAM": f"{name} ({unit})" if unit else name, "PARAMCD": name, "AVISIT": visit, "AVISITN": k,
                "ATM": dataset["visit_time"].values[r, i, k], "ATMU": _unit(dataset, "visit_time"),
                "AVAL": score, "AVALU": unit, "BASE": base, "CHG": score - base,
                "PCHG": 100 * (score - base) / np.where(base == 0, np.nan, base),
                "ABLFL": "Y" if k == bases[k] else "",
            }  # fmt: skip
            parts.append(pd.DataFrame(cells)[rated])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _unit(dataset: xr.Dataset, name: str) -> str:
    return str(dataset[name].attrs.get("units", ""))


def _scales(dataset: xr.Dataset) -> list[str]:
    return [str(name) for name in dataset if f"true_{name}" in dataset]


def _subjects(dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Index of the replicate and of the patient of every subject, and the names of the subjects."""
    r, i = np.indices((dataset.sizes["replicate"], dataset.sizes["patient"])).reshape(2, -1)
    numbers = zip(dataset["replicate"].values[r], dataset["patient"].values[i], strict=True)
    return r, i, [f"{replicate}-{patient}" for replicate, patient in numbers]
