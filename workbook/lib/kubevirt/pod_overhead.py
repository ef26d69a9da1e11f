"""What KubeVirt adds to a VM's memory for the pod around it.

The pod's memory limit, and with it the cgroup that KVM's metadata is charged to, is the guest's memory and this.
Nothing in it depends on ``maxGuest`` or on memslots.

Source: KubeVirt, pkg/hypervisor/kvm/hypervisorbackend.go, ``GetMemoryOverhead`` (2026; in v1.5 and before in
pkg/virt-controller/services/renderresources.go).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from workbook.lib.size import GiB, MiB

from .manifest import Field, vmi_spec
from .quantity import read_quantity

__all__ = ("OverheadPart", "PodOverhead", "pod_overhead")

_FIXED: Final = (
    ("virt-launcher-monitor", 25 * MiB),
    ("virt-launcher", 100 * MiB),
    ("virtlogd", 25 * MiB),
    ("virtqemud", 40 * MiB),
    ("qemu", 50 * MiB),
    ("I/O thread", 8 * MiB),
)
_PER_VCPU: Final = 8 * MiB
_PAGE_TABLES: Final = 512
"""Bytes of memory for which KubeVirt adds one byte of page tables."""
_KILO: Final = 1000


@dataclass(frozen=True, slots=True)
class OverheadPart:
    """One summand of the overhead: what it is for, and bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class PodOverhead:
    """What KubeVirt reckons that a VM's pod needs beside the guest's memory.

    Attributes
    ----------
    requested
        Memory that is requested for the guest, bytes.
    parts
        The summands, in KubeVirt's order.
    ratio
        ``additionalGuestMemoryOverheadRatio`` of the cluster, which multiplies the sum.
    """

    requested: int
    parts: tuple[OverheadPart, ...]
    ratio: float = 1.0

    @property
    def total(self) -> int:
        """The overhead in bytes."""
        size = sum(one.size for one in self.parts)
        return size + int(-(-size // _KILO) * (self.ratio - 1.0)) * _KILO

    @property
    def page_tables(self) -> int:
        """The one part that grows with memory, bytes."""
        return self.parts[0].size


def pod_overhead(given: object, *, ratio: float = 1.0) -> PodOverhead:
    """Return the overhead of a VM's pod.

    Parameters
    ----------
    given
        A VirtualMachine or VirtualMachineInstance, as nested mappings.
    ratio
        ``additionalGuestMemoryOverheadRatio`` of the cluster.

    Raises
    ------
    BadInput
        A field that cannot be read.
    """
    spec = vmi_spec(Field(given))
    requested = _requested(spec)
    return PodOverhead(requested, tuple(_parts(spec, requested)), ratio)


def _quantity(field: Field) -> int:
    return read_quantity(field.value, field.where) if field.given else 0


def _requested(spec: Field) -> int:
    """Return the memory request: where only the guest's size is given, it is that (no overcommit)."""
    paths = ("resources.requests.memory", "memory.guest", "resources.limits.memory", "memory.hugepages.pageSize")
    return next((size for path in paths if (size := _quantity(spec["domain"][path]))), 0)


def _parts(spec: Field, requested: int) -> Iterator[OverheadPart]:
    domain = spec["domain"]
    devices = domain["devices"]
    yield OverheadPart("page tables", -(-requested // _KILO) * _KILO // _PAGE_TABLES)
    for name, size in _FIXED[:-1]:
        yield OverheadPart(name, size)
    yield OverheadPart("vCPUs", _vcpus(domain) * _PER_VCPU)
    yield OverheadPart(*_FIXED[-1])
    if devices["autoattachGraphicsDevice"].flag(default=True):
        yield OverheadPart("video RAM", 32 * MiB)
    if spec["architecture"].text("amd64") == "arm64":
        yield OverheadPart("pflash of arm64", 128 * MiB)
    interfaces = [one["sriov"].given for one in devices["interfaces"]]
    if any(True for path in ("gpus", "hostDevices") for _ in devices[path]) or any(interfaces):
        yield OverheadPart("VFIO", GiB)
    if any(one["downwardMetrics"].given for one in spec["volumes"]):
        yield OverheadPart("downward metrics", MiB)
    probes = sum(spec[name]["exec"].given for name in ("livenessProbe", "readinessProbe"))
    if probes:
        yield OverheadPart("exec probes", probes * 10 * MiB + 100 * MiB)
    if domain["launchSecurity.sev"].given or domain["launchSecurity.snp"].given:
        yield OverheadPart("SEV", 256 * MiB)
    if devices["tpm"].given and devices["tpm.enabled"].flag(default=True):
        yield OverheadPart("TPM", 53 * MiB)
    if domain["cpu.dedicatedCpuPlacement"].flag() or _is_guaranteed(domain):
        yield OverheadPart("guaranteed QoS", 100 * MiB)
    added = _quantity(domain["memory.reservedOverhead.addedOverhead"])
    if added:
        yield OverheadPart("addedOverhead", added)


def _vcpus(domain: Field) -> int:
    names = ("cores", "sockets", "threads")
    if domain["cpu"].given:
        count = 1
        for name in names:
            count *= domain["cpu"][name].number(1) or 1
        return count
    paths = ("resources.limits.cpu", "resources.requests.cpu")
    return max(1, next((size for path in paths if (size := _quantity(domain[path]))), 1))


def _is_guaranteed(domain: Field) -> bool:
    """Return whether requests and limits of CPU and memory are given and equal."""
    resources = domain["resources"]
    return all(
        resources[f"limits.{one}"].given
        and _quantity(resources[f"limits.{one}"]) == _quantity(resources[f"requests.{one}"])
        for one in ("cpu", "memory")
    )
