"""`workbook.lib` where numpy does not exist: everything but whole grids works, with the same numbers."""

import json
import pkgutil
import subprocess
import sys

import pytest

import workbook.lib

_BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "numpy":
            raise ImportError("numpy is blocked")
sys.meta_path.insert(0, Blocked())
"""

_NUMBERS = """
import json
from workbook.lib import Machine, Refusal
from workbook.lib.explore.outcome import Outcome
from workbook.lib.overhead import KvmHost
from workbook.lib.presets import PRESETS

seen = {}
for name, preset in PRESETS.items():
    outcome = Outcome.of(preset.scenario)
    if outcome.steps:
        seen[name] = [outcome.layout.info_mtree(), list(outcome.layout.memslot_sizes), outcome.cost.as_dict()]
    else:
        seen[name] = str(outcome.refusal)
vm = Machine.from_qemu_args(
    "-accel kvm -m 4G,maxmem=104G -object memory-backend-memfd,id=mem0,size=100G "
    "-device virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"
)
vm.request_size("vm0", 20 << 30)
vm.settle("vm0")
seen["vm"] = [vm.info_mtree(), vm.info_mtree(flat=True), vm.config_space("vm0"), vm.kvm_used]
seen["cost"] = KvmHost(tdp_mmu=False).metadata(vm.picture.memslot_sizes, bases=vm.picture.memslot_bases).as_dict()
try:
    vm.device_add("vhost-user-fs-pci", "fs0", vhost_slots=64)
except Refusal as refusal:
    seen["refusal"] = [refusal.message, [str(one) for one in refusal.reason]]
seen["numpy"] = "numpy" in __import__("sys").modules
print(json.dumps(seen, default=str))
"""


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)


def test_same_numbers_both_ways() -> None:
    """Every preset, a machine, its cost and a refusal are the same with numpy blocked, and never load it otherwise."""
    results = [_run(prefix + _NUMBERS) for prefix in ("", _BLOCK)]
    assert [result.returncode for result in results] == [0, 0], results[1].stderr
    with_numpy, without = (json.loads(result.stdout) for result in results)
    assert with_numpy == without
    assert without["numpy"] is False
    assert len(without) > 10


def test_all_but_grids_imports() -> None:
    """Every module of the library is importable with numpy blocked, but those of grids."""
    modules = [
        module.name
        for module in pkgutil.walk_packages(workbook.lib.__path__, "workbook.lib.")
        if not module.name.startswith("workbook.lib.sweep") and not module.name.endswith("__main__")
    ]
    assert len(modules) > 50
    result = _run(_BLOCK + f"import importlib\nfor name in {modules!r}:\n    importlib.import_module(name)")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", ["workbook.lib.sweep", "workbook.lib.sweep.grid"])
def test_grids_say_what_they_need(module: str) -> None:
    """A grid without numpy is a line that says so."""
    result = _run(_BLOCK + f"import {module}")
    assert result.returncode
    assert result.stderr.strip().endswith("ask for single decisions (RuleSet.decide, Machine)")
