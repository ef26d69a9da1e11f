"""Memslot consumers of a machine: KVM, vhost back ends and VFIO containers, with QEMU's accounting."""

from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from workbook.lib.boards.board import boot_memslots, boot_view, has_apic
from workbook.lib.boards.pc import PcLayout
from workbook.lib.consumers import plugged_vhost, vfio
from workbook.lib.consumers.plugged_vhost import PluggedVhost
from workbook.lib.consumers.vfio import DiscardSection, VfioContainer
from workbook.lib.consumers.vhost_backend import VhostCount, smallest_limit
from workbook.lib.errors import Abort
from workbook.lib.host import KVM_SLOTS_TODAY
from workbook.lib.memory.flatview import FlatView, render
from workbook.lib.memory.region import ADDRESS_SPACE_SIZE, MemoryRegion
from workbook.lib.rules.base import Budget, RuleSet
from workbook.lib.rules.behaviour import QemuBehaviour
from workbook.lib.rules.monitors import Monitor
from workbook.lib.scenario import Scenario
from workbook.lib.size import TiB

from .bus import DeviceMemoryBus
from .memory_device import ram_region

__all__ = ("KVM_MAX_SLOT", "MemslotConsumers")

KVM_MAX_SLOT: Final = 8 * TiB - 4096
"""KVM_MEM_MAX_NR_PAGES is 2^31 - 1 pages (linux/kvm_host.h); a larger memslot is refused with EINVAL."""


class _BootMemory(NamedTuple):
    """What lies around device memory, and the KVM memslots that it takes."""

    view: FlatView
    kvm_memslots: int


class MemslotConsumers:
    """KVM and the vhost devices of a machine, and what is left for the next memory device.

    Parameters
    ----------
    board
        Where RAM and device memory lie.
    bus
        Whose flat view the consumers see.
    printed
        Where lines go that QEMU prints.

    Attributes
    ----------
    vhosts
        In the order in which they came; refused and removed ones stay, marked.
    count
        QEMU's account of the memslots that vhost devices use.
    containers
        VFIO containers, in the order in which they came.
    running
        All devices of the command line are there and the firmware has run.
    """

    def __init__(
        self,
        scenario: Scenario,
        rules: RuleSet,
        board: PcLayout,
        bus: DeviceMemoryBus,
        printed: list[str],
    ) -> None:
        self.vhosts: list[PluggedVhost] = []
        self.count: VhostCount = rules.vhost_count()
        self.containers: list[VfioContainer] = []
        self.running = False
        self._scenario = scenario
        self._rules = rules
        self._bus = bus
        self._printed = printed
        self._board = board
        self._boot: dict[tuple[bool, bool], _BootMemory] = {}
        self._kvm_seen: tuple[FlatView, bool] | None = None
        self._kvm_used: tuple[int, ...] = ()

    @property
    def kvm_boot(self) -> int:
        """KVM memslots that boot RAM and firmware take."""
        return self._boot_memory().kvm_memslots

    @property
    def kvm_used(self) -> tuple[int, ...]:
        """KVM memslots in use, per registered address space; empty without KVM."""
        if self._scenario.accel != "kvm":
            return ()
        # the listener of the SMM address space is registered when the machine is complete
        view = self._bus.view
        seen = self._kvm_seen
        if seen is None or seen[0] is not view or seen[1] is not self.running:
            mapped = boot_memslots(self._scenario.chipset, view)
            has_smm = self._scenario.smm and not isinstance(self._rules, Monitor)
            spaces = (False, True) if has_smm and self.running else (False,)
            self._kvm_used = tuple(self._boot_memory(in_smm=one).kvm_memslots + mapped for one in spaces)
            self._kvm_seen = view, self.running
        return self._kvm_used

    @property
    def kvm_free(self) -> int | None:
        """What QEMU believes that KVM has free; None without KVM."""
        used = self.kvm_used
        return self._rules.kvm_free(self._scenario.kvm_slots, used) if used else None

    @property
    def active_vhosts(self) -> list[PluggedVhost]:
        """The vhost devices that are neither refused nor removed."""
        return [one for one in self.vhosts if not (one.refused or one.removed)]

    @property
    def budget(self) -> Budget:
        """What a memory device that is plugged now would find."""
        active = plugged_vhost.backends(self.vhosts)
        vhost_free = self.count.free(active)
        kvm_free = self.kvm_free
        devices = self._bus.devices
        return Budget(
            device_memory_size=self._scenario.device_memory_size if self._scenario.has_device_memory else 0,
            used_region_size=sum(one.size for one in devices),
            required=sum(one.decision.count for one in devices),
            used=sum(one.mapped for one in devices),
            kvm_max=None if kvm_free is None else self._scenario.kvm_slots,
            kvm_free=kvm_free,
            vhost_max=smallest_limit(active) if active else None,
            vhost_free=vhost_free if active or vhost_free != smallest_limit(()) else None,
        )

    @property
    def reserved(self) -> int:
        """Memslots that are promised to plugged memory devices and not mapped yet, as QEMU counts them."""
        devices = self._bus.devices
        return self._rules.reserved(sum(one.decision.count for one in devices), sum(one.mapped for one in devices))

    def commit(self, where: str = "") -> None:
        """End a memory transaction: KVM, every vhost device and VFIO container see the flat view as it is now.

        Parameters
        ----------
        where
            The option that QEMU is at, as it prints it; empty at run time.

        Raises
        ------
        Abort
            KVM has no memslot left or does not take one of that size, or a started virtqueue lost its memory.
        """
        self._bus.refresh()
        self._commit_kvm()
        for plugged in self.active_vhosts:
            boot = self.boot_regions(plugged)
            moved, plugged.boot_regions = boot != plugged.boot_regions, boot
            sections = plugged.backend.sections(self._bus.view)
            survives = self._rules.qemu.ring_failure == "broken"
            changed = plugged.commit(sections, one_transaction=self._rules.one_transaction, survives=survives)
            if changed or moved:
                self.count.committed(plugged.backend, plugged.used)
            self.take_printed(plugged)
        for container in self.containers:
            self._commit_vfio(container, where)

    def discard_sections(self) -> tuple[list[DiscardSection], int]:
        """Return the mapped pieces of virtio-mem devices, and the number of other mapped pieces of device memory."""
        blocks = {one.ram.name: one.virtio_mem.block_size for one in self._bus.devices if one.virtio_mem}
        found, others = [], 0
        for part in self._bus.view:
            if part.region.name in blocks:
                found.append(DiscardSection(part.start, part.size, blocks[part.region.name], part.region.name))
            else:
                others += 1
        return found, others

    def _commit_vfio(self, container: VfioContainer, where: str) -> None:
        said = container.update(*self.discard_sections(), self._rules.qemu)
        if said and self._rules.qemu.vfio_check_is_error:
            raise Abort(
                f"{said[0]}\nqemu: hardware error: {vfio.NO_MAPPING}",
                self.vfio_advice(container),
                reason=container.reason(),
            )
        self._printed += [f"{where}: warning: {one}" if where else f"warning: {one}" for one in said]
        if container.available is not None and self.dma_mappings(container) > container.available:
            raise Abort(f"qemu: hardware error: {vfio.NO_MAPPING}", "unplug virtio-mem blocks, or use larger ones")

    @property
    def _virtio_mem_size(self) -> int:
        return sum(one.size for one in self._bus.devices if one.virtio_mem)

    @property
    def _virtio_mem_memslots(self) -> int:
        return sum(one.decision.count for one in self._bus.devices if one.virtio_mem)

    def dma_mappings(self, container: VfioContainer) -> int:
        """Return the DMA mappings of a container for device memory now; those of boot RAM come on top."""
        devices = (one.virtio_mem for one in self._bus.devices if one.virtio_mem)
        return container.others + sum(-(-one.size // one.block_size) for one in devices)

    def dma_room(self) -> int | None:
        """Return how many more blocks can be plugged before the kernel has no DMA mapping left; None: no limit."""
        rooms = [one.available - self.dma_mappings(one) for one in self.containers if one.available is not None]
        return max(min(rooms), 0) if rooms else None

    def connect_vfio(self, container: VfioContainer) -> list[str]:
        """Let a new container see the memory that is there; return what the check says."""
        return container.update(*self.discard_sections(), self._rules.qemu)

    def vfio_advice(self, container: VfioContainer) -> str:
        """Return what to do about a container that has too few DMA mappings."""
        return vfio.advice(self._virtio_mem_size, container, self._virtio_mem_memslots)

    def _commit_kvm(self) -> None:
        used = self.kvm_used
        if not used:
            return
        if max(used) > self._scenario.kvm_slots:
            raise Abort(
                "kvm_alloc_slot: no free slot available",
                f"fewer memslots, or a host with more (Linux 5.12 has {KVM_SLOTS_TODAY})",
            )
        if any(one.size > KVM_MAX_SLOT for one in self._bus.view):
            raise Abort(
                "kvm_set_phys_mem: error registering slot: Invalid argument",
                "a KVM memslot is smaller than 8 TiB: use several memslots",
            )

    def take_printed(self, plugged: PluggedVhost) -> None:
        """Move what QEMU printed about a vhost device to the machine's lines."""
        self._printed += plugged.printed
        plugged.printed.clear()

    def boot_regions(self, plugged: PluggedVhost) -> int:
        """Return how many regions of boot RAM a vhost device can map."""
        return len(plugged.backend.sections(self._boot_memory().view))

    def _boot_memory(self, *, in_smm: bool = False) -> _BootMemory:
        """Return what lies around device memory now; it is rendered once for each of its moments."""
        key = (self.running, in_smm)
        if key not in self._boot and isinstance(self._rules, Monitor):
            ranges = self._rules.boot_ranges(self._scenario)
            pieces = [MemoryRegion.ram(f"ram{number}", size).at(at) for number, (at, size) in enumerate(ranges)]
            view = render(MemoryRegion.container("system", ADDRESS_SPACE_SIZE, pieces))
            self._boot[key] = _BootMemory(view, boot_memslots(self._scenario.chipset, view))
        elif key not in self._boot:
            apic = has_apic(self._scenario)
            self._boot[key] = _render_boot(self._boot_scenario, self._boot_layout, self._rules.qemu, apic, *key)
        return self._boot[key]

    @cached_property
    def _boot_scenario(self) -> Scenario:
        """The scenario without what does not change the memory around the devices."""
        scenario = self._scenario
        used = {one.id for one, _ in scenario.ram_backends if one} | {one.prop("memdev") for one in scenario.fixtures}
        backends = tuple(one for one in scenario.backends if one.id in used)
        return replace(scenario, backends=backends, devices=(), actions=(), maxmem=scenario.ram, ram_slots=0, rules="")

    @cached_property
    def _boot_layout(self) -> PcLayout:
        return replace(self._board, device_memory_base=0, device_memory_size=0)


@lru_cache(maxsize=256)
def _render_boot(
    scenario: Scenario, layout: PcLayout, qemu: QemuBehaviour, apic: bool, running: bool, in_smm: bool
) -> _BootMemory:
    """Return the same for the same board: a slider that moves makes a machine per step, a fleet has few boards."""
    shared_fd = qemu.shared_memory_has_fd
    backends = {one.id: ram_region(replace(one, shared_fd=shared_fd), qemu) for one in scenario.backends}
    view = boot_view(scenario, layout, backends, qemu, running=running, in_smm=in_smm, apic=apic)
    return _BootMemory(view, boot_memslots(scenario.chipset, view))
