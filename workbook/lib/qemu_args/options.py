"""The options of a command line, one by one; which of them matter, and which cannot.

Options and their arguments are QEMU 10.0's own (by way of `catalogue`); system/vl.c tells what each does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from workbook.lib.errors import BadInput, Refusal

from .catalogue import REMOVED_OPTIONS, takes_argument
from .proxmox import PROXMOX_OPTIONS, is_proxmox
from .shell import program_of, qemu_commands

__all__ = ("HARMLESS_OPTIONS", "UNMODELLED_OPTIONS", "split_options")

HARMLESS_OPTIONS: Final[dict[str, str]] = {
    **dict.fromkeys(
        "S s gdb d D dfilter daemonize pidfile msg trace plugin dump-vmstate enable-sync-profile perfmap "
        "jitdump".split(),
        "how QEMU itself runs",
    ),
    **dict.fromkeys(
        "display vnc spice full-screen k g echr nographic audio audiodev".split(), "what the host shows and plays"
    ),
    **dict.fromkeys(
        "chardev serial parallel monitor mon qmp qmp-pretty debugcon tpmdev add-fd fw_cfg fsdev".split(),
        "channels between the host and the guest",
    ),
    **dict.fromkeys(
        "blockdev drive hda hdb hdc hdd cdrom fda fdb sd mtdblock snapshot iscsi virtfs".split(), "disks and folders"
    ),
    **dict.fromkeys(
        "boot kernel initrd append dtb shim smbios acpitable no-fd-bootchk win2k-hack prom-env".split(),
        "what the guest boots and reads",
    ),
    **dict.fromkeys("name uuid rtc seed icount smp compat".split(), "names, clocks and processors"),
    **dict.fromkeys(
        "no-reboot no-shutdown action watchdog-action only-migratable no-user-config L sandbox run-with usb usbdevice "
        "semihosting semihosting-config old-param qtest qtest-log".split(),
        "life cycle and confinement",
    ),
}
"""Options that cannot change a number of the model, and what they are about."""
UNMODELLED_OPTIONS: Final[dict[str, str]] = {
    "loadvm": "a saved state that is loaded may have other memory plugged",
    "preconfig": "the machine waits for x-exit-preconfig before its devices are made",
    "overcommit": "mem-lock=on pins all memory, and virtio-mem then cannot discard it",
    "xen-domid": "Xen has no KVM memslots",
    "xen-attach": "Xen has no KVM memslots",
    "xen-domid-restrict": "Xen has no KVM memslots",
}
"""Options that may change a number and are not modelled, and how."""


def split_options(argv: str | Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the words of a command line, and its options with their values ("" for those without).

    What stands before the program's name, and the name itself, is left out; disk images have no option ("").

    Raises
    ------
    BadInput
        Not a list of strings, or a string that cannot be split.
    Refusal
        A word that is no option, or an option without its argument: QEMU looks for these before all else.
    """
    if not isinstance(argv, str) and not isinstance(argv, Sequence):
        raise BadInput(f"the command line must be one string or a list of strings, not {argv!r:.60}")
    words = qemu_commands(argv)[0] if isinstance(argv, str) else list(argv)
    if not all(isinstance(one, str) for one in words):
        raise BadInput("the command line must be one string or a list of strings")
    downstream = PROXMOX_OPTIONS if is_proxmox(words) else {}
    return words, list(_options(words[program_of(words)[1] :], downstream))


def _options(words: Sequence[str], downstream: Mapping[str, bool]) -> Iterator[tuple[str, str]]:
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.startswith("-"):
            yield "", word
            continue
        option = word[2:] if word.startswith("--") else word[1:]
        argument = takes_argument(option)
        if argument is None:
            argument = downstream.get(option, REMOVED_OPTIONS.get(option))
        if argument is None:
            refusal = Refusal("invalid option", f"{word:.60} is no option of QEMU 10.0: look at its spelling")
            refusal.where = word
            raise refusal
        if not argument:
            yield option, ""
            continue
        if index == len(words):
            refusal = Refusal("requires an argument", f"give {word} a value")
            refusal.where = word
            raise refusal
        yield option, words[index]
        index += 1
