"""The explorer, turned through the events of its forms as a page does; no browser."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from ipywidgets.widgets.widget import _instances as instances

from workbook.explorer import Explorer
from workbook.explorer.outcome_view import TABS, Theme
from workbook.explorer.scales import Scale
from workbook.lib.actions import Settle
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.plug_order import places
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.scenario_edits import requested
from workbook.lib.explore.settings import SETTINGS, SettingValue
from workbook.lib.notes import Note
from workbook.lib.rules.base import Budget, RuleSet, Trace
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB, TiB

SIZES = [name for name, one in SETTINGS.items() if one.kind == "size"]
COUNTS = [name for name, one in SETTINGS.items() if one.kind == "count"]
MOST_WIDGETS = 120
BAD_SIZES = ("", "5X", "-1G", "1e400", "1,5G", "0x", "16E", "nan", "G", "1 2", "<b>1</b>")
LONG_REFUSAL = "this vhost backend would further restricts the overall number of memory slots"


def explore(*given: Any, **more: Any) -> Explorer:
    """Open an explorer whose guest does nothing by itself: each request and what follows it is a step of its own."""
    return Explorer(*given, follow=False, **more)


def scale(explorer: Explorer, name: str) -> Scale:
    """The positions of a slider."""
    return explorer.panel.settings._scales[name]


def slide(explorer: Explorer, name: str, value: int | None) -> None:
    """Move a slider to a value that it offers."""
    explorer.panel.tell(name, at=scale(explorer, name).offered.index(value))


def type_in(explorer: Explorer, name: str, text: str) -> None:
    """Type into a setting's field."""
    explorer.panel.tell(name, text=text)


def choose(explorer: Explorer, name: str, value: SettingValue) -> None:
    """Choose a value of a setting, or set its check box."""
    in_toolbar = SETTINGS[name].group == "toolbar"
    form = explorer.toolbar if in_toolbar else explorer.panel
    if SETTINGS[name].kind == "flag":
        form.tell(name, on=value)
        return
    settings = explorer._choices if in_toolbar else explorer.panel.settings
    options = settings._options.get(name, SETTINGS[name].choices)
    form.tell(name, at=[one for _, one in options].index(value))


def click(explorer: Explorer, name: str) -> None:
    """Press a button."""
    (explorer.toolbar if name in {"undo", "redo", "compare", "swap"} else explorer.panel).tell(name)


def preset(explorer: Explorer, name: str) -> None:
    """Choose a preset."""
    explorer.toolbar.tell("preset", at=1 + list(PRESETS).index(name))


def value(explorer: Explorer, name: str) -> dict[str, object]:
    """What a control shows."""
    forms = (explorer.panel, explorer.toolbar, explorer.paste.form)
    return next(dict(form.values[name]) for form in forms if name in form.values)


def controls(items: Iterable[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    """Every control of a form, those in groups too."""
    for one in items:
        if one["kind"] == "group":
            yield from controls(one["items"])  # type: ignore[arg-type]  # a group has items
        else:
            yield one


@pytest.fixture(scope="module")
def shared() -> Explorer:
    """One explorer for tests that look neither at what was before nor at undo: building one takes a second."""
    return explore("cover-letter")


def shown(explorer: Explorer, name: str) -> Explorer:
    """The explorer with a preset, as if nothing had happened."""
    explorer.panel.tell("device", at=0)
    explorer.view.open_tab("Why")
    explorer.scenario = PRESETS[name].scenario
    explorer._sent = True
    return explorer


def complaint(explorer: Explorer) -> str:
    """What the explorer says of something that cannot be."""
    return str(explorer._complaint.value)


def check(explorer: Explorer) -> None:
    """Everything that is shown follows from the scenario: nothing is stale."""
    fresh = Outcome.of(explorer.scenario)
    assert explorer.outcome.summary() == fresh.summary()
    assert value(explorer, "state")["text"] == explorer.scenario.to_json()
    view = explorer.view
    comparing = view.other is not None and view.compared_charts is not None
    memory_map = view.compared_charts.memory_map if comparing else view.charts.memory_map
    figure = view.compared_figure if comparing else view.figure
    drawn = memory_map.sources["slots"].data
    # a surplus slot of the RFC lies behind the device's end; where QEMU does not start, the last map stays, greyed
    if fresh.layout:
        devices = fresh.layout.devices
        assert len(drawn["left"]) == sum(slot.offset < one.size for one in devices for slot in one.memslots())
        assert "memslots-stale" not in figure._dom_classes
    assert ("role='alert'" in explorer.view._notice.value) >= (fresh.problem is not None)
    for name, setting in SETTINGS.items():
        if setting.group == "hidden":
            continue
        now = value(explorer, name)
        try:
            holds = setting.get(explorer.scenario, explorer.panel._of_setting(setting))
        except BadInput:
            assert now["disabled"]
            continue
        assert not now.get("disabled")
        if setting.kind in {"size", "limit"}:
            assert scale(explorer, name).offered[now["at"]] == holds  # type: ignore[index]  # a position
            assert now["text"] == scale(explorer, name).text(holds)  # type: ignore[arg-type]  # bytes or memslots
            assert len(explorer.panel.offers[name]["texts"]) == len(scale(explorer, name).offered)
        elif setting.kind == "count":
            assert now["text"] == str(holds)
        elif setting.kind == "flag":
            assert now["on"] == holds
        else:
            settings = explorer._choices if setting.group == "toolbar" else explorer.panel.settings
            options = settings._options.get(name, setting.choices)
            assert options[now["at"]][1] == holds  # type: ignore[index]  # a position
    assert [row["name"] for row in value(explorer, "order")["rows"]] == [  # type: ignore[attr-defined]  # rows
        one.name for one in places(explorer.scenario)
    ]
    text = repr(explorer)
    assert "\n" not in text
    assert len(text) < 160


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_shown(shared: Explorer, name: str) -> None:
    """Choosing a preset in the drop-down shows it, says so in one line, and leaves the drop-down ready for the next."""
    preset(shared, name)
    assert shared.scenario == PRESETS[name].scenario
    assert value(shared, "preset") == {"at": 0}
    check(shared)


@pytest.mark.parametrize("name", SIZES)
def test_slider_and_field_of_a_size(shared: Explorer, name: str) -> None:
    """Slider and field of a size turn the same value, and each shows what the other has chosen."""
    explorer = shown(shared, "one-tib")
    offered = scale(explorer, name).offered
    for size in offered[:: max(1, len(offered) // 8)]:
        slide(explorer, name, size)
        assert SETTINGS[name].get(explorer.scenario, None) == size
        check(explorer)
    for text, size in (("100.5G", 201 * GiB // 2), ("3 GiB", 3 * GiB), ("0x40000000", GiB), (" 6g ", 6 * GiB)):
        type_in(explorer, name, text)
        assert SETTINGS[name].get(explorer.scenario, None) == size
        check(explorer)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("text", BAD_SIZES)
def test_a_size_that_is_none_is_one_clear_line(shared: Explorer, name: str, text: str) -> None:
    """A text that is no size is named in an alert; field, slider and picture stay together at what holds."""
    explorer = shown(shared, "cover-letter-2g")
    before = explorer.scenario
    type_in(explorer, name, text)
    assert explorer.scenario == before
    assert "role='alert'" in complaint(explorer)
    assert SETTINGS[name].label in complaint(explorer)
    assert "<b>" not in complaint(explorer)
    check(explorer)
    type_in(explorer, name, "8G")
    assert complaint(explorer) == ""
    check(explorer)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("text", ["0", "1", "3M", "16383P", "18446744073709551615", "100T"])
def test_any_size_that_can_be_read_is_shown_or_refused(shared: Explorer, name: str, text: str) -> None:
    """Sizes that QEMU would refuse show its refusal and no picture of before; those that cannot be are a line."""
    explorer = shown(shared, "cover-letter-2g")
    type_in(explorer, name, text)
    check(explorer)
    if complaint(explorer):
        assert explorer.scenario == PRESETS["cover-letter-2g"].scenario


def test_a_request_beyond_the_device_is_refused_in_qemus_words(shared: Explorer) -> None:
    """A request beyond the device is refused by QEMU; the picture shows the device with nothing plugged."""
    explorer = shown(shared, "cover-letter")
    type_in(explorer, "requested_size", "501G")
    assert "cannot exceed the memory backend size(0x7d00000000)" in explorer.view._notice.value
    assert explorer.outcome.problem is not None
    check(explorer)


def test_requests_are_offered_up_to_the_device(shared: Explorer) -> None:
    """The slider of the requested size ends at the device's size."""
    explorer = shown(shared, "cover-letter")
    assert scale(explorer, "requested_size").offered[-1] == 500 * GiB
    type_in(explorer, "device_size", "100.5G")
    assert explorer.panel.offers["requested_size"]["texts"][-1] == "100.5 GiB"


def test_positions_stay_while_a_slider_is_dragged(shared: Explorer) -> None:
    """A slider's own moves never change its positions, which would move the handle away under the pointer."""
    explorer = shown(shared, "cover-letter")
    type_in(explorer, "requested_size", "3.3G")
    offered = scale(explorer, "requested_size").offered
    for size in offered[::7]:
        slide(explorer, "requested_size", size)
        assert scale(explorer, "requested_size").offered == offered
        check(explorer)
    slide(explorer, "device_size", 8 * GiB)
    assert scale(explorer, "requested_size").offered[-1] == 8 * GiB


@pytest.mark.parametrize("name", ["kvm_slots", "vhost_slots"])
def test_slider_and_field_of_a_limit(shared: Explorer, name: str) -> None:
    """A limit is chosen on its slider, or typed: any number; what is none is a clear line."""
    explorer = shown(shared, "kata-virtiofsd")
    for limit in scale(explorer, name).offered:
        slide(explorer, name, limit)
        assert SETTINGS[name].get(explorer.scenario, None) == limit
        check(explorer)
    slide(explorer, name, 64)
    type_in(explorer, name, "1,234")
    assert SETTINGS[name].get(explorer.scenario, None) == 1234
    check(explorer)
    for text in ("many", "-1", "1.5", "9" * 30, "\u0662"):
        type_in(explorer, name, text)
        assert SETTINGS[name].label in complaint(explorer)
        assert SETTINGS[name].get(explorer.scenario, None) == 1234
    check(explorer)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_numbers(shared: Explorer, name: str) -> None:
    """A count is typed: any number from 0 on; a negative one, or a text that is none, is a clear line."""
    explorer = shown(shared, "cover-letter-2g")
    for _, number in SETTINGS[name].choices:
        type_in(explorer, name, str(number))
        assert SETTINGS[name].get(explorer.scenario, None) == number
        check(explorer)
    type_in(explorer, name, "11")
    assert SETTINGS[name].get(explorer.scenario, None) == 11
    check(explorer)
    for text in ("-1", "", "x", "1.5"):
        type_in(explorer, name, text)
        assert SETTINGS[name].label in complaint(explorer)
        assert value(explorer, name)["text"] == "11"
    type_in(explorer, name, "-1")
    assert f"{SETTINGS[name].label} -1 is negative" in complaint(explorer)
    type_in(explorer, name, str(1 << 70))
    assert "role='alert'" in complaint(explorer)
    check(explorer)
    type_in(explorer, name, "0")
    check(explorer)


@pytest.mark.parametrize(
    "name", [name for name, one in SETTINGS.items() if one.kind in {"choice", "flag"} and one.group != "hidden"]
)
def test_choices_and_flags(shared: Explorer, name: str) -> None:
    """Every choice of a drop-down and both states of a check box are shown."""
    explorer = shown(shared, "vhost-after")
    for _, one in SETTINGS[name].choices or (("on", True), ("off", False)):
        choose(explorer, name, one)
        if not complaint(explorer):
            assert SETTINGS[name].get(explorer.scenario, None) == one
        check(explorer)


@settings(max_examples=20)
@given(st.data())
def test_anything_in_any_order(shared: Explorer, data: st.DataObject) -> None:
    """Whatever is turned and pressed in whatever order: no exception, nothing stale, and undo goes all the way back."""
    explorer = shown(shared, data.draw(st.sampled_from(tuple(PRESETS))))
    first = explorer.scenario
    explorer._past.clear()
    for _ in range(data.draw(st.integers(1, 8))):
        what = data.draw(st.sampled_from(("turn", "turn", "type", "press", "advice", "device", "tab", "order")))
        if what == "turn":
            setting = SETTINGS[data.draw(st.sampled_from(tuple(SETTINGS)))]
            explorer._turned(setting, data.draw(st.sampled_from([one for _, one in setting.choices] or [True])), None)
        elif what == "type":
            name = data.draw(st.sampled_from(SIZES))
            text = data.draw(st.one_of(st.sampled_from(("0", "4G", "1.5T", "7M", "")), st.text(max_size=5)))
            type_in(explorer, name, text)
        elif what == "press":
            click(explorer, data.draw(st.sampled_from(("settle", "reset", "unplug_all", "request", "redo"))))
        elif what == "advice" and explorer.view.found:
            explorer.view.advice.tell(str(data.draw(st.integers(0, len(explorer.view.found) - 1))))
        elif what == "tab":
            explorer.view.tabs.tell("tab", at=data.draw(st.integers(-1, len(TABS))))
        elif what == "device":
            explorer.panel.tell("device", at=data.draw(st.integers(0, 3)))
        elif what == "order":
            op = data.draw(st.sampled_from(("add", "move", "remove", "limit", "pick")))
            kind, text = (
                data.draw(st.sampled_from(("vhost", "vfio"))),
                data.draw(st.sampled_from(("8", "dpdk", "", "?"))),
            )
            row = data.draw(st.integers(0, 3))
            if op != "pick" or row < len(explorer.scenario.devices):
                explorer.panel.tell(
                    "order", op=op, row=row, by=data.draw(st.sampled_from((-1, 1))), kind=kind, text=text
                )
        check(explorer)
    while explorer._past:
        click(explorer, "undo")
    assert explorer.scenario == first
    check(explorer)


def test_buttons_play_the_cover_letter(shared: Explorer) -> None:
    """Requests, guest and reboot by button give the cover letter's numbers of memslots."""
    explorer = shown(shared, "cover-letter")
    used = []
    for size in ("2G", "20G", "5G"):
        type_in(explorer, "requested_size", size)
        click(explorer, "request")
        used.append(explorer.outcome.used)
    click(explorer, "reset")
    used.append(explorer.outcome.used)
    assert used == [3, 21, 21, 6]
    click(explorer, "settle")
    assert explorer.outcome.layout
    assert explorer.outcome.layout.devices[0].plugged_size == 5 * GiB
    click(explorer, "unplug_all")
    assert explorer.outcome.layout.devices[0].plugged_size == 0
    click(explorer, "start_over")
    assert explorer.scenario == PRESETS["cover-letter"].scenario
    check(explorer)


def test_the_guest_follows_where_it_is_switched_on() -> None:
    """With the switch on, a slider's request is followed at once; off, it is a request and no more."""
    explorer = Explorer("cover-letter")
    slide(explorer, "requested_size", 20 * GiB)
    assert explorer.outcome.plugged == 20 * GiB
    slide(explorer, "requested_size", 10 * GiB)
    assert explorer.outcome.plugged == 10 * GiB
    click(explorer, "undo")
    assert explorer.outcome.plugged == 0
    explorer.panel.tell("follow", on=False)
    assert value(explorer, "follow") == {"on": False}
    slide(explorer, "requested_size", 20 * GiB)
    assert explorer.outcome.plugged == 0
    check(explorer)


def test_one_drag_is_one_undo() -> None:
    """Undo takes a drag of the request back as a whole, and nothing that was turned before it."""
    explorer = explore("cover-letter")
    states = [explorer.scenario]
    for size in (GiB, 2 * GiB, 4 * GiB):
        slide(explorer, "requested_size", size)
    states.append(explorer.scenario)
    type_in(explorer, "device_size", "100G")
    states.append(explorer.scenario)
    slide(explorer, "requested_size", 6 * GiB)
    slide(explorer, "requested_size", 7 * GiB)
    last = explorer.scenario
    for state in reversed(states):
        click(explorer, "undo")
        assert explorer.scenario == state
        check(explorer)
    assert value(explorer, "undo")["disabled"]
    for state in (*states[1:], last):
        click(explorer, "redo")
        assert explorer.scenario == state
    assert value(explorer, "redo")["disabled"]
    click(explorer, "undo")
    type_in(explorer, "ram_slots", "3")
    assert value(explorer, "redo")["disabled"]


def test_nothing_changed_is_nothing_to_undo() -> None:
    """A control that is set to what it shows, or a preset that is shown already, leaves nothing behind to undo."""
    explorer = explore("cover-letter")
    preset(explorer, "cover-letter")
    explorer.turn("device_size", 500 * GiB)
    explorer.scenario = PRESETS["cover-letter"].scenario
    assert value(explorer, "undo")["disabled"]


def test_compare_keeps_this_one_as_b() -> None:
    """Compare shows the scenario beside itself; what is turned then changes A, and the table marks what differs."""
    explorer = explore("cover-letter-20g")
    assert explorer.view.compared_figure is None
    click(explorer, "compare")
    choose(explorer, "policy", "QEMU's own")
    assert explorer.view.other
    assert explorer.view.other.rules.name == "rfc-2021"
    explorer.view.open_tab("Difference")
    assert "<td style='text-align:left'>Rule set</td>" in explorer.view.text
    assert "≠" in explorer.view.text
    assert explorer.view.compared_figure
    assert [one.layout.display for one in explorer.figures_within()] == ["none", ""]
    assert explorer.view._summary.value.count("memslots mapped") == 2
    assert repr(explorer) == (
        "Explorer(rules=qemu-10.0, memslots=0/125 of 4 GiB, plugged=0 B, metadata=0 B | "
        "B: rules=rfc-2021, memslots=21/500 of 1 GiB, plugged=0 B, metadata=52.8 MiB)"
    )
    click(explorer, "undo")
    assert value(explorer, "compare")["pressed"]
    click(explorer, "undo")
    assert not value(explorer, "compare")["pressed"]
    assert [one.layout.display for one in explorer.figures_within()] == ["", "none"]
    click(explorer, "redo")
    assert value(explorer, "compare")["pressed"]
    click(explorer, "compare")
    check(explorer)


def test_swap_turns_the_other_one() -> None:
    """Swap exchanges both, one undo takes it back; controls of what differs are marked, and no others."""
    explorer = explore("cover-letter-20g", compare="one-tib")

    def marked() -> set[str]:
        shown = {**explorer.panel.values, **explorer.toolbar.values}
        return {name for name, one in shown.items() if one.get("differs")}

    differ = {"device_size", "requested_size", "maxmem", "ram_slots", "chipset"}
    assert marked() == differ
    explorer.turn("rules", "qemu-10.0")
    assert marked() == {*differ, "policy", "qemu"}
    click(explorer, "undo")
    before = explorer.compared
    click(explorer, "swap")
    assert explorer.compared == before[::-1]
    assert marked() == differ
    check(explorer)
    explorer.turn("device_size", 500 * GiB)
    assert "device_size" not in marked()
    click(explorer, "undo")
    click(explorer, "undo")
    assert explorer.compared == before
    click(explorer, "compare")
    assert marked() == set()
    assert value(explorer, "swap")["hidden"]
    assert explorer.swap().compared == before[:1]


def test_events_of_the_shown_step() -> None:
    """The tab of events says what listeners were told by the step that the timeline shows."""
    explorer = explore("cover-letter-reboot")
    explorer.view.open_tab("Events")
    assert "15 region_del, 0 region_add, 6 region_nop; nothing is missing in between" in explorer.view.text
    explorer.view.timeline.tell("step", at=2)
    assert "vm0: request 20 GiB" in explorer.view.text
    assert "0 region_del, 18 region_add" in explorer.view.text
    explorer.view.timeline.tell("step", at=0)
    assert "Nothing changes" in explorer.view.text


def test_compare_two_given() -> None:
    """Two presets are compared from the start; a device too much on one side is marked, too."""
    explorer = explore("vhost-after", compare="cover-letter")
    assert value(explorer, "compare")["pressed"]
    explorer.view.open_tab("Difference")
    assert "vhost plugged" in explorer.view.text
    assert repr(explorer).count("rules=") == 2
    assert len(repr(explorer)) < 320
    explorer.scenario = Scenario()
    assert "<td style='text-align:left'>-</td>" in explorer.view.text


def test_timeline_scrubs_through_the_history() -> None:
    """Each position of the timeline shows what a fresh play of so many actions gives; the end is back where it was."""
    explorer = explore("cover-letter-reboot")
    actions = explorer.scenario.actions
    titles = explorer.view.timeline.offers["step"]["texts"]
    assert explorer.view.position == len(actions) == len(titles) - 1 == 4
    for position in (0, 2, 3, 1, 4):
        explorer.view.timeline.tell("step", at=position)
        fresh = Outcome.of(replace(explorer.scenario, actions=actions[:position]))
        assert explorer.outcome.summary() == fresh.summary()
        assert explorer.outcome.info_mtree == fresh.info_mtree
        assert explorer.view.timeline.values["step"] == {"at": position}
        assert titles[position].startswith(f"{position} of 4: ")
        assert explorer.view.charts.steps
        assert explorer.view.charts.steps._here.location == position
        assert len(explorer.view.charts.steps.source.data["step"]) == 5
    assert explorer.scenario.actions == actions
    check(explorer)
    explorer.view.open_tab("Steps")
    assert explorer.view.text.count("<tr") == 6
    explorer.view.move(2)
    assert explorer.view.text.count("aria-current") == 1
    assert "aria-current='step'><td>2</td>" in explorer.view.text


def test_timeline_where_nothing_happened(shared: Explorer) -> None:
    """Without actions there is the start alone; where QEMU does not start, nothing to scrub."""
    explorer = shown(shared, "cover-letter-20g")
    assert len(explorer.view.timeline.offers["step"]["texts"]) == 3
    click(explorer, "start_over")
    assert explorer.view.timeline.offers["step"]["texts"] == ["0 of 0: start"]
    explorer.scenario = replace(PRESETS["cover-letter-20g"].scenario, maxmem=4 * GiB)
    assert explorer.view.timeline.offers["step"]["texts"] == []
    check(explorer)


@pytest.mark.parametrize("name", PRESETS)
def test_saved_state_goes_round(shared: Explorer, name: str) -> None:
    """The text of the state, kept and pasted again later, brings everything back; blanks do not matter."""
    text = shown(shared, name).state
    explorer = shown(shared, "cover-letter" if name == "one-tib" else "one-tib")
    explorer.paste.form.tell("state", text=text)
    assert explorer.scenario == PRESETS[name].scenario
    explorer.paste.form.tell("state", text=json.dumps(json.loads(text), indent=2))
    assert value(explorer, "state")["text"] == text
    shown(shared, "cover-letter" if name == "one-tib" else "one-tib").open_text(text)
    assert "Read as a saved scenario" in explorer.paste.result.value
    assert explorer.scenario == PRESETS[name].scenario
    check(explorer)


def test_a_saved_state_is_a_scenario_to_start_from() -> None:
    """What the state's field shows can be given to a new explorer in place of a preset."""
    assert repr(explore(explore("kubevirt-dpdk").state)) == repr(explore("kubevirt-dpdk"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "1e999",
        '"text"',
        '{"cells":[],"nbformat":4}',
        '{"ram":-1}',
        '{"ram":"4G"}',
        '{"rules":"qemu-99"}',
        '{"devices":[{"type":"floppy"}]}',
        "[" * 5000,
        "<script>alert(1)</script>",
    ],
)
def test_a_foreign_text_is_one_line(shared: Explorer, text: str) -> None:
    """A text that is no saved state is one clear line; the state in force is shown again."""
    explorer = shown(shared, "cover-letter-2g")
    explorer.paste.form.tell("state", text=text)
    assert explorer.scenario == PRESETS["cover-letter-2g"].scenario
    assert "role='alert'" in complaint(explorer)
    assert "<script>" not in complaint(explorer)
    assert len(complaint(explorer)) < 500
    check(explorer)
    explorer.turn("ram", 8 * GiB)
    assert complaint(explorer) == ""


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"ram":0}',
        '{"maxmem":1}',
        '{"devices":[{"type":"dimm","id":"d","memdev":"m"}]}',
        '{"devices":[{"type":"virtio-mem","id":null,"memdev":null}]}',
        '{"actions":[{"op":"request_size","dev":"vm0","size":1}]}',
    ],
)
def test_a_strange_vm_is_shown(shared: Explorer, text: str) -> None:
    """A saved VM without virtio-mem, or one that cannot start, is shown as it is; controls without use are grey."""
    explorer = shown(shared, "cover-letter-2g")
    explorer.paste.form.tell("state", text=text)
    assert explorer.scenario == Scenario.from_json(text)
    check(explorer)
    for name in ("request", "settle", "reset", "unplug_all"):
        click(explorer, name)
        check(explorer)
    click(explorer, "undo")


def test_a_refused_vm_shows_the_refusal_over_the_last_map(shared: Explorer) -> None:
    """Where QEMU refuses, its words and advice are an alert, the last map stays, greyed, and advice is a button."""
    explorer = shown(shared, "cover-letter-20g")
    preset(explorer, "vhost-after")
    notice = explorer.view._notice.value
    assert notice.startswith("<div role='alert'")
    assert LONG_REFUSAL in notice
    assert "What to do:" in notice
    assert "memslots-stale" in explorer.view.figure._dom_classes
    assert "QEMU does not start" in explorer.view._summary.value
    assert "why it is refused" in explorer.view.text
    assert ">509</td>" in explorer.view.text
    assert "vhost back end vu0 (64 memslots)" in notice
    assert "plug the vhost device before the memory devices" in explorer.view.advice.values["0"]["label"]
    explorer.view.advice.tell("0")
    assert explorer.outcome.problem is None
    assert "role='alert'" not in explorer.view._notice.value
    check(explorer)


def test_text_panes_follow(shared: Explorer) -> None:
    """Each tab shows the text of what is drawn now, escaped; a long one is cut and says so."""
    explorer = shown(shared, "cover-letter-2g")
    for index, name in enumerate(TABS):
        explorer.view.tabs.tell("tab", at=index)
        assert explorer.view.tabs.values["tab"] == {"at": index}
        before = explorer.view.text
        explorer.turn("device_size", (400 + index) * GiB).turn("requested_size", (10 + index) * GiB)
        assert (explorer.view.text != before) == (name not in {"Notes", "Difference"})
        assert "<script" not in explorer.view.text
    preset(explorer, "one-tib")
    slide(explorer, "requested_size", TiB)
    for name in ("info mtree", "Events"):
        explorer.view.open_tab(name)
        assert "more lines" in explorer.view.text


def test_one_device_is_turned_of_several() -> None:
    """With several devices the panel turns all, or the one that is chosen, and shows that one's values."""
    explorer = explore("cover-letter")
    assert value(explorer, "device")["hidden"]
    type_in(explorer, "devices", "2")
    assert not value(explorer, "device")["hidden"]
    assert explorer.panel.offers["device"] == {"options": ["all devices", "vm0", "vm1"]}
    explorer.panel.tell("device", at=2)
    type_in(explorer, "device_size", "100G")
    slide(explorer, "requested_size", 3 * GiB)
    assert [SETTINGS["device_size"].get(explorer.scenario, one) for one in ("vm0", "vm1")] == [500 * GiB, 100 * GiB]
    assert [requested(explorer.scenario, one) for one in ("vm0", "vm1")] == [0, 3 * GiB]
    choose(explorer, "dynamic_memslots", "off")
    assert [SETTINGS["dynamic_memslots"].get(explorer.scenario, one) for one in ("vm0", "vm1")] == ["on", "off"]
    click(explorer, "settle")
    assert explorer.scenario.actions[-1] == Settle(dev="vm1")
    check(explorer)
    type_in(explorer, "devices", "1")
    assert explorer.panel.device is None
    assert explorer.scenario == PRESETS["cover-letter"].scenario
    check(explorer)


def test_the_vhost_slider_sets_the_chosen_back_end() -> None:
    """With several back ends the slider sets the one that is picked, and adds one where there is none."""
    explorer = explore("cover-letter")
    slide(explorer, "vhost_slots", 64)
    explorer.panel.tell("order", op="add", kind="vhost")
    assert value(explorer, "order")["several"]
    assert "vu1: what does yours report?" in str(value(explorer, "order")["asks"])
    explorer.panel.tell("order", op="pick", row=2)
    slide(explorer, "vhost_slots", 509)
    assert [one.limit for one in places(explorer.scenario)] == ["64", "", "509"]
    explorer.panel.tell("order", op="move", row=2, by=-1)
    explorer.panel.tell("order", op="limit", row=0, text="dpdk")
    assert [(one.name, one.limit) for one in places(explorer.scenario)] == [("vu0", ""), ("vu1", "509"), ("vm0", "")]
    explorer.panel.tell("order", op="limit", row=0, text="nfsd")
    assert "back end &#x27;nfsd&#x27; is not known" in complaint(explorer)
    explorer.panel.tell("order", op="remove", row=1)
    assert SETTINGS["vhost_slots"].get(explorer.scenario, None) == 0
    check(explorer)


class HalfOfAll(RuleSet):
    """Grants half of what KVM has free."""

    name = "half"

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
        """Return half, at most what the device has GiBs."""
        return trace.note("half", min((budget.kvm_free or 2) // 2, region_size // GiB), "half of what is free")


def test_a_rule_set_of_your_own() -> None:
    """A rule set of one's own decides; the drop-down shows it, and published ones can be chosen and left again."""
    explorer = explore("cover-letter-20g", rules=HalfOfAll(), compare="cover-letter-20g")
    assert repr(explorer).startswith("Explorer(rules=half, ")
    assert explorer.toolbar.offers["policy"]["options"][value(explorer, "policy")["at"]] == "half"  # type: ignore[index]  # a position
    assert "half of what is free" in explorer.view.text
    choose(explorer, "policy", "rfc-2021")
    assert "rules=rfc-2021, memslots=21/500" in repr(explorer)
    choose(explorer, "policy", "half")
    assert explorer.outcome.rules.name == "half"
    preset(explorer, "one-tib")
    assert explorer.outcome.rules.name == "half"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes(theme: Theme) -> None:
    """The explorer is built in a light and in a dark theme, and both show the same."""
    explorer = explore("cover-letter-20g", theme=theme)
    check(explorer)
    assert repr(explorer) == repr(explore("cover-letter-20g"))
    assert explorer.view.charts.memory_map.theme.name == theme


def test_every_control_has_a_name_and_a_help() -> None:
    """Every control says what it is by its label, and has a help text."""
    explorer = explore("cover-letter-20g", compare="vhost-after")
    view = explorer.view
    forms = (explorer.toolbar, explorer.panel, explorer.paste.form, view.advice, view.tabs, view.timeline)
    found = [one for form in forms for one in controls(form.items)]
    assert len(found) > 40
    for one in found:
        assert one["label"] or "hidden" in view.advice.values[str(one["name"])], one
        assert one.get("help") or one["kind"] == "tabs", one


def test_few_widgets() -> None:
    """An explorer, compared, is few widgets: every one of them answers when a page is loaded again."""
    before = set(instances)
    explorer = explore("cover-letter-20g", compare="vhost-after")
    made = set(instances) - before
    assert explorer.model_id in made
    assert len(made) <= MOST_WIDGETS / 2


def test_wrong_names_are_a_line() -> None:
    """A preset, setting, button or rule set that does not exist is named with what there is."""
    explorer = explore("cover-letter")
    for call, known in (
        (lambda: explore("cover"), "cover-letter"),
        (lambda: explorer.turn("size", 1), "device_size"),
        (lambda: explorer.press("stop"), "settle"),
        (lambda: explore(Scenario(rules="qemu-99")), "qemu-10.0"),
    ):
        with pytest.raises(BadInput, match=known):
            call()
    with pytest.raises(BadInput, match="kvm_slots"):
        explorer.turn("kvm_slots", 0)
    check(explorer)


def test_turning_by_name_is_turning_the_control() -> None:
    """`turn` and `press` do what controls and buttons do, and can be chained."""
    explorer = explore("cover-letter").turn("requested_size", 20 * GiB).press("settle").turn("block_size", 4 * MiB)
    other = explore("cover-letter")
    slide(other, "requested_size", 20 * GiB)
    click(other, "settle")
    choose(other, "block_size", 4 * MiB)
    assert explorer.scenario == other.scenario


def test_rules_by_name() -> None:
    """A rule set can be given by its name; one that does not exist is named, with those that do."""
    assert "rules=qemu-8.2" in repr(explore("cover-letter", rules="qemu-8.2"))
    with pytest.raises(BadInput, match="there is no rule set 'qemu-99': known are single"):
        explore("cover-letter", rules="qemu-99")


class Attached:
    """What stands for a running VM."""

    scenario = PRESETS["kata-virtiofsd"].scenario
    notes = (Note("assumed", "its back end reports 509", "vu0"),)


def test_a_running_vm_is_read_when_asked() -> None:
    """The button reads the VM, shows it with its notes, and is not there without something to read."""
    explorer = explore("cover-letter", running=Attached)
    assert "attach" not in {one["name"] for one in controls(explore("cover-letter").paste.form.items)}
    explorer.paste.form.tell("attach")
    assert explorer.scenario == Attached.scenario
    explorer.view.open_tab("Notes")
    assert "vu0: its back end reports 509" in explorer.view.text
    click(explorer, "undo")
    assert explorer.scenario == PRESETS["cover-letter"].scenario


def test_host_settings_of_this_machine() -> None:
    """The host's settings are read when asked for, not before."""
    explorer = explore("cover-letter", here=lambda: KvmHost(tdp_mmu=True, smm=True, nested=True))
    assert not explorer.scenario.smm
    explorer.paste.form.tell("as_here")
    assert (explorer.scenario.tdp_mmu, explorer.scenario.smm, explorer.scenario.nested) == (True, True, True)
    check(explorer)
