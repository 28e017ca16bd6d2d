"""Key numbers of a run: baseline, peak or lowest value and its time, values at fixed times, difference from control."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketamech.core.units import time_text
from ketamech.exchange.nca_profiles import dosed_outputs, profiles_of_curves
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.parameters.concentration_units import factors
from ketamech.report.number_format import number, rounded_number, signed
from ketamech.report.run_description import RunDescription, describe_dataset
from ketamech.report.tracks import Track, TrackCurve, tracks_of
from ketamech.simulation.curves import AnyCurves
from ketamech.simulation.nca_tables import analysed, nca_parameters
from ketamech.simulation.scenario import Scenario

SUMMARY_TIMES = {"2 h": 2.0, "24 h": 24.0, "7 d": 168.0}
VENOUS = "venous."
CONSCIOUSNESS, SEDATION, HALF_AWAKE = "sedation.consciousness", "sedation.depth", 0.5
EXPOSURE = {  # heading: CDISC codes, the first that is known counts
    "Cmax": ("CMAX",), "Tmax": ("TMAX",), "AUC": ("AUCIFO", "AUCTAU"), "half-life": ("LAMZHL",),
    "CL": ("CLO", "CLTAU"), "CL/F": ("CLFO", "CLFTAU"), "Vss": ("VSSO",), "accumulation": ("ARAUC",),
}  # fmt: skip
_MIN_RELATIVE_CHANGE, _PLATEAU_MARGIN, EXTREMUM = 0.005, 0.005, "extremum"
_CONCENTRATIONS = ("ng/mL", "nmol/L")
# Of the largest value of a curve, below which a value is 0: a concentration is measured over several powers of ten.
_ZERO_SHARE, _ZERO_CONCENTRATION = 0.002, 1e-5


@dataclass(frozen=True)
class SummaryRow:
    """One curve in numbers. Times (h) count from the first treatment; values in `unit`.

    `extremum` is the value farthest from baseline in the direction of the track, reached at `extremum_time`.
    `values_at` and `difference` (from control, also at the extremum) are by name of the time; times after the end are
    missing.
    """

    key: str
    group: str
    outputs: str
    label: str
    unit: str
    display_mode: str
    baseline: float
    extremum: float
    extremum_time: float
    values_at: Mapping[str, float]
    difference: Mapping[str, float]
    is_primary: bool

    @property
    def moved(self) -> bool:
        """Whether the curve changed by more than 0.5 % of the baseline (0.001 if the baseline is 0)."""
        size = max(_MIN_RELATIVE_CHANGE * abs(self.baseline), {"percent": 0.1}.get(self.display_mode, 1e-3))
        return math.isfinite(self.extremum) and abs(self.extremum - self.baseline) > size

    @property
    def rises(self) -> bool:
        """Whether the extremum is above the baseline."""
        return self.extremum > self.baseline

    def text(self, value: float, *, sign: bool = False) -> str:
        """A value for a table; values negligible for the size of the curve are 0."""
        return signed(self._displayed(value)) if sign else number(self._displayed(value))

    def _displayed(self, value: float) -> float:
        share = _ZERO_CONCENTRATION if self._short_unit in _CONCENTRATIONS else _ZERO_SHARE
        return 0.0 if abs(value) < share * max(abs(self.baseline), abs(self.extremum)) else value

    @property
    def _short_unit(self) -> str:
        return self.unit.split(",")[0]

    def in_words(self) -> str:
        """Text such as "peak 1.42× at 38 min"."""
        if not math.isfinite(self.baseline):
            return "not solved"
        if not self.moved:
            return "no change"
        kind = "peak" if self.rises else "lowest"
        return f"{kind} {self.value_in_words(self.extremum)} at {time_text(self.extremum_time)}"

    def value_in_words(self, value: float) -> str:
        """A value with its unit, short."""
        value = self._displayed(value)
        if self.display_mode.startswith("relative"):
            return f"{number(value)}×" + (" healthy" if self.display_mode == "relative_to_healthy" else "")
        if self.display_mode == "percent":
            return f"{number(value, 2)} %"
        has_unit = self._short_unit in (*_CONCENTRATIONS, "points")
        return f"{number(value)} {self._short_unit}" if has_unit else number(value)


def drug_values(parameters: ParameterTable) -> dict[str, float]:
    """Values of the parameters drug.*, such as molar masses, in the units of their tables: scales of tracks."""
    return {name: row.value for name, row in parameters.items() if name.startswith("drug.")}


def curve_values(series: TrackCurve, track: Track, dataset: AnyCurves, values: Mapping[str, float]) -> np.ndarray:
    """(patient, time) in the track's unit; those relative to baseline are divided by each patient's drug-free value."""
    factor = track.factor(series, values)
    y = series.values(dataset) * factor
    if not track.is_relative:
        return y
    return y / (factor * series.baseline(dataset)[:, None] if track.fixed_baseline is None else track.fixed_baseline)


def baselines(series: TrackCurve, track: Track, dataset: AnyCurves, values: Mapping[str, float]) -> np.ndarray:
    """Drug-free values [patient] in the unit of the track."""
    if track.fixed_baseline is not None:
        return np.full(dataset.sizes["patient"], track.fixed_baseline)
    baseline = track.factor(series, values) * series.baseline(dataset)
    return baseline / baseline if track.is_relative else baseline


def summary_rows_of(dataset: AnyCurves, run: RunDescription, parameters: ParameterTable) -> list[SummaryRow]:
    """Every curve of every track of the main patient, in display order."""
    values = drug_values(parameters)
    return [
        _summary_row(track, series, i == 0, dataset, values, run)
        for track in tracks_of(dataset)
        for i, series in enumerate(track.present(dataset))
    ]


def _summary_row(
    track: Track, series: TrackCurve, main: bool, dataset: AnyCurves, values: Mapping[str, float], run: RunDescription
) -> SummaryRow:  # fmt: skip
    y, baselines_of_patients = curve_values(series, track, dataset, values), baselines(series, track, dataset, values)
    hours = dataset.variables["time"].values - run.first_dose_time
    main_curve = y[run.index_of_main]
    start = float(baselines_of_patients[run.index_of_main]) if np.isfinite(main_curve[0]) else float(main_curve[0])
    index = _extremum(main_curve, start, track.direction)
    control = y[run.index_of_control] if run.index_of_control is not None else None
    difference = (
        {}
        if control is None
        else {**_values_at_times(hours, main_curve - control), EXTREMUM: float((main_curve - control)[index])}
    )
    label = f"{track.label}: {series.label}" if series.label else track.label
    return SummaryRow(
        track.key, track.group, series.outputs, label, track.unit, track.display_mode, start, float(main_curve[index]),
        float(hours[index]), _values_at_times(hours, main_curve), difference, main,
    )  # fmt: skip


def _extremum(y: np.ndarray, start: float, direction: str) -> int:
    """Index of the value farthest from baseline in `direction`, or in the other if the curve never goes there.

    Of several peaks of equal height (within 0.5 % of the change) the first is used.
    """
    if not np.isfinite(y).all():
        return 0
    rise, fall = float(np.max(y)) - start, start - float(np.min(y))
    is_rise = {"peak": rise > 0.02 * fall, "trough": fall <= 0.02 * rise}.get(direction, rise >= fall)
    is_plateau = y >= np.max(y) - _PLATEAU_MARGIN * rise if is_rise else y <= np.min(y) + _PLATEAU_MARGIN * fall
    first = int(np.argmax(is_plateau))
    plateau = slice(first, first + max(1, int(np.argmin(is_plateau[first:])) or len(y)))
    return first + int(np.argmax(y[plateau]) if is_rise else np.argmin(y[plateau]))


def _values_at_times(hours: np.ndarray, y: np.ndarray) -> dict[str, float]:
    values = {name: float(np.interp(h, hours, y)) for name, h in SUMMARY_TIMES.items() if h <= hours[-1] + 1e-9}
    return {**values, "end": float(y[-1])}


def hours_unconscious(dataset: AnyCurves, run: RunDescription) -> float:
    """Hours in which the main patient is more likely unconscious than awake; 0 without this output (animals)."""
    if CONSCIOUSNESS not in dataset:
        return 0.0
    awake = dataset.variables[CONSCIOUSNESS].transpose("patient", "time").values[run.index_of_main] - HALF_AWAKE
    below, above = np.maximum(-awake, 0.0), np.maximum(awake, 0.0)
    size = below[:-1] + below[1:] + above[:-1] + above[1:]
    share = np.divide(below[:-1] + below[1:], size, out=np.zeros_like(size), where=size > 0)
    return float(share @ np.diff(dataset.variables["time"].values))


def sedation_rows(dataset: AnyCurves) -> list[dict[str, str]]:
    """The table of an anaesthetic dose, one row: peak of sedation, when, time unconscious; empty for other doses."""
    run = describe_dataset(dataset)
    hours = hours_unconscious(dataset, run)
    if not hours > 0:
        return []
    depth = dataset.variables[SEDATION].transpose("patient", "time").values[run.index_of_main]
    peak = int(np.argmax(depth))
    return [{
        "peak of sedation": f"{number(100 * float(depth[peak]))} % of anaesthesia",
        "when": time_text(float(dataset.variables["time"].values[peak]) - run.first_dose_time),
        "unconscious for": time_text(hours),
    }]  # fmt: skip


def solver_status(dataset: AnyCurves) -> list[dict[str, Any]]:
    """Solver status of every patient."""
    columns = (dataset.variables[name].values for name in ("patient", "solve_status", "solve_steps"))
    return [
        {"label": str(label), "solve": str(status), "steps": int(steps)}
        for label, status, steps in zip(*columns, strict=True)
    ]


def summary(dataset: AnyCurves, run: RunDescription, lines: list[SummaryRow]) -> dict[str, Any]:
    """The content of summary.json: description, solver status and key numbers of every curve."""
    return {
        "title": run.title, "treatments": list(run.treatments), "disclaimer_applies": True,
        "horizon_h": float(dataset.variables["time"].values[-1]),
        "times_count_from": f"first treatment at {run.first_dose_time:g} h",
        "patients": solver_status(dataset), "unconscious_h": rounded_number(hours_unconscious(dataset, run)),
        "outputs": [_json_row(line) for line in lines],
    }  # fmt: skip


def exposure_summary(dataset: AnyCurves, scenario: Scenario, parameters: ParameterTable) -> list[dict[str, Any]]:
    """Non-compartmental analysis of the drug in venous blood after the first and the last dose; CDISC codes."""
    names = [name for name in dosed_outputs(scenario) if name in dataset]
    rows = analysed(profiles_of_curves(dataset, scenario, parameters, names).profiles)
    return [
        {
            "output": row.profile.analyte, "dose": row.profile.dose_number, "dose_at_h": row.profile.dose_time,
            "parameters": {
                code: {"value": rounded_number(value), "unit": row.profile.unit(code)}
                for code, value in row.result.values.items()
                if nca_parameters()[code].is_shown
            },
        }
        for row in (rows if len(rows) < 2 else (rows[0], rows[-1]))
    ]  # fmt: skip


def _json_row(line: SummaryRow) -> dict[str, Any]:
    return {
        "output": line.outputs, "label": line.label, "unit": line.unit, "baseline": rounded_number(line.baseline),
        "extremum": rounded_number(line.extremum), "extremum_at_h": rounded_number(line.extremum_time),
        "in_words": line.in_words(),
        "values_at": {name: rounded_number(value) for name, value in line.values_at.items()},
        "difference_from_control": {name: rounded_number(value) for name, value in line.difference.items()},
    }  # fmt: skip


def compared_times(lines: Sequence[SummaryRow]) -> list[str]:
    """The times at which tables show the difference from control."""
    return [name for name in ("24 h", "end") if lines and name in lines[0].difference]


def summary_rows(dataset: AnyCurves) -> list[dict[str, str]]:
    """The terminal table of a run, one row per track, from the curves alone.

    Output, unit, baseline, peak or lowest value and its time, values at fixed times after the first treatment, and the
    difference from control at 24 h and at the end.
    """
    lines = _main_rows(summary_rows_of(dataset, describe_dataset(dataset), load_parameters()))
    time_names = list(lines[0].values_at) if lines else []
    compared_names = compared_times(lines)
    rows = []
    for line in lines:
        row = {"output": line.label, "unit": line.unit, "baseline": number(line.baseline)}
        row |= {"peak or lowest": number(line.extremum) if line.moved else "–"}
        row |= {"when": time_text(line.extremum_time) if line.moved else "–"}
        row |= {name: line.text(line.values_at[name]) for name in time_names}
        differences = {name: line.difference.get(name) for name in compared_names}
        rows.append(row | {
            f"vs control, {name}": "–" if value is None else line.text(value, sign=True)
            for name, value in differences.items()
        })  # fmt: skip
    return rows


def _main_rows(lines: Iterable[SummaryRow]) -> list[SummaryRow]:
    """The line of each track that papers report: the level in venous blood where there is one, else the first curve."""
    by_track: dict[str, list[SummaryRow]] = {}
    for line in lines:
        by_track.setdefault(line.key, []).append(line)
    return [next((row for row in group if row.outputs.startswith(VENOUS)), group[0]) for group in by_track.values()]


def exposure_rows(dataset: AnyCurves, scenario: Scenario, parameters: ParameterTable) -> list[dict[str, str]]:
    """The terminal table of kinetics: non-compartmental parameters in venous blood after the first and the last dose.

    Clearance and volumes are apparent (by F) unless the dose enters a vein; `norketamine ratio` is the area of
    norketamine over that of the drug, in mass, from the first dose on.
    """
    rows = []
    for exposure in exposure_summary(dataset, scenario, parameters):
        row = {"venous level": str(exposure["output"]).removeprefix(VENOUS), "dose": str(exposure["dose"])}
        for heading_text, codes in EXPOSURE.items():
            entry = next((exposure["parameters"][code] for code in codes if code in exposure["parameters"]), None)
            value = None if entry is None else entry["value"]
            row[heading_text] = "–" if entry is None or value is None else f"{number(value)} {entry['unit']}".strip()
        row["norketamine ratio"] = (
            _norketamine_ratio(dataset, str(exposure["output"])) if exposure["dose"] == 1 else "–"
        )
        rows.append(row)
    empty = {name for name in EXPOSURE if all(row[name] == "–" for row in rows)}
    return [{name: text for name, text in row.items() if name not in empty} for row in rows]


def _norketamine_ratio(dataset: AnyCurves, output: str) -> str:
    """The area under the curve of norketamine over that of an output, in mass, in the treated patient."""
    metabolite = f"{VENOUS}norketamine"
    if metabolite not in dataset or output not in dataset:
        return "–"
    hours = dataset.variables["time"].values
    variables = dataset.variables  # a DataArray would import more libraries
    metabolite_area, parent_area = (
        float(np.trapezoid(variables[name].transpose("patient", "time").values[0], hours)) * factors().get(name, 1.0)
        for name in (metabolite, output)
    )
    return number(metabolite_area / parent_area) if parent_area > 0 else "–"
