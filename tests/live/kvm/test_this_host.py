"""What memslots cost on this machine, by either way to ask."""

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.size import TiB
from workbook.live import this_host
from workbook.live.kvm import this_host as memslot_costs


def test_both_ways_agree() -> None:
    """`KvmHost.of` this machine's `Host` costs what KVM's parameters say."""
    assert KvmHost.of(this_host()).metadata([TiB]) == memslot_costs().metadata([TiB])
