"""Settings: what a user can turn, each a way to read one value of a `Scenario` and to replace it.

A slider, a sweep's axis and a preset all go through these, so that they cannot disagree about what, say, "device
size" means for the memory backend behind the device.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from itertools import count as counted, takewhile
from types import NoneType
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, cast

from workbook.lib.actions import (
    Action,
    Migrate,
    MigrateCancel,
    RequestSize,
    Reset,
    Settle,
    UnplugAll,
    device_of,
    on_device,
)
from workbook.lib.consumers.vhost_backend import VHOST_KERNEL_DEFAULT, VHOST_USER_BASELINE
from workbook.lib.errors import BadInput
from workbook.lib.host import KVM_SLOTS_TODAY
from workbook.lib.rules import QEMU_RELEASES, RULE_SETS
from workbook.lib.scenario import Device, MemoryBackend, Scenario, VfioDevice, VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB, MiB, TiB, format_size

from .hosts import host_of, named_hosts, paging_of, with_host, with_paging
from .releases import QEMU_POLICY, policy_of, release_of, with_policy

__all__ = (
    "DEVICE_SIZE",
    "MAX_MEMSLOTS",
    "SETTINGS",
    "SIZES",
    "VHOST_PLACE",
    "VHOST_SLOTS",
    "Setting",
    "SettingValue",
    "reported_memslots",
    "requested",
    "virtio_mem_devices",
    "with_action",
    "with_request",
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
MAX_DEVICES: Final = 64
"""More than anybody plugs; keeps a mistyped number from keeping the kernel busy."""

Place = Literal["before", "after"]
Group = Literal["sliders", "toolbar", "host", "flags", "more", "hidden"]
Chipset = Literal["q35", "pc", "virt", "s390-ccw-virtio"]
Accelerator = Literal["kvm", "tcg", "qtest"]
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
_Access: TypeAlias = tuple[Callable[[Scenario, str | None], Any], Callable[[Scenario, Any, str | None], Scenario]]
"""How a field is read and replaced by its name: its type is known to `Setting.put` only."""


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


def virtio_mem_devices(scenario: Scenario) -> tuple[VirtioMem, ...]:
    """Return the virtio-mem devices of a scenario."""
    return tuple(one for one in scenario.devices if isinstance(one, VirtioMem))


def _first(scenario: Scenario, name: str | None) -> VirtioMem:
    for one in virtio_mem_devices(scenario):
        if name in (None, one.id):
            return one
    raise BadInput(f"the scenario has no virtio-mem device {name or ''}".rstrip())


def _is_tight(scenario: Scenario) -> bool:
    return scenario.device_memory_size == sum(one.size for one in _device_backends(scenario))


def _device_backends(scenario: Scenario) -> list[MemoryBackend]:
    found = (
        scenario.backend(one.memdev or "") for one in scenario.devices if not isinstance(one, VhostDevice | VfioDevice)
    )
    return [one for one in found if one is not None]


def _tightened(scenario: Scenario, *, tight: bool) -> Scenario:
    """Keep maxmem at RAM plus devices where it was exactly that."""
    if not tight:
        return scenario
    return replace(scenario, maxmem=scenario.ram + sum(one.size for one in _device_backends(scenario)))


# -- devices ----------------------------------------------------------------------------------------------------------


def _get_size(scenario: Scenario, name: str | None) -> int:
    backend = scenario.backend(_first(scenario, name).memdev or "")
    return backend.size if backend else 0


def _put_size(scenario: Scenario, size: int, name: str | None) -> Scenario:
    """Replace a size; what was requested beyond it follows."""
    devices = [one for one in virtio_mem_devices(scenario) if name in (None, one.id)]
    names, memdevs = {one.id for one in devices}, {one.memdev for one in devices}
    tight = _is_tight(scenario)
    backends = tuple(replace(one, size=size) if one.id in memdevs else one for one in scenario.backends)
    shrunk = tuple(
        replace(one, requested_size=min(one.requested_size, size)) if one in devices else one
        for one in scenario.devices
    )
    actions = tuple(
        replace(one, size=min(one.size, size)) if isinstance(one, RequestSize) and one.dev in names else one
        for one in scenario.actions
    )
    return _tightened(replace(scenario, backends=backends, devices=shrunk, actions=actions), tight=tight)


def _on_devices(scenario: Scenario, name: str | None, **changes: Any) -> Scenario:
    devices = tuple(
        replace(one, **changes) if isinstance(one, VirtioMem) and name in (None, one.id) else one
        for one in scenario.devices
    )
    return replace(scenario, devices=devices)


def _get_count(scenario: Scenario, _name: str | None) -> int:
    return len(virtio_mem_devices(scenario))


def _put_count(scenario: Scenario, count: int, _name: str | None) -> Scenario:
    if not 0 <= count <= MAX_DEVICES:
        raise BadInput(f"{count} virtio-mem devices: 0 to {MAX_DEVICES} are allowed")
    tight = _is_tight(scenario)
    devices = virtio_mem_devices(scenario)
    for _ in range(count - len(devices)):
        scenario = _with_another(scenario)
    return _tightened(_without(scenario, devices[count:]), tight=tight)


def _with_another(scenario: Scenario) -> Scenario:
    """Add a device like the first one behind the last one; it takes part in what happened to the first."""
    devices = virtio_mem_devices(scenario)
    template = devices[0] if devices else VirtioMem(id=None, memdev=None, dynamic_memslots=True)
    memory = scenario.backend(template.memdev or "") or MemoryBackend(id="", size=GiB)
    backend = replace(memory, id=unused_name("mem", {one.id for one in scenario.backends}))
    added = replace(
        template, id=unused_name("vm", {one.id for one in scenario.devices}), memdev=backend.id, memaddr=0, where=""
    )
    last = max((index for index, one in enumerate(scenario.devices) if isinstance(one, VirtioMem)), default=-1)
    behind = last + 1 if devices else len(scenario.devices)
    return replace(
        scenario,
        backends=(*scenario.backends, backend),
        devices=(*scenario.devices[:behind], added, *scenario.devices[behind:]),
        actions=_copied_actions(scenario.actions, template.id, added.id),
    )


def unused_name(stem: str, taken: Container[str | None]) -> str:
    """Return `stem` with the first number that makes a name nobody has."""
    return next(name for number in counted() if (name := f"{stem}{number}") not in taken)


def _without(scenario: Scenario, gone: Sequence[VirtioMem]) -> Scenario:
    """Take devices away, with their memory and what happened to them."""
    left = tuple(one for one in scenario.devices if not any(one is other for other in gone))
    needed = {one.memdev for one in left if not isinstance(one, VhostDevice | VfioDevice)}
    freed = {one.memdev for one in gone} - needed
    names = {one.id for one in gone} - {None}
    return replace(
        scenario,
        devices=left,
        backends=tuple(one for one in scenario.backends if one.id not in freed),
        actions=tuple(one for one in scenario.actions if device_of(one) not in names),
    )


def _copied_actions(actions: tuple[Action, ...], source: str | None, target: str | None) -> tuple[Action, ...]:
    """Let the new device take part in what happened to the first one."""
    copied: list[Action] = []
    for one in actions:
        copied.append(one)
        if source is not None and target is not None and device_of(one) == source:
            copied.append(on_device(one, target))
    return tuple(copied)


# -- what happens -----------------------------------------------------------------------------------------------------


def requested(scenario: Scenario, name: str | None = None) -> int:
    """Return the requested size in force after all actions, of a device or the first one."""
    device = _first(scenario, name)
    asked = [one.size for one in scenario.actions if isinstance(one, RequestSize) and one.dev == device.id]
    return asked[-1] if asked else device.requested_size


def with_request(scenario: Scenario, size: int, name: str | None = None, *, again: bool = False) -> Scenario:
    """Ask for `size`; a request that directly precedes is replaced, as a slider that moves on does.

    Parameters
    ----------
    again
        Keep the request before: the VM sees both, one after the other.
    """
    for device in virtio_mem_devices(scenario):
        if name not in (None, device.id):
            continue
        actions = list(scenario.actions)
        if not again:
            # requests to other devices may stand between
            requests = takewhile(lambda one: isinstance(one[1], RequestSize), reversed(list(enumerate(actions))))
            last = next((index for index, one in requests if device_of(one) == device.id), None)
            if last is not None:
                del actions[last]
        if device.id is None:  # nothing can name it at run time
            devices = tuple(replace(one, requested_size=size) if one is device else one for one in scenario.devices)
            scenario = replace(scenario, devices=devices)
            continue
        actions.append(RequestSize(dev=device.id, size=size))
        scenario = replace(scenario, actions=tuple(actions))
    return scenario


def with_action(scenario: Scenario, op: str, name: str | None = None) -> Scenario:
    """Append ``settle``, ``unplug_all`` or ``reset``; for all virtio-mem devices where none is named."""
    if op == "reset":
        return replace(scenario, actions=(*scenario.actions, Reset()))
    names = [one.id for one in virtio_mem_devices(scenario) if one.id is not None and name in (None, one.id)]
    added = tuple(Settle(dev=one) if op == "settle" else UnplugAll(dev=one) for one in names)
    return replace(scenario, actions=(*scenario.actions, *added))


# -- vhost ------------------------------------------------------------------------------------------------------------


def _vhost(scenario: Scenario, name: str | None = None) -> VhostDevice | None:
    """Return the back end of that id, or the first one."""
    backends = [one for one in scenario.devices if isinstance(one, VhostDevice)]
    return next((one for one in backends if one.id == name), backends[0] if backends else None)


def reported_memslots(device: VhostDevice) -> int:
    """Return the memslots that a back end has, as far as QEMU knows: its report, or what holds without one."""
    if device.slots is not None:
        return device.slots
    return VHOST_KERNEL_DEFAULT if device.kernel else VHOST_USER_BASELINE


def _get_vhost(scenario: Scenario, name: str | None) -> int | None:
    """0 stands for a vhost-user back end without CONFIGURE_MEM_SLOTS, None for no back end."""
    device = _vhost(scenario, name)
    if device is None:
        return None
    return device.slots or (VHOST_KERNEL_DEFAULT if device.kernel else 0)


def _put_vhost(scenario: Scenario, slots: int | None, name: str | None) -> Scenario:
    """Replace what a back end reports (without a name: the first); the first one to come is plugged first of all."""
    if slots is None:
        left = tuple(one for one in scenario.devices if not isinstance(one, VhostDevice))
        return _with_private_memory(replace(scenario, devices=left))
    first = _vhost(scenario, name)
    if first is None:
        added = VhostDevice(id=unused_name("vu", {one.id for one in scenario.devices}), slots=slots or None)
        return with_shared_memory(replace(scenario, devices=(added, *scenario.devices)))
    changed = VhostDevice(id=first.id) if first.kernel and not slots else replace(first, slots=slots or None)
    return replace(scenario, devices=tuple(changed if one is first else one for one in scenario.devices))


def with_shared_memory(scenario: Scenario) -> Scenario:
    """vhost-user can map memory with a file descriptor only: boot RAM and devices come from memfd then."""
    backends = tuple(replace(one, kind="memfd", share=True) if not one.has_fd else one for one in scenario.backends)
    if scenario.ram_backend is not None:
        return replace(scenario, backends=backends)
    name = _unused_boot_name(scenario)
    boot = MemoryBackend(id=name, size=scenario.ram, kind="memfd", share=True)
    return replace(scenario, backends=(boot, *backends), ram_backend=name)


def _with_private_memory(scenario: Scenario) -> Scenario:
    """Without vhost-user, ordinary memory does."""
    backends = tuple(
        replace(one, kind="ram", share=False) if one.kind == "memfd" and one.page_size == 4 * KiB else one
        for one in scenario.backends
    )
    boot = scenario.backend(scenario.ram_backend or "")
    if boot is None or boot.kind != "memfd" or boot.page_size != 4 * KiB:
        return replace(scenario, backends=backends)
    return replace(scenario, backends=tuple(one for one in backends if one.id != boot.id), ram_backend=None)


def _unused_boot_name(scenario: Scenario) -> str:
    return "ram" if scenario.backend("ram") is None else unused_name("ram", {one.id for one in scenario.backends})


def _get_place(scenario: Scenario, _name: str | None) -> Place:
    if _vhost(scenario) is None:
        raise BadInput("the scenario has no vhost back end")
    return "after" if isinstance(scenario.devices[-1], VhostDevice) and len(_others(scenario)) else "before"


def _put_place(scenario: Scenario, place: Place, _name: str | None) -> Scenario:
    backends = tuple(one for one in scenario.devices if isinstance(one, VhostDevice))
    if not backends:
        raise BadInput("the scenario has no vhost back end: choose its memslots first")
    others = _others(scenario)
    return replace(scenario, devices=(*backends, *others) if place == "before" else (*others, *backends))


def _others(scenario: Scenario) -> tuple[Device, ...]:
    return tuple(one for one in scenario.devices if not isinstance(one, VhostDevice))


def _put_ram(scenario: Scenario, size: int, _name: str | None) -> Scenario:
    grown = replace(scenario, ram=size, maxmem=scenario.maxmem - scenario.ram + size)
    backends = tuple(replace(one, size=size) if one.id == scenario.ram_backend else one for one in scenario.backends)
    return replace(grown, backends=backends)


def _put_chipset(scenario: Scenario, chipset: Chipset, _name: str | None) -> Scenario:
    """Change the board; between architectures the CPU, the firmware and the machine version go with it."""
    program = {"virt": "aarch64", "s390-ccw-virtio": "s390x"}.get(chipset, "x86_64")
    if program == scenario.program:
        return replace(scenario, chipset=chipset)
    devices = tuple(
        replace(one, unplugged_inaccessible=None, transport="ccw" if program == "s390x" else "pci")
        if isinstance(one, VirtioMem)
        else one
        for one in scenario.devices
    )
    return replace(
        scenario,
        chipset=chipset,
        program=program,
        machine_version=None,
        cpu=None,
        cpu_vendor=None,
        phys_bits=48 if program == "aarch64" else None,
        acpi=program == "x86_64",
        smm=False,
        display=False,
        fixtures=(),
        devices=devices,
    )


def _put_accel(scenario: Scenario, accel: Accelerator, _name: str | None) -> Scenario:
    return replace(scenario, accel=accel)


def _field(name: str) -> _Access:
    return (lambda scenario, _name: getattr(scenario, name)), (
        lambda scenario, value, _name: replace(scenario, **{name: value})
    )


def _device_field(name: str) -> _Access:
    return (lambda scenario, device: getattr(_first(scenario, device), name)), (
        lambda scenario, value, device: _on_devices(scenario, device, **{name: value})
    )


def _get_dynamic(scenario: Scenario, name: str | None) -> str:
    given = _first(scenario, name).dynamic_memslots
    return "default" if given is None else "on" if given else "off"


def _put_dynamic(scenario: Scenario, chosen: str, name: str | None) -> Scenario:
    return _on_devices(scenario, name, dynamic_memslots={"on": True, "off": False}.get(chosen))


def _is_migrating(scenario: Scenario, _name: str | None = None) -> bool:
    """Whether an outgoing migration is going on after all actions."""
    marks = [one for one in scenario.actions if isinstance(one, Migrate | MigrateCancel)]
    return bool(marks) and isinstance(marks[-1], Migrate)


def _put_migrating(scenario: Scenario, migrating: bool, _name: str | None) -> Scenario:
    if migrating == _is_migrating(scenario):
        return scenario
    action: Action = Migrate() if migrating else MigrateCancel()
    return replace(scenario, actions=(*scenario.actions, action))


def _sizes(*sizes: int) -> tuple[tuple[str, int], ...]:
    return tuple((format_size(one), one) for one in sizes)


DEVICE_SIZE: Final[Setting[int]] = Setting(
    "device_size",
    "Device size",
    "size",
    _get_size,
    _put_size,
    choices=_sizes(*SIZES),
    per_device=True,
    group="sliders",
    help="size of the virtio-mem device's memory backend",
)
VHOST_SLOTS: Final[Setting[int | None]] = Setting(
    "vhost_slots",
    "vhost memslots",
    "limit",
    _get_vhost,
    _put_vhost,
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
    _get_place,
    _put_place,
    choices=(("before the devices", "before"), ("after the devices", "after")),
    help="the order on the command line, of all back ends at once",
)
MAX_MEMSLOTS: Final[Setting[int]] = Setting(
    "max_memslots",
    "max-memslots",
    "count",
    lambda scenario, name: _first(scenario, name).max_memslots or 0,
    lambda scenario, limit, name: _on_devices(scenario, name, max_memslots=limit),
    per_device=True,
    help="0 is automatic; RFC series only",
)
_CHIPSET: Final[Setting[Chipset]] = Setting(
    "chipset",
    "Machine",
    "choice",
    lambda scenario, _name: scenario.chipset,
    _put_chipset,
    choices=(("q35", "q35"), ("pc", "pc"), ("virt (aarch64)", "virt"), ("s390-ccw-virtio", "s390-ccw-virtio")),
    group="host",
    help="-machine: where memory lies, and which memslots the board takes",
)
_ACCELERATOR: Final[Setting[Accelerator]] = Setting(
    "accel",
    "Accelerator",
    "choice",
    lambda scenario, _name: scenario.accel,
    _put_accel,
    choices=(("KVM", "kvm"), ("TCG", "tcg")),
    help="-accel",
)
_ALL: Final = (
    Setting(
        "rules",
        "Rule set",
        "choice",
        *_field("rules"),
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
            *((name, name) for name in RULE_SETS if not name.startswith("qemu-")),
        ),
        group="toolbar",
        help="how a device is cut into memslots: as a release of QEMU does, or as one of the proposals before did",
    ),
    Setting(
        "qemu",
        "QEMU",
        "choice",
        release_of,
        _field("rules")[1],
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
        *_device_field("block_size"),
        choices=(("default", 0), *_sizes(*BLOCK_SIZES[1:])),
        per_device=True,
        help="granularity of plugging (block-size)",
    ),
    MAX_MEMSLOTS,
    Setting(
        "devices",
        "Devices",
        "count",
        _get_count,
        _put_count,
        choices=tuple((str(one), one) for one in range(1, DEVICE_CHOICES + 1)),
        help="virtio-mem devices",
    ),
    Setting(
        "maxmem",
        "maxmem",
        "size",
        *_field("maxmem"),
        choices=_sizes(*SIZES, 12 * TiB, 16 * TiB),
        help="-m maxmem=: RAM plus room for memory devices",
    ),
    Setting("ram", "Boot RAM", "size", _field("ram")[0], _put_ram, choices=_sizes(*SIZES[:37]), help="-m size="),
    Setting("ram_slots", "DIMM slots", "count", *_field("ram_slots"), help="-m slots="),
    Setting(
        "dynamic_memslots",
        "dynamic-memslots",
        "choice",
        _get_dynamic,
        _put_dynamic,
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
        *_field("kvm_slots"),
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
        *_field("smm"),
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
        choices=(("EPT/NPT, TDP MMU", "tdp_mmu"), ("EPT/NPT, old MMU", "tdp"), ("shadow paging", "shadow")),
        group="host",
        help="the TDP MMU is the default since Linux 5.15: rmap and write tracking only when needed",
    ),
    Setting(
        "nested",
        "nested guest ran",
        "flag",
        *_field("nested"),
        group="flags",
        help="a nested guest has run: KVM then keeps rmap and write tracking for every memslot",
    ),
    Setting(
        "migrating",
        "migrating",
        "flag",
        _is_migrating,
        _put_migrating,
        group="flags",
        help="an outgoing migration: dirty bitmaps for every memslot, and the device refuses to plug",
    ),
)
SETTINGS: Final[dict[str, Setting[SettingValue]]] = {one.name: one for one in _ALL}
"""Every setting by name, in the order of the controls."""
