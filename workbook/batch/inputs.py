"""Where VMs come from: files, folders, standard input and texts, one VM after the other and never all at once."""

import json
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple, TypeAlias

from workbook.lib.errors import BadInput
from workbook.lib.kubevirt import virtual_machines

__all__ = ("MOST_BYTES", "Input", "VmText", "vm_texts")

Input: TypeAlias = str | Path | tuple[str, str]
"""A path (``-``: standard input), the text of a VM, or a name and the text."""

MOST_BYTES: Final = 64 << 20
"""Bytes of one document; streams of domains or of JSON lines have no limit, one VM in them has this one."""
_PEEK: Final = 1 << 16
_LINES: Final = (".jsonl", ".ndjson")
_PROGRAM: Final = re.compile(r"(?:^|/)(?:qemu-system-[a-z0-9_]+|qemu-kvm)$|/kvm$")
_LINE_OF_PROGRAM: Final = re.compile(r"(?:^|[\s/])(?:qemu-system-[a-z0-9_]+|qemu-kvm|(?<!-accel )kvm)\s+-")
_DOMAIN_END: Final = "</domain>"
_TEXT_KEYS: Final = ("xml", "argv", "cmdline", "text")
_NAME_KEYS: Final = ("source", "name", "id")


class VmText(NamedTuple):
    """The text of one VM, or the reason why it could not be read.

    Attributes
    ----------
    source
        File, and the place or the name in it.
    problem
        Why the text could not be had; then `text` is empty.
    """

    source: str
    text: str
    problem: str = ""


def vm_texts(inputs: Iterable[Input]) -> Iterator[VmText]:
    """Yield every VM of the inputs; what cannot be read is one row with a problem, and the rest goes on."""
    for one in inputs:
        if isinstance(one, tuple):
            yield VmText(*one)
        elif isinstance(one, str) and _is_text(one):
            yield from _of_text("text", one)
        elif str(one) == "-":
            yield from _guarded("standard input", sys.stdin.buffer)
        else:
            yield from _of_path(Path(one), named=True)


def _is_text(one: str) -> bool:
    """Distinguish a VM's text from a path: no path that exists begins as markup or JSON, or has options in it."""
    return bool(re.match(r"\s*[<{\[]", one) or "\0" in one or "\n" in one or re.search(r"(?:^|\s)-[a-zA-Z]", one))


def _of_path(path: Path, *, named: bool) -> Iterator[VmText]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            entries = sorted(os.scandir(path), key=lambda one: one.name)
            for one in entries:
                if one.name.startswith("."):
                    continue
                # links to folders are not followed: they may lead back
                if not (one.is_symlink() and Path(one.path).is_dir()):
                    yield from _of_path(Path(one.path), named=False)
            return
        if not (stat.S_ISREG(mode) or (named and stat.S_ISFIFO(mode))):
            yield VmText(str(path), "", "not a regular file")
            return
        with path.open("rb") as file:
            yield from _guarded(str(path), file)
    except OSError as error:
        yield VmText(str(path), "", f"cannot be read ({error.strerror or error}): give a file that can be opened")


def _guarded(source: str, file: IO[bytes]) -> Iterator[VmText]:
    """Read a file by what its beginning looks like."""
    try:
        yield from _of_file(source, file)
    except OSError as error:
        yield VmText(source, "", f"cannot be read ({error.strerror or error})")
    except UnicodeDecodeError:
        yield VmText(source, "", "not text in UTF-8: give XML, JSON, YAML or a command line")


def _of_file(source: str, file: IO[bytes]) -> Iterator[VmText]:
    first = file.read(_PEEK)
    if _is_binary(first):
        yield VmText(source, "", "a binary file: give XML, JSON, YAML or a command line")
        return
    start = first.lstrip(b"\xef\xbb\xbf \t\r\n")
    if source.endswith(_LINES) or _is_json_lines(start):
        yield from _json_lines(source, first, file)
    elif start.startswith(b"<"):
        yield from _domains(source, first, file)
    else:
        rest = file.read(MOST_BYTES - len(first) + 1)
        if len(first) + len(rest) > MOST_BYTES:
            yield VmText(source, "", f"more than {MOST_BYTES >> 20} MiB: give one VM per line, as JSON lines")
            return
        yield from _of_text(source, (first + rest).decode())


def _is_binary(first: bytes) -> bool:
    """Return whether bytes are no text; a /proc/PID/cmdline is text but for the NULs between its words."""
    if b"\0" not in first:
        return False
    words = first.split(b"\0")
    return not any(one.startswith(b"-") and one[1:2].isalpha() for one in words) or any(
        byte < 32 and byte not in (0, 9, 10, 13) for byte in first
    )


def _is_json_lines(start: bytes) -> bool:
    head, newline, rest = start.partition(b"\n")
    if not newline or not head.startswith((b"{", b"[", b'"')) or not rest.lstrip().startswith((b"{", b"[", b'"')):
        return False
    try:
        value = json.loads(head)
    except ValueError:
        return False
    return not (isinstance(value, dict) and "execute" in value)  # a QMP session is one VM


def _chunks(first: bytes, file: IO[bytes]) -> Iterator[bytes]:
    while first:
        yield first
        first = file.read(_PEEK)


def _pieces(first: bytes, file: IO[bytes], end: bytes) -> Iterator[bytes | None]:
    """Yield what each `end` closes, and the rest; None for a piece above `MOST_BYTES`, which is not kept."""
    kept, dropped, searched = bytearray(), False, 0
    for chunk in _chunks(first, file):
        kept += chunk
        at = kept.find(end, searched)
        while at >= 0:
            piece = bytes(kept[: at + len(end)])
            del kept[: at + len(end)]
            yield None if dropped else piece
            dropped, at = False, kept.find(end)
        searched = max(0, len(kept) - len(end) + 1)
        if len(kept) > MOST_BYTES:
            del kept[:searched]
            dropped, searched = True, 0
    if kept or dropped:
        yield None if dropped else bytes(kept)


def _json_lines(source: str, first: bytes, file: IO[bytes]) -> Iterator[VmText]:
    for number, line in enumerate(_pieces(first, file, b"\n"), start=1):
        where = f"{source}:{number}"
        if line is None:
            yield VmText(where, "", f"a line of more than {MOST_BYTES >> 20} MiB")
        elif line.strip():
            yield from _json_line(where, line)


def _json_line(where: str, line: bytes) -> Iterator[VmText]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        yield VmText(where, "", f"not JSON ({error})"[:200])
        return
    name = ""
    if isinstance(value, dict) and (key := next((one for one in _TEXT_KEYS if one in value), None)):
        name = next((str(value[one]) for one in _NAME_KEYS if isinstance(value.get(one), str)), "")
        value = value[key]
    where = name or where
    if isinstance(value, dict) and "kind" in value:
        yield from _kubernetes(where, value)
    else:
        yield VmText(where, value if isinstance(value, str) else json.dumps(value))


def _domains(source: str, first: bytes, file: IO[bytes]) -> Iterator[VmText]:
    """Yield the domains of ``virsh dumpxml``, one or many behind each other."""
    count = 0
    for piece in _pieces(first, file, _DOMAIN_END.encode()):
        if piece is None:
            yield VmText(f"{source}:{count + 1}", "", f"a domain of more than {MOST_BYTES >> 20} MiB")
        elif not count or piece.strip(b" \t\r\n"):
            text = piece.decode()
            if count and re.fullmatch(r"\s*(?:</[a-z]+>\s*|<!--.*?-->\s*)*", text, re.DOTALL):
                continue  # what closes a list of domains
            inside = re.match(r"\s*(?:<\?xml[^>]*\?>\s*)?<domains[^>]*>", text)
            text = text[inside.end() :] if inside else text
            named = re.search(r"<name>([^<]*)</name>", text) if count else None
            yield VmText(f"{source}:{named[1] if named else count + 1}" if count else source, text)
        count += 1


def _of_text(source: str, text: str) -> Iterator[VmText]:
    stripped = text.strip("\ufeff \t\r\n")
    if not stripped:
        yield VmText(source, "", "empty: nothing in it")
    elif "\0" in stripped:
        yield from _cmdlines(source, stripped.strip("\0").split("\0"))
    elif stripped[0] in "{[":
        yield from _json(source, stripped)
    else:
        lines = [line for line in stripped.splitlines() if _LINE_OF_PROGRAM.search(line)]
        if len(lines) > 1 and not any(line.rstrip().endswith("\\") for line in lines):
            for number, line in enumerate(lines, start=1):
                yield VmText(f"{source}:{number}", line)
        else:
            yield VmText(source, text)


def _cmdlines(source: str, words: list[str]) -> Iterator[VmText]:
    """Yield the command lines of one or several ``/proc/PID/cmdline``."""
    starts = [at for at, word in enumerate(words) if _PROGRAM.search(word) and words[at - 1 : at] != ["-name"]] or [0]
    for number, at in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(words)
        yield VmText(f"{source}:{number + 1}" if len(starts) > 1 else source, "\0".join(words[at:end]) + "\0")


def _json(source: str, text: str) -> Iterator[VmText]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield VmText(source, text)  # several values behind each other, or none: the reader says which
        return
    if isinstance(value, dict) and ("kind" in value or "items" in value):
        yield from _kubernetes(source, value)
    elif isinstance(value, list) and value and all(isinstance(one, dict) and "kind" in one for one in value):
        for one in value:
            yield from _kubernetes(source, one)
    else:
        yield VmText(source, text)


def _kubernetes(source: str, value: object) -> Iterator[VmText]:
    try:
        is_list = isinstance(value, dict) and (str(value.get("kind", "")).endswith("List") or "kind" not in value)
        for name, one in virtual_machines(value):
            yield VmText(f"{source}:{name}" if is_list else source, json.dumps(one))
    except BadInput as error:
        yield VmText(source, "", str(error))
