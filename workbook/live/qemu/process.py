"""A QEMU process that leaves nothing behind.

Its sockets, its firmware and its trace live in one temporary directory. Process and directory are gone when the context
ends, however it ends; if this program is killed, the kernel kills QEMU (PR_SET_PDEATHSIG).
"""

import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from workbook.lib.errors import BadInput, WorkbookError
from workbook.lib.qemu_args.other_machines import OTHER_PROGRAMS
from workbook.lib.scenario import DEFAULT_FIRMWARE_SIZE
from workbook.live.guest.pci import halting_rom
from workbook.live.guest.qtest import Qtest, QtestBroken

from .binary import QemuBinary
from .kvm_trace import EVENT, KvmTrace
from .qmp import Qmp, QmpBroken

__all__ = ("QemuDied", "QemuHangs", "QemuProcess", "argv_accel", "with_accel", "with_harness", "without_harness")

TMP: Final = "TMP"
"""Stands for the temporary directory in the arguments that are given and recorded."""

_ROM, _QMP, _QTEST, _TRACE, _STDERR = "halt.bin", "qmp", "qtest", "trace", "stderr"
_FIRMWARE: Final = (("-bios", f"{TMP}/{_ROM}"),)
_HALTED: Final = (("-S",),)
"""On other boards than a PC: their processors have no halting firmware here and do not run at all."""
_SOCKETS: Final = (
    ("-qmp", f"unix:{TMP}/{_QMP},server=on,wait=off"),
    ("-qtest", f"unix:{TMP}/{_QTEST},server=on,wait=off"),
    ("-qtest-log", "/dev/null"),
)
_TRACING: Final = (("-D", f"{TMP}/{_TRACE}"), ("-trace", f"enable={EVENT}"))
_FOREIGN: Final = frozenset({"-bios", "-qtest", "-qtest-log", "-D", "-daemonize", "-S", "-preconfig"})
_MACHINE: Final = frozenset({"-machine", "-M"})
_PR_SET_PDEATHSIG: Final = 1
_SOCKET_PATH_LIMIT: Final = 100
"""sun_path has 108 bytes; the rest is for the names of the sockets."""
_POLL: Final = 0.002
_DYING: Final = 2.0
"""Seconds between the end of a connection and the end of the process, at most."""


_T = TypeVar("_T")


class QemuDied(WorkbookError):
    """QEMU ended by itself.

    Parameters
    ----------
    status
        Exit status as `subprocess` gives it: negative for a signal.
    stderr
        What it left on stderr, without its program name before each line.
    """

    def __init__(self, status: int, stderr: str) -> None:
        self.status = status
        self.stderr = stderr
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        self.summary = f"QEMU died: {how}"
        super().__init__(f"{self.summary}: {stderr}" if stderr else self.summary)


class QemuHangs(WorkbookError):
    """QEMU is alive but does not answer in time; the text carries its stderr."""


def without_harness(argv: Sequence[str]) -> list[str]:
    """Return the arguments without the sockets, firmware and trace that the harness adds."""
    added = {*_FIRMWARE, *(() if is_pc(argv) else _HALTED), *_SOCKETS, *_TRACING}
    kept: list[str] = []
    index = 0
    while index < len(argv):
        length = next((size for size in (1, 2) if tuple(argv[index : index + size]) in added), 0)
        if not length:
            kept.append(argv[index])
        index += length or 1
    return kept


def is_pc(argv: Sequence[str]) -> bool:
    """Return whether the program runs PCs, by its name."""
    return not argv or Path(argv[0]).name.removeprefix("qemu-system-") not in OTHER_PROGRAMS


def with_harness(argv: Sequence[str]) -> list[str]:
    """Return the arguments with those that the harness needs; `TMP` stands for the temporary directory.

    Raises
    ------
    BadInput
        An option that the harness must set itself, or that would let QEMU leave its control.
    """
    plain = without_harness(argv)
    for option in plain[1:]:
        if option.replace("--", "-", 1) in _FOREIGN:
            raise BadInput(f"{option} cannot be given: the harness sets it, or could not control QEMU with it")
    extra = [] if {"-display", "-nographic"} & set(plain) else ["-display", "none"]
    pairs = (*(_FIRMWARE if is_pc(argv) else _HALTED), *_SOCKETS, *(_TRACING if argv_accel(plain) == "kvm" else ()))
    return [*plain, *extra, *(word for pair in pairs for word in pair)]


def argv_accel(argv: Sequence[str]) -> str:
    """Accelerator that a command line names (``kvm``, ``tcg`` ...), ``"auto"`` where it leaves it to QEMU."""
    for option, value in itertools.pairwise(argv):
        if option == "-accel":
            return value.split(",")[0].removeprefix("accel=")
        if option in _MACHINE:
            for part in value.split(","):
                if part.startswith("accel="):
                    return part.removeprefix("accel=").split(":")[0]
    return "kvm" if "-enable-kvm" in argv else "auto"


def with_accel(argv: Sequence[str], accel: str) -> list[str]:
    """Return the arguments with another accelerator."""
    program, *words = argv
    kept: list[str] = []
    for before, word in zip([program, *words], words, strict=False):
        if word in {"-accel", "-enable-kvm"} or before == "-accel":
            continue
        if before not in _MACHINE:
            kept.append(word)
        elif machine := ",".join(part for part in word.split(",") if not part.startswith("accel=")):
            kept.append(machine)
        else:  # nothing but the accelerator was given
            kept.pop()
    return [program, "-accel", accel, *kept]


class Silent(Exception):
    """QEMU answers, but what must happen does not happen in time."""


class QemuProcess:
    """A running QEMU with its QMP and qtest connections, as a context manager.

    Parameters
    ----------
    binary
        The executable.
    argv
        Its arguments, the first one the program's name; ``TMP`` is replaced by the temporary directory.
    timeout
        Seconds to wait for the start and for each answer.
    prepare
        Called with the temporary directory before the start, for what must be there then (a backend's socket).
    firmware_size
        Bytes of the halting firmware.

    Raises
    ------
    QemuDied
        On entering: QEMU refused its arguments, or died.
    QemuHangs
        On entering: QEMU does not open its sockets in time.
    """

    def __init__(
        self,
        binary: QemuBinary,
        argv: Sequence[str],
        timeout: float,
        prepare: Callable[[Path], None] | None = None,
        *,
        firmware_size: int = DEFAULT_FIRMWARE_SIZE,
    ) -> None:
        self.argv = with_harness(argv)
        self.timeout = timeout
        self._binary = binary
        self._prepare = prepare
        self._firmware_size = firmware_size
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr_offset = 0
        self._kvm = argv_accel(self.argv) == "kvm"

    def __enter__(self) -> Self:
        self.directory = _temporary_directory()
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        (self.directory / _ROM).write_bytes(halting_rom(self._firmware_size))
        if self._prepare is not None:
            self._prepare(self.directory)
        words = [_in_directory(word, self.directory) for word in self.argv[1:]]
        with (self.directory / _STDERR).open("wb") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 (a list, no shell)
                [self._binary.path, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                process_group=0,  # Ctrl-C is for this program, which then ends QEMU itself
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 (two system calls, nothing that needs a lock)
            )
        deadline = time.monotonic() + self.timeout
        self.qtest = self._connect(Qtest, _QTEST, deadline)
        self.qmp = self._connect(Qmp, _QMP, deadline)
        self.trace = KvmTrace(self.directory / _TRACE) if self._kvm else None

    def _connect(self, kind: Callable[[Path, float], _T], name: str, deadline: float) -> _T:
        path = self.directory / name
        while True:
            if path.exists():
                try:
                    return kind(path, max(deadline - time.monotonic(), _POLL))
                except (QmpBroken, FileNotFoundError, ConnectionError):
                    pass
            self.check_alive()
            if time.monotonic() > deadline:
                raise QemuHangs(self._text(f"QEMU did not open its {name} socket in {self.timeout:g} s"))
            time.sleep(_POLL)

    @property
    def pid(self) -> int:
        """Process id of the running QEMU."""
        assert self._process is not None
        return self._process.pid

    def check_alive(self) -> None:
        """Raise `QemuDied` if the process has ended."""
        if self._process is not None and (status := self._process.poll()) is not None:
            raise QemuDied(status, self.new_stderr())

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn a broken connection into what is behind it: `QemuDied`, or `QemuHangs`."""
        try:
            yield
        except (QmpBroken, QtestBroken, Silent) as error:
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> WorkbookError:
        assert self._process is not None
        silent = isinstance(error, Silent) or isinstance(error.__cause__, TimeoutError)
        try:
            status = self._process.wait(_POLL if silent else _DYING)
        except subprocess.TimeoutExpired:
            return QemuHangs(self._text(f"QEMU does not answer ({error})"))
        return QemuDied(status, self.new_stderr())

    def new_stderr(self) -> str:
        """Return what QEMU wrote to stderr since the last call, without its program name before each line."""
        with (self.directory / _STDERR).open("rb") as file:
            file.seek(self._stderr_offset)
            new = file.read()
        self._stderr_offset += len(new)
        prefix = f"{self._binary.path.name}: "
        lines = new.decode("utf-8", "replace").rstrip("\n").split("\n")
        return "\n".join(line.removeprefix(prefix) for line in lines)

    def _text(self, line: str) -> str:
        stderr = self.new_stderr()
        return f"{line}; its stderr: {stderr}" if stderr else f"{line}; its stderr is empty"

    def close(self) -> None:
        """End QEMU and remove the temporary directory."""
        try:
            if self._process is not None:
                # it holds nothing worth a clean end; the group is for an executable that is a wrapper
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        finally:
            for name in ("qmp", "qtest"):
                connection = self.__dict__.pop(name, None)
                if connection is not None:
                    connection.close()
            shutil.rmtree(self.directory, ignore_errors=True)


def _temporary_directory() -> Path:
    directory = tempfile.mkdtemp(prefix="memslots-")
    if len(directory) > _SOCKET_PATH_LIMIT - len(f"/{_QTEST}"):
        Path(directory).rmdir()
        directory = tempfile.mkdtemp(prefix="memslots-", dir="/tmp")  # the only short path there is
    return Path(directory)


def _in_directory(word: str, directory: Path) -> str:
    return word.replace(f"{TMP}/", f"{directory}/")


_libc = ctypes.CDLL(None, use_errno=True)


def _die_with(parent: int) -> Callable[[], None]:
    """Return what the child runs first: it will be killed when the thread that started it ends."""

    def ask() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended already, the signal will not come any more
            os._exit(1)

    return ask
