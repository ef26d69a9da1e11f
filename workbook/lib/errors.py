"""The one exception family of the library.

::

    WorkbookError
    ├── BadInput      what the user gave cannot be taken: names the value, what is allowed, what to do
    └── Refusal       QEMU would refuse: `message` is QEMU's exact text, `advice` what to do about it
        ├── BadValue  ... because a value of the command line cannot be read
        └── Abort     QEMU would abort (SIGABRT): `message` is what it leaves on stderr
"""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    # sizes have errors, and traces have sizes
    from .trace import TraceStep

__all__ = ("Abort", "BadInput", "BadValue", "Refusal", "WorkbookError")


class WorkbookError(Exception):
    """Root of everything the library raises on purpose; `str()` is always one clear line or QEMU's text."""


class BadInput(WorkbookError, ValueError):
    """Input that cannot be read or does not make sense; the text is one line that says what is allowed."""


class Refusal(WorkbookError):
    """What a QEMU would refuse, as a result.

    Parameters
    ----------
    message
        QEMU's text, byte for byte, without the ``qemu-system-x86_64:`` prefix.
    advice
        What the user can change so that QEMU accepts; empty where nothing is known.
    hint
        What QEMU itself advises; it prints that on stderr, and leaves it out of the monitor's answer.
    reason
        The numbers that lead to the refusal, in order; the last one is too large. Empty where there are none.

    Attributes
    ----------
    where
        The option at fault as QEMU prints it (``-device virtio-mem-pci,id=vm0``); empty for a monitor command.
    warnings
        What QEMU warned of this option before it refused.
    before
        The lines that it had printed before about other options.
    who
        The program that refuses: a domain can be refused by libvirt before any QEMU starts.
    """

    def __init__(
        self,
        message: str,
        advice: str = "",
        *,
        hint: str = "",
        reason: "tuple[TraceStep, ...]" = (),
        who: Literal["QEMU", "libvirt"] = "QEMU",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.hint = hint
        self.reason = reason
        self.where = ""
        self.warnings: tuple[str, ...] = ()
        self.before: tuple[str, ...] = ()
        self.who: Literal["QEMU", "libvirt"] = who

    @property
    def stderr(self) -> str:
        """The lines that QEMU prints, without its program name."""
        prefix = f"{self.where}: " if self.where else ""
        lines = [f"{prefix}warning: {warning}" for warning in self.warnings]
        return "\n".join([*self.before, *lines, f"{prefix}{self.message}", *filter(None, [self.hint])])


class BadValue(Refusal, BadInput):
    """A value that nobody can read: `message` is QEMU's text, `str()` is `advice`, which names the value."""

    def __str__(self) -> str:
        return self.advice


class Abort(Refusal):
    """QEMU would not refuse but die (``abort()``); `message` is its last line on stderr."""
