"""``<cpu><numa>``: the guest's NUMA cells; each with memory is one RAM region of its own in QEMU.

Source: src/conf/numa_conf.c, ``virDomainNumaDefParseXML`` (libvirt 11.3).
"""

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.errors import BadInput

from . import xml
from .refusals import bad_attribute, internal_error, unsupported, xml_error

__all__ = ("Cell", "read_cells", "read_nodeset")

MAX_BIT: Final = 16383
"""Largest number in a set of CPUs or nodes (``VIR_DOMAIN_CPUMASK_LEN`` is 16384)."""
MAX_SPANS: Final = 4096
"""Parts of a set that are read: a longer one is no set that anybody wrote."""
LOCAL_DISTANCE: Final = 10
UNREACHABLE: Final = 255
YES_NO: Final = ("yes", "no")
ACCESS: Final = ("shared", "private")


@dataclass(frozen=True, slots=True)
class Cell:
    """One NUMA cell.

    Attributes
    ----------
    size
        Bytes as given, before libvirt rounds it up to MiB.
    access
        ``memAccess=``: shared or private; None: as ``<memoryBacking>`` says.
    """

    size: int
    access: str | None = None


def read_cells(numa: ET.Element | None, vcpus: int | None = None) -> tuple[Cell, ...]:
    """Return the cells by their number; none where there is no ``<numa>``.

    Parameters
    ----------
    vcpus
        How many vCPUs there are; None: not said.

    Raises
    ------
    Refusal
        libvirt does not take them.
    BadInput
        A number or size that cannot be read.
    """
    if numa is None:
        return ()
    elements = numa.findall("cell")
    if not elements:
        raise xml_error("NUMA topology defined without NUMA cells", "give <numa> a <cell id='0' memory=>")
    cells: dict[int, Cell] = {}
    cpus: dict[int, frozenset[int]] = {}
    for index, element in enumerate(elements):
        number = xml.unsigned(element.get("id", str(index)), "<cell id=>")
        if number >= len(elements):
            raise xml_error(
                "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or ranges not starting "
                "from 0 are not allowed",
                f"number the {len(elements)} cells from 0 to {len(elements) - 1}",
            )
        if number in cells and cells[number].size:
            raise xml_error(f"Duplicate NUMA cell info for cell id '{number}'", "give every cell its own id")
        cpus[number] = read_nodeset(element.get("cpus", ""), "cpus") if element.get("cpus") else frozenset()
        shared = next((one for one, those in cpus.items() if one != number and those & cpus[number]), None)
        if shared is not None:
            raise unsupported(
                f"NUMA cells {number} and {shared} have overlapping vCPU ids", "put every vCPU into one cell"
            )
        cells[number] = _cell(element)
        _check_distances(element, number, len(elements))
    if len(cells) < len(elements):
        raise BadInput("<numa> has two cells with one id: number them from 0 up")
    if vcpus is not None:
        _check_vcpus(frozenset().union(*cpus.values()), vcpus)
    return tuple(cells[number] for number in range(len(elements)))


def _check_vcpus(cpus: frozenset[int], vcpus: int) -> None:
    advice = f"there are {vcpus}: raise <vcpu>, or take vCPUs out of the cells"
    if len(cpus) > vcpus:
        raise internal_error("Number of CPUs in <numa> exceeds the <vcpu> count", advice)
    if cpus and max(cpus) >= vcpus:
        raise internal_error("CPU IDs in <numa> exceed the <vcpu> count", advice)


def _cell(element: ET.Element) -> Cell:
    memory = element.get("memory")
    if memory is None:
        raise xml_error("missing element or attribute './@memory'", "give every <cell> its memory=")
    access = element.get("memAccess")
    if access is not None and access not in ACCESS:
        raise bad_attribute("cell", "memAccess", access, ACCESS)
    discard = element.get("discard")
    if discard is not None and discard not in YES_NO:
        raise bad_attribute("cell", "discard", discard, YES_NO, tristate=True)
    return Cell(xml.scaled(memory, element.get("unit"), "<cell memory=>"), access)


def _check_distances(element: ET.Element, number: int, count: int) -> None:
    distances = element.find("distances")
    if distances is None:
        return
    siblings = distances.findall("sibling")
    if not siblings:
        raise xml_error("NUMA distances defined without siblings", "give <distances> a <sibling id= value=>")
    for one in siblings:
        sibling = xml.unsigned(one.get("id", ""), "<sibling id=>")
        if sibling >= count:
            raise xml_error(
                f"'sibling_id {sibling}' does not refer to a valid cell within NUMA 'cell id {number}'",
                f"there are cells 0 to {count - 1}",
            )
        value = xml.unsigned(one.get("value", ""), "<sibling value=>")
        if not LOCAL_DISTANCE <= value <= UNREACHABLE or (sibling == number) != (value == LOCAL_DISTANCE):
            raise xml_error(
                f"'value {value}' is invalid for 'sibling id {sibling}' under NUMA 'cell id {number}'",
                f"the distance to itself is {LOCAL_DISTANCE}, to others {LOCAL_DISTANCE + 1} to {UNREACHABLE}",
            )


def read_nodeset(text: str, what: str = "nodeset") -> frozenset[int]:
    """Read a set such as ``0-2,5,^1`` (``virBitmapParse``).

    Raises
    ------
    BadInput
        Not a set of numbers.
    Refusal
        It is empty.
    """
    nodes: set[int] = set()
    parts = text.split(",")
    if len(parts) > MAX_SPANS:
        raise BadInput(f"{what} has {len(parts)} parts: at most {MAX_SPANS} are read")
    for part in parts:
        first, dash, last = part.strip().removeprefix("^").partition("-")
        low = xml.unsigned(first, f"{what} {text!r:.60}", most=MAX_BIT)
        span = range(low, (xml.unsigned(last, f"{what} {text!r:.60}", most=MAX_BIT) if dash else low) + 1)
        nodes = nodes.difference(span) if part.strip().startswith("^") else nodes.union(span)
    if not nodes:
        raise unsupported(f"Invalid value of '{what}': {text:.60}", "name at least one, such as 0")
    return frozenset(nodes)
