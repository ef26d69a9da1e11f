"""Other boards, looked at before the guest starts: a real QEMU against the model."""

import random
import shutil

import pytest

from workbook.lib.actions import Plug, RequestSize, Start
from workbook.live.qemu.binary import QemuBinary, QemuMissing, find_qemu
from workbook.live.qemu.cold_boards import (
    ask_model,
    ask_qemu,
    differences_of_requests,
    main,
    random_cold_line,
    random_requests,
)


def _found(program: str) -> QemuBinary:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} here")
    try:
        return find_qemu(program)
    except QemuMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.qemu
@pytest.mark.parametrize("program", ["qemu-system-aarch64", "qemu-system-s390x"])
def test_random_lines(program: str) -> None:
    """Refusals, the tree of device memory and the memory devices of random VMs are the model's."""
    qemu = _found(program)
    choose = random.Random(5)
    for _ in range(20):
        line = random_cold_line(choose, program)
        assert ask_model(line, qemu.version) == ask_qemu(line, qemu.path)


@pytest.mark.qemu
def test_random_requests() -> None:
    """On virt a driver that reaches PCI by ECAM plugs and unplugs: each step shows what the model says."""
    qemu = _found("qemu-system-aarch64")
    choose = random.Random(7)
    played = 0
    while played < 5:
        line = random_cold_line(choose, "qemu-system-aarch64", firmware=False)
        if actions := random_requests(choose, line, qemu.version):
            assert differences_of_requests(line, actions, qemu) == []
            played += 1


def test_requests_need_a_device() -> None:
    """A line that QEMU refuses, or that has no virtio-mem device, has nothing to ask; others begin with a request."""
    choose = random.Random(8)
    assert random_requests(choose, "qemu-system-aarch64 -machine virt -m 2G", "10.2.0") == []
    assert random_requests(choose, "qemu-system-aarch64 -m 2G", "10.2.0") == []
    device = "-object memory-backend-ram,id=m0,size=4G -device virtio-mem-pci,id=d0,memdev=m0"
    for _ in range(20):
        start, first, *rest = random_requests(
            choose, f"qemu-system-aarch64 -machine virt -m 2G,maxmem=8G {device}", "11.1.3"
        )
        assert (start, type(first)) == (Start(), RequestSize)
        assert len(rest) >= 3
        assert all(one.size % (2 << 20) == 0 for one in rest if isinstance(one, Plug))


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


@pytest.mark.qemu
def test_requests_of_another_board(capsys: pytest.CaptureFixture[str]) -> None:
    """Only virt has a driver; for another program that is one line and exit status 2."""
    assert main(["--qemu", "qemu-system-x86_64", "--requests", "--examples", "1"]) == 2
    assert "--requests needs qemu-system-aarch64" in capsys.readouterr().err
