"""The VMs of one node: sums now and at worst, beside the overhead of KubeVirt's pods."""

import pytest

from workbook.batch import node_view
from workbook.batch.made_up_fleet import made_up_vm
from workbook.cli.check import main
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, MiB

LINE = (
    "qemu-system-x86_64 -accel kvm -m 64G,maxmem=256G -object memory-backend-ram,id=mem0,size=192G "
    "-device virtio-mem-pci,id=vm0,memdev=mem0"
)
DYNAMIC = f"{LINE},dynamic-memslots=on"


def test_one_memslot_costs_the_same_at_any_time_but_for_a_nested_guest() -> None:
    """A device of 192 GiB in one memslot on Debian 12: 96.6 MiB at once, 482 MiB after a nested guest."""
    (vm,) = node_view([LINE], kvm=KvmHost.named("debian-12")).vms
    assert (vm.memory, vm.most) == (64 * GiB, 256 * GiB)
    assert (round(vm.metadata / MiB, 1), round(vm.worst_metadata / MiB)) == (96.6, 482)
    assert (vm.memslots, vm.worst_memslots) == (1, 1)


def test_memslots_on_demand_cost_nothing_before_they_are_needed() -> None:
    """Nothing plugged costs nothing; at worst it is what one memslot costs, and the rounding of many."""
    one, many = node_view([LINE, DYNAMIC]).vms
    assert (many.memslots, many.metadata) == (0, 0)
    assert many.worst_memslots > 1
    assert many.worst_metadata >= one.worst_metadata


def test_sums_and_what_kubevirt_does_not_reckon_with() -> None:
    """The sum counts what can be counted; a pod whose page-table allowance is below its worst case is named."""
    kubevirt = next(vm for vm in map(made_up_vm, range(200)) if vm.form == "kubevirt" and not vm.mistake)
    view = node_view([LINE, (kubevirt.name, kubevirt.text), ("odd", "hello")], kvm=KvmHost.named("debian-12"))
    line, pod, odd = view.vms
    assert view.total.worst_metadata == line.worst_metadata + pod.worst_metadata
    assert pod.overhead is not None
    assert view.overhead == pod.overhead.total
    assert pod in view.exceeding
    assert "hello" in odd.problem
    text = str(view)
    assert "1 of their VMs can need more" in text
    assert f"not counted: odd: {odd.problem}" in text


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """``check --node`` prints it, and is not content with a VM that it cannot count."""
    assert main([LINE, "--node"]) == 0
    assert "KVM's metadata of memory devices" in capsys.readouterr().out
    assert main(["hello -x", "--node"]) == 2


def test_a_ratio_below_one() -> None:
    """KubeVirt's webhook does not take it either."""
    with pytest.raises(BadInput, match=r"ratio is 0\.5"):
        node_view([LINE], ratio=0.5)
