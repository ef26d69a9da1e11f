"""Random days of a node: sums that add up, from a seed, whatever works on them."""

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from workbook.batch import Day, timelines
from workbook.batch.timelines import TIMELINE_COLUMNS
from workbook.lib import Machine
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB

pytest.importorskip("pyarrow")

LINE = (
    "qemu-system-x86_64 -accel kvm -m 4G,maxmem=104G -object memory-backend-ram,id=mem0,size=100G "
    "-device virtio-mem-pci,id=vm0,memdev=mem0"
)
DYNAMIC = f"{LINE},dynamic-memslots=on"


def days(*vms: str, runs: int = 3, **given: object) -> list[dict[str, float]]:
    """Return the rows of a few days."""
    table = timelines(vms, runs, workers=1, **given)  # type: ignore[arg-type]
    assert table is not None
    assert table.column_names == list(TIMELINE_COLUMNS)
    return list(table.to_pylist())


def test_one_memslot_is_always_mapped() -> None:
    """Without dynamic-memslots nothing is updated, and all that is not plugged is exposed."""
    for row in days(LINE, LINE):
        assert (row["memslots_peak"], row["memslots_mean"], row["updates"]) == (2, 2, 0)
        assert row["exposed_mean"] + row["plugged_mean"] == 200 * GiB


def test_memslots_on_demand_follow_the_guest() -> None:
    """With them every change is an update, and what is exposed is at most the rest of each device's last memslot."""
    for row in days(DYNAMIC, day=Day(unmovable=0)):
        assert 0 < row["memslots_mean"] < row["memslots_peak"] <= 100
        assert row["updates"] >= row["memslots_peak"]
        assert row["exposed_peak"] < GiB


def test_a_guest_that_never_changes_has_a_flat_day() -> None:
    """Without changes the day is the machine as it starts."""
    vm = Machine.from_text(DYNAMIC)
    (row,) = days(DYNAMIC, runs=1, day=Day(changes=0))
    assert (row["requests"], row["memslots_peak"], row["exposed_peak"]) == (0, len(vm.view), vm.exposed)


@settings(max_examples=10, deadline=None)
@given(unmovable=st.floats(0, 1), changes=st.floats(0, 8), swing=st.floats(0, 1), spread=st.floats(0, 1))
def test_peaks_are_above_means(unmovable: float, changes: float, swing: float, spread: float) -> None:
    """Whatever guests do, no mean exceeds its peak, and nothing exceeds the device."""
    day = Day(hours=4, unmovable=unmovable, changes=changes, swing=swing, spread=spread)
    (row,) = days(DYNAMIC, runs=1, day=day)
    for name in ("memslots", "metadata", "plugged", "exposed"):
        assert row[f"{name}_mean"] <= row[f"{name}_peak"]
    assert row["plugged_peak"] <= 100 * GiB
    assert row["plugged_peak"] + row["exposed_peak"] <= 200 * GiB


def test_what_cannot_be_moved_stays_plugged() -> None:
    """A guest that can give nothing back only grows."""
    (row,) = days(DYNAMIC, runs=1, day=Day(unmovable=1, changes=4))
    (other,) = days(DYNAMIC, runs=1, day=Day(unmovable=0, changes=4))
    assert row["plugged_mean"] > other["plugged_mean"]


def test_the_seed_decides_and_not_who_works(tmp_path: Path) -> None:
    """Days depend on seed and number alone; processes and files give the same."""
    parquet = pytest.importorskip("pyarrow.parquet")
    table = timelines([DYNAMIC], 300, day=Day(hours=1), workers=1)
    assert table is not None
    assert timelines([DYNAMIC], 300, day=Day(hours=1), workers=2).equals(table)  # type: ignore[union-attr]
    assert not timelines([DYNAMIC], 300, day=Day(hours=1), workers=1, seed=2).equals(table)  # type: ignore[union-attr]
    timelines([DYNAMIC], 300, to=tmp_path / "days.parquet", day=Day(hours=1), workers=1)
    assert parquet.read_table(tmp_path / "days.parquet").equals(table)


def test_a_vm_that_does_not_start_is_an_error_of_the_call() -> None:
    """One line says which VM, and why."""
    with pytest.raises(BadInput, match="text: a VM that does not start has no day"):
        timelines(["qemu-system-x86_64 -m 4G,maxmem=2G"], 1)
    with pytest.raises(BadInput, match="day unmovable is 2"):
        Day(unmovable=2)
