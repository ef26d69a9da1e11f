"""The four `info mtree` outputs of the RFC's cover letter, byte for byte."""

from pathlib import Path

import pytest

from workbook.lib.machine.machine import Machine
from workbook.lib.size import GiB

MAIL = Path(__file__).parents[3] / "data" / "cover-letter"
DEVICE = "-object memory-backend-ram,id=mem0,size=500G -device virtio-mem-pci,id=vm0,memdev=mem0"
CPU = "-cpu qemu64,vendor=GenuineIntel,phys-bits=48"
MACHINES = (f"{CPU} -machine pc -m 4G,slots=17,maxmem=1T", f"{CPU} -machine q35 -m 3G,slots=16,maxmem=1T")
GIB_REQUESTED = (0, 2, 20)


def mail(step: str) -> str:
    return (MAIL / f"{step}.txt").read_text(encoding="ascii")


@pytest.fixture(params=MACHINES, ids=("pc", "q35"))
def memory(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=("", "-accel kvm", "-accel tcg"), ids=("default", "kvm", "tcg"))
def vm(request: pytest.FixtureRequest, memory: str) -> Machine:
    return Machine.from_qemu_args(f"qemu-system-x86_64 {request.param} {memory} {DEVICE}", rules="rfc-2021")


def test_all_four_steps(vm: Machine) -> None:
    """Plug 500 GiB, request 2, 20 and 5 GiB, reboot: each tree equals the mail's to the byte."""
    assert vm.info_mtree() + "\n" == mail("0")
    vm.request_size("vm0", 2 * GiB)
    assert vm.info_mtree() + "\n" == mail("2")
    vm.request_size("vm0", 20 * GiB)
    assert vm.info_mtree() + "\n" == mail("20")
    vm.request_size("vm0", 5 * GiB)
    assert vm.info_mtree() + "\n" == mail("20"), "a smaller request alone changes nothing"
    vm.reset()
    assert vm.info_mtree() + "\n" == mail("5-reboot")


@pytest.mark.parametrize("requested", GIB_REQUESTED)
def test_started_with_the_request(memory: str, requested: int) -> None:
    """A machine started with requested-size shows the tree that a running one shows after the request."""
    vm = Machine.from_qemu_args(f"{memory} {DEVICE},requested-size={requested}G", rules="rfc-2021")
    assert vm.info_mtree() + "\n" == mail(str(requested))


def test_intended_heuristic_gives_the_same(memory: str) -> None:
    """The precedence slip does not show in the cover letter's VM: nothing is plugged before its only device."""
    vm = Machine.from_qemu_args(f"{memory} {DEVICE},requested-size=20G", rules="rfc-2021-intended")
    assert vm.info_mtree() + "\n" == mail("20")


def test_small_kvm_limit_shows(memory: str) -> None:
    """With KVM's old limit of 509 memslots the slots become 4 GiB: the mail's host had more."""
    vm = Machine.from_qemu_args(f"-accel kvm {memory} {DEVICE},requested-size=2G", rules="rfc-2021", kvm_slots=509)
    assert vm.info_mtree() + "\n" != mail("2")
    assert "alias virtio-mem-memslot-0 @mem0 0000000000000000-00000000ffffffff" in vm.info_mtree()
