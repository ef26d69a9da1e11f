"""Hosts by name and by what is known of them: what a terabyte costs on each."""

import pytest
from hypothesis import given, strategies as st

from workbook.lib.cost.hosts import NAMED_HOSTS
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.host import Host
from workbook.lib.size import KiB, TiB

ALL, TRACKED, LAZY = 2_632_732, 527_364, 2_052  # kB of a terabyte as one memslot


@pytest.mark.parametrize(
    ("name", "kilobytes", "memslots"),
    [
        ("debian-11", ALL, 509),
        ("debian-12", TRACKED, 32764),
        ("debian-13", LAZY, 32764),
        ("ubuntu-20.04", ALL, 509),
        ("ubuntu-22.04", TRACKED, 32764),
        ("ubuntu-24.04", TRACKED, 32764),
        ("fedora", LAZY, 32764),
        ("rhel-8", ALL, 509),
        ("rhel-9", TRACKED, 32764),
        ("rhel-10", LAZY, 32764),
        ("upstream-4.18", ALL, 509),
        ("upstream-5.10", ALL, 509),
        ("upstream-5.13", ALL, 32764),
        ("upstream-5.14", ALL, 32764),
        ("upstream-5.15", TRACKED, 32764),
        ("upstream-5.16", LAZY, 32764),
        ("upstream-6.8", LAZY, 32764),
        ("upstream-6.18", LAZY, 32764),
        ("upstream-7.3.4", LAZY, 32764),
    ],
)
def test_a_terabyte_by_name(name: str, kilobytes: int, memslots: int) -> None:
    """As installed on hardware with EPT or NPT; twice with SMM, and everything once a nested guest ran."""
    host = KvmHost.named(name)
    assert host.metadata([TiB]).total == kilobytes * KiB
    assert host.nr_memslots == memslots
    assert KvmHost.named(name, smm=True).metadata([TiB]).total == 2 * kilobytes * KiB
    assert KvmHost.named(name, nested=True).metadata([TiB]).total == ALL * KiB


def test_every_name_says_how_it_is_known() -> None:
    """RHEL's kernels with a backported KVM are assumptions and say so; the others were read."""
    hosts = {name: KvmHost.named(name) for name in (*NAMED_HOSTS, "upstream-6.18", "upstream-9.1")}
    assert {name for name, host in hosts.items() if host.evidence == "assumed"} == {"rhel-8", "rhel-9", "upstream-9.1"}
    assert all(host.note and host.name == name for name, host in hosts.items())
    assert "--probe" in hosts["rhel-9"].note


@pytest.mark.parametrize("name", ["debian-9", "upstream-2.6", "upstream", "upstream-x", "", "Debian-12"])
def test_unknown_names_are_one_line(name: str) -> None:
    """What is no host, or from before what was looked at, is refused in a line."""
    with pytest.raises(BadInput) as caught:
        KvmHost.named(name)
    assert "\n" not in str(caught.value)


def test_of_a_host() -> None:
    """A `Host` brings what it knows; the rest is as installed."""
    assert KvmHost.of(Host()) == KvmHost()
    assert KvmHost.of(Host(kernel=(5, 10))).metadata([TiB]).total == ALL * KiB
    shadow = Host(kernel=(6, 18), tdp=False)
    assert KvmHost.of(shadow).metadata([TiB]).total == ALL * KiB
    assert KvmHost.of(Host(kernel=(6, 1), external_write_tracking=True), smm=True) == KvmHost.named(
        "debian-12", smm=True
    )
    assert KvmHost.of(Host(arch="arm64", page_size=64 * KiB)).page_size == 64 * KiB
    assert KvmHost.of(Host(arch="x86-64", page_size=4096)).page_size == 4096


@given(st.sampled_from(sorted(NAMED_HOSTS)), st.booleans(), st.booleans())
def test_survives_json(name: str, smm: bool, nested: bool) -> None:
    """A host by name comes back from JSON with its name, evidence and note."""
    host = KvmHost.named(name, smm=smm, nested=nested)
    again = KvmHost.from_json(host.to_json())
    assert again == host
    assert (again.name, again.evidence, again.note) == (host.name, host.evidence, host.note)
