"""The PC's memory map and boot memslots, by numbers and beside a real QEMU."""

import re
from collections.abc import Callable

import pytest

from workbook.lib.boards.pc import PcLayout, pc_layout
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.qemu_args.reader import read_argv
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB, TiB, parse_size

INTEL = "qemu64,vendor=GenuineIntel,phys-bits=48"
AMD = "qemu64,vendor=AuthenticAMD,phys-bits=48"
LIVE = (
    ("q35", "2815M,maxmem=64G", INTEL),
    ("q35", "2816M,maxmem=64G", INTEL),
    ("q35", "4G,maxmem=64G", INTEL),
    ("q35", "3G,slots=16,maxmem=1T", INTEL),
    ("q35", "1025M,maxmem=5G,slots=256", INTEL),
    ("q35", "4G", INTEL),
    ("q35,max-ram-below-4g=1G", "4G,maxmem=64G", INTEL),
    ("q35,max-ram-below-4g=3G", "4G,maxmem=64G", INTEL),
    ("q35", "4G,maxmem=978G", AMD),
    ("q35", "4G,maxmem=979G", AMD),
    ("q35", "4G,maxmem=2T", AMD),
    ("pc", "3583M,maxmem=64G", INTEL),
    ("pc", "3584M,maxmem=64G", INTEL),
    ("pc", "4G,slots=17,maxmem=1T", INTEL),
    ("pc,max-ram-below-4g=2G", "3G,maxmem=64G", INTEL),
    ("pc,max-ram-below-4g=4G", "3700M,maxmem=64G", INTEL),
    ("pc,max-ram-below-4g=4G", "4G,maxmem=64G", INTEL),
    ("pc", "4G,maxmem=1008G", AMD),
    ("pc", "4G,maxmem=1009G", AMD),
)
REFUSED = (
    ("q35", "4G,maxmem=3G", INTEL),
    ("q35", "4G,maxmem=4G,slots=1", INTEL),
    ("q35", "4G,maxmem=8G,slots=257", INTEL),
    ("q35", "4G,maxmem=8589934593", INTEL),
    ("pc", "4G,maxmem=8589934593,slots=300", INTEL),
    ("q35", "4G,maxmem=60G", "qemu64,vendor=GenuineIntel,phys-bits=36"),
    ("q35", "4G,maxmem=2T", "qemu64,vendor=GenuineIntel"),
    ("q35", "4G,maxmem=979G", "qemu64"),
    ("pc", "4G,maxmem=8G,slots=4294967296", "qemu64,vendor=GenuineIntel"),
    ("q35", "4G,maxmem=15.99E", "qemu64"),
)


def scenario(machine: str, memory: str, cpu: str) -> Scenario:
    return read_argv(["-accel", "tcg", "-machine", machine, "-cpu", cpu, "-m", memory])


@pytest.mark.parametrize(
    ("machine", "memory", "below", "above"),
    [
        ("q35", "2815M", 2815 * MiB, 0),
        ("q35", "2816M", 2 * GiB, 768 * MiB),
        ("q35", "4G", 2 * GiB, 2 * GiB),
        ("pc", "3583M", 3583 * MiB, 0),
        ("pc", "3584M", 3 * GiB, 512 * MiB),
        ("pc", "4G", 3 * GiB, GiB),
    ],
)
def test_ram_around_the_hole(machine: str, memory: str, below: int, above: int) -> None:
    """RAM below 4 GiB is cut from 2.75 GiB on (q35) and from 3.5 GiB on (pc): hw/i386/pc_q35.c and pc_piix.c."""
    layout = pc_layout(scenario(machine, memory, INTEL))
    assert (layout.below_4g, layout.above_4g, layout.above_4g_start) == (below, above, 4 * GiB)


@pytest.mark.parametrize(("machine", "memory"), [("q35", "3G,slots=16,maxmem=1T"), ("pc", "4G,slots=17,maxmem=1T")])
def test_cover_letter_container(machine: str, memory: str) -> None:
    """Both command lines give the cover letter's container, 1037 GiB at 5 GiB."""
    layout = pc_layout(scenario(machine, memory, INTEL))
    assert (layout.device_memory_base, layout.device_memory_size) == (0x1_4000_0000, 1037 * GiB)


def test_slots_enlarge_the_container_but_not_d() -> None:
    """1 GiB of slack per DIMM slot is no memory for devices."""
    given = scenario("q35", "4G,slots=4,maxmem=20G", INTEL)
    assert given.device_memory_size == 16 * GiB
    assert pc_layout(given).device_memory_size == 20 * GiB


def test_no_maxmem_no_container() -> None:
    """Without maxmem there is no device memory."""
    assert pc_layout(scenario("q35", "4G", INTEL)) == PcLayout(2 * GiB, 2 * GiB, 4 * GiB, 0, 0)


def test_amd_hole() -> None:
    """What would end above 1012 GiB moves to 1 TiB with AMD's vendor id, and only then (measured)."""
    assert pc_layout(scenario("q35", "4G,maxmem=979G", AMD)).device_memory_base == 0x100_8000_0000
    assert pc_layout(scenario("q35", "4G,maxmem=979G", AMD)).above_4g_start == TiB
    assert pc_layout(scenario("q35", "4G,maxmem=978G", AMD)).device_memory_base == 0x1_8000_0000
    assert pc_layout(scenario("q35", "4G,maxmem=979G", INTEL)).device_memory_base == 0x1_8000_0000


def test_what_is_not_known_is_not_checked() -> None:
    """Where the host's address bits and vendor are not known they neither refuse nor move anything."""
    assert pc_layout(read_argv("-accel kvm -cpu host -m 4G,maxmem=8T")).device_memory_base == 5 * GiB


def test_no_ram() -> None:
    """A VM without RAM is bad input."""
    with pytest.raises(BadInput, match="no RAM"):
        pc_layout(Scenario(ram=0, maxmem=0))


@pytest.mark.parametrize(("machine", "memory", "cpu"), REFUSED)
def test_refusals_have_advice(machine: str, memory: str, cpu: str) -> None:
    """Every refusal says what to do about it."""
    with pytest.raises(Refusal) as caught:
        pc_layout(scenario(machine, memory, cpu))
    assert caught.value.advice


def region(shown: str, name: str) -> tuple[int, int] | None:
    match = re.search(rf"([0-9a-f]{{16}})-([0-9a-f]{{16}}) \(prio 0, (?:ram|i/o)\): {name}", shown)
    return match and (int(match[1], 16), int(match[2], 16) - int(match[1], 16) + 1)


@pytest.mark.qemu
@pytest.mark.parametrize(("machine", "memory", "cpu"), LIVE)
def test_against_qemu(machine: str, memory: str, cpu: str, ask_qemu: Callable[..., tuple[str, str]]) -> None:
    """A real QEMU has its RAM and its device memory at the same addresses, in the same sizes."""
    backend = f"memory-backend-ram,id=ram0,reserve=off,size={parse_size(memory.partition(',')[0], unit='M')}"
    arguments = ["-object", backend, "-machine", f"{machine},memory-backend=ram0", "-cpu", cpu, "-m", memory]
    shown, _ = ask_qemu(arguments, "info mtree")
    layout = pc_layout(scenario(machine, memory, cpu))
    assert region(shown, "alias ram-below-4g") == (0, layout.below_4g)
    assert region(shown, "alias ram-above-4g") == (
        (layout.above_4g_start, layout.above_4g) if layout.above_4g else None
    )
    assert region(shown, "device-memory") == (
        (layout.device_memory_base, layout.device_memory_size) if layout.device_memory_size else None
    )


@pytest.mark.qemu
@pytest.mark.parametrize(("machine", "memory", "cpu"), REFUSED)
def test_refusals_against_qemu(machine: str, memory: str, cpu: str, ask_qemu: Callable[..., tuple[str, str]]) -> None:
    """A real QEMU refuses the same sizes with the same words."""
    with pytest.raises(Refusal) as caught:
        pc_layout(scenario(machine, memory, cpu))
    _, complaint = ask_qemu(["-machine", machine, "-cpu", cpu, "-m", memory])
    assert caught.value.stderr == complaint
