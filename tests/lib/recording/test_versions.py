"""Recordings of four QEMUs for the rows of the version matrix: each is predicted by its own version's rules alone."""

import pytest

from workbook.data import FOLDER
from workbook.lib.recording import compare, predict
from workbook.recordings.files import read_all

RECORDINGS = {one["name"]: one for _, one in read_all([FOLDER / "recordings" / "qemu-versions.jsonl.xz"])}
NEIGHBOURS = [
    ("vhost-user-private-memfd-11.1.3", "qemu-10.2"),
    ("vhost-user-private-memfd-10.0.13", "qemu-11"),
    ("private-memfd-discard-11.1.3", "qemu-11.0"),
    ("private-memfd-discard-10.0.13", "qemu-11"),
    ("machine-type-3.1-11.1.3", "qemu-10.0"),
    ("machine-type-8.1-7.2.22", "qemu-8.1"),
    ("ring-across-a-border-10.0.2", "qemu-10.0.13"),
    ("ring-across-a-border-10.0.13", "qemu-10.0.12"),
    ("ring-across-a-border-11.1.3", "qemu-11.0"),
    ("vhost-removed-used-count-10.0.2", "qemu-10.0.3"),
    ("vhost-removed-used-count-10.0.13", "qemu-10.0.2"),
    ("memdev-odd-size-10.0.2", "qemu-8.2"),
    ("memdev-odd-block-7.2.22", "qemu-8.2"),
    ("shared-anonymous-ram-10.0.2", "qemu-9.2"),
    ("shared-anonymous-ram-7.2.22", "qemu-10.0"),
    ("device-del-plugged-10.0.2", "qemu-9.0"),
    ("device-del-plugged-7.2.22", "qemu-8.1"),
    ("no-memslot-left-7.2.22", "qemu-8.2"),
    ("no-memslot-left-hot-7.2.22", "qemu-8.2"),
    ("vhost-too-small-7.2.22", "qemu-8.2"),
    ("no-maxmem-7.2.22", "qemu-8.1"),
    ("prealloc-memdev-7.2.22", "qemu-8.0"),
    ("dynamic-memslots-unknown-7.2.22", "qemu-8.2"),
    ("pmem-unplug-7.2.22", "qemu-8.1"),
    ("no-table-starter-7.2.22", "qemu-9.0"),
    ("vga-window-without-smm-7.2.22", "qemu-9.0"),
    ("vga-window-without-smm-10.0.2", "qemu-10.0.3"),
    ("vga-window-without-smm-10.0.13", "qemu-10.0.2"),
    ("machine-type-unknown-7.2.22", "qemu-10.0"),
    ("machine-type-unknown-10.0.2", "qemu-9.2"),
    ("s390x-virtio-mem-7.2.22", "qemu-10.0"),
    ("virt-nvdimm-without-firmware-10.0.13", "qemu-11.0"),
    ("virt-nvdimm-without-firmware-11.1.3", "qemu-10.2"),
    ("virt-nvdimm-not-enabled-11.1.3", "qemu-10.2"),
]


def test_they_are_there() -> None:
    """QEMU 7.2.22, 10.0.2, 10.0.13 and 11.1.3, as their versions say."""
    assert {one["qemu_version"].split()[0] for one in RECORDINGS.values()} == {"7.2.22", "10.0.2", "10.0.13", "11.1.3"}


@pytest.mark.parametrize("name", RECORDINGS)
def test_own_version(name: str) -> None:
    """The rules of its own version predict every field."""
    assert compare(RECORDINGS[name], predict(RECORDINGS[name])) == []


@pytest.mark.parametrize(("name", "rules"), NEIGHBOURS)
def test_neighbouring_version(name: str, rules: str) -> None:
    """The rules of the next version before or behind the change do not."""
    assert compare(RECORDINGS[name], predict(RECORDINGS[name], rules)) != []
