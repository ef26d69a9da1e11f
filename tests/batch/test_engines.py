"""Engines: a worker that is killed loses nothing."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from workbook.batch import check_rows, engines
from workbook.batch.engines import CHUNK, in_chunks


def double(folder: Path, chunk: tuple[int, ...]) -> list[int]:
    """Leave the worker's id behind, then answer; slowly enough to be killed."""
    (folder / f"{os.getpid()}").touch()
    time.sleep(0.02)
    return [2 * one for one in chunk]


def killing(folder: Path, count: int) -> Iterator[int]:
    """Yield numbers; kill one worker that has begun, once."""
    killed = False
    for number in range(count):
        others = [int(one.name) for one in folder.iterdir() if int(one.name) != os.getpid()]
        if others and not killed and number > count // 2:
            os.kill(others[0], signal.SIGKILL)
            killed = True
        yield number
    assert killed, "no worker was there to be killed"


@pytest.mark.parametrize("engine", [None, "dask"])
def test_a_worker_that_is_killed_loses_nothing(engine: str | None, tmp_path: Path) -> None:
    """Its chunks are done by another worker, and all results come in order."""
    if engine:
        pytest.importorskip("distributed")
    count = 60 * CHUNK
    found = list(in_chunks(partial(double, tmp_path), killing(tmp_path, count), engine=engine, workers=2))
    assert found == [2 * number for number in range(count)]


def test_dask_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it one line names the extra."""
    monkeypatch.setattr(engines, "find_spec", lambda _name: None)
    with pytest.raises(engines.BadInput, match=r"needs the extra dask: pip install 'memslot-workbook\[dask\]'"):
        check_rows(["x"], "dask")
