"""The actions of a recording, done with a running QEMU."""

import socket
import time
from collections.abc import Callable, Mapping, Set as AbstractSet
from pathlib import Path
from typing import Any, Final, TypeAlias

from workbook.lib.errors import BadInput
from workbook.live.guest.virtio import VERSION_1, DriverRefused, MemAnswer, VirtioMemDriver, VirtioPci

from .process import Silent
from .qmp import QmpRefusal
from .session import Session

__all__ = ("Action", "perform")

Action: TypeAlias = Mapping[str, Any]
"""What a recording's step has as ``action``: ``op`` names it, the rest depends on it."""

_POLL: Final = 0.005
_RELEASE_TIMEOUT: Final = 1.0
_MIGRATION_OVER: Final = frozenset({"completed", "failed", "cancelled"})

_PCI_SELECT, _PCI_EJECT = 0xAE10, 0xAE08
"""ACPI PCI hotplug of the 440FX machine (docs/specs/acpi_pci_hotplug.rst)."""
_MEMORY_SELECT, _MEMORY_CONTROL, _MEMORY_EJECT = 0x0A00, 0x0A14, 0x08
"""ACPI memory hotplug (docs/specs/acpi_mem_hotplug.rst)."""


def perform(session: Session, action: Action) -> dict[str, Any]:
    """Do one action and look at the result.

    Parameters
    ----------
    session
        The running QEMU.
    action
        One of

        - ``start``, ``look``: only look; after a migration was started, ``look`` also gives its state
        - ``request_size`` (`dev`, `size`): set the property ``requested-size``
        - ``plug``, ``unplug``, ``state`` (`dev`, `offset` from the device's start, `size`), ``unplug_all`` (`dev`):
          requests of the driver
        - ``raw`` (`dev`, `type`, `gpa`, `nb_blocks`): any request, also a forbidden one
        - ``reset``: system reset, then what firmware and driver do again
        - ``device_reset`` (`dev`): virtio reset, then the driver starts again
        - ``driver_start`` (`dev`, `unplugged_inaccessible`): negotiate anew, with or without this feature
        - ``vhost_start`` (`dev`): a driver starts the vhost-user device
        - ``device_add`` (`driver`, `id`, `props`; `object`: its memory backend; `vhost_slots`: its vhost-user backend)
        - ``device_del`` (`id`): also releases the device as a guest with ACPI would (440FX; DIMMs on both)
        - ``netdev_add`` (`type`, `id`, `props`)
        - ``migrate`` (`to`: ``file``, or ``nowhere`` for one that stays active), ``migrate_cancel``,
          ``migrate_incoming``

        Sizes and offsets are in bytes.

    Returns
    -------
    dict
        A recording's step without its ``action``.

    Raises
    ------
    QemuDied, QemuHangs
        QEMU ended, or gives no answer in time.
    BadInput
        There is no such action, it lacks something, or it names a device that is not there.
    """
    with session.process.explained():
        step = _answer(session, action)
        step |= session.observe()
        session.process.check_alive()
    if stderr := session.process.new_stderr():
        step["stderr"] = stderr
    return step


def _answer(session: Session, action: Action) -> dict[str, Any]:
    do = _ACTIONS.get(action["op"])
    if do is None:
        raise BadInput(f"action {action['op']!r} is not known: {', '.join(_ACTIONS)} are")
    missing = _NEEDED.get(action["op"], frozenset()) - action.keys()
    if missing:
        raise BadInput(f"action {action['op']!r} needs {', '.join(sorted(missing))}: {dict(action)} has not")
    try:
        return {**do(session, action), "error": None}
    except (QmpRefusal, DriverRefused) as refusal:
        return {"error": str(refusal)}


def _look(session: Session, _action: Action) -> dict[str, Any]:
    if not session.migrating:
        return {}
    session.migrating = False
    return {"migration": _migration_status(session)}


def _request_size(session: Session, action: Action) -> dict[str, Any]:
    path = f"/machine/peripheral/{action['dev']}"
    arguments = {"path": path, "property": "requested-size", "value": action["size"]}
    session.qmp.execute("qom-set", arguments)
    return {}


def _plug(session: Session, action: Action) -> dict[str, Any]:
    driver = session.driver(action["dev"])
    return _answered(driver.plug(*_range(driver, action)))


def _unplug(session: Session, action: Action) -> dict[str, Any]:
    driver = session.driver(action["dev"])
    return _answered(driver.unplug(*_range(driver, action)))


def _state(session: Session, action: Action) -> dict[str, Any]:
    driver = session.driver(action["dev"])
    return _answered(driver.state(*_range(driver, action)))


def _unplug_all(session: Session, action: Action) -> dict[str, Any]:
    return _answered(session.driver(action["dev"]).unplug_all())


def _raw(session: Session, action: Action) -> dict[str, Any]:
    return _answered(session.driver(action["dev"]).request(action["type"], action["gpa"], action["nb_blocks"]))


def _reset(session: Session, _action: Action) -> dict[str, Any]:
    session.qmp.execute_and_await("system_reset", None, "RESET")
    session.boot()
    return {}


def _device_reset(session: Session, action: Action) -> dict[str, Any]:
    driver = session.driver(action["dev"])
    driver.device.reset()
    driver.start()
    return {}


def _driver_start(session: Session, action: Action) -> dict[str, Any]:
    session.driver(action["dev"]).start(unplugged_inaccessible=action.get("unplugged_inaccessible", True))
    return {}


def _vhost_start(session: Session, action: Action) -> dict[str, Any]:
    functions = session.functions(name=action["dev"])
    if not functions:
        raise BadInput(f"there is no device {action['dev']!r} on the root bus (pci.0, pcie.0)")
    VirtioPci(session.qtest, functions[0], session.timeout).start(VERSION_1)
    return {}


def _device_add(session: Session, action: Action) -> dict[str, Any]:
    qmp, name, driver, props = session.qmp, action["id"], action["driver"], action["props"]
    if "vhost_slots" in action:
        path = session.add_backend(name, action["vhost_slots"], driver)
        address = {"type": "unix", "data": {"path": str(path)}}
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
    session.find_drivers()
    return {}


def _device_del(session: Session, action: Action) -> dict[str, Any]:
    """Ask for the removal, and release the device as a guest with ACPI would."""
    qmp, qtest, name = session.qmp, session.qtest, action["id"]
    functions = session.functions(name=name)
    slots = [
        one["data"]["slot"]
        for one in qmp.execute("query-memory-devices")
        if one["data"].get("id") == name and "slot" in one["data"]
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
    session.find_drivers()
    return {}


def _netdev_add(session: Session, action: Action) -> dict[str, Any]:
    session.qmp.execute("netdev_add", {"type": action["type"], "id": action["id"], **action.get("props", {})})
    return {}


def _migrate(session: Session, action: Action) -> dict[str, Any]:
    match action.get("to", "file"):
        case "file":
            uri, until = f"file:{session.migration}", _MIGRATION_OVER
        case "nowhere":
            uri, until = f"unix:{_black_hole(session)}", frozenset({"active"})
        case other:
            raise BadInput(f"a migration to {other!r} is not possible: 'file', or 'nowhere' (it stays active) are")
    session.qmp.execute("migrate", {"uri": uri})
    _await_migration(session, until | _MIGRATION_OVER)
    return {}


def _black_hole(session: Session) -> Path:
    """Path of a socket that takes connections and never reads: a migration to it does not end."""
    path = session.process.directory / "nowhere"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    session.keep_until_end(listener.close)
    listener.bind(str(path))
    listener.listen()
    return path


def _migrate_cancel(session: Session, _action: Action) -> dict[str, Any]:
    session.qmp.execute("migrate_cancel")
    _await_migration(session, _MIGRATION_OVER)
    return {}


def _migrate_incoming(session: Session, _action: Action) -> dict[str, Any]:
    session.qmp.execute("migrate-incoming", {"uri": f"file:{session.migration}"})
    _await_migration(session, _MIGRATION_OVER)
    return {}


def _migration_status(session: Session) -> str | None:
    status: str | None = session.qmp.execute("query-migrate").get("status")
    return status


def _await_migration(session: Session, until: AbstractSet[str]) -> None:
    session.migrating = True
    deadline = time.monotonic() + session.timeout
    while _migration_status(session) not in until:
        session.process.check_alive()
        if time.monotonic() > deadline:
            raise Silent(f"the migration is {_migration_status(session)!r} after {session.timeout:g} s")
        time.sleep(_POLL)


_REQUEST: Final = frozenset({"dev", "offset", "size"})
_NEEDED: Final[Mapping[str, AbstractSet[str]]] = {
    "device_add": frozenset({"driver", "id", "props"}),
    "device_del": frozenset({"id"}),
    "device_reset": frozenset({"dev"}),
    "driver_start": frozenset({"dev"}),
    "netdev_add": frozenset({"type", "id"}),
    "plug": _REQUEST,
    "raw": frozenset({"dev", "type", "gpa", "nb_blocks"}),
    "request_size": frozenset({"dev", "size"}),
    "state": _REQUEST,
    "unplug": _REQUEST,
    "unplug_all": frozenset({"dev"}),
    "vhost_start": frozenset({"dev"}),
}

_ACTIONS: Final[Mapping[str, Callable[[Session, Action], dict[str, Any]]]] = {
    "device_add": _device_add,
    "device_del": _device_del,
    "device_reset": _device_reset,
    "driver_start": _driver_start,
    "look": _look,
    "migrate": _migrate,
    "migrate_cancel": _migrate_cancel,
    "migrate_incoming": _migrate_incoming,
    "netdev_add": _netdev_add,
    "plug": _plug,
    "raw": _raw,
    "request_size": _request_size,
    "reset": _reset,
    "start": _look,
    "state": _state,
    "unplug": _unplug,
    "unplug_all": _unplug_all,
    "vhost_start": _vhost_start,
}


def _answered(answer: MemAnswer) -> dict[str, Any]:
    step: dict[str, Any] = {"response": answer.response}
    return step if answer.state is None else {**step, "state": answer.state}


def _range(driver: VirtioMemDriver, action: Action) -> tuple[int, int]:
    """Guest physical address and number of blocks of an action, whose offset counts from the device's start."""
    config = driver.config_space()
    return config.addr + action["offset"], action["size"] // config.block_size
