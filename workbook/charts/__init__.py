"""Bokeh figures of model values: built once, then given new columns; no widgets and no files here.

Every chart has ``root`` (what to embed), ``update(value)`` and ``describe()`` (the picture in words).
"""

from .curves import Curves
from .decision_trace import DecisionTrace
from .listener_events import ListenerEvents
from .memory_map import MemoryMap
from .outcome_charts import OutcomeCharts
from .overhead import OverheadBars
from .slot_budget import SlotBudget

__all__ = ("Curves", "DecisionTrace", "ListenerEvents", "MemoryMap", "OutcomeCharts", "OverheadBars", "SlotBudget")
