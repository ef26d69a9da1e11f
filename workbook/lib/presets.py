"""Presets: scenarios worth starting from, each with where it comes from."""

from dataclasses import dataclass, replace
from typing import Final

from .scenario import Action, MemoryBackend, Scenario, VirtioMem
from .size import GiB, TiB

__all__ = ("PRESETS", "Preset", "cover_letter")


@dataclass(frozen=True, slots=True)
class Preset:
    """A scenario with a title, what it shows, and its source."""

    title: str
    scenario: Scenario
    shows: str
    source: str


def cover_letter(*actions: Action) -> Scenario:
    """Return the cover letter's VM: a 500 GiB device in 1037 GiB of device memory at 5 GiB (facts A.16)."""
    return Scenario(
        chipset="pc",
        ram=4 * GiB,
        maxmem=TiB,
        ram_slots=17,
        backends=(MemoryBackend(id="mem0", size=500 * GiB),),
        devices=(VirtioMem(id="vm0", memdev="mem0", dynamic_memslots=True),),
        actions=actions,
        rules="rfc-2021",
    )


def _request(size: int) -> Action:
    return Action(op="request_size", dev="vm0", size=size)


_MAIL: Final = "cover letter, 20211013103330.26869-1-david@redhat.com"
_TO_20: Final = (_request(2 * GiB), _request(20 * GiB))
_SETTLE: Final = Action(op="settle", dev="vm0")

PRESETS: Final[dict[str, Preset]] = {
    "cover-letter": Preset("Cover letter: nothing requested", cover_letter(), "no memslot at all", _MAIL),
    "cover-letter-2g": Preset(
        "Cover letter: 2 GiB requested", cover_letter(_request(2 * GiB)), "3 memslots of 1 GiB", _MAIL
    ),
    "cover-letter-20g": Preset("Cover letter: 20 GiB requested", cover_letter(*_TO_20), "21 memslots of 1 GiB", _MAIL),
    "cover-letter-reboot": Preset(
        "Cover letter: 5 GiB requested, rebooted",
        cover_letter(*_TO_20, _request(5 * GiB), Action(op="reset")),
        "6 memslots: the usable region shrinks with a reboot only",
        _MAIL,
    ),
    "one-tib": Preset(
        "1 TiB device, 1 GiB requested",
        replace(
            cover_letter(_request(GiB), _SETTLE),
            maxmem=4 * GiB + TiB,
            ram_slots=0,
            chipset="q35",
            backends=(MemoryBackend(id="mem0", size=TiB),),
        ),
        "what the series is for: more than 2 GiB of metadata with one memslot",
        _MAIL,
    ),
}
"""Presets by name."""
