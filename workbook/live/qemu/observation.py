"""What a running QEMU shows about its device memory, as one step of a recording holds it.

Formats: `info mtree` and `info mtree -f` (system/memory.c), `info memory-devices` (hw/core/machine-hmp-cmds.c),
`query-memory-devices` (qapi/machine.json); QEMU 10.0.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final, Protocol

from workbook.lib.json_codec import JsonObject
from workbook.lib.recording.format import MappedMemslots, View
from workbook.live.guest.vhost_user import VhostUserBackend
from workbook.live.guest.virtio import VirtioMemDriver

from .kvm_trace import KvmTrace

__all__ = ("device_key", "observe")

_REGION = re.compile(r"(?P<indent> *)(?P<start>[0-9a-f]{16})-(?P<end>[0-9a-f]{16}) \(prio ")
_ALIAS = re.compile(r"\): alias (?:virtio-mem-)?memslot-(?P<index>\d+) @")
_CONTAINER: Final = "): device-memory"
_VIEW: Final = 'AS "memory", root: system'

_COMMANDS: Final = (
    ("human-monitor-command", {"command-line": "info mtree"}),
    ("human-monitor-command", {"command-line": "info mtree -f"}),
    ("query-memory-devices", None),
    ("human-monitor-command", {"command-line": "info memory-devices"}),
    ("query-memory-size-summary", None),
)


class Queried(Protocol):
    """A QMP connection, or a proxy for one."""

    def execute_all(self, commands: Iterable[tuple[str, Mapping[str, object] | None]]) -> list[Any]:
        """Run several commands in order."""


def device_key(device: Mapping[str, Any]) -> str:
    """Name of a memory device of `query-memory-devices`: its id, without one its backend's."""
    data = device["data"]
    return str(data.get("id") or data.get("memdev", "").rpartition("/")[2])


def observe(
    qmp: Queried,
    drivers: Mapping[str, VirtioMemDriver],
    trace: KvmTrace | None,
    backends: Mapping[str, VhostUserBackend],
) -> View:
    """Look at everything once.

    Parameters
    ----------
    qmp
        Connection to the QEMU.
    drivers
        The drivers of its virtio-mem devices by name, to read their configuration space.
    trace
        KVM's memslots; ``None`` where KVM is not used, then there is no ``kvm``.
    backends
        The vhost-user backends by device id; with none there is no ``vhost``.
    """
    mtree, flat, devices, info, summary = qmp.execute_all(_COMMANDS)
    tree, start, end = _device_memory(mtree.splitlines())
    return View(
        info_mtree=tuple(tree),
        info_mtree_flat=tuple(_flat_view(flat.splitlines(), start, end)),
        memory_devices=tuple(map(JsonObject, devices)),
        info_memory_devices=tuple(info.splitlines()),
        memory_size_summary=summary,
        mapped_memslots={device_key(device): _mapped(tree, device["data"]) for device in devices},
        config_space={name: asdict(driver.config_space()) for name, driver in drivers.items()},
        kvm=None if trace is None else trace.snapshot(start, end),
        vhost={name: backend.snapshot() for name, backend in backends.items()},
    )


def _device_memory(lines: list[str]) -> tuple[list[str], int, int]:
    """Subtree of the device-memory container, its root not indented, and its range (`end` is exclusive)."""
    tree: list[str] = []
    root_indent = start = end = 0
    for line in lines:
        match = _REGION.match(line)
        if not tree:
            if match is not None and line.endswith(_CONTAINER):
                root_indent, start, end = len(match["indent"]), int(match["start"], 16), int(match["end"], 16) + 1
                tree.append(line[root_indent:])
        elif match is not None and len(match["indent"]) > root_indent:
            tree.append(line[root_indent:])
        else:
            break
    return tree, start, end


def _flat_view(lines: list[str], start: int, end: int) -> list[str]:
    """Ranges within [start, end) of the CPU's view of memory, not indented."""
    ranges: list[str] = []
    inside = False
    for line in lines:
        if line.startswith("FlatView #"):
            inside = False
        elif line.strip() == _VIEW:
            inside = True
        elif inside and (match := _REGION.match(line)) is not None and start <= int(match["start"], 16) < end:
            ranges.append(line.strip())
    return ranges


def _mapped(tree: list[str], device: Mapping[str, Any]) -> MappedMemslots:
    """Memslots mapped now in a device's range: how many, their numbers, and the size of the largest.

    RAM that is mapped as a whole counts as one memslot without a number.
    """
    first = device.get("memaddr", device.get("addr", 0))
    after = first + device.get("max-size", device.get("size", 0))
    index: list[int | None] = []
    largest: int | None = None
    for line in tree[1:]:
        match = _REGION.match(line)
        assert match is not None
        start, end = int(match["start"], 16), int(match["end"], 16) + 1
        if not first <= start < after or ", i/o)" in line:
            continue
        alias = _ALIAS.search(line)
        index.append(int(alias["index"]) if alias is not None else None)
        largest = max(largest or 0, end - start)
    return MappedMemslots(count=len(index), index=tuple(index), memslot_size=largest)
