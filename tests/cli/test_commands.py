"""The command line: every sub-command and every command of a README starts, and says when there is nothing to do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from workbook.cli import COMMANDS
from workbook.data import FOLDER

REPOSITORY = FOLDER.parent
READMES = [REPOSITORY / "README.md", REPOSITORY / "workbook" / "README.md", *FOLDER.glob("*/README.md")]
MODULES = sorted(
    {
        name
        for readme in READMES
        if readme.exists()
        for name in re.findall(r"python -m (workbook[a-z_.]*[a-z_])", readme.read_text(encoding="utf-8"))
    }
)
NAMED = sorted(
    {
        name
        for readme in READMES
        if readme.exists()
        for name in re.findall(r"memslot-workbook ([a-z][a-z-]+)", readme.read_text(encoding="utf-8"))
    }
)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Python's module command as a user does."""
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """`--help` of a sub-command names it, and exits 0."""
    answer = run("workbook", name, "--help")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"usage: memslot-workbook {name} ")


@pytest.mark.parametrize("module", MODULES)
def test_every_module_that_a_readme_names_has_help(module: str) -> None:
    """``python -m MODULE --help`` of every command in a README names that command, and exits 0."""
    answer = run(module, "--help")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(("usage: python -m " + module, "usage: memslot-workbook"))


def test_readmes_name_commands() -> None:
    """The READMEs name every sub-command and no other, and modules for the test beside this one."""
    assert MODULES
    assert set(NAMED) == set(COMMANDS)


def test_help_lists_every_command() -> None:
    """The help of the whole command line has a line for each sub-command."""
    text = run("workbook", "--help").stdout
    assert all(re.search(rf"^  {name} +{re.escape(one.about)}$", text, re.MULTILINE) for name, one in COMMANDS.items())


def test_unknown_command_is_a_line() -> None:
    """A word that is no command exits 2 with one line that lists those there are."""
    answer = run("workbook", "predcit")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("memslot-workbook: there is no command 'predcit': known are predict, ")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [["workbook", "predict"], ["workbook.lib.recording"], ["workbook", "replay"], ["workbook.live.qemu"]],
    ids=" ".join,
)
@pytest.mark.qemu
def test_nothing_found_is_no_success(words: list[str], tmp_path: Path) -> None:
    """A folder without recordings is one line and exit code 2, never a silent success."""
    answer = run(*words, str(tmp_path))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "no recording found" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_predict_takes_the_shipped_recordings() -> None:
    """Without paths `predict` replays what the workbook ships, and nothing differs."""
    answer = run("workbook", "predict")
    assert answer.returncode == 0, answer.stdout
    assert re.fullmatch(r"\d+ recordings, \d+ steps, 0 differ\n", answer.stdout)
