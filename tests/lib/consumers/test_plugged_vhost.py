"""A vhost device's region table: the messages its back end gets, and the abort."""

import pytest

from workbook.lib.consumers.plugged_vhost import PluggedVhost, backends
from workbook.lib.consumers.vhost_backend import VhostBackend
from workbook.lib.errors import Abort
from workbook.lib.memory.flatview import FlatRange
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.scenario import VhostDevice
from workbook.lib.size import GiB, KiB

MEM0 = MemoryRegion.ram("mem0", 8 * GiB, has_fd=True)
SLOTS = [FlatRange(i * GiB, GiB, MEM0, i * GiB, unmergeable=True) for i in range(8)]
RING = 128 * 16
"""Bytes of a descriptor table of 128 entries."""


def device(
    *, slots: int | None = 64, boot: int = 2, driver: str = "vhost-user-fs-pci", kernel: bool = False
) -> PluggedVhost:
    spec = VhostDevice(id="vu0", driver=driver, slots=slots, kernel=kernel)
    plugged = PluggedVhost(spec, VhostBackend("vu0", slots or 8, kernel=kernel), boot_regions=boot)
    plugged.connect()
    return plugged


def test_connecting_asks_for_the_limit() -> None:
    """A back end with CONFIGURE_MEM_SLOTS is asked once for its limit, others never."""
    assert device().shown_messages() == {"GET_MAX_MEM_SLOTS": 1}
    assert device(slots=None).shown_messages() == {}
    assert device(kernel=True).shown_messages() == {}


@pytest.mark.parametrize(
    ("driver", "tries"), [("vhost-user-rng-pci", 1), ("vhost-user-blk-pci", 4), ("vhost-user-scsi-pci", 4)]
)
def test_refused_devices_connect_again(driver: str, tries: int) -> None:
    """blk and scsi try four times when they are refused, others once (measured)."""
    plugged = device(driver=driver)
    assert plugged.connections == 1
    plugged.refused = True
    plugged.connect()
    assert plugged.connections == tries
    assert plugged.shown_messages() == {"GET_MAX_MEM_SLOTS": tries}


def test_nothing_is_sent_before_the_start() -> None:
    """A table that changes while the device is not started reaches no back end."""
    plugged = device()
    assert plugged.commit(tuple(SLOTS[:3]), one_transaction=True)
    assert plugged.used == 5
    assert (plugged.sent, plugged.shown_messages()) == (0, {"GET_MAX_MEM_SLOTS": 1})


def test_start_sends_boot_ram_and_slots() -> None:
    """At the start every region is added once."""
    plugged = device()
    plugged.commit(tuple(SLOTS[:3]), one_transaction=True)
    plugged.start(None)
    assert plugged.sent == 5
    assert plugged.shown_messages() == {"ADD_MEM_REG": 5, "GET_MAX_MEM_SLOTS": 1}


def test_differences_only() -> None:
    """A started device's back end is told what is new and what is gone; unmergeable slots are never sent again."""
    plugged = device()
    plugged.start(None)
    plugged.commit(tuple(SLOTS[:3]), one_transaction=True)
    plugged.commit((SLOTS[0], SLOTS[2], SLOTS[3]), one_transaction=True)
    assert plugged.sent == 5
    assert plugged.shown_messages() == {"ADD_MEM_REG": 2 + 3 + 1, "GET_MAX_MEM_SLOTS": 1, "REM_MEM_REG": 1}


def test_equal_tables_send_nothing() -> None:
    """A commit without a change is none."""
    plugged = device()
    plugged.start(None)
    plugged.commit(tuple(SLOTS[:3]), one_transaction=True)
    before = plugged.shown_messages()
    assert not plugged.commit(tuple(SLOTS[:3]), one_transaction=True)
    assert plugged.shown_messages() == before


@pytest.mark.parametrize(("one_transaction", "tables"), [(True, 1 + 1), (False, 1 + 3)])
def test_whole_tables(one_transaction: bool, tables: int) -> None:
    """Without CONFIGURE_MEM_SLOTS each transaction sends the whole table: merged one per request, RFC one per slot."""
    plugged = device(slots=None)
    plugged.start(None)
    plugged.commit(tuple(SLOTS[:3]), one_transaction=one_transaction)
    assert plugged.shown_messages() == {"SET_MEM_TABLE": tables}
    assert plugged.sent == plugged.used == 5


def test_a_reset_stops_without_a_message() -> None:
    """A stopped device keeps its table and hears of nothing until it is started again."""
    plugged = device()
    plugged.commit(tuple(SLOTS[:3]), one_transaction=True)
    plugged.start(None)
    plugged.stop()
    before = plugged.shown_messages()
    plugged.commit(tuple(SLOTS[:1]), one_transaction=True)
    assert plugged.shown_messages() == before
    plugged.start(None)
    assert plugged.shown_messages() == before | {"REM_MEM_REG": 2}


def test_removal_forgets_every_region() -> None:
    """A started back end is told to remove everything it knows, one that is not started nothing."""
    plugged, idle = device(), device()
    for one in (plugged, idle):
        one.commit(tuple(SLOTS[:3]), one_transaction=True)
    plugged.start(None)
    plugged.remove(stopped_first=False)
    idle.remove(stopped_first=False)
    assert plugged.shown_messages()["REM_MEM_REG"] == 5
    assert idle.shown_messages() == {"GET_MAX_MEM_SLOTS": 1}


@pytest.mark.parametrize("ring", [0, GiB, 2 * GiB - RING, 64 * GiB, None])
def test_ring_in_one_slot(ring: int | None) -> None:
    """A ring inside one region, or outside all of them, lives through changes."""
    plugged = device()
    plugged.commit(tuple(SLOTS[:3]), one_transaction=True)
    plugged.start(ring)
    assert plugged.commit(tuple(SLOTS[:4]), one_transaction=True)


@pytest.mark.parametrize(("ring", "region"), [(GiB - 16, 2), (GiB - RING + 16, 2), (2 * GiB - 4 * KiB + RING + 16, 3)])
def test_ring_across_a_border_aborts_at_the_next_change(ring: int, region: int) -> None:
    """Measured: a ring over a slot border starts fine; the next change of the table kills QEMU with these lines."""
    plugged = device(boot=2)
    plugged.commit(tuple(SLOTS[:3]), one_transaction=True)
    plugged.start(ring)
    with pytest.raises(Abort) as caught:
        plugged.commit(tuple(SLOTS[:4]), one_transaction=True)
    assert caught.value.message == f"Unable to map descriptor table for ring 0\nVerify ring failure on region {region}"


def test_backends_in_use() -> None:
    """Refused and removed devices limit nothing."""
    devices = [device(), device(), device()]
    devices[0].refused = True
    devices[1].removed = True
    assert backends(devices) == [devices[2].backend]
