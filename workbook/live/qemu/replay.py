"""Play recordings again on the QEMU of this machine, and compare what it shows now with what was recorded."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workbook.lib.errors import BadInput, WorkbookError
from workbook.lib.recording.player import OLD_FIRMWARE_SIZE
from workbook.tools.atomic_write import write_whole

from .recorder import DEFAULT_TIMEOUT, QemuBinary, find_qemu, play, usable_accel

__all__ = ("Difference", "compare", "main", "obstacle", "read_recordings")

_SHOWN: Final = 160
_MISSING: Final = "<not there>"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two recordings first differ.

    Parameters
    ----------
    step
        Number of the step, from 0.
    field
        Path of the field in the step, such as ``kvm.live.0``.
    recorded, shown
        The two values.
    """

    step: int
    field: str
    recorded: Any
    shown: Any

    def __str__(self) -> str:
        return f"step {self.step}, {self.field}: recorded {_short(self.recorded)}, now {_short(self.shown)}"


def compare(recorded: Mapping[str, Any], fresh: Mapping[str, Any], *, without_kvm: bool = False) -> Difference | None:
    """First difference between the steps of two recordings; ``None`` where they are equal.

    Parameters
    ----------
    recorded, fresh
        The recordings.
    without_kvm
        Leave out what depends on KVM: the field ``kvm`` and the mark ``KVM`` in ``info_mtree_flat``.
    """
    before, after = recorded["steps"], fresh["steps"]
    if without_kvm:
        before, after = ([_strip_kvm(step) for step in steps] for steps in (before, after))
    for number, (one, other) in enumerate(zip(before, after, strict=False)):
        found = _first_difference(one, other, "")
        if found is not None:
            return Difference(number, *found)
    if len(before) != len(after):
        return Difference(min(len(before), len(after)), "number of steps", len(before), len(after))
    return None


def _strip_kvm(step: Mapping[str, Any]) -> dict[str, Any]:
    stripped = {key: value for key, value in step.items() if key != "kvm"}
    if "info_mtree_flat" in stripped:
        stripped["info_mtree_flat"] = [line.removesuffix(" KVM") for line in stripped["info_mtree_flat"]]
    return stripped


def _first_difference(one: Any, other: Any, path: str) -> tuple[str, Any, Any] | None:
    if one == other:
        return None
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(key, one.get(key, _MISSING), other.get(key, _MISSING)) for key in one | other]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(str(index), *values) for index, values in enumerate(zip(one, other, strict=True))]
    else:
        return path, one, other
    for key, left, right in pairs:
        found = _first_difference(left, right, f"{path}.{key}" if path else str(key))
        if found is not None:
            return found
    return path, one, other


def _short(value: Any) -> str:
    text = value if value is _MISSING else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def obstacle(recording: Mapping[str, Any]) -> str | None:
    """Why a recording cannot be played here; ``None`` where it can."""
    if recording["kvm_memslots_faked"] is not None:
        return f"KVM's limit was faked as {recording['kvm_memslots_faked']} memslots, this KVM has its own"
    if recording["smm_faked"]:
        return "a second KVM address space (SMM) was faked"
    if "RFC" in recording["qemu_version"]:
        return f"made by QEMU {recording['qemu_version']}, which is a different program"
    return None


def read_recordings(paths: Sequence[Path]) -> list[tuple[Path, dict[str, Any]]]:
    """Read recordings from files and from the ``*.json`` files of folders, in order.

    Raises
    ------
    BadInput
        A path that is not there, or a file that is no recording.
    """
    return [(path, _read(path)) for path in _files(paths)]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.glob("*.json"))
        elif path.is_file():
            yield path
        else:
            raise BadInput(f"{path} is not there: give recordings (*.json) or folders of them")


def _read(path: Path) -> dict[str, Any]:
    try:
        recording = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path} is not JSON ({error}): give a recording") from error
    if not isinstance(recording, dict) or not {"argv", "steps", "vhost_backends"} <= recording.keys():
        raise BadInput(f"{path} is no recording: it needs argv, vhost_backends and steps")
    return recording


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0 where everything played is equal, 1 where something differs, 2 for a bad call."""
    options = _parser().parse_args(argv)
    # so that QEMU and its directory go away when this program is told to
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        return _replay(options)
    except WorkbookError as error:
        print(f"qemu: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("qemu: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workbook.live.qemu", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a recording, or a folder of them")
    parser.add_argument("--qemu", metavar="FILE", help="the executable (default: qemu-system-x86_64 on PATH)")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="replace the recordings' accelerator")
    parser.add_argument("--record", type=Path, metavar="OUT_DIR", help="write the fresh recordings there")
    parser.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="SECONDS", help="for each answer")
    return parser


def _replay(options: argparse.Namespace) -> int:
    qemu = find_qemu(options.qemu)
    recordings = read_recordings(options.paths)
    if options.record is not None:
        options.record.mkdir(parents=True, exist_ok=True)
    equal = differ = skipped = steps = 0
    seconds = 0.0
    rows, say = _with_progress(recordings)
    for path, recording in rows:
        reason = obstacle(recording)
        if reason is not None:
            say(f"{path.stem}: skipped: {reason}")
            skipped += 1
            continue
        fresh, without_kvm = _play_again(recording, qemu, options.accel, options.timeout)
        steps += len(fresh["steps"])
        seconds += fresh["seconds"]
        if options.record is not None:
            text = json.dumps(fresh, indent=1) + "\n"
            write_whole(options.record / path.name, text)
        difference = compare(recording, fresh, without_kvm=without_kvm)
        note = " (without KVM's own rows)" if without_kvm else ""
        say(f"{path.stem}: {'equal' + note if difference is None else difference}")
        equal += difference is None
        differ += difference is not None
    print(
        f"{len(recordings)} recordings, {steps} steps played in {seconds:.1f} s on QEMU {qemu.version}:"
        f" {equal} equal, {differ} differ, {skipped} skipped"
    )
    return 1 if differ else 0


def _play_again(
    recording: Mapping[str, Any], qemu: QemuBinary, accel: str | None, timeout: float
) -> tuple[dict[str, Any], bool]:
    """Play a recording's actions; also return whether KVM's rows cannot be compared."""
    was = recording["accel"]
    if accel is None and was == "kvm" and usable_accel() != "kvm":
        accel = "tcg"
    fresh = play(
        recording["argv"],
        [step["action"] for step in recording["steps"]],
        recording["vhost_backends"],
        qemu=qemu,
        accel=accel,
        timeout=timeout,
        firmware_size=recording.get("firmware_size", OLD_FIRMWARE_SIZE),
        name=recording["name"],
        about=recording["about"],
    )
    return fresh, (fresh["accel"] == "kvm") != (was == "kvm")


def _with_progress(
    recordings: Sequence[tuple[Path, dict[str, Any]]],
) -> tuple[Iterable[tuple[Path, dict[str, Any]]], Callable[[str], object]]:
    """Return what to go through, with a bar on a terminal where tqdm is installed, and how to print beside it."""
    if sys.stderr.isatty():
        with suppress(ImportError):
            from tqdm import tqdm  # noqa: PLC0415 (an optional extra)

            return tqdm(recordings, unit="recording", leave=False), tqdm.write
    return recordings, print
