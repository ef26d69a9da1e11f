"""The model: memory regions, memslots, rule sets, and QEMU's text formats. Pure: no I/O, no widgets.

What a programmer needs is here, most important first; `workbook/README.md` is the map of the rest.

>>> vm = Machine.from_qemu_args("-m 4G,maxmem=8G -object memory-backend-memfd,id=m,size=2G "
...                             "-device virtio-mem-pci,id=vm0,memdev=m,requested-size=1G")
>>> vm.settle("vm0")
>>> vm.query_memory_devices()[0]["data"]["size"]
1073741824
"""

from . import (
    actions,
    boards,
    consumers,
    cost,
    errors,
    explore,
    host,
    kubevirt,
    libvirt,
    machine,
    memory,
    qemu_args,
    recording,
    rules,
    scenario,
    size,
)
from .cost.kvm import KvmHost
from .cost.qemu import QemuProcess
from .errors import Abort, BadInput, Refusal, WorkbookError
from .explore.invariants import first_violation
from .explore.outcome import Outcome, vary
from .explore.presets import PRESETS
from .explore.scenario_edits import with_action, with_request
from .explore.settings import SETTINGS
from .host import Host
from .machine.machine import Machine
from .memory.borders import borders, crossed
from .qemu_args.reader import read_argv
from .recording import compare, predict
from .rules import RULE_SETS, Budget, DynamicMemslots, RuleSet
from .scenario import Scenario
from .size import GiB, KiB, MiB, TiB, format_size, parse_size

__all__ = (  # noqa: RUF022 - by importance
    # a VM: made from a text or from values, and what QEMU says to it
    "Machine",
    "Scenario",
    "Refusal",
    "BadInput",
    "Abort",
    "WorkbookError",
    "Host",
    # what follows from it
    "Outcome",
    "vary",
    "PRESETS",
    "SETTINGS",
    "with_request",
    "with_action",
    # who decides, and what it costs
    "RuleSet",
    "RULE_SETS",
    "Budget",
    "DynamicMemslots",
    "first_violation",
    "KvmHost",
    "QemuProcess",
    # real QEMUs
    "predict",
    "compare",
    # details
    "read_argv",
    "borders",
    "crossed",
    "KiB",
    "MiB",
    "GiB",
    "TiB",
    "format_size",
    "parse_size",
    # packages and modules; `sweep` is not among them, as it needs numpy
    "machine",
    "scenario",
    "actions",
    "errors",
    "host",
    "explore",
    "rules",
    "cost",
    "recording",
    "memory",
    "boards",
    "consumers",
    "qemu_args",
    "libvirt",
    "kubevirt",
    "size",
)
