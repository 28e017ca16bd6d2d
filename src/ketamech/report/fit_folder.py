"""Write a fit to a folder: tables, figures, posterior draws, summary and page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketamech.core.constants import DISCLAIMER
from ketamech.exchange.arviz_io import fit_tree
from ketamech.exchange.result_io import save_results
from ketamech.exchange.result_metadata import write_table
from ketamech.fitting.diagnostics import FitSummary, VpcPanel
from ketamech.fitting.fit import MIN_VARIANCE_REDUCTION, Fit, FitSettings
from ketamech.fitting.individual_dose import DoseFinder, FoundDose, dose_table
from ketamech.report.fit_figures import draw_fit, individual_doses, predictive_check
from ketamech.report.number_format import number, with_interval
from ketamech.report.page_templates import render
from ketamech.report.style import draw

if TYPE_CHECKING:
    import xarray as xr

SETTINGS, DRAWS, INDIVIDUALS = "settings.json", "draws.npz", "individuals.npz"
MAX_PERSONS_SHOWN = 60
Row = dict[str, object]


def write_fit(folder: Path, fit: Fit, summary: FitSummary, settings: FitSettings, metadata: Mapping[str, str]) -> None:
    """Write everything about a fit: tables, draws, figures, settings and the page."""
    tables = summary.tables
    if fit.draws is not None:
        arrays = {name: value for name, value in vars(fit.draws).items() if name != "accepted"}
        np.savez(folder / DRAWS, **arrays)
    if summary.logs is not None:
        save_results(_tree(fit, summary.logs, metadata), folder / "posterior.zarr")
    for name, table in tables.items():
        write_table(table, folder / f"{name}.csv", metadata, digits="%.6g")
    summary.individuals.save(folder / INDIVIDUALS)
    write_table(_flag_table(fit), folder / "flags.csv", metadata)
    captions = draw_fit(folder, fit, tables["residuals"], summary.panels)
    (folder / SETTINGS).write_text(json.dumps(_summary(fit, settings, metadata), indent=1) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(_page(folder, fit, settings, metadata, tables, captions), encoding="utf-8")


def write_predictive_check(folder: Path, panels: Sequence[VpcPanel], metadata: Mapping[str, str]) -> Path:
    """Write a visual predictive check alone: figure and table; returns the figure."""
    paths = draw(folder, "predictive_check", lambda: predictive_check(panels))
    rows = [
        {"panel": panel.label, "time": time, "percentile": share, "measured": panel.observed[i, k],
         "low": panel.simulated[i, 0, k], "median": panel.simulated[i, 1, k], "high": panel.simulated[i, 2, k]}
        for panel in panels for k, time in enumerate(panel.middle) for i, share in enumerate((5, 50, 95))
    ]  # fmt: skip
    write_table(pd.DataFrame(rows), folder / "predictive_check.csv", metadata, digits="%.6g")
    return paths[-1]


def write_doses(
    folder: Path, finder: DoseFinder, doses: Mapping[str, FoundDose], metadata: Mapping[str, str]
) -> pd.DataFrame:
    """Write the table and the figure of individual doses; returns the table."""
    table = dose_table(finder, doses)
    write_table(table, folder / "doses.csv", {**metadata, "note": DISCLAIMER}, digits="%.6g")
    draw(folder, "doses", lambda: individual_doses(finder, doses))
    return table


def _flag_table(fit: Fit) -> pd.DataFrame:
    rows = [{"ID": flag.subject, "line": flag.line or "", "flag": flag.text} for flag in fit.flags]
    return pd.DataFrame(rows, columns=["ID", "line", "flag"])


def _summary(fit: Fit, settings: FitSettings, metadata: Mapping[str, str]) -> dict[str, Any]:
    names = [parameter.name for parameter in fit.parameters]
    observed = [{"dvid": output.dvid, "output": output.output, "unit": output.unit} for output in fit.data.outputs]
    return {
        "kind": "person" if fit.draws is None else "group",
        "persons": len(fit.data.persons),
        "measurements": len(fit.data.value),
        "below_limit": int((fit.data.censored == 1).sum()),
        "parameters": names,
        "observed": observed,
        "settings": {**settings.job, "parameters": names},
        "notes": list(fit.notes),
        "equations": metadata.get("ketamech equations", ""),
        "disclaimer": DISCLAIMER,
    }


def _tree(fit: Fit, logs: xr.Dataset, metadata: Mapping[str, str]) -> Any:
    """The posterior of a group under ArviZ's group names."""
    assert fit.draws is not None
    draws = fit.draws
    variables = {
        parameter.name: (parameter.shown(draws.coefficients[:, :, j]), parameter.unit, "population median")
        for j, parameter in enumerate(fit.parameters)
    }
    variables |= {
        f"{parameter.name} sd": (np.sqrt(draws.covariance[:, :, j, j]), "1", "SD between people on the free scale")
        for j, parameter in enumerate(fit.parameters)
    }
    assert fit.model is not None
    variables |= {
        f"{fit.parameters[i].name} period sd": (np.sqrt(fit.model.parts(draws.covariance)[1][:, :, j]), "1",
                                                 "SD between periods of a person on the free scale")
        for j, i in enumerate(fit.model.varying)
    }  # fmt: skip
    names = [f"{output.output} {name} error" for output, error in zip(fit.data.outputs, fit.model.errors, strict=True)
             for name in error.numbers]  # fmt: skip
    variables |= {name: (np.exp(draws.log_errors[:, :, j]), "1", "residual SD") for j, name in enumerate(names)}
    rows = {f"line {measurement.row.line}": measurement.value for measurement in fit.data.measurements}
    return fit_tree(variables, rows, logs, metadata)


def _page(
    folder: Path, fit: Fit, settings: FitSettings, metadata: Mapping[str, str], tables: Mapping[str, pd.DataFrame],
    captions: Sequence[tuple[str, str]],
) -> str:  # fmt: skip
    figures = [(name, caption, (folder / f"{name}.svg").read_text(encoding="utf-8")) for name, caption in captions]
    return render(
        "fit.html.j2", title=f"Fit of {fit.data.table.path.name}", summary=_summary(fit, settings, metadata),
        persons=_person_rows(tables["persons"])[:MAX_PERSONS_SHOWN], count=len(tables["persons"]),
        group=_group_rows(tables["group"]) if "group" in tables else [],
        flags=_flag_table(fit).to_dict("records"),
        errors=[f"{o.output}: {_error_text(e, o.unit)}" for o, e in zip(fit.data.outputs, fit.errors, strict=True)],
        criteria=_rounded(tables.get("criteria")), comparison=_rounded(tables.get("comparison")),
        figures=figures, command_line=metadata.get("ketamech command_line", ""),
        origins=list(dict.fromkeys(parameter.origin for parameter in fit.parameters)),
        tied=[f"{parameter.name} changes {', '.join(name for name, _ in parameter.shared_factors)} by the same factor"
              for parameter in fit.parameters if parameter.shared_factors],
    )  # fmt: skip


def _rounded(table: pd.DataFrame | None) -> list[Row]:
    if table is None:
        return []
    return [{str(name).replace("_", " "): f"{x:.2f}" if isinstance(x, float) else x for name, x in row.items()}
            for row in table.to_dict("records")]  # fmt: skip


def _error_text(error: Any, unit: str) -> str:
    """Such as "combined error, additive SD 2 ng/mL, proportional SD 0.2"."""
    labels = zip(error.labels(unit), error.numbers.values(), strict=True)
    sds = [f"{name} SD {number(value)}{'' if u == '1' else f' {u}'}" for (name, u), value in labels]
    return f"{error.kind} error, " + ", ".join(sds)


def _person_rows(table: pd.DataFrame) -> list[Row]:
    return [
        {"ID": row["ID"], "parameter": row["parameter"], "estimate": f"{number(row['estimate'])} {_unit(row['unit'])}",
         "95 % interval": f"{number(row['low'])} to {number(row['high'])}", "population": number(row["population"]),
         "SDs from it": f"{row['deviation']:+.1f}".replace("-", "−"),
         "variance reduction": _variance_reduction_text(row["variance_reduction"])}
        for row in table.to_dict("records")
    ]  # fmt: skip


def _group_rows(table: pd.DataFrame) -> list[Row]:
    return [
        {"quantity": row["parameter"], "estimate": f"{number(row['estimate'])} {_unit(row['unit'])}",
         "95 % interval": f"{number(row['low'])} to {number(row['high'])}", "RSE, %": number(100 * row["RSE"], 2),
         "prior": with_interval(row["prior"], row["prior_low"], row["prior_high"]),
         "variance reduction": _variance_reduction_text(row["variance_reduction"]),
         "R-hat": f"{row['R_hat']:.3f}", "effective draws": f"{row['effective_draws']:.0f}"}
        for row in table.to_dict("records")
    ]  # fmt: skip


def _unit(text: str) -> str:
    return "" if text in ("1", "log", "logit") else text


def _variance_reduction_text(value: float) -> str:
    """The reduction of the prior variance; a posterior that is the prior is named."""
    if not np.isfinite(value):
        return ""
    return "prior" if value < MIN_VARIANCE_REDUCTION else f"{100 * value:.0f} %"
