"""Metadata of a result (model hash, seed, versions, command line, papers) with its table.

A Parquet file has them in its schema metadata. A CSV file begins with its header line, as every reader expects; its
metadata are in a file beside it whose name is that of CSV on the Web (W3C 2015), NAME.csv-metadata.json.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]  # of a table, each with the same columns
HEADER_PREFIX, SIDECAR_SUFFIX = "# ", "-metadata.json"
PLAIN_KEY = "ketamech"  # key in the metadata of a file
KEY = PLAIN_KEY.encode()


def write_table(
    table: pd.DataFrame | Rows, path: Path, metadata: Mapping[str, object], *, digits: str | None = None
) -> None:
    """Write a .csv or .parquet file with metadata; `digits`: number format in a CSV file, such as %.6g.

    Rows, of which there is at least one, are written to a .csv file with every digit, as pandas writes them.
    """
    if isinstance(table, list):
        path.write_text(_csv_of_rows(table), encoding="utf-8")
    elif path.suffix == ".parquet":
        write_parquet(pa.Table.from_pandas(table, preserve_index=False), path, metadata)
        return
    else:
        path.write_text(table.to_csv(index=False, lineterminator="\n", float_format=digits), encoding="utf-8")
    if metadata:
        sidecar_path(path).write_text(csv_metadata(path.name, metadata), encoding="utf-8")


def write_csv_and_parquet(table: pd.DataFrame, folder: Path, name: str, metadata: Mapping[str, object]) -> None:
    """Write NAME.csv and NAME.parquet into a folder, see `write_table`."""
    for suffix in ("csv", "parquet"):
        write_table(table, folder / f"{name}.{suffix}", metadata)


def _csv_of_rows(rows: Rows) -> str:
    """CSV text of rows; a number that is missing is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([["" if value != value else value for value in row.values()] for row in rows])
    return text.getvalue()


def sidecar_path(path: Path) -> Path:
    """The file of metadata of a CSV file."""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def csv_metadata(name: str, metadata: Mapping[str, object]) -> str:
    """The metadata of the CSV file `name` as CSV on the Web."""
    content = {"@context": "http://www.w3.org/ns/csvw", "url": name, PLAIN_KEY: dict(metadata)}
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def csv_with_metadata(table: pd.DataFrame, metadata: Mapping[str, object], *, digits: str | None = None) -> str:
    """CSV text with one line `# name: value` per item of metadata at the top, for tables of the package itself."""
    return metadata_header(metadata) + str(table.to_csv(index=False, lineterminator="\n", float_format=digits))


def metadata_header(metadata: Mapping[str, object]) -> str:
    """The comment lines at the top of a CSV file."""
    return "".join(
        f"{HEADER_PREFIX}{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in metadata.items()
    )


def write_parquet(table: pa.Table, path: Path, metadata: Mapping[str, object], **options: Any) -> None:
    """Write a Parquet file with the metadata in its schema."""
    encoded_metadata = json.dumps({str(name): value for name, value in metadata.items()}, default=str).encode()
    table_with_metadata = table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: encoded_metadata})
    pq.write_table(table_with_metadata, path, compression="zstd", **options)


def read_parquet_metadata(path: Path) -> dict[str, object]:
    """The metadata of a Parquet file; empty without the key."""
    return dict(json.loads((pq.read_schema(path).metadata or {}).get(KEY, b"{}")))


def read_csv_metadata(path: Path) -> dict[str, object]:
    """The metadata beside a CSV file, or those at its top, as versions before 0.3 wrote them; empty without either."""
    if sidecar_path(path).is_file():
        return dict(json.loads(sidecar_path(path).read_text(encoding="utf-8"))[PLAIN_KEY])
    metadata: dict[str, object] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith(HEADER_PREFIX):
                break
            name, _, value = line.removeprefix(HEADER_PREFIX).partition(": ")
            try:
                metadata[name] = json.loads(value)
            except ValueError:
                continue
    return metadata
