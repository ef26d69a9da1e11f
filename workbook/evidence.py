"""The recorded evidence: how many runs of real QEMUs the model predicts, counted by predicting them now."""

from collections import Counter

from workbook.data import recordings
from workbook.lib.recording import NOT_PREDICTED, compare, predict
from workbook.table import Table

__all__ = ("compared_fields", "predicted_recordings")


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
            fields.update(set(step) - NOT_PREDICTED)
    return Table.of(("observation", "compared"), fields.most_common())
