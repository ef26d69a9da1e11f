"""The explorer in a real JupyterLab: keyboard, presets, comparison, timeline, refusals, themes, sizes of screens.

Screenshots are left in `artefacts/`, which git ignores.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_session import watched_page
from lab_page import explorer_in, open_notebook, pixels, put_notebook, wait_until_drawn
from playwright.sync_api import Browser, Locator, Page, expect

from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.slot_table import slot_csv
from workbook.lib.libvirt.writer import write_domain
from workbook.lib.rules import RULE_SETS

SHOTS = Path(__file__).resolve().parents[2] / "artefacts"
SCREENS = {
    "1280": (1280, 800, 1.0),
    "1440": (1440, 900, 1.0),
    "1920": (1920, 1080, 1.0),
    "1280-zoomed-150": (1280, 800, 1.5),
}


@pytest.fixture(scope="module")
def shared(browser: Browser, lab: str) -> Iterator[Page]:
    """One page with an explorer for all tests: opening JupyterLab takes longer than any of them."""
    page = watched_page(browser)
    put_notebook(lab, "explorer.ipynb", ["from workbook.explorer import Explorer\nExplorer('cover-letter')"])
    open_notebook(page, lab, "explorer.ipynb")
    explorer_in(page)
    yield page
    page.close()


@pytest.fixture
def explorer(shared: Page) -> Iterator[Locator]:
    """The explorer at the cover letter's last step; afterwards the console has no error."""
    shared.set_viewport_size({"width": 1400, "height": 1000})
    explorer = explorer_in(shared)
    if explorer.get_by_role("button", name="Compare").get_attribute("class", timeout=5_000).find("mod-active") > 0:
        explorer.get_by_role("button", name="Compare").click()
    choose(explorer, "Cover letter: 5 GiB requested, rebooted")
    expect(sentence(explorer)).to_have_text("6 of 500")
    wait_until_drawn(shared, explorer)
    yield explorer
    assert shared.console_problems == []  # type: ignore[attr-defined]


def choose(explorer: Locator, preset: str) -> None:
    """Choose a preset."""
    explorer.locator("select").first.select_option(preset)


def sentence(explorer: Locator) -> Locator:
    """The first tile: how many memslots are mapped."""
    return explorer.locator(".memslots-tiles b").first


def open_more(explorer: Locator) -> None:
    """Open the settings that are folded away."""
    if not explorer.get_by_label("Block size").is_visible():
        explorer.get_by_text("More settings").click()


def slider(explorer: Locator, label: str) -> Locator:
    """The handle of a slider."""
    return explorer.locator(".widget-hslider", has_text=label).locator(".noUi-handle")


def boxes(locators: list[Locator]) -> list[Any]:
    """Where things are on the page."""
    return [one.bounding_box() for one in locators]


def test_preset_is_shown(shared: Page, explorer: Locator) -> None:
    """A preset changes controls, sentence and picture; the drop-down is ready for the next one."""
    before = pixels(explorer)
    choose(explorer, "Cover letter: 20 GiB requested")
    expect(sentence(explorer)).to_have_text("21 of 500")
    wait_until_drawn(shared, explorer, lambda now: now != before)
    expect(explorer.get_by_title("Requested size: any size, such as 100.5G")).to_have_value("20 GiB")
    expect(explorer.locator("select").first).to_have_value("choose a preset ...")


def test_slider_by_keyboard(shared: Page, explorer: Locator) -> None:
    """Arrow keys on a slider change sentence and picture; undo takes the whole drag back."""
    before = pixels(explorer)
    handle = slider(explorer, "Requested size")
    handle.focus()
    for _ in range(6):
        handle.press("ArrowRight")
    expect(sentence(explorer)).not_to_have_text("6 of 500")
    wait_until_drawn(shared, explorer, lambda now: now != before)
    explorer.get_by_role("button", name="Undo").click()
    expect(sentence(explorer)).to_have_text("6 of 500")
    wait_until_drawn(shared, explorer, lambda now: now == before)


def test_slider_by_mouse(shared: Page, explorer: Locator) -> None:
    """A slider that is dragged changes sentence and picture on the way; one undo takes the whole drag back."""
    before = pixels(explorer)
    place = slider(explorer, "Requested size").bounding_box()
    track = explorer.locator(".widget-hslider", has_text="Requested size").locator(".noUi-base").bounding_box()
    assert place
    assert track
    at, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    shared.mouse.move(at, y)
    shared.mouse.down()
    seen = set()
    for step in range(1, 9):
        shared.mouse.move(at + (track["x"] + track["width"] - at) * step / 8, y)
        shared.wait_for_timeout(120)
        seen.add(sentence(explorer).inner_text())
    shared.mouse.up()
    assert len(seen) > 2
    expect(sentence(explorer)).to_have_text("500 of 500")
    wait_until_drawn(shared, explorer, lambda now: now != before)
    explorer.get_by_role("button", name="Undo").click()
    expect(sentence(explorer)).to_have_text("6 of 500")
    wait_until_drawn(shared, explorer, lambda now: now == before)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_pictures_are_saved(shared: Page, explorer: Locator, tmp_path: Path, kind: str) -> None:
    """The cost picture is saved, and the page shows what it showed before."""
    before = pixels(explorer)
    for button in explorer.get_by_title(f"Save this picture as {kind.upper()}").all():
        with shared.expect_download() as download:
            button.click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
    content = (tmp_path / f"memslot-cost.{kind}").read_bytes()
    if kind == "png":
        assert content.startswith(b"\x89PNG")
        assert len(content) > 3_000
    else:
        assert "</text>" in content.decode()
        assert 'fill="#FFFFFF"' in content.decode()
    wait_until_drawn(shared, explorer, lambda now: now == before)


def test_files_are_saved(shared: Page, explorer: Locator, tmp_path: Path) -> None:
    """The table, the command line, the domain and the state are files, and they are the model's."""
    outcome = Outcome.of(PRESETS["cover-letter-reboot"].scenario)
    assert outcome.layout
    expected = {
        "memslots.csv": slot_csv(outcome.layout),
        "vm.sh": shlex.join(outcome.command_line) + "\n",
        "vm.xml": write_domain(outcome.scenario, RULE_SETS["rfc-2021"]),
        "scenario.json": outcome.scenario.to_json() + "\n",
    }
    explorer.get_by_role("tab", name="Save", exact=True).click()
    for name, text in expected.items():
        with shared.expect_download() as download:
            explorer.get_by_role("link", name=name).click()
        download.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes().decode() == text
    explorer.get_by_role("tab", name="Why").click()


def test_timeline_by_keyboard(shared: Page, explorer: Locator) -> None:
    """Arrow keys on the timeline step through what happened; sentence, picture and title follow."""
    expect(explorer.get_by_text("4 of 4:")).to_be_visible()
    before = pixels(explorer)
    handle = slider(explorer, "Step")
    handle.focus()
    handle.press("ArrowLeft")
    expect(explorer.get_by_text("3 of 4:")).to_be_visible()
    expect(sentence(explorer)).to_have_text("21 of 500")
    wait_until_drawn(shared, explorer, lambda now: now != before)
    handle.press("Home")
    expect(sentence(explorer)).to_have_text("0 of 500")
    handle.press("End")
    expect(sentence(explorer)).to_have_text("6 of 500")
    wait_until_drawn(shared, explorer, lambda now: now == before)
    explorer.get_by_text("Details of every step").click()
    expect(explorer.get_by_role("cell", name="vm0: request 20 GiB")).to_be_visible()
    explorer.get_by_text("Details of every step").click()


def test_compare(shared: Page, explorer: Locator) -> None:
    """Compare keeps the VM as B; A and B can be swapped, and both pictures stand side by side when wide."""
    shared.set_viewport_size({"width": 1920, "height": 1400})
    explorer.get_by_role("button", name="Compare").click()
    explorer.get_by_label("Rule set").select_option("qemu-10.0")
    explorer.get_by_role("button", name="Swap A and B").click()
    expect(explorer.get_by_label("Rule set")).to_have_value("rfc-2021")
    explorer.get_by_role("button", name="Swap A and B").click()
    expect(explorer.get_by_label("Rule set")).to_have_value("qemu-10.0")
    a, b = boxes([explorer.get_by_role("heading", name=name, exact=True) for name in ("A", "B")])
    assert a["y"] == b["y"]
    assert a["x"] < b["x"]
    wait_until_drawn(shared, explorer)
    SHOTS.mkdir(exist_ok=True)
    explorer.screenshot(path=SHOTS / "explorer-compare-1920.png")
    explorer.get_by_role("button", name="Compare").click()
    expect(explorer.get_by_role("heading", name="B", exact=True)).to_be_hidden()


def test_refusal_and_advice(shared: Page, explorer: Locator) -> None:
    """A back end that comes too late is refused in an alert, the last map stays, and a button makes it right."""
    before = pixels(explorer)
    choose(explorer, "Kata Containers: virtio-fs first, 32 GiB")
    expect(sentence(explorer)).to_have_text("0 of 30")
    field = explorer.get_by_title("vhost memslots: any number of memslots")
    field.fill("8")
    field.press("Enter")
    explorer.get_by_label("vhost plugged").select_option("after the devices")
    alert = explorer.get_by_role("alert").filter(has_text="QEMU refuses")
    expect(alert).to_be_visible()
    expect(alert).to_contain_text("this vhost backend would further restricts the overall number of memory slots")
    expect(sentence(explorer)).to_have_text("-")
    expect(explorer.get_by_text("Limited by: vhost back end vu0 (8 memslots)")).to_be_visible()
    expect(explorer.get_by_role("row", name="needed 509")).to_contain_text("this is too much")
    wait_until_drawn(shared, explorer, lambda now: now != before)
    SHOTS.mkdir(exist_ok=True)
    explorer.screenshot(path=SHOTS / "explorer-refused.png")
    explorer.get_by_role("button", name=re.compile("Try: plug the vhost device before")).click()
    expect(alert).to_be_hidden()
    expect(sentence(explorer)).to_have_text("0 of 1")
    expect(explorer.get_by_label("vhost plugged")).to_have_value("before the devices")


def test_bad_size_is_a_line(explorer: Locator) -> None:
    """A size that is none is named in an alert, and the field shows again what holds."""
    field = explorer.get_by_title("Device size: any size, such as 100.5G")
    field.fill("5X")
    field.press("Enter")
    expect(explorer.get_by_role("alert").filter(has_text="Device size '5X' is not a size")).to_be_visible()
    expect(field).to_have_value("500 GiB")
    field.fill("100.5G")
    field.press("Enter")
    expect(explorer.get_by_role("alert").filter(has_text="is not a size")).to_be_hidden()
    expect(sentence(explorer)).to_contain_text("of 101")


def test_every_control_has_a_name_and_visible_focus(shared: Page, explorer: Locator) -> None:
    """Every control that can be focused has an accessible name, and looks different while it has the focus."""
    # the buttons of a Play widget show symbols only; what they do is in the help text of their group
    plain = "select:visible, input:visible, button:visible:enabled:not(.widget-play *), .noUi-handle:visible"
    controls = explorer.locator(plain)
    open_more(explorer)
    assert controls.count() > 30
    nameless = controls.evaluate_all(
        """all => all.filter(one => !(one.title || one.ariaLabel || one.labels?.[0]?.innerText || one.innerText
            || one.closest(".widget-hslider")?.querySelector("label")?.innerText)).map(one => one.outerHTML)"""
    )
    assert nameless == []
    looks = """one => { const s = getComputedStyle(one)
        return [s.outlineStyle, s.outlineWidth, s.boxShadow, s.borderColor].join() }"""
    for one in (
        explorer.get_by_role("button", name="Reboot"),
        explorer.get_by_label("Block size"),
        explorer.get_by_label("TDP MMU"),
        explorer.get_by_title("Device size: any size, such as 100.5G"),
        slider(explorer, "Device size"),
    ):
        shared.keyboard.press("Shift")
        before = one.evaluate(looks)
        one.focus()
        shared.keyboard.press("Shift")
        assert one.evaluate(looks) != before, one
        one.blur()


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_is_cut_off(shared: Page, explorer: Locator, screen: str) -> None:
    """On each screen sliders, tiles and picture fit into one viewport, and nothing is wider than it."""
    width, height, zoom = SCREENS[screen]
    shared.set_viewport_size({"width": round(width / zoom), "height": round(height / zoom)})
    wait_until_drawn(shared, explorer)
    room, tiles, drawn, *handles = boxes(
        [
            explorer,
            explorer.locator(".memslots-tiles"),
            explorer.locator("canvas").first,
            *(slider(explorer, one) for one in ("Device size", "Requested size", "KVM memslots", "vhost memslots")),
        ]
    )
    assert drawn["width"] >= 380
    assert drawn["x"] + drawn["width"] <= room["x"] + room["width"] + 1
    if zoom == 1:
        together = [tiles, drawn, *handles]
        top, bottom = min(one["y"] for one in together), max(one["y"] + one["height"] for one in together)
        assert bottom - top <= 660
    assert explorer.evaluate("one => one.scrollWidth - one.clientWidth") <= 1
    shared.set_viewport_size({"width": round(width / zoom), "height": 2000})
    wait_until_drawn(shared, explorer)
    SHOTS.mkdir(exist_ok=True)
    explorer.screenshot(path=SHOTS / f"explorer-{screen}.png")


def test_dark(browser: Browser, lab: str) -> None:
    """In JupyterLab's dark theme the dark explorer has light text on a dark ground, and no error is logged."""
    page = watched_page(browser, color_scheme="dark")
    source = "from workbook.explorer import Explorer\nExplorer('vhost-after', compare='cover-letter-20g', theme='dark')"
    put_notebook(lab, "dark.ipynb", [source])
    open_notebook(page, lab, "dark.ipynb")
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    page.set_viewport_size({"width": 1700, "height": 2000})
    explorer = explorer_in(page)
    bright = """one => { const [r, g, b] = getComputedStyle(one).color.match(/[0-9.]+/g).map(Number)
        return (r + g + b) / 3 }"""
    for text in (sentence(explorer), explorer.get_by_role("alert").first, explorer.get_by_text("Device size").first):
        assert text.evaluate(bright) > 128
    SHOTS.mkdir(exist_ok=True)
    explorer.screenshot(path=SHOTS / "explorer-dark.png")
    assert page.console_problems == []  # type: ignore[attr-defined]
    page.close()


def test_a_smaller_device_asks_for_nothing(shared: Page, explorer: Locator) -> None:
    """A preset with a smaller device is shown as it is: a slider that stood higher does not request anything."""
    field = explorer.get_by_title("Requested size: any size, such as 100.5G")
    field.fill("490G")
    field.press("Enter")
    expect(sentence(explorer)).to_have_text("491 of 500")
    choose(explorer, "Kata Containers: virtio-fs first, 32 GiB")
    expect(sentence(explorer)).to_have_text("0 of 30")
    shared.wait_for_timeout(1_000)
    expect(explorer.get_by_label("State")).to_have_value(PRESETS["kata-virtiofsd"].scenario.to_json())
