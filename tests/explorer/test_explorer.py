"""The explorer, turned through its widgets' traits as a front-end does; no browser."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import pytest
from hypothesis import given, settings, strategies as st

from workbook.explorer import Explorer
from workbook.explorer.controls import CUSTOM, DIFFERS, NO_LIMIT
from workbook.explorer.explorer import CHOOSE
from workbook.explorer.outcome_view import Theme
from workbook.lib.actions import Settle
from workbook.lib.errors import BadInput
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS, requested
from workbook.lib.rules import RULE_SETS
from workbook.lib.rules.base import Budget, RuleSet, Trace
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB, TiB, shown_size

SIZES = [name for name, one in SETTINGS.items() if one.kind == "size"]
BAD_SIZES = ("", "5X", "-1G", "1e400", "1,5G", "0x", "16E", "nan", "G", "1 2", "<b>1</b>")
LONG_REFUSAL = "this vhost backend would further restricts the overall number of memory slots"


def explore(*given: Any, **more: Any) -> Explorer:
    """Open an explorer whose guest does nothing by itself: each request and what follows it is a step of its own."""
    return Explorer(*given, follow=False, **more)


def parts(explorer: Explorer, name: str) -> tuple[Any, ...]:
    """The widgets of a setting's control: a slider or a drop-down first, then its field."""
    widget = explorer.panel.controls[name].widget
    return tuple(widget.children) if isinstance(widget, widgets.HBox) else (widget,)


def walk(widget: Any) -> Iterator[Any]:
    """Every widget under one, itself included."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


@pytest.fixture(scope="module")
def shared() -> Explorer:
    """One explorer for tests that look neither at what was before nor at undo: building one takes a second."""
    return explore("cover-letter")


def click(button: widgets.Button) -> None:
    """Press a button; `Button.click` would only log what goes wrong."""
    for handler in button._click_handlers.callbacks:
        handler(button)


def shown(explorer: Explorer, name: str) -> Explorer:
    """The explorer with a preset, as if nothing had happened."""
    explorer.panel._device.value = ""
    explorer.view._tabs.selected_index = 0
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
    assert explorer.saved.value == explorer.scenario.to_json()
    memory_map = explorer.view.charts.memory_map
    drawn = memory_map.sources["slots"].data
    # a surplus slot of the RFC lies behind the device's end; where QEMU does not start, the last map stays, greyed
    if fresh.layout:
        devices = fresh.layout.devices
        assert len(drawn["left"]) == sum(slot.offset < one.size for one in devices for slot in one.memslots())
        assert "memslots-stale" not in explorer.view.figure._dom_classes
    assert ("role='alert'" in explorer.view._notice.value) >= (fresh.problem is not None)
    for name, control in explorer.panel.controls.items():
        shown = list(parts(explorer, name))
        try:
            value = SETTINGS[name].get(explorer.scenario, explorer.panel.device)
        except BadInput:
            assert all(one.disabled for one in shown)
            continue
        assert not any(one.disabled for one in shown)
        kind = type(control).__name__
        if kind == "SizeControl":
            assert [one.value for one in shown] == [value, shown_size(value)]
        elif kind == "LimitControl":
            assert shown[0].value == (NO_LIMIT if value is None else value)
        elif kind == "CountControl":
            labels = dict(SETTINGS[name].choices)
            assert labels.get(shown[0].value, shown[-1].value) == value
        else:
            assert shown[0].value == value
    text = repr(explorer)
    assert "\n" not in text
    assert len(text) < 160


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_shown(shared: Explorer, name: str) -> None:
    """Choosing a preset in the drop-down shows it, says so in one line, and leaves the drop-down ready for the next."""
    shared._preset.value = name
    assert shared.scenario == PRESETS[name].scenario
    assert shared._preset.value == CHOOSE
    check(shared)


@pytest.mark.parametrize("name", SIZES)
def test_slider_and_field_of_a_size(shared: Explorer, name: str) -> None:
    """Slider and field of a size turn the same value, and each shows what the other has chosen."""
    explorer = shown(shared, "one-tib")
    slider, field = parts(explorer, name)
    for value in slider.options[:: max(1, len(slider.options) // 8)]:
        slider.value = value[1]
        assert SETTINGS[name].get(explorer.scenario, None) == value[1]
        check(explorer)
    for text, value in (("100.5G", 201 * GiB // 2), ("3 GiB", 3 * GiB), ("0x40000000", GiB), (" 6g ", 6 * GiB)):
        field.value = text
        assert SETTINGS[name].get(explorer.scenario, None) == value
        check(explorer)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("text", BAD_SIZES)
def test_a_size_that_is_none_is_one_clear_line(shared: Explorer, name: str, text: str) -> None:
    """A text that is no size is named in an alert; field, slider and picture stay together at what holds."""
    explorer = shown(shared, "cover-letter-2g")
    before = explorer.scenario
    _, field = parts(explorer, name)
    field.value = text
    assert explorer.scenario == before
    assert "role='alert'" in complaint(explorer)
    assert SETTINGS[name].label in complaint(explorer)
    assert "<b>" not in complaint(explorer)
    check(explorer)
    field.value = "8G"
    assert complaint(explorer) == ""
    check(explorer)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("text", ["0", "1", "3M", "16383P", "18446744073709551615", "100T"])
def test_any_size_that_can_be_read_is_shown_or_refused(shared: Explorer, name: str, text: str) -> None:
    """Sizes that QEMU would refuse show its refusal and no picture of before; those that cannot be are a line."""
    explorer = shown(shared, "cover-letter-2g")
    parts(explorer, name)[1].value = text
    check(explorer)
    if complaint(explorer):
        assert explorer.scenario == PRESETS["cover-letter-2g"].scenario


def test_a_request_beyond_the_device_is_refused_in_qemus_words(shared: Explorer) -> None:
    """A request beyond the device is refused by QEMU; the picture shows the device with nothing plugged."""
    explorer = shown(shared, "cover-letter")
    parts(explorer, "requested_size")[1].value = "501G"
    assert "cannot exceed the memory backend size(0x7d00000000)" in explorer.view._notice.value
    assert explorer.outcome.problem is not None
    check(explorer)


def test_requests_are_offered_up_to_the_device(shared: Explorer) -> None:
    """The slider of the requested size ends at the device's size."""
    explorer = shown(shared, "cover-letter")
    assert parts(explorer, "requested_size")[0].options[-1] == ("500 GiB", 500 * GiB)
    parts(explorer, "device_size")[1].value = "100.5G"
    assert parts(explorer, "requested_size")[0].options[-1] == ("100.5 GiB", 201 * GiB // 2)


def test_a_dragged_slider_stays_the_same(shared: Explorer) -> None:
    """A slider is replaced where it has to offer other sizes, and never by its own moves: a drag would end."""
    explorer = shown(shared, "cover-letter")
    parts(explorer, "requested_size")[1].value = "3.3G"
    typed = parts(explorer, "requested_size")[0]
    for _, size in typed.options[::7]:
        typed.value = size
        assert parts(explorer, "requested_size")[0] is typed
        check(explorer)
    parts(explorer, "device_size")[0].value = 8 * GiB
    assert parts(explorer, "requested_size")[0] is not typed
    assert typed.comm is None


@pytest.mark.parametrize("name", [name for name, one in SETTINGS.items() if one.kind == "count"])
def test_counts_by_choice_and_by_number(shared: Explorer, name: str) -> None:
    """A count is chosen from a list, or typed: any number from 0 on; a negative one is a clear line."""
    explorer = shown(shared, "cover-letter-2g")
    *choice, field = parts(explorer, name)
    for label, value in SETTINGS[name].choices:
        choice[0].value = label
        assert SETTINGS[name].get(explorer.scenario, None) == value
        assert field.layout.display == "none"
        check(explorer)
    if choice:
        choice[0].value = CUSTOM
        assert field.layout.display == ""
    field.value = 11
    assert SETTINGS[name].get(explorer.scenario, None) == 11
    check(explorer)
    field.value = -1
    assert f"{SETTINGS[name].label} -1 is negative" in complaint(explorer)
    assert field.value == 11
    check(explorer)
    field.value = 1 << 70
    assert "role='alert'" in complaint(explorer)
    check(explorer)
    field.value = 0
    check(explorer)


@pytest.mark.parametrize("name", [name for name, one in SETTINGS.items() if one.kind in {"choice", "flag"}])
def test_choices_and_flags(shared: Explorer, name: str) -> None:
    """Every choice of a drop-down and both states of a check box are shown."""
    explorer = shown(shared, "vhost-after")
    control = explorer._rules if name == "rules" else explorer.panel.controls[name]
    for _, value in SETTINGS[name].choices or (("on", True), ("off", False)):
        control.widget.value = value
        assert SETTINGS[name].get(explorer.scenario, None) == value
        check(explorer)


@settings(max_examples=20)
@given(st.data())
def test_anything_in_any_order(shared: Explorer, data: st.DataObject) -> None:
    """Whatever is turned and pressed in whatever order: no exception, nothing stale, and undo goes all the way back."""
    explorer = shown(shared, data.draw(st.sampled_from(tuple(PRESETS))))
    first = explorer.scenario
    explorer._past.clear()
    for _ in range(data.draw(st.integers(1, 8))):
        what = data.draw(st.sampled_from(("turn", "turn", "type", "press", "advice", "device", "tab")))
        if what == "turn":
            setting = SETTINGS[data.draw(st.sampled_from(tuple(SETTINGS)))]
            value = data.draw(st.sampled_from([one for _, one in setting.choices] or [True, False]))
            explorer._turned(setting, value, None)
        elif what == "type":
            name = data.draw(st.sampled_from(SIZES))
            text = data.draw(st.one_of(st.sampled_from(("0", "4G", "1.5T", "7M", "")), st.text(max_size=5)))
            parts(explorer, name)[1].value = text
        elif what == "press":
            click(explorer.buttons[data.draw(st.sampled_from(("settle", "reset", "unplug_all", "request", "redo")))])
        elif what == "advice" and explorer.view._advice.children:
            click(data.draw(st.sampled_from(explorer.view._advice.children)))
        elif what == "tab":
            explorer.view._tabs.selected_index = data.draw(st.integers(0, len(explorer.view._texts) - 1))
        elif what == "device":
            explorer.panel._device.index = data.draw(st.integers(0, len(explorer.panel._device.options) - 1))
        check(explorer)
    while explorer._past:
        click(explorer.buttons["undo"])
    assert explorer.scenario == first
    check(explorer)


def test_buttons_play_the_cover_letter(shared: Explorer) -> None:
    """Requests, guest and reboot by button give the cover letter's numbers of memslots."""
    explorer = shown(shared, "cover-letter")
    field = parts(explorer, "requested_size")[1]
    used = []
    for size in ("2G", "20G", "5G"):
        field.value = size
        click(explorer.buttons["request"])
        used.append(explorer.outcome.used)
    click(explorer.buttons["reset"])
    used.append(explorer.outcome.used)
    assert used == [3, 21, 21, 6]
    click(explorer.buttons["settle"])
    assert explorer.outcome.layout
    assert explorer.outcome.layout.devices[0].plugged_size == 5 * GiB
    click(explorer.buttons["unplug_all"])
    assert explorer.outcome.layout.devices[0].plugged_size == 0
    click(explorer.buttons["start_over"])
    assert explorer.scenario == PRESETS["cover-letter"].scenario
    check(explorer)


def test_one_drag_is_one_undo() -> None:
    """Undo takes a drag of the request back as a whole, and nothing that was turned before it."""
    explorer = explore("cover-letter")
    request = parts(explorer, "requested_size")[0]
    states = [explorer.scenario]
    for size in (GiB, 2 * GiB, 4 * GiB):
        request.value = size
    states.append(explorer.scenario)
    parts(explorer, "device_size")[1].value = "100G"
    states.append(explorer.scenario)
    request.value = 6 * GiB
    request.value = 7 * GiB
    last = explorer.scenario
    for state in reversed(states):
        click(explorer.buttons["undo"])
        assert explorer.scenario == state
        check(explorer)
    assert explorer.buttons["undo"].disabled
    for state in (*states[1:], last):
        click(explorer.buttons["redo"])
        assert explorer.scenario == state
    assert explorer.buttons["redo"].disabled
    click(explorer.buttons["undo"])
    parts(explorer, "ram_slots")[0].value = 3
    assert explorer.buttons["redo"].disabled


def test_nothing_changed_is_nothing_to_undo() -> None:
    """A control that is set to what it shows, or a preset that is shown already, leaves nothing behind to undo."""
    explorer = explore("cover-letter")
    explorer._preset.value = "cover-letter"
    explorer.turn("device_size", 500 * GiB)
    explorer.scenario = PRESETS["cover-letter"].scenario
    assert explorer.buttons["undo"].disabled


def test_compare_keeps_this_one_as_b() -> None:
    """Compare shows the scenario beside itself; what is turned then changes A, and the table marks what differs."""
    explorer = explore("cover-letter-20g")
    assert len(explorer._body.children[1].children) == 1
    explorer._compare.value = True
    explorer._rules.widget.value = "qemu-10.0"
    assert explorer.other_view.outcome
    assert explorer.other_view.outcome.rules.name == "rfc-2021"
    table, pictures = explorer._body.children[1].children
    assert "<td style='text-align:left'>Rule set</td>" in table.value
    assert "≠" in table.value
    assert [len(one.children) for one in pictures.children] == [2, 2]
    assert repr(explorer) == (
        "Explorer(rules=qemu-10.0, memslots=0/125 of 4 GiB, plugged=0 B, metadata=0 B | "
        "B: rules=rfc-2021, memslots=21/500 of 1 GiB, plugged=0 B, metadata=52.8 MiB)"
    )
    click(explorer.buttons["undo"])
    assert explorer._compare.value
    click(explorer.buttons["undo"])
    assert not explorer._compare.value
    assert len(explorer._body.children[1].children) == 1
    click(explorer.buttons["redo"])
    assert explorer._compare.value
    explorer._compare.value = False
    check(explorer)


def test_swap_turns_the_other_one() -> None:
    """Swap exchanges both, one undo takes it back; controls of what differs are marked, and no others."""
    explorer = explore("cover-letter-20g", compare="one-tib")

    def marked() -> set[str]:
        return {name for name, one in explorer.panel.controls.items() if DIFFERS in one.widget._dom_classes}

    differ = {"device_size", "requested_size", "maxmem", "ram_slots", "chipset"}
    assert marked() == differ
    assert DIFFERS not in explorer._rules.widget._dom_classes
    explorer.turn("rules", "qemu-10.0")
    assert DIFFERS in explorer._rules.widget._dom_classes
    click(explorer.buttons["undo"])
    before = explorer.compared
    click(explorer._swap)
    assert explorer.compared == before[::-1]
    assert marked() == differ
    check(explorer)
    explorer.turn("device_size", 500 * GiB)
    assert "device_size" not in marked()
    click(explorer.buttons["undo"])
    click(explorer.buttons["undo"])
    assert explorer.compared == before
    explorer._compare.value = False
    assert marked() == set()
    assert explorer._swap.layout.display == "none"
    assert explorer.swap().compared == before[:1]


def test_events_of_the_shown_step() -> None:
    """The tab of events says what listeners were told by the step that the timeline shows."""
    explorer = explore("cover-letter-reboot")
    explorer.view._tabs.selected_index = list(explorer.view._texts).index("Events")

    def events() -> str:
        return str(explorer.view._texts["Events"].value)

    assert "15 region_del, 0 region_add, 6 region_nop; nothing is missing in between" in events()
    explorer.timeline.move(2)
    assert "vm0: request 20 GiB" in events()
    assert "0 region_del, 18 region_add" in events()
    explorer.timeline.move(0)
    assert "Nothing changes" in events()


def test_compare_two_given() -> None:
    """Two presets are compared from the start; a device too much on one side is marked, too."""
    explorer = explore("vhost-after", compare="cover-letter")
    assert explorer._compare.value
    assert "vhost plugged" in explorer._difference.value
    assert repr(explorer).count("rules=") == 2
    assert len(repr(explorer)) < 320
    explorer.scenario = Scenario()
    assert "<td style='text-align:left'>-</td>" in explorer._difference.value


def test_timeline_scrubs_through_the_history() -> None:
    """Each position of the timeline shows what a fresh play of so many actions gives; the end is back where it was."""
    explorer = explore("cover-letter-reboot")
    actions = explorer.scenario.actions
    assert explorer.timeline.position == len(actions) == 4
    for position in (0, 2, 3, 1, 4):
        explorer.timeline._slider.value = position
        fresh = Outcome.of(replace(explorer.scenario, actions=actions[:position]))
        assert explorer.outcome.summary() == fresh.summary()
        assert explorer.outcome.info_mtree == fresh.info_mtree
        assert f"{position} of 4" in explorer.timeline._title.value
    assert explorer.scenario.actions == actions
    check(explorer)
    assert explorer.timeline._table.value == ""
    explorer.timeline._details.selected_index = 0
    assert explorer.timeline._table.value.count("<tr") == 6
    explorer.timeline.move(2)
    assert explorer.timeline._table.value.count("aria-current") == 1
    assert "aria-current='step'><td>2</td>" in explorer.timeline._table.value


def test_timeline_hides_where_nothing_happened(shared: Explorer) -> None:
    """Without actions, or where QEMU does not start, there is nothing to scrub."""
    explorer = shown(shared, "cover-letter-20g")
    assert explorer.timeline.layout.display == ""
    click(explorer.buttons["start_over"])
    assert explorer.timeline.layout.display == "none"
    explorer.scenario = replace(PRESETS["cover-letter-20g"].scenario, maxmem=4 * GiB)
    assert explorer.timeline.layout.display == "none"
    check(explorer)


@pytest.mark.parametrize("name", PRESETS)
def test_saved_state_goes_round(shared: Explorer, name: str) -> None:
    """The text of the state, kept and pasted again later, brings everything back; blanks do not matter."""
    text = shown(shared, name).saved.value
    explorer = shown(shared, "cover-letter" if name == "one-tib" else "one-tib")
    explorer.saved.value = text
    assert explorer.scenario == PRESETS[name].scenario
    explorer.saved.value = json.dumps(json.loads(text), indent=2)
    assert explorer.saved.value == text
    check(explorer)


def test_a_saved_state_is_a_scenario_to_start_from() -> None:
    """What the state's field shows can be given to a new explorer in place of a preset."""
    assert repr(explore(explore("kubevirt-dpdk").saved.value)) == repr(explore("kubevirt-dpdk"))


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
    explorer.saved.value = text
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
    explorer.saved.value = text
    assert explorer.scenario == Scenario.from_json(text)
    check(explorer)
    for name in ("request", "settle", "reset", "unplug_all"):
        click(explorer.buttons[name])
        check(explorer)
    click(explorer.buttons["undo"])


def test_a_refused_vm_shows_the_refusal_over_the_last_map(shared: Explorer) -> None:
    """Where QEMU refuses, its words and advice are an alert, the last map stays, greyed, and advice is a button."""
    explorer = shown(shared, "cover-letter-20g")
    explorer._preset.value = "vhost-after"
    notice = explorer.view._notice.value
    assert notice.startswith("<div role='alert'")
    assert LONG_REFUSAL in notice
    assert "What to do:" in notice
    assert "memslots-stale" in explorer.view.figure._dom_classes
    assert "QEMU does not start" in explorer.view._summary.value
    assert "why it is refused" in explorer.view._texts["Why"].value
    assert ">509</td>" in explorer.view._texts["Why"].value
    assert "vhost back end vu0 (64 memslots)" in explorer.view._binds.value
    button = explorer.view._advice.children[0]
    assert "plug the vhost device before the memory devices" in button.description
    click(button)
    assert explorer.outcome.problem is None
    assert explorer.view._notice.value == ""
    check(explorer)


def test_text_panes_follow(shared: Explorer) -> None:
    """Each tab shows the text of what is drawn now, escaped; a long one is cut and says so."""
    explorer = shown(shared, "cover-letter-2g")
    for index, name in enumerate(explorer.view._texts):
        explorer.view._tabs.selected_index = index
        before = explorer.view._texts[name].value
        explorer.turn("device_size", (400 + index) * GiB).turn("requested_size", (10 + index) * GiB)
        assert explorer.view._texts[name].value != before
        assert "<script" not in explorer.view._texts[name].value
    explorer._preset.value = "one-tib"
    parts(explorer, "requested_size")[0].value = TiB
    for name in ("info mtree", "Events"):
        explorer.view._tabs.selected_index = list(explorer.view._texts).index(name)
        assert "more lines" in explorer.view._texts[name].value


def test_one_device_is_turned_of_several() -> None:
    """With several devices the panel turns all, or the one that is chosen, and shows that one's values."""
    explorer = explore("cover-letter")
    assert explorer.panel._device.layout.display == "none"
    parts(explorer, "devices")[0].value = "2"
    assert explorer.panel._device.layout.display == ""
    explorer.panel._device.value = "vm1"
    parts(explorer, "device_size")[1].value = "100G"
    parts(explorer, "requested_size")[0].value = 3 * GiB
    assert [SETTINGS["device_size"].get(explorer.scenario, one) for one in ("vm0", "vm1")] == [500 * GiB, 100 * GiB]
    assert [requested(explorer.scenario, one) for one in ("vm0", "vm1")] == [0, 3 * GiB]
    click(explorer.buttons["settle"])
    assert explorer.scenario.actions[-1] == Settle(dev="vm1")
    check(explorer)
    parts(explorer, "devices")[0].value = "1"
    assert explorer.panel.device is None
    assert explorer.scenario == PRESETS["cover-letter"].scenario
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
    assert explorer._rules.widget.value == "half"
    assert "half of what is free" in explorer.view._texts["Why"].value
    explorer._rules.widget.value = "rfc-2021"
    assert "rules=rfc-2021, memslots=21/500" in repr(explorer)
    explorer._rules.widget.value = "half"
    assert explorer.outcome.rules.name == "half"
    explorer._preset.value = "one-tib"
    assert explorer.outcome.rules.name == "half"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes(theme: Theme) -> None:
    """The explorer is built in a light and in a dark theme, and both show the same."""
    explorer = explore("cover-letter-20g", theme=theme)
    check(explorer)
    assert repr(explorer) == repr(explore("cover-letter-20g"))
    backgrounds = {one.background_fill_color for one in (explorer.view.charts.memory_map.figure,)}
    assert backgrounds != {
        explore("cover-letter", theme="dark" if theme == "light" else "light").view.charts.memory_map.figure
    }


def test_every_control_has_a_name_and_a_help() -> None:
    """Every control says what it is: by its label or by its help text, and each has a help text."""
    controls = [
        one
        for one in walk(explore("cover-letter-20g", compare="vhost-after"))
        if isinstance(one, widgets.Button | widgets.ToggleButton | widgets.ValueWidget | widgets.Play)
        and not isinstance(one, widgets.HTML)
    ]
    assert len(controls) > 30
    for one in controls:
        assert one.tooltip, one
        assert one.description or ":" in one.tooltip or " " in one.tooltip


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
    parts(other, "requested_size")[0].value = 20 * GiB
    click(other.buttons["settle"])
    parts(other, "block_size")[0].value = 4 * MiB
    assert explorer.scenario == other.scenario
    assert set(RULE_SETS) == {one for _, one in explorer._rules.widget.options}


def test_rules_by_name() -> None:
    """A rule set can be given by its name; one that does not exist is named, with those that do."""
    assert "rules=qemu-8.2" in repr(explore("cover-letter", rules="qemu-8.2"))
    with pytest.raises(BadInput, match="there is no rule set 'qemu-99': known are single"):
        explore("cover-letter", rules="qemu-99")
