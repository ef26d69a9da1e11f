"""``info mtree`` and ``info mtree -f``: write QEMU's text and read it back.

Formats: QEMU system/memory.c (``mtree_print_mr``, ``mtree_print_flatview``; QEMU 7.2 to 10.0).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from workbook.lib.errors import BadInput

from .flatview import FlatRange, FlatView
from .region import ADDRESS_SPACE_SIZE, MAX_DEPTH, MemoryRegion, RegionKind

__all__ = ("flat_lines", "read_flat", "read_tree", "tree_lines")

_MASK: Final = (1 << 64) - 1
_RANGE: Final = (
    r"(?P<start>[0-9a-f]{16})-(?P<end>[0-9a-f]{16}) \(prio (?P<prio>-?[0-9]{1,10}), (?P<nv>nv-)?(?P<kind>[a-z/]+)\): "
)
_ALIAS: Final = r"alias (?P<alias>.*) @(?P<target>.*) (?P<from>[0-9a-f]{16})-(?P<to>[0-9a-f]{16})"
_OVERFLOW: Final = "[DETECTED OVERFLOW!] "
_TREE_LINE: Final = re.compile(
    rf"(?P<overflow>\[DETECTED OVERFLOW!\] )?(?P<indent> *){_RANGE}"
    rf"(?:{_ALIAS}|(?P<name>.*?))(?P<disabled> \[disabled\])?"
)
_DEEPEST: Final = 2 * MAX_DEPTH
_KINDS: Final = {str(kind): kind for kind in RegionKind if kind is not RegionKind.ALIAS}
_FLAT_KINDS: Final = {name: kind for name, kind in _KINDS.items() if kind is not RegionKind.CONTAINER}
_FLAT_LINE: Final = re.compile(
    rf" *{_RANGE}(?P<name>.*?)(?: @(?P<offset>(?!0{{16}})[0-9a-f]{{16}}))?(?P<kvm>(?: KVM)*)"
)


def _kind_word(region: MemoryRegion, *, root: bool) -> str:
    """Return the type column; a container inside another region still prints as i/o."""
    shown = region
    while shown.target is not None:
        shown = shown.target
    word = "i/o" if shown.kind is RegionKind.CONTAINER and not root else str(shown.kind)
    return ("nv-" if region.nonvolatile else "") + word


def _span(start: int, size: int) -> str:
    """Print both ends inclusively; a region of size 0 ends where it starts."""
    return f"{start & _MASK:016x}-{(start + max(size, 1) - 1) & _MASK:016x}"


def _overflows(base: int, start: int, size: int) -> bool:
    """Return whether QEMU marks a region: it wraps at 2^64, or starts before its container."""
    return start < base or start + max(size, 1) - 1 > _MASK


def tree_lines(
    region: MemoryRegion, *, base: int = 0, level: int = 0, disabled: bool = False, root: bool = False
) -> list[str]:
    """Print a region and what it holds as ``info mtree`` does, one line each.

    Parameters
    ----------
    region
        Root of the part to print.
    base
        Guest-physical address of the root's container.
    level
        Indentation of the root, two blanks each.
    disabled
        Show disabled regions too, marked (``info mtree -D``).
    root
        The region has no parent: newer QEMUs print ``container`` for a pure container there (QEMU 7.2 and up to
        10.0 print ``i/o``), as they all do for containers inside.
    """
    lines: list[str] = []
    _print_tree(lines, region, base, level, disabled=disabled, root=root)
    return lines


def _print_tree(lines: list[str], region: MemoryRegion, base: int, level: int, *, disabled: bool, root: bool) -> None:
    start = (base + region.addr) & _MASK
    if region.enabled or disabled:
        mark = _OVERFLOW if _overflows(base, start, region.size) else ""
        kind = _kind_word(region, root=root)
        text = f"{mark}{'  ' * level}{_span(start, region.size)} (prio {region.priority}, {kind}): "
        if region.target is None:
            text += region.name
        else:
            text += f"alias {region.name} @{region.target.name} {_span(region.target_offset, region.size)}"
        lines.append(text + ("" if region.enabled else " [disabled]"))
    for child in sorted(region.subregions, key=lambda one: (one.addr, -one.priority)):
        _print_tree(lines, child, start, level + 1, disabled=disabled, root=False)


def flat_lines(view: FlatView, *, accelerators: Sequence[str] = (), indent: str = "  ") -> list[str]:
    """Print a flat view's ranges as ``info mtree -f`` does.

    Parameters
    ----------
    view
        Ranges to print.
    accelerators
        Words after a RAM range that the accelerator holds, one per address space (``("KVM",)``).
    """
    suffix = "".join(f" {word}" for word in accelerators)
    lines = []
    for one in view:
        kind = "rom" if one.readonly else str(one.region.kind)
        nonvolatile = "nv-" if one.nonvolatile else ""
        offset = f" @{one.offset:016x}" if one.offset else ""
        lines.append(
            f"{indent}{_span(one.start, one.size)} (prio {one.region.priority}, {nonvolatile}{kind}): "
            f"{one.region.name}{offset}{suffix if one.region.is_ram else ''}"
        )
    return lines


def read_tree(text: str | Iterable[str]) -> tuple[MemoryRegion, ...]:
    """Read ``info mtree`` lines back to regions; printing them again gives the same text.

    Nesting is taken from the indentation. Whether an inner ``i/o`` line was a container cannot be seen in
    the text: with lines below it it is read as one. A level that is missing belongs to a disabled region that
    QEMU did not print: it becomes one without a name. Alias targets become regions of the size that is seen.

    Returns
    -------
    The outermost regions, in the order of the text, at their absolute addresses.

    Raises
    ------
    BadInput
        A line is not of QEMU's form.
    """
    lines = text.splitlines() if isinstance(text, str) else text
    found: list[_Line] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _TREE_LINE.fullmatch(line.rstrip("\r\n"))
        if not match:
            raise BadInput(f"line {number} is not an info mtree line: {line.strip()[:80]!r}")
        if len(match["indent"]) > _DEEPEST:
            raise BadInput(f"line {number} is indented by more than {_DEEPEST} blanks: no tree of QEMU's is that deep")
        found.append(_Line(number, len(match["indent"]), int(match["start"], 16), _region_of(match, number), match))
    if not found:
        return ()
    roots, _ = _nest(found, 0, min(one.indent for one in found), 0)
    return roots


class _Line(NamedTuple):
    number: int
    indent: int
    start: int
    region: MemoryRegion
    match: re.Match[str]


def _region_of(match: re.Match[str], number: int) -> MemoryRegion:
    start, end = int(match["start"], 16), int(match["end"], 16)
    if end < start and not match["overflow"]:
        raise BadInput(f"line {number}: the end {match['end']} lies before the start {match['start']}")
    size = ((end - start) & _MASK) + 1
    kind = _KINDS.get(match["kind"])
    if kind is None:
        raise BadInput(f"line {number}: unknown region type {match['kind']!r:.40}: known are {', '.join(_KINDS)}")
    if match["alias"] is None:
        region = MemoryRegion(match["name"], size, kind)
    else:
        offset = int(match["from"], 16)
        if _span(offset, size) != f"{match['from']}-{match['to']}":
            raise BadInput(f"line {number}: an alias of {size:#x} bytes cannot show {match['from']}-{match['to']}")
        target = MemoryRegion(match["target"], min(offset + size, ADDRESS_SPACE_SIZE), kind)
        region = MemoryRegion.alias_of(target, match["alias"], offset, size)
    return replace(
        region,
        priority=int(match["prio"]),
        enabled=match["disabled"] is None,
        nonvolatile=match["nv"] is not None,
    )


def _nest(found: Sequence[_Line], index: int, indent: int, base: int) -> tuple[tuple[MemoryRegion, ...], int]:
    """Return the siblings at `indent` from `index` on, and where they end."""
    siblings: list[MemoryRegion] = []
    while index < len(found) and found[index].indent >= indent:
        number, depth, start, region, match = found[index]
        if depth != indent:
            if (depth - indent) % 2:
                raise BadInput(f"line {number} is indented by {depth} blanks where {indent} were expected")
            # QEMU prints what a disabled region holds, but not the region itself
            hidden, index = _nest(found, index, indent + 2, base)
            siblings.append(replace(MemoryRegion.container("", 0), enabled=False, subregions=hidden))
            continue
        if (match["overflow"] is not None) is not _overflows(base, start, region.size):
            raise BadInput(
                f"line {number}: {region.name!r:.60} must be marked {_OVERFLOW.strip()} if it wraps, only then"
            )
        index += 1
        children: tuple[MemoryRegion, ...] = ()
        if index < len(found) and found[index].indent > indent:
            children, index = _nest(found, index, indent + 2, start)
        if children and region.kind is RegionKind.IO:
            region = replace(region, kind=RegionKind.CONTAINER)
        siblings.append(replace(region, addr=(start - base) & _MASK, subregions=children))
    # the text is in address order, a region keeps what it holds by priority
    return tuple(sorted(siblings, key=lambda one: -one.priority)), index


def read_flat(text: str | Iterable[str]) -> FlatView:
    """Read the range lines of ``info mtree -f`` back to a `FlatView`.

    Raises
    ------
    BadInput
        A line is not of QEMU's form, or the ranges are not sorted and disjoint.
    """
    ranges: list[FlatRange] = []
    for number, line in enumerate(text.splitlines() if isinstance(text, str) else text, 1):
        if not line.strip():
            continue
        match = _FLAT_LINE.fullmatch(line.rstrip("\r\n"))
        if not match:
            raise BadInput(f"line {number} is not an info mtree -f range: {line.strip()[:80]!r}")
        start, end = int(match["start"], 16), int(match["end"], 16)
        if end < start or (ranges and start < ranges[-1].end):
            raise BadInput(f"line {number}: ranges must be sorted and disjoint: {line.strip()[:80]!r}")
        offset = int(match["offset"] or "0", 16)
        kind = _FLAT_KINDS.get(match["kind"])
        if kind is None:
            raise BadInput(
                f"line {number}: unknown region type {match['kind']!r:.40}: known are {', '.join(_FLAT_KINDS)}"
            )
        readonly = kind is RegionKind.ROM
        region = MemoryRegion(
            match["name"],
            min(offset + end - start + 1, ADDRESS_SPACE_SIZE),
            kind,
            priority=int(match["prio"]),
            readonly=readonly,
        )
        ranges.append(FlatRange(start, end - start + 1, region, offset, readonly, match["nv"] is not None))
    return FlatView(tuple(ranges))
