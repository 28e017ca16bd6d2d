"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketamech.core.deprecated_names import current_name

ScenarioOrFile = Annotated[str, typer.Argument(help="A regimen in words or a scenario file (.yaml)")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Number of threads; does not change the results [default: cores]")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped; the result is the same")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Dask scheduler to compute on, e.g. tcp://HOST:8786; does not change the results [default: this process]"
    ),
]
Equations = Annotated[
    str | None,
    typer.Option("--variant", help="A model variant with equations of its own: reduced-core [default: the full model]"),
]
FigurePng = Annotated[bool, typer.Option("--png", help="Also write the figure as PNG")]
Drug = Annotated[str | None, typer.Option("--drug", help="Dose table: the drug, if there is no column DRUG")]
Receptors = Annotated[
    Path | None, typer.Option(help="CSV file of receptor densities: area and any of nmda, glun2b, ampa")
]
FigureFolder = Annotated[Path, typer.Option("--out", "-o", help="Folder for the table and the figure")]


def listed_names(text: str) -> tuple[str, ...]:
    """Names of outputs or parameters joined by commas, each once; old names are replaced."""
    return tuple(dict.fromkeys(current_name(name.strip()) for name in text.split(",") if name.strip()))
