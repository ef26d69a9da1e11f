"""A metadata cost as named parts, each with its formula and where that is written."""

from dataclasses import dataclass

from workbook.lib.errors import BadInput

__all__ = ("Cost", "Part")


@dataclass(frozen=True, slots=True)
class Part:
    """One row of a cost table: what it is, why it is so large and where that is written.

    Parameters
    ----------
    name
        The kernel's or QEMU's name of the structure.
    bytes
        Its size over all memslots and address spaces.
    formula
        Bytes per memslot and address space, before rounding.
    when
        When it is allocated; for a part of 0 bytes this says why.
    source
        Where the formula can be read.
    """

    name: str
    bytes: int
    formula: str
    when: str
    source: str


@dataclass(frozen=True, slots=True)
class Cost:
    """Parts of a metadata cost, in the order in which tables and stacked bars show them."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Sum of the parts in bytes."""
        return sum(part.bytes for part in self.parts)

    def __getitem__(self, name: str) -> int:
        """Return the bytes of the part called `name`."""
        for part in self.parts:
            if part.name == name:
                return part.bytes
        raise BadInput(f"no part {name!r} in this cost: it has {', '.join(part.name for part in self.parts)}")

    def as_dict(self) -> dict[str, int]:
        """Return name -> bytes, in order."""
        return {part.name: part.bytes for part in self.parts}
