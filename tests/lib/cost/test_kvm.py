"""KVM's metadata: measured table, formulas, and what must hold for any set of memslots."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st

from workbook.lib.cost.kvm import MAX_SLOT_PAGES, KvmCost, KvmHost, kernel_version
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, KiB, MiB, TiB

PAGE = 4 * KiB
MEASUREMENTS = Path(__file__).parents[3] / "data/measurements"
Slots: TypeAlias = Sequence[tuple[int, int]]  # size and start
PARTS = ("rmap", "gfn_track", "lpage_info", "dirty_bitmap")
SHADOW = KvmHost(tdp_mmu=False, smm=False, nested=False)

# Measured by /proc/vmallocinfo on Linux 6.18 with shadow paging, in kB: total and the four parts
MEASURED = [
    ([TiB], False, 2_632_732, (2_105_368, 525_312, 2_052, 0)),
    ([TiB], True, 2_698_396, (2_105_368, 525_312, 2_052, 65_664)),
    ([4 * GiB] * 256, False, 2_633_728, (2_106_368, 524_288, 3_072, 0)),
    ([512 * GiB], False, 1_316_360, (1_052_676, 262_656, 1_028, 0)),
    ([64 * GiB], False, 164_552, (131_588, 32_832, 132, 0)),
    ([4 * GiB], False, 10_288, (8_228, 2_048, 12, 0)),
    ([1 * GiB], False, 2_576, (2_056, 512, 8, 0)),
    ([4 * MiB] * 1024, False, 28_672, (16_384, 4_096, 8_192, 0)),
    ([4 * KiB] * 32_000, False, 768_000, (384_000, 128_000, 256_000, 0)),
]
# A 1 TiB virtio-mem device of QEMU 10 with dynamic-memslots=on, 256 memslots of 4 GiB: plugged GiB -> kB
PLUGGED = [(0, 0), (1, 10_288), (10, 30_864), (100, 257_200), (1024, 2_633_728)]

pages = st.integers(1, 1 << 20) | st.integers(1, MAX_SLOT_PAGES)
sizes = pages.map(lambda count: count * PAGE)
starts = st.integers(0, 1 << 36).map(lambda frame: frame * PAGE)
slots = st.lists(st.tuples(sizes, starts), max_size=12)
hosts = st.builds(
    KvmHost,
    tdp_mmu=st.booleans(),
    smm=st.booleans(),
    nested=st.booleans(),
    kernel=st.sampled_from([(5, 10), (5, 15), (5, 16), (6, 18)]),
    external_write_tracking=st.booleans(),
    dirty_tracking=st.sampled_from(["bitmap", "ring", "ring-with-bitmap"]),
)


def cost(host: KvmHost, pairs: Slots, *, dirty_log: bool = False, rounded: bool = True) -> KvmCost:
    return host.metadata([s for s, _ in pairs], dirty_log, bases=[b for _, b in pairs], rounded=rounded)


@pytest.mark.parametrize(("layout", "dirty_log", "total", "parts"), MEASURED)
def test_measured_table(layout: list[int], dirty_log: bool, total: int, parts: tuple[int, ...]) -> None:
    """Total and every part equal what /proc/vmallocinfo showed, to the kB."""
    result = SHADOW.metadata(layout, dirty_log=dirty_log)
    assert (result.rmap, result.gfn_track, result.lpage_info, result.dirty_bitmap) == tuple(kb * KiB for kb in parts)
    assert result.total == total * KiB


@pytest.mark.parametrize(("plugged", "kilobytes"), PLUGGED)
def test_measured_dynamic_memslots(plugged: int, kilobytes: int) -> None:
    """A device that maps 4 GiB memslots as they are plugged costs what was measured under QEMU 10."""
    assert SHADOW.metadata([4 * GiB] * -(-plugged // 4)).total == kilobytes * KiB


def test_formula_of_one_tebibyte() -> None:
    """Without rounding, 1 TiB costs the bytes that the kernel's element sizes give."""
    result = SHADOW.metadata([TiB], dirty_log=True, rounded=False)
    assert result.as_dict() == {
        "rmap": 2147483648 + 4194304 + 8192,
        "gfn_track": 536870912,
        "lpage_info": 2097152 + 4096,
        "dirty_bitmap": 67108864,
    }


@pytest.mark.parametrize(
    ("host", "total"),
    [
        (KvmHost(tdp_mmu=False), 2690658304),
        (KvmHost(tdp_mmu=True, external_write_tracking=True), 538972160),
        (KvmHost(tdp_mmu=True, kernel=(5, 15)), 538972160),
        (KvmHost(tdp_mmu=True), 2101248),
        (KvmHost(tdp_mmu=True, nested=True), 2690658304),
        (KvmHost(tdp_mmu=True, kernel=(5, 13)), 2690658304),
        (KvmHost(tdp_mmu=False, tdp=True), 2690658304 - 536870912),
    ],
)
@pytest.mark.parametrize("smm", [False, True])
@pytest.mark.parametrize("dirty_log", [False, True])
def test_formula_cases(host: KvmHost, total: int, smm: bool, dirty_log: bool) -> None:
    """The cases of KVM's lazy allocation cost what they should for 1 TiB, twice with SMM, 64 MiB more when logging."""
    spaces = 2 if smm else 1
    with_smm = KvmHost.from_json(host.to_json() | {"smm": smm})
    result = with_smm.metadata([TiB], dirty_log, rounded=False)
    assert result.total == spaces * (total + (64 * MiB if dirty_log else 0))


@pytest.mark.parametrize(
    ("layout", "parts", "total", "dirty"),
    [
        ([500 * GiB], (1050628000, 262144000, 1026000), 1313798000, 32768000),
        ([], (0, 0, 0), 0, 0),
        ([GiB] * 3, (6303768, 1572864, 6156), 7882788, 196608),
        ([GiB] * 21, (44126376, 11010048, 43092), 55179516, 1376256),
        ([GiB] * 6, (12607536, 3145728, 12312), 15765576, 393216),
        ([GiB], (2101256, 524288, 2052), 2627596, 65536),
    ],
)
def test_rfc_example(layout: list[int], parts: tuple[int, ...], total: int, dirty: int) -> None:
    """The RFC's 500 GiB device with 1 GiB memslots has the effect that its formulas give."""
    quiet = SHADOW.metadata(layout, rounded=False)
    assert (quiet.rmap, quiet.gfn_track, quiet.lpage_info) == parts
    assert quiet.total == total
    assert SHADOW.metadata(layout, dirty_log=True, rounded=False).dirty_bitmap == dirty


def test_unaligned_start_touches_one_more_large_page() -> None:
    """A 1 GiB slot that starts 4 KiB late touches 513 pages of 2 MiB and two of 1 GiB."""
    result = SHADOW.metadata([GiB], bases=[GiB + PAGE], rounded=False)
    assert result.rmap == 8 * (262144 + 513 + 2)
    assert result.lpage_info == 4 * (513 + 2)


def test_slab_is_what_slabinfo_counted() -> None:
    """A 4 KiB slot has 512 bytes of structure and six vmalloc areas with 72 + 96 + 8 bytes each, outside the total."""
    result = SHADOW.metadata([PAGE] * 32_000)
    assert result.slab.bytes == 32_000 * (512 + 6 * (72 + 96 + 8))
    assert result.total == 32_000 * 6 * PAGE


def test_other_pages_and_architectures() -> None:
    """On arm64 a memslot has only a dirty bitmap, in pages of the host."""
    host = KvmHost(arch="arm64", page_size=64 * KiB)
    assert host.metadata([TiB]).total == 0
    bitmap = 2 * TiB // (64 * KiB) // 8
    assert host.metadata([TiB], dirty_log=True).as_dict() == dict.fromkeys(PARTS[:3], 0) | {"dirty_bitmap": bitmap}


def test_dirty_ring_needs_no_bitmap() -> None:
    """A dirty ring replaces the bitmap unless the bitmap is kept beside it."""
    assert KvmHost(dirty_tracking="ring").metadata([TiB], True).dirty_bitmap == 0
    assert KvmHost(dirty_tracking="ring-with-bitmap").metadata([TiB], True).dirty_bitmap == 65_664 * KiB


@given(hosts, slots, slots, st.booleans(), st.booleans())
def test_additive(host: KvmHost, left: Slots, right: Slots, dirty_log: bool, rounded: bool) -> None:
    """Slots cost what each costs by itself: nothing is shared between them."""

    def parts(pairs: Slots) -> npt.NDArray[np.int64]:
        return np.array(list(cost(host, pairs, dirty_log=dirty_log, rounded=rounded).as_dict().values()))

    assert (parts(left + right) == parts(left) + parts(right)).all()


@given(slots, st.booleans(), st.booleans())
def test_smm_doubles(pairs: Slots, dirty_log: bool, tdp_mmu: bool) -> None:
    """Two address spaces cost twice in every part."""
    one, two = (cost(KvmHost(tdp_mmu=tdp_mmu, smm=smm), pairs, dirty_log=dirty_log) for smm in (False, True))
    assert two.as_dict() == {name: 2 * size for name, size in one.as_dict().items()}
    assert two.slab.bytes == 2 * one.slab.bytes


@given(hosts, st.tuples(sizes, starts), st.data())
def test_splitting_never_gets_cheaper_before_page_lists(
    host: KvmHost, slot: tuple[int, int], data: st.DataObject
) -> None:
    """Cutting a slot in two never lowers any part's formula bytes: only whole pages of all levels are counted."""
    size, base = slot
    cut = data.draw(st.integers(0, size // PAGE - 1)) * PAGE
    whole = cost(host, [slot], dirty_log=True, rounded=False)
    halves = [(cut, base), (size - cut, base + cut)] if cut else [slot]
    split = cost(host, halves, dirty_log=True, rounded=False)
    assert all(split[name] >= whole[name] for name in PARTS)


def test_splitting_can_save_page_lists() -> None:
    """Of gfn_track, 256 slots of 4 GiB need less than one of 1 TiB: their page lists are small enough for the slab."""
    assert SHADOW.metadata([4 * GiB] * 256).gfn_track < SHADOW.metadata([TiB]).gfn_track


@given(hosts, slots, st.booleans())
def test_rounding_only_adds(host: KvmHost, pairs: Slots, dirty_log: bool) -> None:
    """Allocated bytes are whole pages, no less than the formula's, and 0 exactly where the formula's are."""
    exact, allocated = (cost(host, pairs, dirty_log=dirty_log, rounded=rounded) for rounded in (False, True))
    for name in PARTS:
        assert allocated[name] % PAGE == 0
        assert allocated[name] >= exact[name]
        assert (allocated[name] == 0) == (exact[name] == 0)


@given(st.tuples(sizes, starts), st.booleans())
def test_alignment_costs_at_most_one_entry_per_level(slot: tuple[int, int], nested: bool) -> None:
    """An unaligned start adds at most one entry per large-page level to what the aligned slot needs."""
    host = KvmHost(nested=nested)
    size, base = slot
    aligned, moved = host.metadata([size], rounded=False), host.metadata([size], bases=[base], rounded=False)
    assert 0 <= moved.lpage_info - aligned.lpage_info <= 2 * 4
    assert 0 <= moved.rmap - aligned.rmap <= 2 * 8
    assert moved.gfn_track == aligned.gfn_track


@given(hosts)
def test_json_round_trip(host: KvmHost) -> None:
    """A host survives JSON."""
    assert KvmHost.from_json(host.to_json()) == host


def test_takes_numpy_and_generators() -> None:
    """Lists, arrays and generators of the same sizes cost the same; no slots cost nothing."""
    layout = [GiB, GiB, 2 * GiB]
    expected = SHADOW.metadata(layout).total
    assert SHADOW.metadata(np.array(layout, dtype=np.uint64)).total == expected
    assert SHADOW.metadata(size for size in layout).total == expected
    assert SHADOW.metadata([]).total == SHADOW.metadata([]).slab.bytes == 0


def test_parts_explain_themselves() -> None:
    """Each part carries its formula, when it is allocated, and a source file."""
    result = SHADOW.metadata([GiB])
    assert tuple(part.name for part in result.parts) == PARTS
    for part in (*result.parts, result.slab):
        assert part.formula
        assert part.when
        assert ".c" in part.source or "/proc" in part.source


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SHADOW.metadata([4097]), "memslot size 4097 is not a multiple of 4 KiB"),
        (lambda: SHADOW.metadata([0]), "leave empty slots out"),
        (lambda: SHADOW.metadata([-4096]), "memslot size -4096"),
        (lambda: SHADOW.metadata([8 * TiB]), "cut it into several"),
        (lambda: SHADOW.metadata([4096.0]), "whole bytes"),
        (lambda: SHADOW.metadata([1 << 63]), "below 2^63"),
        (lambda: SHADOW.metadata([1 << 70]), "below 2^63"),
        (lambda: SHADOW.metadata([GiB], bases=[]), "give one start for each size"),
        (lambda: SHADOW.metadata([GiB], bases=[1]), "memslot start 1 is not"),
        (lambda: SHADOW.metadata([GiB])["rmaps"], "no part 'rmaps'"),
        (lambda: KvmHost(arch="mips"), "arch 'mips'"),
        (lambda: KvmHost(page_size=65536), "page_size 65536"),
        (lambda: KvmHost(arch="arm64", smm=True), "give smm=False"),
        (lambda: KvmHost(tdp_mmu=True, tdp=False), "needs EPT or NPT"),
        (lambda: KvmHost(dirty_tracking="log"), "dirty_tracking 'log'"),
        (lambda: KvmHost.from_json({"tdpmmu": True}), "no field 'tdpmmu'"),
        (lambda: kernel_version("linux"), "kernel release 'linux'"),
    ],
)
def test_bad_input_is_one_line(call: Callable[[], object], message: str) -> None:
    """What cannot be is refused in one line that names the value."""
    with pytest.raises(BadInput) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_largest_slot() -> None:
    """KVM's largest slot, 2^31 - 1 pages, is accepted."""
    assert SHADOW.metadata([MAX_SLOT_PAGES * PAGE], rounded=False).gfn_track == 2 * MAX_SLOT_PAGES


def test_kernel_version() -> None:
    """Major and minor version come from a release as `uname -r` prints it."""
    assert kernel_version("6.18.44-generic") == (6, 18)
    assert KvmHost(kernel=(5, 17)).page_exact is False
    assert KvmHost(kernel=kernel_version("5.18.0")).page_exact is True


@pytest.mark.parametrize("path", sorted(MEASUREMENTS.glob("*.json")), ids=lambda path: path.stem)
def test_stored_measurements(path: Path) -> None:
    """Every stored measurement of a real host equals what the model says for that host, to the page in every part."""
    report = json.loads(path.read_text())
    host = KvmHost.from_json(report["host"])
    assert report["measurements"]
    for row in report["measurements"]:
        runs = [(size, start + index * size) for count, size, start in row["memslots"] for index in range(count)]
        predicted = cost(replace(host, smm=row["address_spaces"] == 2), runs, dirty_log=row["dirty_log"])
        assert not row["disturbed"]
        assert abs(predicted.total - row["total"]) <= row["uncertainty"]
        if row["parts"] is not None:
            assert predicted.as_dict() == row["parts"]


def test_a_host_is_measured() -> None:
    """There is at least one measured host to compare with."""
    assert list(MEASUREMENTS.glob("*.json"))
