"""What if: lines of the monitor tried on a copy."""

import pytest

from workbook.lib import Machine
from workbook.lib.actions import RequestSize, Settle
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB

LINE = (
    "qemu-system-x86_64 -M pc -accel kvm -m 4G,maxmem=20G,slots=2 "
    "-object memory-backend-memfd,id=mem0,size=8G -device virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"
)
MEMORY = "object_add memory-backend-ram,id=m9,size={}"
ADD = "device_add pc-dimm,id=d9,memdev=m9"


@pytest.fixture
def vm() -> Machine:
    return Machine.from_qemu_args(LINE)


def test_nothing_happens_to_the_machine(vm: Machine) -> None:
    """Whatever is tried, the machine is as it was."""
    before, flat = vm.info_mtree(), vm.info_mtree(flat=True)
    assert vm.what_if(MEMORY.format("1G"), ADD, "request-size vm0 4G", "settle vm0", "device_del d9") is None
    assert vm.what_if("request-size vm0 3") is not None
    assert (vm.info_mtree(), vm.info_mtree(flat=True), list(vm.backends)) == (before, flat, ["mem0"])
    assert vm.config_space("vm0")["plugged_size"] == 0


def test_a_refusal_is_a_value(vm: Machine) -> None:
    """What QEMU refuses comes back with its words, its numbers and the largest size that would do."""
    refusal = vm.what_if(MEMORY.format("9G"), ADD)
    assert refusal is not None
    assert str(refusal).startswith("not enough space, currently 0x200000000 in use of total space for memory devices")
    report = vm.what_if_report(MEMORY.format("9G"), ADD)
    assert report.refusal is not None
    assert report.numbers == tuple(refusal.reason)
    assert report.helps == ("at most 8 GiB is accepted instead of 9 GiB",)
    assert vm.what_if(MEMORY.format("8G"), ADD) is None
    assert "refused: not enough space" in str(report)


def test_a_late_back_end_needs_more_memslots(vm: Machine) -> None:
    """A vhost device after a device with several memslots: the smallest limit that is accepted is found by trying."""
    report = vm.what_if_report("device_add vhost-user-rng-pci,id=u,chardev=c")
    assert report.helps == ("a back end with 509 memslots is accepted",)


def test_before_and_after(vm: Machine) -> None:
    """A report has both layouts and the device's answers."""
    report = vm.what_if_report(RequestSize(dev="vm0", size=3 * GiB), Settle(dev="vm0"), "plug vm0 0 2M")
    assert [sum(one.used for one in layout.devices) for layout in (report.before, report.after)] == [0, 3]
    assert [str(one) for one in report.answers] == ["None", "None", "NACK"]
    assert report.refusal is None


@pytest.mark.parametrize(
    "line",
    [
        "(qemu) device_del vm0",
        '{"execute": "device_del", "arguments": {"id": "vm0"}}',
        '{"op": "device_del", "id": "vm0"}',
    ],
)
def test_lines_in_every_form(vm: Machine, line: str) -> None:
    """The monitor's line, QMP's JSON and a recording's action say the same."""
    vm.request_size("vm0", GiB)
    assert str(vm.what_if(line)) == "virtio-mem device cannot get unplugged while 'requested-size' != '0'"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "is no command that is known"),
        ("dance", "'dance' is no command"),
        ("plug vm0", "plug takes 3 to 3 arguments, not 1"),
        ("device_add", "device_add needs a driver"),
        ("{", "not a QMP command"),
        ('{"execute": "quit"}', "QMP command 'quit' is not known"),
        ('{"execute": "device_del"}', "needs 'id' as text"),
        ("request-size vm9 1G", "there is no memory device 'vm9'"),
        ("request-size vm0 many", "many"),
    ],
)
def test_bad_lines(vm: Machine, line: str, words: str) -> None:
    """A line that cannot be read is one clear line."""
    with pytest.raises(BadInput) as caught:
        vm.what_if(line)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
