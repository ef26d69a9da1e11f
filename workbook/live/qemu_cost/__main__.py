"""The command ``python -m workbook.live.qemu_cost``: measure around a real QEMU and compare with the prediction."""

import argparse
import platform
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from workbook.lib.cost.measurements import MeasuredUpdate, MeasurementsJson
from workbook.lib.size import GiB, KiB, format_size, parse_size
from workbook.live.cli import ended
from workbook.live.kvm import this_host
from workbook.live.kvm.host import kvm_parameters
from workbook.live.progress_bar import progress_bar
from workbook.live.qemu.binary import QemuBinary, find_qemu
from workbook.live.report_file import write_report
from workbook.tools.atomic_write import check_writable

from . import DeviceCost, Start, measure_device, measure_update, time_start

__all__ = ("PLUGGED", "SLOTS", "main")

PLUGGED: Final = (0, GiB, 10 * GiB, 100 * GiB)
"""Bytes plugged in the headline's device, and, with dynamic-memslots on, all of it."""

SLOTS: Final = (1, 4, 16, 64, 128, 256)
"""Numbers of memslots whose update the command times."""

_STARTS: Final = 3
_COLUMNS: Final = ("memslots", "total kB", "rmap", "gfn_track", "lpage_info", "dirty_bitmap")
_Say = Callable[[str], None]
_Progress = Callable[[int], None] | None


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Measure what memslots cost around a real QEMU and compare with the prediction.",
        epilog="Everything is given back at the end, also after Ctrl-C. Other VMs are not touched.",
    )
    parser.add_argument("--device", action="store_true", help="only metadata and start time of a device (needs root)")
    parser.add_argument("--updates", action="store_true", help="only the time and messages of updates")
    parser.add_argument("--size", default="1T", metavar="SIZE", help="size of the device (default: 1T)")
    parser.add_argument("--qemu", metavar="PATH", help="QEMU executable (default: qemu-system-x86_64 on PATH)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write everything to FILE as JSON")
    return parser


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    if options.output:
        check_writable(options.output)
    qemu, size = find_qemu(options.qemu), parse_size(options.size, name="--size")
    plugged = tuple(one for one in PLUGGED if one < size)
    both = options.device == options.updates
    with_device, with_updates = both or options.device, both or options.updates
    total = with_device * (2 * len(plugged) + 4) + with_updates * 2 * len(SLOTS)
    costs: list[DeviceCost] = []
    starts: list[Start] = []
    updates: list[MeasuredUpdate] = []
    with progress_bar(total, "measurements") as (say, progress):
        say(f"QEMU {qemu.version}, Linux {platform.release()}")
        if with_device:
            costs += _measure_device(plugged, size, qemu, say, progress)
            starts += _time_starts(size, qemu, say, progress)
        if with_updates:
            updates += _measure_updates(qemu, say, progress)
    if options.output:
        write_report(options.output, _report(qemu, costs, starts, updates, arguments))
    return 0 if all(cost.agrees for cost in costs) else 1


def _measure_device(
    plugged: Sequence[int], size: int, qemu: QemuBinary, say: _Say, progress: _Progress
) -> Iterator[DeviceCost]:
    say(f"{f'{format_size(size)} virtio-mem':<34}" + "".join(f"{name:>13}" for name in _COLUMNS) + "  prediction")
    for dynamic, steps in ((False, plugged), (True, (*plugged, size))):
        for cost in measure_device(steps, dynamic=dynamic, size=size, qemu=qemu, progress=progress):
            say(_row(cost))
            yield cost


def _row(cost: DeviceCost) -> str:
    parts = dict(cost.measured.by_part or {})
    numbers = [len(cost.memslots), *(size // KiB for size in (cost.measured.total, *parts.values()))]
    verdict = "equal"
    if not cost.agrees:
        predicted = (cost.predicted.total, *cost.predicted.as_dict().values())
        verdict = f"DIFFERS from {' / '.join(f'{one // KiB:,}' for one in predicted)}"
    if cost.disturbed:
        verdict += " (another VM changed meanwhile)"
    name = f"dynamic {'on' if cost.dynamic else 'off'}, {format_size(cost.plugged)} plugged"
    return f"{name:<34}" + "".join(f"{number:>13,}" for number in numbers) + f"  {verdict}"


def _time_starts(size: int, qemu: QemuBinary, say: _Say, progress: _Progress) -> Iterator[Start]:
    names = {None: "without the device", False: "dynamic off", True: "dynamic on"}
    for dynamic, name in names.items():
        start = time_start(dynamic=dynamic, size=size, repeats=_STARTS, qemu=qemu)
        say(f"start, {name}: {', '.join(f'{one:.2f}' for one in start.seconds)} s")
        if progress:
            progress(1)
        yield start


def _measure_updates(qemu: QemuBinary, say: _Say, progress: _Progress) -> Iterator[MeasuredUpdate]:
    say(f"{'update':<34}{'one by one':>13}{'one request':>13}  messages to the vhost-user backend")
    for vhost in (False, True):
        updates = measure_update(SLOTS, vhost=vhost, qemu=qemu, progress=progress)
        single = {(one.slots, one.mapped): one for one in updates if one.requests == 1}
        for one in updates:
            if one.requests != one.slots:
                continue
            whole = single[one.slots, one.mapped]
            name = f"{'map' if one.mapped else 'unmap'} {one.slots} memslots{', vhost-user' if vhost else ''}"
            messages = ", ".join(f"{count} {kind}" for kind, count in whole.messages.items()) or "-"
            say(f"{name:<34}{one.seconds * 1000:>10.1f} ms{whole.seconds * 1000:>10.1f} ms  {messages}")
        yield from updates


def _report(
    qemu: QemuBinary,
    costs: Sequence[DeviceCost],
    starts: Sequence[Start],
    updates: Sequence[MeasuredUpdate],
    arguments: Sequence[str],
) -> MeasurementsJson:
    return {
        "about": "memslots of a real QEMU; bytes and seconds; memslots as [count, size, start]",
        "command": shlex.join(["python", "-m", "workbook.live.qemu_cost", *arguments]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "qemu_version": qemu.version,
        "kernel": platform.release(),
        "kvm_parameters": kvm_parameters(),
        "host": this_host().to_json(),
        "measurements": [cost.to_json() for cost in costs],
        "starts": [start.to_json() for start in starts],
        "updates": [update.to_json() for update in updates],
    }


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.live.qemu_cost") -> int:
    """Run the command with `arguments`; return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(prog).parse_args(arguments)
    return ended(
        lambda: _run(options, arguments),
        "workbook.live.qemu_cost",
        given_back="QEMU has been ended, all memory given back",
    )


if __name__ == "__main__":
    sys.exit(main())
