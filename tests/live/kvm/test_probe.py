"""The probe: what a kernel does beside what its version says."""

import os

import pytest

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.size import KiB, TiB
from workbook.live.kvm import probe
from workbook.live.kvm.probe import Probe

_ARRAYS = {"rmap": 2_056 * KiB, "gfn_track": 512 * KiB, "lpage_info": 8 * KiB, "dirty_bitmap": 64 * KiB}


@pytest.mark.parametrize("gone", [(), ("rmap",), ("gfn_track",), ("rmap", "gfn_track")])
@pytest.mark.parametrize("expected", ["rhel-9", "debian-11", "debian-13", "upstream-5.15"])
def test_what_was_seen_wins(gone: tuple[str, ...], expected: str) -> None:
    """The probed host has just the arrays that were seen, whatever the version promised, and says if that surprises."""
    parts = {name: 0 if name in gone else size for name, size in _ARRAYS.items()}
    found = Probe("5.14.0-570.el9", parts, KvmHost.named(expected))
    assert found.host.has_rmap is ("rmap" not in gone)
    assert found.host.has_gfn_track is ("gfn_track" not in gone)
    assert found.host.evidence == "measured"
    by_version = KvmHost.named(expected)
    surprise = (by_version.has_rmap, by_version.has_gfn_track) != (found.host.has_rmap, found.host.has_gfn_track)
    assert ("not as expected" in str(found)) is surprise
    assert f"{found.host.metadata([TiB]).total // KiB:,} kB" in str(found)
    assert "\n" not in str(found)


@pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="needs /dev/kvm")
def test_this_kernel() -> None:
    """Here the probe finds the arrays of one memslot, or says in a line that it needs root."""
    if os.geteuid():
        with pytest.raises(BadInput, match="as root"):
            probe()
        return
    found = probe()
    assert found.parts["dirty_bitmap"] == 64 * KiB
    assert found.parts == found.host.metadata([1 << 30], dirty_log=True).as_dict()
