"""The actions of a recording, done with a running QEMU."""

import socket
import time
from collections.abc import Callable, Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Final

from workbook.lib import actions as lib
from workbook.lib.actions import Action
from workbook.lib.errors import BadInput
from workbook.lib.json_codec import Json
from workbook.lib.recording import Observation
from workbook.live.guest.virtio import VERSION_1, DriverRefused, MemAnswer, VirtioMemDriver, VirtioPci

from .process import Silent
from .qmp import QmpRefusal
from .session import Session

__all__ = ("perform",)

_POLL: Final = 0.005
_RELEASE_TIMEOUT: Final = 1.0
_MIGRATION_OVER: Final = frozenset({"completed", "failed", "cancelled"})

_PCI_SELECT, _PCI_EJECT = 0xAE10, 0xAE08
"""ACPI PCI hotplug of the 440FX machine (docs/specs/acpi_pci_hotplug.rst)."""
_MEMORY_SELECT, _MEMORY_CONTROL, _MEMORY_EJECT = 0x0A00, 0x0A14, 0x08
"""ACPI memory hotplug (docs/specs/acpi_mem_hotplug.rst)."""


def perform(session: Session, action: Action) -> Observation:
    """Do one action and look at the result.

    A reset is followed by what firmware and drivers do again; a removed device is released as a guest with ACPI would
    (440FX; DIMMs on both); a migration without a destination's name goes to a file.

    Parameters
    ----------
    session
        The running QEMU.

    Raises
    ------
    QemuDied, QemuHangs
        QEMU ended, or gives no answer in time.
    BadInput
        It names a device that is not there, or cannot be done here.
    """
    with session.process.explained():
        seen = _answer(session, action)
        view = session.observe()
        session.process.check_alive()
    return replace(seen, view=view, stderr=session.process.new_stderr() or None)


def _answer(session: Session, action: Action) -> Observation:
    try:
        return _act(session, action)
    except (QmpRefusal, DriverRefused) as refusal:
        return Observation(error=str(refusal))


def _act(session: Session, action: Action) -> Observation:
    """Do an action; return the device's answer, or the state of a migration, where there is one."""
    qmp = session.qmp
    match action:
        case lib.Look():
            return _look(session)
        case lib.Plug(dev=name):
            return _ask_range(session.driver(name), action, session.driver(name).plug)
        case lib.Unplug(dev=name):
            return _ask_range(session.driver(name), action, session.driver(name).unplug)
        case lib.State(dev=name):
            return _ask_range(session.driver(name), action, session.driver(name).state)
        case lib.UnplugAll(dev=name):
            return _answered(session.driver(name).unplug_all())
        case lib.RawRequest(dev=name):
            return _answered(session.driver(name).request(action.type, action.gpa, action.nb_blocks))
        case lib.Settle(dev=name):
            session.driver(name).settle()
        case lib.RequestSize(dev=name, size=size):
            _qom_set(session, name, "requested-size", size)
        case lib.QomSet(dev=name):
            _qom_set(session, name, action.property, action.value)
        case lib.Reset():
            qmp.execute_and_await("system_reset", None, "RESET")
            session.boot()
        case lib.DeviceReset(dev=name):
            session.driver(name).device.reset()
            session.driver(name).start()
        case lib.DriverStart(dev=name):
            session.driver(name).start(unplugged_inaccessible=action.unplugged_inaccessible)
        case lib.VhostStart(dev=name, ring=ring):
            _vhost_start(session, name, ring)
        case lib.DeviceAdd():
            _device_add(session, action)
        case lib.DeviceDel(id=name):
            _device_del(session, name)
        case lib.ObjectAdd(object=memory):
            qmp.execute("object-add", dict(memory))
        case lib.NetdevAdd():
            qmp.execute("netdev_add", {"type": action.type, "id": action.id, **action.props})
        case lib.ChardevAdd():
            qmp.execute("chardev-add", {"id": action.id, "backend": dict(action.backend)})
        case lib.Migrate(to=to):
            _migrate(session, to or "file")
        case lib.MigrateCancel():
            qmp.execute("migrate_cancel")
            _await_migration(session, _MIGRATION_OVER)
        case lib.MigrateIncoming():
            qmp.execute("migrate-incoming", {"uri": f"file:{session.migration}"})
            _await_migration(session, _MIGRATION_OVER)
        case lib.Start():
            pass
    return Observation()


def _look(session: Session) -> Observation:
    if not session.migrating:
        return Observation()
    session.migrating = False
    return Observation(migration=_migration_status(session))


def _qom_set(session: Session, name: str, prop: str, value: Json) -> None:
    session.qmp.execute("qom-set", {"path": f"/machine/peripheral/{name}", "property": prop, "value": value})


def _vhost_start(session: Session, name: str, ring: int | None) -> None:
    functions = session.functions(name=name)
    if not functions:
        raise BadInput(f"there is no device {name!r} on the root bus (pci.0, pcie.0)")
    VirtioPci(session.bridge, functions[0], session.timeout).start(VERSION_1, ring=ring)


def _device_add(session: Session, action: lib.DeviceAdd) -> None:
    qmp, name = session.qmp, action.id
    arguments = {"driver": action.driver, **({} if name is None else {"id": name}), **action.props}
    if action.is_vhost_user:
        if name is None:
            raise BadInput("a vhost-user device that is hot-plugged needs an id here: its back end is found by it")
        path = session.add_backend(name, action.vhost_slots, action.driver)
        address = {"type": "unix", "data": {"path": str(path)}}
        backend = {"type": "socket", "data": {"addr": address, "server": False}}
        qmp.execute("chardev-add", {"id": action.props["chardev"], "backend": backend})
    if action.object is not None:
        qmp.execute("object-add", dict(action.object))
    try:
        qmp.execute("device_add", arguments)
    except QmpRefusal:
        if action.object is not None:
            qmp.execute("object-del", {"id": action.object["id"]})
        raise
    session.find_drivers()


def _device_del(session: Session, name: str) -> None:
    """Ask for the removal, and release the device as a guest with ACPI would."""
    qmp, qtest = session.qmp, session.qtest
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


def _migrate(session: Session, to: str) -> None:
    if to == "file":
        uri, until = f"file:{session.migration}", _MIGRATION_OVER
    else:
        uri, until = f"unix:{_black_hole(session)}", frozenset({"active"})
    session.qmp.execute("migrate", {"uri": uri})
    _await_migration(session, until | _MIGRATION_OVER)


def _black_hole(session: Session) -> Path:
    """Path of a socket that takes connections and never reads: a migration to it does not end."""
    path = session.process.directory / "nowhere"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    session.keep_until_end(listener.close)
    listener.bind(str(path))
    listener.listen()
    return path


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


def _answered(answer: MemAnswer) -> Observation:
    return Observation(response=answer.response, state=answer.state)


def _ask_range(
    driver: VirtioMemDriver, action: lib.Plug | lib.Unplug | lib.State, ask: Callable[[int, int], MemAnswer]
) -> Observation:
    """Send a request; its range as guest-physical address and blocks, where the action's offset is the device's."""
    config = driver.config_space()
    return _answered(ask(config.addr + action.offset, action.size // config.block_size))
