"""Plug order: who comes first, and what each back end reports."""

import pytest

from workbook.lib.errors import BadInput
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.plug_order import PROGRAMS, added, moved, places, removed, reporting
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.scenario import Scenario, VfioDevice, VhostDevice

TWO = SETTINGS["devices"].put(PRESETS["kata-virtiofsd"].scenario, 2, None)


def names(scenario: Scenario) -> list[str]:
    """The devices' names in order."""
    return [one.name for one in places(scenario)]


def test_a_back_end_between_two_devices() -> None:
    """A back end can be plugged in between; behind a device that decided already, a small one is refused."""
    assert names(TWO) == ["vu0", "vm0", "vm1"]
    between = moved(TWO, 0, 1)
    assert names(between) == ["vm0", "vu0", "vm1"]
    assert Outcome.of(reporting(between, 1, "8")).problem is not None
    assert Outcome.of(reporting(between, 1, "509")).problem is None
    assert moved(moved(between, 1, 5), 2, -9) == TWO


def test_several_back_ends() -> None:
    """A new back end comes last and has said nothing: 8 are assumed, and said to be."""
    vm = added(TWO, "vhost")
    assert names(vm) == ["vu0", "vm0", "vm1", "vu1"]
    new = places(vm)[-1]
    assert (new.limit, new.assumed) == ("", 8)
    assert places(vm)[0].limit == "509"
    assert removed(vm, 3) == TWO
    assert SETTINGS["vhost_slots"].get(SETTINGS["vhost_slots"].put(vm, 64, "vu1"), "vu0") == 509


@pytest.mark.parametrize(
    ("text", "slots"), [("1,024", 1024), (" 32 ", 32), ("virtiofsd-1.10", 509), ("dpdk", None), ("", None)]
)
def test_a_report_is_a_number_or_a_program(text: str, slots: int | None) -> None:
    """A limit is typed, or the program that has it is named; nothing takes the report back."""
    device = reporting(TWO, 0, text).devices[0]
    assert isinstance(device, VhostDevice)
    assert device.slots == slots


def test_every_program_offered_can_be_chosen() -> None:
    """What the field offers is what it takes."""
    for name in PROGRAMS:
        reporting(TWO, 0, name)


def test_vfio_takes_part() -> None:
    """A host device is one more device; it is said to be from source, as nobody measured it here."""
    vm = added(TWO, "vfio")
    assert isinstance(vm.devices[-1], VfioDevice)
    assert "from source" in places(vm)[-1].what
    assert Outcome.of(vm).problem is None


def test_what_cannot_be_is_a_line() -> None:
    """A device that is not there, one with memory, and a program that nobody knows are named."""
    for call, words in (
        (lambda: moved(TWO, 7, 1), "no device 7"),
        (lambda: removed(TWO, 1), "has memory"),
        (lambda: reporting(TWO, 1, "8"), "no vhost back end"),
        (lambda: reporting(TWO, 0, "nfsd"), "virtiofsd"),
        (lambda: reporting(TWO, 0, "-1"), "'-1'"),
        (lambda: added(TWO, "floppy"), "vhost or vfio"),
    ):
        with pytest.raises(BadInput, match=words):
            call()
