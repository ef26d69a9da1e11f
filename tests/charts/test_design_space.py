"""The design space: every cell is the model's decision, late back ends included, and lines lie where it flips."""

from html import escape
from typing import Any

import numpy as np
import pytest

from workbook.charts.design_space import NOTHING, DesignSpace
from workbook.columns.design_space import flip_segments, runs
from workbook.gallery.design_space import design_space, flip_table
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.machine.machine import Machine
from workbook.lib.rules import Budget, get
from workbook.lib.size import GiB, TiB
from workbook.lib.sweep import Verdict, after, sweep
from workbook.lib.sweep.design_space import (
    BACKEND_REFUSED,
    BOOT_SECTIONS,
    KINDS,
    ONE,
    SEVERAL,
    Axes,
    Panel,
    environments,
    outcomes,
)

SMALL = Axes((GiB, 16 * GiB, 256 * GiB, 4 * TiB), (8, 64, 300, 508, 509, 4096))


def machine(rules: str, size: int, limit: int) -> int:
    """What becomes of a second device on a whole machine: the first one, a back end, then the second."""
    gib, more = size // GiB, ",dynamic-memslots=on" if rules == "qemu-8.2" else ""
    argv = [f"-nodefaults -accel kvm -machine q35,memory-backend=ram -m 4G,maxmem={4 + 2 * gib}G"]
    argv += ["-object memory-backend-memfd,id=ram,size=4G -chardev socket,id=c,path=/tmp/c"]
    argv += [f"-object memory-backend-memfd,id=mem{number},size={gib}G" for number in range(2)]
    argv += [f"-device virtio-mem-pci,id=vm0,memdev=mem0{more} -device vhost-user-fs-pci,id=fs0,chardev=c,tag=t"]
    argv += [f"-device virtio-mem-pci,id=vm1,memdev=mem1{more}"]
    try:
        vm = Machine.from_qemu_args(" ".join(argv), rules=rules, vhost_slots={"fs0": limit})
    except Refusal as refusal:
        return BACKEND_REFUSED if "fs0" in refusal.where else Verdict.VHOST + ONE
    return ONE if vm.picture.devices[1].decision.count == 1 else SEVERAL


@pytest.mark.parametrize("rules", ["rfc-2021", "rfc-2021-intended", "qemu-8.2"])
@pytest.mark.parametrize("size", [GiB, 16 * GiB, 256 * GiB])
def test_late_backend_is_what_a_machine_does(rules: str, size: int) -> None:
    """Outcomes with a back end between two devices are those of a whole machine, on both sides of every flip."""
    axes = Axes((size,), tuple(range(8, 513)))
    _, kinds = outcomes(rules, environments(axes), late=True)
    borders = np.flatnonzero(np.diff(kinds[:, 0]))
    for row in {0, *borders.tolist(), *(borders + 1).tolist(), len(kinds) - 1}:
        assert kinds[row, 0] == machine(rules, size, axes.limits[row]), axes.limits[row]


def test_back_end_first_refuses_nobody() -> None:
    """With the back end there from the start, two equal devices fit everywhere on the usual axes."""
    grid = environments(Axes.usual())
    for rules in ("rfc-2021", "rfc-2021-intended", "qemu-8.2"):
        first = sweep(rules, grid)
        assert not first.verdict.any()
        assert not sweep(rules, after(grid, first)).verdict.any()


def test_intended_reading_changes_nothing_late() -> None:
    """With equal devices and a late back end, step 5 of the RFC's heuristic decides nothing."""
    grid = environments(Axes.usual())
    assert np.array_equal(outcomes("rfc-2021", grid, late=True)[1], outcomes("rfc-2021-intended", grid, late=True)[1])


@pytest.mark.parametrize("rules", ["rfc-2021", "qemu-8.2"])
def test_panels_show_the_model(rules: str) -> None:
    """Values, kinds and words of every cell are what the scalar model decides there."""
    panels = {name: Panel.of(rules, environments(SMALL), name) for name in ("memslot size", "memslots", "refusals")}
    for row, limit in enumerate(SMALL.limits):
        for column, size in enumerate(SMALL.sizes):
            budget = Budget(
                device_memory_size=2 * size,
                kvm_max=32764,
                kvm_free=32754,
                vhost_max=limit,
                vhost_free=limit - BOOT_SECTIONS,
            )
            decision = get(rules).decide(budget, size)
            assert panels["memslot size"].values[row, column] == decision.memslot_size
            assert panels["memslots"].values[row, column] == decision.count
            kind = panels["refusals"].kinds[row, column]
            assert kind == (ONE if decision.count == 1 else SEVERAL)
            assert panels["memslots"].words[row * 4 + column].startswith(f"{decision.count:,} x ")


def test_metadata_saved() -> None:
    """A quarter of 256 GiB in memslots of 1 GiB saves what `KvmHost` says; one memslot saves nothing."""
    host = KvmHost(tdp_mmu=False)
    panel = Panel.of("qemu-8.2", environments(SMALL), "metadata saved", plugged=0.25, host=host)
    whole, mapped = host.metadata([256 * GiB]).total, host.metadata([2 * GiB] * 32).total
    assert panel.values[:, 2].tolist() == [0, 0, 0, 0, *[100 * (1 - mapped / whole)] * 2]
    assert panel.words[4 * 4 + 2].endswith(f" Saves {100 * (1 - mapped / whole):.1f} %.")


def test_refused_cells_have_no_value() -> None:
    """A device that is refused has no memslots to show, and the words are QEMU's."""
    grid = environments(SMALL, fitting=1)
    refused = Panel.of("rfc-2021", grid, "memslots", late=True)
    assert np.isnan(refused.values).all()
    assert set(refused.kinds.ravel().tolist()) == {Verdict.VHOST + ONE, Verdict.SPACE + ONE, BACKEND_REFUSED}
    assert "not enough space, currently" in refused.words[-1]
    assert refused.words[3].startswith("Back end refused: vhost backend memory slots limit is less")
    assert sum(refused.share(kind) for kind in range(len(KINDS))) == pytest.approx(1)


def test_lines_lie_where_values_differ() -> None:
    """Segments are the borders between different neighbours; boxes cover exactly the cells of the wanted kinds."""
    values = np.array([[0, 0, 1], [0, 2, 1]], np.uint8)
    found = flip_segments(values)
    lines = set(zip(found["x0"], found["y0"], found["x1"], found["y1"], strict=True))
    assert lines == {(2, 0, 2, 1), (1, 1, 1, 2), (2, 1, 2, 2), (1, 1, 2, 1)}
    assert runs(values, (1, 2)) == {
        "left": [2, 1, 2],
        "right": [3, 2, 3],
        "bottom": [0, 1, 1],
        "top": [1, 2, 2],
        "kind": [1, 2, 1],
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_update_and_describe(theme: Any) -> None:
    """A chart starts empty, shows what it is given, and says it in words; the colours span the shown values."""
    chart = DesignSpace("memslots", panels=2, theme=theme)
    assert chart.describe() == NOTHING
    panels = [Panel.of(rules, environments(SMALL), "memslots") for rules in ("rfc-2021", "qemu-8.2")]
    chart.update(SMALL, panels)
    assert chart.describe().splitlines() == [
        "rfc-2021: several memslots 75.0 %, one memslot 25.0 %; 1 to 1,024 memslots.",
        "qemu-8.2: several memslots 25.0 %, one memslot 75.0 %; 1 to 128 memslots.",
    ]
    assert [one.title.text for one in chart.figures] == ["rfc-2021", "qemu-8.2"]
    assert np.array_equal(chart.images[1].data["image"][0], panels[1].values)
    assert chart.words.data["0"] == [escape(one) for one in panels[0].words]


def test_maps_must_fit() -> None:
    """Another number of maps, other shapes, unknown quantities and impossible environments are bad input."""
    chart, panel = DesignSpace("memslots", panels=1), Panel.of("single", environments(SMALL), "memslots")
    for wrong in ([panel, panel], []):
        with pytest.raises(BadInput, match="maps of shapes"):
            chart.update(SMALL, wrong)
    with pytest.raises(BadInput, match=r"\(6, 4\)"):
        chart.update(Axes((GiB,), (8,)), [panel])
    with pytest.raises(BadInput, match=r"'colour'.*memslot size"):
        DesignSpace("colour")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"'colour'.*memslot size"):
        Panel.of("single", environments(SMALL), "colour")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="room for 0 devices"):
        environments(SMALL, fitting=0)
    with pytest.raises(BadInput, match="2 memslots is full after boot: give 3"):
        environments(Axes((GiB,), (2, 8)))


def test_table_of_flips() -> None:
    """Every limit is swept: the merged rule flips between 508 and 509, the RFC's outcomes leave no gap."""
    table = flip_table([256 * GiB], ("rfc-2021", "qemu-8.2"))
    assert [row[2:] for row in table.rows if row[0] == "qemu-8.2"] == [
        (3, 508, "one memslot"),
        (509, 4096, "several memslots"),
    ]
    late = flip_table([256 * GiB], ["rfc-2021"], late=True).rows
    assert [(first, last) for _, _, first, last, _ in late] == [(3, 257), (258, 513), (514, 4096)]


def test_picture_describes_itself() -> None:
    """In a notebook a picture's text is the chart's description; rule sets go by name or object."""
    picture = design_space("refusals", [get("single"), "qemu-8.2"], axes=SMALL)
    assert repr(picture) == "single: one memslot 100.0 %.\nqemu-8.2: several memslots 25.0 %, one memslot 75.0 %."
