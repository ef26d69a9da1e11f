"""The QEMU of another Debian suite, unpacked below a directory and not installed.

``python -m workbook.live.qemu.debian SUITE --prefix FOLDER`` downloads the packages with an apt of its own (its own
lists, an empty status: so every library comes along), unpacks them and writes one start script for each program, which
``--qemu`` of the other commands takes. It needs apt-get and dpkg-deb, and no root.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workbook.lib.errors import BadInput
from workbook.live.cli import ended

__all__ = ("ARCHITECTURES", "Archive", "UnpackFailed", "host_archive", "main", "unpack")

ARCHITECTURES: Final[Mapping[str, tuple[str, ...]]] = {
    "x86_64": ("qemu-system-x86",),
    "aarch64": ("qemu-system-arm",),
    # a package of its own since Debian's QEMU 10.1, before that among the rest
    "s390x": ("qemu-system-s390x", "qemu-system-misc"),
}
"""Debian's packages by program; the first one that the suite has is taken."""

_SOURCES: Final = Path("/etc/apt")
_TIMEOUT: Final = 900.0
_PASSED_OVER: Final = ("./usr/share/doc*", "./usr/share/man*", "./usr/share/locale*", "./usr/share/icons*")
_SUITE = re.compile(r"[a-z][a-z0-9-]*")
_LIBRARIES: Final = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/pulseaudio")
_FIRMWARE: Final = ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu")


class UnpackFailed(BadInput):
    """The packages are not available; one line says why."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Where Debian's packages come from.

    Attributes
    ----------
    uri
        As in apt's sources.
    keyring
        File with the keys that sign it; empty: apt's own.
    """

    uri: str
    keyring: str = ""

    def line(self, suite: str) -> str:
        """Return the line of apt's ``sources.list`` for a suite."""
        signed = f"[signed-by={self.keyring}] " if self.keyring else ""
        return f"deb {signed}{self.uri} {suite} main\n"


def host_archive(folder: Path = _SOURCES) -> Archive:
    """Return the archive that this machine's own apt uses for Debian itself.

    Raises
    ------
    UnpackFailed
        This is no Debian, or its sources name none.
    """
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("sources.list.d/*.sources"))]
    for stanza in (stanza for text in texts for stanza in re.split(r"\n\s*\n", text)):
        given = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.+)$", stanza, re.MULTILINE))
        for uri in given.get("URIs", "").split():
            if uri.rstrip("/").endswith("/debian"):
                keyring = given.get("Signed-By", "")
                return Archive(uri, keyring if keyring.startswith("/") else "")
    for path in (folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        found = re.search(r"^deb[ \t]+(?:\[([^]]*)\][ \t]+)?(\S+/debian/?)[ \t]", text, re.MULTILINE)
        if found:
            keyring = re.search(r"signed-by=(/\S+)", found[1] or "")
            return Archive(found[2], keyring[1] if keyring else "")
    raise UnpackFailed("apt's sources here name no Debian archive: give one with --archive URL")


def unpack(
    suite: str, prefix: Path, architectures: Sequence[str] = ("x86_64",), archive: Archive | None = None
) -> dict[str, Path]:
    """Download and unpack the QEMU of a suite; what is there already is replaced.

    Parameters
    ----------
    suite
        Name of the suite, such as ``trixie`` or ``sid``.
    prefix
        Folder that gets a folder of the suite's name.
    architectures
        Keys of `ARCHITECTURES`.

    Returns
    -------
    dict
        The start scripts by architecture.

    Raises
    ------
    UnpackFailed
        apt is not here, or a download fails.
    """
    if not _SUITE.fullmatch(suite):
        raise UnpackFailed(f"{suite!r:.60} is no name of a Debian suite: give one such as trixie or sid")
    for tool in ("apt-get", "apt-cache", "dpkg-deb", "tar"):
        if shutil.which(tool) is None:
            raise UnpackFailed(f"{tool} is not here: this needs Debian or Ubuntu, or their packages apt and dpkg")
    folder = (prefix / suite).resolve()
    try:
        for name in ("apt", "root"):
            shutil.rmtree(folder / name, ignore_errors=True)
        apt = _private_apt(folder / "apt", (archive or host_archive()).line(suite))
        root = folder / "root"
        root.mkdir()
    except OSError as error:
        raise UnpackFailed(f"{folder} cannot be written ({error.strerror}): give another --prefix") from error
    _run(["apt-get", "-q", "update"], apt, f"the lists of {suite}")
    packages = [_package(one, apt, suite) for one in architectures]
    command = ["apt-get", "-q", "-y", "--no-install-recommends", "--download-only", "install", *packages]
    _run(command, apt, f"the packages of {suite}")
    for package in sorted((folder / "apt" / "cache" / "archives").glob("*.deb")):
        _extract(package, root)
    shutil.rmtree(folder / "apt")
    return {one: _script(folder, root, one) for one in architectures}


def _private_apt(folder: Path, source: str) -> dict[str, str]:
    """Lay out an apt that knows nothing of this machine; return the environment that selects it."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(source, encoding="utf-8")
    settings = {
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": folder,
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
    }
    lines = [f'{name} "{value}";\n' for name, value in settings.items()]
    # what runs after an update here is for the system's own lists
    lines += ["#clear APT::Update::Post-Invoke;\n", "#clear APT::Update::Post-Invoke-Success;\n"]
    (folder / "apt.conf").write_text("".join(lines), encoding="utf-8")
    return {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _run(command: Sequence[str], environment: Mapping[str, str], what: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 (a list, no shell; names are checked)
            command,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise UnpackFailed(f"{what}: no download in {_TIMEOUT:.0f} s") from None
    complaints = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:", "Err:"))]
    # apt-get update ends well where it could fetch nothing
    failed = done.returncode or any("Failed to fetch" in line or "no longer has" in line for line in complaints)
    if failed:
        reason = next(
            (line for line in complaints if line.startswith("E:")), next(iter(complaints), "apt says nothing")
        )
        raise UnpackFailed(f"{what} cannot be downloaded: {reason[:200]}")
    return done.stdout


def _package(architecture: str, apt: Mapping[str, str], suite: str) -> str:
    known = ARCHITECTURES.get(architecture)
    if known is None:
        raise UnpackFailed(f"{architecture!r:.60} is not known: {', '.join(ARCHITECTURES)} are")
    found = _run(["apt-cache", "pkgnames", "qemu-system"], apt, f"the package names of {suite}").split()
    for name in known:
        if name in found:
            return name
    raise UnpackFailed(f"{suite} has none of the packages {', '.join(known)}")


def _extract(package: Path, root: Path) -> None:
    # lists of our own words and no shell; dpkg-deb and tar are the system's
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as packed:  # noqa: S603, S607
        done = subprocess.run(  # noqa: S603
            ["tar", "-x", "-C", root, "--no-same-owner", *(f"--exclude={one}" for one in _PASSED_OVER)],  # noqa: S607
            stdin=packed.stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode or packed.returncode:
        raise UnpackFailed(f"{package.name} cannot be unpacked: {done.stderr.strip().splitlines()[:1]}")


def _script(folder: Path, root: Path, architecture: str) -> Path:
    """Write the start script: the suite's own dynamic linker, libraries, modules and firmware."""
    program = f"qemu-system-{architecture}"
    # a merged /usr has its links from the package base-files, which nothing here depends on
    linker = next(
        (one for one in (root / "usr/lib64", root / "lib64") if (one / "ld-linux-x86-64.so.2").is_symlink()), None
    )
    if linker is None or not (root / "usr/bin" / program).exists():
        raise UnpackFailed(f"{folder}: the packages hold no {program}, or no dynamic linker")
    start = linker / "ld-linux-x86-64.so.2"
    if not start.exists() or not start.resolve().is_relative_to(root):
        start = root / str(start.readlink()).lstrip("/")
    libraries = ":".join(str(root / one) for one in _LIBRARIES)
    firmware = " ".join(f"-L '{root / one}'" for one in _FIRMWARE)
    script = folder / program
    script.write_text(
        "#!/bin/sh\n"
        f"QEMU_MODULE_DIR='{root / 'usr/lib/x86_64-linux-gnu/qemu'}' exec '{start}' --library-path '{libraries}' \\\n"
        f"    '{root / 'usr/bin' / program}' {firmware} \"$@\"\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.live.qemu.debian") -> int:
    """Run the command; return 0, or 2 with one line if the packages are not available."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("suite", help="trixie, sid, bookworm ...")
    parser.add_argument(
        "--prefix", type=Path, required=True, metavar="FOLDER", help="gets a folder of the suite's name"
    )
    parser.add_argument(
        "--arch", nargs="+", choices=ARCHITECTURES, default=["x86_64"], help="programs (default: x86_64)"
    )
    parser.add_argument("--archive", metavar="URL", help="Debian's archive (default: the one of this machine's apt)")
    options = parser.parse_args(arguments)

    def run() -> int:
        archive = Archive(options.archive) if options.archive else None
        for script in unpack(options.suite, options.prefix, options.arch, archive).values():
            command = [str(script), "--version"]  # the wrapper that was just written
            shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            print(f"{script}: {(shown.stdout or shown.stderr).splitlines()[0]}")
        return 0

    return ended(run, "debian", given_back=f"what is below {options.prefix} is not complete")


if __name__ == "__main__":
    sys.exit(main())
