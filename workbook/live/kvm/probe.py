"""Probe which per-memslot arrays the running kernel allocates, instead of relying on its version number."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from workbook.lib.cost.kernels import LAZY_WRITE_TRACKING, WRITE_TRACKING_ON_DEMAND
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, KiB, TiB

from .device import DEVICE
from .host import this_host
from .measurement import Measurement, measure
from .memslot_layout import Layout

__all__ = ("Probe", "probe")

_SLOT: Final = Layout.packed(1, GiB)


@dataclass(frozen=True, slots=True)
class Probe:
    """What one memslot of 1 GiB was seen to cost.

    Attributes
    ----------
    kernel
        ``uname -r``.
    parts
        Bytes by part, as ``/proc/vmallocinfo`` names their callers; with a dirty log.
    expected
        What version, parameters and configuration of the kernel say it is.
    """

    kernel: str
    parts: Mapping[str, int]
    expected: KvmHost

    @property
    def host(self) -> KvmHost:
        """The host that behaves as was seen: `expected`, or the nearest one that has the arrays that were found."""
        has_rmap, has_gfn_track = self._found
        if self.is_as_expected:
            return replace(self.expected, evidence="measured")
        return replace(
            self.expected,
            tdp_mmu=not has_rmap,
            tdp=not (has_rmap and has_gfn_track),
            kernel=LAZY_WRITE_TRACKING if has_gfn_track else max(self.expected.kernel, WRITE_TRACKING_ON_DEMAND),
            external_write_tracking=has_gfn_track and not has_rmap,
            evidence="measured",
            note=f"behaves other than Linux {self.kernel} would by its version",
        )

    @property
    def is_as_expected(self) -> bool:
        """Whether `expected` has just the arrays that were found."""
        return self._found == (self.expected.has_rmap, self.expected.has_gfn_track)

    @property
    def _found(self) -> tuple[bool, bool]:
        return self.parts["rmap"] > 0, self.parts["gfn_track"] > 0

    def __str__(self) -> str:
        found = (
            ", ".join(f"{name} {size // KiB:,} kB" for name, size in self.parts.items() if size) or "no array at all"
        )
        terabyte = self.host.metadata([TiB]).total // KiB
        as_expected = "as expected" if self.is_as_expected else f"not as expected: it {self.host.note}"
        return (
            f"Linux {self.kernel}: a memslot of 1 GiB that logs dirty pages has {found}; {_paging(self.host)}; "
            f"1 TiB costs {terabyte:,} kB ({as_expected})"
        )


def probe(*, device: Path = DEVICE) -> Probe:
    """Make one memslot of 1 GiB, look who allocated what, and give it back.

    Raises
    ------
    BadInput
        No KVM here, or ``/proc/vmallocinfo`` cannot be read: it says what is needed.
    """
    result = measure(_SLOT, dirty_log=True, device=device)
    return Probe(platform.release(), _by_part(result), this_host())


def _by_part(result: Measurement) -> Mapping[str, int]:
    if result.measured.by_part is None:
        raise BadInput("the callers in /proc/vmallocinfo can be read by root only: run the probe as root")
    if result.disturbed:
        raise BadInput("another VM came, went or changed meanwhile: run the probe again when it is quiet")
    return result.measured.by_part


def _paging(host: KvmHost) -> str:
    if host.arch != "x86-64":
        return f"{host.arch}, which keeps no other arrays"
    return host.paging + (" with write tracking from the start" if host.tdp_mmu and host.has_gfn_track else "")
