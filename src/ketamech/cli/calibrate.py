"""`ketamech calibrate`: estimate parameters from clinical trials."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.long_run import long_run
from ketamech.cli.options import Equations, ResultFolder, Resume, Scheduler, Seed, Threads
from ketamech.cli.terminal import require_extra
from ketamech.core.constants import DISCLAIMER
from ketamech.core.environment import available_threads

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ketamech.calibration.calibration_problem import CalibrationProblem
    from ketamech.calibration.surrogate_posterior import DesignPoints as Design
    from ketamech.calibration.surrogate_posterior import Posterior, QuadraticEmulator

DesignPoints = Annotated[int, typer.Option(min=40, help="Simulated points around the most probable point")]
Patients = Annotated[int, typer.Option(min=10, help="Virtual patients in each arm of each trial")]
Draws = Annotated[int, typer.Option(min=10, help="Draws in the posterior file; each is simulated as a check")]
Profiles = Annotated[
    bool, typer.Option(help="Also compute the profile likelihood of each parameter (two to three minutes)")
]
Sbc = Annotated[
    int, typer.Option("--sbc", min=0, help="Data sets of the simulation-based calibration; 100 take some minutes")
]


def calibrate(
    design_points: DesignPoints = 600, patients_per_arm: Patients = 120, draws: Draws = 200, seed: Seed = 1,
    threads: Threads = None, profiles: Profiles = True, sbc: Sbc = 0, out: ResultFolder = Path("runs/calibration"),
    resume: Resume = False, scheduler: Scheduler = None, variant: Equations = None,
) -> None:  # fmt: skip
    """Estimate parameters from published trials.

    Example:  ketamech calibrate --out runs/calibration

    The parameters are listed in data/calibration/parameters.csv, the data in data/calibration/rows.csv; only rows
    marked fitted are used. The command finds the most probable point, simulates points around it, fits a quadratic
    emulator, samples the posterior with emcee and simulates the draws as a check. Every finished point is on disk: the
    same command with --resume continues after an interruption, with the same result. Writes posterior.csv,
    leave_one_trial_out.csv and left_out_trials.csv (trials draw from the first, the scorecard predicts each trial from
    the draws without it), proposed.csv (estimates), parameter_rows.csv (their medians, as rows of the
    parameter tables), rows.csv (fit of each row), prior_sensitivity.csv (power-scaling of prior and likelihood),
    informed_directions.csv (combinations of pathway gains that the data know) and figures.
    --sbc repeats the inference on data simulated from the emulator and tests the ranks of the true values.
    """
    from ketamech.calibration import calibration_problem

    require_extra("calibrate")
    terminal.refuse_file(out)
    model = terminal.model(variant=variant)
    task = calibration_problem.shipped_problem(
        model, patients_per_arm=patients_per_arm, threads=available_threads(threads, scheduler)
    )
    size_text = f"{len(task.rows)} rows, {len(task.estimated)} parameters, {len(task.trials)} trials"
    terminal.progress().print(size_text)
    job = {"command": "calibrate", **task.job_description}
    with long_run(out, job, None, resume=resume, scheduler=scheduler) as work:
        _estimate(replace(task, executor=work), design_points, draws, seed, profiles, sbc, out)


def _estimate(
    task: CalibrationProblem, design_points: int, draws: int, seed: int, profiles: bool, sbc: int, out: Path
) -> None:
    """Simulate, sample, write the results and print the estimates."""
    import pandas as pd

    from ketamech.calibration import calibration_problem
    from ketamech.calibration.leave_one_trial_out import folds, leave_one_trial_out, save_left_out
    from ketamech.calibration.surrogate_posterior import DesignPoints, QuadraticEmulator, sample_posterior, updated_rows
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.parameters.load_parameters import COLUMNS
    from ketamech.trials.posterior_draws import save_posterior

    console = terminal.progress()
    points = DesignPoints(task, seed)
    with _progress(design_points) as progress:
        x_points, simulated = points.sample(design_points, progress)
    emulator = QuadraticEmulator.fitted(x_points, simulated)
    with _progress(draws) as progress:
        posterior = sample_posterior(points, emulator, draws, progress, seed=seed)
    with _progress(len(folds(task.rows))) as progress:
        posteriors = list(leave_one_trial_out(points, emulator, posterior, draws, progress, seed=seed))
    ranks = _simulated_ranks(points, emulator, sbc, seed) if sbc else None
    map_point, _, _ = points.map_and_covariance()
    with console.status("Profiles and figures ..."), replace_folder(out) as draft:
        names = [p.name for p in task.estimated]
        save_posterior(draft / "posterior.csv", names, calibration_problem.in_table_units(task, posterior.draws))
        save_left_out(draft, task, posteriors)
        curves = _profiles(task, map_point) if profiles else {}
        rows, fitted_rows = (
            _parameter_rows(task, posterior, map_point),
            _fitted_row_table(task, map_point, emulator.error),
        )
        _write_results(draft, task, posterior, seed, rows, fitted_rows, curves)
        table_rows = updated_rows(task, posterior.draws, emulator)
        pd.DataFrame(table_rows, columns=COLUMNS).to_csv(draft / "parameter_rows.csv", index=False, lineterminator="\n")
        diagnostics = _diagnose(draft, points, emulator, posterior, ranks, seed)
    terminal.table(rows, title="Parameters")
    terminal.table(fitted_rows, title="Fitted rows at the most probable point")
    columns = ("trial", "rows", "pareto_k", "effective_draws", "method")
    terminal.table(
        [{name: getattr(left_out, name) for name in columns} for left_out in posteriors],
        title="Posterior without a trial",
    )
    for title, table in diagnostics.items():
        terminal.table(table, title=title)
    console.print(f"Error of the emulator over {draws} draws: {posterior.emulator_error:.2f} standard errors of a row")
    terminal.print_written_files([out])


def _simulated_ranks(points: Design, emulator: QuadraticEmulator, count: int, seed: int) -> np.ndarray:
    """Ranks [data set, parameter] of true values in simulated data sets."""
    from ketamech.calibration.simulation_based_calibration import SimulatedDataSets

    with terminal.progress_bar("Simulated data sets", count) as update:
        ranks, rhat = SimulatedDataSets(points, emulator, seed).ranks(count, lambda finished, text: update(finished))
    terminal.progress().print(f"Largest R-hat of {count} simulated data sets: {rhat.max():.2f}")
    return ranks


def _diagnose(
    out: Path, points: Design, emulator: QuadraticEmulator, posterior: Posterior, ranks: np.ndarray | None, seed: int
) -> dict[str, pd.DataFrame]:
    """Write the diagnostics of the posterior beside it; returns the tables by title."""
    from ketamech.exchange.result_metadata import csv_with_metadata
    from ketamech.report import calibration_report as tables
    from ketamech.report.calibration_report import draw_gains, draw_ranks
    from ketamech.trials.posterior_draws import load_posterior, posterior_hash

    task = points.task
    diagnostics = tables.diagnostic_tables(points, emulator, posterior, ranks)
    posterior_key = posterior_hash(load_posterior(out / "posterior.csv", task.model.parameters))
    metadata = terminal.provenance("calibration", task.model, seed) | {tables.POSTERIOR_HASH_KEY: posterior_key}
    for name, table in diagnostics.items():
        (out / name).write_text(csv_with_metadata(table, metadata, digits="%.4g"), encoding="utf-8")
    if tables.DIRECTIONS in diagnostics:
        gains = [i for i, p in enumerate(task.estimated) if p.gain_unit]
        draw_gains(out, [task.estimated[i].gain_unit for i in gains], posterior.draws[:, gains])
    if tables.RANKS in diagnostics:
        draw_ranks(out, diagnostics[tables.RANKS])
    return {tables.TITLES[name]: table for name, table in diagnostics.items() if name in tables.TITLES}


def _parameter_rows(task: CalibrationProblem, posterior: Posterior, best: np.ndarray) -> list[dict[str, object]]:
    import numpy as np

    from ketamech.calibration import calibration_problem
    from ketamech.calibration.surrogate_posterior import convergence, effective_sizes, prior_contraction
    from ketamech.core.statistics import MEDIAN_AND_95, percentiles

    rhat, time = convergence(posterior.chain)
    bulk, tail = effective_sizes(posterior.chain)
    low, median, high = percentiles(calibration_problem.in_table_units(task, posterior.draws), MEDIAN_AND_95, axis=0)
    samples = posterior.chain.reshape(-1, len(best))
    best_values, contraction = calibration_problem.in_table_units(task, best[None])[0], prior_contraction(samples)
    correlation = np.corrcoef(samples.T) - np.eye(len(best))
    table, rows = task.model.parameters, []
    for i, p in enumerate(task.estimated):
        most_correlated = int(np.argmax(np.abs(correlation[i])))
        rows.append(
            {
                "parameter": p.name, "unit": table[p.name].unit, "before": table[p.name].value, "best": best_values[i],
                "median": median[i], "low": low[i], "high": high[i], "narrower_than_prior": contraction[i],
                "R_hat": rhat[i], "ESS_bulk": bulk[i], "ESS_tail": tail[i], "autocorrelation": time[i],
                "goes_with": task.estimated[most_correlated].name,
                "correlation": correlation[i, most_correlated],
            }
        )  # fmt: skip
    return rows


def _fitted_row_table(task: CalibrationProblem, best: np.ndarray, error: np.ndarray) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for row, value, noise, emulator_error in zip(task.rows, task.simulate(best), task.noise, error, strict=True):
        names = ("row", "statistic", "published", "simulated", "z", "emulator_error")
        numbers = (row.row.id, row.statistic, row.published, value, (value - row.published) / noise, emulator_error)
        rows.append(dict(zip(names, numbers, strict=True)))
    return rows


def _profiles(task: CalibrationProblem, best: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    import numpy as np

    from ketamech.calibration import calibration_problem

    offsets = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    slopes = task.jacobian(best, task.simulate(best))
    names = [parameter.name for parameter in task.estimated]
    grids = [best[i] + offsets for i in range(len(names))]
    return {
        name: (grids[i], calibration_problem.profile(task, best, slopes, i, grids[i])) for i, name in enumerate(names)
    }


def _write_results(
    out: Path, task: CalibrationProblem, posterior: Posterior, seed: int, rows: list[dict[str, object]],
    fitted_rows: list[dict[str, object]], profiles: dict[str, Any],
) -> None:  # fmt: skip
    import pandas as pd

    from ketamech.exchange.result_io import save_results
    from ketamech.exchange.result_metadata import csv_with_metadata, write_table
    from ketamech.report.calibration_report import draw_calibration

    metadata = terminal.provenance("calibration", task.model, seed)
    text = csv_with_metadata(pd.DataFrame(rows), metadata, digits="%.5g")  # a table of the package states its origin
    (out / "proposed.csv").write_text(text, encoding="utf-8")
    write_table(pd.DataFrame(fitted_rows), out / "rows.csv", metadata, digits="%.5g")
    summary = {
        "rows": len(task.rows),
        "parameters": len(task.estimated),
        "draws": len(posterior.draws),
        "emulator_error": posterior.emulator_error,
        "effective_draws": posterior.effective_size,
        "equations": task.model.layout.fingerprint,
        "disclaimer": DISCLAIMER,
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    save_results(_tree(task, posterior, metadata), out / "posterior.zarr")
    draw_calibration(out, [p.name for p in task.estimated], posterior.logs, posterior.draws, profiles)


def _tree(task: CalibrationProblem, posterior: Posterior, metadata: dict[str, str]) -> Any:
    """The posterior under ArviZ's group names."""
    from ketamech.calibration import calibration_problem
    from ketamech.exchange.arviz_io import calibration_tree

    steps, walkers, parameters = posterior.chain.shape
    values = calibration_problem.in_table_units(task, posterior.chain.reshape(-1, parameters)).reshape(
        steps, walkers, parameters
    )
    observed = {f"{row.row.id} {row.statistic}": row.published for row in task.rows}
    table = task.model.parameters
    return calibration_tree(
        task.estimated, values, posterior.logs, table, observed, task.noise.tolist(), metadata, posterior.predicted
    )


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, str], None]]:
    """A progress bar; the search for the most probable point has no total and counts as zero."""
    from ketamech.calibration.calibration_problem import MODE_SEARCH

    with terminal.progress_bar("Points", total) as update:

        def progress(count: int, text: str) -> None:
            is_searching = text.startswith(MODE_SEARCH)
            label = f"{'Searching the most probable point' if is_searching else 'Points'}: {text}"
            update(0 if is_searching else count, label=label)

        yield progress
