"""Domain XML as text: parsed safely, and read element by element with libvirt's units.

Sources: libvirt's "Domain XML format" (https://libvirt.org/formatdomain.html; units under "Memory Allocation",
libvirt 10.1) and src/util/virutil.c, ``virScaleInteger``.
"""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.errors import BadInput
from workbook.lib.size import SIZE_LIMIT, KiB

from .refusals import bad_attribute

__all__ = ("QEMU_NAMESPACE", "attribute", "children", "devices", "one", "parse_domain", "scaled", "text_of", "unsigned")

QEMU_NAMESPACE: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
"""Of ``<qemu:commandline>`` and ``<qemu:override>`` (https://libvirt.org/drvqemu.html)."""
MAX_DEPTH: Final = 64
MAX_LENGTH: Final = 4 << 20
_DEVICES: Final = frozenset(
    ("memory", "disk", "filesystem", "interface", "video", "hostdev", "vsock", "shmem", "pstore", "iommu")
)
_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*\?>")
_PREFIXES: Final = "kmgtpe"


class _Builder(ET.TreeBuilder):
    """TreeBuilder that limits nesting depth."""

    depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        """Open an element."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise BadInput(
                f"the domain XML is nested deeper than {MAX_DEPTH} elements at <{tag:.60}>: libvirt's is not"
            )
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        """Close an element."""
        self.depth -= 1
        return super().end(tag)


def parse_domain(text: str) -> tuple[ET.Element, bool]:
    """Parse domain XML, or a piece of it.

    Returns
    -------
    tuple
        The ``<domain>`` element and True (also from within ``<domstatus>`` and the like); else an element that
        holds the pieces and False.

    Raises
    ------
    BadInput
        Not well-formed, a document type or entity, too deep or too long; the line says where.
    """
    if len(text) > MAX_LENGTH:
        raise BadInput(f"the domain XML has {len(text)} characters: at most {MAX_LENGTH} are read")
    found = re.search(r"<!(DOCTYPE|ENTITY)", text)
    if found:
        raise BadInput(f"the domain XML has a <!{found[1]}>: libvirt's has none, leave it out")
    # several roots are welcome: people paste <maxMemory> and <memory> side by side
    wrapped = f"<fragment xmlns:qemu='{QEMU_NAMESPACE}'>{_DECLARATION.sub('', text, count=1)}</fragment>"
    parser = ET.XMLParser(target=_Builder())  # noqa: S314 - no document type gets here, and the depth is bounded
    try:
        parser.feed(wrapped)
        root: ET.Element = parser.close()
    except ET.ParseError as error:
        line, _column = error.position
        reason = str(error).partition(":")[0]
        raise BadInput(f"the domain XML is not well-formed: {reason} in line {line}") from None
    except UnicodeError:
        raise BadInput("the domain XML has a character that no XML has (a lone surrogate)") from None
    domain = next(root.iter("domain"), None)
    if domain is not None:
        return domain, True
    if not len(root):
        raise BadInput("there is no XML element: give a <domain>, or <maxMemory> and <memory model='virtio-mem'>")
    return root, False


def one(domain: ET.Element, path: str, *, whole: bool) -> ET.Element | None:
    """Return the element of a path below ``<domain>``; in a piece, wherever it is."""
    if whole:
        return domain.find(path)
    last = path.rpartition("/")[2]
    return next((found for found in domain.iter(last) if last != "memory" or not set(found.attrib) - {"unit"}), None)


def devices(domain: ET.Element, *, whole: bool) -> list[ET.Element]:
    """Return the device elements in order; in a piece, wherever they are."""
    if whole:
        return [found for group in domain.findall("devices") for found in group]
    return [
        found for found in domain.iter() if found.tag in _DEVICES and (found.tag != "memory" or "model" in found.attrib)
    ]


def children(element: ET.Element | None, path: str) -> Iterator[ET.Element]:
    """Yield the elements of a path; none below None."""
    return iter(()) if element is None else iter(element.findall(path))


def attribute(element: ET.Element | None, path: str, name: str, allowed: tuple[str, ...] = ()) -> str | None:
    """Return an attribute of the element at a path, or None.

    Raises
    ------
    Refusal
        It is none of `allowed`, which libvirt does not take.
    """
    found = element if path == "." or element is None else element.find(path)
    value = None if found is None else found.get(name)
    if value is not None and allowed and value not in allowed:
        where = path.rpartition("/")[2]
        tag = element.tag if where == "." and element is not None else where
        raise bad_attribute(tag, name, value, allowed)
    return value


def text_of(element: ET.Element | None, path: str) -> str | None:
    """Return the text of the element at a path without white space around it; None if there is none."""
    found = None if element is None else element.find(path)
    return None if found is None else (found.text or "").strip()


def unsigned(text: str, where: str, *, base: int = 10, most: int = (1 << 32) - 1) -> int:
    """Read a whole number as libvirt does.

    Raises
    ------
    BadInput
        Not a number of that base, or above `most`.
    """
    digits = text.strip().lower()
    if base == 16:
        digits = digits.removeprefix("0x")
    allowed = "0123456789abcdef"[:base]
    if not digits or digits.strip(allowed) or len(digits) > 20:
        kind = "a hexadecimal number" if base == 16 else "a whole number"
        raise BadInput(f"{where}: {text!r:.60} is not {kind}")
    value = int(digits, base)
    if value > most:
        raise BadInput(f"{where}: {text!r:.60} is too large: at most {most:#x}")
    return value


def scaled(value: str | None, unit: str | None, where: str) -> int:
    """Read a size with its unit, in bytes: KiB where no unit is given; rounded up to KiB, as libvirt keeps it.

    Raises
    ------
    BadInput
        Not a whole number, not a unit, or 2^64 bytes and more; the line begins with `where`.
    """
    number = unsigned(value or "", where, most=SIZE_LIMIT - 1)
    size = number * _factor(unit, where)
    size = -(-size // KiB) * KiB
    if size >= SIZE_LIMIT:
        raise BadInput(f"{where}: {value} {unit or 'KiB'} is too large: sizes are below 2^64 bytes")
    return size


def _factor(unit: str | None, where: str) -> int:
    name = "kib" if unit is None else unit.lower()
    if name in ("b", "byte", "bytes"):
        return 1
    if name[:1] and name[0] in _PREFIXES and name[1:] in ("", "b", "ib"):
        power = _PREFIXES.index(name[0]) + 1
        return int((1000 if name[1:] == "b" else KiB) ** power)
    raise BadInput(f"{where}: unit {unit!r:.60} is not libvirt's: use b, KB, KiB, MB, MiB, GB, GiB, TB or TiB")
