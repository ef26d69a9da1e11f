"""Guest drivers over qtest: virtio-pci (modern), and on top of it virtio-mem.

The driver negotiates VERSION_1 and, for virtio-mem, UNPLUGGED_INACCESSIBLE, has one virtqueue of its own in guest RAM
and waits for each answer (virtio 1.2, sections 2.7, 4.1 and 5.15).
"""

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from workbook.lib.errors import BadInput, WorkbookError

from .host_bridge import HostBridge
from .pci import PciFunction
from .qtest import read, unhex, write

__all__ = ("ConfigSpace", "DriverRefused", "MemAnswer", "VirtioMemDriver", "VirtioPci")

VIRTIO_VENDOR: Final = 0x1AF4
VIRTIO_MEM_PCI_ID: Final = 0x1040 + 24
"""PCI device id of a virtio-mem device; there is no transitional one."""

_VENDOR_CAPABILITY: Final = 0x09
_CAPABILITY_LIST: Final = 0x34
_COMMON, _NOTIFY, _DEVICE = 1, 2, 4

_ACKNOWLEDGE, _DRIVER, _DRIVER_OK, _FEATURES_OK, _NEEDS_RESET = 1, 2, 4, 8, 64
VERSION_1: Final = 1 << 32
UNPLUGGED_INACCESSIBLE: Final = 1 << 1

_LARGEST_QUEUE: Final = 8
"""Descriptors that the driver uses of a queue; a device that has fewer, such as vhost-user-rng, says so."""
_DESCRIPTOR_NEXT, _DESCRIPTOR_WRITE = 1, 2
_NO_INTERRUPT: Final = 1

QUEUE_BASE: Final = 2 << 20
"""Where the first queue lies in boot RAM: above the first MiB, in every VM and in vhost's first regions."""
_QUEUE_SPACE: Final = 16 << 10
_AVAIL, _USED, _REQUEST, _RESPONSE = 0x1000, 0x2000, 0x3000, 0x3800

_PLUG, _UNPLUG, _UNPLUG_ALL, _STATE = range(4)
_ANSWERS: Final = ("ACK", "NACK", "BUSY", "ERROR")
_STATES: Final = ("PLUGGED", "UNPLUGGED", "MIXED")
MAX_BLOCKS: Final = 0xFFFF
"""`nb_blocks` of a request is a le16."""


class DriverRefused(WorkbookError):
    """The device does not accept what the driver wants (FEATURES_OK stays clear), or gives no answer in time."""


@dataclass(frozen=True, slots=True)
class ConfigSpace:
    """The seven fields of virtio-mem's configuration space; sizes and `addr` in bytes (virtio 1.2, 5.15.4)."""

    block_size: int
    node_id: int
    addr: int
    region_size: int
    usable_region_size: int
    plugged_size: int
    requested_size: int


_CONFIG_FORMAT: Final = struct.Struct("<QH6xQQQQQ")


@dataclass(frozen=True, slots=True)
class MemAnswer:
    """A device's answer to one request.

    Parameters
    ----------
    response
        ``ACK``, ``NACK``, ``BUSY`` or ``ERROR``; ``None`` where the device gave none because the request broke it.
    state
        ``PLUGGED``, ``UNPLUGGED`` or ``MIXED``, only where a STATE request was ACKed.
    """

    response: str | None
    state: str | None = None


class VirtioPci:
    """A virtio device on bus 0, reached through its modern interface.

    Parameters
    ----------
    bridge
        The board's way to PCI.
    function
        Slot * 8 + function number.
    timeout
        Seconds to wait for a used buffer.
    """

    def __init__(self, bridge: HostBridge, function: int, timeout: float) -> None:
        self.function = function
        self._qtest = bridge.qtest
        self._pci = PciFunction(bridge, function)
        self._timeout = timeout
        self._capabilities: dict[int, tuple[int, int]] = {}
        self._bar = 0
        self._base = 0
        self._queue_size = _LARGEST_QUEUE
        self._find_capabilities()
        self.map()

    def _find_capabilities(self) -> None:
        config = self._pci.config()
        bars = set()
        at = config[_CAPABILITY_LIST] & ~3
        while at:
            kind, following, _, structure, bar = struct.unpack_from("5B", config, at)
            if kind == _VENDOR_CAPABILITY and structure in {_COMMON, _NOTIFY, _DEVICE}:
                self._capabilities[structure] = struct.unpack_from("<II", config, at + 8)
                bars.add(bar)
            at = following & ~3
        if not {_COMMON, _NOTIFY} <= self._capabilities.keys() or len(bars) != 1:
            raise DriverRefused(
                f"PCI function {self._pci.number:#x} has no modern virtio interface: disable-modern=off"
            )
        (self._bar,) = bars

    def map(self) -> None:
        """Place the BAR; a system reset takes it away."""
        self._base = self._pci.map_bar(self._bar)

    def _at(self, structure: int, offset: int = 0) -> int:
        return self._base + self._capabilities[structure][0] + offset

    def _common(self, width: str, offset: int, value: int) -> str:
        return f"write{width} {self._at(_COMMON, offset):#x} {value:#x}"

    def _set_status(self, status: int) -> str:
        return self._common("b", 20, status)

    def device_config(self, size: int) -> bytes:
        """Read the first `size` bytes of the device's own configuration space."""
        return self._qtest.read_memory(self._at(_DEVICE), size)

    def reset(self) -> None:
        """Reset the virtio device (status 0)."""
        self._qtest.run([self._set_status(0)])

    def start(self, features: int, *, ring: int | None = None) -> None:
        """Reset, negotiate, set up every queue and set DRIVER_OK.

        Parameters
        ----------
        features
            Feature bits that the driver accepts; those that the device does not offer are left out.
        ring
            Guest-physical address of the first queue's descriptor table, which then has all entries that the device
            allows; None: in boot RAM, as everything else of the queues.

        Raises
        ------
        DriverRefused
            FEATURES_OK stays clear.
        """
        low, high = self._offered()
        accepted = features & (low | high << 32)
        status = _ACKNOWLEDGE | _DRIVER
        commands = [self._set_status(0), self._set_status(_ACKNOWLEDGE), self._set_status(status)]
        for word in (0, 1):
            commands += [self._common("l", 8, word), self._common("l", 12, accepted >> 32 * word & 0xFFFFFFFF)]
        status |= _FEATURES_OK
        commands += [self._set_status(status), read(self._at(_COMMON, 20), 1)]
        if not unhex(self._qtest.run(commands)[-1])[0] & _FEATURES_OK:
            raise DriverRefused(f"the device does not accept the features {accepted:#x}: FEATURES_OK stays clear")
        queues = int.from_bytes(self._qtest.read_memory(self._at(_COMMON, 18), 2), "little")
        sizes = self._queue_sizes(queues)
        self._queue_size = sizes[0] if sizes else 0
        commands = []
        for queue, size in enumerate(sizes):
            commands += self._queue_commands(queue, size, None if queue else ring)
        self._qtest.run([*commands, self._set_status(status | _DRIVER_OK)])

    def _offered(self) -> tuple[int, int]:
        value = read(self._at(_COMMON, 4), 4)
        answers = self._qtest.run([self._common("l", 0, 0), value, self._common("l", 0, 1), value])
        return int.from_bytes(unhex(answers[1]), "little"), int.from_bytes(unhex(answers[3]), "little")

    def _queue_sizes(self, queues: int) -> list[int]:
        """Return how many descriptors each queue gets: no more than its maximum, which it has after a reset."""
        size = read(self._at(_COMMON, 24), 2)
        answers = self._qtest.run([one for queue in range(queues) for one in (self._common("w", 22, queue), size)])
        return [min(int.from_bytes(unhex(answer), "little"), _LARGEST_QUEUE) for answer in answers[1::2]]

    def _queue_commands(self, queue: int, size: int, ring: int | None) -> list[str]:
        memory = self._queue_memory
        commands = [write(memory, bytes(_USED + 0x100)), self._common("w", 22, queue)]
        if ring is None:
            commands.append(self._common("w", 24, size))
        table = memory if ring is None else ring
        for register, address in ((32, table), (40, memory + _AVAIL), (48, memory + _USED)):
            commands += [self._common("l", register, address & 0xFFFFFFFF)]
            commands += [self._common("l", register + 4, address >> 32)]
        commands.append(self._common("w", 28, 1))
        return commands

    @property
    def _queue_memory(self) -> int:
        """Each function has its own place, so that it is the same after a migration."""
        return self._pci.bridge.ram + QUEUE_BASE + self._pci.number * _QUEUE_SPACE

    def exchange(self, request: bytes, room: int) -> bytes | None:
        """Send one buffer through queue 0 and return the answer.

        Returns
        -------
        bytes or None
            `room` bytes; ``None`` where the device marked itself broken (NEEDS_RESET) instead of answering.

        Raises
        ------
        DriverRefused
            The driver is not running, or the device gives no answer in time.
        """
        memory = self._queue_memory
        used_index, status = read(memory + _USED + 2, 2), read(self._at(_COMMON, 20), 1)
        # The index lives in guest memory only: so the driver goes on after a migration without knowing of it
        answers = self._qtest.run([read(memory + _AVAIL + 2, 2), status])
        (index,) = struct.unpack("<H", unhex(answers[0]))
        if not unhex(answers[1])[0] & _DRIVER_OK:
            raise DriverRefused("the driver of the virtio device is not running (DRIVER_OK is clear): start it first")
        following = (index + 1) & 0xFFFF
        table = struct.pack("<QIHH", memory + _REQUEST, len(request), _DESCRIPTOR_NEXT, 1)
        table += struct.pack("<QIHH", memory + _RESPONSE, room, _DESCRIPTOR_WRITE, 0)
        self._qtest.run(
            [
                write(memory + _REQUEST, request),
                write(memory + _RESPONSE, bytes(room)),
                write(memory, table),
                write(memory + _AVAIL, struct.pack("<H", _NO_INTERRUPT)),
                write(memory + _AVAIL + 4 + 2 * (index % self._queue_size), struct.pack("<H", 0)),
                write(memory + _AVAIL + 2, struct.pack("<H", following)),
                f"writew {self._at(_NOTIFY):#x} 0",
            ]
        )
        deadline = time.monotonic() + self._timeout
        while True:
            answers = self._qtest.run([used_index, status, read(memory + _RESPONSE, room)])
            if unhex(answers[0]) == struct.pack("<H", following):
                return unhex(answers[2])
            if unhex(answers[1])[0] & _NEEDS_RESET:
                return None
            if time.monotonic() > deadline:
                raise DriverRefused(f"the virtio device gave no answer in {self._timeout:g} s")


class VirtioMemDriver:
    """A virtio-mem driver without a policy of its own: it sends what it is told.

    Parameters
    ----------
    device
        The virtio device; the driver is not started yet.
    """

    def __init__(self, device: VirtioPci) -> None:
        self.device = device

    def start(self, *, unplugged_inaccessible: bool = True) -> None:
        """Start the driver; without UNPLUGGED_INACCESSIBLE a device that offers it refuses."""
        self.device.start(VERSION_1 | (UNPLUGGED_INACCESSIBLE if unplugged_inaccessible else 0))

    def config_space(self) -> ConfigSpace:
        """Read the seven fields."""
        return ConfigSpace(*_CONFIG_FORMAT.unpack(self.device.device_config(_CONFIG_FORMAT.size)))

    def request(self, kind: int, address: int, blocks: int) -> MemAnswer:
        """Send any request, also one that no driver may send.

        Parameters
        ----------
        kind
            Type number: 0 PLUG, 1 UNPLUG, 2 UNPLUG_ALL, 3 STATE.
        address
            Guest physical address.
        blocks
            Number of blocks, at most 65535.
        """
        if not 0 <= blocks <= MAX_BLOCKS:
            raise BadInput(f"{blocks} blocks in one virtio-mem request: 0 to {MAX_BLOCKS} are possible, send several")
        answer = self.device.exchange(struct.pack("<HxxxxxxQHxxxxxx", kind, address, blocks), 10)
        if answer is None:
            return MemAnswer(None)
        code, state = struct.unpack_from("<HxxxxxxH", answer)
        response = _ANSWERS[code] if code < len(_ANSWERS) else str(code)
        return MemAnswer(response, _STATES[state] if kind == _STATE and response == "ACK" else None)

    def plug(self, address: int, blocks: int) -> MemAnswer:
        """PLUG `blocks` blocks from a guest physical address on."""
        return self.request(_PLUG, address, blocks)

    def unplug(self, address: int, blocks: int) -> MemAnswer:
        """UNPLUG `blocks` blocks from a guest physical address on."""
        return self.request(_UNPLUG, address, blocks)

    def unplug_all(self) -> MemAnswer:
        """UNPLUG_ALL."""
        return self.request(_UNPLUG_ALL, 0, 0)

    def settle(self) -> None:
        """Follow the request as Linux does: plug from the bottom, unplug from the top, whole blocks.

        The device reports what is plugged, whichever driver plugged it.
        """
        config = self.config_space()
        missing = (config.requested_size - config.plugged_size) // config.block_size
        if missing > 0:
            for first, count in self._runs("UNPLUGGED"):
                step = min(missing, count)
                self.plug(config.addr + first * config.block_size, step)
                missing -= step
                if not missing:
                    return
        elif missing < 0:
            for first, count in reversed(list(self._runs("PLUGGED"))):
                step = min(-missing, count)
                self.unplug(config.addr + (first + count - step) * config.block_size, step)
                missing += step
                if not missing:
                    return

    def _runs(self, state: str) -> Iterator[tuple[int, int]]:
        """Yield first block and number of blocks of what has a state in the usable region, ascending, by halves."""
        config = self.config_space()
        blocks = config.usable_region_size // config.block_size
        waiting = [(at, min(MAX_BLOCKS, blocks - at)) for at in range(0, blocks, MAX_BLOCKS)][::-1]
        while waiting:
            first, count = waiting.pop()
            answer = self.state(config.addr + first * config.block_size, count).state
            if answer == "MIXED":
                waiting += [(first + count // 2, count - count // 2), (first, count // 2)]
            elif answer == state:
                yield first, count

    def state(self, address: int, blocks: int) -> MemAnswer:
        """STATE of `blocks` blocks from a guest physical address on."""
        return self.request(_STATE, address, blocks)
