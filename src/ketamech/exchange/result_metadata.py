"""Facts about a result (model hash, seed, versions, command line, papers) inside the table that holds it.

A CSV has them as comment lines at its head, a Parquet file in its metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

HEADER_PREFIX = "# "
KEY = b"ketamech"  # of the facts among the metadata of a Parquet file
PAPERS = "ketamech papers"  # the keys of the papers whose numbers stand behind a result, joined by blanks


def write_table(table: pd.DataFrame, path: Path, facts: Mapping[str, object], *, digits: str | None = None) -> None:
    """Write a .csv or a .parquet with the facts in it; `digits` such as %.6g of numbers in a CSV."""
    if path.suffix == ".parquet":
        write_parquet(pa.Table.from_pandas(table, preserve_index=False), path, facts)
        return
    path.write_text(csv_with_metadata(table, facts, digits=digits), encoding="utf-8")


def csv_with_metadata(table: pd.DataFrame, facts: Mapping[str, object], *, digits: str | None = None) -> str:
    """The table as CSV text below one line a fact: `# name: value`, read by pandas with comment="#"."""
    return metadata_header(facts) + str(table.to_csv(index=False, lineterminator="\n", float_format=digits))


def metadata_header(facts: Mapping[str, object]) -> str:
    """The comment lines at the head of a CSV."""
    return "".join(f"{HEADER_PREFIX}{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in facts.items())


def write_parquet(table: pa.Table, path: Path, facts: Mapping[str, object], **how: Any) -> None:
    """Write a Parquet file with the facts in its metadata."""
    said = json.dumps({str(name): value for name, value in facts.items()}, default=str).encode()
    marked = table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: said})
    pq.write_table(marked, path, compression="zstd", **how)


def read_parquet_metadata(path: Path) -> dict[str, object]:
    """The facts in the metadata of a Parquet file; none where it has no such key."""
    return dict(json.loads((pq.read_schema(path).metadata or {}).get(KEY, b"{}")))


def read_csv_metadata(path: Path) -> dict[str, object]:
    """The facts at the head of a CSV; none where it has no such lines."""
    found: dict[str, object] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith(HEADER_PREFIX):
                break
            name, _, value = line.removeprefix(HEADER_PREFIX).partition(": ")
            try:
                found[name] = json.loads(value)
            except ValueError:
                continue
    return found
