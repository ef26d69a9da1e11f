"""Machine: a Scenario brought to life under a rule set.

It holds state and answers as QEMU, the device and the guest would; what it looks like at any moment is the
immutable `Layout` (workbook/lib/layout.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeVar

from . import cmdline, libvirt, memory_device, vhost
from .backend import VHOST_KERNEL_DEFAULT, VHOST_USER_BASELINE, VhostBackend, VhostCount, smallest_limit
from .errors import Abort, BadInput, Refusal, WorkbookError
from .flatview import FlatView, render
from .layout import Layout
from .memory_device import MemoryDevice
from .pc import boot_slots, pc_layout
from .region import MemoryRegion
from .rules import get
from .rules.base import Budget, Decision, RuleSet
from .scenario import Action, Device, Dimm, MemoryBackend, Pmem, Scenario, VhostDevice, VirtioMem
from .size import TiB
from .vhost import PluggedVhost
from .virtio_mem import BlockState, RequestType, Response, VirtioMemDevice

__all__ = ("Machine", "StateAnswer")

_T = TypeVar("_T")
_PRIVATE_FILE: Final = (
    "ram_block_discard_range: Discarding RAM in private file mappings is possibly dangerous, because it will modify "
    "the underlying file and will affect other users of the file"
)
KVM_MAX_SLOT: Final = 8 * TiB - 4096
"""KVM_MEM_MAX_NR_PAGES is 2^31 - 1 pages (linux/kvm_host.h); a larger memslot is refused with EINVAL."""


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

    Raises
    ------
    Refusal
        QEMU would not start, or refuse an action.
    BadInput
        The scenario names something that does not exist.
    """

    def __init__(self, scenario: Scenario, rules: str | RuleSet | None = None) -> None:
        self.scenario = scenario
        self.rules = get(rules if rules is not None else scenario.rules)
        self.layout = pc_layout(scenario)
        self.backends: dict[str, MemoryBackend] = {}
        self.devices: list[MemoryDevice] = []
        self.vhosts: list[PluggedVhost] = []
        self.warnings: list[str] = []
        self.migrating = False
        self.running = False
        self._warned_of_discard = False
        self._count: VhostCount = self.rules.vhost_count()
        self._view: FlatView | None = None
        for backend in scenario.backends:
            self.object_add(backend)
        for spec in scenario.devices:
            self._add_at_start(spec)
        self.running = True
        self._commit()
        for action in scenario.actions:
            self.act(action)

    @classmethod
    def from_qemu_args(
        cls,
        argv: str | Sequence[str],
        rules: str | RuleSet = "qemu-10.0",
        kvm_slots: int | None = None,
        vhost_slots: Mapping[str, int | None] | None = None,
        *,
        smm: bool | None = None,
    ) -> "Machine":
        """Build the machine that a QEMU command line describes.

        Parameters
        ----------
        argv
            List of strings or one shell string, with or without the program's name.
        rules
            Rule set, or its name (see `workbook.lib.rules.RULE_SETS`).
        kvm_slots
            KVM_CAP_NR_MEMSLOTS of the host; 32764 where not given.
        vhost_slots
            Memslot limit that a vhost back end reports, by device id; None for a vhost-user back end without
            CONFIGURE_MEM_SLOTS.
        smm
            Whether KVM has a second address space; None takes it from ``-machine smm=``.

        Raises
        ------
        BadInput
            The command line cannot be read, contradicts itself, or asks for what is not modelled.
        Refusal
            QEMU would refuse it.
        """
        rules = get(rules)
        scenario = cmdline.read_argv(argv, rules=rules, vhost_slots=vhost_slots or {})
        if kvm_slots is not None:
            if kvm_slots < 1:
                raise BadInput(f"kvm_slots is {kvm_slots}: KVM has at least one memslot")
            scenario = replace(scenario, kvm_slots=kvm_slots)
        if smm is not None:
            scenario = replace(scenario, smm=smm)
        return cls(replace(scenario, rules=rules.name), rules)

    @classmethod
    def from_libvirt(
        cls,
        xml: str,
        rules: str | RuleSet = "qemu-10.0",
        kvm_slots: int | None = None,
        vhost_slots: Mapping[str, int | None] | None = None,
    ) -> "Machine":
        """Build the machine that libvirt makes of domain XML, or of a piece of it (see `libvirt.read_domain`).

        Parameters
        ----------
        rules, kvm_slots, vhost_slots
            As for `from_qemu_args`.

        Raises
        ------
        BadInput
            The XML cannot be read, libvirt would refuse it, or it asks for what is not modelled.
        Refusal
            QEMU would refuse it.
        """
        rules = get(rules)
        scenario = libvirt.read_domain(xml, rules=rules, vhost_slots=vhost_slots)
        if kvm_slots is not None:
            scenario = replace(scenario, kvm_slots=kvm_slots)
        return cls(replace(scenario, rules=rules.name), rules)

    def qemu_args(self) -> list[str]:
        """Return the command line that makes the machine, before anything has happened to it."""
        return cmdline.write_argv(self.scenario, self.rules)

    def libvirt_xml(self) -> str:
        """Return the libvirt domain XML that makes the machine, before anything has happened to it."""
        return libvirt.write_domain(self.scenario, self.rules)

    # -- what it looks like ---------------------------------------------------------------------------------------

    @property
    def device_memory(self) -> MemoryRegion | None:
        """The "device-memory" container with everything in it; None without maxmem."""
        if not self.layout.device_memory_size:
            return None
        base = self.layout.device_memory_base
        children = [one.region(self.rules, base) for one in self.devices]
        return MemoryRegion.container("device-memory", self.layout.device_memory_size, children).at(base)

    @property
    def view(self) -> FlatView:
        """The flat view of device memory."""
        if self._view is None:
            root = self.device_memory
            self._view = render(root) if root else FlatView()
        return self._view

    def info_mtree(self, *, flat: bool = False) -> str:
        """Return QEMU's text for the device-memory part of ``info mtree``, or of ``info mtree -f``.

        Indented as QEMU does inside the system address space; lines are joined without a last newline.
        """
        return self.picture.info_mtree(flat=flat)

    def query_memory_devices(self) -> list[dict[str, Any]]:
        """Return the data of QMP ``query-memory-devices``, in address order."""
        return [one.qmp() for one in sorted(self.devices, key=lambda one: one.addr)]

    def info_memory_devices(self) -> str:
        """Return the text of ``info memory-devices``."""
        lines = [line for one in sorted(self.devices, key=lambda one: one.addr) for line in one.monitor_lines()]
        return "\n".join(lines)

    def memory_size_summary(self) -> dict[str, int]:
        """Return QMP ``query-memory-size-summary``: base and plugged memory, bytes."""
        plugged = sum(one.virtio_mem.size if one.virtio_mem else one.size for one in self.devices)
        return {"base-memory": self.scenario.ram, "plugged-memory": plugged}

    @property
    def picture(self) -> "Layout":
        """What the machine looks like now, as an immutable value."""
        return Layout.of(self)

    def config_space(self, name: str) -> dict[str, int]:
        """Return the seven fields that the guest reads from a virtio-mem device."""
        return self._virtio_mem(name).config_space()

    # -- who consumes memslots ------------------------------------------------------------------------------------

    @property
    def kvm_used(self) -> tuple[int, ...]:
        """KVM memslots in use, per registered address space; empty without KVM."""
        if self.scenario.accel != "kvm":
            return ()
        # the listener of the SMM address space is registered when the machine is complete
        spaces = 2 if self.scenario.smm and self.running else 1
        return (boot_slots(self.scenario, running=self.running).kvm + len(self.view),) * spaces

    @property
    def kvm_free(self) -> int | None:
        """What QEMU believes that KVM has free; None without KVM."""
        used = self.kvm_used
        return self.rules.kvm_free(self.scenario.kvm_slots, used) if used else None

    @property
    def budget(self) -> Budget:
        """What a device that is plugged now would find."""
        active = vhost.backends(self.vhosts)
        vhost_free = self._count.free(active)
        kvm_free = self.kvm_free
        return Budget(
            device_memory_size=self.scenario.device_memory_size if self.scenario.has_device_memory else 0,
            used_region_size=sum(one.size for one in self.devices),
            required=sum(one.decision.count for one in self.devices),
            used=sum(one.mapped for one in self.devices),
            kvm_max=None if kvm_free is None else self.scenario.kvm_slots,
            kvm_free=kvm_free,
            vhost_max=smallest_limit(active) if active else None,
            vhost_free=vhost_free if active or vhost_free != smallest_limit(()) else None,
        )

    # -- plugging -------------------------------------------------------------------------------------------------

    def object_add(self, backend: MemoryBackend) -> None:
        """Make a memory backend (``object-add``).

        Raises
        ------
        Refusal
            The id is taken.
        BadInput
            The size is 0.
        """
        if backend.id in self.backends:
            duplicate = f"attempt to add duplicate property '{backend.id}' to object (type 'container')"
            raise Refusal(
                duplicate if self.running else f"Duplicate ID '{backend.id}' for object", "give it another id"
            )
        memory_device.ram_region(backend)
        self.backends[backend.id] = replace(backend, shared_fd=self.rules.shared_memory_has_fd)

    def _add_at_start(self, spec: Device) -> None:
        try:
            self._plug(spec, hotplugged=False)
        except Refusal as refusal:
            refusal.where, refusal.before = refusal.where or spec.where, tuple(self.warnings)
            raise

    def device_add(
        self,
        driver: str | Device,
        id: str | None = None,  # noqa: A002 - QEMU's name
        *,
        props: Mapping[str, Any] | None = None,
        object: MemoryBackend | Mapping[str, Any] | None = None,  # noqa: A002 - QEMU's name
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
            Memslots that the vhost back end reports.

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
            given = dict(props or {}) | {key.replace("_", "-"): value for key, value in more.items()}
            if id is not None:
                given["id"] = id
            spec = cmdline.device_from_properties(driver, given, rules=self.rules, vhost_slots=vhost_slots)
        else:
            spec = driver
        if spec is None:
            return
        self._plug(spec, hotplugged=True)

    def _plug(self, spec: Device, *, hotplugged: bool) -> None:
        names = {one.id for one in self.devices} | {
            one.spec.id for one in self.vhosts if not one.removed and not one.refused
        }
        if spec.id is not None and spec.id in names:
            raise Refusal(f"Duplicate ID '{spec.id}' for device", "give every device its own id")
        if isinstance(spec, VhostDevice):
            self._plug_vhost(spec)
        else:
            self._plug_memory(spec, hotplugged=hotplugged)
            self._commit()

    def _plug_memory(self, spec: VirtioMem | Dimm | Pmem, *, hotplugged: bool) -> None:
        if isinstance(spec, VirtioMem):
            memory_device.check_virtio_mem_properties(spec)
            for given in (spec.memslots, spec.max_memslots):
                if given is not None:
                    self.rules.check_max_memslots(given)
        backend = self._backend_of(spec)
        slot = 0
        if isinstance(spec, Dimm):
            slot = memory_device.dimm_slot(spec, self.devices, self.scenario.ram_slots)
        if self.rules.device_memory_first:
            self._require_device_memory()
        if backend is None:
            raise Refusal("'memdev' property must be set", "give memdev=, the id of a memory backend")
        budget = self.budget
        decision = self._decide(spec, backend, budget)
        self.rules.check(budget, decision)
        self._require_device_memory()
        align, hint = backend.alignment, spec.addr if isinstance(spec, Dimm) else spec.memaddr
        if isinstance(spec, VirtioMem):
            align = max(align, memory_device.block_size_of(spec, backend))
        if not self.rules.size_aligns_as_address and backend.size % backend.alignment:
            raise Refusal(*memory_device.wrong_size(backend.alignment))
        size_multiple = align if self.rules.size_aligns_as_address else 1
        placement = memory_device.place(
            self.layout, self.devices, backend.size, align, hint=hint, size_multiple=size_multiple
        )
        warnings = list(placement.warnings)
        try:
            device = self._realize(spec, backend, placement.addr, decision, warnings)
        except Refusal as refusal:
            refusal.warnings = tuple(warnings)
            raise
        self._warn(spec, warnings)
        ram = memory_device.ram_region(backend, self.scenario.machine_version)
        self.devices.append(MemoryDevice(spec, backend, ram, placement.addr, decision, device, slot, hotplugged))

    def _backend_of(self, spec: VirtioMem | Dimm | Pmem) -> MemoryBackend | None:
        if spec.memdev is None:
            return None
        if spec.memdev not in self.backends:
            raise Refusal(
                f"Device '{spec.memdev}' not found", "make the memory backend first, by -object or object-add"
            )
        return self.backends[spec.memdev]

    def _realize(
        self, spec: VirtioMem | Dimm | Pmem, backend: MemoryBackend, addr: int, decision: Decision, warnings: list[str]
    ) -> VirtioMemDevice | None:
        """Realize a placed device; what QEMU warns of goes to `warnings`, also where it refuses in the end."""
        self._check_busy(spec, backend)
        if not isinstance(spec, VirtioMem):
            return None
        warnings.extend(
            memory_device.check_realize(
                spec,
                backend,
                addr,
                dynamic=bool(spec.dynamic_memslots) and not decision.direct,
                machine_version=self.scenario.machine_version,
                prealloc_memdev=not self.rules.refuses_prealloc_memdev,
            )
        )
        block_size = memory_device.block_size_of(spec, backend)
        self.rules.check_cut(decision, block_size)
        # the memory is discarded, which warns once in the life of a QEMU
        if self.rules.warns_of_private_files and backend.has_fd and not backend.share and not self._warned_of_discard:
            self._warned_of_discard = True
            warnings.append(_PRIVATE_FILE)
        return VirtioMemDevice(self.rules, decision, block_size, addr, backend.size, spec.requested_size, spec.node)

    def _check_busy(self, spec: VirtioMem | Dimm | Pmem, backend: MemoryBackend) -> None:
        if backend.id == self.scenario.ram_backend or any(one.backend.id == backend.id for one in self.devices):
            words = "'memdev' property specifies a" if isinstance(spec, VirtioMem) else "can't use already"
            raise Refusal(f"{words} busy memdev: {backend.id}", "give every device its own memory backend")

    def _decide(self, spec: VirtioMem | Dimm | Pmem, backend: MemoryBackend, budget: Budget) -> Decision:
        if not isinstance(spec, VirtioMem) or not self.rules.is_dynamic(dynamic_memslots=spec.dynamic_memslots):
            return self.rules.whole(backend.size)
        # the RFC hands down the block size as the user gave it, 0 if not at all (facts A.12, quirk)
        block = (
            spec.block_size if self.rules.decides_with_given_block_size else memory_device.block_size_of(spec, backend)
        )
        if self.rules.is_hopeless(backend.size, block, backend.page_size):
            return Decision(1, 1, backend.size, backend.size)
        return self.rules.decide(budget, backend.size, block, self.user_limit(spec))

    def _inaccessible(self, spec: VirtioMem, backend: MemoryBackend) -> bool:
        return memory_device.unplugged_inaccessible(spec, backend, self.scenario.machine_version) == "on"

    def user_limit(self, spec: VirtioMem) -> int:
        """Return the user's memslot limit for a device, or the machine type's; 0 for automatic."""
        if spec.memslots is not None:
            return spec.memslots
        if spec.max_memslots is not None:
            return spec.max_memslots
        return self.rules.default_max_memslots(self.scenario.machine_version)

    def _require_device_memory(self) -> None:
        if not self.layout.device_memory_size:
            raise Refusal(
                "the configuration is not prepared for memory devices (e.g., for memory hotplug), "
                "consider specifying the maxmem option",
                "add maxmem= to -m, at least RAM plus all memory devices",
            )

    def _plug_vhost(self, spec: VhostDevice) -> None:
        name = spec.id or f"unnamed{len(self.vhosts)}"
        if spec.kernel:
            limit = VHOST_KERNEL_DEFAULT if spec.slots is None else spec.slots
        else:
            limit = VHOST_USER_BASELINE if spec.slots is None else min(spec.slots, self.rules.vhost_user_max)
        plugged = PluggedVhost(spec, VhostBackend(name, limit, kernel=spec.kernel))
        plugged.boot_regions = self._boot_regions(plugged)
        self.vhosts.append(plugged)
        try:
            automatic = sum(1 for one in self.devices if one.decision.count > 1)
            self.rules.check_vhost_limit(limit, automatic)
            plugged.commit(plugged.backend.sections(self.view), one_transaction=True)
            self._count.committed(plugged.backend, plugged.used)
            reserved = self.rules.reserved(self.budget.required, self.budget.used)
            try:
                self.rules.check_vhost_used(limit, self._count.used(plugged.backend), reserved)
            except Refusal:
                self._count.removed(plugged.backend)
                raise
        except Refusal:
            plugged.refused = True
            plugged.sections = ()
            raise
        finally:
            plugged.connect()

    def _boot_regions(self, plugged: PluggedVhost) -> int:
        ram = self.backends.get(self.scenario.ram_backend or "")
        if not plugged.spec.kernel and not (ram and ram.has_fd):
            return 0
        return boot_slots(self.scenario, running=self.running).vhost

    def device_del(self, name: str) -> None:
        """Remove a device (``device_del``), the guest being willing.

        Raises
        ------
        Refusal
            The device refuses (facts B.8), or there is none of that id.
        """
        for plugged in self.vhosts:
            if plugged.spec.id == name and not plugged.removed and not plugged.refused:
                plugged.remove(stopped_first=self.rules.stops_removed_vhost)
                self._count.removed(plugged.backend)
                return
        if all(one.spec.id != name for one in self.devices):
            known = [one.spec.id for one in self.devices] + [one.spec.id for one in self.vhosts]
            raise Refusal(f"Device '{name}' not found", f"known are {known}")
        device = self._device(name)
        if device.virtio_mem is not None:
            self._check_unplug(device, device.virtio_mem)
        elif isinstance(device.spec, Pmem):
            raise Refusal(self.rules.pmem_stays, "restart without it")
        self.devices.remove(device)
        self._commit()

    def _check_unplug(self, plugged: MemoryDevice, device: VirtioMemDevice) -> None:
        if not self.rules.unpluggable:
            raise Refusal("virtio based memory devices cannot be unplugged.", "shrink it to 0 instead")
        spec = plugged.spec
        accessible = isinstance(spec, VirtioMem) and not self._inaccessible(spec, plugged.backend)
        for wrong, what in (
            (accessible, "'unplugged-inaccessible' != 'on'"),
            (device.size != 0, "some of its memory is still plugged"),
            (device.requested_size != 0, "'requested-size' != '0'"),
        ):
            if wrong:
                raise Refusal(
                    f"virtio-mem device cannot get unplugged while {what}", "request size 0 and let the guest unplug"
                )

    # -- what happens to it ---------------------------------------------------------------------------------------

    def request_size(self, name: str, size: int) -> None:
        """Ask the guest for `size` bytes of a device.

        Raises
        ------
        Refusal
            Not a multiple of the block size, or beyond the device.
        """
        device = self._virtio_mem(name)
        self._changed(lambda: device.request_size(size))

    def plug(self, name: str, offset: int, size: int) -> Response | None:
        """Let the guest plug [offset, offset + size) of a device; None: it broke the protocol, no answer."""
        return self._ask(name, lambda device: device.plug(offset, size, busy=self.migrating))

    def unplug(self, name: str, offset: int, size: int) -> Response | None:
        """Let the guest unplug [offset, offset + size) of a device; None: no answer."""
        return self._ask(name, lambda device: device.unplug(offset, size, busy=self.migrating))

    def unplug_all(self, name: str) -> Response | None:
        """Let the guest unplug everything of a device; None: no answer."""
        return self._ask(name, lambda device: device.unplug_all(busy=self.migrating))

    def state(self, name: str, offset: int, size: int) -> StateAnswer | None:
        """Let the guest ask for the state of [offset, offset + size); None: no answer."""
        return self._ask(name, lambda device: StateAnswer(*device.state(offset, size)))

    def _ask(self, name: str, ask: Callable[[VirtioMemDevice], _T]) -> _T | None:
        device = self._virtio_mem(name)
        return None if device.broken else self._changed(lambda: ask(device))

    def raw_request(self, name: str, request: int, gpa: int, nb_blocks: int) -> StateAnswer | None:
        """Let the guest send any request; an unknown type breaks the device until a reset and has no answer."""
        device = self._virtio_mem(name)
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
        device = self._virtio_mem(name)
        missing = device.requested_size - device.size
        if missing > 0:
            for start, end in _gaps(device):
                if missing <= 0:
                    break
                step = min(missing, end - start)
                self.plug(name, start, step)
                missing -= step
            return
        for start, end in reversed(list(device.plugged.extents())):
            if missing >= 0:
                break
            step = min(-missing, end - start)
            self.unplug(name, end - step, step)
            missing += step

    def reset(self) -> None:
        """Reset the system: virtio-mem devices unplug everything, vhost devices stop."""

        def reset_memory() -> None:
            for one in self.devices:
                if one.virtio_mem:
                    one.virtio_mem.broken = False
                    one.virtio_mem.unplug_all(busy=self.migrating)

        if self.rules.resets_memory_first:
            self._changed(reset_memory)
        for plugged in self.vhosts:
            plugged.stop()
        if not self.rules.resets_memory_first:
            self._changed(reset_memory)

    def device_reset(self, name: str) -> None:
        """Reset one virtio device: its memory stays as it is."""
        self._virtio_mem(name).broken = False

    def vhost_start(self, name: str, ring: int | None = None) -> None:
        """Let the guest's driver start a vhost device whose first virtqueue is at `ring`."""
        plugged = next((one for one in self.vhosts if one.spec.id == name and not one.refused), None)
        if plugged is None:
            raise BadInput(f"there is no vhost device {name!r}: known are {[one.spec.id for one in self.vhosts]}")
        plugged.start(ring)
        self._take_printed(plugged)

    def restore(self, source: "Machine") -> None:
        """Take over the state of virtio-mem devices from the source of a migration."""

        def restore_devices() -> None:
            for one in self.devices:
                if one.virtio_mem:
                    one.virtio_mem.restore(source._virtio_mem(one.id))  # noqa: SLF001 - its own class

        self._changed(restore_devices)

    def act(self, action: Action) -> Response | StateAnswer | None:
        """Play one action of a scenario.

        Raises
        ------
        BadInput
            An unknown action, or one that lacks its device.
        """
        if action.op == "reset":
            self.reset()
            return None
        if action.dev is None:
            raise BadInput(f"action {action.op!r} needs a device (dev)")
        match action.op:
            case "request_size":
                self.request_size(action.dev, action.size)
            case "settle":
                self.settle(action.dev)
            case "plug":
                return self.plug(action.dev, action.offset, action.size)
            case "unplug":
                return self.unplug(action.dev, action.offset, action.size)
            case "unplug_all":
                return self.unplug_all(action.dev)
            case "state":
                return self.state(action.dev, action.offset, action.size)
            case "device_del":
                self.device_del(action.dev)
            case "vhost_start":
                self.vhost_start(action.dev)
            case _:
                raise BadInput(
                    f"unknown action {action.op!r}: known are request_size, settle, plug, unplug, unplug_all, state, "
                    "reset, device_del, vhost_start"
                )
        return None

    # -- inside ---------------------------------------------------------------------------------------------------

    def _changed(self, change: Callable[[], _T]) -> _T:
        """Run `change`, then let listeners see the difference."""
        before = [one.virtio_mem.mapped for one in self.devices if one.virtio_mem]
        result = change()
        if before != [one.virtio_mem.mapped for one in self.devices if one.virtio_mem]:
            self._commit()
        return result

    def _commit(self) -> None:
        """Let KVM and every vhost device see the flat view as it is now."""
        self._view = None
        view = self.view
        if self.scenario.accel == "kvm":
            if max(self.kvm_used) > self.scenario.kvm_slots:
                raise Abort(
                    "kvm_alloc_slot: no free slot available",
                    "fewer memslots, or a host with more (Linux 5.12 has 32764)",
                )
            if any(one.size > KVM_MAX_SLOT for one in view):
                raise Abort(
                    "kvm_set_phys_mem: error registering slot: Invalid argument",
                    "a KVM memslot is smaller than 8 TiB: use several memslots",
                )
        for plugged in self.vhosts:
            if plugged.refused or plugged.removed:
                continue
            boot = self._boot_regions(plugged)
            moved, plugged.boot_regions = boot != plugged.boot_regions, boot
            sections = plugged.backend.sections(view)
            if plugged.commit(sections, one_transaction=self.rules.one_transaction) or moved:
                self._count.committed(plugged.backend, plugged.used)
            self._take_printed(plugged)

    def _take_printed(self, plugged: PluggedVhost) -> None:
        self.warnings += plugged.printed
        plugged.printed.clear()

    def _warn(self, spec: Device, warnings: Sequence[str]) -> None:
        prefix = f"{spec.where}: " if spec.where else ""
        self.warnings.extend(f"{prefix}warning: {one}" for one in warnings)

    def _device(self, name: str) -> MemoryDevice:
        for one in self.devices:
            if one.spec.id == name:
                return one
        known = ", ".join(one.id for one in self.devices) or "none"
        raise BadInput(f"there is no memory device {name!r}: known are {known}")

    def _virtio_mem(self, name: str) -> VirtioMemDevice:
        device = self._device(name).virtio_mem
        if device is None:
            raise BadInput(f"device {name!r} is not a virtio-mem device")
        return device


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
