"""The catalogue: nothing that QEMU knows by name is left out of the lists of what matters and what does not."""

from workbook.lib.qemu_args import catalogue_data as data, device_lists as lists
from workbook.lib.qemu_args.objects import HARMLESS_OBJECTS, UNMODELLED_OBJECTS
from workbook.lib.qemu_args.options import HARMLESS_OPTIONS, UNMODELLED_OPTIONS

READ_OPTIONS = frozenset(
    "m machine M smp accel enable-kvm usb usbdevice cpu object device netdev nic net numa global set vga bios pflash "
    "drive option-rom mem-path nodefaults incoming mem-prealloc h help version readconfig".split()
)


def test_every_device_is_on_a_list() -> None:
    """Every device is modelled, on a list by name, or has a note."""
    listed = lists.DISPLAYS | lists.NETWORK_CARDS | lists.OTHER_FIXTURES | lists.PCI_BRIDGES | lists.HARMLESS_DEVICES
    listed |= lists.MODELLED_DEVICES | lists.VFIO | set(lists.UNMODELLED_DEVICES) | set(lists.TAKES_MEMORY)
    assert {one for one in data.DEVICES if lists.vhost_kind(one) is None} <= listed


def test_every_option_is_on_a_list() -> None:
    """Every option is read, cannot matter, or has a note."""
    assert set(data.OPTIONS) <= READ_OPTIONS | set(HARMLESS_OPTIONS) | set(UNMODELLED_OPTIONS)


def test_every_object_is_on_a_list() -> None:
    """Every object is a memory backend, cannot matter, or has a note."""
    backends = {one for one in data.OBJECTS if one.startswith("memory-backend-")}
    assert set(data.OBJECTS) <= backends | HARMLESS_OBJECTS | set(UNMODELLED_OBJECTS)
