"""What a machine consists of, and what it looks like: the parts, and the texts and numbers that QEMU shows of them."""

from collections.abc import Mapping, Sequence

from workbook.lib.boards.board import board_layout, is_pc
from workbook.lib.consumers.plugged_vhost import PluggedVhost
from workbook.lib.errors import BadInput
from workbook.lib.memory.flatview import FlatView
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.notes import Note
from workbook.lib.rules import get
from workbook.lib.rules.base import Budget, RuleSet
from workbook.lib.rules.monitors import Monitor
from workbook.lib.scenario import MemoryBackend, Scenario, VirtioMem

from . import hotplug
from .bus import DeviceMemoryBus
from .hints import hints
from .memory_device import MemoryDevice, MemoryDeviceInfo
from .memslots import MemslotConsumers
from .monitor_device import monitor_notes
from .snapshot import Layout, snapshot

__all__ = ("MachineState",)


class MachineState:
    """The parts of a machine, before anything is plugged into it; parameters and attributes as of `Machine`.

    Raises
    ------
    Refusal
        The sizes, or the machine type, are refused.
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

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was assumed, passed over or not modelled in the input, and hints about the VM as it is now."""
        passed_over = monitor_notes(self, self.rules) if isinstance(self.rules, Monitor) else ()
        return (*self.read_notes, *(Note("passed over", one) for one in passed_over), *hints(self))

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
