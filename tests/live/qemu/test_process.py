"""Command lines that the harness completes."""

import pytest
from hypothesis import given, strategies as st

from workbook.lib.errors import BadInput
from workbook.live.qemu.process import argv_accel, with_accel, with_harness, without_harness

WORDS = st.lists(st.sampled_from(["-m", "4G", "-accel", "kvm", "-machine", "q35", "-nodefaults", "-display", "none"]))


@given(WORDS)
def test_harness_comes_and_goes(words: list[str]) -> None:
    """What the harness adds can be taken away again, and adding it twice is adding it once."""
    argv = ["qemu", "-display", "none", *words]
    assert without_harness(with_harness(argv)) == argv
    assert with_harness(with_harness(argv)) == with_harness(argv)


def test_trace_only_with_kvm() -> None:
    """The trace of KVM's ioctls is asked for only where KVM is used, and a display is never opened."""
    assert "-trace" in with_harness(["qemu", "-accel", "kvm"])
    assert "-trace" not in with_harness(["qemu", "-accel", "tcg"])
    assert with_harness(["qemu", "-accel", "tcg"])[3:5] == ["-display", "none"]
    assert "-display" not in with_harness(["qemu", "-nographic"])


@pytest.mark.parametrize("option", ["-daemonize", "--daemonize", "-qtest", "-bios", "-S"])
def test_options_that_would_break_control(option: str) -> None:
    """An option with which the harness would lose QEMU is refused by name."""
    with pytest.raises(BadInput, match=f"^{option} cannot be given"):
        with_harness(["qemu", option, "x"])


@pytest.mark.parametrize(
    ("argv", "accel", "with_tcg"),
    [
        (["q", "-accel", "kvm,dirty-ring-size=4096", "-m", "1G"], "kvm", ["q", "-accel", "tcg", "-m", "1G"]),
        (["q", "-M", "q35,accel=kvm:tcg"], "kvm", ["q", "-accel", "tcg", "-M", "q35"]),
        (["q", "-machine", "accel=kvm"], "kvm", ["q", "-accel", "tcg"]),
        (["q", "-enable-kvm", "-m", "1G"], "kvm", ["q", "-accel", "tcg", "-m", "1G"]),
        (["q", "-m", "1G"], "auto", ["q", "-accel", "tcg", "-m", "1G"]),
    ],
)
def test_accelerator(argv: list[str], accel: str, with_tcg: list[str]) -> None:
    """The accelerator is read from, and replaced in, each of QEMU's spellings."""
    assert argv_accel(argv) == accel
    assert with_accel(argv, "tcg") == with_tcg
    assert argv_accel(with_tcg) == "tcg"
