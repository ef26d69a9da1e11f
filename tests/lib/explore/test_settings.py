"""Settings: what is put can be read again, and nothing else moves."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import scenarios

from workbook.lib.actions import RequestSize
from workbook.lib.errors import BadInput
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.scenario_edits import requested, virtio_mem_devices, with_action, with_request
from workbook.lib.explore.settings import SETTINGS, SettingValue
from workbook.lib.scenario import Dimm, MemoryBackend, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB, MiB, TiB

SIZE = st.integers(1, 1 << 40).map(lambda number: number * 4 * KiB)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "device_size": SIZE,
    "requested_size": st.one_of(st.just(0), SIZE),
    "block_size": st.sampled_from([value for _, value in SETTINGS["block_size"].choices]),
    "max_memslots": st.integers(0, 0xFFFF),
    "devices": st.integers(0, 10),
    "maxmem": SIZE,
    "ram": SIZE,
    "ram_slots": st.integers(0, 300),
    "kvm_slots": st.integers(1, 100_000),
    "vhost_slots": st.one_of(st.none(), st.integers(0, 5000)),
}
UNIQUE = [Dimm(id="dimm0", memdev="mem9"), VirtioMem(id="a", memdev="mem10"), VirtioMem(id="b", memdev="mem11")]
VHOST = SETTINGS["vhost_slots"]


@st.composite
def turnable(draw: st.DrawFn) -> Scenario:
    """A VM with several named virtio-mem devices and a history, as an explorer may hold one."""
    scenario = draw(scenarios())
    chosen = draw(st.permutations(UNIQUE))[: draw(st.integers(0, 3))]
    memory = tuple(MemoryBackend(id=str(one.memdev), size=draw(SIZE)) for one in chosen)
    scenario = replace(
        scenario, devices=(*scenario.devices, *chosen), backends=(*scenario.backends, *memory), kvm_slots=509
    )
    for _ in range(draw(st.integers(0, 3))):
        scenario = with_request(scenario, draw(SIZE), again=draw(st.booleans()))
        scenario = with_action(scenario, draw(st.sampled_from(("settle", "reset"))))
    return scenario


def value_of(name: str) -> st.SearchStrategy[Any]:
    """What a control can hand on for a setting."""
    if name in VALUES:
        return VALUES[name]
    return st.sampled_from([value for _, value in SETTINGS[name].choices] or [True, False])


def test_every_setting_is_tried() -> None:
    """The values above belong to settings that exist."""
    assert set(VALUES) <= set(SETTINGS)
    assert all(name == setting.name for name, setting in SETTINGS.items())


@settings(max_examples=40)
@given(st.data(), turnable())
def test_what_is_put_is_read(data: st.DataObject, scenario: Scenario) -> None:
    """Every setting reads the value that it has put; putting it again changes nothing more."""
    for name, setting in SETTINGS.items():
        value = data.draw(value_of(name), label=name)
        try:
            setting.get(scenario, None)
            changed = setting.put(scenario, value, None)
        except BadInput:
            continue
        if name == "vhost_place" and all(isinstance(one, VhostDevice) for one in scenario.devices):
            continue
        assert setting.get(changed, None) == value, name
        assert setting.put(changed, value, None) == changed, name


@settings(max_examples=40)
@given(turnable())
def test_what_is_read_can_be_put(scenario: Scenario) -> None:
    """Putting the value that a VM shows leaves it as it is: a control that only shows does no harm."""
    for name in (
        "block_size",
        "devices",
        "maxmem",
        "ram",
        "ram_slots",
        "chipset",
        "accel",
        "kvm_slots",
        "smm",
        "nested",
    ):
        setting = SETTINGS[name]
        try:
            value = setting.get(scenario, None)
        except BadInput:
            assert not virtio_mem_devices(scenario)
            continue
        first = next((one.id for one in virtio_mem_devices(scenario)), None) if setting.per_device else None
        assert setting.put(scenario, value, first) == scenario or (setting.per_device and first is None), name


@settings(max_examples=40)
@given(st.data(), turnable())
def test_a_setting_of_one_device_touches_no_other(data: st.DataObject, scenario: Scenario) -> None:
    """A setting put for one device leaves what every other device has, and every other setting of its own."""
    ids = [one.id for one in virtio_mem_devices(scenario) if one.id]
    assume(len(ids) > 1)
    chosen = data.draw(st.sampled_from(ids))
    for name, setting in SETTINGS.items():
        if not setting.per_device:
            continue
        changed = setting.put(scenario, data.draw(value_of(name), label=name), chosen)
        for other in SETTINGS.values():
            if other.per_device:
                others = [one for one in ids if one != chosen]
                assert [other.get(changed, one) for one in others] == [other.get(scenario, one) for one in others]
                if other is not setting and {name, other.name} != {"device_size", "requested_size"}:
                    assert other.get(changed, chosen) == other.get(scenario, chosen), (name, other.name)


@settings(max_examples=40)
@given(st.data(), turnable(), st.sampled_from(("device_size", "devices", "ram")))
def test_tight_maxmem_stays_tight(data: st.DataObject, scenario: Scenario, name: str) -> None:
    """Where maxmem is RAM plus devices, it is so afterwards; the VM neither gains nor lacks room by a turned size."""
    needed = sum(one.size for one in scenario.backends if one.id != scenario.ram_backend)
    assume(virtio_mem_devices(scenario))
    memdevs = [one.memdev for one in scenario.devices if not isinstance(one, VhostDevice)]
    assume(sorted(map(str, memdevs)) == sorted(one.id for one in scenario.backends if one.id != scenario.ram_backend))
    tight = replace(scenario, maxmem=scenario.ram + needed)
    changed = SETTINGS[name].put(tight, data.draw(value_of(name)), None)
    left = sum(one.size for one in changed.backends if one.id != changed.ram_backend)
    assert changed.maxmem == changed.ram + left
    loose = replace(tight, maxmem=tight.maxmem + GiB)
    moved = SETTINGS[name].put(loose, 5 if name == "devices" else TiB, None)
    if name != "ram":
        assert moved.maxmem == loose.maxmem


def test_boot_ram_keeps_the_room_for_devices() -> None:
    """More boot RAM moves maxmem and the boot RAM's memory backend with it."""
    scenario = VHOST.put(PRESETS["cover-letter"].scenario, 64, None)
    changed = SETTINGS["ram"].put(scenario, 7 * GiB, None)
    assert changed.device_memory_size == scenario.device_memory_size
    boot = changed.backend(str(changed.ram_backend))
    assert boot
    assert boot.size == 7 * GiB


@given(st.integers(1, 10), st.integers(1, 10))
def test_devices_come_and_go_with_their_memory_and_history(first: int, second: int) -> None:
    """Devices that are added are like the first one and share its history; those that go take theirs along."""
    scenario = with_action(PRESETS["cover-letter-20g"].scenario, "settle")
    setting = SETTINGS["devices"]
    many = setting.put(scenario, max(first, second), None)
    names = [one.id for one in virtio_mem_devices(many)]
    assert len(set(names)) == len({one.id for one in many.backends}) == max(first, second)
    history = {name: [(one.op, getattr(one, "size", 0)) for one in many.actions if one.dev == name] for name in names}
    assert set(map(tuple, history.values())) == {
        (("request_size", 2 * GiB), ("request_size", 20 * GiB), ("settle", 0)),
    }
    few = setting.put(many, min(first, second), None)
    assert few == setting.put(scenario, min(first, second), None)


@pytest.mark.parametrize("number", [-1, 65, 10**9])
def test_a_number_of_devices_that_nobody_plugs_is_refused(number: int) -> None:
    """A mistyped number of devices is one clear line and not a busy kernel."""
    with pytest.raises(BadInput, match=f"^{number} virtio-mem devices: 0 to 64 are allowed$"):
        SETTINGS["devices"].put(PRESETS["cover-letter"].scenario, number, None)


def test_new_devices_take_names_that_are_free() -> None:
    """A device is added beside others whatever these are called; an address is not taken twice."""
    scenario = Scenario(
        maxmem=20 * GiB,
        ram_slots=1,
        backends=(MemoryBackend(id="mem1", size=GiB), MemoryBackend(id="mem0", size=GiB)),
        devices=(VirtioMem(id="vm1", memdev="mem1", memaddr=8 * GiB), Dimm(id="vm0", memdev="mem0")),
    )
    changed = SETTINGS["devices"].put(scenario, 3, None)
    assert [one.id for one in changed.devices] == ["vm1", "vm2", "vm3", "vm0"]
    assert Outcome.of(changed).problem is None
    assert SETTINGS["devices"].put(changed, 0, None).devices == (scenario.devices[1],)


def test_a_first_device_can_be_added() -> None:
    """A VM without any virtio-mem device gets one, with room for it."""
    changed = SETTINGS["devices"].put(Scenario(), 1, None)
    assert Outcome.of(changed).problem is None
    assert SETTINGS["device_size"].get(changed, None) == GiB


@pytest.mark.parametrize("name", ["device_size", "requested_size", "block_size", "max_memslots", "vhost_place"])
def test_what_is_not_there_cannot_be_read(name: str) -> None:
    """A setting of something that the VM does not have says so in a line."""
    with pytest.raises(BadInput, match="the scenario has no v"):
        SETTINGS[name].get(Scenario(), None)


def test_vhost_before_and_after() -> None:
    """The back end is plugged before or after all memory devices; its memory can be mapped by another process."""
    scenario = VHOST.put(SETTINGS["devices"].put(PRESETS["cover-letter"].scenario, 2, None), 64, None)
    place = SETTINGS["vhost_place"]
    assert [one.type for one in scenario.devices] == ["vhost", "virtio-mem", "virtio-mem"]
    after = place.put(scenario, "after", None)
    assert [one.type for one in after.devices] == ["virtio-mem", "virtio-mem", "vhost"]
    assert place.put(after, "before", None) == scenario
    assert all(one.has_fd and one.share for one in scenario.backends)
    assert VHOST.put(VHOST.put(after, 32, None), 64, None) == after


@settings(max_examples=40)
@given(turnable(), st.integers(0, 512))
def test_trying_a_back_end_leaves_no_trace(scenario: Scenario, slots: int) -> None:
    """Adding a vhost back end to a VM of ordinary memory and taking it away again gives the same VM."""
    devices = tuple(one for one in scenario.devices if not isinstance(one, VhostDevice))
    plain = tuple(MemoryBackend(id=one.id, size=one.size) for one in scenario.backends if one.id != "ram")
    scenario = replace(scenario, devices=devices, backends=plain, ram_backend=None)
    added = VHOST.put(scenario, slots, None)
    assert all(one.has_fd for one in added.backends)
    assert added.backend(str(added.ram_backend))
    assert VHOST.put(added, None, None) == scenario


def test_huge_pages_stay_when_the_back_end_goes() -> None:
    """Memory of huge pages is the user's choice and not given up for having no back end."""
    huge = MemoryBackend(id="mem0", size=GiB, kind="memfd", page_size=2 * MiB, share=True)
    scenario = replace(PRESETS["cover-letter"].scenario, backends=(huge,))
    assert VHOST.put(VHOST.put(scenario, 8, None), None, None) == scenario


def test_only_the_first_back_end_is_turned() -> None:
    """Of several back ends the first one is turned, the others stay; vhost in the kernel shows its default."""
    kernel = VhostDevice(id="net", driver="vhost-vsock-pci", kernel=True)
    other = VhostDevice(id="fs", slots=32)
    scenario = replace(PRESETS["cover-letter"].scenario, devices=(kernel, other))
    assert VHOST.get(scenario, None) == 64
    assert VHOST.put(scenario, 509, None).devices == (replace(kernel, slots=509), other)
    assert VHOST.put(scenario, None, None).devices == ()


@given(st.lists(st.integers(0, 1000).map(lambda number: number * 2 * MiB), min_size=1, max_size=6))
def test_a_slider_that_moves_on_leaves_one_request(sizes: list[int]) -> None:
    """Requests in a row are one; `again` keeps the one before."""
    scenario = PRESETS["cover-letter"].scenario
    kept = scenario
    for size in sizes:
        scenario = with_request(scenario, size)
        kept = with_request(kept, size, again=True)
    assert scenario.actions == (RequestSize(dev="vm0", size=sizes[-1]),)
    assert [one.size for one in kept.actions] == sizes
    assert requested(scenario) == requested(kept) == sizes[-1]


def test_only_the_last_request_is_replaced() -> None:
    """A slider that moves on replaces its own request, not those that were sent before it."""
    scenario = with_request(PRESETS["cover-letter"].scenario, 20 * GiB)
    scenario = with_request(scenario, 19 * GiB, again=True)
    for size in (10 * GiB, 5 * GiB):
        scenario = with_request(scenario, size)
    assert [one.size for one in scenario.actions] == [20 * GiB, 5 * GiB]
    assert Outcome.of(scenario).used == 21


def test_requests_of_other_devices_stay() -> None:
    """A request replaces what the same device was asked just before, whatever others were asked in between."""
    scenario = SETTINGS["devices"].put(PRESETS["cover-letter"].scenario, 2, None)
    scenario = with_request(with_request(scenario, GiB, "vm0"), 2 * GiB, "vm1")
    scenario = with_request(scenario, 3 * GiB, "vm0")
    assert {one.dev: one.size for one in scenario.actions} == {"vm0": 3 * GiB, "vm1": 2 * GiB}
    settled = with_request(with_action(scenario, "settle", "vm1"), 4 * GiB, "vm0")
    assert [one.op for one in settled.actions] == ["request_size", "request_size", "settle", "request_size"]
    assert [one.op for one in with_action(settled, "reset", "vm0").actions[-1:]] == ["reset"]
    assert [one.dev for one in with_action(scenario, "unplug_all").actions[-2:]] == ["vm0", "vm1"]


def test_a_smaller_device_is_asked_for_no_more_than_it_has() -> None:
    """A device that is made smaller takes along what was requested, by property and by request."""
    scenario = SETTINGS["device_size"].put(PRESETS["cover-letter-20g"].scenario, 10 * GiB, None)
    assert [one.size for one in scenario.actions] == [2 * GiB, 10 * GiB]
    asked = PRESETS["cover-letter"].scenario.with_device("vm0", requested_size=100 * GiB)
    assert requested(SETTINGS["device_size"].put(asked, 10 * GiB, None)) == 10 * GiB


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("device_size", "100G", "Device size '100G' is no size: give int"),
        ("smm", 1, "SMM 1 is no flag: give bool"),
        ("vhost_slots", True, "vhost memslots True is no limit: give int or None"),
        ("chipset", None, "Machine None is no choice: give str or int"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: SettingValue, message: str) -> None:
    """A value of another type than the setting's is refused in one line that names it and what is allowed."""
    with pytest.raises(BadInput) as refused:
        SETTINGS[name].put(PRESETS["cover-letter"].scenario, value, None)
    assert str(refused.value) == message
