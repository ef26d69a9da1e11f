"""The recorded evidence: how many runs of real QEMUs the model predicts, counted by predicting them now.

``python -m workbook.evidence`` prints the tables, and how long a prediction takes compared with the run itself.
"""

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median

from workbook.data import recordings
from workbook.lib.recording import NOT_COMPARED, compare, predict

from .table import Table

__all__ = ("compared_fields", "predicted_recordings", "time_per_recording")


def predicted_recordings() -> Table:
    """Predict every recording of `data/recordings` and count, by QEMU."""
    runs: Counter[str] = Counter()
    steps: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    for recording in recordings():
        version = recording["qemu_version"]
        runs[version] += 1
        steps[version] += len(recording["steps"])
        differing[version] += bool(compare(recording, predict(recording)))
    rows = [(version, runs[version], steps[version], differing[version]) for version in sorted(runs)]
    return Table.of(("QEMU", "runs", "steps", "runs that differ"), rows)


def compared_fields() -> Table:
    """Count how often each observation was compared, over all recordings."""
    fields: Counter[str] = Counter()
    for recording in recordings():
        for step in recording["steps"]:
            fields.update(set(step) - NOT_COMPARED)
    rows = sorted(fields.items(), key=lambda row: (-row[1], row[0]))
    return Table.of(("observation", "compared"), rows)


def time_per_recording() -> Table:
    """Time the prediction of every recording on this machine, beside what the run took in QEMU when it was recorded."""
    model: defaultdict[str, list[float]] = defaultdict(list)
    qemu: defaultdict[str, list[float]] = defaultdict(list)
    for recording in recordings():
        if not recording["seconds"]:  # not clocked
            continue
        start = time.perf_counter()
        predict(recording)
        model[recording["qemu_version"]].append(time.perf_counter() - start)
        qemu[recording["qemu_version"]].append(recording["seconds"])
    rows = []
    for version in sorted(model):
        own, real = median(model[version]), median(qemu[version])
        rows.append((version, f"{1e3 * own:.2f} ms", f"{1e3 * real:.0f} ms", f"{real / own:.0f} times"))
    return Table.of(("QEMU", "model, median", "QEMU, median", "faster"), rows)


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.evidence") -> int:
    """Print the evidence, counted by predicting every recording now."""
    argparse.ArgumentParser(prog=prog, description=__doc__).parse_args(arguments)
    print(predicted_recordings(), compared_fields(), time_per_recording(), sep="\n\n")
    return 0
