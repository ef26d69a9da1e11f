"""What memslots cost around a real QEMU: metadata and start time of a large device, and the price of an update.

`measure_device` starts QEMU with a virtio-mem device, lets the guest plug memory step by step, and takes the difference
of ``/proc/vmallocinfo`` against the same VM without the device; the prediction is made by `workbook.lib.machine` and
`workbook.lib.overhead` alone. `time_start` tells how long such a start takes. `measure_update` maps and unmaps memslots
one by one, as the RFC series does, and all in one request, as merged QEMU does, with and without a vhost-user backend
that has to be told.

As a command (Linux with QEMU >= 8.2 and ``/dev/kvm``, as root)::

    python -m workbook.live.qemu_cost --output data/measurements/qemu-<version>-linux-<version>-<paging>.json
    python -m workbook.live.qemu_cost --updates      # the updates alone: needs neither root nor /dev/kvm

It exits with 0 if every measurement equals its prediction, 1 if one differs, and 2 with one line if it cannot measure.
"""

from .device import DeviceCost, Start, measure_device, time_start
from .update import measure_update

__all__ = ("DeviceCost", "Start", "measure_device", "measure_update", "time_start")
