"""Synchronous QMP client.

`qemu.qmp` is asyncio; in a notebook an event loop is already running in the main thread. So one private thread with its
own loop serves all connections, and the methods here wait for it.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import TimeoutError as WaitTimeout
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

try:
    from qemu.qmp import EventListener, ExecuteError, QMPClient, QMPError
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("qemu.qmp is not installed: pip install 'memslot-workbook[live]'") from missing

__all__ = ("Qmp", "QmpBroken", "QmpRefusal")


_T = TypeVar("_T")


class QmpBroken(ConnectionError):
    """The QMP connection is gone or silent."""


class QmpRefusal(Exception):
    """QEMU answered a command with an error; the text is its description."""


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="qmp", daemon=True).start()
    return loop


def _wait(work: Coroutine[object, None, _T], timeout: float) -> _T:
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result(timeout)
    except (asyncio.CancelledError, WaitTimeout) as error:
        future.cancel()
        raise QmpBroken(f"QMP: no answer in {timeout:g} s") from error
    except ExecuteError as error:
        raise QmpRefusal(error.error.error.desc) from error
    except (QMPError, OSError, EOFError) as error:
        raise QmpBroken(f"QMP: {error}") from error
    except BaseException:  # KeyboardInterrupt: the work must not go on behind our back
        future.cancel()
        raise


class Qmp:
    """A connection to ``-qmp unix:PATH,server=on``.

    Parameters
    ----------
    path
        The unix socket.
    timeout
        Seconds to wait for the greeting and for each answer.

    Raises
    ------
    QmpBroken
        QEMU is not there, or dies before its greeting.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._timeout = timeout
        self._client = QMPClient("workbook")
        # A QEMU that refuses its command line closes the connection; that is a result here and nothing to log
        self._client.logger.setLevel(logging.CRITICAL + 1)
        _wait(self._client.connect(str(path)), timeout)

    def close(self) -> None:
        """Close the connection; never fails."""
        try:
            _wait(self._client.disconnect(), self._timeout)
        except (QmpBroken, QmpRefusal):
            return

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> Any:
        """Run one command and return its answer.

        Raises
        ------
        QmpRefusal
            QEMU answers with an error.
        QmpBroken
            QEMU is gone, or gives no answer in time.
        """
        return _wait(self._client.execute(command, arguments), self._timeout)

    def execute_all(self, commands: Iterable[tuple[str, Mapping[str, object] | None]]) -> list[Any]:
        """Run several commands in order, in one go; raises as `execute` does."""

        async def run() -> list[Any]:
            return [await self._client.execute(command, arguments) for command, arguments in commands]

        return _wait(run(), self._timeout)

    def execute_and_await(self, command: str, arguments: Mapping[str, object] | None, event: str) -> None:
        """Run a command and wait for an event that follows it; raises as `execute` does."""

        async def run() -> None:
            listener = EventListener(event)
            with self._client.listen(listener):
                await self._client.execute(command, arguments)
                await listener.get()

        _wait(run(), self._timeout)

    def monitor(self, line: str) -> str:
        """Run one command of the human monitor and return its text."""
        return str(self.execute("human-monitor-command", {"command-line": line}))
