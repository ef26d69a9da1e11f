"""Sweeps of whole VMs: each point is the machine that a user would make by hand."""

from pathlib import Path

import pytest

from workbook.batch import sweep
from workbook.lib import Machine
from workbook.lib.errors import BadInput
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.presets import PRESETS
from workbook.lib.size import GiB

pytest.importorskip("pyarrow")

VM = PRESETS["cover-letter"].scenario
SETTINGS_SWEPT = {"device_size": [64 * GiB, 512 * GiB], "vhost_slots": [None, 64, 509], "cpu_vendor": ["intel", "amd"]}
RULES = ["qemu-10.0", "rfc-2021"]


def test_every_point_is_a_machine_made_by_hand() -> None:
    """Grid in the order of the settings, rule sets innermost; numbers as those of a `Machine`."""
    table = sweep(VM, SETTINGS_SWEPT, RULES, workers=1)
    assert table is not None
    rows = table.to_pylist()
    assert table.column_names[:4] == [*SETTINGS_SWEPT, "rules"]
    assert len(rows) == 2 * 3 * 2 * len(RULES)
    for row in rows[:: len(rows) // 6]:
        scenario = VM
        for name in ("device_size", "vhost_slots"):
            scenario = SETTINGS[name].put(scenario, row[name], None)
        machine = Machine(scenario, row["rules"])
        for device in machine.devices:
            machine.settle(device.id)
        assert row["verdict"] == "starts"
        assert row["memslots_mapped"] == len(machine.view)
        assert row["exposed"] == machine.exposed


def test_points_that_cannot_be_are_rows() -> None:
    """What QEMU refuses has its words; what no scenario can be is unreadable; the rest goes on."""
    table = sweep(VM, {"maxmem": [-1, 5 * GiB, VM.maxmem]}, workers=1)
    assert table is not None
    assert table.column("verdict").to_pylist() == ["unreadable", "refused", "starts"]
    assert table.column("message").to_pylist()[1].startswith("not enough space")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"colour": [1]}, "there is no setting 'colour'"),
        ({"vm9.requested_size": [0]}, "the VM has no device 'vm9'"),
        ({"rules": ["qemu-10.0"]}, "rules are an argument"),
        ({"chipset": ["i486"]}, "chipset cannot be 'i486'"),
        ({"cpu_vendor": ["via"]}, "cpu_vendor"),
        ({"ram": [1 << 30, "2G"]}, "Boot RAM .2G. is no size"),
    ],
)
def test_a_wrong_axis_is_an_error_of_the_call(settings: dict[str, list[str | int]], said: str) -> None:
    """One line names the setting and what is allowed."""
    with pytest.raises(BadInput, match=said):
        sweep(VM, settings, workers=1)


def test_cores_and_files_give_the_same_table(tmp_path: Path) -> None:
    """Other processes, and a file of record batches, hold what one process returns."""
    ipc = pytest.importorskip("pyarrow.ipc")
    settings = {"requested_size": [number * GiB for number in range(40)], "smm": [True, False]}
    table = sweep(VM, settings, RULES, workers=1)
    assert sweep(VM, settings, RULES, workers=2).equals(table)  # type: ignore[union-attr]
    assert sweep(VM, settings, RULES, to=tmp_path / "grid.arrow", workers=1) is None
    assert ipc.open_stream(tmp_path / "grid.arrow").read_all().equals(table)
