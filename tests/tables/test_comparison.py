"""Comparison: rule sets and scenarios side by side."""

from dataclasses import replace

from workbook.lib.actions import RequestSize, Settle
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.rules import RULE_SETS, Budget, get
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB
from workbook.tables.comparison import courses, decisions, difference, outcomes

LETTER = PRESETS["cover-letter-20g"].scenario


def test_decisions_of_rule_sets() -> None:
    """Each example is decided by each rule set, by name or as itself, and the check before plugging judges it."""
    budget = Budget(device_memory_size=256 * GiB, kvm_max=32764, kvm_free=32755, vhost_max=8, vhost_free=2)
    table = decisions([("narrow", budget, 128 * GiB)], ["rfc-2021", get("qemu-10.0")])
    assert [row[:2] for row in table.rows] == [("narrow", "rfc-2021"), ("narrow", "qemu-10.0")]
    for row in table.rows:
        rules = get(row[1])
        decision = rules.decide(budget, 128 * GiB)
        assert row[2] == decision.limit
        assert row[3].startswith(f"{decision.count} x ")
        refusal = rules.refusal(budget, decision)
        assert row[4] == (refusal.message if refusal else "accepted")


def test_outcomes_under_every_rule_set() -> None:
    """One scenario under every rule set: numbers as its outcome has them, a refusal in QEMU's words."""
    for name in ("cover-letter-20g", "vhost-after"):
        table = outcomes(PRESETS[name].scenario, RULE_SETS)
        assert [row[0] for row in table.rows] == list(RULE_SETS)
        for row in table.rows:
            outcome = Outcome.of(PRESETS[name].scenario, row[0])
            assert row[2:4] == (outcome.used, outcome.promised)
            assert row[6] == (outcome.problem.message if outcome.problem else "accepted")
            assert (row[1] == "-") == (outcome.layout is None)


def test_difference_marks_what_was_set_and_what_follows() -> None:
    """Settings that differ come first, as their controls show them; consequences are marked by whether they differ."""
    other = replace(SETTINGS["vhost_slots"].put(LETTER, 0, None), smm=True, rules="qemu-10.0")
    rows = {row[0]: row[1:] for row in difference(Outcome.of(LETTER), Outcome.of(other)).rows}
    assert rows["Rule set"] == ("rfc-2021", "qemu-10.0", "≠")
    assert rows["vhost memslots"] == ("none", "8 (no CONFIGURE_MEM_SLOTS)", "≠")
    assert rows["vhost plugged"] == ("-", "before the devices", "≠")
    assert rows["SMM"] == ("no", "yes", "≠")
    assert rows["memslots mapped"] == ("21", "0", "≠")
    assert rows["QEMU says"] == ("accepted", "accepted", "=")
    assert "Device size" not in rows


def test_courses_of_other_monitors() -> None:
    """Over a whole course: where the device lies, the most memslots, average exposure, and changes of memslots."""
    actions = (RequestSize(dev="vm0", size=2 * GiB), Settle(dev="vm0"))
    grown = replace(LETTER, actions=(*actions, RequestSize(dev="vm0", size=0), Settle(dev="vm0")))
    rows = {row[0]: row[1:] for row in courses(grown, ("qemu-10.0", "firecracker", "dragonball", "stratovirt")).rows}
    assert rows["qemu-10.0"] == ("5 GiB", 1, "10 MiB", "819.2 MiB", 2, "accepted")
    assert rows["firecracker"][0:2] == ("512 GiB", 16)
    assert rows["firecracker"][3:] == ("0 B", 32, "accepted")
    assert (rows["dragonball"][1], rows["dragonball"][4]) == (1, 1)
    assert (rows["stratovirt"][1], rows["stratovirt"][3]) == (64, "0 B")


def test_nothing_differs() -> None:
    """An outcome beside itself has no setting to show, and every consequence is equal."""
    assert {row[-1] for row in difference(Outcome.of(LETTER), Outcome.of(LETTER)).rows} == {"="}


def test_difference_to_a_vm_without_devices() -> None:
    """What one of the two does not have is a dash."""
    rows = {row[0]: row[1:] for row in difference(Outcome.of(LETTER), Outcome.of(Scenario())).rows}
    assert rows["Device size"] == ("500 GiB", "-", "≠")
    assert rows["Devices"] == ("1", "0", "≠")
    assert rows["maxmem"] == ("1 TiB", "4 GiB", "≠")
