"""Plugging: memory backends and devices come and go, with QEMU's checks in QEMU's order and words.

Sources: hw/mem/memory-device.c, hw/virtio/virtio-mem.c, hw/virtio/vhost.c (QEMU 7.2 with the RFC series, 8.2, 10.0).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from workbook.lib.consumers.vhost_backend import VHOST_KERNEL_DEFAULT, VHOST_USER_BASELINE, VhostBackend
from workbook.lib.consumers.vhost_device import PluggedVhost
from workbook.lib.errors import Abort, BadInput, Refusal, WorkbookError
from workbook.lib.qemu_args import reader as cmdline
from workbook.lib.rules.base import Budget, Decision, RuleSet
from workbook.lib.scenario import Device, Dimm, MemoryBackend, Pmem, Scenario, VhostDevice, VirtioMem

from . import memory_device
from .memory_device import MemoryDevice
from .virtio_mem import VirtioMemDevice
from .vm import Vm

__all__ = ("PluggableVm",)

_PRIVATE_FILE: Final = (
    "ram_block_discard_range: Discarding RAM in private file mappings is possibly dangerous, because it will modify "
    "the underlying file and will affect other users of the file"
)


class PluggableVm(Vm):
    """A VM that devices are plugged into and removed from."""

    def __init__(self, scenario: Scenario, rules: RuleSet) -> None:
        super().__init__(scenario, rules)
        self._warned_of_discard = False
        for backend in scenario.backends:
            self.object_add(backend)
        for spec in scenario.devices:
            self._add_at_start(spec)
        self.running = True
        self._commit()

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
            Memslots that the vhost back end reports; None takes what the machine was told of its id (`Vm.vhost_slots`).

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
            spec = replace(spec, slots=self.vhost_slots.get(spec.id))
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
        # properties are set in the order of a hash table (qobject/qdict.c): memdev before the others that are checked
        backend = self._backend_of(spec)
        if isinstance(spec, VirtioMem):
            memory_device.check_virtio_mem_properties(spec)
            for given in (spec.memslots, spec.max_memslots):
                if given is not None:
                    self.rules.check_max_memslots(given)
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
        if isinstance(spec, Dimm) and spec.node:
            message = f"'DIMM property node has value {spec.node}' which exceeds the number of numa nodes: 1"
            raise Refusal(message, "use node 0")
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
