"""`ketamech calibrate`: estimate what clinical trials inform, and say what they do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np

Steps = Annotated[int, typer.Option(min=4, help="Steps of the ensemble; a quarter is dropped as its start")]
Walkers = Annotated[int | None, typer.Option(help="Walkers of the ensemble [default: twice the parameters]")]
Persons = Annotated[int, typer.Option(min=10, help="Virtual persons in each arm of each trial")]
Draws = Annotated[int, typer.Option(min=10, help="Draws kept in the posterior file")]
Seed = Annotated[int, typer.Option(min=0)]
Threads = Annotated[int | None, typer.Option(min=1, help="The results are the same for any number [default: cores]")]
Profiles = Annotated[bool, typer.Option(help="Also profile each parameter (a minute or two)")]
Out = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the chain and the results; an interrupted one goes on")
]


def calibrate(
    steps: Steps = 120, walkers: Walkers = None, persons: Persons = 120, draws: Draws = 200, seed: Seed = 1,
    threads: Threads = None, profiles: Profiles = True, out: Out = Path("runs/calibration"),
) -> None:  # fmt: skip
    """Estimate the parameters of data/calibration/parameters.csv from the trials of data/calibration/rows.csv.

    Only rows marked fitted enter. After every step the chain is on disk: run the same command again after a kill and it
    goes on, with the same result as if it had never stopped. Writes posterior.csv (copy it to data/calibration to make
    trials draw from it), proposed.csv (values for the parameter tables), how well each row is met, and pictures.
    """
    import numpy as np

    import ketamech.analysis.calibration as kit
    from ketamech import analysis
    from ketamech.cli import terminal

    terminal.refuse_file(out)
    out.mkdir(parents=True, exist_ok=True)
    task = kit.calibration(terminal.model(), persons=persons, threads=threads)
    many = walkers or 2 * len(task.estimated)
    console = terminal.progress()
    console.print(f"{len(task.rows)} rows, {len(task.estimated)} parameters, {len(task.trials)} trials, {many} walkers")
    with _progress(steps) as tell:
        chain, logs = analysis.Chain(task, out / "chain.npz", many, seed).run(steps, tell)
    kept = chain[steps // 4 :].reshape(-1, chain.shape[2])
    best = chain.reshape(-1, chain.shape[2])[np.argmax(logs)]
    some = kept[np.random.RandomState(seed).choice(len(kept), draws, replace=len(kept) < draws)]
    names = [p.name for p in task.estimated]
    from ketamech.analysis.posterior import save_posterior

    save_posterior(out / "posterior.csv", names, kit.in_table_units(task, some))
    with console.status("Profiles and pictures ..."):
        curves = _profiles(task, best) if profiles else {}
        _write(out, task, chain, logs, kept, best, curves)
    rows = _rows(task, chain[steps // 4 :], kept, best)
    terminal.table(rows, title="Parameters")
    terminal.table(_met(task, best), title="Fitted rows at the most probable point")
    console.print(f"Written to [bold]{terminal.written(out)}[/bold]   {terminal.DISCLAIMER}")


def _rows(task: Any, chain: np.ndarray, kept: np.ndarray, best: np.ndarray) -> list[dict[str, object]]:
    import numpy as np

    import ketamech.analysis.calibration as kit

    rhat, time = kit.convergence(chain)
    low, middle, high = np.percentile(kit.in_table_units(task, kept), [2.5, 50, 97.5], axis=0)
    top, narrower = kit.in_table_units(task, best[None])[0], kit.identified(kept)
    correlation = np.corrcoef(kept.T) - np.eye(len(best))
    table, rows = task.model.parameters, []
    for i, p in enumerate(task.estimated):
        other = int(np.argmax(np.abs(correlation[i])))
        rows.append(
            {
                "parameter": p.name, "unit": table[p.name].unit, "before": table[p.name].value, "best": top[i],
                "median": middle[i], "low": low[i], "high": high[i], "narrower_than_prior": narrower[i],
                "R_hat": rhat[i], "autocorrelation": time[i], "goes_with": task.estimated[other].name,
                "correlation": correlation[i, other],
            }
        )  # fmt: skip
    return rows


def _met(task: Any, best: np.ndarray) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for row, value, noise in zip(task.rows, task.simulate(best), task.noise, strict=True):
        z = (value - row.published) / noise
        names = ("row", "statistic", "published", "simulated", "z")
        rows.append(dict(zip(names, (row.row.id, row.statistic, row.published, value, z), strict=True)))
    return rows


def _profiles(task: Any, best: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    import numpy as np

    import ketamech.analysis.calibration as kit

    reach = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    return {
        p.name: (best[i] + reach, kit.profile(task, best, i, best[i] + reach)) for i, p in enumerate(task.estimated)
    }


def _write(
    out: Path,
    task: Any,
    chain: np.ndarray,
    logs: np.ndarray,
    kept: np.ndarray,
    best: np.ndarray,
    profiles: dict[str, Any],
) -> None:
    import pandas as pd

    from ketamech.report.calibration_pictures import draw_calibration

    pd.DataFrame(_rows(task, chain[len(chain) // 4 :], kept, best)).to_csv(out / "proposed.csv", index=False)
    pd.DataFrame(_met(task, best)).to_csv(out / "rows.csv", index=False)
    facts = {
        "rows": len(task.rows),
        "parameters": len(task.estimated),
        "steps": len(chain),
        "walkers": chain.shape[1],
        "equations": task.model.layout.fingerprint,
        "disclaimer": "For research and education only: not treatment or dosing advice.",
    }
    (out / "summary.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    draw_calibration(out, [p.name for p in task.estimated], chain, logs, kept, profiles)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, str], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from ketamech.cli import terminal

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal.progress(), transient=True) as bar:
        task = bar.add_task("Steps", total=total)

        def tell(done: int, words: str) -> None:
            looking = words.startswith("misfit")
            bar.update(
                task,
                completed=0 if looking else done,
                description=f"{'Looking for the start' if looking else 'Steps'}: {words}",
            )

        yield tell
