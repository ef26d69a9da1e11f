"""Attaching to running VMs: the machine is in their state, they are not changed, and what cannot be is one line."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from workbook.lib.actions import Action, DeviceAdd, Plug, RequestSize, Settle
from workbook.lib.json_codec import JsonObject
from workbook.lib.machine import Machine
from workbook.lib.size import GiB, MiB
from workbook.live.attach import AttachFailed, Virsh, attach
from workbook.live.attach.search import SECOND_MONITOR, properties_of
from workbook.live.qemu.actions import perform
from workbook.live.qemu.binary import QemuBinary
from workbook.live.qemu.session import Session

LINE = (
    *("qemu-system-x86_64", "-accel", "tcg", "-machine", "pc,memory-backend=ram", "-nodefaults", "-display", "none"),
    *("-m", "1G,maxmem=20G,slots=3", "-object", "memory-backend-memfd,id=ram,size=1G,share=on"),
    *("-chardev", "socket,id=c0,path=TMP/vu0", "-device", "vhost-user-rng-pci,id=vu0,chardev=c0"),
    *("-object", "memory-backend-memfd,id=m0,size=2G,reserve=off", "-device", "pc-dimm,memdev=m0"),
    *("-object", "memory-backend-ram,id=mem0,size=8G,reserve=off"),
    *("-device", "virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"),
)


@pytest.fixture
def running(qemu_binary: QemuBinary, tmp_path: Path) -> Iterator[Session]:
    with Session(qemu_binary, [*LINE, *SECOND_MONITOR], {"vu0": 512}, 20.0, tmp_path / "migration") as session:
        yield session


def door(session: Session) -> Path:
    return session.process.directory / "attach"


def disagreements(vm: Machine) -> list[str]:
    return [str(note) for note in vm.notes if "disagree" in note.text]


@pytest.mark.qemu
def test_state_and_what_if(running: Session) -> None:
    """Plugged memory, memslots and texts are the VM's; what-if answers are what the VM then does; nothing changes."""
    memory = JsonObject({"qom-type": "memory-backend-ram", "id": "m1", "size": GiB, "reserve": False})
    for action in (
        DeviceAdd(driver="pc-dimm", id="d1", props=JsonObject({"memdev": "m1"}), object=memory),
        RequestSize(dev="vm0", size=3 * GiB),
        Settle(dev="vm0"),
    ):
        assert perform(running, action).error is None
    before = properties_of(running.qmp)
    vm = attach(door(running), vhost_slots={"vu0": 512})
    assert properties_of(running.qmp) == before
    assert disagreements(vm) == []
    seen = perform(running, RequestSize(dev="vm0", size=3 * GiB)).view
    assert seen is not None
    assert vm.info_memory_devices().splitlines() == list(seen.info_memory_devices)
    assert vm.config_space("vm0") == seen.config_space["vm0"]
    assert vm.vhosts[0].backend.limit == 512
    again = Machine(vm.scenario, vm.rules)
    assert again.info_mtree(flat=True) == vm.info_mtree(flat=True)
    assert again.info_memory_devices() == vm.info_memory_devices()
    large = JsonObject({"qom-type": "memory-backend-ram", "id": "m9", "size": 64 * GiB, "reserve": False})
    tried: tuple[Action, ...] = (
        RequestSize(dev="vm0", size=9 * GiB),
        Plug(dev="vm0", offset=0, size=2 * MiB),
        DeviceAdd(driver="pc-dimm", id="d9", props=JsonObject({"memdev": "m9"}), object=large),
    )
    for action in tried:
        refusal = vm.what_if(action)
        assert perform(running, action).error == (refusal.message if refusal else None)


@pytest.mark.qemu
def test_what_cannot_be_read_is_said(running: Session) -> None:
    """A back end's limit and the place of plugged blocks are assumptions, each with a way to give it."""
    for action in (RequestSize(dev="vm0", size=GiB + 2 * MiB), Settle(dev="vm0")):
        perform(running, action)
    notes = [str(note) for note in attach(door(running)).notes]
    assert any("vhost_slots={'vu0': ...}" in note for note in notes)
    assert any("which of its blocks are plugged cannot be read" in note for note in notes)


# -- what cannot be attached to ---------------------------------------------------------------------------------------


@contextmanager
def serving(path: Path, serve: Callable[[socket.socket], None]) -> Iterator[Path]:
    """Listen on a socket and serve one client."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def run() -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client, suppress(OSError):
            serve(client)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        listener.close()


GREETING = {"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": ""}, "capabilities": []}}


def qmp_server(answers: dict[str, Any], *, hangs: bool = False) -> Callable[[socket.socket], None]:
    """Speak QMP, with the answers given; at any other command close, or say nothing more."""

    def serve(client: socket.socket) -> None:
        client.sendall(json.dumps(GREETING).encode() + b"\r\n")
        # one command at a time, each a message of its own, without a line's end
        while message := client.recv(1 << 16):
            request = json.loads(message)
            if request["execute"] in answers or request["execute"] == "qmp_capabilities":
                answer = {"return": answers.get(request["execute"], {})}
                answer |= {"id": request["id"]} if "id" in request else {}
                client.sendall(json.dumps(answer).encode() + b"\r\n")
            elif not hangs:
                return

    return serve


def version(*number: int) -> dict[str, Any]:
    return {"query-version": {"qemu": dict(zip(("major", "minor", "micro"), number, strict=True)), "package": ""}}


@pytest.mark.parametrize(
    ("serve", "line"),
    [
        (lambda client: client.recv(1), "no greeting in"),
        (lambda client: client.sendall(b"SSH-2.0-x\r\n"), "no QMP can be spoken there"),
        (lambda _client: None, "no QMP can be spoken there"),
        (qmp_server({}), "the connection ended at query-version: the VM has ended, or closed it"),
        (qmp_server(version(10, 0, 2)), "the connection ended at query-target"),
        (qmp_server({}, hangs=True), "no answer to query-version in 0.5 s: the VM hangs"),
        (qmp_server(version(7, 2, 22)), "s: the VM runs QEMU 7.2.22: memslots on demand are in QEMU 8.2"),
        (qmp_server({**version(10, 0, 2), "query-target": {"arch": "aarch64"}}), "s: the VM is an aarch64 one"),
        (qmp_server({"query-version": {"qemu": 3}}), "the VM answers otherwise than QEMU does"),
    ],
)
def test_bad_sockets(tmp_path: Path, serve: Callable[[socket.socket], None], line: str) -> None:
    """A socket that is no QMP, hangs, closes midway, or belongs to another QEMU: one clear line."""
    with serving(tmp_path / "s", serve) as path, pytest.raises(AttachFailed) as caught:
        attach(path, timeout=0.5)
    assert line in str(caught.value)
    assert "AttachFailed" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_socket(tmp_path: Path) -> None:
    """Nothing there, or a file: the line names it."""
    (tmp_path / "file").write_text("")
    for name in ("nothing", "file"):
        with pytest.raises(AttachFailed, match=name):
            attach(tmp_path / name)


@pytest.mark.qemu
def test_another_client_and_an_end(running: Session) -> None:
    """A socket that another client has gives no greeting; a VM that hangs or ends gives no answer."""
    with pytest.raises(AttachFailed, match="another client is connected to it"):
        attach(running.process.directory / "qmp", timeout=0.5)
    os.kill(running.process.pid, signal.SIGSTOP)
    with pytest.raises(AttachFailed, match="the VM hangs"):
        attach(door(running), timeout=0.5)
    os.kill(running.process.pid, signal.SIGKILL)


@pytest.mark.qemu
def test_a_vm_that_has_not_run(qemu_binary: QemuBinary, tmp_path: Path) -> None:
    """Before its first instruction the firmware has placed nothing: that is a note, and no disagreement."""
    path = tmp_path / "qmp"
    line = (*("-S", "-machine", "q35", "-nodefaults", "-display", "none"), "-qmp", f"unix:{path},server=on,wait=off")
    with subprocess.Popen([qemu_binary.path, *line], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not path.exists() and process.poll() is None:
                time.sleep(0.01)
            vm = attach(path, timeout=20.0)
        finally:
            process.kill()
    assert disagreements(vm) == []
    assert any("has not run yet" in note.text for note in vm.notes)


# -- libvirt ----------------------------------------------------------------------------------------------------------

STAND_IN = """#!{python}
import json, socket, sys
*_, command, flag, domain, request = sys.argv
assert (command, flag) == ("qemu-monitor-command", "--domain")
if domain != "guest":
    sys.exit("error: failed to get domain '" + domain + "'")
door = socket.socket(socket.AF_UNIX)
door.connect({path!r})
lines = door.makefile("rw")
lines.readline()
for one in ('{{"execute": "qmp_capabilities"}}', request):
    lines.write(one + "\\n"); lines.flush()
    answer = json.loads(lines.readline())
    while "event" in answer:
        answer = json.loads(lines.readline())
print(json.dumps(answer))
"""


@pytest.mark.qemu
def test_a_domain_of_libvirt(running: Session, tmp_path: Path) -> None:
    """By `virsh qemu-monitor-command` the same machine comes out; what virsh complains of is the line."""
    virsh = tmp_path / "virsh"
    virsh.write_text(STAND_IN.format(python=sys.executable, path=str(door(running))))
    virsh.chmod(0o755)
    vm = attach(Virsh("guest", program=virsh, timeout=20.0), vhost_slots={"vu0": 512})
    assert disagreements(vm) == []
    assert [one.id for one in vm.devices] == ["", "vm0"]
    with pytest.raises(AttachFailed, match="failed to get domain 'other'"):
        attach(Virsh("other", program=virsh, timeout=20.0))
    with pytest.raises(AttachFailed, match="cannot be run"):
        attach(Virsh("guest", program=tmp_path / "nothing"))
