"""How a running VM is queried: its QMP socket, or libvirt's ``virsh qemu-monitor-command``."""

import json
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from workbook.lib.errors import BadInput
from workbook.live.qemu.qmp import Qmp, QmpBroken, QmpRefusal

__all__ = ("AttachFailed", "Monitor", "QmpSocket", "Virsh")

TIMEOUT: Final = 5.0
"""Seconds for each answer."""


class AttachFailed(BadInput):
    """The VM cannot be queried, or cannot be modelled; one line says why."""


class Monitor(Protocol):
    """A QMP monitor of a running VM."""

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> Any:
        """Run a command and return its answer.

        Raises
        ------
        QmpRefusal
            QEMU answers with an error.
        AttachFailed
            There is no answer.
        """

    def close(self) -> None:
        """Let the VM go."""


class QmpSocket:
    """A QMP socket (``-qmp unix:PATH,server=on,wait=off``), which takes one client at a time.

    Raises
    ------
    AttachFailed
        The socket does not exist, does not answer, or does not speak QMP.
    """

    def __init__(self, path: str | Path, timeout: float = TIMEOUT) -> None:
        self._name = str(path)
        self._timeout = timeout
        try:
            kind = Path(path).stat().st_mode
        except OSError as error:
            raise AttachFailed(f"{path}: there is no such socket ({error.strerror}): give QEMU's QMP socket") from None
        if not stat.S_ISSOCK(kind):
            raise AttachFailed(f"{path} is no socket: give QEMU's QMP socket (-qmp unix:PATH,server=on,wait=off)")
        try:
            self._qmp = Qmp(Path(path), timeout)
        except QmpBroken as error:
            why = (
                f"no greeting in {timeout:g} s: it is no QMP socket, another client is connected to it, or the VM hangs"
                if isinstance(error.__cause__, TimeoutError)
                else f"no QMP can be spoken there ({_one_line(error)})"
            )
            raise AttachFailed(f"{path}: {why}") from None

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> Any:
        """Run a command; see `Monitor`."""
        try:
            return self._qmp.execute(command, None if arguments is None else dict(arguments))
        except QmpBroken as error:
            why = (
                f"no answer to {command} in {self._timeout:g} s: the VM hangs"
                if isinstance(error.__cause__, TimeoutError)
                else f"the connection ended at {command}: the VM has ended, or closed it"
            )
            raise AttachFailed(f"{self._name}: {why}") from None

    def close(self) -> None:
        """Let the VM go."""
        self._qmp.close()


class Virsh:
    """A domain of libvirt, asked by ``virsh qemu-monitor-command``.

    Parameters
    ----------
    domain
        Its name, id or UUID.
    uri
        Connection of libvirt; None: its default.
    program
        The executable.
    """

    def __init__(
        self, domain: str, uri: str | None = None, program: str | Path = "virsh", timeout: float = TIMEOUT
    ) -> None:
        self._domain = domain
        self._timeout = timeout
        self._command = [str(program), *(["--connect", uri] if uri else []), "qemu-monitor-command", "--domain", domain]

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> Any:
        """Run a command; see `Monitor`."""
        request = {"execute": command} | ({} if arguments is None else {"arguments": dict(arguments)})
        try:
            done = subprocess.run(  # noqa: S603 (a list, no shell)
                [*self._command, json.dumps(request)],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._timeout,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except OSError as error:
            raise AttachFailed(
                f"{self._command[0]} cannot be run ({error.strerror}): install libvirt's clients"
            ) from None
        except subprocess.TimeoutExpired:
            raise AttachFailed(f"domain {self._domain}: no answer to {command} in {self._timeout:g} s") from None
        if done.returncode:
            raise AttachFailed(f"domain {self._domain}: {_one_line(done.stderr) or 'virsh fails and says nothing'}")
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise AttachFailed(f"domain {self._domain}: virsh answers {_one_line(done.stdout)!r}, no JSON") from None
        if "error" in answer:
            raise QmpRefusal(str(answer["error"].get("desc", answer["error"])))
        return answer.get("return")

    def close(self) -> None:
        """Nothing is held between commands."""


def _one_line(text: object) -> str:
    return " ".join(str(text).split())[:200]
