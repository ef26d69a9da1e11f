"""``memslot-workbook`` or ``python -m workbook``: open the workbook in JupyterLab, or run a sub-command."""

# No newer syntax or library than Python 3.6 has, so that a Python that is too old gets a line and not a traceback.
import argparse
import os
import shutil
import socket
import sys

OLDEST = (3, 11)
START = "00-start-here.ipynb"
COPY = "memslot-notebooks"
"""Folder for the user's notebooks where the workbook is installed without its repository."""


def main(arguments: "list[str] | None" = None) -> int:
    """Open JupyterLab at the start notebook; return the exit code."""
    if sys.version_info[:2] < OLDEST:
        have = ".".join(map(str, sys.version_info[:2]))
        return _fail(f"Python {have} is too old: the workbook needs {OLDEST[0]}.{OLDEST[1]} or newer")
    words = sys.argv[1:] if arguments is None else arguments
    if words and not words[0].startswith("-"):
        from workbook.cli import COMMANDS, run  # noqa: PLC0415 - a Python that is too old cannot read it

        if words[0] not in COMMANDS:
            return _fail(f"there is no command {words[0]!r}: known are {', '.join(COMMANDS)}", 2)
        return run(words[0], words[1:])
    options = _options(words)
    try:
        folder = os.path.abspath(_own_notebooks() if options.notebooks is None else options.notebooks)
    except OSError as error:
        return _fail(f"the notebooks cannot be copied to ./{COPY}: {error}")
    if not os.path.exists(os.path.join(folder, START)):
        return _fail(f"{folder} has no {START}: run this in a clone of the repository, or give --notebooks FOLDER")
    if not 1 <= options.port <= 65535:
        return _fail(f"port {options.port} is no port: 1 to 65535 are; give another one with --port")
    if not _is_free(options.port):
        return _fail(f"port {options.port} is taken: close the program that uses it, or give another one with --port")
    command = [sys.executable, "-m", "jupyterlab", f"--port={options.port}", "--ServerApp.port_retries=0"]
    command += [f"--notebook-dir={folder}", f"--LabApp.default_url=/lab/tree/{START}"]
    command += ["--no-browser"] if options.no_browser else []
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return os.execv(sys.executable, command)  # noqa: S606 - fixed arguments, no shell


def _options(words: "list[str]") -> argparse.Namespace:
    from workbook.cli import COMMANDS  # noqa: PLC0415 - a Python that is too old cannot read it

    listed = "\n".join(f"  {name:14} {command.about}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="memslot-workbook",
        usage="%(prog)s [--port PORT] [--notebooks FOLDER] [--no-browser]\n       %(prog)s COMMAND ...",
        description="Open the memslot workbook in JupyterLab, or run a command.",
        epilog="commands (COMMAND --help says more):\n" + listed,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8888, help="port of the server on this machine (default 8888)")
    parser.add_argument(
        "--notebooks", metavar="FOLDER", help=f"folder with the notebooks (default: the repository's, or ./{COPY})"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    return parser.parse_args(words)


def _own_notebooks() -> str:
    """Return the repository's notebooks; of an installed workbook, the user's copy, which is completed first."""
    package = os.path.dirname(os.path.abspath(__file__))
    clone = os.path.join(os.path.dirname(package), "notebooks")
    shipped = os.path.join(package, "shipped", "notebooks")
    if os.path.exists(os.path.join(clone, START)) or not os.path.isdir(shipped):
        return clone
    if not os.path.isdir(COPY):
        os.mkdir(COPY)
    for name in sorted(os.listdir(shipped)):
        target = os.path.join(COPY, name)
        if name.endswith(".ipynb") and not os.path.exists(target):
            shutil.copyfile(os.path.join(shipped, name), target + ".part")
            os.rename(target + ".part", target)
    return COPY


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _fail(line: str, status: int = 1) -> int:
    print("memslot-workbook: " + line, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
