"""Play recordings again on the QEMU of this machine, and compare what it shows now with what was recorded."""

import argparse
import json
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from workbook.lib.errors import WorkbookError
from workbook.lib.recording import Recording, RecordingJson, compare, predicted, rules_of
from workbook.lib.recording.compare import without_kvm
from workbook.live.progress_bar import progress_bar
from workbook.recordings.files import read_all
from workbook.tools.atomic_write import write_atomically

from .binary import OLDEST_VERSION, PROGRAM, QemuBinary, find_qemu, usable_accel
from .recorder import DEFAULT_TIMEOUT, play

__all__ = ("main", "obstacle")

_RFC: Final = "made by a QEMU with the RFC series, which is a different program"


def obstacle(recording: Recording, version: str, program: str = PROGRAM) -> str | None:
    """Return why a recording cannot be played again on that QEMU, by its kind; None where it can.

    One of another version can where the model says that both show the same.
    """
    if "RFC" in recording.qemu_version:
        return _RFC
    if recording.kvm_memslots_faked is not None:
        return "KVM's limit on memslots was faked, this KVM has its own"
    if recording.smm_faked:
        return "a second KVM address space (SMM) was faked"
    made_by = Path(recording.argv[0]).name
    if made_by.startswith("qemu-system-") and made_by != program:
        return f"made by {made_by}, this is {program}"
    own, here = rules_of(recording.qemu_version), rules_of(version)
    shown = (predicted(recording, one).to_json() for one in (own, here))
    if own is not here and compare(*shown, both_ways=True):
        return "made by a QEMU of another version, which by the model shows something else than this one"
    return None


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m workbook.live.qemu") -> int:
    """Run the command; return 0 where everything played is equal, 1 where something differs, 2 for a bad call."""
    options = _parser(prog).parse_args(argv)
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


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="recordings, archives, or folders of them")
    parser.add_argument("--qemu", metavar="FILE", help="the executable (default: qemu-system-x86_64 on PATH)")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="replace the recordings' accelerator")
    parser.add_argument("--record", type=Path, metavar="OUT_DIR", help="write the fresh recordings there")
    parser.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="SECONDS", help="for each answer")
    return parser


def _replay(options: argparse.Namespace) -> int:
    qemu = find_qemu(options.qemu, OLDEST_VERSION)
    recordings = list(read_all(options.paths))
    if options.record is not None:
        options.record.mkdir(parents=True, exist_ok=True)
    equal = differ = steps = 0
    seconds = 0.0
    skipped: Counter[str] = Counter()
    with progress_bar(len(recordings), "recordings") as (say, moved):
        for label, recorded in recordings:
            recording = Recording.from_json(recorded, observations=False)
            reason = obstacle(recording, qemu.version, qemu.path.name)
            if reason is None:
                fresh, with_kvm = _play_again(recording, qemu, options.accel, options.timeout)
                steps += len(fresh["steps"])
                seconds += fresh["seconds"]
                if options.record is not None:
                    name = f"{recording.name or label.partition('.')[0]}.json"
                    write_atomically(options.record / name, json.dumps(fresh, indent=1) + "\n")
                if with_kvm:
                    differences = compare(recorded, fresh, both_ways=True)
                else:
                    differences = compare(without_kvm(recorded), without_kvm(fresh), both_ways=True)
                note = "" if with_kvm else " (without KVM's own rows)"
                say(f"{label}: {differences[0].told('now') if differences else f'equal{note}'}")
                equal += not differences
                differ += bool(differences)
            else:
                skipped[reason] += 1
            if moved is not None:
                moved(1)
    for reason, count in sorted(skipped.items()):
        print(f"{count} skipped: {reason}")
    print(
        f"{len(recordings)} recordings, {steps} steps played in {seconds:.1f} s on QEMU {qemu.version}:"
        f" {equal} equal, {differ} differ, {skipped.total()} skipped"
    )
    return 1 if differ else 0


def _play_again(
    recording: Recording, qemu: QemuBinary, accel: str | None, timeout: float
) -> tuple[RecordingJson, bool]:
    """Play a recording's actions; also return whether KVM's rows can be compared."""
    was = recording.accel
    if accel is None and was == "kvm" and usable_accel() != "kvm":
        accel = "tcg"
    fresh = play(
        recording.argv,
        [step.action for step in recording.steps],
        recording.vhost_backends,
        qemu=qemu,
        accel=accel,
        timeout=timeout,
        firmware_size=recording.firmware_size,
        name=recording.name,
        about=recording.about,
    )
    return fresh.to_json(), (fresh.accel == "kvm") == (was == "kvm")
