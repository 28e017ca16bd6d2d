"""`ketamech schema`: the JSON Schema of scenario files and trial files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal

Out = Annotated[Path | None, typer.Option("--out", "-o", help="A .json file [default: print]")]
Trial = Annotated[bool, typer.Option("--trial", help="Schema of trial files instead of scenario files")]


def schema(out: Out = None, trial: Trial = False) -> None:
    """Print the JSON Schema of scenario or trial files.

    Example:  ketamech schema --out docs/schema/scenario.schema.json

    Editors use it to complete and check YAML.

    More examples:

      ketamech schema --trial --out docs/schema/trial.schema.json
    """
    from ketamech.simulation.scenario_schema import schema as scenario_schema
    from ketamech.trials.trial_schema import trial_schema

    text = json.dumps(trial_schema() if trial else scenario_schema(), indent=2) + "\n"
    if out is None:
        terminal.print_line(text, fold=False)
    else:
        terminal.write_text(out, text)
