"""Mutations of texts in which people have VMs, through every reader: none may end in a traceback.

    python -m workbook.tools.fuzz --inputs 100000 --seed 1 tests/lib/pasted

Every input is a command line, XML, a KubeVirt object, monitor commands, a configuration file, a saved scenario or a
recording with characters, words or numbers changed; it makes a machine or is refused in the library's own errors. The
texts are files that are named, and what the presets are as command line, XML and JSON.
"""

import argparse
import json
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from workbook.lib.errors import BadInput, WorkbookError
from workbook.lib.explore.presets import PRESETS
from workbook.lib.libvirt import write_domain
from workbook.lib.machine import Machine
from workbook.lib.qemu_args import write_argv
from workbook.lib.recording import RecordingJson, predict
from workbook.lib.rules import get
from workbook.lib.scenario import Scenario

__all__ = ("Outcome", "fuzz", "main", "texts_of")

_PIECES: Final = (
    *("", " ", ",", "=", "\\", "'", '"', "\n", "-", "{", "}", "<", ">", ":", "\0", "$", "/", "&", ";", "é", "\u0663"),
    *("0", "-1", "1", "3", "255", "4096", "1G", "18446744073709551615", "18446744073709551616", "1e999", "0x", "1.5K"),
    *("on", "off", "auto", "null", "true", "[]", "{}", "help", "id=", "size=", "-device ", "-m ", "&amp;", "</"),
)
_READERS: Final[dict[str, Callable[[str], object]]] = {
    "from_text": Machine.from_text,
    "from_qemu_args": Machine.from_qemu_args,
    "from_libvirt": Machine.from_libvirt,
    "configuration file": lambda text: Machine.from_qemu_args("-readconfig vm.conf", files={"vm.conf": text}),
    "Scenario.from_json": lambda text: Machine(Scenario.from_json(text)),
    "predict": lambda text: predict(cast("RecordingJson", _json(text))),
}


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}") from None


@dataclass
class Outcome:
    """What came of the inputs, and the first tracebacks, each with its input."""

    counts: Counter[str] = field(default_factory=Counter)
    tracebacks: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """How many inputs there were."""
        return self.counts.total()


def texts_of(paths: Sequence[Path]) -> list[str]:
    """Return the texts to start from: those of files and folders, and those of the presets."""
    files = [one for path in paths for one in (sorted(path.rglob("*")) if path.is_dir() else [path]) if one.is_file()]
    found = [one.read_text("utf-8", "replace") for one in files]
    for preset in PRESETS.values():
        argv = write_argv(preset.scenario, get(preset.scenario.rules))
        recording = {"qemu_version": "10.0.2", "accel": "kvm", "argv": argv, "steps": [{"action": {"op": "start"}}]}
        found += [" ".join(argv), preset.scenario.to_json(), json.dumps(recording)]
        try:
            found.append(write_domain(preset.scenario, get(preset.scenario.rules)))
        except WorkbookError:
            continue  # libvirt has no words for it
    return found


def _mutated(choose: random.Random, texts: Sequence[str]) -> str:
    """Return a text with up to four changes."""
    text = choose.choice(texts)
    for _ in range(choose.randrange(5)):
        at = choose.randrange(len(text) + 1)
        end = min(len(text), at + choose.choice((0, 1, 1, 2, 5, 20)))
        match choose.randrange(6):
            case 0:
                text = text[:at] + choose.choice(_PIECES) + text[end:]
            case 1:
                text = text[:at] + text[at:end] * 2 + text[end:]
            case 2:
                text = text[:at] if choose.random() < 0.2 else text[:at] + text[end:]
            case 3:
                words = text.split(" ")
                first, second = choose.randrange(len(words)), choose.randrange(len(words))
                words[first], words[second] = words[second], words[first]
                text = " ".join(words)
            case 4:
                other = choose.choice(texts)
                start = choose.randrange(len(other) + 1)
                text = text[:at] + other[start : start + 60] + text[end:]
            case _:
                words = text.split(" ")
                words.insert(choose.randrange(len(words)), choose.choice(_PIECES))
                text = " ".join(words)
    return text


def fuzz(inputs: int, seed: int, texts: Sequence[str], *, progress: Callable[[int], object] | None = None) -> Outcome:
    """Give mutated texts to the readers: every one to `Machine.from_text`, and every fourth to one of the others."""
    choose = random.Random(seed)  # noqa: S311 - the same seed gives the same inputs
    outcome = Outcome()
    others = [name for name in _READERS if name != "from_text"]
    for _ in range(inputs):
        text = _mutated(choose, texts)
        reader = choose.choice(others) if choose.random() < 0.25 else "from_text"
        try:
            _READERS[reader](text)
            outcome.counts["read"] += 1
        except WorkbookError as error:
            outcome.counts[type(error).__name__] += 1
        except Exception:  # noqa: BLE001 - that is what is looked for
            outcome.counts["traceback"] += 1
            outcome.tracebacks.append((reader, text, traceback.format_exc()))
        if progress is not None:
            progress(1)
    return outcome


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.tools.fuzz") -> int:
    """Run the command; return 0 where no reader ends in a traceback, else 1."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files and folders with texts to mutate")
    parser.add_argument("--inputs", type=int, default=10_000, metavar="N", help="how many (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed gives the same inputs")
    options = parser.parse_args(arguments)
    try:
        texts = texts_of(options.paths)
    except OSError as error:
        print(f"fuzz: {error}", file=sys.stderr)
        return 2
    outcome = fuzz(options.inputs, options.seed, texts)
    for reader, text, trace in outcome.tracebacks[:5]:
        print(f"{reader}: {text!r:.2000}\n{trace}")
    kinds = ", ".join(f"{count} {name}" for name, count in outcome.counts.most_common() if name != "traceback")
    print(f"{outcome.inputs} inputs from {len(texts)} texts: {kinds}; {len(outcome.tracebacks)} tracebacks")
    return 1 if outcome.tracebacks else 0


if __name__ == "__main__":
    sys.exit(main())
