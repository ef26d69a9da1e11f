"""Open the workbook in JupyterLab: ``memslot-workbook`` or ``python -m workbook``."""

# Runs on any Python 3, so that one that is too old gets a line and not a traceback.
import argparse
import os
import socket
import sys

OLDEST = (3, 11)
START = "00-start-here.ipynb"


def main(arguments=None):  # type: ignore[no-untyped-def]  # an old Python reads this file too
    """Open JupyterLab at the start notebook; return the exit code."""
    if sys.version_info[:2] < OLDEST:
        wanted, have = ".".join(map(str, OLDEST)), ".".join(map(str, sys.version_info[:2]))
        return _fail("Python {} is too old: the workbook needs {} or newer".format(have, wanted))  # noqa: UP032
    options = _options(arguments)
    folder = os.path.abspath(options.notebooks or _notebooks())  # noqa: PTH100 - pathlib is newer than some Pythons
    if not os.path.exists(os.path.join(folder, START)):  # noqa: PTH110, PTH118
        return _fail(f"{folder} has no {START}: run this in a clone of the repository, or give --notebooks FOLDER")
    if not _is_free(options.port):
        return _fail(f"port {options.port} is taken: close the program that uses it, or give another one with --port")
    command = [sys.executable, "-m", "jupyterlab", f"--port={options.port}", "--ServerApp.port_retries=0"]
    command += [f"--notebook-dir={folder}", f"--LabApp.default_url=/lab/tree/{START}"]
    command += ["--no-browser"] if options.no_browser else []
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    os.execv(sys.executable, command)  # noqa: S606 - fixed arguments, no shell
    return 0


def _options(arguments):  # type: ignore[no-untyped-def]
    parser = argparse.ArgumentParser(prog="memslot-workbook", description="Open the memslot workbook in JupyterLab.")
    parser.add_argument("--port", type=int, default=8888, help="port of the server on this machine (default 8888)")
    parser.add_argument("--notebooks", help="folder with the notebooks (default: the clone's)")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    return parser.parse_args(arguments)


def _notebooks():  # type: ignore[no-untyped-def]
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    return os.path.join(here, "notebooks")  # noqa: PTH118


def _is_free(port):  # type: ignore[no-untyped-def]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def _fail(line):  # type: ignore[no-untyped-def]
    print("memslot-workbook: " + line, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
