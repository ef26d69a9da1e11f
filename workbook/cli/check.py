"""``memslot-workbook check INPUT...``: does each VM start, and what does it pay for memslots."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from workbook.batch.arrow import COLUMNS, flat, write_stream
from workbook.batch.checking import check_rows
from workbook.batch.files import FORMATS, counted, write_csv, write_json, write_rows, write_table
from workbook.batch.node import node_view
from workbook.batch.progress import with_progress
from workbook.batch.verdict import CheckRow, Question, Verdict, check_machine
from workbook.lib.consumers.known_backends import resolve_slots
from workbook.lib.cost.hosts import NAMED_HOSTS
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.host import HOSTS, Host

__all__ = ("main",)

_WRITERS: Final = {"table": write_table, "csv": write_csv, "json": write_json}
_DEFAULT: Final = "table"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of the command."""
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="files or folders with domain XML, command lines, /proc/PID/cmdline, KubeVirt objects or lists of them, "
        "JSON lines; - for standard input",
    )
    parser.add_argument(
        "--format", choices=FORMATS, default=_DEFAULT, help=f"how rows are printed (default {_DEFAULT})"
    )
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="write there instead; .csv, .jsonl, .parquet, .arrow, .html"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one page with sorting and filters")
    parser.add_argument(
        "--rules", metavar="NAME", help="QEMU's version or rule set (default: the newest, or what the VM implies)"
    )
    parser.add_argument("--host", metavar="NAME", help=f"host: {', '.join(HOSTS)}")
    parser.add_argument("--kernel", metavar="NAME", help=f"what memslots cost: {', '.join(NAMED_HOSTS)}, upstream-X.Y")
    parser.add_argument("--phys-bits", type=int, metavar="BITS", help="physical address bits of the host")
    parser.add_argument("--kvm-slots", type=int, metavar="N", help="KVM_CAP_NR_MEMSLOTS of the host")
    parser.add_argument("--max-mem-regions", type=int, metavar="N", help="max_mem_regions of the host's vhost module")
    parser.add_argument("--vfio-dma-entries", type=int, metavar="N", help="dma_entry_limit of vfio_iommu_type1")
    parser.add_argument(
        "--vhost-slots",
        action="append",
        default=[],
        metavar="WHAT=LIMIT",
        help="memslots that vhost-user back ends report: a number, or a program such as virtiofsd-1.11 or dpdk; of one "
        "device by its id (fs0), of a kind (fs, net, blk), or of all (*); may be repeated",
    )
    parser.add_argument("--qmp", type=Path, metavar="SOCKET", help="check the running QEMU behind a QMP socket")
    parser.add_argument(
        "--what-if",
        action="append",
        default=[],
        metavar="LINE",
        help="a line of the monitor to try on a copy of it; may be repeated",
    )
    parser.add_argument(
        "--node",
        action="store_true",
        help="the VMs as those of one node: sums now and at worst, beside what KubeVirt allows their pods",
    )
    parser.add_argument(
        "--engine", metavar="ENGINE", help="dask (a local cluster), or tcp://HOST:PORT of a dask scheduler"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one per core)")


def _run(options: argparse.Namespace) -> int:
    """Run the command; return 0, 1 where a VM is refused or dies, 2 where one is unreadable or there was none.

    Raises
    ------
    BadInput
        A bad call.
    """
    host, kvm = _hosts(options)
    if options.qmp:
        return _attached(options, host, kvm)
    if options.what_if:
        raise BadInput("--what-if asks a running VM: give --qmp SOCKET with it")
    if not options.inputs:
        raise BadInput("nothing to check: give files, folders, or - for standard input")
    if options.node:
        view = node_view(
            options.inputs, rules=options.rules, host=host, kvm=kvm, vhost_slots=_slots(options.vhost_slots)
        )
        print(view)
        return 2 if any(one.problem for one in view.vms) or not view.vms else 0
    rows = check_rows(
        options.inputs,
        options.engine,
        rules=options.rules,
        host=host,
        kvm=kvm,
        vhost_slots=_slots(options.vhost_slots),
        workers=options.workers,
    )
    return _delivered(rows, options)


def _attached(options: argparse.Namespace, host: Host | None, kvm: KvmHost | None) -> int:
    """Check a running VM as it is, and what lines of the monitor would do to it."""
    if options.inputs:
        raise BadInput("--qmp checks one running VM: leave the inputs out")
    try:
        from workbook.live.attach import attach  # noqa: PLC0415 - needs the extra live
    except ImportError:
        raise BadInput("--qmp needs the extra live: pip install 'memslot-workbook[live]'") from None
    machine = attach(options.qmp, vhost_slots=resolve_slots(_slots(options.vhost_slots)))
    row = check_machine(str(options.qmp), machine, Question(host=host, kvm=kvm))
    code = _delivered(iter([row]), options)
    if options.format == "table" and not (options.html or options.output):
        for note in row["notes"]:  # where model and VM disagree comes first
            print(f"    {note}")
    if options.what_if:
        report = machine.what_if_report(*options.what_if)
        print(report)
        return 1 if report.refusal else code
    return code


def _delivered(rows: Iterator[CheckRow], options: argparse.Namespace) -> int:
    target = options.html or options.output
    if options.format == "parquet" and target is None:
        raise BadInput("Parquet is not for a terminal: give --output FILE.parquet")
    if options.format == "arrow" and target is None and sys.stdout.isatty():
        raise BadInput("Arrow's record batches are not for a terminal: give --output FILE.arrow, or a pipe")
    if options.html is not None and options.html.suffix.lower() != ".html":
        raise BadInput(f"--html {options.html}: give a name that ends in .html")
    if target is not None:
        verdicts = write_rows(with_progress(rows, "VM") if sys.stderr.isatty() else rows, target)
        print(f"{target}: {_summary(verdicts)}")
    else:
        verdicts = Counter()
        every = counted(rows, verdicts)
        if options.format == "arrow":
            write_stream(map(flat, every), sys.stdout.buffer, COLUMNS)
        else:
            _WRITERS[options.format](every, sys.stdout)
        if options.format == "table":
            print(_summary(verdicts))
    return _exit_code(verdicts)


def _exit_code(verdicts: Mapping[Verdict, int]) -> int:
    if verdicts.get("unreadable") or not sum(verdicts.values()):
        return 2
    return 1 if verdicts.get("refused") or verdicts.get("dies") else 0


def _summary(verdicts: Mapping[Verdict, int]) -> str:
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items()))
    total = sum(verdicts.values())
    return (
        f"{total:,} VM{'s' if total > 1 else ''}: {counts}"
        if counts
        else "no VM was found: give files or folders with VMs"
    )


def _hosts(options: argparse.Namespace) -> tuple[Host | None, KvmHost | None]:
    host = Host.named(options.host) if options.host else None
    names = ("phys_bits", "kvm_slots", "max_mem_regions", "vfio_dma_entries")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    if given:
        host = replace(host or Host(), **given)
    return host, KvmHost.named(options.kernel) if options.kernel else None


def _slots(given: Iterable[str]) -> dict[str, int | str | None]:
    slots: dict[str, int | str | None] = {}
    for one in given:
        name, equals, limit = one.partition("=")
        if not (name and equals and limit):
            raise BadInput(f"--vhost-slots {one!r:.60}: give WHAT=LIMIT, such as fs0=32, fs=virtiofsd-1.11 or *=509")
        slots[name] = int(limit) if limit.isdecimal() else limit
    return slots


def main(arguments: Sequence[str] | None = None, *, prog: str = "memslot-workbook check") -> int:
    """Run the command with `arguments`; return its exit status."""
    parser = argparse.ArgumentParser(prog=prog, description=(__doc__ or "").splitlines()[0])
    _add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except BadInput as error:
        print(f"memslot-workbook check: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 2
    except KeyboardInterrupt:
        print("memslot-workbook check: interrupted", file=sys.stderr)
        return 130
