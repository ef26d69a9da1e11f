"""The one exception family of the library.

::

    WorkbookError
    ├── BadInput      invalid user input: the text names the value, what is allowed and what to do
    └── Refusal       QEMU (or libvirt) refuses: `message` is its exact text, `advice` what to do about it
        ├── BadValue  ... because it cannot parse a value of the command line
        └── Abort     QEMU dies (``abort()``): `message` is what it leaves on stderr
"""

from typing import Protocol

__all__ = ("Abort", "BadInput", "BadValue", "ReasonStep", "Refusal", "WorkbookError")


class ReasonStep(Protocol):
    """One named number on the way to a refusal; `workbook.lib.trace.TraceStep` is one."""

    @property
    def name(self) -> str:
        """What the number means."""

    @property
    def value(self) -> int | float:
        """The number: bytes, a count or a ratio."""

    @property
    def why(self) -> str:
        """How it comes about."""

    @property
    def shown(self) -> str:
        """The number with its unit."""


class WorkbookError(Exception):
    """Root of everything the library raises on purpose; `str()` is always one clear line or QEMU's text."""


class BadInput(WorkbookError, ValueError):
    """Invalid user input; the text is one line that says what is allowed."""


class Refusal(WorkbookError):
    """A refusal by QEMU or libvirt, as a result.

    Parameters
    ----------
    message
        QEMU's text, byte for byte, without the ``qemu-system-x86_64:`` prefix.
    advice
        What the user can change to make QEMU accept; empty if unknown.
    hint
        QEMU's own advice; it is printed on stderr and not part of the monitor's answer.
    reason
        The numbers that lead to the refusal, in order; the last one exceeds its limit. Empty where there are none.
    where
        The option at fault as QEMU prints it (``-device virtio-mem-pci,id=vm0``); empty for a monitor command.
    warnings
        Warnings that QEMU prints about this option before it refuses.
    before
        Lines that QEMU has printed before, about other options.
    who
        The program that refuses: ``QEMU``, ``libvirt`` (before any QEMU starts), or another VMM.
    """

    def __init__(
        self,
        message: str,
        advice: str = "",
        *,
        hint: str = "",
        reason: tuple[ReasonStep, ...] = (),
        where: str = "",
        warnings: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
        who: str = "QEMU",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.hint = hint
        self.reason = reason
        self.where = where
        self.warnings = warnings
        self.before = before
        self.who = who

    @property
    def stderr(self) -> str:
        """The lines that QEMU prints, without its program name."""
        prefix = f"{self.where}: " if self.where else ""
        lines = [f"{prefix}warning: {warning}" for warning in self.warnings]
        return "\n".join([*self.before, *lines, f"{prefix}{self.message}", *filter(None, [self.hint])])


class BadValue(Refusal, BadInput):
    """Unparsable value. `message` is QEMU's text; `str()` gives the advice, which names the value."""

    def __str__(self) -> str:
        return self.advice


class Abort(Refusal):
    """QEMU does not refuse but dies (``abort()``); `message` is its last line on stderr."""
