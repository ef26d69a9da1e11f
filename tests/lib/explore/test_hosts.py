"""Hosts by name: kernel, memslots of KVM, paging; and what the same VM pays on each."""

from dataclasses import replace

import pytest

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.explore.hosts import UNKNOWN_HOST, kvm_host, named_hosts
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.scenario import KVM_SLOTS_TODAY

TIB = PRESETS["one-tib"].scenario
HOST, PAGING, MIGRATING = SETTINGS["host"], SETTINGS["paging"], SETTINGS["migrating"]


@pytest.mark.parametrize("name", [name for _, name in named_hosts() if name != UNKNOWN_HOST])
def test_a_named_host_pays_what_it_says(name: str) -> None:
    """A host chosen by name costs what `KvmHost.named` says and has that kernel's memslots."""
    vm = HOST.put(TIB, name, None)
    known = KvmHost.named(name)
    assert kvm_host(vm).metadata([1 << 40]) == known.metadata([1 << 40])
    assert vm.kvm_slots == known.nr_memslots
    assert HOST.get(vm, None) == name


def test_hosts_that_pay_the_same_are_one_choice() -> None:
    """Every distribution is in one label, and no two choices are the same."""
    labels = " ".join(label for label, _ in named_hosts())
    assert all(name in labels for name in ("debian-13", "rhel-10", "ubuntu-24.04", "rhel-9", "fedora", "Linux 5.4"))
    assert len({HOST.put(TIB, name, None) for _, name in named_hosts()}) == len(named_hosts())


def test_back_to_a_host_that_nobody_knows() -> None:
    """Without a host today's limit holds."""
    old = HOST.put(TIB, "debian-11", None)
    assert old.kvm_slots == 509
    assert HOST.put(old, UNKNOWN_HOST, None).kvm_slots == KVM_SLOTS_TODAY


@pytest.mark.parametrize("paging", [value for _, value in PAGING.choices])
def test_paging_decides_on_the_arrays(paging: str) -> None:
    """Shadow paging has all arrays, the old MMU over EPT no write tracking, the TDP MMU neither."""
    parts = kvm_host(PAGING.put(HOST.put(TIB, "debian-13", None), paging, None)).metadata([1 << 40])
    expected = {"shadow": (True, True), "tdp": (True, False), "tdp_mmu": (False, False)}[paging]
    assert (parts.rmap > 0, parts.gfn_track > 0) == expected


def test_other_architectures_have_no_arrays() -> None:
    """KVM on arm64 and s390x keeps nothing per page of a memslot unless pages are logged."""
    for name in ("arm-64k", "kata-s390x"):
        outcome = Outcome.of(PRESETS[name].scenario)
        assert outcome.single_cost.total == 0
        assert Outcome.of(MIGRATING.put(outcome.scenario, True, None)).migrating


def test_a_migration_costs_dirty_bitmaps() -> None:
    """While the VM migrates every mapped memslot has a dirty bitmap; cancelled, it is gone."""
    moving = MIGRATING.put(TIB, True, None)
    assert Outcome.of(TIB).cost.dirty_bitmap == 0
    assert Outcome.of(moving).cost.dirty_bitmap > 0
    assert Outcome.of(MIGRATING.put(moving, False, None)).cost.dirty_bitmap == 0


def test_policy_and_release() -> None:
    """A release is chosen beside its own policy; a proposal belongs to no release."""
    policy, release = SETTINGS["policy"], SETTINGS["qemu"]
    with pytest.raises(BadInput, match="rfc-2021 belongs to no release"):
        release.get(replace(TIB, rules="rfc-2021"), None)
    merged = policy.put(TIB, "QEMU's own", None)
    assert release.get(merged, None) == merged.rules == "qemu-10.0"
    assert policy.put(release.put(merged, "qemu-7.2", None), "QEMU's own", None).rules == "qemu-7.2"
    assert policy.put(merged, "single", None).rules == "single"
