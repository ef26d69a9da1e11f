"""The machine: a Scenario brought to life, with its devices, its memslots and what it looks like."""

from .machine import Machine, StateAnswer

__all__ = ("Machine", "StateAnswer")
