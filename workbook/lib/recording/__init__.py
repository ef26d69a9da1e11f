"""Recordings of a real QEMU: predict one with the model alone, and compare."""

from .compare import NOT_COMPARED, Difference, compare
from .format import Observation, Recording, RecordingJson, Step
from .player import predict, predicted, rules_of

__all__ = (
    "NOT_COMPARED",
    "Difference",
    "Observation",
    "Recording",
    "RecordingJson",
    "Step",
    "compare",
    "predict",
    "predicted",
    "rules_of",
)
