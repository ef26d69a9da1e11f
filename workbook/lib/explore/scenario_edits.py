"""What a setting reads of a scenario, and how a scenario becomes another one by it: devices, back ends, requests.

An edit keeps the rest of the VM consistent: a larger device gets a larger memory backend, and maxmem if it was tight.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from itertools import count as counted, takewhile
from typing import Any, Final, Literal, TypeAlias

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
from workbook.lib.scenario import Device, MemoryBackend, Scenario, VfioDevice, VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB

__all__ = (
    "MAX_DEVICES",
    "Accelerator",
    "Chipset",
    "Place",
    "device_field",
    "device_of_name",
    "get_count",
    "get_dynamic",
    "get_place",
    "get_size",
    "get_vhost",
    "is_migrating",
    "on_devices",
    "put_accel",
    "put_chipset",
    "put_count",
    "put_dynamic",
    "put_migrating",
    "put_place",
    "put_ram",
    "put_size",
    "put_vhost",
    "reported_memslots",
    "requested",
    "scenario_field",
    "unused_name",
    "virtio_mem_devices",
    "with_action",
    "with_request",
    "with_shared_memory",
)

Place = Literal["before", "after"]
Chipset = Literal["q35", "pc", "virt", "s390-ccw-virtio"]
Accelerator = Literal["kvm", "tcg", "qtest"]
MAX_DEVICES: Final = 64
"""More than anybody plugs; keeps a mistyped number from keeping the kernel busy."""
Access: TypeAlias = tuple[Callable[[Scenario, str | None], Any], Callable[[Scenario, Any, str | None], Scenario]]
"""How a field is read and replaced by its name: its type is known to `Setting.put` only."""


def virtio_mem_devices(scenario: Scenario) -> tuple[VirtioMem, ...]:
    """Return the virtio-mem devices of a scenario."""
    return tuple(one for one in scenario.devices if isinstance(one, VirtioMem))


def device_of_name(scenario: Scenario, name: str | None) -> VirtioMem:
    """Return the virtio-mem device of that name, None: the first one; raises `BadInput` where there is none."""
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


def get_size(scenario: Scenario, name: str | None) -> int:
    """Return the size of the memory backend behind a device, bytes."""
    backend = scenario.backend(device_of_name(scenario, name).memdev or "")
    return backend.size if backend else 0


def put_size(scenario: Scenario, size: int, name: str | None) -> Scenario:
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


def on_devices(scenario: Scenario, name: str | None, **changes: Any) -> Scenario:
    """Return the scenario with fields of one virtio-mem device replaced, None as name: of all."""
    devices = tuple(
        replace(one, **changes) if isinstance(one, VirtioMem) and name in (None, one.id) else one
        for one in scenario.devices
    )
    return replace(scenario, devices=devices)


def get_count(scenario: Scenario, _name: str | None) -> int:
    """Return how many virtio-mem devices there are."""
    return len(virtio_mem_devices(scenario))


def put_count(scenario: Scenario, count: int, _name: str | None) -> Scenario:
    """Return the scenario with so many virtio-mem devices: copies of the last one more, or the last ones gone."""
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
    device = device_of_name(scenario, name)
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


def get_vhost(scenario: Scenario, name: str | None) -> int | None:
    """0 stands for a vhost-user back end without CONFIGURE_MEM_SLOTS, None for no back end."""
    device = _vhost(scenario, name)
    if device is None:
        return None
    return device.slots or (VHOST_KERNEL_DEFAULT if device.kernel else 0)


def put_vhost(scenario: Scenario, slots: int | None, name: str | None) -> Scenario:
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


def get_place(scenario: Scenario, _name: str | None) -> Place:
    """Return whether the first vhost back end comes before the memory devices; raises `BadInput` without one."""
    if _vhost(scenario) is None:
        raise BadInput("the scenario has no vhost back end")
    return "after" if isinstance(scenario.devices[-1], VhostDevice) and len(_others(scenario)) else "before"


def put_place(scenario: Scenario, place: Place, _name: str | None) -> Scenario:
    """Return the scenario with all vhost back ends before, or after, the memory devices."""
    backends = tuple(one for one in scenario.devices if isinstance(one, VhostDevice))
    if not backends:
        raise BadInput("the scenario has no vhost back end: choose its memslots first")
    others = _others(scenario)
    return replace(scenario, devices=(*backends, *others) if place == "before" else (*others, *backends))


def _others(scenario: Scenario) -> tuple[Device, ...]:
    return tuple(one for one in scenario.devices if not isinstance(one, VhostDevice))


def put_ram(scenario: Scenario, size: int, _name: str | None) -> Scenario:
    """Return the scenario with so much RAM at boot, bytes; the space for memory devices stays."""
    grown = replace(scenario, ram=size, maxmem=scenario.maxmem - scenario.ram + size)
    backends = tuple(replace(one, size=size) if one.id == scenario.ram_backend else one for one in scenario.backends)
    return replace(grown, backends=backends)


def put_chipset(scenario: Scenario, chipset: Chipset, _name: str | None) -> Scenario:
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


def put_accel(scenario: Scenario, accel: Accelerator, _name: str | None) -> Scenario:
    """Return the scenario under another accelerator."""
    return replace(scenario, accel=accel)


def scenario_field(name: str) -> Access:
    """Return how a field of the scenario is read and replaced."""
    return (lambda scenario, _name: getattr(scenario, name)), (
        lambda scenario, value, _name: replace(scenario, **{name: value})
    )


def device_field(name: str) -> Access:
    """Return how a field of a virtio-mem device is read and replaced."""
    return (lambda scenario, device: getattr(device_of_name(scenario, device), name)), (
        lambda scenario, value, device: on_devices(scenario, device, **{name: value})
    )


def get_dynamic(scenario: Scenario, name: str | None) -> str:
    """Return ``on``, ``off``, or ``default`` where the command line leaves dynamic-memslots to the machine type."""
    given = device_of_name(scenario, name).dynamic_memslots
    return "default" if given is None else "on" if given else "off"


def put_dynamic(scenario: Scenario, chosen: str, name: str | None) -> Scenario:
    """Return the scenario with dynamic-memslots of a device ``on``, ``off`` or left to the machine type."""
    return on_devices(scenario, name, dynamic_memslots={"on": True, "off": False}.get(chosen))


def is_migrating(scenario: Scenario, _name: str | None = None) -> bool:
    """Whether an outgoing migration is going on after all actions."""
    marks = [one for one in scenario.actions if isinstance(one, Migrate | MigrateCancel)]
    return bool(marks) and isinstance(marks[-1], Migrate)


def put_migrating(scenario: Scenario, migrating: bool, _name: str | None) -> Scenario:
    """Return the scenario with an outgoing migration begun, or with its last one cancelled."""
    if migrating == is_migrating(scenario):
        return scenario
    action: Action = Migrate() if migrating else MigrateCancel()
    return replace(scenario, actions=(*scenario.actions, action))
