"""The built wheel in an empty environment, outside the checkout: everything that a user starts works there."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from workbook.data import FOLDER

REPOSITORY = FOLDER.parent
pytestmark = pytest.mark.skipif(
    not (REPOSITORY / "pyproject.toml").exists(), reason="a wheel is built from a checkout of the repository"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY)],
        check=True,
        timeout=240,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content alone, as pip lays it into site-packages."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def environment(installed: Path) -> dict[str, str]:
    """Variables under which Python finds the wheel's content before any checkout."""
    return {**os.environ, "PYTHONPATH": str(installed), "PYTHONNOUSERSITE": "1"}


def run(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder` with the wheel's content."""
    return subprocess.run(
        [sys.executable, *words],
        env=environment(installed),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_wheel_has_everything(wheel: Path) -> None:
    """Recordings, measurements, the cover letter, notebooks, front-end files and the typing marker are in the wheel."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "workbook/py.typed" in names
    listed = subprocess.run(
        ["git", "ls-files", "workbook", "data", "notebooks"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    tracked = filter(None, listed.stdout.split("\n"))
    wanted = {re.sub(r"^(data|notebooks)/", r"workbook/shipped/\1/", name) for name in tracked}
    assert {name for name in wanted if (REPOSITORY / name.replace("workbook/shipped/", "")).exists()} <= names


def test_the_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    """The commands below run the wheel's files, not those of the checkout."""
    answer = run(installed, tmp_path, "-c", "import workbook; print(workbook.__file__)")
    assert Path(answer.stdout.strip()).is_relative_to(installed)


def test_predict(installed: Path, tmp_path: Path) -> None:
    """`predict` replays the shipped recordings; nothing differs."""
    answer = run(installed, tmp_path, "-m", "workbook", "predict")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert re.fullmatch(r"\d{3,} recordings, \d{4,} steps, 0 differ\n", answer.stdout)


def test_report(installed: Path, tmp_path: Path) -> None:
    """`report --preset cover-letter` writes its page."""
    answer = run(installed, tmp_path, "-m", "workbook", "report", "--preset", "cover-letter", "-o", "page.html")
    assert answer.returncode == 0, answer.stderr
    assert "virtio-mem-memslots" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_measured_hosts(installed: Path, tmp_path: Path) -> None:
    """The tables of measured hosts are filled."""
    answer = run(installed, tmp_path, "-c", "from workbook.data import measurements; print(len(measurements()))")
    assert int(answer.stdout) == len(list((REPOSITORY / "data" / "measurements").glob("*.json")))


@pytest.fixture
def port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_start_command_copies_the_notebooks(installed: Path, tmp_path: Path, port: int) -> None:
    """``memslot-workbook`` serves a copy of the notebooks in ./memslot-notebooks; what the user has there stays."""
    mine = tmp_path / "memslot-notebooks" / "01-cover-letter.ipynb"
    mine.parent.mkdir()
    mine.write_text("mine")
    server = subprocess.Popen(
        [sys.executable, "-m", "workbook", "--no-browser", f"--port={port}"],
        env={**environment(installed), "JUPYTER_TOKEN": "workbook", "JUPYTER_CONFIG_DIR": str(tmp_path / "config")},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}/api/contents/00-start-here.ipynb?token=workbook&content=0"
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(address, timeout=2) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert mine.read_text() == "mine"
    copied = {one.name for one in mine.parent.glob("*.ipynb")}
    assert copied == {one.name for one in (REPOSITORY / "notebooks").glob("*.ipynb")}
