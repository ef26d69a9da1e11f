"""Play a scenario on a real QEMU and get a recording of what it showed.

Public API: `play` and `find_qemu`; as a command (``python -m workbook.live.qemu RECORDING...``) it plays
recordings again and compares.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from workbook.lib.actions import Action, Start
from workbook.lib.errors import BadInput
from workbook.lib.recording import Observation, Recording, Step
from workbook.lib.scenario import DEFAULT_FIRMWARE_SIZE

from .actions import perform
from .binary import QemuBinary, QemuMissing, find_qemu, usable_accel
from .process import QemuDied, QemuHangs, argv_accel, with_accel, with_harness, without_harness
from .session import Session

__all__ = (
    "DEFAULT_TIMEOUT",
    "QemuBinary",
    "QemuDied",
    "QemuHangs",
    "QemuMissing",
    "find_qemu",
    "play",
    "usable_accel",
)

DEFAULT_TIMEOUT: Final = 60.0
"""Seconds for the start and for each answer; plugging 500 GiB at once takes about four on a small machine."""


def play(
    argv: Sequence[str],
    actions: Sequence[Action],
    vhost_backends: Mapping[str, int | None] | None = None,
    *,
    qemu: QemuBinary | None = None,
    accel: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    source_argv: Sequence[str] | None = None,
    firmware_size: int = DEFAULT_FIRMWARE_SIZE,
    name: str = "",
    about: str = "",
) -> Recording:
    """Play actions on a real QEMU.

    Parameters
    ----------
    argv
        Arguments of QEMU, the first one the program's name, which is not used. ``TMP/`` stands for the temporary
        directory; a vhost-user backend of the command line listens on ``TMP/<its device's id>``. The harness adds
        firmware, sockets and trace.
    actions
        What to do; the first one is `Start`. A second start is the destination of a migration, with the same
        arguments; the source then has no ``-incoming``.
    vhost_backends
        Limit that each vhost-user backend of the command line reports, by device id; ``None`` as limit: a backend
        without CONFIGURE_MEM_SLOTS.
    qemu
        The executable; ``None``: as `find_qemu` finds it.
    accel
        Accelerator to use in place of the one in `argv`: ``"kvm"`` or ``"tcg"``; `usable_accel` says what works here.
    timeout
        Seconds for each start of QEMU and for each answer.
    source_argv
        Arguments of a migration's source where they differ.
    firmware_size
        Bytes of the halting firmware: as large as SeaBIOS, so that low RAM is cut as in a real VM.
    name, about
        What the recording is called, and a sentence about it.

    Returns
    -------
    Recording
        Actions after QEMU's refusal to start or its death are left out.

    Raises
    ------
    QemuMissing
        There is no QEMU, or it is too old.
    QemuHangs
        QEMU does not answer in time; the text has its stderr.
    BadInput
        An action that does not exist or does not fit.
    """
    if not actions or not isinstance(actions[0], Start):
        raise BadInput("the first action must be a start")
    began = time.monotonic()
    binary = qemu or find_qemu()
    plain = without_harness(argv if accel is None else with_accel(argv, accel))
    backends = dict(vhost_backends or {})
    starts = [index for index, action in enumerate(actions) if isinstance(action, Start)]
    steps: list[Step] = []
    recorded = plain
    with tempfile.TemporaryDirectory(prefix="memslots-") as directory:
        for number, (begin, end) in enumerate(zip(starts, [*starts[1:], len(actions)], strict=True)):
            words, side = plain, None
            if len(starts) > 1:
                side = "destination" if number else "source"
                if not number:
                    words = _without_incoming(plain) if source_argv is None else without_harness(source_argv)
            session = Session(
                binary, words, backends, timeout, Path(directory) / "migration", firmware_size=firmware_size
            )
            played, up = _play_one(session, actions[begin:end], side)
            steps += played
            if not up:
                break
            recorded = with_harness(plain)
    return Recording(
        name=name,
        about=about,
        qemu_version=binary.version,
        firmware_size=firmware_size,
        accel=argv_accel(plain),
        argv=tuple(recorded),
        vhost_backends=backends,
        seconds=round(time.monotonic() - began, 3),
        steps=tuple(steps),
    )


def _play_one(session: Session, actions: Sequence[Action], side: str | None) -> tuple[list[Step], bool]:
    """Play one QEMU from its start on; also return whether it came up."""
    steps: list[Step] = []
    try:
        with session:
            for action in actions:
                steps.append(Step(action=action, side=side, observation=perform(session, action)))  # noqa: PERF401 - it may die midway
    except QemuDied as death:
        if not steps and death.status > 0 and death.stderr:  # it refused its arguments, and says why
            seen = Observation(error=death.stderr)
        else:
            seen = Observation(error=death.summary, stderr=death.stderr or None)
        return [*steps, Step(action=actions[len(steps)], side=side, observation=seen)], bool(steps)
    return steps, True


def _without_incoming(argv: Sequence[str]) -> list[str]:
    return [word for before, word in zip(["", *argv], argv, strict=False) if "-incoming" not in {before, word}]
