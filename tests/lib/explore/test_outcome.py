"""Outcome: everything there is to show about a scenario, or its refusal."""

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st
from strategies import scenarios

from workbook.lib.actions import RequestSize
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.explore.outcome import Outcome, Problem, kvm_host, vary
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.machine.machine import Machine
from workbook.lib.rules import RULE_SETS, get
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, TiB

TWENTY = PRESETS["cover-letter-20g"].scenario
ALWAYS_REFUSED: tuple[tuple[str, dict[str, int]], ...] = (
    ("one-tib", {"maxmem": 64 * GiB}),
    ("kubevirt-dpdk", {"devices": 8}),
)


def test_an_outcome_is_what_the_machine_shows() -> None:
    """Texts, counts and cost are those of a machine that was played to the same end."""
    outcome, machine = Outcome.of(TWENTY), Machine(TWENTY)
    assert outcome.info_mtree == machine.info_mtree()
    assert outcome.info_mtree_flat == machine.info_mtree(flat=True)
    assert (outcome.used, outcome.promised) == (21, 500)
    assert outcome.cost == KvmHost(tdp_mmu=False).metadata([GiB] * 21)
    assert outcome.single.rules.name == "single"
    assert outcome.single.cost == KvmHost(tdp_mmu=False).metadata([500 * GiB])
    assert outcome.summary() == "rules=rfc-2021, memslots=21/500 of 1 GiB, plugged=0 B, metadata=52.8 MiB"


@settings(max_examples=40)
@given(scenarios(), st.sampled_from(tuple(RULE_SETS)))
def test_any_vm_has_an_outcome(scenario: Scenario, rules: str) -> None:
    """Any VM under any rule set has an outcome, in one line: numbers or a refusal; `single` has one, too."""
    outcome = Outcome.of(scenario, rules)
    assert "\n" not in outcome.summary()
    assert outcome.summary().startswith(f"rules={rules}, ")
    assert (outcome.layout is None) == (outcome.refusal is not None)
    assert outcome.used <= outcome.promised
    assert outcome.single.cost.total >= 0
    if outcome.refusal:
        assert " ".join(outcome.refusal.message.split()) in outcome.summary()
        assert (outcome.info_mtree, outcome.info_mtree_flat, outcome.cost.total) == ("", "", 0)


def test_memslots_cost_nothing_without_kvm() -> None:
    """TCG has no memslots in the kernel: nothing to pay."""
    outcome = Outcome.of(SETTINGS["accel"].put(TWENTY, "tcg", None))
    assert outcome.used == 21
    assert outcome.cost.total == 0


def test_the_host_follows_the_settings() -> None:
    """TDP MMU, SMM and nested guests are what the cost is computed for; two address spaces cost twice."""
    scenario = replace(TWENTY, tdp_mmu=True, smm=True, nested=True)
    assert kvm_host(scenario) == KvmHost(tdp_mmu=True, smm=True, nested=True)
    assert Outcome.of(replace(TWENTY, smm=True)).cost.total > Outcome.of(TWENTY).cost.total


def test_refusals_are_results() -> None:
    """A refused start has QEMU's words, no layout, and a command line to look at."""
    outcome = Outcome.of(PRESETS["vhost-after"].scenario)
    assert outcome.problem is outcome.refusal
    assert outcome.problem
    assert outcome.problem.by_qemu
    assert outcome.problem.advice
    assert (outcome.used, outcome.promised, outcome.layout) == (0, 0, None)
    assert any("vhost-user-fs-pci" in word for word in outcome.command_line)
    assert "refused: some memory device (like virtio-mem) decided" in outcome.summary()


def test_a_refused_action_leaves_the_vm_and_is_told() -> None:
    """An action that QEMU refuses is told beside the numbers of the VM, which runs on."""
    outcome = Outcome.of(replace(TWENTY, actions=(*TWENTY.actions, RequestSize(dev="vm0", size=1))))
    assert outcome.used == 21
    assert outcome.problem
    assert "memslots=21/500" in outcome.summary()
    assert outcome.summary().endswith("refused: 'requested-size' has to be multiples of 'block-size' (0x200000)")
    assert outcome.after(2).problem is None


def test_something_that_never_became_a_scenario() -> None:
    """A problem alone is an outcome, too: nothing to draw, its line to show."""
    outcome = Outcome.refused(Problem("cannot be read", "", by_qemu=False), "qemu-10.0")
    assert outcome.summary() == "rules=qemu-10.0, refused: cannot be read"
    assert outcome.layout is None


def test_an_unknown_rule_set_is_told() -> None:
    """A rule set that does not exist is a line that names those that do."""
    with pytest.raises(BadInput, match=r"qemu-10\.0"):
        Outcome.of(Scenario(rules="qemu-99"))


@given(scenarios(), st.sampled_from(tuple(RULE_SETS)))
def test_cost_of_one_memslot(scenario: Scenario, rules: str) -> None:
    """The cost of one memslot per device needs no second run, and is what that run says where both start."""
    outcome = Outcome.of(replace(scenario, actions=()), rules)
    if outcome.problem is None and outcome.single.problem is None:
        assert outcome.single_cost.total == outcome.single.cost.total


def test_rules_by_name_and_by_value() -> None:
    """A rule set is given by name or as itself; without one the scenario's holds."""
    assert Outcome.of(TWENTY, "qemu-10.0").summary() == Outcome.of(TWENTY, get("qemu-10.0")).summary()
    assert Outcome.of(TWENTY).rules.name == "rfc-2021"
    assert Outcome.of(replace(TWENTY, rules="single")).rules.name == "single"


def test_vary_plays_once_for_every_value() -> None:
    """One setting over several values gives an outcome for each, everything else as it was."""
    sizes = [GiB, 100 * GiB, TiB, 2 * TiB]
    varied = vary(SETTINGS["requested_size"].put(PRESETS["one-tib"].scenario, 0, None), "device_size", sizes)
    assert [one.promised for one in varied] == [1, 100, 1024, 1024]
    assert [SETTINGS["device_size"].get(one.scenario, None) for one in varied] == sizes
    with pytest.raises(KeyError):
        vary(TWENTY, "colour", [1])
    with pytest.raises(BadInput):
        vary(TWENTY, "kvm_slots", [0])


@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize(
    ("name", "turned"),
    [
        ("vhost-after", {}),
        ("vhost-after", {"vhost_slots": 509, "device_size": 2 * TiB, "maxmem": 4 * TiB}),
        ("promised-too-much", {}),
        ("kubevirt-dpdk", {"devices": 8}),
        ("one-tib", {"maxmem": 64 * GiB}),
        ("one-tib", {"kvm_slots": 8}),
    ],
)
def test_reason_of_a_refusal_is_too_large(name: str, turned: dict[str, int], rules: str) -> None:
    """Where QEMU refuses, the last of the numbers exceeds the one that it is compared with."""
    scenario = PRESETS[name].scenario
    for setting, value in turned.items():
        scenario = SETTINGS[setting].put(scenario, value, None)
    problem = Outcome.of(scenario, rules).problem
    if problem is None:
        assert (name, turned) not in ALWAYS_REFUSED
        return
    *given, needed = problem.reason
    compared = needed.why.rpartition("more than ")[2].removeprefix("the ")
    [*_, bound] = [one.value for one in given if one.name == compared]
    assert needed.value > bound
