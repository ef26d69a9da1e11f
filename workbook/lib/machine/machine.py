"""A virtual machine: a Scenario simulated under a rule set.

Simulates QEMU, the device and a Linux-like guest. Its parts and what they look like are in `state`, what the guest does
to it in `guest`; here it is made of what users have, and devices and actions come and go. `hotplug` changes the parts.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Literal

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
from workbook.lib.consumers.known_backends import resolve_slots
from workbook.lib.errors import Abort, BadInput, Refusal, WorkbookError
from workbook.lib.host import Host
from workbook.lib.libvirt import read_attached, read_domain_line, write_domain
from workbook.lib.qemu_args import CommandLine, read_command_line, reader as cmdline
from workbook.lib.qemu_args.netdevs import vhost_netdev
from workbook.lib.qemu_args.properties import Properties
from workbook.lib.rules import DEFAULT, get
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Device, MemoryBackend, Scenario, VhostDevice

from . import hotplug
from .from_text import play_commands, read_text
from .guest import GuestSide, StateAnswer
from .virtio_mem import Response
from .what_if import WhatIfReport, actions_of, report, try_on

__all__ = ("Machine", "StateAnswer")


class Machine(GuestSide):
    """A virtual machine with memory devices and vhost back ends.

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
        super().__init__(scenario, rules, vhost_slots=vhost_slots, printed=printed)
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
            if isinstance(line.failure, Refusal):
                line.failure.before = tuple(machine.warnings)
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

    def attach_device(self, xml: str, *, vhost_slots: int | None = None) -> tuple[str, ...]:
        """Hot-plug the device elements of libvirt XML, as ``virsh attach-device`` does; return their ids.

        Parameters
        ----------
        xml
            ``<memory>``, ``<filesystem>``, ``<interface>`` ..., one or several.
        vhost_slots
            Memslots that their vhost back ends report; None takes what the machine was made with.

        Raises
        ------
        BadInput
            The XML cannot be read, or is a whole domain.
        Refusal
            libvirt or QEMU refuses it; what came before it stays.
        """
        plugged: tuple[Device, ...] = (*(one.spec for one in self.devices), *(one.spec for one in self.vhosts))
        found = read_attached(xml, replace(self.scenario, devices=plugged, backends=tuple(self.backends.values())))
        for one in found:
            netdev = None if one.netdev is None else vhost_netdev(Properties(one.netdev), vhost_slots)
            if netdev is not None:
                self.device_add(netdev)
            self.device_add(one.driver, one.id, props=one.props, object=one.object, vhost_slots=vhost_slots)
        return tuple(one.id for one in found)

    def device_del(self, name: str) -> None:
        """Remove a device (``device_del``), the guest being willing.

        Raises
        ------
        Refusal
            The device refuses, or no device has that id.
        """
        hotplug.device_del(self, name)

    # -- what happens to it ---------------------------------------------------------------------------------------

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
