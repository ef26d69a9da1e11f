"""The host of a scenario: by the name of its kernel, and by how KVM translates guest addresses."""

from dataclasses import replace
from functools import cache
from typing import Final

from workbook.lib.cost.hosts import NAMED_HOSTS
from workbook.lib.cost.kernels import memslot_limit
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.host import KVM_SLOTS_TODAY, Arch, Host
from workbook.lib.scenario import Scenario

__all__ = ("UNKNOWN_HOST", "host_of", "kvm_host", "named_hosts", "paging_of", "with_host", "with_paging")

UNKNOWN_HOST: Final = "not known"
_UPSTREAM: Final = ("5.4", "5.10", "5.14", "5.15", "6.1", "6.6", "6.12", "6.18")
_ARCH: Final[dict[str, Arch]] = {"x86_64": "x86-64", "aarch64": "arm64", "s390x": "s390x"}


def kvm_host(scenario: Scenario) -> KvmHost:
    """Return the host whose memslot metadata the scenario pays for: what it says of its host, on its architecture."""
    arch, host = _ARCH.get(scenario.program, "x86-64"), scenario.host or Host()
    known = replace(host, arch=arch, tdp_mmu=scenario.tdp_mmu) if arch == "x86-64" else replace(host, arch=arch)
    return KvmHost.of(known, smm=scenario.smm and arch == "x86-64", nested=scenario.nested)


@cache
def named_hosts() -> tuple[tuple[str, str], ...]:
    """Return hosts that can be chosen: label and name; those that pay the same for a memslot are one choice."""
    same: dict[Host, list[str]] = {}
    for name in (*NAMED_HOSTS, *(f"upstream-{one}" for one in _UPSTREAM)):
        same.setdefault(_host_named(name)[0], []).append(name)
    ordered = sorted(same.items(), key=lambda one: one[0].kernel or (0, 0), reverse=True)
    return ((UNKNOWN_HOST, UNKNOWN_HOST), *((_label(host, names), names[0]) for host, names in ordered))


def _label(host: Host, names: list[str]) -> str:
    linux = "Linux {}.{}".format(*(host.kernel or (0, 0)))
    named = ", ".join(one for one in names if not one.startswith("upstream-"))
    return f"{linux} ({named})" if named else linux


@cache
def _host_named(name: str) -> tuple[Host, KvmHost]:
    kvm = KvmHost.named(name)
    kernel = (kvm.kernel[0], kvm.kernel[1])
    host = Host(kernel=kernel, tdp=True, external_write_tracking=kvm.external_write_tracking)
    return host, kvm


def host_of(scenario: Scenario, _name: str | None) -> str:
    """Return the name of the scenario's host, or its kernel where none has that name."""
    host = scenario.host
    if host is None or host.kernel is None:
        return UNKNOWN_HOST
    found = (name for _, name in named_hosts()[1:] if _is(host, _host_named(name)[0]))
    return next(found, f"Linux {host.kernel[0]}.{host.kernel[1]}")


def _is(host: Host, known: Host) -> bool:
    tracking = bool(host.external_write_tracking) == bool(known.external_write_tracking)
    return host.kernel == known.kernel and tracking


def with_host(scenario: Scenario, name: str, _name: str | None) -> Scenario:
    """Take another host: its kernel decides on memslots and their cost; EPT or NPT is on, as its default is."""
    if name == UNKNOWN_HOST:
        return replace(scenario, host=None, kvm_slots=KVM_SLOTS_TODAY)
    known, kvm = _host_named(name)
    host = replace(
        scenario.host or Host(),
        kernel=known.kernel,
        tdp=True,
        tdp_mmu=kvm.tdp_mmu,
        external_write_tracking=known.external_write_tracking,
    )
    limit = memslot_limit(_ARCH.get(scenario.program, "x86-64"), kvm.kernel)
    return replace(scenario, host=host, kvm_slots=limit, tdp_mmu=bool(kvm.tdp_mmu))


def paging_of(scenario: Scenario, _name: str | None) -> str:
    """Return how the host's KVM translates guest addresses."""
    if scenario.tdp_mmu:
        return "tdp_mmu"
    return "tdp" if scenario.host is not None and scenario.host.tdp else "shadow"


def with_paging(scenario: Scenario, paging: str, _name: str | None) -> Scenario:
    """Let the host translate guest addresses that way."""
    host = scenario.host
    if host is not None or paging == "tdp":
        host = replace(host or Host(), tdp=paging != "shadow", tdp_mmu=None)
    return replace(scenario, host=host, tdp_mmu=paging == "tdp_mmu")
