"""``-cpu ...,-apic``: no kvmvapic, whatever VM the process has looked at before."""

from workbook.lib import Machine

LINE = "qemu-system-x86_64 -accel kvm -m 4G -cpu qemu64{}"


def test_memslots_without_apic_do_not_depend_on_the_machine_before() -> None:
    """Two VMs that differ in the APIC alone do not share what was counted for one of them."""
    with_apic, without = (Machine.from_qemu_args(LINE.format(one)).kvm_used for one in ("", ",-apic"))
    assert with_apic[0] - without[0] == 2
