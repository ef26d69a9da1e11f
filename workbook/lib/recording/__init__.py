"""Recordings of a real QEMU: predict one with the model alone, and compare."""

from .archive import load, read_all
from .player import Difference, compare, predict, rules_of

__all__ = ("Difference", "compare", "load", "predict", "read_all", "rules_of")
