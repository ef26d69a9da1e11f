"""What memory regions cost vhost back ends and QEMU's list of memslots."""

import pytest

from workbook.lib.cost.qemu import kvm_slots_array
from workbook.lib.cost.vhost import set_mem_table_messages, vhost_table
from workbook.lib.errors import BadInput


def test_tables_of_back_ends() -> None:
    """The kernel pays 96 bytes a region and builds all anew, libvhost-user a VMA, rust-vmm a VMA and a descriptor."""
    kernel, libvhost, rust = (vhost_table(program, 256) for program in ("kernel", "libvhost-user", "rust-vmm"))
    assert (kernel.cost.total, kernel.vmas, kernel.fds, kernel.copied_per_update) == (256 * 96, 0, 0, 256 * 128)
    assert (libvhost.cost.total, libvhost.vmas, libvhost.fds) == (509 * 40, 256, 0)
    assert (rust.vmas, rust.fds) == (256, 256)


def test_messages() -> None:
    """One message for up to 8 regions, or one for each."""
    assert set_mem_table_messages(8, configure_mem_slots=False) == (1, 8)
    assert set_mem_table_messages(256, configure_mem_slots=True) == (256, 256)
    with pytest.raises(BadInput, match="it takes 8"):
        set_mem_table_messages(9, configure_mem_slots=False)


@pytest.mark.parametrize(
    ("slots", "entries"), [(0, 16), (16, 16), (17, 32), (257, 512), (16_385, 32_764), (32_764, 32_764)]
)
def test_memslot_list_of_qemu(slots: int, entries: int) -> None:
    """QEMU 9.2 and later doubles its list from 16 entries of 88 bytes up to the limit; before, it has the limit."""
    assert kvm_slots_array(slots) == 88 * entries
    assert kvm_slots_array(slots, grows=False) == 88 * 32_764


def test_bad_input() -> None:
    """What cannot be is refused in a line."""
    for call in (
        lambda: vhost_table("kernel", -1),
        lambda: vhost_table("dpdk", 1),  # type: ignore[arg-type]  # the point of it
        lambda: kvm_slots_array(510, limit=509),
    ):
        with pytest.raises(BadInput):
            call()
