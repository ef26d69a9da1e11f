"""The command line ``memslot-workbook``: its sub-commands, each with the module that does the work.

`COMMANDS` is the whole table: a new sub-command is a row here and a ``main(arguments, *, prog=...)`` there.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple, Protocol, cast

__all__ = ("COMMANDS", "Command", "run")


class Command(NamedTuple):
    """One sub-command: the module with its ``main``, what it does in a line, and the extra that it needs."""

    module: str
    about: str
    extra: str = ""


class Main(Protocol):
    """What the module of a sub-command has as ``main``."""

    def __call__(self, arguments: Sequence[str] | None = None, *, prog: str = ...) -> int:
        """Run the command; return its exit code."""


COMMANDS: Final = {
    "predict": Command("workbook.cli.predict", "predict recorded runs of QEMU with the model and compare"),
    "check": Command("workbook.cli.check", "does each VM start, and what does it pay for memslots"),
    "replay": Command("workbook.live.qemu.replay", "play recordings again on a real QEMU and compare", "live"),
    "search": Command("workbook.live.differential.search", "random VMs: a real QEMU against the model", "live"),
    "search-attach": Command(
        "workbook.live.attach.search", "random running VMs: attached to, what-if against QEMU", "live"
    ),
    "boot-memslots": Command(
        "workbook.live.qemu.boot_memslots", "random displays and cards: memslots after the firmware", "live"
    ),
    "measure-kvm": Command(
        "workbook.live.kvm.__main__", "measure the cost of memslots on this machine's /dev/kvm", "live"
    ),
    "measure-qemu": Command("workbook.live.qemu_cost.__main__", "the same around a real QEMU", "live"),
    "fetch-qemu": Command("workbook.live.qemu.debian", "unpack the QEMU of another Debian suite", "live"),
    "kernels": Command("workbook.tables.kernels", "what a memslot costs, by kernel and by host"),
    "evidence": Command("workbook.tables.evidence", "how many recorded runs the model predicts"),
    "report": Command("workbook.report.__main__", "write one self-contained page, or slides"),
    "notebooks": Command("workbook.tools.notebooks", "run the notebooks and keep their outputs, before a commit"),
    "pack": Command("workbook.tools.pack", "pack recordings into an archive"),
}
"""The sub-commands by name, in the order in which ``--help`` lists them."""


def run(name: str, arguments: Sequence[str]) -> int:
    """Run one sub-command; return its exit code.

    An extra that is not installed is one line and 2.
    """
    command = COMMANDS[name]
    try:
        module = import_module(command.module)
    except ModuleNotFoundError as error:
        if not command.extra or str(error.name).startswith("workbook"):
            raise
        sys.stderr.write(
            f"memslot-workbook {name}: {error.name} is missing: pip install 'memslot-workbook[{command.extra}]'\n"
        )
        return 2
    main = cast("Main", module.main)
    return main(arguments, prog=f"memslot-workbook {name}")
