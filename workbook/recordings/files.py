"""Recordings on disk: one JSON file each, or many in one archive.

An archive is JSON lines, a recording per line, compressed with xz: recordings of one QEMU are so alike that a
hundred of them take less space than one. Nothing is lost but white space, and the same recordings give the same
bytes. `workbook.pack` is the command that makes one.
"""

import gzip
import json
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, cast

from workbook.lib.errors import BadInput
from workbook.lib.recording import RecordingJson

__all__ = ("ARCHIVE_SUFFIX", "load", "pack", "read_all")

ARCHIVE_SUFFIX: Final = ".jsonl.xz"
_SUFFIXES: Final = (".json", ".json.gz", ARCHIVE_SUFFIX)


def load(path: Path) -> RecordingJson:
    """Read one recording (``.json`` or ``.json.gz``).

    Raises
    ------
    BadInput
        Not readable, or not a recording.
    """
    try:
        raw = path.read_bytes()
        data = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    except (OSError, ValueError, EOFError, RecursionError) as error:
        raise BadInput(f"{path}: cannot be read as a recording: {error}") from None
    return _checked(data, str(path))


def read_all(paths: Iterable[str | Path]) -> Iterator[tuple[str, RecordingJson]]:
    """Yield (label, recording) of files, archives and folders of both, in order; the label names it in a report.

    Raises
    ------
    BadInput
        There is no such file or folder, one that cannot be read, or no recording in any.
    """
    found, named = False, [str(path) for path in paths]
    for path in _files(named):
        for one in _read_archive(path) if path.name.endswith(ARCHIVE_SUFFIX) else [(path.name, load(path))]:
            found = True
            yield one
    if not found:
        raise BadInput(
            f"no recording found in {', '.join(named)}: give files ({', '.join(_SUFFIXES)}) or folders of them"
        )


def pack(recordings: Iterable[RecordingJson]) -> bytes:
    """Return the archive of recordings, ordered by their names.

    Raises
    ------
    BadInput
        A recording without a name, or two of one name.
    """
    by_name: dict[str, RecordingJson] = {}
    for one in recordings:
        name = one.get("name")
        if not isinstance(name, str) or not name:
            raise BadInput(f"a recording in an archive needs a name, not {name!r:.60}")
        if name in by_name:
            raise BadInput(f"two recordings have the name {name!r}: rename one")
        by_name[name] = one
    lines = (json.dumps(by_name[name], separators=(",", ":")) + "\n" for name in sorted(by_name))
    return lzma.compress("".join(lines).encode("ascii"), preset=6)


def _read_archive(path: Path) -> Iterator[tuple[str, RecordingJson]]:
    try:
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                recording = _checked(json.loads(line), f"{path}, line {number}")
                yield f"{path.name}:{recording.get('name', number)}", recording
    except (OSError, ValueError, EOFError, RecursionError, lzma.LZMAError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path}: cannot be read as an archive of recordings: {error}") from None


def _checked(data: object, where: str) -> RecordingJson:
    if not isinstance(data, dict) or not isinstance(data.get("steps"), list):
        raise BadInput(f"{where}: not a recording: an object with steps was expected")
    return cast("RecordingJson", data)


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.name.endswith(_SUFFIXES))
        elif path.exists():
            yield path
        else:
            raise BadInput(f"{path}: there is no such file or folder")
