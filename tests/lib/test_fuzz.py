"""Whatever the input, a reader gives a value or one of the library's own errors, nothing else.

``FUZZ_EXAMPLES=100000 pytest tests/lib/test_fuzz.py`` looks longer than the usual run does.
"""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from strategies import argument_texts, region_trees, scenarios, shell_texts

from workbook.lib.errors import BadInput, WorkbookError
from workbook.lib.machine.machine import Machine
from workbook.lib.memory.flatview import render
from workbook.lib.memory.mtree import flat_lines, read_flat, read_tree, tree_lines
from workbook.lib.qemu_args.reader import device_from_properties, read_argv, write_argv
from workbook.lib.recording import predict
from workbook.lib.rules import get
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB
from workbook.recordings.files import load

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

RULES = ("single", "rfc-2021", "rfc-2021-intended", "qemu-8.2", "qemu-10.0")
RECORDING: dict[str, Any] = {
    "name": "fuzz",
    "qemu_version": "10.0.2",
    "accel": "kvm",
    "argv": (
        "qemu-system-x86_64 -M q35 -nodefaults -m 4G,maxmem=20G,slots=2 -object memory-backend-memfd,id=mem0,size=8G "
        "-device virtio-mem-pci,id=vm0,memdev=mem0,requested-size=1G,dynamic-memslots=on"
    ).split(),
    "vhost_backends": {"vu0": 512},
    "kvm_memslots_faked": None,
    "smm_faked": False,
    "steps": [
        {"action": {"op": "start"}, "error": None},
        {"action": {"op": "plug", "dev": "vm0", "offset": 0, "size": 2 * MiB}, "response": "ACK"},
        {"action": {"op": "raw", "dev": "vm0", "type": 0, "gpa": 6 * GiB, "nb_blocks": 1}},
        {"action": {"op": "request_size", "dev": "vm0", "size": 2 * GiB}},
        {"action": {"op": "device_add", "driver": "vhost-user-rng-pci", "id": "vu0", "vhost_slots": 512}},
        {
            "action": {
                "op": "device_add",
                "driver": "pc-dimm,memdev=m1",
                "id": "d0",
                "object": {"qom-type": "memory-backend-ram", "id": "m1", "size": GiB},
            }
        },
        {"action": {"op": "vhost_start", "dev": "vu0", "ring": 4096}},
        {"action": {"op": "state", "dev": "vm0", "offset": 0, "size": 2 * MiB}},
        {"action": {"op": "unplug_all", "dev": "vm0"}},
        {"action": {"op": "migrate"}},
        {"action": {"op": "reset"}},
        {"action": {"op": "device_del", "id": "d0"}},
    ],
}

odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from((0, 1, -1, 3, 4096, 2 * MiB, GiB, 1 << 32, (1 << 64) - 1, 1 << 64, -(1 << 63), 10**30)),
    st.floats(),
    st.sampled_from(("", "vm0", "mem0", "on", "1G", "plug", "reset", "q35", "rfc-2021", "10.0.2", "7.2 (RFC series)")),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.lists(st.integers(), max_size=3),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Any:
    """A JSON value with up to three places replaced, left out or doubled."""
    value = copy.deepcopy(draw(values))
    for _ in range(draw(st.integers(0, 3))):
        *path, last = draw(st.sampled_from([place for place in places(value) if place] or [()])) or (None,)
        if last is None:
            break
        holder = value
        for key in path:
            holder = holder[key]
        match draw(st.sampled_from(("replace", "leave out", "add"))):
            case "replace":
                holder[last] = draw(odd_values)
            case "leave out":
                del holder[last]
            case "add" if isinstance(holder, list):
                holder.append(draw(odd_values))
            case _:
                holder[draw(st.text(max_size=4))] = draw(odd_values)
    return value


@st.composite
def spoilt_text(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text with up to three pieces replaced, left out or doubled."""
    text = draw(texts)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 6)))
        text = text[:start] + draw(st.one_of(st.text(max_size=4), st.just(text[start:end] * 2))) + text[end:]
    return text


def taken(read: Callable[..., Any], *arguments: Any) -> Any:
    """What `read` gives; None where it refuses, bad input in one line of bounded length."""
    try:
        return read(*arguments)
    except WorkbookError as error:
        if isinstance(error, BadInput) and ("\n" in str(error) or len(str(error)) > 1000):
            pytest.fail(f"not one clear line: {error}")
        return None


@fuzz
@given(st.one_of(argument_texts, shell_texts, spoilt(scenarios().map(write_argv))))
def test_argv(argv: Any) -> None:
    """Any command line makes a machine or is refused."""
    taken(lambda: Machine(read_argv(argv)))


@fuzz
@given(spoilt_text(scenarios().map(lambda one: " ".join(write_argv(one)))), st.sampled_from(RULES))
def test_almost_right_argv(line: str, rules: str) -> None:
    """A command line with a slip in it makes a machine or is refused, by every rule set."""
    taken(lambda: Machine.from_qemu_args(line, rules=rules, vhost_slots={"dev0": 509, "dev1": 8}))


@fuzz
@given(
    st.sampled_from(
        ("virtio-mem-pci", "pc-dimm", "virtio-pmem-pci", "vhost-user-fs-pci", "virtio-mem-pci,id=v", "", "x")
    ),
    st.dictionaries(
        st.sampled_from(("id", "memdev", "requested-size", "node", "slot", "addr", "memaddr", "x")), odd_values
    ),
)
def test_device_properties(driver: str, props: dict[str, Any]) -> None:
    """Any properties of device_add make a device or are refused."""
    taken(lambda: device_from_properties(driver, props, rules=get("qemu-10.0")))


@fuzz
@given(spoilt_text(st.one_of(st.text(max_size=80), region_trees(GiB).map(lambda one: "\n".join(tree_lines(one))))))
def test_tree_text(text: str) -> None:
    """Any text reads to regions that can be rendered and printed, or is bad input."""
    for one in taken(read_tree, text) or ():
        render(one)
        tree_lines(one)


@fuzz
@given(
    spoilt_text(st.one_of(st.text(max_size=80), region_trees(GiB).map(lambda one: "\n".join(flat_lines(render(one))))))
)
def test_flat_text(text: str) -> None:
    """Any text reads to a view that prints and reads again, or is bad input."""
    view = taken(read_flat, text)
    if view is not None:
        assert read_flat(flat_lines(view)) == view


_MEMORY = {"qom-type": "memory-backend-ram", "id": "hot", "size": GiB}
_ON_DEVICES = tuple(
    {"op": op, "dev": dev, **more}
    for dev in ("dev0", "dev1")
    for op, more in (
        *((op, {}) for op in "unplug_all settle device_reset driver_start vhost_start".split()),
        *(
            (op, {"offset": offset, "size": size})
            for op in ("plug", "unplug", "state")
            for offset, size in ((0, 2 * MiB), (GiB, GiB), (1, 0), (0, (1 << 64) - 1))
        ),
        *(("request_size", {"size": size}) for size in (0, 2 * MiB, -1, (1 << 64) - 1)),
        ("driver_start", {"unplugged_inaccessible": False}),
        ("raw", {"type": 9}),
        ("raw", {"type": 0, "gpa": 6 * GiB, "nb_blocks": 3}),
        ("qom_set", {"property": "size", "value": 3}),
        ("qom_set", {"property": "requested-size", "value": "x"}),
    )
)
ACTIONS = (
    *_ON_DEVICES,
    {"op": "reset"},
    {"op": "dance"},
    {"op": "plug"},
    {"op": "device_del", "id": "dev0"},
    {"op": "device_add", "driver": "virtio-mem-pci", "id": "hot0", "props": {"memdev": "hot"}, "object": _MEMORY},
    {"op": "device_add", "driver": "pc-dimm", "props": {"memdev": "hot"}, "object": _MEMORY},
    {"op": "device_add", "driver": "vhost-user-fs-pci", "id": "hot1", "props": {"chardev": "c"}, "vhost_slots": 9},
    {"op": "object_add", "object": _MEMORY},
    {"op": "migrate", "to": "nowhere"},
    {"op": "migrate_cancel"},
    {"op": "migrate_incoming", "source": [{"op": "request_size", "dev": "dev0", "size": GiB}]},
)


@st.composite
def saved(draw: st.DrawFn) -> Any:
    """A saved scenario with actions, as plain JSON."""
    scenario = draw(scenarios())
    data = json.loads(scenario.to_json())
    data["actions"] = draw(st.lists(st.sampled_from(ACTIONS), max_size=5))
    data["rules"] = draw(st.sampled_from(RULES))
    return data


@fuzz
@given(spoilt(saved()))
def test_scenario_json(data: Any) -> None:
    """Any JSON is a scenario that makes a machine, or is refused."""
    taken(lambda: Machine(Scenario.from_json(json.dumps(data))))


@fuzz
@given(spoilt_text(st.one_of(st.text(max_size=40), scenarios().map(Scenario.to_json))))
def test_scenario_text(text: str) -> None:
    """Any text is a saved scenario or bad input."""
    scenario = taken(Scenario.from_json, text)
    if scenario is not None:
        assert Scenario.from_json(scenario.to_json()) == scenario


@fuzz
@given(spoilt(st.just(RECORDING)), st.sampled_from((None, *RULES)))
def test_recording(data: Any, rules: str | None) -> None:
    """Any recording is predicted, as many steps as QEMU lived, or refused."""
    predicted = taken(predict, data, rules)
    if predicted is not None:
        assert len(predicted["steps"]) <= len(data["steps"])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "recording.json"


@fuzz
@given(content=st.one_of(st.binary(max_size=60), spoilt_text(st.just(json.dumps(RECORDING))).map(str.encode)))
def test_recording_file(file: Path, content: bytes) -> None:
    """Any file is a recording or bad input, packed or not."""
    for path in (file, file.with_suffix(".json.gz")):
        path.write_bytes(content)
        data = taken(load, path)
        assert data is None or isinstance(data["steps"], list)


def test_the_recording_is_one() -> None:
    """The recording that the tests above spoil is right before: every action is played."""
    predicted = predict(RECORDING)
    assert len(predicted["steps"]) == len(RECORDING["steps"])
    assert [step["error"] for step in predicted["steps"]] == [None] * len(RECORDING["steps"])
