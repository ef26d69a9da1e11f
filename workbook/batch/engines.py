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
from itertools import chain, islice
from typing import Final, Protocol, Self, TypeVar

from workbook.lib.errors import BadInput

__all__ = ("CHUNK", "in_chunks")

CHUNK: Final = 64
"""VMs in a chunk: some 50 ms of work."""
_UNDER_WAY: Final = 4
"""Chunks under way per worker."""
_TRIES: Final = 3

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Result_co = TypeVar("_Result_co", covariant=True)


class _Pending(Protocol[_Result_co]):
    def result(self) -> _Result_co:
        """Wait for the result."""


class _Submitter(Protocol):
    """Submits a chunk to a worker."""

    workers: int

    def submit(self, work: Callable[[_In], _Out], chunk: _In) -> _Pending[_Out]:
        """Hand `chunk` to a worker."""


def in_chunks(
    work: Callable[[tuple[_In, ...]], list[_Out]], items: Iterable[_In], *, engine: str | None, workers: int | None
) -> Iterator[_Out]:
    """Yield what `work` makes of the items, in their order.

    Parameters
    ----------
    work
        Takes a chunk of items, answers as many results; can be pickled unless `workers` is 1.
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
    source = iter(items)
    chunks = iter(lambda: tuple(islice(source, CHUNK)), ())
    if engine is not None:
        with _dask(engine, workers) as cluster:
            yield from _ordered(work, chunks, cluster)
        return
    count = workers or len(os.sched_getaffinity(0))
    first = next(chunks, ())
    second = next(chunks, None)
    every = chain([first], [second] if second else [], chunks)
    if count == 1 or second is None:
        for chunk in every:
            yield from work(chunk)
        return
    with _Processes(count) as pool:
        yield from _ordered(work, every, pool)


def _ordered(
    work: Callable[[tuple[_In, ...]], list[_Out]], chunks: Iterable[tuple[_In, ...]], submitter: _Submitter
) -> Iterator[_Out]:
    pending: deque[_Pending[list[_Out]]] = deque()
    for chunk in chunks:
        pending.append(submitter.submit(work, chunk))
        if len(pending) >= _UNDER_WAY * submitter.workers:
            yield from pending.popleft().result()
    while pending:
        yield from pending.popleft().result()


class _Processes(AbstractContextManager["_Processes"]):
    """Processes of this machine; a chunk whose process is killed is given to a new one."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["workbook.batch.verdict"])
        self._pool = self._made()

    def _made(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.workers, mp_context=self._context)

    def submit(self, work: Callable[[_In], _Out], chunk: _In) -> _Pending[_Out]:
        return _Again(self, work, chunk)

    def start(self, work: Callable[[_In], _Out], chunk: _In) -> tuple[ProcessPoolExecutor, _Pending[_Out]]:
        """Hand a chunk to the pool of now; a pool that has lost a process is replaced."""
        try:
            return self._pool, self._pool.submit(work, chunk)
        except BrokenProcessPool:
            self._pool = self._made()
            return self._pool, self._pool.submit(work, chunk)

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Again(_Pending[_Out]):
    """A result that is asked for again where its process was killed."""

    def __init__(self, processes: _Processes, work: Callable[[_In], _Out], chunk: _In) -> None:
        self._start: Callable[[], tuple[ProcessPoolExecutor, _Pending[_Out]]] = lambda: processes.start(work, chunk)
        self._pool, self._pending = self._start()

    def result(self) -> _Out:
        for _ in range(_TRIES - 1):
            try:
                return self._pending.result()
            except BrokenProcessPool:
                self._pool, self._pending = self._start()
        return self._pending.result()


class _Dask(AbstractContextManager["_Dask"]):
    """A dask cluster; dask itself gives the chunks of a lost worker to another one."""

    def __init__(self, engine: str, workers: int | None) -> None:
        from distributed import Client  # noqa: PLC0415 - an optional extra

        try:
            if engine == "dask":
                count = workers or len(os.sched_getaffinity(0))
                self._client = Client(n_workers=count, threads_per_worker=1, dashboard_address=None)
            else:
                self._client = Client(engine, timeout=10)
        except (OSError, ValueError, TimeoutError) as error:
            raise BadInput(f"dask scheduler {engine!r:.80} cannot be reached ({str(error) or 'time limit'})") from None
        self.workers = max(1, len(self._client.scheduler_info()["workers"]))

    def submit(self, work: Callable[[_In], _Out], chunk: _In) -> _Pending[_Out]:
        pending: _Pending[_Out] = self._client.submit(work, chunk, pure=False)
        return pending

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def _dask(engine: str, workers: int | None) -> AbstractContextManager[_Dask]:
    if engine != "dask" and not engine.startswith(("tcp://", "tls://", "ucx://")):
        raise BadInput(f"there is no engine {engine!r:.40}: give dask, or the scheduler's tcp://HOST:PORT")
    try:
        return _Dask(engine, workers)
    except ImportError:
        raise BadInput(f"engine {engine} needs the extra dask: pip install 'memslot-workbook[dask]'") from None
