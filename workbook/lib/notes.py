"""Notes: what a reader assumed, passed over or did not model, and what a user should know beside the numbers."""

from dataclasses import dataclass
from typing import Literal

__all__ = ("Note", "NoteKind")

NoteKind = Literal["assumed", "passed over", "not modelled", "hint"]


@dataclass(frozen=True, slots=True)
class Note:
    """One remark about an input.

    Attributes
    ----------
    kind
        ``assumed``: the input leaves it open, and this value was taken. ``passed over``: known to change no number of
        the model. ``not modelled``: may change a number, and does not do so here. ``hint``: a consequence that QEMU
        does not print.
    text
        One line.
    where
        The option, property or element; empty where the VM as a whole is meant.
    """

    kind: NoteKind
    text: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text
