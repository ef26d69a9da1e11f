"""Compare two recordings of the same actions: a QEMU's with the model's prediction, or with another QEMU's."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from workbook.lib.json_codec import Json

from .format import RecordingJson

__all__ = ("NOT_COMPARED", "Difference", "compare", "without_kvm")

NOT_COMPARED: Final = frozenset({"seconds", "memory", "side", "action"})
"""Time and the bytes that the guest wrote are not predicted; side and action are input."""
_SHOWN: Final = 300
_MISSING: Final = "<not there>"
_DEPRECATED = re.compile(
    r"^warning: (?:Machine type '[^']*' is deprecated: |(?:TCG|host) doesn't support requested feature: ).*\n?",
    re.MULTILINE,
)
"""Follows from the age of the QEMU, or from the host's processor, alone."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of a step in which two recordings differ.

    Attributes
    ----------
    step
        Number of the step, from 0.
    field
        Name of the field.
    path
        Where in the field, such as ``kvm.live.0``; the field itself where it differs as a whole.
    recorded, shown
        The two values there.
    """

    step: int
    field: str
    path: str
    recorded: Json
    shown: Json

    def __str__(self) -> str:
        return self.told("predicted")

    def told(self, as_what: str) -> str:
        """Return it as a line; `as_what` says what the value beside the recorded one is."""
        return f"step {self.step} {self.path}: recorded {_short(self.recorded)}, {as_what} {_short(self.shown)}"


def _short(value: Json) -> str:
    text = _MISSING if value == _MISSING else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def compare(recorded: RecordingJson, shown: RecordingJson, *, both_ways: bool = False) -> list[Difference]:
    """Return every field of every step in which the two differ, in order.

    Parameters
    ----------
    recorded
        What was recorded: what it does not have is not asked for.
    shown
        A prediction of it, or another recording of the same actions.
    both_ways
        Nothing may be missing in `recorded` either, neither a field nor a step.
    """
    mine, theirs = recorded["steps"], shown["steps"]
    found = [
        one
        for number, (before, after) in enumerate(zip(mine, theirs, strict=False))
        for one in _compare_step(number, before, after, both_ways)
    ]
    if len(mine) > len(theirs):
        found.append(Difference(len(theirs), "step", "step", "is there", "is missing: QEMU had died"))
    elif both_ways and len(mine) < len(theirs):
        found.append(Difference(len(mine), "step", "step", "is missing: QEMU had died", "is there"))
    return found


def _compare_step(
    number: int, before: Mapping[str, Json], after: Mapping[str, Json], both_ways: bool
) -> Iterator[Difference]:
    names = [*before, *(key for key in after if key not in before)] if both_ways else list(before)
    for name in names:
        if name in NOT_COMPARED:
            continue
        old, new = before.get(name, _MISSING), after.get(name, _MISSING)
        if name == "kvm" and isinstance(new, Mapping) and isinstance(old, Mapping) and "ioctls" not in new:
            old = {key: value for key, value in old.items() if key != "ioctls"}
        if name in {"error", "stderr"}:
            old, new = _without_age(old), _without_age(new)
        if old != new and (both_ways or (old, new) != (None, _MISSING)):
            yield Difference(number, name, *_first(old, new, name))


def _without_age(text: Json) -> Json:
    return (_DEPRECATED.sub("", text).rstrip("\n") or _MISSING) if isinstance(text, str) else text


def _first(old: Json, new: Json, path: str) -> tuple[str, Json, Json]:
    """Return where two unequal values first differ, and what is there."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        pairs = [(key, old.get(key, _MISSING), new.get(key, _MISSING)) for key in keys]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(str(index), *both) for index, both in enumerate(zip(old, new, strict=True))]
    else:
        return path, old, new
    return next(_first(left, right, f"{path}.{key}") for key, left, right in pairs if left != right)


def without_kvm(recording: RecordingJson) -> RecordingJson:
    """Return a recording without what depends on KVM: the field ``kvm``, and the mark ``KVM`` in the flat view."""
    steps = []
    for step in recording["steps"]:
        kept = {key: value for key, value in step.items() if key != "kvm"}
        lines = kept.get("info_mtree_flat")
        if isinstance(lines, list):
            kept["info_mtree_flat"] = [line.removesuffix(" KVM") if isinstance(line, str) else line for line in lines]
        steps.append(kept)
    return {**recording, "steps": steps}
