"""Configuration files of ``-readconfig``: sections of options.

Source: ``qemu_config_foreach`` in util/qemu-config.c (QEMU 10.0).
"""

import re
from collections.abc import Iterator
from typing import Final

from workbook.lib.errors import BadInput

__all__ = ("config_sections", "is_config_file")

_SECTION: Final = re.compile(r'\[\s*([A-Za-z0-9_-]{1,63})(?:\s+"([^"]{0,63})")?\s*\]')
_VALUE: Final = re.compile(r'\s*([A-Za-z0-9_.-]{1,63})\s*=\s*"([^"]{0,1023})"\s*')


def is_config_file(text: str) -> bool:
    """Return whether a text looks like a configuration file: its first line of content opens a section."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return bool(_SECTION.fullmatch(first))


def config_sections(text: str, name: str) -> Iterator[tuple[str, str | None, dict[str, str]]]:
    """Yield the sections of a file: group, id (None without one), and the values by key.

    Raises
    ------
    BadInput
        A line that is no section, no value and no comment; it is named with its number.
    """
    section: tuple[str, str | None, dict[str, str]] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if match := _SECTION.fullmatch(line.strip()):
            if section is not None:
                yield section
            section = (match[1], match[2], {})
        elif (match := _VALUE.fullmatch(line)) and section is not None:
            section[2][match[1]] = match[2]
        else:
            raise BadInput(f'{name}:{number}: {line.strip()!r:.60} is neither [group "id"] nor key = "value"')
    if section is not None:
        yield section
