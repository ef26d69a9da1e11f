"""One QEMU from its start to its end, with the backends, the firmware and the guest drivers that belong to it."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from workbook.lib.errors import BadInput
from workbook.lib.recording.format import View
from workbook.lib.scenario import DEFAULT_FIRMWARE_SIZE
from workbook.live.guest.host_bridge import HostBridge, host_bridge
from workbook.live.guest.pci import set_memory_attributes
from workbook.live.guest.qtest import Qtest
from workbook.live.guest.vhost_user import VhostUserBackend
from workbook.live.guest.virtio import VIRTIO_MEM_PCI_ID, VIRTIO_VENDOR, VirtioMemDriver, VirtioPci

from .binary import QemuBinary
from .observation import device_key, observe
from .process import QemuProcess
from .qmp import Qmp

__all__ = ("Session",)

_SERVES_CONFIG: Final = ("vhost-user-blk", "vhost-user-gpio", "vhost-user-input", "vhost-user-snd", "vhost-user-vsock")
"""Devices whose configuration space comes from the backend; the others warn about a backend that offers one."""


class Session:
    """A QEMU that can be acted on and looked at; a context manager.

    Parameters
    ----------
    binary
        The executable.
    argv
        Its arguments, ``TMP`` standing for the temporary directory.
    vhost_backends
        Limit that each vhost-user backend of the command line reports, by device id; its socket is ``TMP/<id>``.
    timeout
        Seconds to wait for the start and for each answer.
    migration
        File through which a migration goes: what the source writes and the destination reads.
    firmware_size
        Bytes of the halting firmware.

    Raises
    ------
    QemuDied, QemuHangs
        On entering: see `QemuProcess`.
    BadInput
        On entering: the harness cannot work with these arguments.
    """

    def __init__(
        self,
        binary: QemuBinary,
        argv: Sequence[str],
        vhost_backends: Mapping[str, int | None],
        timeout: float,
        migration: Path,
        *,
        firmware_size: int = DEFAULT_FIRMWARE_SIZE,
    ) -> None:
        self._stack = ExitStack()
        self.backends: dict[str, VhostUserBackend] = {}
        self._drivers: dict[str, VirtioMemDriver] = {}
        self._limits = dict(vhost_backends)
        self.migration = migration
        self.timeout = timeout
        self.migrating = False
        """Whether a migration was started and not queried since."""
        self.process = QemuProcess(binary, argv, timeout, self._listen, firmware_size=firmware_size)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.callback(self._close_backends)
            starting.enter_context(self.process)
            with self.process.explained():
                self.boot()
            self._stack = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def qmp(self) -> Qmp:
        """The QMP connection."""
        return self.process.qmp

    @property
    def qtest(self) -> Qtest:
        """The qtest connection."""
        return self.process.qtest

    @cached_property
    def bridge(self) -> HostBridge:
        """The board's way to PCI."""
        tree = self.qmp.execute("human-monitor-command", {"command-line": "info mtree"})
        return host_bridge(self.qtest, tree)

    def _listen(self, directory: Path) -> None:
        drivers = _drivers_by_id(self.process.argv)
        for name, slots in self._limits.items():
            self._listen_for(directory, name, slots, drivers.get(name, ""))

    def _listen_for(self, directory: Path, name: str, slots: int | None, driver: str) -> Path:
        if name in self.backends:
            raise BadInput(f"there was a vhost-user device {name!r} already: give the new one another id")
        path = directory / name
        self.backends[name] = VhostUserBackend(path, slots, config=driver.startswith(_SERVES_CONFIG))
        return path

    def add_backend(self, name: str, slots: int | None, driver: str) -> Path:
        """Start a backend for a device that is added to the running QEMU; return its socket's path."""
        return self._listen_for(self.process.directory, name, slots, driver)

    def keep_until_end(self, close: Callable[[], object]) -> None:
        """Have something closed when this session ends."""
        self._stack.callback(close)

    def _close_backends(self) -> None:
        for backend in self.backends.values():
            backend.close()

    def observe(self) -> View:
        """Look at everything once; see `observe`."""
        return observe(self.qmp, self._drivers, self.process.trace, self.backends)

    def boot(self) -> None:
        """Do what firmware and guest do after start and after each system reset."""
        set_memory_attributes(self.bridge)
        if self._drivers:
            present = self.functions(VIRTIO_MEM_PCI_ID)
            self._drivers = {name: one for name, one in self._drivers.items() if one.device.function in present}
        for driver in self._drivers.values():
            driver.device.map()
            driver.start()
        self.find_drivers()

    def find_drivers(self) -> None:
        """Start a driver for each virtio-mem device that has none, forget those whose device is gone."""
        devices = self.qmp.execute("query-memory-devices")
        names = {device["data"]["memaddr"]: device_key(device) for device in devices if device["type"] == "virtio-mem"}
        known = {driver.device.function: driver for driver in self._drivers.values()}
        found: dict[str, VirtioMemDriver] = {}
        for function in self.functions(VIRTIO_MEM_PCI_ID):
            driver = known.get(function)
            if driver is None:
                driver = VirtioMemDriver(VirtioPci(self.bridge, function, self.timeout))
                driver.start()
            found[names.pop(driver.config_space().addr)] = driver
        if names:
            raise BadInput(
                f"{', '.join(names.values())}: only virtio-mem devices on the root bus (pci.0, pcie.0) have a driver"
            )
        self._drivers = found

    def functions(self, device: int | None = None, name: str | None = None) -> list[int]:
        """Functions on the root bus by their virtio PCI device id or by the device's id."""
        (root, *_) = self.qmp.execute("query-pci")
        return [
            one["slot"] << 3 | one["function"]
            for one in root["devices"]
            if (device is None or (one["id"]["vendor"], one["id"]["device"]) == (VIRTIO_VENDOR, device))
            and (name is None or one["qdev_id"] == name)
        ]

    def driver(self, name: str) -> VirtioMemDriver:
        """Return the driver of a virtio-mem device.

        Raises
        ------
        BadInput
            There is no such device.
        """
        if name not in self._drivers:
            raise BadInput(f"there is no virtio-mem device {name!r}; there are: {', '.join(self._drivers) or 'none'}")
        return self._drivers[name]


def _drivers_by_id(argv: Sequence[str]) -> dict[str, str]:
    """Driver names of the ``-device`` options by their id; both syntaxes, ``driver,id=x`` and JSON."""
    drivers: dict[str, str] = {}
    for option, value in itertools.pairwise(argv):
        if option != "-device":
            continue
        if value.startswith("{"):
            properties = json.loads(value)
        else:
            driver, *pairs = value.split(",")
            properties = {"driver": driver} | dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if "id" in properties:
            drivers[properties["id"]] = properties["driver"]
    return drivers
