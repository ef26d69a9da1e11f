"""Pack recordings into an archive: ``python -m workbook.pack ARCHIVE.jsonl.xz FILE_OR_FOLDER...``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from workbook.lib.errors import BadInput
from workbook.recordings.files import ARCHIVE_SUFFIX, pack, read_all

from .atomic_write import write_atomically

__all__ = ("main",)


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.pack") -> int:
    """Pack what was named; return 2 for a bad call."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help=f"the archive to write, a name with {ARCHIVE_SUFFIX}")
    parser.add_argument("paths", nargs="+", type=Path, help="recordings, archives, or folders of them")
    options = parser.parse_args(arguments)
    try:
        if not options.archive.name.endswith(ARCHIVE_SUFFIX):
            raise BadInput(f"{options.archive} is no name for an archive: give one that ends in {ARCHIVE_SUFFIX}")
        recordings = [recording for _, recording in read_all(options.paths)]
        packed = pack(recordings)
        write_atomically(options.archive, packed)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.archive}: {len(recordings)} recordings, {len(packed)} bytes")
    return 0
