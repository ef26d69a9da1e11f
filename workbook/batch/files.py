"""Rows to files and to a stream, row by row: CSV, JSON lines, Parquet, Arrow, one HTML page, a table of text."""

import csv
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from workbook.lib.errors import BadInput
from workbook.lib.size import format_size
from workbook.tools.atomic_write import check_writable

from .arrow import COLUMNS, Cell, Column, flat, write_parquet, write_stream
from .page import fleet_page
from .verdict import CheckRow, Verdict, to_json

__all__ = ("FORMATS", "counted", "write_cells", "write_csv", "write_json", "write_rows", "write_table")

FORMATS: Final = ("table", "csv", "json", "parquet", "arrow")
_CELLS: Final = (".csv", ".parquet", ".arrow")
_TABLE: Final = (
    ("source", 36),
    ("verdict", 10),
    ("memslots", 9),
    ("promised", 8),
    ("metadata", 10),
    ("dynamic", 10),
    ("nested", 10),
    ("exposed", 10),
)


def counted(rows: Iterable[CheckRow], verdicts: "Counter[Verdict]") -> Iterator[CheckRow]:
    """Hand rows on and count their verdicts."""
    for row in rows:
        verdicts[row["verdict"]] += 1
        yield row


def write_rows(rows: Iterable[CheckRow], path: Path) -> "Counter[Verdict]":
    """Write rows to a file whose suffix says how; an older file is replaced at the end. Return the verdicts' counts.

    Raises
    ------
    BadInput
        The suffix is not known, an extra is missing, or the file cannot be written.
    """
    verdicts: Counter[Verdict] = Counter()
    rows = counted(rows, verdicts)
    own: dict[str, Callable[[Iterable[CheckRow], IO[str]], None]] = {
        ".json": write_json,
        ".jsonl": write_json,
        ".html": _write_html,
    }
    suffix = path.suffix.lower()
    if suffix in own:
        with _replaced(path) as new, new.open("w", encoding="utf-8", newline="") as file:
            own[suffix](rows, file)
    else:
        write_cells(map(flat, rows), path, COLUMNS, known=(*own, *_CELLS))
    return verdicts


def write_cells(
    rows: Iterable[Mapping[str, Cell]],
    path: Path,
    columns: Mapping[str, Column],
    *,
    known: Sequence[str] = (),
) -> None:
    """Write rows of columns to a file whose suffix says how: ``.csv``, ``.parquet``, ``.arrow`` (record batches).

    Parameters
    ----------
    known
        Suffixes that the error names; empty for these.

    Raises
    ------
    BadInput
        The suffix is not known, an extra is missing, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _CELLS:
        raise BadInput(f"{path} has suffix {path.suffix!r}: known are {', '.join(known or _CELLS)}")
    with _replaced(path) as new:
        match suffix:
            case ".csv":
                with new.open("w", encoding="utf-8", newline="") as file:
                    _write_csv_cells(rows, file, columns)
            case ".parquet":
                write_parquet(rows, new, columns)
            case _:
                write_stream(rows, new, columns)


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Give a file beside `path` that takes its place when all is well."""
    check_writable(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            yield Path(name)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}): give a file in a folder that exists") from error


def write_csv(rows: Iterable[CheckRow], file: IO[str]) -> None:
    """Write rows as CSV with a header; notes are joined by line ends."""
    _write_csv_cells(map(flat, rows), file, COLUMNS)


def _write_csv_cells(rows: Iterable[Mapping[str, Cell]], file: IO[str], columns: Mapping[str, Column]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow("\n".join(one) if isinstance(one, list) else one for one in row.values())


def write_json(rows: Iterable[CheckRow], file: IO[str]) -> None:
    """Write rows as JSON lines."""
    for row in rows:
        file.write(to_json(row) + "\n")


def write_table(rows: Iterable[CheckRow], file: IO[str]) -> None:
    """Write rows as a table of text, one line each, and below it what QEMU says or what would help."""
    file.write("  ".join(f"{name:<{width}}" for name, width in _TABLE).rstrip() + "\n")
    for row in rows:
        memslots, metadata = row["memslots"], row["metadata"]
        cells = [_fitted(row["source"], _TABLE[0][1]), row["verdict"]]
        if memslots and metadata:
            sizes = (metadata["now"], metadata["dynamic"], metadata["nested"], row["exposed"])
            cells += [f"{memslots['mapped']:,}", f"{memslots['promised']:,}", *map(_size, sizes)]
        file.write("  ".join(f"{one:<{width}}" for one, (_, width) in zip(cells, _TABLE, strict=False)).rstrip() + "\n")
        dynamic = metadata["dynamic_message"] if metadata else ""
        binds = memslots["binds"] if memslots else ""
        lines = (
            row["message"],
            row["change"],
            f"with dynamic-memslots=on: {dynamic}" if dynamic else "",
            f"fewest free memslots: {memslots['room']:,} in {binds}" if memslots and binds else "",
            row["vfio"],
        )
        for line in filter(None, "\n".join(lines).splitlines()):
            file.write(f"    {line}\n")


def _size(size: int | None) -> str:
    return "-" if size is None else format_size(size, digits=1)


def _fitted(text: str, width: int) -> str:
    return text if len(text) <= width else f"...{text[3 - width :]}"


def _write_html(rows: Iterable[CheckRow], file: IO[str]) -> None:
    file.write(fleet_page(rows))
