"""``info mtree`` and ``info mtree -f``: QEMU's text out and in."""

import re
from collections.abc import Callable
from dataclasses import replace
from textwrap import indent

import pytest
from hypothesis import given
from strategies import region_trees

from workbook.lib.errors import BadInput
from workbook.lib.memory.flatview import FlatView, render
from workbook.lib.memory.mtree import flat_lines, read_flat, read_tree, tree_lines
from workbook.lib.memory.region import ADDRESS_SPACE_SIZE, MAX_DEPTH, MemoryRegion
from workbook.lib.size import GiB, TiB

COVER_LETTER = """\
0000000140000000-000001047fffffff (prio 0, i/o): device-memory
  0000000140000000-0000007e3fffffff (prio 0, i/o): virtio-mem-memslots
    0000000140000000-000000017fffffff (prio 0, ram): alias virtio-mem-memslot-0 @mem0 0000000000000000-000000003fffffff
    0000000180000000-00000001bfffffff (prio 0, ram): alias virtio-mem-memslot-1 @mem0 0000000040000000-000000007fffffff
    00000001c0000000-00000001ffffffff (prio 0, ram): alias virtio-mem-memslot-2 @mem0 0000000080000000-00000000bfffffff
"""
RECORDED = (
    """\
0000000180000000-000000107fffffff (prio 0, i/o): device-memory
  0000000180000000-000000057fffffff (prio 0, i/o): virtio-mem
    0000000180000000-00000001bfffffff (prio 0, ram): alias memslot-0 @mem0 0000000000000000-000000003fffffff
  0000000580000000-00000005bfffffff (prio 0, ram): mem1""",
    """\
0000000000000000-ffffffffffffffff (prio 0, i/o): system
  0000000000000000-000000007fffffff (prio 0, ram): alias ram-below-4g @pc.ram 0000000000000000-000000007fffffff
  0000000000000000-ffffffffffffffff (prio -1, i/o): pci
    00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
    00000000fffc0000-00000000ffffffff (prio 0, nv-ram): pc.bios
  00000000fed00000-00000000fed00000 (prio 0, i/o): hpet""",
    "0000000000000000-0000000000000fff (prio 0, container): root",
)
LINE = "0000000000000000-0000000000000fff (prio 0, ram): x"
FLAT = """\
  0000000140000000-000000017fffffff (prio 0, ram): mem0 KVM
  0000000180000000-00000001bfffffff (prio 0, ram): mem0 @0000000040000000 KVM
  00000001c0000000-00000001ffffffff (prio 0, ram): mem0 @0000000080000000 KVM
"""


def device_memory(*indices: int) -> MemoryRegion:
    mem0 = MemoryRegion.ram("mem0", 500 * GiB)
    slots = [
        MemoryRegion.alias_of(mem0, f"virtio-mem-memslot-{one}", one * GiB, GiB, addr=one * GiB, unmergeable=True)
        for one in indices
    ]
    container = MemoryRegion.container("virtio-mem-memslots", 500 * GiB, slots)
    return MemoryRegion.container("device-memory", 1037 * GiB, [container]).at(0x1_4000_0000)


def test_cover_letter() -> None:
    """The cover letter's tree comes out byte for byte; inside the system address space at level 2."""
    assert tree_lines(device_memory(0, 1, 2)) == COVER_LETTER.splitlines()
    assert tree_lines(device_memory(0, 1, 2), level=2) == indent(COVER_LETTER, "    ").splitlines()


def test_cover_letter_flat() -> None:
    """Its flat ranges come out with the offset where it is not 0, and one KVM per address space for RAM."""
    view = render(device_memory(0, 1, 2))
    assert flat_lines(view, accelerators=("KVM",)) == FLAT.splitlines()
    assert flat_lines(view, accelerators=("KVM", "KVM"), indent="")[0].endswith("mem0 KVM KVM")
    assert flat_lines(view)[0].endswith("): mem0")


@pytest.mark.parametrize("text", [COVER_LETTER, indent(COVER_LETTER, "    "), *RECORDED])
def test_text_in_and_out(text: str) -> None:
    """QEMU's lines read and printed again are the same lines."""
    blanks = len(text) - len(text.lstrip(" "))
    roots = read_tree(text)
    lines = [line for one in roots for line in tree_lines(one, level=blanks // 2, root="container" in text)]
    assert lines == text.splitlines()


def test_reads_what_it_means() -> None:
    """Places become relative to the container, aliases show their target from the offset on."""
    (root,) = read_tree(COVER_LETTER)
    (container,) = root.subregions
    assert (root.name, root.addr, root.size) == ("device-memory", 0x1_4000_0000, 1037 * GiB)
    assert [(one.addr, one.target_offset, one.size) for one in container.subregions] == [
        (i * GiB, i * GiB, GiB) for i in range(3)
    ]
    assert [(one.start, one.offset) for one in render(replace(container, unmergeable=True).at(root.addr))] == [
        (root.addr + i * GiB, i * GiB) for i in range(3)
    ]


@given(region_trees())
def test_tree_round_trip(tree: MemoryRegion) -> None:
    """Whatever tree is printed, disabled regions marked, reads back to the same text."""
    lines = tree_lines(tree, disabled=True)
    again = read_tree(lines)
    assert [line for one in again for line in tree_lines(one, disabled=True)] == lines
    assert "\n".join(lines) == "\n".join(
        line for one in read_tree("\n".join(lines)) for line in tree_lines(one, disabled=True)
    )


@given(region_trees(GiB))
def test_flat_round_trip(tree: MemoryRegion) -> None:
    """Whatever view is printed reads back to ranges at the same addresses and to the same text."""
    view = render(tree)
    for accelerators in ((), ("KVM",), ("KVM", "KVM")):
        lines = flat_lines(view, accelerators=accelerators)
        again = read_flat(lines)
        assert flat_lines(again, accelerators=accelerators) == lines
        assert [(one.start, one.size, one.offset, one.region.name, one.readonly, one.nonvolatile) for one in again] == [
            (one.start, one.size, one.offset, one.region.name, one.readonly, one.nonvolatile) for one in view
        ]


def test_disabled_regions() -> None:
    """A disabled region is left out, or marked with -D; what it holds is printed by its own state."""
    child = MemoryRegion.ram("mem0", GiB)
    root = replace(MemoryRegion.container("c", GiB, [child]), enabled=False)
    assert tree_lines(root) == ["  0000000000000000-000000003fffffff (prio 0, ram): mem0"]
    assert tree_lines(root, disabled=True)[0] == "0000000000000000-000000003fffffff (prio 0, i/o): c [disabled]"


def test_children_by_address_then_priority() -> None:
    """Children are printed by ascending address, at the same address the higher priority first."""
    names = (("b", 1, 0), ("a-low", 0, -1), ("a-high", 0, 3))
    root = MemoryRegion.container("c", 4, [MemoryRegion.io(n, 1).at(a, priority=p) for n, a, p in names])
    assert [line.rsplit(" ", 1)[1] for line in tree_lines(root)] == ["c", "a-high", "a-low", "b"]


def test_priorities_survive_reading() -> None:
    """Read back, the higher priority still hides the lower one."""
    low, high = MemoryRegion.ram("low", 4).at(0, priority=-1), MemoryRegion.io("high", 2).at(2, priority=1)
    (again,) = read_tree(tree_lines(MemoryRegion.container("c", 4, [low, high])))
    assert [(one.start, one.region.name) for one in render(again)] == [(0, "low"), (2, "high")]


@pytest.mark.parametrize(
    ("region", "word"),
    [
        (MemoryRegion.container("x", 1), "i/o"),
        (MemoryRegion.io("x", 1), "i/o"),
        (MemoryRegion.ram("x", 1), "ram"),
        (MemoryRegion.ram("x", 1, readonly=True), "rom"),
        (replace(MemoryRegion.ram("x", 1), nonvolatile=True), "nv-ram"),
        (MemoryRegion.alias_of(MemoryRegion.ram("y", 1, readonly=True), "x", 0, 1), "rom"),
        (MemoryRegion.alias_of(MemoryRegion.container("y", 1), "x", 0, 1), "i/o"),
    ],
)
def test_type_column(region: MemoryRegion, word: str) -> None:
    """Containers print as i/o, aliases as what they show."""
    assert f"(prio 0, {word}): " in tree_lines(region)[0]


def test_parentless_root() -> None:
    """Newer QEMUs print a container without a parent as such; what it holds prints as ever."""
    root = MemoryRegion.container("root", 4, [MemoryRegion.container("inner", 2)])
    assert tree_lines(root, root=True) == [
        "0000000000000000-0000000000000003 (prio 0, container): root",
        "  0000000000000000-0000000000000001 (prio 0, i/o): inner",
    ]


def test_size_zero() -> None:
    """A region of size 0 ends where it starts."""
    assert tree_lines(MemoryRegion.ram("x", 0).at(16))[0].startswith("0000000000000010-0000000000000010 ")


def test_whole_address_space() -> None:
    """2^64 bytes end at the last address."""
    assert "0000000000000000-ffffffffffffffff" in tree_lines(MemoryRegion.container("system", ADDRESS_SPACE_SIZE))[0]


def test_overflow_is_marked() -> None:
    """A region that wraps at 2^64 carries QEMU's mark, and reads back."""
    wrapped = MemoryRegion.container("c", ADDRESS_SPACE_SIZE, [MemoryRegion.io("x", TiB).at(ADDRESS_SPACE_SIZE - GiB)])
    lines = tree_lines(wrapped)
    assert lines[1] == "[DETECTED OVERFLOW!]   ffffffffc0000000-000000ffbfffffff (prio 0, i/o): x"
    (again,) = read_tree(lines)
    assert tree_lines(again) == lines


def test_seen_through_a_readonly_alias() -> None:
    """A read-only range prints as rom, whatever its region is."""
    alias = replace(MemoryRegion.alias_of(MemoryRegion.ram("pc.ram", GiB), "pam-rom", 0, GiB), readonly=True)
    assert "(prio 0, rom): pc.ram" in flat_lines(render(alias))[0]


@given(region_trees())
def test_hidden_levels_round_trip(tree: MemoryRegion) -> None:
    """Without -D a disabled region is a missing level: the text reads back, and what it holds stays unrendered."""
    lines = tree_lines(MemoryRegion.container("root", 64, [tree]))
    again = read_tree(lines)
    assert [line for one in again for line in tree_lines(one)] == lines


def test_children_of_a_hidden_region_are_not_rendered() -> None:
    """acpi-evt on q35: its container is disabled and not printed, it is; no address shows it."""
    lines = ("0000000000000000-000000000000ffff (prio 0, i/o): io", f"    {LINE.replace('x', 'acpi-evt')}")
    (root,) = read_tree(lines)
    assert [one.name for one in root.walk()] == ["io", "", "acpi-evt"]
    assert len(render(root)) == 0


@pytest.mark.qemu
@pytest.mark.parametrize("machine", ["q35", "pc"])
@pytest.mark.parametrize("option", ["", " -D"])
def test_against_qemu(machine: str, option: str, ask_qemu: Callable[..., tuple[str, str]]) -> None:
    """Every block of a real info mtree reads and prints back to the same lines."""
    shown, _ = ask_qemu(["-machine", machine, "-m", "4G,maxmem=8G,slots=2"], f"info mtree{option}")
    blocks = [block.splitlines()[1:] for block in re.split(r"\n(?=address-space: |memory-region: )", shown)[1:]]
    trees = [[line for line in block if re.match(r" +[0-9a-f]{16}-", line)] for block in blocks]
    assert sum(map(len, trees)) > 100
    for lines in filter(None, trees):
        # a disabled root is not shown: then the outermost lines are a level deeper
        level = min(len(line) - len(line.lstrip(" ")) for line in lines) // 2
        printed = [line for one in read_tree(lines) for line in tree_lines(one, level=level, disabled=bool(option))]
        assert printed == lines


@pytest.mark.parametrize("text", ["", "\n\n", [], ["", "  "]])
def test_nothing(text: str | list[str]) -> None:
    """No lines are no regions."""
    assert read_tree(text) == ()
    assert read_flat(text) == FlatView()


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        LINE[1:],
        LINE.replace("ram", "foo"),
        LINE.replace("ram", "alias"),
        LINE.replace("prio 0", "prio 99999999999"),
        LINE.replace("prio 0", "prio " + "9" * 5000),
        LINE.replace("prio 0", "prio \u0661"),
        LINE.replace("0fff", "0FFF"),
        "0000000000001000-0000000000000fff (prio 0, ram): x",
        "[DETECTED OVERFLOW!] " + LINE,
        LINE + "\n   " + LINE,
        LINE + "\n " + LINE,
        "  " + LINE + "\n " + LINE,
        LINE.replace(": x", ": alias a @x 0000000000000000-00000000000000ff"),
        LINE.replace(": x", ": alias a @x 0000000000001000-0000000000000fff"),
        "0000000000001000-0000000000001fff (prio 0, i/o): c\n  " + LINE,
        "\n".join("  " * depth + LINE for depth in range(MAX_DEPTH + 1)),
        "\n".join("  " * depth + LINE for depth in range(3000)),
    ],
)
def test_malformed_tree(text: str) -> None:
    """What is not QEMU's text is bad input in one line, however deep it nests."""
    with pytest.raises(BadInput) as caught:
        read_tree(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_deepest() -> None:
    """As many levels as a tree may have are read."""
    lines = ["  " * depth + LINE.replace("ram", "i/o") for depth in range(MAX_DEPTH)]
    (root,) = read_tree(lines)
    assert root.depth == MAX_DEPTH
    assert tree_lines(root) == lines


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        LINE.replace("ram", "container"),
        LINE.replace("ram", "alias"),
        "0000000000001000-0000000000000fff (prio 0, ram): x",
        LINE + "\n" + LINE,
        "0000000000001000-0000000000001fff (prio 0, ram): x\n" + LINE,
        LINE.replace("prio 0", "prio " + "9" * 5000),
    ],
)
def test_malformed_flat(text: str) -> None:
    """Ranges that are not of QEMU's form, unsorted or overlapping are bad input in one line."""
    with pytest.raises(BadInput) as caught:
        read_flat(text)
    assert "\n" not in str(caught.value)
