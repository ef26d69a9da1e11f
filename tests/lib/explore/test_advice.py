"""Advice: what is offered really helps, and nothing is offered where nothing is wrong."""

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st
from strategies import scenarios

from workbook.lib.explore.advice import advise, binding, smallest_limits
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.scenario_edits import virtio_mem_devices
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.rules import RULE_SETS, get
from workbook.lib.scenario import Scenario, VhostDevice
from workbook.lib.size import GiB, TiB

MERGED = SETTINGS["rules"].put(PRESETS["kata-virtiofsd"].scenario, "qemu-10.0", None)


def texts(scenario: Scenario) -> list[str]:
    """The advice for a scenario, without what it brings."""
    return [one.text.rsplit(": ", 1)[0] for one in advise(Outcome.of(scenario))]


def single_slots(outcome: Outcome) -> int:
    """How many large devices have one memslot only."""
    devices = outcome.layout.devices if outcome.layout else ()
    return sum(one.decision.count == 1 and one.size > GiB and not one.decision.direct for one in devices)


@pytest.mark.parametrize(
    "name", ["cover-letter", "cover-letter-2g", "cover-letter-20g", "cover-letter-reboot", "one-tib", "nested"]
)
def test_nothing_is_wrong_nothing_is_said(name: str) -> None:
    """A VM that QEMU accepts and whose device has many memslots gets no advice."""
    assert advise(Outcome.of(PRESETS[name].scenario)) == ()


@settings(max_examples=30)
@given(st.sampled_from(tuple(PRESETS)), st.sampled_from(tuple(RULE_SETS)), st.data())
def test_every_piece_of_advice_helps(name: str, rules: str, data: st.DataObject) -> None:
    """What is offered is accepted by QEMU, or has fewer devices of one memslot; and brings what it says."""
    scenario = PRESETS[name].scenario
    for setting in ("vhost_slots", "kvm_slots", "device_size", "devices"):
        choices = [value for _, value in SETTINGS[setting].choices]
        scenario = SETTINGS[setting].put(scenario, data.draw(st.sampled_from(choices), label=setting), None)
    outcome = Outcome.of(scenario, rules)
    for piece in advise(outcome):
        better = Outcome.of(piece.scenario, rules)
        assert better.problem is None
        if outcome.problem is None:
            assert single_slots(better) < single_slots(outcome)
        assert f"{better.promised:,} memslot" in piece.text or len(virtio_mem_devices(better.scenario)) != 1
        assert piece.scenario != scenario
    if outcome.problem is None and not single_slots(outcome):
        assert advise(outcome) == ()


@settings(max_examples=30)
@given(scenarios(), st.sampled_from(tuple(RULE_SETS)))
def test_any_vm_can_ask(scenario: Scenario, rules: str) -> None:
    """Asking for advice never fails, whatever the VM; each change is one of its own kind."""
    found = advise(Outcome.of(scenario, rules))
    assert len({one.scenario.to_json() for one in found}) == len(found)
    assert all("\n" not in one.text for one in found)


def test_the_late_back_end_is_to_come_first() -> None:
    """A back end that was plugged too late: first the order, then a back end with enough memslots."""
    assert texts(PRESETS["vhost-after"].scenario) == [
        "plug the vhost device before the memory devices",
        "a vhost back end with 509 memslots",
    ]


def test_a_back_end_binds() -> None:
    """Where the back end has too few memslots, a better back end is named, not a better kernel."""
    assert texts(PRESETS["kubevirt-dpdk"].scenario) == ["a vhost back end with 509 memslots"]


def test_kvm_binds() -> None:
    """Where KVM has too few memslots, a host with more is named, not a better back end."""
    assert texts(SETTINGS["kvm_slots"].put(MERGED, 32, None)) == ["a host whose KVM has 509 memslots"]


def test_both_bind() -> None:
    """Where either alone would not do, nothing is promised that does not help."""
    scenario = SETTINGS["kvm_slots"].put(PRESETS["kubevirt-dpdk"].scenario, 32, None)
    assert texts(scenario) == []


def test_room_is_missing() -> None:
    """A device that does not fit: maxmem is named, exactly what is needed."""
    scenario = replace(PRESETS["cover-letter"].scenario, maxmem=404 * GiB, ram_slots=0)
    assert texts(scenario) == ["maxmem=504 GiB"]


def test_too_much_room_is_shared() -> None:
    """A device that fills a small part of the device memory gets a small share: less maxmem helps."""
    scenario = replace(PRESETS["cover-letter"].scenario, maxmem=100 * TiB, ram_slots=0, kvm_slots=509)
    scenario = SETTINGS["device_size"].put(scenario, 100 * GiB, None)
    assert single_slots(Outcome.of(scenario)) == 1
    assert "maxmem=104 GiB, no more than the devices need" in texts(scenario)


def test_a_promise_too_much_is_taken_back() -> None:
    """The RFC's overcommitment is cured by a user's limit, where the rules know one."""
    scenario = PRESETS["promised-too-much"].scenario
    assert "max-memslots=64 for every device" in texts(scenario)
    merged = Outcome.of(PRESETS["vhost-after"].scenario, "qemu-10.0")
    assert not any("max-memslots" in one.text for one in advise(merged))


def test_advice_under_a_rule_set_of_ones_own() -> None:
    """Advice is played under the rule set that decided, a published one or not."""

    class Renamed(type(get("qemu-10.0"))):  # type: ignore[misc]  # the class of a published rule set
        name = "renamed"

    scenario = PRESETS["vhost-after"].scenario
    found = advise(Outcome.of(scenario, Renamed()))
    assert [one.text for one in found] == [one.text for one in advise(Outcome.of(scenario))]


@pytest.mark.parametrize(
    ("scenario", "binds"),
    [
        (PRESETS["vhost-after"].scenario, "vhost back end vu0 (64 memslots)"),
        (PRESETS["kata-old-virtiofsd"].scenario, "vhost back end vu0 (32 memslots)"),
        (PRESETS["kubevirt-dpdk"].scenario, "vhost back end vu0 (8 memslots)"),
        (replace(PRESETS["nested"].scenario, kvm_slots=64, actions=()), "KVM (64 memslots)"),
        (SETTINGS["maxmem"].put(MERGED, 16 * TiB, None), "the device's share of the space for memory devices"),
        (SETTINGS["maxmem"].put(MERGED, 16 * GiB, None), "the space for memory devices (maxmem - RAM)"),
        (PRESETS["kata-virtiofsd"].scenario, ""),
    ],
)
def test_what_binds_is_named(scenario: Scenario, binds: str) -> None:
    """The consumer or the space that stands in the way is named, with its number of memslots."""
    assert binding(advise(Outcome.of(scenario))) == binds


def test_the_back_end_with_the_fewest_is_named() -> None:
    """Of several back ends, named or not, the one with the fewest memslots is named; 0 memslots are 0."""
    scenario = PRESETS["vhost-after"].scenario
    *memory, _ = scenario.devices
    for limits, words in (
        ((64, 600), "vhost back end (unnamed) (64 memslots)"),
        ((600, 1), "vhost back end (unnamed) (1 memslot)"),
    ):
        backends = tuple(VhostDevice(id=None, slots=limit) for limit in limits)
        assert binding(advise(Outcome.of(replace(scenario, devices=(*memory, *backends))))) == words
    named = VhostDevice(id="fs0", slots=0)
    found = advise(Outcome.of(replace(scenario, devices=(*memory, named))))
    assert binding(found) == "vhost back end fs0 (0 memslots)"


@pytest.mark.parametrize(("name", "devices"), [("kubevirt-dpdk", 1), ("vhost-after", 1), ("kata-old-virtiofsd", 2)])
def test_the_smallest_limit_is_exact(name: str, devices: int) -> None:
    """The number that is said to help does, and one less does not."""
    scenario = SETTINGS["devices"].put(PRESETS[name].scenario, devices, None)
    outcome = Outcome.of(scenario)
    answers = dict(smallest_limits(outcome, advise(outcome)))
    limit = answers["a vhost back end"]

    def helps(slots: int) -> bool:
        changed = Outcome.of(SETTINGS["vhost_slots"].put(scenario, slots, None))
        if changed.problem is not None or changed.layout is None:
            return False
        return outcome.problem is not None or any(one.decision.count > 1 for one in changed.layout.devices)

    assert helps(limit)
    assert not helps(limit - 1)


def test_no_limit_where_nothing_is_wrong() -> None:
    """Where QEMU accepts and every device is divided there is no limit to name."""
    outcome = Outcome.of(PRESETS["kata-virtiofsd"].scenario)
    assert smallest_limits(outcome, advise(outcome)) == ()
