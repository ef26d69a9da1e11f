"""Memslots that a PC takes by itself: random displays, network cards, ROMs and flash, a real SeaBIOS against the model.

Every VM boots its firmware to the end. Under KVM the memslots are those of QEMU's trace of its ioctls; under TCG, which
boots thirty times faster here, the RAM and ROM ranges of the same flat view stand for them, and a vhost-user device
without memslots is hot-plugged: its refusal names the regions in use. Command::

    python -m workbook.live.qemu.boot_memslots --examples 300 --seed 1
"""

import argparse
import random
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workbook.lib.errors import Refusal, WorkbookError
from workbook.lib.machine import Machine
from workbook.lib.rules import rules_of
from workbook.lib.scenario import VhostDevice
from workbook.live.cli import ended
from workbook.live.guest.vhost_user import VhostUserBackend
from workbook.live.progress_bar import progress_bar

from .binary import QemuBinary, find_qemu, usable_accel
from .kvm_trace import EVENT, KvmTrace
from .qmp import Qmp, QmpBroken, QmpRefusal

__all__ = ("BootDifference", "boot_slots_of", "compare_boot", "main", "random_line")

BOOTED: Final = "enter handle_19"
"""SeaBIOS's last word on its debug port: option ROMs have run, BARs are placed, low memory is locked."""
_TIMEOUT: Final = 120.0
_RANGE = re.compile(r"^  [0-9a-f]{16}-[0-9a-f]{16} \(prio -?\d+, (?:ram|rom|romd)\)", re.MULTILINE)
_DISPLAYS: Final = (
    "VGA cirrus-vga virtio-vga vmware-svga ati-vga bochs-display ramfb secondary-vga virtio-gpu-pci".split()
)
_NICS: Final = "e1000 e1000e rtl8139 virtio-net-pci pcnet ne2k_pci vmxnet3 tulip i82550".split()


@dataclass(frozen=True, slots=True)
class BootDifference:
    """One number or line that QEMU and the model do not agree on."""

    line: str
    what: str
    qemu: object
    model: object

    def __str__(self) -> str:
        return f"{self.line}\n  {self.what}: QEMU {self.qemu!r}, model {self.model!r}"


def random_line(choose: random.Random, accel: str) -> str:
    """Return a random command line without the program's name."""
    chipset = choose.choice(("pc", "q35"))
    smm = choose.choice(("", ",smm=off")) if accel == "tcg" else ""
    ram = choose.choice(("64M", "512M", "1G", "2G", "3G", "4G", "6G"))
    words = [f"-accel {accel}", f"-machine {chipset}{smm},memory-backend=ram0"]
    if choose.random() < 0.2:
        half = choose.choice((256, 1024, 2560))
        ram = f"{2 * half}M"
        words[-1] = f"-machine {chipset}{smm}"
        words += [f"-object memory-backend-memfd,id=n{one},size={half}M,share=on" for one in range(2)]
        words += [f"-numa node,nodeid={one},memdev=n{one}" for one in range(2)]
    else:
        kind = choose.choice(("memfd,share=on", "memfd,share=on", "ram"))
        words.append(f"-object memory-backend-{kind},id=ram0,size={ram}")
    words.append(f"-m {ram}")
    words += [] if choose.random() < 0.25 else ["-nodefaults"]
    if choose.random() < 0.4:
        words.append(f"-vga {choose.choice(('std', 'cirrus', 'virtio', 'vmware', 'none'))}")
    else:
        # the same display twice has the same migration id, and two VGA-compatible ones hide each other's quirks
        chosen = choose.sample(_DISPLAYS, choose.choice((0, 1, 1, 2)))
        if len(set(chosen) & {*_DISPLAYS[:5], "secondary-vga"}) > 1:
            chosen = chosen[:1]
        words += [f"-device {one}{_rom(choose, one) if len(chosen) == 1 else ''}" for one in chosen]
    # two ROMs of one file behind fw_cfg are refused
    words += [f"-device {one}{_rom(choose, one)}" for one in choose.sample(_NICS, k=choose.choice((0, 0, 1, 1, 2, 4)))]
    if choose.random() < 0.2:
        words.append("-object memory-backend-memfd,id=shm0,size=4M,share=on -device ivshmem-plain,memdev=shm0")
    if choose.random() < 0.15:
        words.append("-object memory-backend-ram,id=erst0,size=64K -device acpi-erst,memdev=erst0")
    if chipset == "q35":
        words.append("-device pcie-root-port,id=root0,chassis=9")
    return " ".join(words)


def _rom(choose: random.Random, driver: str) -> str:
    if driver in ("ramfb", "virtio-gpu-pci", "secondary-vga"):
        return ""
    return choose.choice(("", "", "", ",romfile=", ",rombar=0"))


@dataclass(frozen=True, slots=True)
class _Booted:
    slots: int
    refusal: str | None


def boot_slots_of(line: str, qemu: QemuBinary) -> _Booted:
    """Boot a line to the end of SeaBIOS; return its memslots, and what QEMU says to a vhost device without any.

    Raises
    ------
    WorkbookError
        QEMU did not start, or the firmware did not end in time.
    """
    kvm = "-accel kvm" in line
    with tempfile.TemporaryDirectory(prefix="memslots-") as name, _running(line, qemu, Path(name), kvm=kvm) as qmp:
        if kvm:
            trace = KvmTrace(Path(name) / "trace")
            return _Booted(len(trace.memslots(0, 1 << 64)), None)
        view = next(one for one in qmp.monitor("info mtree -f").split("FlatView #") if ' AS "memory"' in one)
        return _Booted(len(_RANGE.findall(view)), _refused_vhost(qmp, Path(name), q35="-machine q35" in line))


@contextmanager
def _running(line: str, qemu: QemuBinary, folder: Path, *, kvm: bool) -> Iterator[Qmp]:
    debug, stderr = folder / "debug", folder / "stderr"
    words = [*shlex.split(line), "-display", "none", "-qmp", f"unix:{folder}/qmp,server=on,wait=off"]
    words += ["-chardev", f"file,id=debug,path={debug}", "-device", "isa-debugcon,iobase=0x402,chardev=debug"]
    words += ["-trace", EVENT, "-D", str(folder / "trace")] if kvm else []
    with stderr.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 (a list, no shell)
            [qemu.path, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
    try:
        deadline = time.monotonic() + _TIMEOUT
        while not (debug.exists() and BOOTED in debug.read_text("ascii", "replace")):
            if process.poll() is not None or time.monotonic() > deadline:
                raise WorkbookError(f"{line}: the firmware did not end: {stderr.read_text('utf-8', 'replace')}")
            time.sleep(0.02)
        qmp = Qmp(folder / "qmp", _TIMEOUT)
        try:
            yield qmp
        finally:
            qmp.close()
    except QmpBroken as error:
        raise WorkbookError(f"{line}: {error}") from error
    finally:
        process.kill()
        process.wait()


def _refused_vhost(qmp: Qmp, folder: Path, *, q35: bool) -> str | None:
    backend = VhostUserBackend(folder / "vu0", 0, config=False)
    try:
        address = {"type": "unix", "data": {"path": str(folder / "vu0")}}
        qmp.execute(
            "chardev-add",
            {"id": "cvu0", "backend": {"type": "socket", "data": {"addr": address, "server": False}}},
        )
        device = {"driver": "vhost-user-rng-pci", "id": "vu0", "chardev": "cvu0"} | ({"bus": "root0"} if q35 else {})
        try:
            qmp.execute("device_add", device)
        except QmpRefusal as refusal:
            return str(refusal)
        return None
    finally:
        backend.close()


def compare_boot(line: str, qemu: QemuBinary) -> list[BootDifference]:
    """Boot a line on both; return what differs."""
    booted = boot_slots_of(line, qemu)
    rules = rules_of(qemu.version)
    found = []
    if "-accel kvm" in line:
        (slots, *_) = Machine.from_qemu_args(line, rules).kvm_used
    else:
        # the model counts KVM's memslots only for KVM, where smm=on is said aloud
        on_kvm = line.replace("-accel tcg", "-accel kvm")
        if ",smm=off" not in line:
            on_kvm = re.sub(r"-machine (pc|q35)", r"-machine \1,smm=on", on_kvm)
        (slots, *_) = Machine.from_qemu_args(on_kvm, rules).kvm_used
        refusal = _model_refusal(Machine.from_qemu_args(line, rules))
        if refusal != booted.refusal:
            found.append(BootDifference(line, "refusal of a vhost device", booted.refusal, refusal))
    if slots != booted.slots:
        found.append(BootDifference(line, "KVM memslots", booted.slots, slots))
    return found


def _model_refusal(vm: Machine) -> str | None:
    try:
        vm.device_add(VhostDevice(id="vu0", driver="vhost-user-rng-pci", slots=0))
    except Refusal as refusal:
        return refusal.message
    return None


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m workbook.live.qemu.boot_memslots") -> int:
    """Run the command; return 0 where nothing differs, 1 where something does, 2 for a bad call."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--examples", type=int, default=300, metavar="N", help="how many VMs (default: 300)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed gives the same VMs")
    parser.add_argument("--qemu", metavar="PATH", help="the executable (default: qemu-system-x86_64 on PATH)")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="only this accelerator (default: all that work here)")
    options = parser.parse_args(argv)

    def run() -> int:
        qemu = find_qemu(options.qemu)
        accels = [options.accel] if options.accel else ["tcg", "kvm"] if usable_accel() == "kvm" else ["tcg"]
        choose = random.Random(options.seed)  # noqa: S311 - the same seed gives the same VMs
        differing = 0
        with progress_bar(options.examples, "VMs") as (say, moved):
            for _ in range(options.examples):
                found = compare_boot(random_line(choose, choose.choice(accels)), qemu)
                differing += bool(found)
                for one in found:
                    say(str(one))
                if moved is not None:
                    moved(1)
        print(f"{options.examples} VMs booted, {differing} differ, seed {options.seed}, QEMU {qemu.version}")
        return 1 if differing else 0

    return ended(run, "boot_memslots", given_back="every QEMU has ended")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
