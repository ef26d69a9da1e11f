"""The model: memory regions, memslots, rule sets, and QEMU's text formats. Pure: no I/O, no widgets.

What a programmer needs is here, most important first; `workbook/README.md` is the map of the rest.

>>> vm = Machine.from_qemu_args("-m 4G,maxmem=8G -object memory-backend-memfd,id=m,size=2G "
...                             "-device virtio-mem-pci,id=vm0,memdev=m,requested-size=1G")
>>> vm.settle("vm0")
>>> vm.query_memory_devices()[0]["data"]["size"]
1073741824
"""

from .cost.kvm import KvmHost
from .errors import Abort, BadInput, Refusal, WorkbookError
from .explore.outcome import Outcome, vary
from .explore.presets import PRESETS
from .explore.settings import SETTINGS
from .host import Host
from .machine.machine import Machine
from .recording import compare, predict
from .rules import RULE_SETS, RuleSet
from .scenario import Scenario

__all__ = (  # noqa: RUF022 - by importance
    "Machine",
    "Scenario",
    "Refusal",
    "BadInput",
    "Abort",
    "WorkbookError",
    "Host",
    "KvmHost",
    "Outcome",
    "vary",
    "PRESETS",
    "SETTINGS",
    "RuleSet",
    "RULE_SETS",
    "predict",
    "compare",
)
