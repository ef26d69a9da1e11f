"""What a real QEMU says to memory devices on a command line is what the model says, to the byte."""

from collections.abc import Callable, Sequence

import pytest

from workbook.lib.errors import Refusal
from workbook.lib.machine.machine import Machine

pytestmark = pytest.mark.qemu
Ask = Callable[..., tuple[str, str]]

MEMFD, RAM = "memfd,size=16G", "ram,size=16G,reserve=off"
LARGE = "3G,slots=2,maxmem=99G"
MEM = "virtio-mem-pci,id=m,memdev=b"
CASES = [
    (MEM, "3G,maxmem=8G", MEMFD),
    (MEM, "3G", MEMFD),
    ("pc-dimm,memdev=b", "3G,maxmem=64G", MEMFD),
    ("pc-dimm,memdev=b,slot=2", LARGE, RAM),
    ("pc-dimm,memdev=b,addr=0x100000000", LARGE, RAM),
    ("pc-dimm,memdev=m0", LARGE, RAM),
    ("pc-dimm,memdev=b", LARGE, "ram,size=16385M,reserve=off"),
    (f"{MEM},memaddr=0x140100000", LARGE, MEMFD),
    (f"{MEM},memaddr=0x140000001", LARGE, RAM),
    (f"{MEM},memaddr=0x100000000", LARGE, MEMFD),
    (f"{MEM},block-size=16G", "3G,maxmem=19G", MEMFD),
    (f"{MEM},block-size=16G", LARGE, MEMFD),
    (f"{MEM},block-size=32G,dynamic-memslots=on", LARGE, MEMFD),
    (f"{MEM},block-size=512K", LARGE, MEMFD),
    (f"{MEM},block-size=3M", LARGE, MEMFD),
    (f"{MEM},block-size=1M", LARGE, MEMFD),
    (f"{MEM},block-size=1M,requested-size=3M,memaddr=0x140100000", LARGE, MEMFD),
    (f"{MEM},block-size=1M,unplugged-inaccessible=off,requested-size=1234567", LARGE, MEMFD),
    ("virtio-mem-pci,id=m", LARGE, MEMFD),
    ("virtio-mem-pci,id=m,memdev=c", LARGE, MEMFD),
    ("virtio-mem-pci,id=m,memdev=m0,block-size=16G,unplugged-inaccessible=off", LARGE, MEMFD),
    (f"{MEM},node=1,dynamic-memslots=on,unplugged-inaccessible=off", LARGE, MEMFD),
    (f"{MEM},requested-size=1M", LARGE, MEMFD),
    (MEM, LARGE, "memfd,size=16M,prealloc=on"),
    (MEM, LARGE, "memfd,size=16385M"),
    (MEM, LARGE, "ram,size=16385M,reserve=off"),
    *(
        (f"{MEM},dynamic-memslots=on,unplugged-inaccessible={value}", LARGE, backend)
        for value in ("on", "off", "auto")
        for backend in (MEMFD, RAM, f"{RAM},share=on")
    ),
]
"""Device, -m, memory backend."""


def said_by_model(arguments: Sequence[str]) -> str:
    try:
        return "\n".join(Machine.from_qemu_args(["-accel", "tcg", "-nodefaults", *arguments]).warnings)
    except Refusal as refusal:
        return refusal.stderr


@pytest.mark.parametrize(("device", "memory", "backend"), CASES)
def test_same_words(ask_qemu: Ask, device: str, memory: str, backend: str) -> None:
    """Refusals and warnings, their order and their prefix; or silence, where the device is taken."""
    boot = ["-machine", "q35,memory-backend=m0", "-object", "memory-backend-ram,id=m0,size=3G,reserve=off"]
    arguments = [*boot, "-m", memory, "-object", f"memory-backend-{backend},id=b", "-device", device]
    _, complaints = ask_qemu(arguments)
    assert said_by_model(arguments) == complaints


@pytest.mark.parametrize("machine", ["pc-q35-8.1", "pc-q35-8.0", "pc-q35-7.2", "pc-q35-6.2"])
@pytest.mark.parametrize("backend", [MEMFD, RAM])
def test_machine_types(ask_qemu: Ask, machine: str, backend: str) -> None:
    """The default of unplugged-inaccessible follows the machine type; that a type is old is no subject here."""
    arguments = ["-machine", machine, "-m", LARGE, "-object", f"memory-backend-{backend},id=b"]
    arguments += ["-device", f"{MEM},dynamic-memslots=on"]
    _, complaints = ask_qemu(arguments)
    theirs, ours = (
        [line for line in text.splitlines() if "is deprecated" not in line]
        for text in (complaints, said_by_model(arguments))
    )
    assert ours == theirs
