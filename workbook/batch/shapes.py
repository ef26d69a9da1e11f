"""VMs of a fleet differ in names: of VMs that are equal but for that, one is checked.

A name is what libvirt or QEMU passes on and does not read: the VM's name and UUID, MAC addresses, paths of disk images.
"""

import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple

from .engines import Engine, Pending
from .inputs import VmText
from .verdict import CheckRow, Question, check_vm

__all__ = ("Shape", "rows_of")

_HEX: Final = "[0-9a-fA-F]"
_UUID: Final = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_MAC: Final = f"{_HEX}[02468aceACE](?::{_HEX}{{2}}){{5}}"
"""Of one card: libvirt refuses the addresses of groups."""
# a pattern begins with a letter that can be searched for: a look-behind would be tried at every character
_XML: Final = re.compile(
    r"(?P<before><(?:name>|title>|description>|uuid>|mac address=['\"]|source file=['\"]"
    r"|domain type=['\"]\w+['\"] id=['\"]))"
    r"(?:(?P<name>(?<=name>)[\w.-]+(?=</name>)|(?<=title>)[^<&]+(?=</)|(?<=tion>)[^<&]+(?=</)"
    rf"|(?<=uuid>){_UUID}(?=</)|(?<=address=['\"]){_MAC}(?=['\"])|(?<=file=['\"])/[\w./-]+(?=['\"]))"
    r"|(?<=id=['\"])\d+(?=['\"]))"
)
_WORDS: Final = re.compile(
    r"(?P<before>-name[ \0](?:guest=)?|-uuid[ \0]|[,\"]mac[=\":]+)"
    rf"(?P<name>(?<=-name[ \0])[\w.-]+(?=[ ,\0])|(?<=guest=)[\w.-]+(?=[ ,\0])|(?<=uuid[ \0]){_UUID}(?=[ \0])|{_MAC})"
)
_JSON: Final = re.compile(
    r'(?P<before>"(?:name|uid|resourceVersion|creationTimestamp|claimName|macAddress)": ")'
    rf'(?:(?P<name>(?<=name": ")[a-z0-9.-]+(?=", "namespace)|(?<=uid": "){_UUID}(?=")'
    rf'|(?<=claimName": ")[a-z0-9.-]+(?=")|(?<=Address": "){_MAC}(?="))'
    r'|(?<=ion": ")\d+(?=")|(?<=stamp": ")[\dTZ:-]+(?="))'
)
_MARK: Final = "\1"
"""Stands where a name was; no text that can be read has it."""
_LEAST: Final = 3
"""Characters of a name that can be looked for in a row without finding it by chance everywhere."""
_MOST_SHAPES: Final = 4096
"""Shapes whose row is kept: a row has some 2 KiB."""
_MOST_WAITING: Final = 4096
"""VMs that wait for the row of one before them."""


class Shape(NamedTuple):
    """A VM's text without its names, as a digest, and the names."""

    digest: bytes
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Shape":
        """Take the names out of a text."""
        start = text[:64].lstrip("\ufeff \t\r\n")[:1]
        pattern = _XML if start == "<" else _JSON if start == "{" else _WORDS
        names: list[str] = []

        def left_out(match: re.Match[str]) -> str:
            if match["name"]:
                names.append(match["name"])
            return match["before"] + _MARK

        left = pattern.sub(left_out, text).encode("utf-8", "surrogatepass")
        return cls(blake2b(left, digest_size=16).digest(), tuple(names))


class _Chunk:
    """VMs that are checked together."""

    def __init__(self) -> None:
        self.vms: list[VmText] = []
        self.rows: list[CheckRow] | None = None
        self._pending: Pending[list[CheckRow]] | None = None

    def submit(self, question: Question, engine: Engine) -> None:
        if self._pending is None and self.rows is None:
            self._pending = engine.submit(partial(_check_chunk, question), tuple(self.vms))

    def row(self, index: int) -> CheckRow:
        if self.rows is None:
            assert self._pending is not None
            self.rows, self._pending = self._pending.result(), None
        return self.rows[index]


class _Place:
    """Where the row of a VM will be, and of those with its shape."""

    def __init__(self, chunk: _Chunk, names: tuple[str, ...]) -> None:
        self.chunk: _Chunk | None = chunk
        self.is_shared = True
        self._index = len(chunk.vms)
        self._names = names
        self._row: CheckRow | None = None

    @property
    def is_there(self) -> bool:
        """Whether nobody has to wait for the row."""
        return self.chunk is None or self.chunk.rows is not None

    def row(self) -> CheckRow:
        """Wait for the row; one in whose words a name of its VM occurs is that VM's alone."""
        if self._row is None:
            assert self.chunk is not None
            self._row, self.chunk = self.chunk.row(self._index), None
            words = "\n".join(_words(self._row))
            self.is_shared = not any(len(one) < _LEAST or one in words for one in self._names)
        return self._row


def rows_of(vms: Iterable[VmText], question: Question, engine: Engine) -> Iterator[CheckRow]:
    """Yield the row of every VM, in their order; memory is bounded however many there are."""
    known: OrderedDict[bytes, _Place] = OrderedDict()
    waiting: deque[tuple[VmText, _Place, bool]] = deque()
    under_way: deque[_Chunk] = deque()
    chunk = _Chunk()
    with engine:
        for vm in vms:
            shape = Shape.of(vm.text)
            place = None if vm.problem else known.get(shape.digest)
            is_first = place is None or not place.is_shared
            if place is None or not place.is_shared:
                own = _Place(chunk, shape.names)
                chunk.vms.append(vm)
                if place is None and not vm.problem:
                    known[shape.digest] = own
                    if len(known) > _MOST_SHAPES:
                        known.popitem(last=False)
                place = own
            else:
                known.move_to_end(shape.digest)
            waiting.append((vm, place, is_first))
            if len(chunk.vms) >= engine.chunk:
                chunk.submit(question, engine)
                under_way.append(chunk)
                chunk = _Chunk()
            while waiting and (
                waiting[0][1].is_there or len(under_way) >= engine.under_way or len(waiting) > _MOST_WAITING
            ):
                if waiting[0][1].chunk is chunk:  # not full, and not to be waited for any longer
                    chunk.submit(question, engine)
                    chunk = _Chunk()
                yield _row(*waiting.popleft(), question)
                while under_way and under_way[0].rows is not None:
                    under_way.popleft()
        chunk.submit(question, engine)
        while waiting:
            yield _row(*waiting.popleft(), question)


def _row(vm: VmText, place: _Place, is_first: bool, question: Question) -> CheckRow:
    row = place.row()
    if is_first:
        return row
    return {**row, "source": vm.source} if place.is_shared else check_vm(vm, question)


def _check_chunk(question: Question, chunk: tuple[VmText, ...]) -> list[CheckRow]:
    return [check_vm(one, question) for one in chunk]


def _words(row: CheckRow) -> Iterator[str]:
    yield from (row["message"], row["vfio"], row["change"], *row["notes"])
    yield row["memslots"]["binds"] if row["memslots"] else ""
    yield row["metadata"]["dynamic_message"] if row["metadata"] else ""
