"""Rule sets by QEMU version: the names that a user gives, and the version that a recording says."""

import re
from functools import lru_cache
from typing import Final

from workbook.lib.errors import BadInput
from workbook.lib.scenario import DEFAULT_RULES

from .base import RuleSet
from .behaviour import OLDEST, Version, behaviour_of
from .qemu82 import DynamicMemslots
from .single import BeforeDynamicMemslots

__all__ = ("NEWEST", "QEMU_RELEASES", "qemu_rules", "version_in")

NEWEST: Final = "qemu-11"
_NAMED: Final[dict[str, Version]] = {
    "qemu-6.2": (6, 2, 0),
    "qemu-7.0": (7, 0, 0),
    "qemu-7.1": (7, 1, 0),
    "qemu-7.2": (7, 2, 0),
    "qemu-8.0": (8, 0, 0),
    "qemu-8.1": (8, 1, 0),
    "qemu-8.2": (8, 2, 0),
    "qemu-9.0": (9, 0, 0),
    "qemu-9.1": (9, 1, 0),
    "qemu-9.2": (9, 2, 0),
    # with the fix of 10.0.3, and a virtqueue across a border as before 10.0.13
    "qemu-10.0": (10, 0, 12),
    "qemu-10.1": (10, 1, 0),
    "qemu-10.2": (10, 2, 0),
    "qemu-11": (11, 1, 0),
}
QEMU_RELEASES: Final = tuple(_NAMED)
"""Names of the releases, oldest first; each with a patch level is a name too, such as ``qemu-10.0.2``."""
_FULL = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?![\d.])")


def version_in(text: str) -> Version | None:
    """Return the version at the start of a text such as ``10.0.2 (Debian 1:10.0.2+ds-2)``; None if there is none.

    Without a patch level it is that of the release's rule set.
    """
    found = _FULL.match(text)
    if found is None:
        return None
    major, minor, patch = found.groups()
    if patch is None:
        return _NAMED.get(f"qemu-{int(major)}.{int(minor)}", (int(major), int(minor), 0))
    return int(major), int(minor), int(patch)


@lru_cache(maxsize=256)
def qemu_rules(name: str) -> RuleSet:
    """Return the rule set of a release, or of one patch level of it: ``qemu-10.0``, ``qemu-10.0.2``, ``qemu-11``.

    Raises
    ------
    BadInput
        Not such a name, or a QEMU older than 6.2.
    """
    version = _NAMED.get(name) or version_in(name.removeprefix("qemu-"))
    if version is None or not name.startswith("qemu-"):
        raise BadInput(f"{name!r:.60} is no QEMU version: give {DEFAULT_RULES}, or a patch level as {DEFAULT_RULES}.2")
    if version < OLDEST:
        raise BadInput(f"rule set {name!r:.60}: QEMU before 6.2 is not modelled, give {QEMU_RELEASES[0]} or newer")
    behaviour = behaviour_of(version)
    if behaviour.dynamic_memslots:
        return DynamicMemslots(behaviour, name)
    return BeforeDynamicMemslots(behaviour, name)
