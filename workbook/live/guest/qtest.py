"""Client of QEMU's qtest text protocol: I/O ports and guest memory without a guest.

One line out, one line back (system/qtest.c, QEMU 10.0). Commands are sent in batches, so that the set-up of a device
is one round trip.
"""

import socket
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ("Qtest", "QtestBroken")


class QtestBroken(ConnectionError):
    """The qtest socket is closed, silent for too long, or answers with a failure."""


class Qtest:
    """A connection to ``-qtest unix:PATH,server=on``.

    Parameters
    ----------
    path
        The unix socket.
    timeout
        Seconds to wait for an answer.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._pending = b""
        self._timeout = timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def run(self, commands: Iterable[str]) -> list[str]:
        """Send commands and return each one's answer without its leading ``OK``.

        Raises
        ------
        QtestBroken
            QEMU closed the socket, gave no answer in time, or answered ``FAIL`` or ``ERR``.
        """
        lines = list(commands)
        try:
            self._socket.sendall("".join(f"{line}\n" for line in lines).encode("ascii"))
            return [self._answer(line) for line in lines]
        except TimeoutError as error:
            raise QtestBroken(f"qtest: no answer in {self._timeout:g} s to {lines[0]!r}") from error
        except QtestBroken:
            raise
        except OSError as error:
            raise QtestBroken(f"qtest: {error}") from error

    def _answer(self, command: str) -> str:
        while True:
            line, found, rest = self._pending.partition(b"\n")
            if not found:
                received = self._socket.recv(65536)
                if not received:
                    raise QtestBroken("qtest: QEMU closed the socket")
                self._pending += received
                continue
            self._pending = rest
            text = line.decode("ascii").strip()
            if text.startswith("IRQ "):  # not an answer: an intercepted interrupt line
                continue
            status, _, value = text.partition(" ")
            if status != "OK":
                raise QtestBroken(f"qtest: {command!r} answered {text!r}")
            return value

    def read_memory(self, address: int, size: int) -> bytes:
        """Read `size` bytes of guest memory, or of a device's registers, at a guest physical address."""
        (answer,) = self.run([read(address, size)])
        return unhex(answer)


def read(address: int, size: int) -> str:
    """Command that reads `size` bytes at a guest physical address; the answer is for `unhex`."""
    return f"read {address:#x} {size:#x}"


def write(address: int, content: bytes) -> str:
    """Command that writes bytes at a guest physical address."""
    return f"write {address:#x} {len(content):#x} 0x{content.hex()}"


def unhex(answer: str) -> bytes:
    """Bytes of the answer to `read`."""
    return bytes.fromhex(answer.removeprefix("0x"))
