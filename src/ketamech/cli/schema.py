"""`ketamech schema`: what a scenario file may hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path | None, typer.Option("--out", "-o", help="A .json file; printed if left out")]


def schema(out: Out = None) -> None:
    """Print the JSON Schema of scenario files, for editors that complete and check YAML.

    Example:  ketamech schema --out docs/schema/scenario.schema.json
    """
    from ketamech import study

    text = json.dumps(study.schema(), indent=2) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
