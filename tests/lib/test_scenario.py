"""Scenarios as values and as JSON."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from strategies import scenarios

from workbook.lib.actions import Plug, Reset
from workbook.lib.errors import BadInput
from workbook.lib.scenario import Dimm, MemoryBackend, Pmem, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB, MiB

FULL = Scenario(
    machine_version=(6, 1),
    maxmem=20 * GiB,
    backends=(MemoryBackend(id="mem0", size=8 * GiB, kind="memfd", share=True),),
    devices=(
        VirtioMem(id="vm0", memdev="mem0", requested_size=GiB, dynamic_memslots=True),
        Dimm(id=None, memdev="mem1"),
        Pmem(id="p", memdev="mem2"),
        VhostDevice(id="vu0", slots=64),
    ),
    actions=(Plug(dev="vm0", size=2 * MiB), Reset()),
)


def test_round_trip() -> None:
    """What is written reads back equal, in one line."""
    text = FULL.to_json()
    assert "\n" not in text
    assert Scenario.from_json(text) == FULL


@given(scenarios())
def test_round_trip_of_any(scenario: Scenario) -> None:
    """Any scenario survives JSON."""
    assert Scenario.from_json(scenario.to_json()) == scenario


def test_defaults_are_left_out() -> None:
    """The default scenario is an empty object."""
    assert json.loads(Scenario().to_json()) == {}
    assert Scenario.from_json("{}") == Scenario()


def test_where_is_not_compared() -> None:
    """Where a device was written is no part of what it is."""
    device = VirtioMem(id="vm0", memdev="mem0")
    assert replace(device, where="-device virtio-mem-pci,id=vm0,memdev=mem0") == device


def test_with_device() -> None:
    """One device is replaced by id, the rest stays."""
    changed = FULL.with_device("vm0", requested_size=2 * GiB)
    assert changed.device("vm0") == replace(FULL.devices[0], requested_size=2 * GiB)
    assert changed.devices[1:] == FULL.devices[1:]


def test_device_memory() -> None:
    """D is what -m leaves for devices."""
    assert (FULL.has_device_memory, FULL.device_memory_size) == (True, 16 * GiB)
    assert not Scenario().has_device_memory


def test_lookup() -> None:
    """Backends and devices are found by id."""
    assert FULL.backend("mem0") is FULL.backends[0]
    assert FULL.device("vu0") is FULL.devices[3]
    assert FULL.backend("x") is FULL.device("x") is None


@pytest.mark.parametrize(
    ("kind", "page_size", "alignment"),
    [("ram", 4 * KiB, 2 * MiB), ("memfd", 4 * KiB, 4 * KiB), ("memfd", 2 * MiB, 2 * MiB), ("file", GiB, GiB)],
)
def test_alignment(kind: Any, page_size: int, alignment: int) -> None:
    """Anonymous RAM is aligned to 2 MiB, a file to its page size (util/oslib-posix.c, system/physmem.c; x86)."""
    backend = MemoryBackend(id="m", size=GiB, kind=kind, page_size=page_size, mem_path="/x")
    assert backend.alignment == alignment
    assert backend.has_fd is (kind != "ram")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "not a saved scenario"),
        ("nonsense", "not a saved scenario"),
        ("[" * 100_000, "not a saved scenario"),
        ('{"ram": ' + "9" * 5000 + "}", "not a saved scenario"),
        ("[]", "scenario must be an object"),
        ("5", "scenario must be an object"),
        ('{"foo": 1}', "scenario has no field 'foo': known are chipset"),
        ('{"ram": "4G"}', "scenario.ram must be int, not '4G'"),
        ('{"ram": true}', "scenario.ram must be int, not True"),
        ('{"ram": 1.5}', "scenario.ram must be int"),
        ('{"ram": NaN}', "scenario.ram must be int"),
        ('{"ram": -1}', "ram is out of range"),
        ('{"ram": 18446744073709551616}', "ram is out of range"),
        ('{"phys_bits": 1000000000}', "phys_bits is out of range: 32"),
        ('{"kvm_slots": 0}', "kvm_slots is out of range: 1"),
        ('{"chipset": "microvm"}', "scenario.chipset is 'microvm': allowed are 'q35', 'pc'"),
        ('{"chipset": []}', "scenario.chipset is []"),
        ('{"machine_version": [6]}', "scenario.machine_version must have 2 entries, not 1"),
        ('{"machine_version": [6, "1"]}', "scenario.machine_version[1] must be int"),
        ('{"machine_version": "6.1"}', "scenario.machine_version must be a list"),
        ('{"devices": [{}]}', "scenario.devices[0] needs a type, one of virtio-mem"),
        ('{"devices": [5]}', "scenario.devices[0] needs a type"),
        ('{"devices": [{"type": []}]}', "scenario.devices[0] needs a type"),
        ('{"devices": [{"type": "virtio-mem", "id": "a"}]}', "scenario.devices[0] lacks the field 'memdev'"),
        ('{"devices": [{"type": "dimm", "id": "a", "memdev": "m", "slot": 4294967296}]}', "device 'a': slot is out of"),
        ('{"backends": [{"id": "m"}]}', "scenario.backends[0] lacks the field 'size'"),
        ('{"backends": [{"id": "m", "size": 1, "page_size": 3000}]}', "memory backend 'm': page_size is 3000"),
        ('{"backends": [{"id": "m", "size": 1, "page_size": 0}]}', "memory backend 'm': page_size is 0"),
        ('{"actions": [{"op": "plug", "dev": "a", "size": -1}]}', "action 'plug': size is out of range"),
    ],
)
def test_bad_json(text: str, line: str) -> None:
    """What cannot be read names the field, the value and what is allowed, in one line."""
    with pytest.raises(BadInput) as caught:
        Scenario.from_json(text)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
