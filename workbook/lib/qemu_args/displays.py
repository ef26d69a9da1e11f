"""Displays that do not stand beside each other: their states for migration, or files for the guest, have one name.

Source: hw/display/{vga,vga-isa,vmware_vga,ramfb}.c (QEMU 10.0); compared with a QEMU 10.0.2, pair by pair.
"""

from collections.abc import Collection
from typing import Final

from .properties import Properties

__all__ = ("check_display",)

_STATE: Final = frozenset(("VGA", "secondary-vga"))
"""Displays whose state is called ``vga``, with the next free number."""
_STATE_ZERO: Final = frozenset(("vmware-svga", "isa-vga"))
"""Displays whose state is called ``vga`` with the number 0."""


def check_display(props: Properties, driver: str, others: Collection[str]) -> None:
    """Check a display beside those before it.

    Raises
    ------
    Refusal
        In QEMU's words.
    """
    advice = "leave one of the displays out"
    if driver == "isa-vga" and driver in others:
        raise props.refusal("Only one global VGA device can be used at a time", advice)
    if driver in _STATE_ZERO and _STATE & set(others):
        message = "savevm_state_handler_insert: Detected duplicate SaveStateEntry: id=vga, instance_id=0x0"
        raise props.refusal(message, advice)
    if driver == "ramfb" and driver in others:
        raise props.refusal("duplicate fw_cfg file name: vgaroms/vgabios-ramfb.bin", advice)
