"""The command ``python -m workbook.live.kvm``: measure this host and compare with the prediction."""

import argparse
import platform
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from workbook.lib.cost.measurements import MeasurementsJson, SlotTiming
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, KiB, MiB, TiB, format_size
from workbook.live.cli import ended
from workbook.live.progress_bar import progress_bar
from workbook.live.report_file import write_report
from workbook.tools.atomic_write import check_writable

from . import Layout, Measurement, measure, this_host, time_slots
from .device import DEVICE, KvmDevice, Progress
from .host import kvm_parameters
from .probe import probe

__all__ = ("TABLE", "TIMING_COUNTS", "main")

TABLE: Final = (
    (Layout.packed(1, TiB), False),
    (Layout.packed(1, TiB), True),
    (Layout.packed(256, 4 * GiB), False),
    (Layout.packed(1, 512 * GiB), False),
    (Layout.packed(1, 64 * GiB), False),
    (Layout.packed(1, 4 * GiB), False),
    (Layout.packed(1, GiB), False),
    (Layout.packed(1024, 4 * MiB), False),
    (Layout.packed(32_000, 4 * KiB), False),
)
"""Layouts that the command measures by default, with and without dirty logging."""

TIMING_COUNTS: Final = (1, 3, 10, 32, 100, 320, 1_000, 3_200, 10_000, 32_000)
"""Numbers of memslots whose adding and removing the command times."""

_LEAST_REPEATS: Final = 5
_TIMED_SLOTS: Final = 10_000  # of small numbers of memslots: the fewer, the more often, up to this sum
_COLUMNS: Final = ("total", "rmap", "gfn_track", "lpage_info", "dirty_bitmap")


def _report(
    measurements: Sequence[Measurement], timings: Sequence[SlotTiming], arguments: Sequence[str], device: Path
) -> MeasurementsJson:
    with KvmDevice(device) as kvm:
        nr_memslots, spaces = kvm.nr_memslots, kvm.address_spaces
    return {
        "about": "memslots measured on /dev/kvm; bytes and seconds; memslots as [count, size, start]",
        "command": shlex.join(["python", "-m", "workbook.live.kvm", *arguments]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "kernel": platform.release(),
        "kvm_parameters": kvm_parameters(),
        "nr_memslots": nr_memslots,
        "address_spaces": spaces,
        "host": this_host().to_json(),
        "measurements": [measurement.to_json() for measurement in measurements],
        "timing": [timing.to_json() for timing in timings],
    }


def _row(measurement: Measurement) -> str:
    kilobytes = [f"{measurement.measured.total // KiB:,}"]
    by_part = measurement.measured.by_part
    kilobytes += ["-"] * 4 if by_part is None else [f"{size // KiB:,}" for size in by_part.values()]
    verdict = "equal" if by_part is not None else f"within {format_size(measurement.uncertainty)}"
    if not measurement.agrees:
        predicted = (measurement.predicted.total, *measurement.predicted.as_dict().values())
        verdict = f"DIFFERS from {' / '.join(f'{size // KiB:,}' for size in predicted)}"
    if measurement.disturbed:
        verdict += " (another VM changed meanwhile)"
    name = f"{measurement.layout}{', dirty log' if measurement.dirty_log else ''}"
    return f"{name:<32}" + "".join(f"{number:>13}" for number in kilobytes) + f"  {verdict}"


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Measure what memslots cost this host's kernel and compare with the prediction.",
        epilog="Everything is given back at the end, also after Ctrl-C. Other VMs are not touched.",
    )
    parser.add_argument("--table", action="store_true", help="measure the standard layouts (default)")
    parser.add_argument("--random", type=int, metavar="N", default=0, help="measure N random layouts")
    parser.add_argument(
        "--seed", type=int, metavar="S", default=0, help="first seed of the random layouts (default: 0)"
    )
    parser.add_argument("--timing", action="store_true", help="time adding and removing 1 to 32,000 memslots of 4 KiB")
    parser.add_argument(
        "--probe",
        action="store_true",
        help="print in one line which per-memslot arrays the kernel allocates (as root)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write everything to FILE as JSON")
    parser.add_argument("--device", type=Path, metavar="PATH", default=DEVICE, help=f"KVM's device (default: {DEVICE})")
    return parser


def _plan(options: argparse.Namespace) -> list[tuple[Layout, bool]]:
    """Return the layouts to measure, each without or with dirty log."""
    table = TABLE if options.table or not (options.random or options.timing) else ()
    seeds = range(options.seed, options.seed + options.random)
    return [*table, *((Layout.random(seed), seed % 2 == 1) for seed in seeds)]


def _measure_all(
    plan: Sequence[tuple[Layout, bool]], device: Path, say: Callable[[str], None], progress: Progress | None
) -> Iterator[Measurement]:
    """Measure and say one after the other; what does not fit is said and left out."""
    if plan:
        say(f"{'kB':<32}" + "".join(f"{name:>13}" for name in _COLUMNS) + "  prediction")
    for layout, dirty_log in plan:
        try:
            measurement = measure(layout, dirty_log=dirty_log, device=device, progress=progress)
        except BadInput as error:
            say(f"{layout!s:<32} skipped: {error}")
            continue
        say(_row(measurement))
        yield measurement


def _repeats(count: int) -> int:
    return max(_LEAST_REPEATS, min(_TIMED_SLOTS // count, 100))


def _time_all(
    counts: Sequence[int], device: Path, say: Callable[[str], None], progress: Progress | None
) -> Iterator[SlotTiming]:
    """Time and say one after the other."""
    for count in counts:
        timing = time_slots(count, repeats=_repeats(count), device=device, progress=progress)
        say(f"{count:>6} memslots: {timing.add_seconds:.6f} s to add, {timing.remove_seconds:.6f} s to remove")
        yield timing


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    if options.random < 0 or options.seed < 0:
        raise BadInput("--random and --seed must be 0 or more")
    if options.probe:
        sys.stdout.write(f"{probe(device=options.device)}\n")
        return 0
    if options.output:
        check_writable(options.output)
    with KvmDevice(options.device):
        pass  # refuse before anything is printed
    plan = _plan(options)
    counts = TIMING_COUNTS if options.timing else ()
    ioctls = 2 * (sum(len(layout) for layout, _ in plan) + sum(count * _repeats(count) for count in counts))
    with progress_bar(ioctls, "ioctls") as (say, progress):
        measurements = list(_measure_all(plan, options.device, say, progress))
        timings = list(_time_all(counts, options.device, say, progress))
    if options.output:
        write_report(options.output, _report(measurements, timings, arguments, options.device))
    if plan and not measurements:
        raise BadInput("nothing could be measured: see the lines above")
    return 0 if all(measurement.agrees for measurement in measurements) else 1


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.live.kvm") -> int:
    """Run the command with `arguments`; return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(prog).parse_args(arguments)
    return ended(lambda: _run(options, arguments), "workbook.live.kvm", given_back="all memslots have been given back")


if __name__ == "__main__":
    sys.exit(main())
