"""Other boards, looked at before the guest starts: a real QEMU against the model."""

import random
import shutil

import pytest

from workbook.live.qemu.binary import QemuMissing, find_qemu
from workbook.live.qemu.cold_boards import ask_model, ask_qemu, main, random_cold_line


@pytest.mark.qemu
@pytest.mark.parametrize("program", ["qemu-system-aarch64", "qemu-system-s390x"])
def test_random_lines(program: str) -> None:
    """Refusals, the tree of device memory and the memory devices of random VMs are the model's."""
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} here")
    try:
        qemu = find_qemu(program)
    except QemuMissing as missing:
        pytest.skip(str(missing))
    choose = random.Random(5)
    for _ in range(20):
        line = random_cold_line(choose, program)
        assert ask_model(line, qemu.version) == ask_qemu(line, qemu.path)


def test_lines_are_read() -> None:
    """Every random line is one that the model reads: it starts, or it is refused."""
    choose = random.Random(6)
    for program in ("qemu-system-aarch64", "qemu-system-s390x"):
        answers = [ask_model(random_cold_line(choose, program), "10.2.0") for _ in range(60)]
        assert any(one.refusal is None for one in answers)


def test_bad_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """A QEMU that is not there is one line and exit status 2."""
    assert main(["--qemu", "/nowhere/qemu-system-s390x", "--examples", "1"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
