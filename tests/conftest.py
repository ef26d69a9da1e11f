"""The real QEMU as a judge, for every room's tests."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from workbook.live.qemu.binary import QemuBinary, QemuMissing, find_qemu
from workbook.report.__main__ import main as write_report

# a busy machine is no failure
settings.register_profile("workbook", deadline=None)
settings.load_profile("workbook")


class OneFileOneWorker(LoadFileScheduling):
    """Side by side (`-n`), a file's tests share a worker, and those that measure or start KVM are one queue.

    They read counters of the whole machine and would disturb each other.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "live" if nodeid.startswith("tests/live/") else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneFileOneWorker:
    """Return what hands the tests out to the workers."""
    return OneFileOneWorker(config, log)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Children of a background job inherit that it ignores SIGINT; those that tests interrupt must not."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def standard_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the cover letter's VM, made once by its command for every test that looks at it."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert write_report(["--preset", "cover-letter", "-o", str(path)]) == 0
    return path


Ask = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def qemu_binary() -> QemuBinary:
    """A QEMU >= 8.2; without one the tests skip, in CI they fail."""
    try:
        return find_qemu()
    except QemuMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def ask_qemu(qemu_binary: QemuBinary) -> Ask:
    """Start a stopped QEMU (tcg) with more arguments, type into its monitor: what it showed, what it complained of."""

    def ask(arguments: Sequence[str], monitor: str = "") -> tuple[str, str]:
        fixed = ["-accel", "tcg", "-nodefaults", "-display", "none", "-monitor", "stdio", "-S"]
        answer = subprocess.run(
            [qemu_binary.path, *fixed, *arguments],
            input=f"{monitor}\nquit\n",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
        name = f"{qemu_binary.path.name}: "
        complaints = [line.removeprefix(name) for line in answer.stderr.removesuffix("\n").split("\n")]
        return answer.stdout, "\n".join(complaints)

    return ask
