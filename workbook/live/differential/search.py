"""Model against QEMU on random scenarios: play each on both, compare everything, shrink what differs.

As a command: ``python -m workbook.live.differential --examples 500 --seed 1``. What is found is written as a recording,
the smallest that shows the difference; it stays as evidence after the model is corrected.
"""

import argparse
import hashlib
import json
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, Verbosity, given, seed as with_seed, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from workbook.lib.errors import BadInput, Refusal, WorkbookError
from workbook.lib.machine import Machine
from workbook.lib.recording import Difference, RecordingJson, compare, predict, rules_of
from workbook.live.progress_bar import progress_bar
from workbook.live.qemu.binary import OLDEST_VERSION
from workbook.live.qemu.process import without_harness
from workbook.live.qemu.recorder import DEFAULT_TIMEOUT, QemuBinary, find_qemu, play, usable_accel
from workbook.tools.atomic_write import write_atomically

from .random_lines import FORMS, KINDS, form_of, kinds_of, lines
from .random_vms import Sketch, sketches

__all__ = ("Finding", "Outcome", "differences", "judge", "main", "search")

FOUND: Final = Path("data/recordings/found")
"""Where the command writes what it finds, from the repository's root."""
_MOST_FINDINGS: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """A scenario in which model and QEMU differ.

    Attributes
    ----------
    recording
        What QEMU showed.
    differences
        Where the model says otherwise, in order.
    """

    recording: RecordingJson
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        argv = shlex.join(without_harness(self.recording["argv"]))
        steps = [f"  {number} {json.dumps(one['action'])}" for number, one in enumerate(self.recording["steps"])]
        limits = [f"  vhost backends {json.dumps(self.recording['vhost_backends'])}"]
        shown = [f"  {one}" for one in self.differences]
        return "\n".join(["model and QEMU differ:", f"  {argv}", *limits, *steps, *shown])

    def write(self, folder: Path) -> Path:
        """Write the recording into `folder`, under a name that follows from what was played."""
        first = self.differences[0]
        played = json.dumps([self.recording["argv"], [one["action"] for one in self.recording["steps"]]])
        name = f"{first.field}-{hashlib.sha256(played.encode()).hexdigest()[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        about = f"the model differed in step {first.step}, {first.field}"
        write_atomically(path, json.dumps({**self.recording, "name": name, "about": about}, indent=1) + "\n")
        return path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search did: scenarios and steps played, those for shrinking included, and what it found.

    Attributes
    ----------
    started
        Scenarios that QEMU started.
    kinds
        How many lines had each kind of `random_lines.KINDS`.
    """

    scenarios: int = 0
    steps: int = 0
    started: int = 0
    kinds: Mapping[str, int] = field(default_factory=Counter)
    findings: tuple[Finding, ...] = field(default=())


class _Differs(Exception):
    """Tells Hypothesis that a scenario is one to shrink."""


def differences(recording: RecordingJson) -> tuple[Difference, ...]:
    """Compare a recording with what the model predicts for it, both ways: nothing may be missing on either side."""
    try:
        predicted = predict(recording)
    except WorkbookError as error:
        return (Difference(0, "prediction", "prediction", "is there", f"{type(error).__name__}: {error}"),)
    return tuple(compare(recording, predicted, both_ways=True))


def form_differences(sketch: Sketch) -> tuple[Difference, ...]:
    """Compare what the model reads of a command line with what it reads of the same line as somebody pastes it."""
    if sketch.about not in FORMS:
        return ()
    rules, slots = rules_of(sketch.qemu_version), sketch.vhost_backends
    plain = _read(lambda: Machine.from_qemu_args(sketch.argv, rules, vhost_slots=slots))
    pasted = _read(lambda: Machine.from_text(form_of(sketch), rules, vhost_slots=slots))
    return () if plain == pasted else (Difference(0, "form", sketch.about, plain, pasted),)


def _read(make: Callable[[], Machine]) -> str:
    try:
        return str(make().scenario)
    except Refusal as refusal:
        return refusal.stderr
    except BadInput as error:
        return str(error)


def judge(
    sketch: Sketch, qemu: QemuBinary, *, timeout: float = DEFAULT_TIMEOUT
) -> tuple[RecordingJson, Finding | None]:
    """Play a sketch on QEMU and compare with the model; return the recording, and the finding if there is one.

    Raises
    ------
    QemuHangs
        QEMU does not answer in time.
    """
    actions = [step.action for step in sketch.steps]
    while True:
        try:
            recording = play(sketch.argv, actions, sketch.vhost_backends, qemu=qemu, timeout=timeout).to_json()
            break
        except BadInput:
            # the model foresaw a device that QEMU does not have: the steps before show it
            if len(actions) == 1:
                raise
            actions.pop()
    recording["seconds"] = 0
    found = (*differences(recording), *form_differences(sketch))
    return recording, Finding(recording, found) if found else None


def search(
    examples: int,
    seed: int,
    qemu: QemuBinary,
    accels: Sequence[str],
    *,
    progress: Callable[[int], object] | None = None,
    most: int = _MOST_FINDINGS,
    of_lines: bool = False,
) -> Outcome:
    """Play random scenarios on both; every difference is shrunk to the smallest scenario that shows one.

    Parameters
    ----------
    examples
        How many scenarios, those for shrinking not counted.
    seed
        The same seed gives the same scenarios.
    accels
        Accelerators to choose from.
    progress
        Called with 1 after every scenario.
    most
        End after so many findings.
    of_lines
        Command lines as people write them, only started (`random_lines`), in place of VMs that things happen to.
    """
    drawn = lines(qemu.version, accels) if of_lines else sketches(accels, qemu.version)
    outcome = Outcome()
    todo, turn = examples, 0
    while todo > 0 and len(outcome.findings) < most:
        done, finding, outcome = _round(todo, seed + turn * 1_000_003, qemu, drawn, progress, outcome)
        turn += 1
        todo -= done
        if finding is None:
            break
        outcome = replace(outcome, findings=(*outcome.findings, finding))
    return outcome


def _round(
    examples: int,
    seed: int,
    qemu: QemuBinary,
    drawn: SearchStrategy[Sketch],
    progress: Callable[[int], object] | None,
    outcome: Outcome,
) -> tuple[int, Finding | None, Outcome]:
    """Go on until something differs; also return how many scenarios that took, without those for shrinking."""
    before_first = scenarios = steps = started = 0
    kinds = Counter(outcome.kinds)
    last: Finding | None = None

    @with_seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    @given(drawn)
    def compared(sketch: Sketch) -> None:
        nonlocal before_first, scenarios, steps, started, last
        recording, finding = judge(sketch, qemu)
        scenarios, steps = scenarios + 1, steps + len(recording["steps"])
        started += recording["steps"][0].get("error") is None
        kinds.update(kinds_of(sketch))
        before_first += last is None
        if progress is not None:
            progress(1)
        if finding is not None:
            last = finding
            raise _Differs

    try:
        compared()
    except (_Differs, Flaky):
        pass
    else:
        last = None
    done = replace(
        outcome,
        scenarios=outcome.scenarios + scenarios,
        steps=outcome.steps + steps,
        started=outcome.started + started,
        kinds=kinds,
    )
    return before_first, last, done


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m workbook.live.differential") -> int:
    """Run the command; return 0 where nothing differs, 1 where something does, 2 for a bad call."""
    options = _parser(prog).parse_args(argv)
    # so that QEMU and its directory go away when this program is told to
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        qemu = find_qemu(options.qemu, OLDEST_VERSION)
        accels = [options.accel] if options.accel else ["tcg", "kvm"] if usable_accel() == "kvm" else ["tcg"]
        with progress_bar(options.examples, "scenarios") as (_, moved):
            outcome = search(
                options.examples, options.seed, qemu, accels, progress=moved, most=options.most, of_lines=options.lines
            )
    except WorkbookError as error:
        print(f"differential: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("differential: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    for finding in outcome.findings:
        print(f"{finding}\n  written to {finding.write(options.found)}\n")
    if options.lines and outcome.scenarios:
        shares = {"started": outcome.started, **{kind: outcome.kinds[kind] for kind in (*KINDS, "hot-plug")}}
        print(", ".join(f"{name} {count / outcome.scenarios:.0%}" for name, count in shares.items()))
    print(
        f"{outcome.scenarios} scenarios, {outcome.steps} steps, {len(outcome.findings)} differ, seed {options.seed},"
        f" QEMU {qemu.version}"
    )
    return 1 if outcome.findings else 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--examples", type=int, default=500, metavar="N", help="how many scenarios (default: 500)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed gives the same scenarios")
    parser.add_argument("--qemu", metavar="PATH", help="the executable (default: qemu-system-x86_64 on PATH)")
    parser.add_argument("--accel", choices=("kvm", "tcg"), help="only this accelerator (default: all that work here)")
    parser.add_argument("--found", type=Path, default=FOUND, metavar="FOLDER", help=f"for findings (default: {FOUND})")
    parser.add_argument("--lines", action="store_true", help="command lines as people write them, only started")
    parser.add_argument("--most", type=int, default=_MOST_FINDINGS, metavar="K", help="end after so many findings")
    return parser
