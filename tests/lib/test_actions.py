"""Actions as values and as JSON."""

import pytest
from hypothesis import given, strategies as st

from workbook.lib import actions
from workbook.lib.actions import Action, action_from_json, action_to_json, device_of, on_device
from workbook.lib.errors import BadInput
from workbook.lib.json_codec import JsonObject
from workbook.lib.scenario import Scenario

NAMES = st.sampled_from(["vm0", "vu0", "d0"])
NUMBERS = st.integers(0, (1 << 64) - 1)
OBJECTS = st.dictionaries(st.text(max_size=5), NUMBERS | st.booleans() | st.text(max_size=5), max_size=3).map(
    JsonObject
)
PLAIN = st.one_of(
    *(st.builds(kind) for kind in (actions.Start, actions.Look, actions.Reset, actions.MigrateCancel)),
    *(st.builds(kind, dev=NAMES) for kind in (actions.UnplugAll, actions.Settle, actions.DeviceReset)),
    *(
        st.builds(kind, dev=NAMES, offset=NUMBERS, size=NUMBERS)
        for kind in (actions.Plug, actions.Unplug, actions.State)
    ),
    st.builds(actions.RequestSize, dev=NAMES, size=st.integers(-(1 << 63), (1 << 64) - 1)),
    st.builds(actions.RawRequest, dev=NAMES, type=st.integers(0, 65535), gpa=NUMBERS, nb_blocks=st.integers(0, 65535)),
    st.builds(actions.DriverStart, dev=NAMES, unplugged_inaccessible=st.booleans()),
    st.builds(actions.VhostStart, dev=NAMES, ring=st.none() | NUMBERS),
    st.builds(
        actions.DeviceAdd,
        driver=st.sampled_from(["pc-dimm", "virtio-mem-pci", "vhost-user-rng-pci"]),
        id=st.none() | NAMES,
        props=OBJECTS,
        object=st.none() | OBJECTS,
        vhost_slots=st.none() | NUMBERS,
    ),
    st.builds(actions.DeviceDel, id=NAMES),
    st.builds(actions.ObjectAdd, object=OBJECTS),
    st.builds(actions.NetdevAdd, type=st.just("vhost-user"), id=NAMES, props=OBJECTS),
    st.builds(actions.ChardevAdd, id=NAMES, backend=OBJECTS),
    st.builds(actions.QomSet, dev=NAMES, property=st.just("size"), value=NUMBERS | st.booleans() | st.text()),
    st.builds(actions.Migrate, to=st.sampled_from([None, "file", "nowhere"])),
)
ANY = PLAIN | st.builds(actions.MigrateIncoming, source=st.lists(PLAIN, max_size=2).map(tuple))


@given(ANY)
def test_survives_a_recording(action: Action) -> None:
    """What a recording says of an action reads back equal."""
    assert action_from_json(action_to_json(action), "action") == action


@given(st.lists(ANY, max_size=3))
def test_survives_a_scenario(played: list[Action]) -> None:
    """Any action can stand in a saved scenario."""
    scenario = Scenario(actions=tuple(played))
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert hash(scenario) == hash(Scenario.from_json(scenario.to_json()))


@given(ANY)
def test_another_device(action: Action) -> None:
    """An action that is about a device can be about another one; all others stay."""
    moved = on_device(action, "other")
    assert device_of(moved) == ("other" if device_of(action) else None)
    assert type(moved) is type(action)


def test_back_end_without_a_limit_is_not_no_back_end() -> None:
    """A vhost-user device that is added has a back end, and where it reports no limit the recording says null."""
    add = actions.DeviceAdd(driver="vhost-user-rng-pci", id="vu0")
    assert action_to_json(add)["vhost_slots"] is None
    assert "vhost_slots" not in action_to_json(actions.DeviceAdd(driver="pc-dimm"))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (None, "must be an object"),
        ({}, "needs an op, one of start"),
        ({"op": "dance"}, "not 'dance'"),
        ({"op": []}, "needs an op"),
        ({"op": "plug"}, "lacks the field 'dev'"),
        ({"op": "plug", "dev": "vm0", "size": "2M"}, "action.size must be int, not '2M'"),
        ({"op": "plug", "dev": "vm0", "size": -1}, "action 'plug': size is out of range"),
        ({"op": "raw", "dev": "vm0", "type": 1 << 16}, "action 'raw': type is out of range: 0 to 0xffff"),
        ({"op": "qom_set", "dev": "vm0", "property": "size", "value": []}, "value must be bool or int or str"),
        ({"op": "migrate", "to": "mars"}, "'file', 'nowhere'"),
    ],
)
def test_bad_actions(data: object, line: str) -> None:
    """What is no action is one clear line that names what is wrong."""
    with pytest.raises(BadInput) as caught:
        action_from_json(data, "action")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_else_a_recording_says_is_left_out() -> None:
    """Fields of a recorded action that are not known are no error there, as they are in a saved scenario."""
    assert action_from_json({"op": "look", "why": "curious"}, "action") == actions.Look()
    with pytest.raises(BadInput, match="has no field 'why'"):
        Scenario.from_json('{"actions": [{"op": "look", "why": "curious"}]}')
