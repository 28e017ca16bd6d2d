"""Execution of a long command: checkpoints in the folder of the results, a scheduler, and Ctrl-C."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketamech.cli import terminal
from ketamech.core.environment import TABLES, short_hash, source_hash

if TYPE_CHECKING:
    from ketamech.core.execution import Executor

EXIT_CODE_STOPPED = 130  # 128 + SIGINT


@contextmanager
def long_run(
    folder: Path, job: Mapping[str, Any], model: Any, *, resume: bool = False, scheduler: str | None = None,
    metadata: Mapping[str, Any] | None = None, replace: bool = True,
) -> Iterator[Executor]:  # fmt: skip
    """An executor that saves finished parts of a computation as checkpoints in `folder` until the command ends.

    `job` and, if given, the `model` with the shipped tables identify the computation. Without `replace`, results of
    another job are not overwritten. Ctrl-C exits with code 130 and prints how to continue.
    """
    from ketamech.core.checkpoint import open_checkpoint
    from ketamech.core.dask_executor import connect
    from ketamech.core.execution import Executor
    from ketamech.report.provenance import without_paths

    command = {"command_line": without_paths(terminal.command_line())}
    with ExitStack() as stack:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its tracebacks are of errors reported below
        cluster = stack.enter_context(connect(scheduler)) if scheduler else None
        full_job = {**job, **(table_hashes(model) if model else {})}
        options: dict[str, Any] = {"about": {**command, **(metadata or {})}, "resume": resume, "replace": replace}
        checkpoint = stack.enter_context(open_checkpoint(folder, full_job, **options))
        for name in checkpoint.damaged:
            terminal.progress().print(f"Damaged checkpoint, computed again: {terminal.escape_markup(name)}")
        try:
            with checkpoint.disk_full_guard():
                yield Executor(checkpoint, cluster)
        except KeyboardInterrupt:
            message = f"{len(list(checkpoint))} finished parts are saved; continue with the same command and --resume"
            sys.stderr.write(f"\nStopped; {message}\n")
            sys.exit(EXIT_CODE_STOPPED)
        checkpoint.finish()


def table_hashes(model: Any) -> dict[str, str]:
    """Hashes of the equations, of every parameter row and of all shipped tables, wherever the program is installed."""
    rows = (dataclasses.replace(row, file=Path(row.file).name) for row in model.parameters.values())
    return {
        "equations": model.layout.fingerprint,
        "parameters": short_hash("\n".join(map(repr, rows))),
        "tables": source_hash(*TABLES),
    }
