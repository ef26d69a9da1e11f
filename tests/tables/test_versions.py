"""What changed between versions, as users read it."""

import pytest

from workbook.lib.errors import BadInput
from workbook.lib.rules import QEMU_RELEASES
from workbook.tables.versions import changes


def test_a_backport_is_a_change_of_its_own() -> None:
    """10.0.2 and 10.0.3 differ, though 10.1 is what brought it."""
    since = {row[0] for row in changes("qemu-10.0.2", "qemu-10.0.3").rows}
    assert since == {"10.1 and 10.0.3"}
    assert not changes("qemu-10.0.3", "qemu-10.0.4").rows


def test_between_releases() -> None:
    """From 10.1 to 10.2 it is VFIO; from 8.2 to 11 more than from 10.0 to 11."""
    words = [row[1] for row in changes("qemu-10.1", "qemu-10.2").rows]
    assert any("DMA mappings refuses a VFIO device, or ends a running VM" in one for one in words)
    assert len(changes("qemu-8.2", "qemu-11").rows) > len(changes("qemu-10.0", "qemu-11").rows)


@pytest.mark.parametrize("old", QEMU_RELEASES)
@pytest.mark.parametrize("new", QEMU_RELEASES)
def test_any_two_versions(old: str, new: str) -> None:
    """Any two have a table; there and back again the same things change, and nothing does within one."""
    there, back = changes(old, new).rows, changes(new, old).rows
    assert len(there) == len(back)
    assert (old == new) <= (not there)
    assert all(row[1] and row[2] for row in there)


def test_an_unknown_version() -> None:
    """A version that is none is one clear line."""
    with pytest.raises(BadInput):
        changes("qemu-five", "qemu-11")
