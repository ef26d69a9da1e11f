"""The entry points: rows of any number of inputs, as an iterator, an Arrow table or a file."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, overload

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.host import Host
from workbook.lib.rules import RuleSet, get

from .arrow import COLUMNS, flat, table
from .backend_limits import check_limits
from .engines import engine_of, workers_for
from .files import write_rows
from .inputs import Input, vm_texts
from .progress import with_progress
from .shapes import rows_of
from .verdict import CheckRow, Question, Verdict

if TYPE_CHECKING:
    from collections import Counter

    import pyarrow as pa

__all__ = ("check", "check_rows")


@overload
def check(
    inputs: str | Path | Iterable[Input],
    engine: str | None = None,
    to: None = None,
    *,
    rules: str | RuleSet | None = None,
    host: Host | None = None,
    kvm: KvmHost | None = None,
    vhost_slots: Mapping[str, int | str | None] | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> "pa.Table": ...


@overload
def check(
    inputs: str | Path | Iterable[Input],
    engine: str | None = None,
    *,
    to: str | Path,
    rules: str | RuleSet | None = None,
    host: Host | None = None,
    kvm: KvmHost | None = None,
    vhost_slots: Mapping[str, int | str | None] | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> "Counter[Verdict]": ...


def check(
    inputs: str | Path | Iterable[Input],
    engine: str | None = None,
    to: str | Path | None = None,
    *,
    rules: str | RuleSet | None = None,
    host: Host | None = None,
    kvm: KvmHost | None = None,
    vhost_slots: Mapping[str, int | str | None] | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> "pa.Table | Counter[Verdict]":
    """Check VMs: does each start, what do its memslots cost, which limit is closest, what would help.

    Parameters
    ----------
    inputs
        Paths of files or folders (``-``: standard input), texts of VMs, or (name, text) pairs: all that
        `Machine.from_text` reads, lists of KubeVirt objects, several domains or command lines, and JSON lines.
    engine
        None: the cores of this machine; ``"dask"`` or ``"tcp://HOST:PORT"``: a dask cluster (extra ``dask``).
    to
        A file to write row by row instead of returning a table: ``.parquet``, ``.arrow`` (a stream of record batches),
        ``.csv``, ``.json``/``.jsonl`` (JSON lines) or ``.html``.
    rules, host, kvm, vhost_slots
        As in `Question`.
    workers
        Processes of this machine, or of the local dask cluster; None: one per core.
    progress
        Count the VMs in a progress bar, in a notebook or on a terminal.

    Returns
    -------
    An Arrow table with the columns of `workbook.batch.arrow.COLUMNS` (extra ``arrow``); with `to` only how many VMs had
    which verdict.

    Raises
    ------
    BadInput
        An option that is not known, or an extra that is missing; bad VMs are rows.
    """
    rows = check_rows(inputs, engine, rules=rules, host=host, kvm=kvm, vhost_slots=vhost_slots, workers=workers)
    rows = with_progress(rows, "VM") if progress else rows
    return table(map(flat, rows), COLUMNS) if to is None else write_rows(rows, Path(to))


def check_rows(
    inputs: str | Path | Iterable[Input],
    engine: str | None = None,
    *,
    rules: str | RuleSet | None = None,
    host: Host | None = None,
    kvm: KvmHost | None = None,
    vhost_slots: Mapping[str, int | str | None] | None = None,
    workers: int | None = None,
) -> Iterator[CheckRow]:
    """Yield one row per VM, in the order of the inputs; parameters as of `check`."""
    every = [inputs] if isinstance(inputs, (str, Path)) else inputs
    if rules is not None:
        get(rules)  # a name that is not known is an error of the call, not of every VM
    check_limits(vhost_slots or {})
    question = Question(rules=rules, host=host, kvm=kvm, vhost_slots=dict(vhost_slots or {}))
    return rows_of(vm_texts(every), question, engine_of(engine, workers_for([rules], engine, workers)))
