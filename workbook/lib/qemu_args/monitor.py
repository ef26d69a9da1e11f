"""Lines of QEMU's monitor, and QMP's commands, as actions.

A line is read as the human monitor has it (``device_add pc-dimm,id=d9,memdev=m9``), as QMP has it (an object with
``execute``), or in the words of a recording (``request-size vm0 4G``, ``unplug vm0 0 2M``).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from workbook.lib.actions import (
    Action,
    ChardevAdd,
    DeviceAdd,
    DeviceDel,
    NetdevAdd,
    ObjectAdd,
    Plug,
    QomSet,
    RequestSize,
    Reset,
    Settle,
    State,
    Unplug,
    UnplugAll,
    VhostStart,
    action_from_json,
)
from workbook.lib.errors import BadInput
from workbook.lib.json_codec import Json, JsonObject
from workbook.lib.size import parse_size, strtosz

from .syntax import split_opts

__all__ = ("read_monitor_line",)

_SWITCHES: Final = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}
_SIZES: Final = frozenset({"size", "align", "hugetlbsize", "offset"})
_PERIPHERAL: Final = "/machine/peripheral/"


def read_monitor_line(text: str) -> Action:
    """Return what a line of the monitor, a QMP command or the words of a recording ask for.

    Raises
    ------
    BadInput
        Not a command that is known, or it lacks an argument; the line names what there is.
    """
    line = text.strip().removeprefix("(qemu)").strip()
    if line.startswith("{"):
        return _from_qmp(line)
    command, _, rest = line.partition(" ")
    name, words = command.replace("-", "_"), rest.split()
    if name in {"device_add", "object_add", "netdev_add", "chardev_add"}:
        return _BY_OPTIONS[name](rest.strip())
    if name in _BY_WORDS:
        least, most, make = _BY_WORDS[name]
        if not least <= len(words) <= most:
            raise BadInput(f"{command} takes {least} to {most} arguments, not {len(words)}: {line!r:.80}")
        return make(words)
    known = ", ".join([*_BY_OPTIONS, *_BY_WORDS])
    raise BadInput(f"{command!r:.60} is no command that is known: {known} are")


def _from_qmp(line: str) -> Action:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not a QMP command ({error}): {line!r:.80}") from None
    command, given = data.get("execute"), data.get("arguments", {})
    if command is None:
        return action_from_json(data, "action")
    if not isinstance(command, str) or not isinstance(given, Mapping):
        raise BadInput(f"a QMP command has the name in execute and an object of arguments: {line!r:.80}")
    match command.replace("-", "_"):
        case "device_add":
            rest = {key: value for key, value in given.items() if key not in {"driver", "id"}}
            return DeviceAdd(driver=_word(given, "driver"), id=given.get("id"), props=JsonObject(rest))
        case "device_del":
            return DeviceDel(id=_word(given, "id"))
        case "object_add":
            return ObjectAdd(object=JsonObject(given))
        case "netdev_add":
            return NetdevAdd(type=_word(given, "type"), id=_word(given, "id"), props=JsonObject(given))
        case "chardev_add":
            return ChardevAdd(id=_word(given, "id"), backend=JsonObject(given.get("backend", {})))
        case "qom_set":
            return QomSet(
                dev=_word(given, "path").removeprefix(_PERIPHERAL),
                property=_word(given, "property"),
                value=given.get("value", 0),
            )
        case "system_reset":
            return Reset()
    raise BadInput(f"QMP command {command!r:.60} is not known: device_add, device_del, object-add, qom-set ... are")


def _word(given: Mapping[str, object], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str):
        raise BadInput(f"a QMP command needs {key!r} as text, not {value!r:.60}")
    return value


def _options(text: str, first: str, command: str) -> tuple[str, str | None, dict[str, str]]:
    found, _ = split_opts(text, first, option=command)
    kind, name = found.pop(first, ""), found.pop("id", None)
    if not kind:
        raise BadInput(f"{command} needs a {first}: {text!r:.60}")
    return kind, name, found


def _device_add(text: str) -> Action:
    driver, name, props = _options(text, "driver", "device_add")
    return DeviceAdd(driver=driver, id=name, props=JsonObject(props))


def _object_add(text: str) -> Action:
    kind, name, props = _options(text, "qom-type", "object_add")
    typed: dict[str, Json] = {"qom-type": kind, **({} if name is None else {"id": name})}
    for key, value in props.items():
        size = strtosz(value) if key in _SIZES else None
        typed[key] = _SWITCHES.get(value, value) if size is None else size
    return ObjectAdd(object=JsonObject(typed))


def _netdev_add(text: str) -> Action:
    kind, name, props = _options(text, "type", "netdev_add")
    return NetdevAdd(type=kind, id=name or "", props=JsonObject(props))


def _chardev_add(text: str) -> Action:
    kind, name, props = _options(text, "backend", "chardev_add")
    return ChardevAdd(id=name or "", backend=JsonObject({"type": kind, "data": props}))


def _range(words: Sequence[str]) -> tuple[str, int, int]:
    return words[0], parse_size(words[1]), parse_size(words[2])


def _plug(words: Sequence[str]) -> Action:
    name, offset, size = _range(words)
    return Plug(dev=name, offset=offset, size=size)


def _unplug(words: Sequence[str]) -> Action:
    name, offset, size = _range(words)
    return Unplug(dev=name, offset=offset, size=size)


def _state(words: Sequence[str]) -> Action:
    name, offset, size = _range(words)
    return State(dev=name, offset=offset, size=size)


def _qom_set(words: Sequence[str]) -> Action:
    path, name, value = words
    number = strtosz(value)
    plain = _SWITCHES.get(value, value) if number is None else number
    return QomSet(dev=path.removeprefix(_PERIPHERAL), property=name, value=plain)


_BY_OPTIONS: Final[Mapping[str, Callable[[str], Action]]] = {
    "device_add": _device_add,
    "object_add": _object_add,
    "netdev_add": _netdev_add,
    "chardev_add": _chardev_add,
}
_BY_WORDS: Final[Mapping[str, tuple[int, int, Callable[[Sequence[str]], Action]]]] = {
    "device_del": (1, 1, lambda words: DeviceDel(id=words[0])),
    "qom_set": (3, 3, _qom_set),
    "request_size": (2, 2, lambda words: RequestSize(dev=words[0], size=parse_size(words[1]))),
    "plug": (3, 3, _plug),
    "unplug": (3, 3, _unplug),
    "state": (3, 3, _state),
    "unplug_all": (1, 1, lambda words: UnplugAll(dev=words[0])),
    "settle": (1, 1, lambda words: Settle(dev=words[0])),
    "vhost_start": (1, 1, lambda words: VhostStart(dev=words[0])),
    "system_reset": (0, 0, lambda _words: Reset()),
    "reset": (0, 0, lambda _words: Reset()),
}
