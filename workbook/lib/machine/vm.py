"""Vm: the state of a machine, what it looks like, and who takes how many memslots of it."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from workbook.lib.boards.pc import boot_slots, pc_layout
from workbook.lib.consumers import vhost_device as vhost
from workbook.lib.consumers.vhost_backend import VhostCount, smallest_limit
from workbook.lib.consumers.vhost_device import PluggedVhost
from workbook.lib.errors import Abort, BadInput
from workbook.lib.memory.flatview import FlatView, render
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.rules.base import Budget, RuleSet
from workbook.lib.scenario import Device, MemoryBackend, Scenario
from workbook.lib.size import TiB

from .memory_device import MemoryDevice
from .snapshot import Layout
from .virtio_mem import VirtioMemDevice

__all__ = ("Vm",)

_T = TypeVar("_T")
KVM_MAX_SLOT: Final = 8 * TiB - 4096
"""KVM_MEM_MAX_NR_PAGES is 2^31 - 1 pages (linux/kvm_host.h); a larger memslot is refused with EINVAL."""


class Vm:
    """A PC without anything plugged yet.

    Attributes
    ----------
    backends
        Memory backends by id.
    devices, vhosts
        What is plugged, in order; refused and removed vhost devices stay, marked.
    warnings
        What QEMU has printed so far.
    migrating
        An outgoing migration is active.
    running
        All devices of the command line are there and the firmware has run.
    vhost_slots
        Memslot limits that vhost back ends will report that are not plugged yet, by device id.
    """

    def __init__(self, scenario: Scenario, rules: RuleSet) -> None:
        self.scenario = scenario
        self.rules = rules
        self.layout = pc_layout(scenario)
        self.backends: dict[str, MemoryBackend] = {}
        self.devices: list[MemoryDevice] = []
        self.vhosts: list[PluggedVhost] = []
        self.warnings: list[str] = []
        self.migrating = False
        self.running = False
        self.vhost_slots: dict[str, int | None] = {}
        self._count: VhostCount = rules.vhost_count()
        self._root: MemoryRegion | None = None
        self._view: FlatView | None = None

    # -- what it looks like ---------------------------------------------------------------------------------------

    @property
    def device_memory(self) -> MemoryRegion | None:
        """The "device-memory" container with everything in it; None without maxmem."""
        if not self.layout.device_memory_size:
            return None
        if self._root is None:
            base = self.layout.device_memory_base
            children = [one.region(self.rules, base) for one in self.devices]
            self._root = MemoryRegion.container("device-memory", self.layout.device_memory_size, children).at(base)
        return self._root

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
    def picture(self) -> Layout:
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

    # -- listeners --------------------------------------------------------------------------------------------------

    def _changed(self, change: Callable[[], _T]) -> _T:
        """Run `change`, then let listeners see the difference."""
        before = [one.virtio_mem.mapped for one in self.devices if one.virtio_mem]
        result = change()
        if before != [one.virtio_mem.mapped for one in self.devices if one.virtio_mem]:
            self._commit()
        return result

    def _commit(self) -> None:
        """Let KVM and every vhost device see the flat view as it is now."""
        self._root = self._view = None
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

    def _boot_regions(self, plugged: PluggedVhost) -> int:
        ram = self.backends.get(self.scenario.ram_backend or "")
        if not plugged.spec.kernel and not (ram and ram.has_fd):
            return 0
        return boot_slots(self.scenario, running=self.running).vhost
