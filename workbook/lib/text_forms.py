"""Recognise pasted text: a command line in one of its forms, libvirt XML, a KubeVirt object, monitor commands.

Recognising looks at the text alone and reads nothing else; `Machine.from_text` reads what was recognised.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .errors import BadInput
from .qemu_args.config_file import is_config_file
from .qemu_args.shell import qemu_commands
from .qemu_args.words import split_process_words, split_words

__all__ = ("Command", "TextForm", "recognise")

_PROGRAM: Final = re.compile(r"(?:^|[\s/])(?:qemu-system-[a-z0-9_]+|qemu-kvm|kvm)(?=[\s\"']|$)")
_PS_HEADER: Final = re.compile(r"^\s*(?:UID|USER|F|PID|COMMAND|CMD|ARGS)\b.*$", re.MULTILINE)
_PS_COLUMNS: Final = re.compile(r"[A-Za-z_][\w.+-]*\s+\d+\s|\s*\d+\s|[\s|`\\\u2500-\u257f-]*[\u2500-\u257f]\s*\d+\s")
"""A user and a process id, or the id alone; ``systemctl status`` draws a tree before it."""
_LOGGED: Final = re.compile(r"launching \S+ with: \[(.*?)\](?:\\?\"|\s|$)", re.DOTALL)
_QUOTED_WORD: Final = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")
_QUOTED_LIST: Final = re.compile(
    r"\s*[\[(]?\s*(?:(?:'[^'\n]*'|\"[^\"\n]*\")\s*,\s*)+(?:'[^'\n]*'|\"[^\"\n]*\")?\s*,?\s*[\])]?\s*"
)
_MONITOR: Final = re.compile(
    r"^(?:\(qemu\)\s*)?(object_add|device_add|netdev_add|chardev-add|device_del|object_del)\s+(.*)$"
)
_XML: Final = re.compile(r"^\s*(?:<\?xml|<!--|<[A-Za-z])")
_JSON: Final = re.compile(r"\{|\[\s*[\[{\"\]]")
_KUBEVIRT: Final = re.compile(r"^\s*(?:-\s+)?(?:apiVersion|kind)\s*:", re.MULTILINE)
MOST_TEXT: Final = 16 << 20
"""Characters that a pasted text may have."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command for a running VM: ``object-add``, ``device_add`` ... with its arguments."""

    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class TextForm:
    """The form that a text was recognised as.

    Attributes
    ----------
    read_as
        In words, for the user.
    argv, xml, manifest, commands, config
        The one that holds has a value: a command line, libvirt XML, parsed KubeVirt objects, commands of a monitor, or
        the text of a configuration file.
    ignored
        Ignored parts of the text, such as other processes of ``ps``.
    """

    read_as: str
    argv: str | Sequence[str] | None = None
    xml: str | None = None
    manifest: object = None
    commands: tuple[Command, ...] = ()
    config: str | None = None
    ignored: tuple[str, ...] = ()


def recognise(text: str) -> TextForm:
    """Recognise the form of a text.

    Raises
    ------
    BadInput
        Empty, too long, or nothing of all this.
    """
    if not isinstance(text, str):
        raise BadInput(f"give text, not {type(text).__name__}")
    if len(text) > MOST_TEXT:
        raise BadInput(f"the text has {len(text)} characters: at most {MOST_TEXT} are read")
    stripped = text.strip("\ufeff \t\r\n")
    if not stripped:
        raise BadInput("the text is empty: paste a QEMU command line, libvirt XML, or a KubeVirt object")
    if "\0" in stripped:
        words = stripped.strip("\0").split("\0")
        if len(words) < 2:
            raise BadInput(f"a /proc/PID/cmdline with one word is no VM: {words[0][:40]!r}")
        return TextForm("a /proc/PID/cmdline", argv=words)
    if _XML.match(stripped):
        whole = "<domain" in stripped
        return TextForm("libvirt domain XML" if whole else "a device in libvirt's XML", xml=stripped)
    if is_config_file(stripped):
        return TextForm("a configuration file of -readconfig", config=text)
    if _JSON.match(stripped):
        return _from_json(stripped)
    monitor = [_MONITOR.match(line.strip()) for line in stripped.splitlines() if line.strip()]
    if monitor and all(monitor):
        commands = tuple(_monitor_command(one[1], one[2]) for one in monitor if one)
        return TextForm("commands of QEMU's monitor", commands=commands)
    if _KUBEVIRT.search(stripped) and not re.search(r"(?:^|\s)-(?:machine|m|M|device|object)\s", stripped):
        return TextForm("a KubeVirt object in YAML", manifest=_yaml(stripped))
    return _command_line(stripped)


def _command_line(text: str) -> TextForm:
    """Recognise a command line: of a shell, among the columns of ``ps``, in a log, or as a list of strings."""
    lines = text.splitlines()
    found = [(line, match) for line in lines if (match := _PROGRAM.search(line)) and " -" in line[match.end() :]]
    first = text.lstrip()
    if log := _LOGGED.search(text):
        words = split_process_words(log[1].replace('\\"', '"'))
        return TextForm("a line of Kata Containers' log", argv=words)
    if _QUOTED_LIST.fullmatch(text):
        words = [one[1] if one[1] is not None else one[2] for one in _QUOTED_WORD.finditer(text)]
        return TextForm("a list of words", argv=words)
    columns = bool(found) and _PS_COLUMNS.match(found[0][0]) is not None
    if found and (columns or _PS_HEADER.search(lines[0])):
        line, match = found[0]
        start = line.rfind(" ", 0, match.end() - 1) + 1
        others = tuple(f"another process: {other[:60]}" for other, _ in found[1:])
        return TextForm("a line of ps", argv=split_process_words(line[start:]), ignored=others)
    if first.startswith("-") or found or re.search(r"(?:^|\s)--?[A-Za-z]", text):
        words, *more = qemu_commands(text)
        others = tuple(f"another command: {' '.join(one)[:60]}" for one in more)
        return TextForm("a QEMU command line", argv=words, ignored=others)
    raise BadInput(
        f"not recognised: {first[:40]!r}; give a QEMU command line, ps output, /proc/PID/cmdline, libvirt XML, "
        "commands of a monitor, QMP, or a KubeVirt object"
    )


def _from_json(text: str) -> TextForm:
    """Recognise JSON: words of a command line, QMP commands (one or several), or KubeVirt objects."""
    values: list[object] = []
    at, decoder = 0, json.JSONDecoder()
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            values.append(value)
            while at < len(text) and text[at] in " \t\r\n,":
                at += 1
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the text begins as JSON and is none ({error})"[:200]) from None
    first = values[0]
    if isinstance(first, list) and first and all(isinstance(one, str) for one in first):
        return TextForm("the words of a command line as JSON", argv=[str(one) for one in first])
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    if flat and all(isinstance(one, dict) and "execute" in one for one in flat):
        return TextForm("QMP commands", commands=tuple(_qmp_command(one) for one in flat))
    if isinstance(first, dict) and "qom-type" in first:
        return TextForm("arguments of object-add", commands=tuple(Command("object-add", one) for one in _dicts(flat)))
    if isinstance(first, dict) and "driver" in first:
        return TextForm("arguments of device_add", commands=tuple(Command("device_add", one) for one in _dicts(flat)))
    if not flat or not all(isinstance(one, dict) for one in flat):
        raise BadInput(f"JSON that is no VM: {text[:40]!r}; give QMP commands, words of a command line, or KubeVirt's")
    return TextForm("a KubeVirt object in JSON", manifest=first)


def _dicts(values: Sequence[object]) -> list[dict[str, object]]:
    return [one for one in values if isinstance(one, dict)]


def _qmp_command(given: object) -> Command:
    """Read one QMP command.

    Raises
    ------
    BadInput
        Its name is no text, or its arguments are no object.
    """
    assert isinstance(given, dict)
    name, arguments = given["execute"], given.get("arguments", {})
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise BadInput(f"not a QMP command: {json.dumps(given)[:80]}")
    return Command(name, arguments)


def _monitor_command(name: str, rest: str) -> Command:
    """Read one line of the human monitor; its arguments are written as on the command line."""
    words = split_words(rest)
    if not words:
        raise BadInput(f"{name} lacks its arguments")
    return Command(name.replace("object_add", "object-add"), {"text": words[0]})


def _yaml(text: str) -> object:
    """Parse YAML without anchors, which can grow without bound.

    Raises
    ------
    BadInput
        Not YAML, or it has anchors.
    """
    import yaml  # noqa: PLC0415 - only who pastes YAML needs it

    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise BadInput("YAML with anchors is not read: give the object as kubectl prints it")
        documents = [one for one in yaml.safe_load_all(text) if one is not None]
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadInput("not YAML: " + " ".join(str(error).split())[:160]) from None
    return documents[0] if len(documents) == 1 else documents
