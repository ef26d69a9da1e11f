"""The tables by kernel: equal, row by row, to what the sources say."""

import pytest

from workbook.lib.cost.hosts import NAMED_HOSTS
from workbook.tables.kernels import KERNEL_ROWS, host_table, kernel_table, main, merged_series_table

# kernels, rmap, gfn_track, kB of a terabyte, memslots; read in the kernels' sources
ROWS = [
    ("4.18, 5.4", "always", "always", 2_632_732, 509),
    ("5.10", "always", "always", 2_632_732, 509),
    ("5.12, 5.13", "always", "always", 2_632_732, 32_764),
    ("5.14", "lazy if tdp_mmu=Y", "always", 2_632_732, 32_764),
    ("5.15", "lazy", "always", 527_364, 32_764),
    ("5.16 to 6.8", "lazy", "lazy", 2_052, 32_764),
    ("5.16 to 6.8", "lazy", "always", 527_364, 32_764),
    ("since 6.9", "lazy", "lazy", 2_052, 32_764),
    ("since 6.9, vGPU", "lazy", "always", 527_364, 32_764),
    ("since 5.16, tdp_mmu=N", "always", "lazy", 2_107_420, 32_764),
    ("any, EPT/NPT off", "always", "always", 2_632_732, 32_764),
    ("any, nested guest ran", "always", "always", 2_632_732, 32_764),
    ("since 6.9, dirty log", "lazy", "lazy", 2_052 + 65_664, 32_764),
    ("RHEL 9 (5.14.0-NNN)", "lazy", "always", 527_364, 32_764),
    ("arm64, riscv, s390x", "none", "none", 0, 32_767),
]


def test_row_by_row() -> None:
    """Every row has the arrays, the kB of a terabyte and the memslot limit that its kernel has."""
    shown = [(row[0], row[2], row[3], row[4], row[5]) for row in kernel_table().rows]
    assert shown == ROWS


@pytest.mark.parametrize("row", KERNEL_ROWS, ids=lambda row: row.kernels)
def test_words_agree_with_the_model(row: object) -> None:
    """What a row says of rmap and gfn_track is what its host has."""
    assert row in KERNEL_ROWS
    for words, has in ((row.rmap, row.host.has_rmap), (row.gfn_track, row.host.has_gfn_track)):  # type: ignore[attr-defined]
        assert has is (words in {"always", "lazy if tdp_mmu=Y"})


def test_merged_series() -> None:
    """5, 2.5, 1 and 0.5 GiB are what the model says on the kernels named beside them, and not on newer ones."""
    rows = [(row[1], row[2]) for row in merged_series_table().rows]
    assert rows[:4] == [("5 GiB", "5 GiB"), ("2.5 GiB", "2.5 GiB"), ("1 GiB", "1 GiB"), ("512 MiB", "515 MiB")]
    assert rows[4:] == [("1 GiB", "4 MiB"), ("512 MiB", "2 MiB")]


def test_hosts_are_all_there() -> None:
    """Every host by name has a row."""
    assert [row[0] for row in host_table().rows] == list(NAMED_HOSTS)


def test_one_command_prints_all(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the three tables."""
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert all(repr(table) in printed for table in (kernel_table(), host_table(), merged_series_table()))
