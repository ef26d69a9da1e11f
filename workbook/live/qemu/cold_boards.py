"""Boards whose processors do not run here: ``virt`` and ``s390-ccw-virtio``, under TCG, stopped.

Random command lines start a real QEMU; what it refuses, its device-memory tree and its ``info memory-devices`` are
compared with the model. On ``virt`` a driver that reaches PCI by ECAM also plugs and unplugs (``--requests``); s390x's
channel programs cannot be driven from outside. Command::

    python -m workbook.live.qemu.cold_boards --qemu /path/to/qemu-system-s390x --examples 300 --seed 1
"""

import argparse
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workbook.lib.actions import (
    Action,
    DeviceReset,
    Plug,
    RawRequest,
    RequestSize,
    Reset,
    Settle,
    Start,
    State,
    Unplug,
    UnplugAll,
)
from workbook.lib.errors import BadInput, Refusal, WorkbookError
from workbook.lib.machine import Machine
from workbook.lib.recording import Difference, compare, predict
from workbook.lib.rules import rules_of
from workbook.lib.size import MiB
from workbook.live.cli import ended
from workbook.live.progress_bar import progress_bar

from .binary import QemuBinary, find_qemu
from .recorder import play

__all__ = (
    "ColdAnswer",
    "ask_model",
    "ask_qemu",
    "differences_of_requests",
    "main",
    "random_cold_line",
    "random_requests",
)

_TIMEOUT: Final = 60
_SIZES: Final = ("1G", "2G", "4097M", "3001M", "6G", "16G")
_CPUS: Final = ("cortex-a53", "cortex-a57", "cortex-a72", "neoverse-n1", "max")


@dataclass(frozen=True, slots=True)
class ColdAnswer:
    """What a QEMU says to a line: lines of a refusal, or of the tree of device memory and of the memory devices."""

    refusal: str | None
    tree: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


def random_cold_line(choose: random.Random, program: str, *, firmware: bool = True) -> str:
    """Return a random command line with the program's name, ``qemu-system-aarch64`` or ``qemu-system-s390x``.

    Parameters
    ----------
    firmware
        Some have one, and with it ACPI tables; QEMU may warn of their size, which the model does not know.
    """
    arm = program.endswith("aarch64")
    ram = choose.choice((*_SIZES, "1000M", "1025M")) if arm else choose.choice((*_SIZES, "1000M", "2049K"))
    words = [program, "-accel tcg"]
    machine = "virt" if arm else choose.choice(("s390-ccw-virtio",) * 3 + ("s390-ccw-virtio-9.2",))
    if arm:
        machine += choose.choice(("", "", "", "", ",highmem=off"))
        machine += choose.choice(("", "", "", ",nvdimm=on", ",nvdimm=on,acpi=off")) + choose.choice(
            ("",) * 6 + (",mte=on",)
        )
    words.append(f"-machine {machine}")
    if arm and firmware and choose.random() < 0.3:
        words.append("-bios /dev/null")
    if arm and choose.random() < 0.8:
        words.append(f"-cpu {choose.choice(_CPUS)}")
    more = choose.choice(("20G", "104G", "402G", "700G", "700G", "16383G", "20T", None))
    slots = choose.choice((0, 0, 0, 0, 1, 2, 4, 256, 257))
    memory = ram
    if more is not None:
        memory += f",maxmem={more}" + (f",slots={slots}" if slots else "")
    words.append(f"-m {memory}")
    for index in range(choose.choice((0, 1, 1, 2, 3))):
        kind = choose.choice(("ram", "ram", "memfd", "memfd,hugetlb=on,hugetlbsize=2M"))
        size = choose.choice(("512M", "1G", "1G", "2G", "1025M", "3G", "4G", "3001M", "64G", "100G"))
        words.append(f"-object memory-backend-{kind},id=m{index},size={size},reserve=off")
        driver = "virtio-mem-pci" if arm else choose.choice(("virtio-mem-ccw", "virtio-mem-ccw", "virtio-mem-pci"))
        if arm and choose.random() < 0.2:
            driver = choose.choice(("pc-dimm", "nvdimm"))
        device = f"-device {driver},id=d{index},memdev=m{index}"
        if driver not in ("pc-dimm", "nvdimm"):
            device += choose.choice(
                ("",) * 6 + (",block-size=1M", ",block-size=4M", ",block-size=512M", ",block-size=3M")
            )
            device += choose.choice(("", "", ",dynamic-memslots=on", ",dynamic-memslots=off"))
            device += choose.choice(("", "", ",requested-size=512M", ",requested-size=1G", ",requested-size=3M"))
            device += choose.choice(("",) * 9 + (",unplugged-inaccessible=on", ",node=1", ",memaddr=0x200000000"))
        words.append(device)
    return " ".join(words)


def ask_qemu(line: str, path: Path) -> ColdAnswer:
    """Start a real QEMU, stopped, and look at it."""
    words = shlex.split(line)[1:]
    answer = subprocess.run(  # noqa: S603 (a list, no shell)
        [path, *words, "-nodefaults", "-S", "-display", "none", "-monitor", "stdio"],
        input="info mtree\ninfo memory-devices\nquit\n",
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT,
        check=False,
    )
    if answer.returncode:
        name = re.compile(rf"^(?:{re.escape(path.name)}|qemu-system-\w+): ", re.MULTILINE)
        lines = [one for one in name.sub("", answer.stderr).splitlines() if not _is_warning(one)]
        return ColdAnswer("\n".join(lines))
    tree, _, devices = answer.stdout.partition("info memory-devices")
    return ColdAnswer(None, _device_memory(tree.splitlines()), _shown(devices.splitlines()))


def _is_warning(line: str) -> bool:
    return "warning:" in line


def _device_memory(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the subtree of device memory in the system address space."""
    start = next((index for index, one in enumerate(lines) if one.endswith("): device-memory")), None)
    if start is None:
        return ()
    depth = len(lines[start]) - len(lines[start].lstrip())
    found = [lines[start].strip()]
    for one in lines[start + 1 :]:
        if len(one) - len(one.lstrip()) <= depth:
            break
        found.append(one.strip())
    return tuple(found)


def _shown(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(one.strip() for one in lines if ": " in one and not one.startswith("(qemu)"))


def ask_model(line: str, version: str) -> ColdAnswer:
    """Ask the model of that QEMU version the same."""
    try:
        vm = Machine.from_qemu_args(line, rules_of(version))
    except Refusal as refusal:
        shown = [one for one in refusal.stderr.splitlines() if not _is_warning(one)]
        return ColdAnswer("\n".join(shown))
    tree = tuple(one.strip() for one in vm.info_mtree().splitlines())
    return ColdAnswer(None, tree, _shown(vm.info_memory_devices().splitlines()))


def random_requests(choose: random.Random, line: str, version: str) -> list[Action]:
    """Return what happens to the virtio-mem devices of a line; empty where it does not start or has none.

    Ranges are mostly such as a driver asks for, and sometimes off by a block or beyond the device.
    """
    try:
        vm = Machine.from_qemu_args(line, rules_of(version))
    except WorkbookError:
        return []
    devices = [one.virtio_mem for one in vm.devices if one.virtio_mem]
    names = [one.id for one in vm.devices if one.virtio_mem]
    if not devices:
        return []
    found: list[Action] = [Start()]
    for _ in range(choose.randint(4, 10)):
        number = choose.randrange(len(devices))
        name, device = names[number], devices[number]
        block = device.block_size
        # a request counts blocks in 16 bits
        blocks = min(device.region_size // block, 4096)
        offset, size = choose.randrange(blocks) * block, choose.choice((1, 1, 2, 7, blocks // 2 or 1)) * block
        kind = choose.randrange(12)
        if kind < 3 or len(found) == 1:
            found.append(RequestSize(dev=name, size=choose.choice((size, blocks * block, 0, device.region_size, MiB))))
        elif kind < 6:
            found.append(Plug(dev=name, offset=choose.choice((0, 0, offset)), size=size))
        elif kind < 8:
            found.append(choose.choice((Unplug, State))(dev=name, offset=choose.choice((0, offset)), size=size))
        elif kind < 10:
            found.append(Settle(dev=name))
        else:
            request = RawRequest(dev=name, type=choose.randrange(4), gpa=device.addr + offset + MiB, nb_blocks=1)
            found.append(choose.choice((UnplugAll(dev=name), Reset(), DeviceReset(dev=name), request)))
    return found


def differences_of_requests(line: str, actions: Sequence[Action], qemu: QemuBinary) -> list[Difference]:
    """Play actions on a real QEMU that runs ``virt``, and compare every field of every step with the model."""
    recording = play([*shlex.split(line), "-nodefaults"], actions, qemu=qemu).to_json()
    recording["seconds"] = 0
    return list(compare(recording, predict(recording), both_ways=True))


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0 where nothing differs, 1 where something does, 2 for a bad call."""
    parser = argparse.ArgumentParser(prog="python -m workbook.live.qemu.cold_boards", description=__doc__)
    parser.add_argument("--qemu", required=True, metavar="PATH", help="qemu-system-aarch64 or qemu-system-s390x")
    parser.add_argument("--examples", type=int, default=300, metavar="N", help="how many VMs (default: 300)")
    parser.add_argument("--requests", action="store_true", help="VMs of virt that start, with requests of the guest")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed gives the same VMs")
    options = parser.parse_args(argv)

    def run() -> int:
        qemu = find_qemu(options.qemu)
        if options.requests and not qemu.path.name.endswith("aarch64"):
            raise BadInput(
                f"--requests needs qemu-system-aarch64, not {qemu.path.name}: no other board has a driver here"
            )
        choose = random.Random(options.seed)  # noqa: S311 - the same seed gives the same VMs
        differing = started = 0
        with progress_bar(options.examples, "VMs") as (say, moved):
            for _ in range(options.examples):
                line = random_cold_line(choose, qemu.path.name, firmware=not options.requests)
                if options.requests:
                    while not (actions := random_requests(choose, line, qemu.version)):
                        line = random_cold_line(choose, qemu.path.name, firmware=False)
                    started += 1
                    if found := differences_of_requests(line, actions, qemu):
                        differing += 1
                        say("\n".join((line, *map(str, actions), *map(str, found))))
                    if moved is not None:
                        moved(1)
                    continue
                seen = ask_qemu(line, qemu.path)
                try:
                    told = ask_model(line, qemu.version)
                except WorkbookError as error:
                    told = ColdAnswer(f"{type(error).__name__}: {error}")
                started += seen.refusal is None
                if seen != told:
                    differing += 1
                    say(f"{line}\n  QEMU  {seen}\n  model {told}")
                if moved is not None:
                    moved(1)
        print(
            f"{options.examples} VMs, {started} started, {differing} differ, seed {options.seed}, "
            f"{qemu.path.name} {qemu.version}"
        )
        return 1 if differing else 0

    return ended(run, "cold_boards", given_back="every QEMU has ended")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
