"""Settings: what a user can turn, each a way to read one value of a `Scenario` and to replace it.

A slider, a sweep's axis and a preset all go through these, so that they cannot disagree about what, say, "device
size" means for the memory backend behind the device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Final, Generic, Literal, TypeAlias, TypeVar, cast

from workbook.lib.errors import BadInput
from workbook.lib.host import KVM_SLOTS_TODAY
from workbook.lib.rules import QEMU_RELEASES, RULE_SETS
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB, TiB, format_size

from .hosts import host_of, named_hosts, paging_of, with_host, with_paging
from .releases import QEMU_POLICY, policy_of, release_of, with_policy
from .scenario_edits import (
    Accelerator,
    Chipset,
    Place,
    device_field,
    device_of_name,
    get_count,
    get_dynamic,
    get_place,
    get_size,
    get_vhost,
    is_migrating,
    on_devices,
    put_accel,
    put_chipset,
    put_count,
    put_dynamic,
    put_migrating,
    put_place,
    put_ram,
    put_size,
    put_vhost,
    requested,
    scenario_field,
    with_request,
)

__all__ = (
    "DEVICE_SIZE",
    "MAX_MEMSLOTS",
    "SETTINGS",
    "SIZES",
    "VHOST_PLACE",
    "VHOST_SLOTS",
    "Setting",
    "SettingValue",
)

_STEPS: Final = (1, 1.25, 1.5, 1.75)
SIZES: Final = (*(int(GiB * (1 << power) * step) for power in range(13) for step in _STEPS), 8 * TiB)
"""Sizes that a slider offers: four per doubling, 1 GiB to 8 TiB."""
SMALL_SIZES: Final = (0, 2 * MiB, 64 * MiB, 128 * MiB, 256 * MiB, 512 * MiB)
BLOCK_SIZES: Final = (0, *(MiB << power for power in range(13)))
KVM_LIMITS: Final = (8, 16, 32, 64, 128, 256, 509, 512, 1024, 2048, 4096, 8192, 16384, KVM_SLOTS_TODAY)
"""Memslots of KVM that a slider offers: 32, 509 and 32,764 (since Linux 5.12) are those of kernels."""
VHOST_LIMITS: Final = (8, 16, 32, 64, 128, 256, 509, 512, 1024, 2048, 4096)
"""Memslots of a vhost back end that a slider offers."""
DEVICE_CHOICES: Final = 8

Group = Literal["sliders", "toolbar", "host", "flags", "more", "hidden"]
Kind = Literal["size", "count", "limit", "choice", "flag"]
SettingValue: TypeAlias = bool | int | str | None
"""What a setting can be."""

_Value_co = TypeVar("_Value_co", bound=SettingValue, covariant=True)
_TYPES: Final[dict[Kind, tuple[type, ...]]] = {
    "size": (int,),
    "count": (int,),
    "limit": (int, NoneType),
    "choice": (str, int),
    "flag": (bool,),
}


@dataclass(frozen=True, slots=True)
class Setting(Generic[_Value_co]):
    """One thing a user can turn.

    Attributes
    ----------
    kind
        ``size`` (bytes), ``count``, ``limit`` (of memslots), ``choice`` or ``flag``: which control fits.
    get
        Read the value; the second argument is a device id, or None for the first device. `BadInput` where the
        scenario has nothing of the kind, such as no virtio-mem device.
    replaced
        Replace it; with None for the device id all devices change. `BadInput` where the value cannot be.
    choices
        Values that a control offers, with their labels; others are allowed for sizes and counts.
    per_device
        Whether it belongs to a device.
    help
        What it is, in a line.
    group
        Where a control of it stands: among the sliders that are always in sight, with the rule set in the toolbar,
        with the host, among the check boxes, with what is seldom turned, or nowhere.
    upper_limit
        Name of the setting whose value this one cannot exceed; empty where there is none.
    is_event
        Whether a change is something that happens to the running VM, and not another VM.
    """

    name: str
    label: str
    kind: Kind
    get: Callable[[Scenario, str | None], _Value_co]
    replaced: Callable[[Scenario, _Value_co, str | None], Scenario]
    choices: tuple[tuple[str, _Value_co], ...] = ()
    per_device: bool = False
    help: str = ""
    group: Group = "more"
    upper_limit: str = ""
    is_event: bool = False

    def put(self, scenario: Scenario, value: SettingValue, name: str | None = None) -> Scenario:
        """Return the scenario with another value, of the device `name` or of all.

        Raises
        ------
        BadInput
            The value is of another type, or cannot be.
        """
        self.check(value)
        return self.replaced(scenario, cast("_Value_co", value), name)

    def check(self, value: SettingValue) -> None:
        """Raise `BadInput` for a value of another type."""
        allowed = _TYPES[self.kind]
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            names = " or ".join("None" if one is NoneType else one.__name__ for one in allowed)
            raise BadInput(f"{self.label} {value!r:.60} is no {self.kind}: give {names}")


def _sizes(*sizes: int) -> tuple[tuple[str, int], ...]:
    return tuple((format_size(one), one) for one in sizes)


DEVICE_SIZE: Final[Setting[int]] = Setting(
    "device_size",
    "Device size",
    "size",
    get_size,
    put_size,
    choices=_sizes(*SIZES),
    per_device=True,
    group="sliders",
    help="size of the virtio-mem device's memory backend",
)
VHOST_SLOTS: Final[Setting[int | None]] = Setting(
    "vhost_slots",
    "vhost memslots",
    "limit",
    get_vhost,
    put_vhost,
    choices=(
        ("none", None),
        ("8 (no CONFIGURE_MEM_SLOTS)", 0),
        *((f"{one:,}", one) for one in VHOST_LIMITS),
    ),
    group="sliders",
    help="limit that a vhost-user back end reports",
)
VHOST_PLACE: Final[Setting[Place]] = Setting(
    "vhost_place",
    "vhost plugged",
    "choice",
    get_place,
    put_place,
    choices=(("before the devices", "before"), ("after the devices", "after")),
    help="the order on the command line, of all back ends at once",
)
MAX_MEMSLOTS: Final[Setting[int]] = Setting(
    "max_memslots",
    "max-memslots",
    "count",
    lambda scenario, name: device_of_name(scenario, name).max_memslots or 0,
    lambda scenario, limit, name: on_devices(scenario, name, max_memslots=limit),
    per_device=True,
    help="0 is automatic; RFC series only",
)
_CHIPSET: Final[Setting[Chipset]] = Setting(
    "chipset",
    "Machine",
    "choice",
    lambda scenario, _name: scenario.chipset,
    put_chipset,
    choices=(("q35", "q35"), ("pc", "pc"), ("virt (aarch64)", "virt"), ("s390-ccw-virtio", "s390-ccw-virtio")),
    group="host",
    help="-machine: where memory lies, and which memslots the board takes",
)
_ACCELERATOR: Final[Setting[Accelerator]] = Setting(
    "accel",
    "Accelerator",
    "choice",
    lambda scenario, _name: scenario.accel,
    put_accel,
    choices=(("KVM", "kvm"), ("TCG", "tcg")),
    help="-accel",
)
_ALL: Final = (
    Setting(
        "rules",
        "Rule set",
        "choice",
        *scenario_field("rules"),
        choices=tuple((name, name) for name in RULE_SETS),
        group="hidden",
        help="which QEMU decides",
    ),
    Setting(
        "policy",
        "Policy",
        "choice",
        policy_of,
        with_policy,
        choices=(
            (QEMU_POLICY, QEMU_POLICY),
            *((name, name) for name, rules in RULE_SETS.items() if not rules.is_release),
        ),
        group="toolbar",
        help="how a device is cut into memslots: the policy of the QEMU release, or that of a proposal",
    ),
    Setting(
        "qemu",
        "QEMU",
        "choice",
        release_of,
        scenario_field("rules")[1],
        choices=tuple((name.removeprefix("qemu-"), name) for name in QEMU_RELEASES),
        group="toolbar",
        help="the release of QEMU that decides; dynamic-memslots came with 8.2",
    ),
    DEVICE_SIZE,
    Setting(
        "requested_size",
        "Requested size",
        "size",
        requested,
        with_request,
        choices=_sizes(*SMALL_SIZES, *SIZES),
        per_device=True,
        group="sliders",
        upper_limit="device_size",
        is_event=True,
        help="requested-size: the amount of memory that the guest is asked to plug",
    ),
    Setting(
        "block_size",
        "Block size",
        "choice",
        *device_field("block_size"),
        choices=(("default", 0), *_sizes(*BLOCK_SIZES[1:])),
        per_device=True,
        help="granularity of plugging (block-size)",
    ),
    MAX_MEMSLOTS,
    Setting(
        "devices",
        "Devices",
        "count",
        get_count,
        put_count,
        choices=tuple((str(one), one) for one in range(1, DEVICE_CHOICES + 1)),
        help="virtio-mem devices",
    ),
    Setting(
        "maxmem",
        "maxmem",
        "size",
        *scenario_field("maxmem"),
        choices=_sizes(*SIZES, 12 * TiB, 16 * TiB),
        help="-m maxmem=: RAM plus room for memory devices",
    ),
    Setting("ram", "Boot RAM", "size", scenario_field("ram")[0], put_ram, choices=_sizes(*SIZES[:37]), help="-m size="),
    Setting("ram_slots", "DIMM slots", "count", *scenario_field("ram_slots"), help="-m slots="),
    Setting(
        "dynamic_memslots",
        "dynamic-memslots",
        "choice",
        get_dynamic,
        put_dynamic,
        choices=(("default", "default"), ("on", "on"), ("off: one memslot", "off")),
        per_device=True,
        group="host",
        help="of the device (QEMU 8.2 and later): off maps it as one memslot; on is the default of RHEL only",
    ),
    _CHIPSET,
    _ACCELERATOR,
    Setting(
        "kvm_slots",
        "KVM memslots",
        "limit",
        *scenario_field("kvm_slots"),
        choices=tuple((f"{one:,}", one) for one in KVM_LIMITS),
        group="sliders",
        help="KVM_CAP_NR_MEMSLOTS of the host",
    ),
    VHOST_SLOTS,
    VHOST_PLACE,
    Setting(
        "smm",
        "SMM",
        "flag",
        *scenario_field("smm"),
        group="flags",
        help="two address spaces: KVM keeps every memslot twice",
    ),
    Setting(
        "host",
        "Host",
        "choice",
        host_of,
        with_host,
        choices=named_hosts(),
        group="host",
        help="the host's kernel: KVM's memslots and what each costs; EPT or NPT with the kernel's defaults",
    ),
    Setting(
        "paging",
        "Paging",
        "choice",
        paging_of,
        with_paging,
        choices=(("EPT/NPT, TDP MMU", "tdp_mmu"), ("EPT/NPT, tdp_mmu=N", "tdp"), ("shadow paging", "shadow")),
        group="host",
        help="the TDP MMU is the default since Linux 5.15: rmap and write tracking only when needed",
    ),
    Setting(
        "nested",
        "nested guest ran",
        "flag",
        *scenario_field("nested"),
        group="flags",
        help="a nested guest has run: KVM then keeps rmap and write tracking for every memslot",
    ),
    Setting(
        "migrating",
        "migrating",
        "flag",
        is_migrating,
        put_migrating,
        group="flags",
        help="an outgoing migration: dirty bitmaps for every memslot, and the device refuses to plug",
    ),
)
SETTINGS: Final[dict[str, Setting[SettingValue]]] = {one.name: one for one in _ALL}
"""Every setting by name, in the order of the controls."""
