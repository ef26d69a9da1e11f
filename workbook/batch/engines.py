"""Where the work is done: this process, all cores of this machine, or an existing dask cluster.

Work is handed out in chunks of VMs and comes back in their order; only so many chunks are under way at a time, so that
memory stays bounded however many VMs there are.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from importlib.util import find_spec
from itertools import islice
from typing import Final, Protocol, Self, TypeVar

from workbook.lib.errors import BadInput
from workbook.lib.rules import RuleSet

__all__ = ("CHUNK", "Engine", "Pending", "engine_of", "in_chunks", "workers_for")

CHUNK: Final = 32
"""VMs in a chunk: some 50 ms of work."""
_UNDER_WAY: Final = 4
"""Chunks under way per worker."""
_ALONE: Final = 8
"""Chunks that this process does itself before it starts others, which takes a second."""
_TRIES: Final = 3

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Result_co = TypeVar("_Result_co", covariant=True)


class Pending(Protocol[_Result_co]):
    """The result of a chunk, when it is there."""

    def result(self) -> _Result_co:
        """Wait for the result."""


class Engine(Protocol):
    """What works on chunks.

    Attributes
    ----------
    chunk
        Items that make a chunk worth its way.
    under_way
        Chunks that may be under way at a time.
    """

    chunk: int
    under_way: int

    def submit(self, work: Callable[[_In], _Out], chunk: _In) -> Pending[_Out]:
        """Hand `chunk` to a worker."""

    def __enter__(self) -> Self:
        """Start what is needed."""

    def __exit__(self, *_: object) -> None:
        """End it."""


def workers_for(rules: Iterable[object], engine: str | None, workers: int | None) -> int | None:
    """Return the processes to work in: this one alone for a rule set that is given as an object.

    Its class may live in a notebook, where no other process finds it.
    """
    return 1 if engine is None and any(isinstance(one, RuleSet) for one in rules) else workers


def engine_of(engine: str | None, workers: int | None) -> Engine:
    """Return what works on chunks.

    Parameters
    ----------
    engine
        None: processes of this machine; ``"dask"``: a local dask cluster; ``"tcp://host:port"``: a dask scheduler.
    workers
        Processes; None: as many as this process may use cores. 1 works in this process.

    Raises
    ------
    BadInput
        There is no such engine, it cannot be reached, or dask is not installed.
    """
    if workers is not None and workers < 1:
        raise BadInput(f"workers is {workers}: give 1 or more")
    if engine is not None:
        return _dask(engine, workers)
    count = workers or len(os.sched_getaffinity(0))
    return _Here() if count == 1 else _Processes(count)


def in_chunks(
    work: Callable[[tuple[_In, ...]], list[_Out]], items: Iterable[_In], *, engine: str | None, workers: int | None
) -> Iterator[_Out]:
    """Yield what `work` makes of the items, in their order.

    Parameters
    ----------
    work
        Takes a chunk of items, answers as many results; can be pickled unless `workers` is 1.
    engine, workers
        As of `engine_of`.
    """
    source = iter(items)
    with engine_of(engine, workers) as worker:
        pending: deque[Pending[list[_Out]]] = deque()
        while chunk := tuple(islice(source, worker.chunk)):
            pending.append(worker.submit(work, chunk))
            if len(pending) >= worker.under_way:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


class _Done(Pending[_Out]):
    def __init__(self, result: _Out) -> None:
        self._result = result

    def result(self) -> _Out:
        return self._result


class _Here(AbstractContextManager["_Here"]):
    """Works in the process itself."""

    chunk = 1
    under_way = 1

    def submit(self, work: Callable[[_In], _Out], chunk: _In) -> Pending[_Out]:
        return _Done(work(chunk))

    def __exit__(self, *_: object) -> None:
        """Nothing was started."""


class _Processes(AbstractContextManager["_Processes"]):
    """Processes of this machine; a chunk whose process is killed is given to a new one."""

    chunk = CHUNK

    def __init__(self, workers: int) -> None:
        self.under_way = _UNDER_WAY * workers
        self._workers = workers
        self._alone = _ALONE
        self._pool: ProcessPoolExecutor | None = None

    def _made(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["workbook.batch.verdict"])
        return ProcessPoolExecutor(self._workers, mp_context=context)

    def submit(self, work: Callable[[_In], _Out], chunk: _In) -> Pending[_Out]:
        if self._alone:
            self._alone -= 1
            return _Done(work(chunk))
        return _Again(self, work, chunk)

    def start(self, work: Callable[[_In], _Out], chunk: _In) -> Pending[_Out]:
        """Hand a chunk to the pool of now; a pool that has lost a process is replaced."""
        self._pool = self._pool or self._made()
        try:
            return self._pool.submit(work, chunk)
        except BrokenProcessPool:
            self._pool = self._made()
            return self._pool.submit(work, chunk)

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


class _Again(Pending[_Out]):
    """A result that is asked for again where its process was killed."""

    def __init__(self, processes: _Processes, work: Callable[[_In], _Out], chunk: _In) -> None:
        self._start: Callable[[], Pending[_Out]] = lambda: processes.start(work, chunk)
        self._pending = self._start()

    def result(self) -> _Out:
        for _ in range(_TRIES - 1):
            try:
                return self._pending.result()
            except BrokenProcessPool:
                self._pending = self._start()
        return self._pending.result()


class _Dask(AbstractContextManager["_Dask"]):
    """A dask cluster; dask itself gives the chunks of a lost worker to another one."""

    chunk = CHUNK

    def __init__(self, engine: str, workers: int | None) -> None:
        self._engine = engine
        self._workers = workers or len(os.sched_getaffinity(0))
        self.under_way = _UNDER_WAY

    def __enter__(self) -> Self:
        from distributed import Client  # noqa: PLC0415 - an optional extra

        try:
            if self._engine == "dask":
                self._client = Client(n_workers=self._workers, threads_per_worker=1, dashboard_address=None)
            else:
                self._client = Client(self._engine, timeout=10)
        except (OSError, ValueError, TimeoutError) as error:
            why = str(error) or "time limit"
            raise BadInput(f"dask scheduler {self._engine!r:.80} cannot be reached ({why})") from None
        self.under_way = _UNDER_WAY * max(1, len(self._client.scheduler_info()["workers"]))
        return self

    def submit(self, work: Callable[[_In], _Out], chunk: _In) -> Pending[_Out]:
        pending: Pending[_Out] = self._client.submit(work, chunk, pure=False)
        return pending

    def __exit__(self, *_: object) -> None:
        self._client.close()


def _dask(engine: str, workers: int | None) -> Engine:
    if engine != "dask" and not engine.startswith(("tcp://", "tls://", "ucx://")):
        raise BadInput(f"there is no engine {engine!r:.40}: give dask, or the scheduler's tcp://HOST:PORT")
    if find_spec("distributed") is None:
        raise BadInput(f"engine {engine} needs the extra dask: pip install 'memslot-workbook[dask]'")
    return _Dask(engine, workers)
