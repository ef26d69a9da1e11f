"""A vhost-user backend with a chosen memslot limit, for QEMU's vhost-user devices.

It moves no data: it takes part in the protocol so far that a device starts, tells the limit it was given and counts
what QEMU tells about memory (docs/interop/vhost-user.rst, QEMU 10.0).
"""

import os
import selectors
import socket
import struct
import threading
from collections import Counter
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from workbook.lib.errors import WorkbookError
from workbook.lib.recording.format import VhostTable

__all__ = ("BackendFailed", "VhostUserBackend")

_HEADER: Final = struct.Struct("<III")
_VERSION, _REPLY, _NEED_REPLY = 0x1, 0x4, 0x8
_MAX_FDS: Final = 16


class Request(IntEnum):
    """Message types that need an answer or tell something about memory; all others are taken silently."""

    GET_FEATURES = 1
    SET_MEM_TABLE = 5
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    GET_PROTOCOL_FEATURES = 15
    GET_QUEUE_NUM = 17
    GET_CONFIG = 24
    GET_MAX_MEM_SLOTS = 36
    ADD_MEM_REG = 37
    REM_MEM_REG = 38


_COUNTED: Final = (Request.SET_MEM_TABLE, Request.GET_MAX_MEM_SLOTS, Request.ADD_MEM_REG, Request.REM_MEM_REG)

_VERSION_1: Final = 1 << 32
_PROTOCOL_FEATURES: Final = 1 << 30
_REPLY_ACK, _CONFIG, _CONFIGURE_MEM_SLOTS = 1 << 3, 1 << 9, 1 << 15
_ONE_QUEUE: Final = 1

_DRAIN_TIMEOUT: Final = 10.0


class BackendFailed(WorkbookError):
    """A backend's thread ended because of a message that it could not take, or hangs."""


class VhostUserBackend:
    """One backend on a unix socket; it serves in its own thread until it is closed.

    Parameters
    ----------
    path
        Where to listen.
    slots
        Answer to GET_MAX_MEM_SLOTS; ``None``: a backend without CONFIGURE_MEM_SLOTS, to which QEMU gives 8.
    config
        Whether the backend serves the device's configuration space (as blk needs and rng must not have).
    """

    def __init__(self, path: Path, slots: int | None, *, config: bool = False) -> None:
        self._path = path
        self._slots = slots
        slots_feature = 0 if slots is None else _CONFIGURE_MEM_SLOTS
        self._numbers: dict[int, int] = {
            Request.GET_FEATURES: _VERSION_1 | _PROTOCOL_FEATURES,
            Request.GET_PROTOCOL_FEATURES: _REPLY_ACK | (_CONFIG if config else 0) | slots_feature,
            Request.GET_QUEUE_NUM: _ONE_QUEUE,
            Request.GET_MAX_MEM_SLOTS: slots or 0,
        }
        self._regions = 0
        self._started = False
        self._connections = 0
        self._messages: Counter[str] = Counter()
        self._failure: str | None = None
        self._drained = threading.Event()
        self._closing = False
        self._wake, self._alarm = socket.socketpair()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
            self._listener.listen()
        except OSError:
            self._close_sockets()
            raise
        self._thread = threading.Thread(target=self._serve, name=f"vhost-user {path.name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the thread; the sockets are gone afterwards."""
        self._closing = True
        self._alarm.send(b"x")
        self._thread.join(_DRAIN_TIMEOUT)
        self._close_sockets()

    def _close_sockets(self) -> None:
        for one in (self._listener, self._wake, self._alarm):
            one.close()
        self._path.unlink(missing_ok=True)

    def snapshot(self) -> VhostTable:
        """Handle everything that QEMU has sent so far, then return what the backend knows.

        Returns
        -------
        VhostTable
            With the memory messages since the backend listens.

        Raises
        ------
        BackendFailed
            The backend's thread does not serve any more.
        """
        self._drained.clear()
        self._alarm.send(b"x")
        if not self._drained.wait(_DRAIN_TIMEOUT) or self._failure:
            raise BackendFailed(f"vhost-user backend {self._path.name}: {self._failure or 'its thread hangs'}")
        return VhostTable(
            max_mem_slots=self._slots,
            regions=self._regions,
            started=self._started,
            connections=self._connections,
            messages=dict(sorted(self._messages.items())),
        )

    def _serve(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._listener, selectors.EVENT_READ)
        selector.register(self._wake, selectors.EVENT_READ)
        connections: set[socket.socket] = set()
        try:
            while not self._closing:
                ready = [key.fileobj for key, _ in selector.select()]
                busy = False
                for one in ready:
                    if one is self._listener:
                        busy = True
                        connection, _ = self._listener.accept()
                        self._connections += 1
                        self._regions, self._started = 0, False
                        connections.add(connection)
                        selector.register(connection, selectors.EVENT_READ)
                    elif isinstance(one, socket.socket) and one is not self._wake:
                        busy = True
                        if not self._handle(one):
                            selector.unregister(one)
                            connections.remove(one)
                            one.close()
                # QEMU's messages come first: only a wake-up call alone means that all of them are counted
                if not busy:
                    self._wake.recv(1)
                    self._drained.set()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is reported by snapshot())
            self._failure = f"{type(error).__name__}: {error}"
            self._drained.set()
        finally:
            for connection in connections:
                connection.close()
            selector.close()

    def _handle(self, connection: socket.socket) -> bool:
        """Take one message; return whether the connection goes on."""
        try:
            header, files, _, _ = socket.recv_fds(connection, _HEADER.size, _MAX_FDS)
            for file in files:
                os.close(file)
            if len(header) < _HEADER.size:
                return False
            request, flags, size = _HEADER.unpack(header)
            payload = connection.recv(size, socket.MSG_WAITALL) if size else b""
            answer = self._answer(request, payload)
            if answer is None and flags & _NEED_REPLY:
                answer = struct.pack("<Q", 0)
            if answer is not None:
                connection.sendall(_HEADER.pack(request, _VERSION | _REPLY, len(answer)) + answer)
        except OSError:
            return False
        return True

    def _answer(self, request: int, payload: bytes) -> bytes | None:
        """Take note of a message; return its answer, ``None`` where the protocol has none."""
        if request in _COUNTED:
            self._messages[Request(request).name] += 1
        match request:
            case Request.GET_VRING_BASE:
                self._started = False
            case Request.SET_VRING_KICK:
                self._started = True
            case Request.SET_MEM_TABLE:
                (self._regions,) = struct.unpack_from("<I", payload)
            case Request.ADD_MEM_REG:
                self._regions += 1
            case Request.REM_MEM_REG:
                self._regions -= 1
        return self._reply(request, payload)

    def _reply(self, request: int, payload: bytes) -> bytes | None:
        match request:
            case Request.GET_CONFIG:  # offset, size, flags, then the content, all zero here
                return payload[:12] + bytes(len(payload) - 12)
            case Request.GET_VRING_BASE:
                return payload[:4] + struct.pack("<I", 0)
        number = self._numbers.get(request)
        return None if number is None else struct.pack("<Q", number)
