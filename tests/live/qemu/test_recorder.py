"""Playing scenarios on a real QEMU: what it shows, and that nothing is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workbook.lib.actions import (
    Action,
    DeviceAdd,
    DeviceDel,
    DeviceReset,
    DriverStart,
    Look,
    Migrate,
    MigrateCancel,
    MigrateIncoming,
    Plug,
    QomSet,
    RawRequest,
    RequestSize,
    Reset,
    Settle,
    Start,
    State,
    Unplug,
    UnplugAll,
    VhostStart,
)
from workbook.lib.errors import BadInput
from workbook.lib.json_codec import JsonObject
from workbook.lib.recording import RecordingJson, compare, predict
from workbook.lib.recording.compare import without_kvm
from workbook.lib.size import GiB, MiB
from workbook.live.qemu import recorder
from workbook.live.qemu.actions import perform
from workbook.live.qemu.recorder import QemuBinary, QemuDied, QemuHangs, QemuMissing, find_qemu, usable_accel
from workbook.live.qemu.session import Session

pytestmark = pytest.mark.qemu

START = Start()
RESET = Reset()
BLOCK = 2 * MiB


def plug(offset: int, size: int = BLOCK, dev: str = "vmem0") -> Plug:
    return Plug(dev=dev, offset=offset, size=size)


def play(*arguments: Any, **more: Any) -> RecordingJson:
    """Play and show what is then on disk."""
    return recorder.play(*arguments, **more).to_json()


def argv(*more: str, machine: str = "q35", accel: str | None = None, dynamic: str = "on") -> list[str]:
    """8 GiB of virtio-mem beside 4 GiB of RAM, both visible to vhost-user."""
    words = ["qemu-system-x86_64", "-accel", accel or usable_accel(), "-machine", f"{machine},memory-backend=ram"]
    words += ["-cpu", "qemu64,vendor=GenuineIntel,phys-bits=48,-sse3", "-nodefaults", "-m", "4G,maxmem=20G,slots=4"]
    words += ["-object", "memory-backend-memfd,id=ram,size=4G,share=on", *more]
    words += ["-object", "memory-backend-memfd,id=mem0,size=8G,reserve=off,share=on"]
    device = f"virtio-mem-pci,id=vmem0,memdev=mem0,requested-size=8G,dynamic-memslots={dynamic}"
    return [*words, "-device", device]


def rng(name: str) -> tuple[str, ...]:
    return (
        "-chardev",
        f"socket,id=c{name},path=TMP/{name}",
        "-device",
        f"vhost-user-rng-pci,id={name},chardev=c{name}",
    )


@pytest.fixture(scope="module")
def qemu() -> QemuBinary:
    try:
        return find_qemu()
    except QemuMissing as missing:
        pytest.skip(str(missing))


def processes(directory: Path) -> list[int]:
    """Processes whose command line names a directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in words and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Directory for all temporary directories (short: they hold sockets); at the end it is empty and nothing runs."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="w") as name:
        directory = Path(name)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield directory
        assert list(directory.iterdir()) == []
        assert processes(directory) == []


def session(qemu: QemuBinary, place: Path, timeout: float = 20.0) -> Session:
    return Session(qemu, argv(), {}, timeout, place / "migration")


def test_running_qemu_uses_the_watched_directory(qemu: QemuBinary, place: Path) -> None:
    """The process and its files are where the other tests look for what is left behind."""
    with session(qemu, place) as running:
        assert running.process.pid in processes(place)
        assert {"qmp", "qtest", "halt.bin", "stderr"} <= {path.name for path in running.process.directory.iterdir()}


@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_memslots_follow_plugged_blocks(qemu: QemuBinary, place: Path, machine: str) -> None:
    """Exactly the memslots with a plugged block are mapped; each is one KVM memslot more than boot RAM's seven."""
    actions = [START, plug(0), plug(3 * GiB, 2 * GiB), Unplug(dev="vmem0", size=BLOCK), RESET]
    steps = play(argv(machine=machine), actions, qemu=qemu)["steps"]
    assert [step["mapped_memslots"]["vmem0"]["index"] for step in steps] == [[], [0], [0, 3, 4], [3, 4], []]
    assert [step.get("response") for step in steps] == [None, "ACK", "ACK", "ACK", None]
    assert [step["error"] for step in steps] == [None] * 5
    assert all(len(step["info_mtree"]) - 2 == len(step["info_mtree_flat"]) for step in steps)
    if usable_accel() == "kvm":
        assert [step["kvm"]["live"] for step in steps] == [{"0": count} for count in (7, 8, 10, 9, 7)]
        assert [step["kvm"]["live_device_memory"].get("0", 0) for step in steps] == [0, 1, 3, 2, 0]


def test_whole_ram_is_one_memslot_without_dynamic_memslots(qemu: QemuBinary, place: Path) -> None:
    """With dynamic-memslots=off the whole device is one mapping without a number, whatever is plugged."""
    steps = play(argv(dynamic="off"), [START, plug(0), RESET], qemu=qemu)["steps"]
    mapped = {"count": 1, "index": [None], "memslot_size": 8 * GiB}
    assert [step["mapped_memslots"] for step in steps] == [{"vmem0": mapped}] * 3


@pytest.mark.skipif(usable_accel() != "kvm", reason="/dev/kvm cannot be opened by this user")
def test_kvm_and_tcg_show_the_same(qemu: QemuBinary, place: Path) -> None:
    """Apart from KVM's own rows, the accelerator makes no difference."""
    actions = [START, plug(0), plug(GiB), UnplugAll(dev="vmem0")]
    one = play(argv(), actions, qemu=qemu)
    other = play(argv(), actions, qemu=qemu, accel="tcg")
    assert (one["accel"], other["accel"]) == ("kvm", "tcg")
    assert compare(without_kvm(one), without_kvm(other), both_ways=True) == []
    assert compare(one, other, both_ways=True) != []


def test_answers_to_wrong_requests(qemu: QemuBinary, place: Path) -> None:
    """Not aligned and already plugged are ERROR, beyond the request is NACK, an unknown type breaks the device."""
    base = 6 * GiB
    raw = RawRequest(dev="vmem0", type=999, gpa=base, nb_blocks=1)
    actions = [
        START,
        replace(raw, type=0, gpa=base + 4096),
        plug(0),
        plug(0),
        State(dev="vmem0", size=2 * BLOCK),
        RequestSize(dev="vmem0", size=BLOCK),
        plug(BLOCK),
        raw,
        plug(BLOCK),
        DeviceReset(dev="vmem0"),
        UnplugAll(dev="vmem0"),
    ]
    steps = play(argv(), actions, qemu=qemu)["steps"]
    answers = [None, "ERROR", "ACK", "ERROR", "ACK", None, "NACK", None, None, None, "ACK"]
    assert [step.get("response") for step in steps] == answers
    assert steps[4]["state"] == "MIXED"
    assert steps[7]["stderr"] == "virtio-mem protocol violation: unknown request type: 999"


def test_driver_must_accept_unplugged_inaccessible(qemu: QemuBinary, place: Path) -> None:
    """A driver without UNPLUGGED_INACCESSIBLE cannot set FEATURES_OK, and then gets no answers."""
    refused = DriverStart(dev="vmem0", unplugged_inaccessible=False)
    steps = play(argv(), [START, refused, plug(0), DriverStart(dev="vmem0"), plug(0)], qemu=qemu)["steps"]
    assert "FEATURES_OK stays clear" in steps[1]["error"]
    assert "is not running" in steps[2]["error"]
    assert steps[4]["response"] == "ACK"


@pytest.mark.parametrize(
    ("slots", "messages"), [(64, {"ADD_MEM_REG": 3, "GET_MAX_MEM_SLOTS": 1}), (None, {"SET_MEM_TABLE": 2})]
)
def test_vhost_backend_sees_boot_ram_and_mapped_memslots(
    qemu: QemuBinary, place: Path, slots: int | None, messages: dict[str, int]
) -> None:
    """A started backend gets two regions for boot RAM and one for each mapped memslot, by the messages it knows."""
    actions = [START, VhostStart(dev="vu0"), plug(0)]
    steps = play(argv(*rng("vu0")), actions, {"vu0": slots}, qemu=qemu)["steps"]
    assert [step["vhost"]["vu0"]["regions"] for step in steps] == [0, 2, 3]
    assert [step["vhost"]["vu0"]["started"] for step in steps] == [False, True, True]
    assert steps[2]["vhost"]["vu0"]["messages"] == messages
    # fewer than 509 in all: the device got a single memslot
    assert steps[2]["mapped_memslots"]["vmem0"] == {"count": 1, "index": [0], "memslot_size": 8 * GiB}


def add_rng(name: str, slots: int) -> DeviceAdd:
    props = JsonObject({"chardev": f"c{name}"})
    return DeviceAdd(driver="vhost-user-rng-pci", id=name, vhost_slots=slots, props=props)


def test_guest_follows_the_request(qemu: QemuBinary, place: Path) -> None:
    """The driver plugs from the bottom into the gaps and unplugs from the top, as the model's does."""
    actions = [
        START,
        plug(BLOCK, 3 * BLOCK),
        plug(GiB, GiB),
        *(action for size in (2 * GiB, 5 * BLOCK, 0, 8 * GiB) for action in follow(size)),
    ]
    recording = play(argv(), actions, qemu=qemu)
    assert compare(recording, predict(recording), both_ways=True) == []
    plugged = [step["config_space"]["vmem0"]["plugged_size"] for step in recording["steps"][4::2]]
    assert plugged == [2 * GiB, 5 * BLOCK, 0, 8 * GiB]


def follow(size: int) -> tuple[Action, ...]:
    return RequestSize(dev="vmem0", size=size), Settle(dev="vmem0")


@pytest.mark.parametrize("prop", ["requested-size", "size", "block-size", "memaddr", "memdev", "node", "nonsense"])
def test_properties_at_run_time(qemu: QemuBinary, place: Path, prop: str) -> None:
    """Only requested-size can be set while QEMU runs, to a number of at most 64 bits; what QEMU says is predicted."""
    memory = JsonObject({"qom-type": "memory-backend-ram", "id": "m1", "size": GiB, "reserve": False})
    values = [-1, -BLOCK, 1, BLOCK, 9 * GiB, 1 << 64, "4M", "m1", True]
    actions = [
        START,
        DeviceAdd(driver="pc-dimm", id="d0", object=memory, props=JsonObject({"memdev": "m1"})),
        *(QomSet(dev=name, property=prop, value=value) for name in ("vmem0", "d0") for value in values),
    ]
    recording = play(argv(accel="tcg"), actions, qemu=qemu)
    assert [str(one) for one in compare(recording, predict(recording), both_ways=True)] == []
    assert sum(step["error"] is None for step in recording["steps"]) == (3 if prop == "requested-size" else 2)


def test_negative_requests_and_refused_drivers(qemu: QemuBinary, place: Path) -> None:
    """What a driver without UNPLUGGED_INACCESSIBLE gets, and a negative size by request, is what the model says."""
    actions = [
        START,
        RequestSize(dev="vmem0", size=-1),
        RequestSize(dev="vmem0", size=-BLOCK),
        RawRequest(dev="vmem0", type=77),
        plug(0),
        DriverStart(dev="vmem0", unplugged_inaccessible=False),
        plug(0),
        RawRequest(dev="vmem0", type=77),
        UnplugAll(dev="vmem0"),
        RESET,
        plug(0),
        DriverStart(dev="vmem0", unplugged_inaccessible=False),
        DeviceReset(dev="vmem0"),
        plug(GiB),
    ]
    recording = play(argv(), actions, qemu=qemu)
    assert [str(one) for one in compare(recording, predict(recording), both_ways=True)] == []


def test_late_vhost_device_with_few_slots_is_refused(qemu: QemuBinary, place: Path) -> None:
    """After a device decided on several memslots, a backend with fewer than 509 cannot be added, one with 509 can."""
    actions = [
        START,
        add_rng("vu0", 64),
        add_rng("vu1", 509),
        VhostStart(dev="vu1"),
    ]
    steps = play(argv(machine="pc"), actions, qemu=qemu)["steps"]
    assert steps[1]["error"].startswith("some memory device (like virtio-mem) decided how many memory slots to use")
    assert steps[2]["error"] is None
    assert {name: seen["started"] for name, seen in steps[3]["vhost"].items()} == {"vu0": False, "vu1": True}


def test_hotplug_and_removal(qemu: QemuBinary, place: Path) -> None:
    """DIMMs and virtio-mem devices come and go while QEMU runs; one with plugged memory stays."""

    def add(driver: str, name: str, memdev: str) -> DeviceAdd:
        memory = {"qom-type": "memory-backend-memfd", "id": memdev, "size": GiB, "reserve": False, "share": True}
        return DeviceAdd(driver=driver, id=name, object=JsonObject(memory), props=JsonObject({"memdev": memdev}))

    actions = [
        START,
        add("pc-dimm", "d0", "m1"),
        add("virtio-mem-pci", "vmem1", "m2"),
        RequestSize(dev="vmem1", size=BLOCK),
        plug(0, dev="vmem1"),
        DeviceDel(id="vmem1"),
        UnplugAll(dev="vmem1"),
        RequestSize(dev="vmem1", size=0),
        DeviceDel(id="vmem1"),
        DeviceDel(id="d0"),
        RESET,
    ]
    steps = play(argv(machine="pc"), actions, qemu=qemu)["steps"]
    present = [sorted(step["mapped_memslots"]) for step in steps]
    both, three = ["d0", "vmem0"], ["d0", "vmem0", "vmem1"]
    assert present == [["vmem0"], both, three, three, three, three, three, three, both, ["vmem0"], ["vmem0"]]
    assert "still plugged" in steps[5]["error"] or "'size' != '0'" in steps[5]["error"]
    assert [step["error"] for step in steps[:5] + steps[6:]] == [None] * 10


def test_busy_while_migrating(qemu: QemuBinary, place: Path) -> None:
    """While a migration is active, PLUG and UNPLUG_ALL are BUSY and a reset leaves memory plugged; afterwards not."""
    actions = [
        START,
        plug(0),
        Migrate(to="nowhere"),
        Look(),
        plug(GiB),
        UnplugAll(dev="vmem0"),
        RESET,
        MigrateCancel(),
        Look(),
        plug(GiB),
    ]
    steps = play(argv(), actions, qemu=qemu)["steps"]
    assert (steps[3]["migration"], steps[8]["migration"]) == ("active", "cancelled")
    assert (steps[4]["response"], steps[5]["response"]) == ("BUSY", "BUSY")
    assert steps[6]["mapped_memslots"]["vmem0"]["index"] == [0]
    assert steps[9]["mapped_memslots"]["vmem0"]["index"] == [0, 1]


def test_migration_maps_the_same_memslots(qemu: QemuBinary, place: Path) -> None:
    """The destination maps the source's memslots, and its driver goes on where the source's stopped."""
    actions = [
        START,
        plug(0),
        plug(5 * GiB),
        Migrate(to="file"),
        Look(),
        START,
        MigrateIncoming(),
        Look(),
        State(dev="vmem0", offset=5 * GiB, size=BLOCK),
        plug(GiB),
    ]
    words = [*argv(), "-incoming", "defer"]
    words[words.index("4G,maxmem=20G,slots=4")] = "256M,maxmem=20G"
    words[words.index("memory-backend-memfd,id=ram,size=4G,share=on")] = (
        "memory-backend-memfd,id=ram,size=256M,share=on"
    )
    steps = play(words, actions, qemu=qemu)["steps"]
    assert [step["side"] for step in steps] == ["source"] * 5 + ["destination"] * 5
    assert (steps[4]["migration"], steps[7]["migration"]) == ("completed", "completed")
    assert [step["mapped_memslots"]["vmem0"]["index"] for step in steps[4:]] == [[0, 5], [], *[[0, 5]] * 3, [0, 1, 5]]
    assert steps[8]["state"] == "PLUGGED"


def test_plays_where_an_event_loop_runs(qemu: QemuBinary, place: Path) -> None:
    """A notebook has a running event loop in the thread of its cells; playing there works as elsewhere."""

    async def cell() -> dict[str, Any]:
        return play(argv(), [START, plug(0)], qemu=qemu)

    # a thread of its own: browser tests leave a running loop in this one
    with ThreadPoolExecutor(1) as thread:
        recording = thread.submit(asyncio.run, cell()).result()
    assert recording["steps"][1]["response"] == "ACK"


def test_refused_arguments_are_a_result(qemu: QemuBinary, place: Path) -> None:
    """What QEMU says to arguments it does not take is the first step's error, and the last step."""
    words = ["qemu-system-x86_64", "-m", "4G,maxmem=20G", "-device", "virtio-mem-pci,id=vmem0,memdev=nope"]
    recording = play(words, [START, RESET], qemu=qemu)
    error = "-device virtio-mem-pci,id=vmem0,memdev=nope: Device 'nope' not found"
    assert recording["steps"] == [{"action": {"op": "start"}, "error": error}]
    assert recording["argv"] == words


def wrapper(path: Path, qemu: QemuBinary, commands: str) -> QemuBinary:
    """Make an executable that says QEMU's version, and otherwise does something else."""
    path.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then exec {qemu.path} --version; fi\n{commands}\n')
    path.chmod(0o755)
    return find_qemu(path)


def test_death_is_reported_with_stderr(qemu: QemuBinary, place: Path, tmp_path: Path) -> None:
    """A QEMU that ends in the middle is reported with how it ended and what it said."""
    mortal = wrapper(tmp_path / "mortal", qemu, f'{qemu.path} "$@"\necho "mortal: some last words" >&2\nexit 3')
    with session(mortal, place) as running:
        assert perform(running, plug(0)).response == "ACK"
        running.qmp.execute("quit")
        with pytest.raises(QemuDied, match=r"^QEMU died: exit status 3: some last words$"):
            perform(running, plug(GiB))


def test_wrapped_qemu_is_ended(qemu: QemuBinary, place: Path, tmp_path: Path) -> None:
    """Where the executable is a script that starts QEMU, both are ended."""
    with session(wrapper(tmp_path / "wrapped", qemu, f'{qemu.path} "$@"\nexit 3'), place):
        assert len(processes(place)) == 2


def test_death_ends_the_recording(qemu: QemuBinary, place: Path, tmp_path: Path) -> None:
    """A QEMU killed by a signal is the step's error, and no further step is played."""
    mortal = wrapper(tmp_path / "mortal", qemu, 'echo "some last words" >&2\nkill -ABRT $$')
    steps = play(argv(), [START, plug(0)], qemu=mortal)["steps"]
    assert steps == [{"action": {"op": "start"}, "error": "QEMU died: signal 6", "stderr": "some last words"}]


def test_silent_qemu_is_reported(qemu: QemuBinary, place: Path) -> None:
    """A QEMU that does not answer in time is reported as hanging, and is ended."""
    with session(qemu, place, timeout=1.0) as running:
        os.kill(running.process.pid, signal.SIGSTOP)
        with pytest.raises(QemuHangs, match=r"does not answer.*stderr is empty"):
            perform(running, plug(0))
        with pytest.raises(QemuHangs, match="does not answer"):
            perform(running, Look())


def test_qemu_without_sockets_is_reported(qemu: QemuBinary, place: Path, tmp_path: Path) -> None:
    """A program that starts but never opens its sockets is reported, and is ended."""
    sleeper = wrapper(tmp_path / "sleeper", qemu, "exec sleep 100")
    with pytest.raises(QemuHangs, match=r"did not open its qtest socket in 0\.5 s"):
        play(argv(), [START], qemu=sleeper, timeout=0.5)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (plug(0, dev="vmem9"), "there is no virtio-mem device 'vmem9'; there are: vmem0"),
        (plug(0, 65536 * BLOCK), "65536 blocks"),
        (VhostStart(dev="vu9"), "there is no device 'vu9' on the root bus"),
    ],
)
def test_impossible_actions(qemu: QemuBinary, place: Path, action: Action, message: str) -> None:
    """An action that cannot be done is a clear error that names the value, and QEMU is gone afterwards."""
    with pytest.raises(BadInput, match=message):
        play(argv(), [START, action], qemu=qemu)


CHILD = """
import sys, tempfile
from workbook.lib.actions import Look, Start
from workbook.live.qemu import play
tempfile.tempdir = sys.argv[1]
actions = [Start()] + [Look()] * 100_000
print("playing", flush=True)
play(sys.argv[2:], actions)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_this_program_is_stopped(qemu: QemuBinary, place: Path, number: signal.Signals) -> None:
    """After Ctrl-C neither process nor file is left; after SIGKILL at least no process."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(place), *argv()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        deadline = time.monotonic() + 20
        while not any((path / "qmp").exists() for path in place.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.1)
        assert set(processes(place)) > {child.pid}
        child.send_signal(number)
        _, stderr = child.communicate(timeout=20)
        assert child.returncode == -number
    if number == signal.SIGINT:
        assert stderr.rstrip().endswith("KeyboardInterrupt")
        return
    while processes(place):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for left in list(place.iterdir()):
        subprocess.run(["rm", "-r", str(left)], check=True)
