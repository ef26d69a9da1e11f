"""The start command: one clear line and exit code 1 where it cannot start, JupyterLab where it can."""

import ast
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbook import __main__ as start

REPOSITORY = Path(start.__file__).parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "workbook", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=REPOSITORY)


def check_line(answer: subprocess.CompletedProcess[str], said: str) -> None:
    """One clear line on stderr, exit code 1, nothing else."""
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith("memslot-workbook: ")
    assert answer.stderr.count("\n") == 1
    assert said in answer.stderr


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be executed in place of this process."""
    commands: list[list[str]] = []

    def execute(path: str, command: list[str]) -> int:
        assert path == sys.executable
        commands.append(command)
        return 0

    monkeypatch.setattr(os, "execv", execute)
    return commands


def test_port_is_taken(taken_port: int) -> None:
    """A port that another program has is named, with the option that chooses another one."""
    check_line(run(f"--port={taken_port}", "--no-browser"), f"port {taken_port} is taken")
    assert "--port" in run(f"--port={taken_port}").stderr


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999999999"])
def test_port_that_is_none(port: str) -> None:
    """A number that is no port is said to be none, not to be taken."""
    check_line(run(f"--port={port}", "--no-browser"), f"port {port} is no port: 1 to 65535 are")


def test_folder_is_missing(tmp_path: Path) -> None:
    """A folder without the start notebook is named, with what to do."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        check_line(run("--notebooks", str(folder)), f"{folder} has no 00-start-here.ipynb")


def test_python_is_too_old(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An old Python is told apart from a new one before anything else is looked at."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 2, "final", 0))
    assert start.main(["--no-such-option"]) == 1
    said = capsys.readouterr()
    assert said.err == "memslot-workbook: Python 3.10 is too old: the workbook needs 3.11 or newer\n"
    assert said.out == ""


def test_file_is_read_by_an_old_python() -> None:
    """The file has no syntax that Python 3.6 lacks, so that it gets as far as its line."""
    ast.parse(Path(start.__file__).read_text(), feature_version=(3, 6))


def test_oldest_python_is_the_one_of_the_project() -> None:
    """The line and the project's metadata name the same Python."""
    oldest = ".".join(map(str, start.OLDEST))
    assert f'requires-python = ">={oldest}"' in (REPOSITORY / "pyproject.toml").read_text()


def test_help() -> None:
    """`--help` names every option and exits with 0; an unknown option is an error of one line below the usage."""
    answer = run("--help")
    assert answer.returncode == 0
    assert all(option in answer.stdout for option in ("--port", "--notebooks", "--no-browser"))
    wrong = run("--colour")
    assert wrong.returncode == 2
    assert "unrecognized arguments: --colour" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_jupyterlab_opens_at_the_start_notebook(started: list[list[str]]) -> None:
    """Where all is well JupyterLab takes over, in this Python, at the start notebook, on that very port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert start.main([f"--port={port}"]) == 0
    (command,) = started
    assert command[1:3] == ["-m", "jupyterlab"]
    assert f"--port={port}" in command
    assert "--ServerApp.port_retries=0" in command
    assert f"--notebook-dir={REPOSITORY / 'notebooks'}" in command
    assert "--LabApp.default_url=/lab/tree/00-start-here.ipynb" in command
    assert "--no-browser" not in command
    start.main([f"--port={port}", "--no-browser"])
    assert "--no-browser" in started[1]
