"""A virtual machine: a Scenario simulated under a rule set.

Simulates QEMU, the device and a Linux-like guest. Its parts: the board, the device-memory bus and the consumers of
memslots; `hotplug` changes them, and what they look like at a moment is the immutable `Layout` of `snapshot`.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeVar

from workbook.lib.actions import (
    Action,
    ChardevAdd,
    DeviceAdd,
    DeviceDel,
    DeviceReset,
    DriverStart,
    Look,
    Migrate,
    MigrateCancel,
    MigrateIncoming,
    NetdevAdd,
    ObjectAdd,
    Plug,
    QomSet,
    RawRequest,
    RequestSize,
    Reset,
    Settle,
    Start,
    State,
    Unplug,
    UnplugAll,
    VhostStart,
)
from workbook.lib.boards.board import board_layout, is_pc
from workbook.lib.consumers.known_backends import resolve_slots
from workbook.lib.consumers.vhost_device import PluggedVhost
from workbook.lib.errors import Abort, BadInput, Refusal, WorkbookError
from workbook.lib.host import Host
from workbook.lib.libvirt import read_domain_line, write_domain
from workbook.lib.memory.flatview import FlatView
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.notes import Note
from workbook.lib.qemu_args import CommandLine, read_command_line, reader as cmdline
from workbook.lib.rules import DEFAULT, get
from workbook.lib.rules.base import Budget, RuleSet
from workbook.lib.rules.monitors import Monitor
from workbook.lib.scenario import Device, MemoryBackend, Scenario, VhostDevice, VirtioMem

from . import hotplug
from .bus import DeviceMemoryBus
from .from_text import play_commands, read_text
from .hints import hints
from .memory_device import MemoryDevice, MemoryDeviceInfo
from .memslots import MemslotConsumers
from .monitor_device import monitor_notes
from .properties import refusal_of_property, requested_size_of
from .snapshot import Layout, snapshot
from .virtio_mem import BlockState, RequestType, Response, VirtioMemDevice, check_bytes
from .what_if import WhatIfReport, actions_of, report, try_on

__all__ = ("Machine", "StateAnswer")

_T = TypeVar("_T")


class StateAnswer(NamedTuple):
    """The device's answer to STATE; `state` is None unless `response` is ACK."""

    response: Response
    state: BlockState | None


class Machine:
    """A PC with memory devices and vhost back ends.

    Parameters
    ----------
    scenario
        The VM; its devices are plugged in order, its actions played.
    rules
        Rule set or its name; None takes the scenario's.
    vhost_slots
        Memslot limits that vhost back ends report which are hot-plugged later, by device id.
    printed
        Lines that QEMU has printed before it makes the board.

    Attributes
    ----------
    board
        Where RAM and device memory lie.
    bus
        The device-memory container and the memory devices in it.
    consumers
        KVM and the vhost devices, with the memslots that each uses and has reserved.
    backends
        Memory backends by id.
    warnings
        The lines that QEMU has printed so far.
    read_as
        What the input was taken for.
    read_notes
        What was assumed, passed over or not modelled in it; see `notes`.
    migrating
        An outgoing migration is active; see `migrate` and `end_migration`.

    Raises
    ------
    Refusal
        QEMU would not start, or refuse an action.
    BadInput
        The scenario names something that does not exist.
    """

    def __init__(
        self,
        scenario: Scenario,
        rules: str | RuleSet | None = None,
        *,
        vhost_slots: Mapping[str, int | None] | None = None,
        printed: Sequence[str] = (),
    ) -> None:
        if not isinstance(scenario, Scenario):
            raise BadInput(f"a machine is made of a Scenario, not of {scenario!r:.60}: see Machine.from_qemu_args")
        self.scenario = scenario
        self.rules = get(rules if rules is not None else scenario.rules)
        if self.rules.is_release and scenario.machine_version and is_pc(scenario):
            self.rules.qemu.check_machine(scenario.chipset, scenario.machine_version)
        self.board = self.rules.layout(scenario) if isinstance(self.rules, Monitor) else board_layout(scenario)
        self.bus = DeviceMemoryBus(self.board, self.rules)
        self.backends: dict[str, MemoryBackend] = {}
        self.warnings: list[str] = list(printed)
        self.read_notes: tuple[Note, ...] = ()
        self.read_as = "a scenario"
        self.consumers = MemslotConsumers(scenario, self.rules, self.board, self.bus, self.warnings)
        self.warned_of_discard = False
        self.migrating = False
        self._vhost_slots = dict(vhost_slots or {})
        self._start()
        for action in scenario.actions:
            self.act(action)

    def _start(self) -> None:
        """Make what the command line names, in its order, and let the firmware run."""
        for backend in self.scenario.backends:
            self.object_add(backend)
        for spec in self.scenario.devices:
            try:
                hotplug.plug(self, spec, hotplugged=False)
            except Refusal as refusal:
                refusal.where, refusal.before = refusal.where or spec.where, tuple(self.warnings)
                raise
        self.consumers.running = True
        self.consumers.commit()

    @classmethod
    def from_qemu_args(
        cls,
        argv: str | Sequence[str],
        rules: str | RuleSet = DEFAULT,
        kvm_slots: int | None = None,
        vhost_slots: Mapping[str, int | str | None] | None = None,
        *,
        smm: bool | None = None,
        host: Host | None = None,
        files: Mapping[str, str] | None = None,
    ) -> "Machine":
        """Build the machine that a QEMU command line describes.

        Parameters
        ----------
        argv
            List of strings or one shell string, with or without the program's name.
        rules
            Rule set, or its name (see `workbook.lib.rules.RULE_SETS`).
        kvm_slots
            KVM_CAP_NR_MEMSLOTS of the host; 32764 where not given. Given, a line that names no accelerator runs on KVM.
        vhost_slots
            Memslot limit that a vhost back end reports, by device id, also of one that is hot-plugged later; None for
            a vhost-user back end without CONFIGURE_MEM_SLOTS.
            The name of a program (``virtiofsd-1.11``, ``dpdk``) stands for what it reports.
        smm
            Whether KVM has a second address space; None takes it from ``-machine smm=``.
        host
            What is known of the host; None: nothing, and `notes` say what was assumed.
        files
            Content of the files that the line names (``-readconfig``), by path.

        Raises
        ------
        BadInput
            The command line cannot be read, contradicts itself, or asks for what is not modelled.
        Refusal
            QEMU would refuse it.
        """
        rules = get(rules)
        slots = resolve_slots(vhost_slots)
        # an explicit kvm_slots implies -accel kvm
        default_accel: Literal["kvm", "tcg"] = "tcg" if kvm_slots is None else "kvm"
        line = read_command_line(
            argv, rules=rules, vhost_slots=slots, default_accel=default_accel, host=host, files=files
        )
        scenario = line.scenario
        if kvm_slots is not None:
            if not isinstance(kvm_slots, int) or kvm_slots < 1:
                raise BadInput(f"kvm_slots is {kvm_slots!r:.40}: give a whole number, KVM has at least one memslot")
            scenario = replace(scenario, kvm_slots=kvm_slots)
        if smm is not None:
            scenario = replace(scenario, smm=smm)
        machine = cls.of_command_line(replace(line, scenario=scenario), rules, slots)
        machine.read_as = "a QEMU command line"
        return machine

    @classmethod
    def from_text(
        cls,
        text: str,
        rules: str | RuleSet | None = None,
        host: Host | None = None,
        vhost_slots: Mapping[str, int | str | None] | None = None,
        *,
        files: Mapping[str, str] | None = None,
    ) -> "Machine":
        """Build the machine that a pasted text describes; `read_as` says what it was taken for.

        Parameters
        ----------
        text
            A shell line, output of ``ps``, a NUL-separated /proc/PID/cmdline, libvirt XML (a domain, or a device to
            hot-plug), lines of QEMU's monitor, QMP, a configuration file, or a KubeVirt object in YAML or JSON.
        rules
            None: the newest QEMU, or the one that the machine type's distribution ships; `notes` say which.
        host, vhost_slots
            As for `from_qemu_args`.
        files
            Content of the files that the text names (``-readconfig``), by path.

        Raises
        ------
        BadInput
            The text is not recognised, or cannot be read.
        Refusal
            QEMU or libvirt would refuse it.
        """
        slots = resolve_slots(vhost_slots)
        pasted = read_text(text, rules=rules, host=host, vhost_slots=slots, files=files)
        machine = cls.of_command_line(pasted.line, pasted.rules, slots)
        machine.read_as = pasted.read_as
        machine.read_notes += play_commands(machine, pasted.commands)
        return machine

    @classmethod
    def of_command_line(cls, line: CommandLine, rules: RuleSet, vhost_slots: Mapping[str, int | None]) -> "Machine":
        """Bring a command line that was read to life, device by device.

        Raises
        ------
        BadInput, Refusal
            What stops QEMU first: a device of the scenario, else `CommandLine.failure` in its place behind them.
        """
        scenario = line.scenario
        if scenario.rules != rules.name:
            scenario = replace(scenario, rules=rules.name)
        machine = cls(scenario, rules, vhost_slots=vhost_slots, printed=line.warnings)
        if line.failure is not None:
            raise line.failure
        machine.read_notes = line.notes
        return machine

    @classmethod
    def from_libvirt(
        cls,
        xml: str,
        rules: str | RuleSet = DEFAULT,
        kvm_slots: int | None = None,
        vhost_slots: Mapping[str, int | str | None] | None = None,
        *,
        host: Host | None = None,
    ) -> "Machine":
        """Build the machine that libvirt makes of domain XML, or of a piece of it (see `libvirt.read_domain`).

        Parameters
        ----------
        rules, kvm_slots, vhost_slots, host
            As for `from_qemu_args`; the ids must be those of the domain's own vhost devices.

        Raises
        ------
        BadInput
            The XML cannot be read, libvirt would refuse it, or it asks for what is not modelled.
        Refusal
            QEMU would refuse it.
        """
        rules = get(rules)
        slots = resolve_slots(vhost_slots)
        line = read_domain_line(xml, rules=rules, vhost_slots=slots, host=host)
        scenario = line.scenario
        if kvm_slots is not None:
            scenario = replace(scenario, kvm_slots=kvm_slots)
        machine = cls.of_command_line(replace(line, scenario=scenario), rules, slots)
        machine.read_as = "libvirt domain XML"
        return machine

    def qemu_args(self) -> list[str]:
        """Return the command line that makes the machine, before anything has happened to it."""
        return cmdline.write_argv(self.scenario, self.rules)

    def libvirt_xml(self) -> str:
        """Return the libvirt domain XML that makes the machine, before anything has happened to it."""
        return write_domain(self.scenario, self.rules)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was assumed, passed over or not modelled in the input, and hints about the VM as it is now."""
        passed_over = monitor_notes(self, self.rules) if isinstance(self.rules, Monitor) else ()
        return (*self.read_notes, *(Note("passed over", one) for one in passed_over), *hints(self))

    # -- what it looks like ---------------------------------------------------------------------------------------

    @property
    def devices(self) -> list[MemoryDevice]:
        """The plugged memory devices, in the order in which they came."""
        return self.bus.devices

    @property
    def vhosts(self) -> list[PluggedVhost]:
        """The vhost devices, in the order in which they came; refused and removed ones stay, marked."""
        return self.consumers.vhosts

    @property
    def device_memory(self) -> MemoryRegion | None:
        """The "device-memory" container with everything in it; None without maxmem."""
        return self.bus.root

    @property
    def view(self) -> FlatView:
        """The flat view of device memory."""
        return self.bus.view

    @property
    def kvm_used(self) -> tuple[int, ...]:
        """KVM memslots in use, per registered address space; empty without KVM."""
        return self.consumers.kvm_used

    @property
    def kvm_free(self) -> int | None:
        """What QEMU believes that KVM has free; None without KVM."""
        return self.consumers.kvm_free

    @property
    def budget(self) -> Budget:
        """What a memory device that is plugged now would find."""
        return self.consumers.budget

    @property
    def exposed(self) -> int:
        """Bytes that are mapped into the guest and not plugged, over all virtio-mem devices."""
        return sum(one.virtio_mem.exposed for one in self.devices if one.virtio_mem)

    @property
    def picture(self) -> Layout:
        """What the machine looks like now, as an immutable value (`snapshot`)."""
        return snapshot(self)

    def info_mtree(self, *, flat: bool = False) -> str:
        """Return QEMU's text for the device-memory part of ``info mtree``, or of ``info mtree -f``.

        Indented as QEMU does inside the system address space; lines are joined without a last newline.
        """
        return self.picture.info_mtree(flat=flat)

    def query_memory_devices(self) -> list[MemoryDeviceInfo]:
        """Return the data of QMP ``query-memory-devices``, in address order."""
        return [one.qmp() for one in self.bus.by_address()]

    def info_memory_devices(self) -> str:
        """Return the text of ``info memory-devices``."""
        return "\n".join(line for one in self.bus.by_address() for line in one.monitor_lines())

    def memory_size_summary(self) -> dict[str, int]:
        """Return QMP ``query-memory-size-summary``: base and plugged memory, bytes."""
        plugged = sum(one.virtio_mem.size if one.virtio_mem else one.size for one in self.devices)
        return {"base-memory": self.scenario.ram, "plugged-memory": plugged}

    def config_space(self, name: str) -> dict[str, int]:
        """Return the seven fields that the guest reads from a virtio-mem device."""
        return self.bus.virtio_mem(name).config_space()

    def user_limit(self, spec: VirtioMem) -> int:
        """Return the user's memslot limit for a device, or the machine type's; 0 for automatic."""
        return hotplug.user_limit(self, spec)

    # -- devices come and go --------------------------------------------------------------------------------------

    def object_add(self, backend: MemoryBackend) -> None:
        """Make a memory backend (``object-add``).

        Raises
        ------
        Refusal
            The id is taken.
        BadInput
            The size is 0.
        """
        hotplug.object_add(self, backend)

    def device_add(
        self,
        driver: str | Device,
        id: str | None = None,  # noqa: A002 - QEMU's name
        *,
        props: Mapping[str, object] | None = None,
        object: MemoryBackend | Mapping[str, object] | None = None,  # noqa: A002 - QEMU's name
        vhost_slots: int | None = None,
        **more: Any,
    ) -> None:
        """Hot-plug a device (``device_add``).

        PCI buses are not modelled: a real q35 takes the device only on a root port (``bus=``), the 440FX everywhere.

        Parameters
        ----------
        driver
            Driver name, ``"driver,key=value,..."``, or a device of `workbook.lib.scenario`.
        props, more
            Properties; underscores in `more` stand for hyphens.
        object
            A memory backend to make first (``object-add``); it goes away again if the device is refused.
        vhost_slots
            Memslots that the vhost back end reports; None takes what the machine was made with (`vhost_slots`).

        Raises
        ------
        Refusal
            As QEMU refuses it.
        """
        if object is not None:
            backend = object if isinstance(object, MemoryBackend) else cmdline.backend_from_object(object)
            self.object_add(backend)
            try:
                self.device_add(driver, id, props=props, vhost_slots=vhost_slots, **more)
            except Abort:
                raise
            except WorkbookError:
                del self.backends[backend.id]
                raise
            return
        if isinstance(driver, str):
            if props is not None and not isinstance(props, Mapping):
                raise BadInput(f"props must be a mapping of properties, not {props!r:.60}")
            given = dict(props or {}) | {key.replace("_", "-"): value for key, value in more.items()}
            if id is not None:
                given["id"] = id
            spec = cmdline.device_from_properties(driver, given, rules=self.rules, vhost_slots=vhost_slots)
        else:
            spec = driver
        if spec is None:
            return
        if isinstance(spec, VhostDevice) and spec.slots is None and spec.id is not None:
            spec = replace(spec, slots=self._vhost_slots.get(spec.id))
        hotplug.plug(self, spec, hotplugged=True)

    def device_del(self, name: str) -> None:
        """Remove a device (``device_del``), the guest being willing.

        Raises
        ------
        Refusal
            The device refuses, or no device has that id.
        """
        hotplug.device_del(self, name)

    # -- what happens to it ---------------------------------------------------------------------------------------

    def request_size(self, name: str, size: int) -> None:
        """Ask the guest for `size` bytes of a device.

        Raises
        ------
        Refusal
            Not a multiple of the block size, or beyond the device.
        """
        device = self.bus.virtio_mem(name)
        self._changed(lambda: device.request_size(size))

    def qom_set(self, name: str, prop: str, value: object) -> None:
        """Set a property of a memory device (``qom-set``); only ``requested-size`` can be set at run time.

        Raises
        ------
        Refusal
            As QEMU refuses it.
        """
        device = self.bus.device(name)
        if device.virtio_mem is None or prop != "requested-size":
            raise refusal_of_property(device, prop, value, self.backends)
        self.request_size(name, requested_size_of(value))

    def plug(self, name: str, offset: int, size: int) -> Response | None:
        """Let the guest plug [offset, offset + size) of a device; None: it broke the protocol, no answer."""
        return self._ask(name, lambda device: device.plug(offset, size, busy=self._is_busy(device, size)), size=size)

    def _is_busy(self, device: VirtioMemDevice, size: int) -> bool:
        """Return whether plugging is answered with BUSY: while migrating, or where a VFIO container cannot map it."""
        room = self.consumers.dma_room()
        return self.migrating or (room is not None and size // device.block_size > room)

    def unplug(self, name: str, offset: int, size: int) -> Response | None:
        """Let the guest unplug [offset, offset + size) of a device; None: no answer."""
        return self._ask(name, lambda device: device.unplug(offset, size, busy=self.migrating), size=size)

    def unplug_all(self, name: str) -> Response | None:
        """Let the guest unplug everything of a device; None: no answer."""
        return self._ask(name, lambda device: device.unplug_all(busy=self.migrating))

    def state(self, name: str, offset: int, size: int) -> StateAnswer | None:
        """Let the guest ask for the state of [offset, offset + size); None: no answer."""
        return self._ask(name, lambda device: StateAnswer(*device.state(offset, size)), size=size)

    def _ask(self, name: str, ask: Callable[[VirtioMemDevice], _T], **numbers: int) -> _T | None:
        device = self.bus.virtio_mem(name)
        for what, value in numbers.items():
            check_bytes(what, value)
        device.require_driver()
        return None if device.broken else self._changed(lambda: ask(device))

    def raw_request(self, name: str, request: int, gpa: int, nb_blocks: int) -> StateAnswer | None:
        """Let the guest send any request; an unknown type breaks the device until a reset and has no answer."""
        device = self.bus.virtio_mem(name)
        device.require_driver()
        if device.broken:
            return None
        offset, size = gpa - device.addr, nb_blocks * device.block_size
        match request:
            case RequestType.PLUG:
                response = self.plug(name, offset, size)
            case RequestType.UNPLUG:
                response = self.unplug(name, offset, size)
            case RequestType.UNPLUG_ALL:
                response = self.unplug_all(name)
            case RequestType.STATE:
                return self.state(name, offset, size)
            case _:
                device.broken = True
                self.warnings.append(f"virtio-mem protocol violation: unknown request type: {request}")
                return None
        return None if response is None else StateAnswer(response, None)

    def settle(self, name: str) -> None:
        """Let a Linux-like driver follow the request: plug from the bottom, unplug from the top, whole blocks."""
        device = self.bus.virtio_mem(name)
        missing = device.requested_size - device.size
        if missing > 0:
            for start, end in _gaps(device):
                room = self.consumers.dma_room()
                # where DMA mappings run out the driver goes on by blocks until the device is busy
                most = missing if room is None else min(missing, room * device.block_size)
                stop = min(end, start + most)
                for piece, size in self._requests(device, start, stop):
                    self.plug(name, piece, size)
                missing -= min(end - start, missing)
            return
        for start, end in reversed(list(device.plugged.extents())):
            first = max(start, end + missing)
            for piece, size in self._requests(device, first, end):
                self.unplug(name, piece, size)
            missing += end - first

    def _requests(self, device: VirtioMemDevice, start: int, end: int) -> list[tuple[int, int]]:
        """Cut [start, end) into what one request each can ask for: (offset, size)."""
        found = []
        while start < end:
            size = min(end - start, self.rules.answers.largest_request(device, start))
            found.append((start, size))
            start += size
        return found

    def reset(self) -> None:
        """Reset the system: virtio-mem devices unplug everything, vhost devices stop."""

        def reset_memory() -> None:
            for one in self.devices:
                if one.virtio_mem and self.rules.answers.unplugs_at_reset:
                    one.virtio_mem.start_driver()
                    one.virtio_mem.unplug_all(busy=self.migrating)

        if self.rules.qemu.resets_memory_first:
            self._changed(reset_memory)
        for plugged in self.vhosts:
            plugged.stop()
        if not self.rules.qemu.resets_memory_first:
            self._changed(reset_memory)

    def device_reset(self, name: str) -> None:
        """Reset one virtio device, whose driver then starts again: its memory stays as it is."""
        self.driver_start(name)

    def driver_start(self, name: str, *, unplugged_inaccessible: bool = True) -> None:
        """Let the guest's driver reset a virtio-mem device and negotiate its features.

        Raises
        ------
        Refusal
            The device offers VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE and the driver does not accept it.
        """
        device = self.bus.virtio_mem(name)
        offered = hotplug.is_unplugged_inaccessible(self, self.bus.device(name))
        device.start_driver(accepted=unplugged_inaccessible or not offered)

    def vhost_start(self, name: str, ring: int | None = None) -> None:
        """Let the guest's driver start a vhost device whose first virtqueue is at `ring`."""
        plugged = next((one for one in self.vhosts if one.spec.id == name and not one.refused), None)
        if plugged is None:
            known = ", ".join(str(one.spec.id) for one in self.vhosts if not one.refused) or "none"
            raise BadInput(f"there is no vhost device {name!r} in use: known are {known}")
        plugged.start(ring)
        self.consumers.take_printed(plugged)

    def migrate(self) -> None:
        """Begin an outgoing migration: until it ends the guest's requests are answered with BUSY."""
        self.migrating = True

    def end_migration(self) -> None:
        """End the outgoing migration, completed or cancelled."""
        self.migrating = False

    def restore(self, source: "Machine") -> None:
        """Take over the state of virtio-mem devices from the source of a migration."""

        def restore_devices() -> None:
            for one in self.devices:
                if one.virtio_mem:
                    one.virtio_mem.restore(source.bus.virtio_mem(one.id))

        self._changed(restore_devices)

    def _changed(self, change: Callable[[], _T]) -> _T:
        """Run `change`, then let listeners see the difference."""
        before = self.bus.mapped()
        result = change()
        if before != self.bus.mapped():
            self.consumers.commit()
        return result

    def act(self, action: Action) -> Response | StateAnswer | None:
        """Play one action; whatever drives a machine drives it through here.

        Returns
        -------
        What the device answers to a guest's request; None for an action that has no answer, or gets none.

        Raises
        ------
        Refusal
            QEMU refuses it.
        BadInput
            It names a device that is not there.
        """
        match action:
            case Plug(dev=name, offset=offset, size=size):
                return self.plug(name, offset, size)
            case Unplug(dev=name, offset=offset, size=size):
                return self.unplug(name, offset, size)
            case State(dev=name, offset=offset, size=size):
                return self.state(name, offset, size)
            case UnplugAll(dev=name):
                return self.unplug_all(name)
            case RawRequest(dev=name):
                return self.raw_request(name, action.type, action.gpa, action.nb_blocks)
            case RequestSize(dev=name, size=size):
                self.qom_set(name, "requested-size", size)
            case QomSet(dev=name):
                self.qom_set(name, action.property, action.value)
            case Settle(dev=name):
                self.settle(name)
            case Reset():
                self.reset()
            case DeviceReset(dev=name):
                self.device_reset(name)
            case DriverStart(dev=name):
                self.driver_start(name, unplugged_inaccessible=action.unplugged_inaccessible)
            case VhostStart(dev=name, ring=ring):
                self.vhost_start(name, ring)
            case DeviceAdd(driver=driver, id=new, props=props, object=memory):
                self.device_add(driver, new, props=props, object=memory, vhost_slots=action.vhost_slots)
            case DeviceDel(id=name):
                self.device_del(name)
            case ObjectAdd(object=memory):
                self.object_add(cmdline.backend_from_object(memory))
            case Migrate(to=to):
                self.migrating = to != "file"
            case MigrateCancel():
                self.end_migration()
            case MigrateIncoming(source=history):
                scenario = replace(self.scenario, incoming=False, actions=history)
                self.restore(Machine(scenario, self.rules, vhost_slots=self._vhost_slots))
            case Start() | Look() | NetdevAdd() | ChardevAdd():
                pass
        return None

    # -- what would happen ----------------------------------------------------------------------------------------

    def copy(self) -> "Machine":
        """Return an independent copy in the same state."""
        shared = (self.scenario, self.rules, self.board)
        return deepcopy(self, {id(one): one for one in shared})

    def what_if(self, *lines: str | Action) -> Refusal | None:
        """Try lines of QEMU's monitor (or actions) on a copy.

        Parameters
        ----------
        lines
            Such as ``object_add memory-backend-ram,id=m9,size=4G``, ``device_add pc-dimm,id=d9,memdev=m9``,
            ``device_del vm0``, ``request-size vm0 4G``, or QMP's JSON; see `read_monitor_line`.

        Returns
        -------
        QEMU's refusal of the first line that it refuses (an `Abort` where it dies), or None.

        Raises
        ------
        BadInput
            A line that cannot be read, or names what is not there.
        """
        return try_on(self, actions_of(lines))[1]

    def what_if_report(self, *lines: str | Action) -> WhatIfReport:
        """Try lines as `what_if` does, and tell what comes of it, in numbers, and the smallest change that helps."""
        return report(self, lines)


def _gaps(device: VirtioMemDevice) -> list[tuple[int, int]]:
    """Return the unplugged pieces of the usable region, ascending."""
    gaps, at = [], 0
    for start, end in device.plugged.extents():
        if at < start:
            gaps.append((at, start))
        at = end
    if at < device.usable_region_size:
        gaps.append((at, device.usable_region_size))
    return gaps
