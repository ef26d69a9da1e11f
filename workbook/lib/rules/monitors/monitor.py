"""A virtual machine monitor other than QEMU, as a rule set that brings its own board and its own device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from workbook.lib.boards.pc import PcLayout
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.rules.base import RuleSet
from workbook.lib.rules.decision import Budget, Decision
from workbook.lib.scenario import MemoryBackend, Scenario, VirtioMem
from workbook.lib.size import GiB, MiB, format_size, round_up
from workbook.lib.trace import Trace

__all__ = ("LINUX_MEMORY_BLOCK", "DeviceParameters", "FixedMemslots", "Monitor")

LINUX_MEMORY_BLOCK = 128 * MiB
"""Memory block of an x86-64 Linux guest with less than 64 GiB (``MIN_MEMORY_BLOCK_SIZE``): monitors align to it."""
_LOW_END, _HIGH_START = 3 * GiB, 4 * GiB


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceParameters:
    """What a monitor makes of a virtio-mem device, bytes.

    Attributes
    ----------
    slot_size
        Of a memslot; 0 where the device is one memslot, always mapped.
    usable_extent
        What is usable beyond the requested size.
    """

    block_size: int
    region_size: int
    slot_size: int = 0
    usable_extent: int = 0


class Monitor(RuleSet):
    """A monitor; a new one overrides `parameters`, and what else it does otherwise.

    Attributes
    ----------
    program
        Its name: what refuses.
    alignment
        Of a device's address, bytes.
    """

    program: ClassVar[str]
    alignment: ClassVar[int] = LINUX_MEMORY_BLOCK

    def refuse(self, message: str, advice: str = "") -> NoReturn:
        """Raise the monitor's refusal."""
        raise Refusal(message, advice, who=self.program)

    # -- the board ------------------------------------------------------------------------------------------------

    def boot_ranges(self, scenario: Scenario) -> tuple[tuple[int, int], ...]:
        """Return (start, bytes) of each piece of boot RAM, a memslot each: a hole below 4 GiB is left for devices."""
        low = min(scenario.ram, _LOW_END)
        high = scenario.ram - low
        return ((0, low), (_HIGH_START, high)) if high else ((0, low),)

    def first_address(self, scenario: Scenario) -> int:
        """Return where the first device may start, guest-physical."""
        start, size = self.boot_ranges(scenario)[-1]
        return max(round_up(start + size, self.alignment), _HIGH_START)

    def address(self, scenario: Scenario, size: int, taken: Sequence[tuple[int, int]]) -> int:  # noqa: ARG002 - others look at it
        """Return where a device of `size` bytes goes.

        Parameters
        ----------
        taken
            [start, end) of the devices that are there, in the order in which they came.

        Raises
        ------
        Refusal
            There is no room.
        """
        end = max((end for _, end in taken), default=self.first_address(scenario))
        return round_up(end, self.alignment)

    def layout(self, scenario: Scenario) -> PcLayout:
        """Lay out boot RAM and the area of memory devices.

        Raises
        ------
        Refusal
            A device is refused, or has no room.
        BadInput
            A board that is not x86-64.
        """
        if scenario.chipset not in ("q35", "pc"):
            raise BadInput(
                f"{self.program} is modelled on x86-64 only, not on {scenario.chipset!r}: take another board"
            )
        ranges = self.boot_ranges(scenario)
        taken: list[tuple[int, int]] = []
        for spec in scenario.devices:
            backend = scenario.backend(spec.memdev or "") if isinstance(spec, VirtioMem) else None
            if isinstance(spec, VirtioMem) and backend is not None:
                size = self.parameters(scenario, spec, backend).region_size
                start = self.address(scenario, size, taken)
                taken.append((start, start + size))
        above = ranges[1][1] if len(ranges) > 1 else 0
        base = taken[0][0] if taken else self.first_address(scenario)
        # DIMMs may come later
        size = max(taken[-1][1] - base if taken else 0, scenario.device_memory_size)
        return PcLayout(ranges[0][1], above, _HIGH_START, base if size else 0, size)

    # -- the device -----------------------------------------------------------------------------------------------

    def parameters(self, scenario: Scenario, spec: VirtioMem, backend: MemoryBackend) -> DeviceParameters:
        """Return what becomes of a device.

        Raises
        ------
        Refusal
            The monitor refuses its configuration.
        """
        raise NotImplementedError

    def cut(self, parameters: DeviceParameters, budget: Budget) -> Decision:
        """Return how a device is cut into memslots."""
        if not parameters.slot_size:
            return self.whole(parameters.region_size)
        return self.decide(budget, parameters.region_size, parameters.block_size)

    def check(self, budget: Budget, decision: Decision) -> None:
        """Nothing is checked."""

    def check_vhost_limit(self, limit: int, automatic: int) -> None:
        """Nothing is checked."""

    def check_vhost_used(self, limit: int, used: int, reserved: int) -> None:
        """Nothing is checked."""

    def check_dimm(self, backend: MemoryBackend, number: int) -> None:  # noqa: ARG002 - others look at them
        """Check hot-plugged memory that is not virtio-mem.

        Parameters
        ----------
        number
            How many there are.

        Raises
        ------
        Refusal
            The monitor refuses it.
        BadInput
            It has nothing of the kind.
        """
        raise BadInput(f"{self.program} has no DIMMs: virtio-mem is what is modelled")

    def passed_over(self, spec: VirtioMem, block_size: int) -> tuple[str, ...]:
        """Return what of a device's description the monitor has no parameter for, one line each."""
        if spec.block_size in (0, block_size):
            return ()
        given, taken = format_size(spec.block_size), format_size(block_size)
        return (f"block-size={given} of {spec.id}: the blocks of {self.program} have {taken}",)


class FixedMemslots(Monitor):
    """Memslots of one size, whatever vhost back ends take; only what KVM has left limits how many can be mapped.

    Parameters
    ----------
    slot_size
        Bytes of a memslot; 0: a block.
    """

    slot_size: int = 0

    def __init__(self, slot_size: int | None = None) -> None:
        super().__init__()
        if slot_size is not None:
            self.slot_size = slot_size

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
        """Return how many memslots KVM has left; without KVM as many as there are bytes."""
        if budget.kvm_free is None:
            return trace.note("limit", region_size, "nothing limits it")
        return trace.note("limit", budget.kvm_free, "memslots that KVM has left")

    def partition(
        self,
        limit: int,  # noqa: ARG002 - the size decides alone
        region_size: int,
        block_size: int,
        max_memslots: int,  # noqa: ARG002 - the size decides alone
        trace: Trace,
    ) -> tuple[int, int]:
        """Cut into memslots of the fixed size."""
        size = trace.bytes("memslot size", self.slot_size or block_size, "fixed")
        return -(-region_size // size), size
