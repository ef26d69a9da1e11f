"""Rows as Arrow: flat schemas, record batches, and files that are written batch by batch (extra ``arrow``)."""

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING, Final, Literal

from workbook.lib.errors import BadInput

from .verdict import CheckRow

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ("COLUMNS", "Cell", "Column", "flat", "table", "write_parquet", "write_stream")

Column = Literal["string", "int64", "double", "bool", "list<string>"]
Cell = str | int | float | bool | list[str] | None

COLUMNS: Final[dict[str, Column]] = {
    "source": "string",
    "read": "string",
    "verdict": "string",
    "message": "string",
    "memslots_mapped": "int64",
    "memslots_promised": "int64",
    "kvm_used": "int64",
    "kvm_limit": "int64",
    "binds": "string",
    "room": "int64",
    "metadata_now": "int64",
    "metadata_dynamic": "int64",
    "dynamic_message": "string",
    "metadata_nested": "int64",
    "exposed": "int64",
    "vfio": "string",
    "change": "string",
    "notes": "list<string>",
}
"""The columns of a checked VM, sizes in bytes; what a VM that does not start has no answer to is null."""
_BATCH: Final = 4096


def flat(row: CheckRow) -> dict[str, Cell]:
    """Return a row as the columns of a table."""
    memslots, metadata = row["memslots"], row["metadata"]
    return {
        "source": row["source"],
        "read": row["read"],
        "verdict": row["verdict"],
        "message": row["message"],
        "memslots_mapped": memslots["mapped"] if memslots else None,
        "memslots_promised": memslots["promised"] if memslots else None,
        "kvm_used": memslots["kvm_used"] if memslots else None,
        "kvm_limit": memslots["kvm_limit"] if memslots else None,
        "binds": memslots["binds"] if memslots else "",
        "room": memslots["room"] if memslots else None,
        "metadata_now": metadata["now"] if metadata else None,
        "metadata_dynamic": metadata["dynamic"] if metadata else None,
        "dynamic_message": metadata["dynamic_message"] if metadata else "",
        "metadata_nested": metadata["nested"] if metadata else None,
        "exposed": row["exposed"],
        "vfio": row["vfio"],
        "change": row["change"],
        "notes": row["notes"],
    }


def table(rows: Iterable[Mapping[str, Cell]], columns: Mapping[str, Column]) -> "pa.Table":
    """Return all rows as one Arrow table.

    Raises
    ------
    BadInput
        pyarrow is not installed.
    """
    arrow = _pyarrow()
    schema = _schema(arrow, columns)
    return arrow.Table.from_batches(_batches(arrow, rows, schema), schema=schema)


def write_parquet(rows: Iterable[Mapping[str, Cell]], path: Path, columns: Mapping[str, Column]) -> None:
    """Write rows to a Parquet file, batch by batch.

    Raises
    ------
    BadInput
        pyarrow is not installed.
    """
    arrow = _pyarrow()
    parquet = import_module("pyarrow.parquet")
    schema = _schema(arrow, columns)
    with parquet.ParquetWriter(path, schema) as writer:
        for batch in _batches(arrow, rows, schema):
            writer.write_batch(batch)


def write_stream(rows: Iterable[Mapping[str, Cell]], sink: Path | IO[bytes], columns: Mapping[str, Column]) -> None:
    """Write rows as a stream of record batches in Arrow's IPC format, which a reader can follow as it grows.

    Raises
    ------
    BadInput
        pyarrow is not installed.
    """
    arrow = _pyarrow()
    schema = _schema(arrow, columns)
    with arrow.ipc.new_stream(str(sink) if isinstance(sink, Path) else sink, schema) as writer:
        for batch in _batches(arrow, rows, schema):
            writer.write_batch(batch)


def _schema(arrow: ModuleType, columns: Mapping[str, Column]) -> "pa.Schema":
    types = {
        "string": arrow.string(),
        "int64": arrow.int64(),
        "double": arrow.float64(),
        "bool": arrow.bool_(),
        "list<string>": arrow.list_(arrow.string()),
    }
    return arrow.schema([(name, types[kind]) for name, kind in columns.items()])


def _batches(arrow: ModuleType, rows: Iterable[Mapping[str, Cell]], schema: "pa.Schema") -> "Iterator[pa.RecordBatch]":
    source = iter(rows)
    while batch := list(islice(source, _BATCH)):
        yield arrow.RecordBatch.from_pylist(batch, schema=schema)


def _pyarrow() -> ModuleType:
    try:
        import_module("pyarrow.ipc")
        return import_module("pyarrow")
    except ImportError:
        raise BadInput("Arrow tables and Parquet need the extra arrow: pip install 'memslot-workbook[arrow]'") from None
