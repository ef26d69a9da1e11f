"""Measure real memslots: what they cost the kernel and how long they take, beside what the model predicts.

The difference of ``/proc/vmallocinfo`` before and after making memslots is the measurement; it names the caller of each
array, so every part is measured by itself and other users of vmalloc do not disturb. Only other VMs that change
meanwhile do: that is noticed, said in the result, and tried again. Where that file cannot be read (only root may),
``VmallocUsed`` serves, with an uncertainty.

As a command (Linux with ``/dev/kvm``; as root for numbers to the page)::

    python -m workbook.live.kvm                              # the standard layouts
    python -m workbook.live.kvm --random 20 --seed 7         # any sizes and alignments
    python -m workbook.live.kvm --timing                     # adding and removing 1 to 32,000 memslots
    python -m workbook.live.kvm --table --output host.json
    python -m workbook.live.kvm --probe                      # which arrays this kernel keeps, in a line

It exits with 0 if every measurement equals its prediction, 1 if one differs, and 2 with one line if it cannot measure.
"""

from .host import this_host
from .host_measurement import HostMeasurement
from .measurement import RESERVE, Measurement, measure, time_slots
from .memslot_layout import Layout
from .probe import Probe, probe

__all__ = (
    "RESERVE",
    "HostMeasurement",
    "Layout",
    "Measurement",
    "Probe",
    "measure",
    "probe",
    "this_host",
    "time_slots",
)
