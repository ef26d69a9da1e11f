"""Actions of a recording, done with a running QEMU: one `Session` is one QEMU from its start to its end."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from workbook.lib.errors import BadInput

from .binary import QemuBinary
from .observation import device_key, observe
from .pci import set_memory_attributes
from .process import Broken, QemuProcess
from .qmp import QmpRefusal
from .qtest import QtestBroken
from .vhost_user import VhostUserBackend
from .virtio import VERSION_1, VIRTIO_MEM_PCI_ID, VIRTIO_VENDOR, DriverRefused, MemAnswer, VirtioMemDriver, VirtioPci

__all__ = ("Session",)

Action: TypeAlias = Mapping[str, Any]

_SERVES_CONFIG: Final = ("vhost-user-blk", "vhost-user-gpio", "vhost-user-input", "vhost-user-snd")
_POLL: Final = 0.005
_RELEASE_TIMEOUT: Final = 1.0
_MIGRATION_OVER: Final = frozenset({"completed", "failed", "cancelled"})

_PCI_SELECT, _PCI_EJECT = 0xAE10, 0xAE08
"""ACPI PCI hotplug of the 440FX machine (docs/specs/acpi_pci_hotplug.rst)."""
_MEMORY_SELECT, _MEMORY_CONTROL, _MEMORY_EJECT = 0x0A00, 0x0A14, 0x08
"""ACPI memory hotplug (docs/specs/acpi_mem_hotplug.rst)."""


class Session:
    """A QEMU that does actions; a context manager.

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
        File through which a migration goes, and the name of the socket that swallows one that must not end.

    Raises
    ------
    QemuDied, QemuHangs
        On entering: see `QemuProcess`.
    """

    def __init__(
        self,
        binary: QemuBinary,
        argv: Sequence[str],
        vhost_backends: Mapping[str, int | None],
        timeout: float,
        migration: Path,
    ) -> None:
        self._stack = ExitStack()
        self._backends: dict[str, VhostUserBackend] = {}
        self._drivers: dict[str, VirtioMemDriver] = {}
        self._limits = dict(vhost_backends)
        self._migration = migration
        self._migrating = False
        self._timeout = timeout
        self.process = QemuProcess(binary, argv, timeout, self._listen)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.callback(self._close_backends)
            starting.enter_context(self.process)
            try:
                self._boot()
            except Broken as error:
                raise self.process.explain(error) from error
            self._stack = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _listen(self, directory: Path) -> None:
        drivers = _drivers_by_id(self.process.argv)
        for name, slots in self._limits.items():
            self._add_backend(directory, name, slots, drivers.get(name, ""))

    def _add_backend(self, directory: Path, name: str, slots: int | None, driver: str) -> None:
        if name in self._backends:
            raise BadInput(f"vhost-user device {name!r} is there already: give the new one another id")
        self._backends[name] = VhostUserBackend(directory / name, slots, config=driver.startswith(_SERVES_CONFIG))

    def _close_backends(self) -> None:
        for backend in self._backends.values():
            backend.close()

    def perform(self, action: Action) -> dict[str, Any]:
        """Do one action and look at the result.

        Returns
        -------
        dict
            A recording's step, without what the action itself is.

        Raises
        ------
        QemuDied, QemuHangs
            QEMU ended, or gives no answer in time.
        BadInput
            There is no such action, or it names a device that is not there.
        """
        try:
            step = self._answer(action)
            step |= observe(self.process.qmp, self._drivers, self.process.trace, self._backends)
            self.process.check_alive()
        except Broken as error:
            raise self.process.explain(error) from error
        if stderr := self.process.new_stderr():
            step["stderr"] = stderr
        return step

    def _answer(self, action: Action) -> dict[str, Any]:
        do = _ACTIONS.get(action["op"])
        if do is None:
            raise BadInput(f"action {action['op']!r} is not known: {', '.join(_ACTIONS)} are")
        try:
            return {**do(self, action), "error": None}
        except QmpRefusal as refusal:
            return {"error": str(refusal)}
        except DriverRefused as refusal:
            return {"error": str(refusal)}
        except KeyError as missing:
            raise BadInput(f"action {dict(action)} needs {missing.args[0]!r}") from missing

    def _boot(self) -> None:
        """What firmware and guest do after start and after each system reset."""
        set_memory_attributes(self.process.qtest)
        for driver in self._drivers.values():
            driver.device.map()
            driver.start()
        self._find_drivers()

    def _find_drivers(self) -> None:
        """Start a driver for each virtio-mem device that has none, forget those whose device is gone."""
        devices = self.process.qmp.execute("query-memory-devices")
        names = {device["data"]["memaddr"]: device_key(device) for device in devices if device["type"] == "virtio-mem"}
        known = {driver.device.function: driver for driver in self._drivers.values()}
        found: dict[str, VirtioMemDriver] = {}
        for function in self._functions(VIRTIO_MEM_PCI_ID):
            driver = known.get(function)
            if driver is None:
                driver = VirtioMemDriver(VirtioPci(self.process.qtest, function, self._timeout))
                driver.start()
            found[names.pop(driver.config_space().addr)] = driver
        if names:
            raise BadInput(f"{', '.join(names.values())}: only virtio-mem devices on the root bus (pci.0, pcie.0) have a driver")
        self._drivers = found

    def _functions(self, device: int | None = None, name: str | None = None) -> list[int]:
        """Functions on the root bus by their virtio PCI device id or by the device's id."""
        (root, *_) = self.process.qmp.execute("query-pci")
        return [
            one["slot"] << 3 | one["function"]
            for one in root["devices"]
            if (device is None or (one["id"]["vendor"], one["id"]["device"]) == (VIRTIO_VENDOR, device))
            and (name is None or one["qdev_id"] == name)
        ]

    def _driver(self, action: Action) -> VirtioMemDriver:
        name = action["dev"]
        if name not in self._drivers:
            raise BadInput(f"there is no virtio-mem device {name!r}; there are: {', '.join(self._drivers) or 'none'}")
        return self._drivers[name]

    # The actions, each as a recording names it.

    def _look(self, _action: Action) -> dict[str, Any]:
        if not self._migrating:
            return {}
        self._migrating = False
        return {"migration": self._migration_status()}

    def _request_size(self, action: Action) -> dict[str, Any]:
        path = f"/machine/peripheral/{action['dev']}"
        arguments = {"path": path, "property": "requested-size", "value": action["size"]}
        self.process.qmp.execute("qom-set", arguments)
        return {}

    def _plug(self, action: Action) -> dict[str, Any]:
        driver = self._driver(action)
        return _answered(driver.plug(*_range(driver, action)))

    def _unplug(self, action: Action) -> dict[str, Any]:
        driver = self._driver(action)
        return _answered(driver.unplug(*_range(driver, action)))

    def _state(self, action: Action) -> dict[str, Any]:
        driver = self._driver(action)
        return _answered(driver.state(*_range(driver, action)))

    def _unplug_all(self, action: Action) -> dict[str, Any]:
        return _answered(self._driver(action).unplug_all())

    def _raw(self, action: Action) -> dict[str, Any]:
        return _answered(self._driver(action).request(action["type"], action["gpa"], action["nb_blocks"]))

    def _reset(self, _action: Action) -> dict[str, Any]:
        if self.process.qmp.execute_and_await("system_reset", None, "RESET") is None:
            raise QtestBroken("no RESET event after system_reset") from TimeoutError()
        self._boot()
        return {}

    def _device_reset(self, action: Action) -> dict[str, Any]:
        driver = self._driver(action)
        driver.device.reset()
        driver.start()
        return {}

    def _driver_start(self, action: Action) -> dict[str, Any]:
        self._driver(action).start(unplugged_inaccessible=action.get("unplugged_inaccessible", True))
        return {}

    def _vhost_start(self, action: Action) -> dict[str, Any]:
        functions = self._functions(name=action["dev"])
        if not functions:
            raise BadInput(f"there is no device {action['dev']!r} on the root bus (pci.0, pcie.0)")
        VirtioPci(self.process.qtest, functions[0], self._timeout).start(VERSION_1)
        return {}

    def _device_add(self, action: Action) -> dict[str, Any]:
        qmp, name, driver, props = self.process.qmp, action["id"], action["driver"], action["props"]
        if "vhost_slots" in action:
            self._add_backend(self.process.directory, name, action["vhost_slots"], driver)
            address = {"type": "unix", "data": {"path": str(self.process.directory / name)}}
            backend = {"type": "socket", "data": {"addr": address, "server": False}}
            qmp.execute("chardev-add", {"id": props["chardev"], "backend": backend})
        if "object" in action:
            qmp.execute("object-add", dict(action["object"]))
        try:
            qmp.execute("device_add", {"driver": driver, "id": name, **props})
        except QmpRefusal:
            if "object" in action:
                qmp.execute("object-del", {"id": action["object"]["id"]})
            raise
        self._find_drivers()
        return {}

    def _device_del(self, action: Action) -> dict[str, Any]:
        """Ask for the removal, and release the device as a guest with ACPI would."""
        qmp, qtest, name = self.process.qmp, self.process.qtest, action["id"]
        functions = self._functions(name=name)
        slots = [
            one["data"]["slot"] for one in qmp.execute("query-memory-devices") if one["data"].get("id") == name and "slot" in one["data"]
        ]
        qmp.execute("device_del", {"id": name})
        for function in functions:
            qtest.run([f"outl {_PCI_SELECT:#x} 0", f"outl {_PCI_EJECT:#x} {1 << (function >> 3):#x}"])
        for slot in slots:
            qtest.run([f"outl {_MEMORY_SELECT:#x} {slot:#x}", f"outb {_MEMORY_CONTROL:#x} {_MEMORY_EJECT:#x}"])
        deadline = time.monotonic() + _RELEASE_TIMEOUT
        while time.monotonic() < deadline:
            if all(one["name"] != name for one in qmp.execute("qom-list", {"path": "/machine/peripheral"})):
                break
            time.sleep(_POLL)
        self._find_drivers()
        return {}

    def _netdev_add(self, action: Action) -> dict[str, Any]:
        self.process.qmp.execute("netdev_add", {"type": action["type"], "id": action["id"], **action.get("props", {})})
        return {}

    def _migrate(self, action: Action) -> dict[str, Any]:
        match action.get("to", "file"):
            case "file":
                uri, until = f"file:{self._migration}", _MIGRATION_OVER
            case "nowhere":
                uri, until = f"unix:{self._black_hole()}", frozenset({"active"})
            case other:
                raise BadInput(f"a migration to {other!r} is not possible: 'file', or 'nowhere' (it stays active) are")
        self.process.qmp.execute("migrate", {"uri": uri})
        self._await_migration(until | _MIGRATION_OVER)
        return {}

    def _black_hole(self) -> Path:
        """Path of a socket that takes connections and never reads: a migration to it does not end."""
        path = self.process.directory / "nowhere"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._stack.callback(listener.close)
        listener.bind(str(path))
        listener.listen()
        return path

    def _migrate_cancel(self, _action: Action) -> dict[str, Any]:
        self.process.qmp.execute("migrate_cancel")
        self._await_migration(_MIGRATION_OVER)
        return {}

    def _migrate_incoming(self, _action: Action) -> dict[str, Any]:
        self.process.qmp.execute("migrate-incoming", {"uri": f"file:{self._migration}"})
        self._await_migration(_MIGRATION_OVER)
        return {}

    def _migration_status(self) -> str | None:
        status: str | None = self.process.qmp.execute("query-migrate").get("status")
        return status

    def _await_migration(self, until: Set[str]) -> None:
        self._migrating = True
        deadline = time.monotonic() + self._timeout
        while self._migration_status() not in until:
            self.process.check_alive()
            if time.monotonic() > deadline:
                raise QtestBroken(f"the migration is {self._migration_status()!r} after {self._timeout:g} s") from TimeoutError()
            time.sleep(_POLL)


_ACTIONS: Final[Mapping[str, Callable[[Session, Action], dict[str, Any]]]] = {
    "device_add": Session._device_add,
    "device_del": Session._device_del,
    "device_reset": Session._device_reset,
    "driver_start": Session._driver_start,
    "look": Session._look,
    "migrate": Session._migrate,
    "migrate_cancel": Session._migrate_cancel,
    "migrate_incoming": Session._migrate_incoming,
    "netdev_add": Session._netdev_add,
    "plug": Session._plug,
    "raw": Session._raw,
    "request_size": Session._request_size,
    "reset": Session._reset,
    "start": Session._look,
    "state": Session._state,
    "unplug": Session._unplug,
    "unplug_all": Session._unplug_all,
    "vhost_start": Session._vhost_start,
}


def _answered(answer: MemAnswer) -> dict[str, Any]:
    step: dict[str, Any] = {"response": answer.response}
    return step if answer.state is None else {**step, "state": answer.state}


def _range(driver: VirtioMemDriver, action: Action) -> tuple[int, int]:
    """Guest physical address and number of blocks of an action, whose offset counts from the device's start."""
    config = driver.config_space()
    return config.addr + action["offset"], action["size"] // config.block_size


def _drivers_by_id(argv: Sequence[str]) -> dict[str, str]:
    """Driver names of the ``-device`` options by their id."""
    drivers = {}
    for option, value in zip(argv, argv[1:], strict=False):
        if option == "-device":
            driver, *properties = value.split(",")
            drivers |= {one.removeprefix("id="): driver for one in properties if one.startswith("id=")}
    return drivers
