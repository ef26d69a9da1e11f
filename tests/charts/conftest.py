"""Machines that charts are drawn of."""

import pytest
from pictured import COVER_LETTER, ONE_TIB, TWO_DEVICES, CoverLetter

from workbook.lib.machine.machine import Machine
from workbook.lib.machine.snapshot import Layout
from workbook.lib.size import GiB


@pytest.fixture
def cover_letter() -> CoverLetter:
    """The cover letter's VM after so many bytes were requested and the guest has followed."""

    def at(requested: int) -> Layout:
        machine = Machine.from_qemu_args(COVER_LETTER, rules="rfc-2021", kvm_slots=32764)
        machine.request_size("vm0", requested)
        machine.settle("vm0")
        return machine.picture

    return at


@pytest.fixture
def fragmented() -> Layout:
    """A 1 TiB device of 1,024 memslots, 300 of them mapped: full, partly plugged and empty ones."""
    machine = Machine.from_qemu_args(ONE_TIB, rules="rfc-2021", kvm_slots=32764)
    machine.request_size("vm0", 300 * GiB)
    for number in range(0, 299, 2):
        machine.plug("vm0", number * GiB, GiB + number % 7 * (64 << 20))
    return machine.picture


@pytest.fixture
def two_devices() -> Layout:
    """A DIMM, two virtio-mem devices, and a vhost-user back end with 64 memslots."""
    machine = Machine.from_qemu_args(TWO_DEVICES, rules="rfc-2021", kvm_slots=32764, vhost_slots={"vu0": 64})
    for name, size in (("vm0", 10 * GiB), ("vm1", 3 * GiB)):
        machine.request_size(name, size)
        machine.settle(name)
    return machine.picture
