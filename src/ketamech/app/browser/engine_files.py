"""The compiled model and its tables as files, by the names that the worker of a page requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ketamech.app.app_state import AppState
from ketamech.app.browser.dosing_tables import dosing_tables, file_tables
from ketamech.app.browser.evidence_tables import published_tables
from ketamech.app.browser.model_tables import (
    endpoint_table,
    kernel_tables,
    output_tables,
    people_tables,
    scenario_tables,
)

_TABLES: dict[str, Callable[[AppState], Any]] = {
    "kernel.json": lambda app_state: kernel_tables(app_state.model),
    "scenario.json": lambda app_state: scenario_tables(app_state.model),
    "dosing.json": lambda app_state: dosing_tables(),
    "outputs.json": lambda app_state: output_tables(app_state.model),
    "endpoints.json": lambda app_state: endpoint_table(app_state.model),
    "people.json": lambda app_state: people_tables(app_state.model)[0],
    "published.json": published_tables,
    "files.json": lambda app_state: file_tables(),
}
ENGINE_FILES = ("kernel.wasm", "people.bin", *_TABLES)


def engine_file(app_state: AppState, name: str) -> bytes:
    """One of ENGINE_FILES. Raises InputError where the module must be built and its linker is not installed."""
    if name == "kernel.wasm":
        code = app_state.model.kernel.webassembly().code
        assert isinstance(code, bytes)
        return code
    if name == "people.bin":
        return people_tables(app_state.model)[1]
    return compact_json(_TABLES[name](app_state))


def compact_json(content: Any) -> bytes:
    """JSON without blanks; NaN is refused."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
