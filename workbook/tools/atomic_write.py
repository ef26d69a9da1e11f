"""Files that are always whole: the old content, or the new one, never a part of it."""

import os
import tempfile
from pathlib import Path

from workbook.lib.errors import BadInput

__all__ = ("check_writable", "write_atomically")


def check_writable(path: Path) -> None:
    """Refuse a file that could not be written, before anything is computed for it.

    Raises
    ------
    BadInput
        It is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise BadInput(f"{path} is a folder: give a file in it")
    if not path.parent.is_dir():
        raise BadInput(f"{path.parent} is not a folder: give a file in a folder that exists")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file in one step, or leave it as it was; text is written as UTF-8.

    Raises
    ------
    BadInput
        It cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}): give a file in a folder that exists") from error
