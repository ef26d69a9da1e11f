"""Hosts by name, as distributions install them: a kernel with KVM on hardware with EPT or NPT."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .kernels import Kernel

__all__ = ("NAMED_HOSTS", "Evidence", "NamedHost")

Evidence: TypeAlias = Literal["measured", "from source", "assumed"]


@dataclass(frozen=True, slots=True)
class NamedHost:
    """Kernel settings of a distribution that determine a memslot's cost.

    Parameters
    ----------
    kernel
        Version of the KVM code.
    external_write_tracking
        Built with ``CONFIG_KVM_EXTERNAL_WRITE_TRACKING`` (as everything with i915's GVT-g is). It makes a difference in
        Linux 5.16 to 6.8 only.
    evidence
        ``"from source"``: the kernel's sources and configuration were read. ``"assumed"``: they were not.
    note
        Where it comes from, and what is not known.
    """

    kernel: Kernel
    external_write_tracking: bool
    evidence: Evidence
    note: str


_ASK: Final = "ask the running kernel by python -m workbook.live.kvm --probe"

NAMED_HOSTS: Final[dict[str, NamedHost]] = {
    "debian-11": NamedHost((5, 10, 223), False, "from source", "Linux 5.10.223 or later, sources of linux-source-5.10"),
    "debian-12": NamedHost(
        (6, 1), True, "from source", "Linux 6.1, built with external write tracking (linux-config-6.1)"
    ),
    "debian-13": NamedHost(
        (6, 12), False, "from source", "Linux 6.12: external write tracking is built in, but waits for a vGPU"
    ),
    "ubuntu-20.04": NamedHost((5, 4), False, "from source", "Linux 5.4 (GA kernel)"),
    "ubuntu-22.04": NamedHost((5, 15), False, "from source", "Linux 5.15 (GA kernel); page sums as with vmalloc"),
    "ubuntu-24.04": NamedHost(
        (6, 8),
        True,
        "from source",
        "Linux 6.8 (GA kernel); debian.master/config/annotations: CONFIG_KVM_EXTERNAL_WRITE_TRACKING y on amd64",
    ),
    "fedora": NamedHost((6, 17), False, "from source", "any Fedora kernel since 6.9: write tracking waits for a vGPU"),
    "rhel-8": NamedHost(
        (4, 18), False, "assumed", f"taken as Linux 4.18, but 8.7 has build options of Linux 5.16: {_ASK}"
    ),
    "rhel-9": NamedHost(
        (6, 8),
        True,
        "assumed",
        f"its 5.14 has a KVM of years later; taken as Linux 6.8 with external write tracking, on the safe side: {_ASK}",
    ),
    "rhel-10": NamedHost((6, 12), False, "from source", "Linux 6.12, whose page_track.c waits for a vGPU"),
}
"""Name -> host; beside these, ``upstream-X.Y`` names any kernel as released, without external write tracking."""
