"""``-machine``: which board of which version, and its properties; also ``-smp``, which QEMU turns into one of them.

Sources: system/vl.c, hw/core/machine.c, hw/core/machine-smp.c, hw/i386/pc*.c (QEMU 10.0); the machine types of
distributions from their packages' patches.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from workbook.lib.boards.compat import compat_switch
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.rules.behaviour import QemuBehaviour
from workbook.lib.size import GiB

from .catalogue import machine_properties, machine_type
from .memory import MemorySizes, sizes_of
from .properties import Dialect, Properties
from .qdict_order import qdict_order

__all__ = ("Board", "apply_machine_options", "max_cpus", "read_board", "rhel_machine")

Chipset = Literal["q35", "pc"]

_UPSTREAM: Final = re.compile(r"pc-(q35|i440fx)-(\d{1,4})\.(\d{1,4})(\.\d{1,4})?")
_RHEL: Final = re.compile(r"pc-(q35|i440fx)-rhel(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?")
_UBUNTU: Final = re.compile(r"pc-(q35|i440fx)-([a-z]+)(-hpb)?(-v2)?(-maxcpus)?")
_PVE: Final = re.compile(r"(.*)\+pve\d{1,4}")
_UBUNTU_RELEASES: Final[dict[str, tuple[int, int]]] = {
    "trusty": (2, 0),
    "vivid": (2, 2),
    "wily": (2, 4),
    "xenial": (2, 5),
    "yakkety": (2, 6),
    "zesty": (2, 8),
    "artful": (2, 10),
    "bionic": (2, 11),
    "cosmic": (2, 12),
    "disco": (3, 1),
    "eoan": (4, 0),
    "focal": (4, 2),
    "groovy": (5, 0),
    "hirsute": (5, 2),
    "impish": (6, 0),
    "jammy": (6, 2),
    "kinetic": (7, 0),
    "lunar": (7, 2),
    "mantic": (8, 0),
    "noble": (8, 2),
    "oracular": (9, 0),
    "plucky": (9, 2),
    "questing": (10, 1),
}
"""Ubuntu's machine types carry the release's name; what they are compatible with is the QEMU it shipped."""
_RHEL_RELEASES: Final[dict[tuple[int, int], tuple[int, int]]] = {
    (7, 0): (2, 0),
    (7, 1): (2, 1),
    (7, 2): (2, 3),
    (7, 3): (2, 6),
    (7, 4): (2, 9),
    (7, 5): (2, 11),
    (7, 6): (2, 12),
    (8, 0): (3, 1),
    (8, 1): (4, 1),
    (8, 2): (4, 2),
    (8, 3): (5, 1),
    (8, 4): (5, 2),
    (8, 5): (6, 0),
    (8, 6): (6, 2),
    (9, 0): (6, 2),
    (9, 2): (7, 2),
    (9, 4): (8, 2),
    (9, 6): (9, 1),
    (9, 8): (10, 1),
    (10, 0): (9, 1),
    (10, 2): (10, 1),
}
"""RHEL's machine types and the upstream QEMU whose compatibility they have."""
RHEL_DYNAMIC_SINCE: Final = (9, 4)
"""CentOS' merge request qemu-kvm!220 (RHEL-24045): dynamic-memslots is on by default from rhel9.4.0 on."""
_OTHER_MACHINES: Final = {
    "microvm": "microvm has no PCI and no device memory",
    "isapc": "isapc has no PCI, hence no virtio-mem",
    "none": "the machine 'none' has neither RAM nor devices",
    "x-remote": "x-remote runs a device for another QEMU",
    "xenfv": "Xen has no KVM memslots",
    "xenfv-4.2": "Xen has no KVM memslots",
    "xenfv-3.1": "Xen has no KVM memslots",
    "xenpv": "Xen has no KVM memslots",
    "virt": "virt is a machine of qemu-system-aarch64, -arm, -riscv or -loongarch64",
    "s390-ccw-virtio": "s390-ccw-virtio is the machine of qemu-system-s390x",
    "pseries": "pseries is a machine of qemu-system-ppc64, where virtio-mem does not exist",
}
_RELEASES: Final = frozenset(
    {(1, minor) for minor in range(8)}
    | {(2, minor) for minor in range(13)}
    | {(3, 0), (3, 1)}
    | {(major, minor) for major in range(4, 13) for minor in range(3)}
)
"""Releases that a machine type can be named after."""
_MAX_CPUS: Final = 4096
"""Of the newest q35; pc stays at 255 (hw/i386/pc_piix.c)."""


@dataclass(frozen=True, slots=True)
class Board:
    """The machine type that a line names.

    Attributes
    ----------
    name
        As QEMU's messages have it: aliases are resolved.
    version
        Upstream version whose compatibility it has; None for the newest.
    distribution
        ``rhel`` where RHEL's defaults hold.
    assumed
        What had to be assumed of it; empty where nothing was.
    """

    chipset: Chipset
    name: str
    version: tuple[int, int] | None = None
    distribution: Literal["rhel"] | None = None
    numa_mem: bool = False
    deprecated: bool = False
    assumed: str = ""


def read_board(name: str | None, qemu: QemuBehaviour | None) -> Board:
    """Find the machine type; None is the program's default, ``pc``.

    Parameters
    ----------
    qemu
        The QEMU that reads the line: it does not know newer machine types and has removed older ones. None: any.

    Raises
    ------
    BadInput
        A machine that exists and is not modelled.
    Refusal
        That QEMU does not have it.
    """
    given = "pc" if name is None else name
    downstream = _PVE.fullmatch(given)
    plain = downstream[1] if downstream else given
    note = f"{given} is Proxmox' spelling: taken for {plain}" if downstream else ""
    if plain in ("ubuntu", "ubuntu-q35"):
        plain = plain.removeprefix("ubuntu").removeprefix("-") or "pc"
        note = f"{given} is Ubuntu's newest machine type: taken for {plain}"
    if plain in ("q35", "pc"):
        newest = "10.0" if qemu is None else f"{qemu.version[0]}.{qemu.version[1]}"
        return Board(_chipset(plain), f"pc-{'q35' if plain == 'q35' else 'i440fx'}-{newest}", assumed=note)
    if plain in _OTHER_MACHINES or re.match(r"(virt|s390-ccw-virtio|pseries)-\d", plain):
        reason = _OTHER_MACHINES.get(plain) or _OTHER_MACHINES[re.split(r"-\d", plain)[0]]
        raise BadInput(f"machine type {plain!r:.60} is not modelled ({reason}): known are q35, pc and their versions")
    return _versioned(plain, note, qemu) or _distribution(plain, note) or _refuse(given, qemu)


def _refuse(name: str, qemu: QemuBehaviour | None) -> Board:
    named = f': "{name}"' if qemu is None or qemu.names_unsupported_machine else ""
    raise Refusal(
        f"unsupported machine type{named}\nUse -machine help to list supported machines",
        "q35, pc and their versions such as pc-q35-8.2 are known",
    )


def _chipset(text: str) -> Chipset:
    return "q35" if text == "q35" else "pc"


def _versioned(name: str, note: str, qemu: QemuBehaviour | None) -> Board | None:
    match = _UPSTREAM.fullmatch(name)
    if not match:
        return None
    version, chipset = (int(match[2]), int(match[3])), _chipset(match[1])
    released = version in _RELEASES and (not match[4] or name == "pc-q35-4.0.1")
    if qemu is not None and not (released and qemu.has_machine(chipset, version)):
        return None
    numa_mem = compat_switch("numa_mem_supported", version, default=False)
    known = machine_type(name)
    old = known is not None and known.deprecated and qemu is not None and qemu.version[:2] == (10, 0)
    return Board(chipset, name, version, None, numa_mem, old, note)


def _distribution(name: str, note: str) -> Board | None:
    if match := _RHEL.fullmatch(name):
        release = (int(match[2]), int(match[3]))
        version = next((one for key, one in sorted(_RHEL_RELEASES.items(), reverse=True) if key <= release), None)
        shown = f"{name} is RHEL's: taken for one of QEMU {'.'.join(map(str, version or ('?',)))}"
        dynamic = release >= RHEL_DYNAMIC_SINCE
        text = f"{shown}, with dynamic-memslots=on by default" if dynamic else shown
        numa_mem = version is not None and compat_switch("numa_mem_supported", version, default=False)
        return Board(_chipset(match[1]), name, version, "rhel" if dynamic else None, numa_mem, assumed=text)
    match = _UBUNTU.fullmatch(name)
    if match and match[2] in _UBUNTU_RELEASES:
        version = _UBUNTU_RELEASES[match[2]]
        shown = f"{name} is Ubuntu's: taken for one of QEMU {version[0]}.{version[1]}"
        return Board(_chipset(match[1]), name, version, assumed=note or shown)
    return None


def rhel_machine(prefix: str, version: tuple[int, int] | None) -> str:
    """Return a machine type of RHEL with dynamic memslots by default that has the compatibility of `version`."""
    releases = [key for key in sorted(_RHEL_RELEASES) if key >= RHEL_DYNAMIC_SINCE]
    found = next((key for key in releases if _RHEL_RELEASES[key] == version), releases[-1])
    return f"{prefix}-rhel{found[0]}.{found[1]}.0"


def apply_machine_options(board: Board, options: Mapping[str, str]) -> tuple[MemorySizes, int]:
    """Check the options of ``-machine`` in QEMU's order; return the sizes of memory and the most processors.

    Raises
    ------
    Refusal
        One that does not exist, or has a wrong value.
    """
    known = machine_properties(board.chipset)
    sizes, cpus = None, 1
    # the group of memory is there even if nothing is given
    for key in qdict_order({key.partition(".")[0] for key in options} | {"memory"}):
        if key == "memory":
            sizes = sizes_of(options)
        elif key == "smp":
            cpus = max_cpus(board, options)
        elif key not in known:
            raise Refusal(f"Property '{board.name}-machine.{key}' not found", "-machine has no such property")
        elif key == "max-ram-below-4g":
            _check_below_4g(options)
        elif key in options:
            _check_type(key, known[key], options)
    assert sizes is not None
    return sizes, cpus


def _check_below_4g(options: Mapping[str, str]) -> None:
    low = Properties(options).size("max-ram-below-4g")
    if low > 4 * GiB:
        raise Refusal(
            f"Machine option 'max-ram-below-4g={low}' expects size less than or equal to 4G", "give at most 4G"
        )


def _check_type(key: str, kind: str, options: Mapping[str, str]) -> None:
    props = Properties(options, Dialect.DEVICE)
    match kind:
        case "bool":
            props.flag(key)
        case "OnOffAuto":
            props.choice(key, ("on", "off", "auto"))
        case "size":
            props.size(key)
        case "uint64_t" | "uint64":
            props.number(key)


_SMP: Final = ("cpus", "drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads", "maxcpus")
_UNSUPPORTED: Final = ("clusters", "books", "drawers")


def max_cpus(board: Board, options: Mapping[str, str]) -> int:
    """Read ``-smp`` as far as other options depend on it: the most processors there can be (``smp.maxcpus``).

    Raises
    ------
    Refusal
        With the words of hw/core/machine-smp.c.
    """
    given = {key.removeprefix("smp."): value for key, value in options.items() if key.startswith("smp.")}
    props = Properties({f"smp.{key}": value for key, value in given.items()}, Dialect.DEVICE)
    has: dict[str, int] = {}
    for key in _SMP:
        if key in given:
            has[key] = props.signed(f"smp.{key}")
    for key in given:
        if key not in _SMP:
            raise Refusal(f"Parameter 'smp.{key}' is unexpected", f"-smp has {', '.join(_SMP)}")
    if 0 in has.values():
        raise Refusal(
            "Invalid CPU topology: CPU topology parameters must be greater than zero", "give numbers from 1 on"
        )
    for key in _UNSUPPORTED:
        if has.get(key, 1) > 1:
            raise Refusal(f"{key} > 1 not supported by this machine's CPU topology", f"leave {key} out")
    cpus, most = has.get("cpus", 0), has.get("maxcpus", 0)
    fixed = has.get("dies", 1) * has.get("modules", 1)
    sockets, cores, threads = has.get("sockets", 0), has.get("cores", 0), has.get("threads", 0)
    if not cpus and not most:
        sockets, cores, threads = sockets or 1, cores or 1, threads or 1
    else:
        most = most or cpus
        if board.version is not None and board.version <= (6, 1):
            if not sockets:
                cores, threads = cores or 1, threads or 1
                sockets = most // (fixed * cores * threads)
            elif not cores:
                threads = threads or 1
                cores = most // (sockets * fixed * threads)
        elif not cores:
            sockets, threads = sockets or 1, threads or 1
            cores = most // (sockets * fixed * threads)
        elif not sockets:
            threads = threads or 1
            sockets = most // (fixed * cores * threads)
        threads = threads or most // (sockets * fixed * cores)
    total = fixed * sockets * cores * threads
    most = most or total
    cpus = cpus or most
    shown = (
        f"sockets ({sockets}) * dies ({has.get('dies', 1)}) * modules ({has.get('modules', 1)}) * "
        f"cores ({cores}) * threads ({threads})"
    )
    if total != most:
        raise Refusal(
            f"Invalid CPU topology: product of the hierarchy must match maxcpus: {shown} != maxcpus ({most})",
            "give sockets, cores and threads whose product is maxcpus",
        )
    if most < cpus:
        raise Refusal(
            "Invalid CPU topology: maxcpus must be equal to or greater than smp: "
            f"{shown} == maxcpus ({most}) < smp_cpus ({cpus})",
            "raise maxcpus",
        )
    known_type = machine_type(board.name)
    allowed = known_type.max_cpus if known_type else 255 if board.chipset == "pc" else _MAX_CPUS
    if most > allowed:
        raise Refusal(
            f"Invalid SMP CPUs {most}. The max CPUs supported by machine '{board.name}' is {allowed}",
            f"{board.name} has at most {allowed} processors",
        )
    return most
