"""Open the workbook in JupyterLab: ``memslot-workbook`` or ``python -m workbook``."""

# No newer syntax or library than Python 3.6 has, so that a Python that is too old gets a line and not a traceback.
import argparse
import os
import socket
import sys

OLDEST = (3, 11)
START = "00-start-here.ipynb"


def main(arguments: "list[str] | None" = None) -> int:
    """Open JupyterLab at the start notebook; return the exit code."""
    if sys.version_info[:2] < OLDEST:
        have = ".".join(map(str, sys.version_info[:2]))
        return _fail(f"Python {have} is too old: the workbook needs {OLDEST[0]}.{OLDEST[1]} or newer")
    options = _options(arguments)
    folder = os.path.abspath(options.notebooks)
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


def _options(arguments: "list[str] | None") -> argparse.Namespace:
    clone = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(prog="memslot-workbook", description="Open the memslot workbook in JupyterLab.")
    parser.add_argument("--port", type=int, default=8888, help="port of the server on this machine (default 8888)")
    parser.add_argument("--notebooks", default=os.path.join(clone, "notebooks"), help="folder with the notebooks")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    return parser.parse_args(arguments)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _fail(line: str) -> int:
    print(f"memslot-workbook: {line}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
