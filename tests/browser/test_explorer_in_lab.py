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
PS = (
    "libvirt+ 4711 1 3 10:11 ? 00:01:02 /usr/bin/qemu-system-x86_64 -name guest=web,debug-threads=on -S "
    '-object {"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/lib/libvirt/qemu/k.aes"} '
    "-machine pc-q35-9.2,usb=off,dump-guest-core=off,memory-backend=pc.ram,acpi=on -accel kvm "
    "-cpu EPYC,host-phys-bits=on -m size=8388608k,slots=16,maxmem=33554432k "
    '-object {"qom-type":"memory-backend-memfd","id":"pc.ram","share":true,"size":8589934592} -smp 4 '
    "-chardev socket,id=chr-vu-fs0,path=/var/lib/libvirt/qemu/fs0.sock "
    '-device {"driver":"vhost-user-fs-pci","id":"fs0","chardev":"chr-vu-fs0","tag":"share"} '
    '-object {"qom-type":"memory-backend-memfd","id":"memvirtiomem0","share":true,"reserve":false,'
    '"size":17179869184} '
    '-device {"driver":"virtio-mem-pci","node":0,"block-size":2097152,"requested-size":0,'
    '"dynamic-memslots":true,"memdev":"memvirtiomem0","id":"virtiomem0"} -msg timestamp=on'
)
"""What ps prints of a VM that libvirt runs, with virtiofs and virtio-mem."""
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
    compare = explorer.get_by_role("button", name="Compare")
    if compare.get_attribute("aria-pressed", timeout=5_000) == "true":
        compare.click()
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
    """A slider."""
    return explorer.get_by_role("slider", name=label, exact=True)


def field(explorer: Locator, label: str) -> Locator:
    """The field beside a slider."""
    return explorer.get_by_label(f"{label}, typed")


def boxes(locators: list[Locator]) -> list[Any]:
    """Where things are on the page."""
    return [one.bounding_box() for one in locators]


def to_the_top(page: Page) -> Any:
    """Scroll the notebook so that the explorer begins at its top; return where the notebook is seen."""
    return page.evaluate(
        """() => { const seen = document.querySelector(".jp-WindowedPanel-outer")
            const output = seen.querySelector(".jp-OutputArea-output")
            seen.scrollTop += output.getBoundingClientRect().top - seen.getBoundingClientRect().top
            const {top, bottom, left, right} = seen.getBoundingClientRect()
            return {top, bottom, left, right} }"""
    )


def test_preset_is_shown(shared: Page, explorer: Locator) -> None:
    """A preset changes controls, sentence and picture; the drop-down is ready for the next one."""
    before = pixels(explorer)
    choose(explorer, "Cover letter: 20 GiB requested")
    expect(sentence(explorer)).to_have_text("21 of 500")
    wait_until_drawn(shared, explorer, lambda now: now != before)
    expect(field(explorer, "Requested size")).to_have_value("20 GiB")
    expect(slider(explorer, "Requested size")).to_have_attribute("aria-valuetext", "20 GiB")
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
    handle = slider(explorer, "Requested size")
    track = handle.bounding_box()
    assert track
    share = handle.evaluate("one => (one.value - one.min) / (one.max - one.min)")
    at, y = track["x"] + 8 + share * (track["width"] - 16), track["y"] + track["height"] / 2
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
    """Every picture is saved with title, legend, settings and verdict inside, and the page shows what it showed."""
    before = pixels(explorer)
    saved = set()
    for button in explorer.get_by_title(f"Save this picture as {kind.upper()}").all():
        if not button.is_visible():
            continue
        with shared.expect_download() as download:
            button.click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
        saved.add(download.value.suggested_filename)
    assert saved == {f"{name}.{kind}" for name in ("memory-map", "memslot-cost", "memslot-budget", "steps")}
    content = (tmp_path / f"memory-map.{kind}").read_bytes()
    if kind == "png":
        assert content.startswith(b"\x89PNG")
        assert len(content) > 10_000
    else:
        texts = set(re.findall(r">([^<>]+)</text>", content.decode()))
        assert {"Guest-physical memory, rfc-2021", "boot RAM", "mapped, partly plugged", "not to scale"} <= texts
        words = " ".join(texts)
        assert "vm0 500 GiB; KVM 32,764 memslots, shadow paging" in words
        assert "memslots=6/500 of 1 GiB" in words
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
    explorer.get_by_role("tab", name="Steps").click()
    expect(explorer.get_by_role("cell", name="vm0: request 20 GiB")).to_be_visible()
    explorer.get_by_role("tab", name="Why").click()


def test_compare(shared: Page, explorer: Locator) -> None:
    """Compare keeps the VM as B; what differs is marked, listed and drawn: both maps, and what only one of them has."""
    shared.set_viewport_size({"width": 1440, "height": 900})
    explorer.get_by_role("button", name="Compare").click()
    # the charts of a comparison are made when they are first wanted
    expect(explorer.locator(".memslots-tiles .side")).to_have_text(["A", "B"], timeout=60_000)
    explorer.get_by_label("Policy").select_option("QEMU's own")
    marked = explorer.locator(".differs")
    expect(marked).to_have_count(2)
    expect(explorer.locator(".differs select")).to_have_count(2)
    open_more(explorer)
    explorer.get_by_label("Accelerator").select_option("TCG")
    expect(marked).to_have_count(3)
    expect(marked.last).to_contain_text("Accelerator")
    explorer.get_by_role("tab", name="Difference").click()
    row = explorer.get_by_role("row", name="Rule set")
    expect(row.get_by_role("cell")).to_have_text(["Rule set", "qemu-10.0", "rfc-2021", "≠"])
    expect(explorer.get_by_role("row", name="Accelerator")).to_contain_text("TCG")
    explorer.get_by_label("Accelerator").select_option("KVM")
    expect(marked).to_have_count(2)
    explorer.get_by_role("button", name="Swap").click()
    expect(explorer.get_by_label("Policy")).to_have_value("rfc-2021")
    explorer.get_by_role("button", name="Swap").click()
    expect(explorer.get_by_label("Policy")).to_have_value("QEMU's own")
    wait_until_drawn(shared, explorer)
    titles = [explorer.get_by_text(name).first for name in ("A: qemu-10.0", "B: rfc-2021", "Mapped by A and B: 0 B")]
    a, b, merged = boxes(titles)
    assert a["y"] < b["y"] < merged["y"]
    assert a["x"] == b["x"] == merged["x"]
    seen = to_the_top(shared)
    assert boxes([explorer.get_by_text("Memslots per limit").last])[0]["y"] < seen["bottom"]
    SHOTS.mkdir(exist_ok=True)
    shared.screenshot(path=SHOTS / "explorer-compare-1440.png")
    explorer.get_by_role("tab", name="Why").click()
    explorer.get_by_text("More settings").click()
    explorer.get_by_role("button", name="Compare").click()
    expect(explorer.locator(".memslots-tiles .side")).to_have_count(0)
    expect(marked).to_have_count(0)


def test_refusal_and_advice(shared: Page, explorer: Locator) -> None:
    """A back end that comes too late is refused in an alert, the last map stays, and a button makes it right."""
    before = pixels(explorer)
    choose(explorer, "Kata Containers: virtio-fs first, 32 GiB")
    expect(sentence(explorer)).to_have_text("0 of 30")
    limit = field(explorer, "vhost memslots")
    limit.fill("8")
    limit.press("Enter")
    explorer.get_by_role("button", name="vu0: plug later").click()
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
    expect(explorer.get_by_role("listitem").first).to_contain_text("vu0")


def test_bad_size_is_a_line(explorer: Locator) -> None:
    """A size that is none is named in an alert, and the field shows again what holds."""
    size = field(explorer, "Device size")
    size.fill("5X")
    size.press("Enter")
    expect(explorer.get_by_role("alert").filter(has_text="Device size '5X' is not a size")).to_be_visible()
    expect(size).to_have_value("500 GiB")
    size.fill("100.5G")
    size.press("Enter")
    expect(explorer.get_by_role("alert").filter(has_text="is not a size")).to_be_hidden()
    expect(sentence(explorer)).to_contain_text("of 101")


def test_help_can_be_read(explorer: Locator) -> None:
    """What a control means stands below the controls while it has the focus, and is its description for a listener."""
    for label in ("Requested size", "Paging", "nested guest ran"):
        control = explorer.get_by_label(label, exact=True).first
        control.focus()
        said = control.evaluate("one => one.ariaDescription")
        assert len(said) > 20
        expect(explorer.locator(".memslots-form .help")).to_have_text(f"{label}: {said}")


def test_every_control_has_a_name_and_visible_focus(shared: Page, explorer: Locator) -> None:
    """Every control that can be focused has an accessible name, and looks different while it has the focus."""
    controls = explorer.locator("select:visible, input:visible, button:visible:enabled")
    open_more(explorer)
    assert controls.count() > 40
    nameless = controls.evaluate_all(
        """all => all.filter(one => !(one.title || one.ariaLabel || one.labels?.[0]?.innerText || one.innerText
            )).map(one => one.outerHTML)"""
    )
    assert nameless == []
    looks = """one => { const s = getComputedStyle(one)
        return [s.outlineStyle, s.outlineWidth, s.boxShadow, s.borderColor].join() }"""
    for one in (
        explorer.get_by_role("button", name="Reboot"),
        explorer.get_by_label("Block size"),
        explorer.get_by_label("SMM"),
        field(explorer, "Device size"),
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
    """Beside JupyterLab's sidebar all sliders, tiles, map, cost and budget are seen at once, without scrolling.

    Zoomed to 150 % at least nothing is wider than the page.
    """
    width, height, zoom = SCREENS[screen]
    shared.set_viewport_size({"width": round(width / zoom), "height": round(height / zoom)})
    wait_until_drawn(shared, explorer)
    expect(shared.locator("#jp-left-stack .jp-DirListing")).to_be_visible()
    seen = to_the_top(shared)
    shared.wait_for_timeout(200)
    names = ("Device size", "Requested size", "KVM memslots", "vhost memslots")
    parts = boxes(
        [
            explorer.locator(".memslots-tiles"),
            *(slider(explorer, one) for one in names),
            # two layers each of the map, the strip below it, cost and budget
            *(explorer.locator("canvas").filter(visible=True).nth(number) for number in range(8)),
        ]
    )
    if zoom == 1:
        for part in parts:
            assert seen["top"] <= part["y"], part
            assert part["y"] + part["height"] <= seen["bottom"], part
            assert seen["left"] <= part["x"], part
            assert part["x"] + part["width"] <= seen["right"], part
        assert all(part["width"] >= 160 for part in parts)
    assert explorer.evaluate("one => one.scrollWidth - one.clientWidth") <= 1
    SHOTS.mkdir(exist_ok=True)
    shared.screenshot(path=SHOTS / f"explorer-{screen}.png")


def test_a_pasted_vm_is_seen_at_once(shared: Page, explorer: Locator) -> None:
    """A line of ps of a libvirt VM with virtiofs and virtio-mem: verdict and notes are seen without scrolling."""
    shared.set_viewport_size({"width": 1440, "height": 900})
    to_the_top(shared)
    explorer.get_by_role("button", name="Paste or share").click()
    box = explorer.get_by_label("Paste a VM")
    box.fill(PS)
    explorer.get_by_role("button", name="Open", exact=True).click()
    read_as = explorer.locator("b", has_text="Read as a line of ps")
    expect(read_as).to_be_visible()
    asks = explorer.locator(".notes li", has_text="what does yours report?").first
    expect(asks).to_contain_text("8 memslots")
    expect(sentence(explorer)).to_have_text("0 of 1")
    seen = to_the_top(shared)
    for part in boxes([read_as, asks, sentence(explorer), explorer.locator(".decides")]):
        assert seen["top"] <= part["y"]
        assert part["y"] + part["height"] <= seen["bottom"]
    SHOTS.mkdir(exist_ok=True)
    shared.screenshot(path=SHOTS / "explorer-pasted-1440.png")
    limit = explorer.get_by_label("fs0: memslots or program")
    limit.fill("virtiofsd-1.10")
    limit.press("Enter")
    expect(sentence(explorer)).to_have_text("0 of 16")
    box.fill("hello")
    box.blur()
    expect(explorer.locator(".memslots-pasted").get_by_role("alert")).to_have_count(1)
    explorer.get_by_role("button", name="Paste or share").click()


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
        assert text.evaluate(bright) > 150
    SHOTS.mkdir(exist_ok=True)
    explorer.screenshot(path=SHOTS / "explorer-dark.png")
    assert page.console_problems == []  # type: ignore[attr-defined]
    page.close()


def test_a_smaller_device_asks_for_nothing(shared: Page, explorer: Locator) -> None:
    """A preset with a smaller device is shown as it is: a slider that stood higher does not request anything."""
    size = field(explorer, "Requested size")
    size.fill("490G")
    size.press("Enter")
    expect(sentence(explorer)).to_have_text("491 of 500")
    choose(explorer, "Kata Containers: virtio-fs first, 32 GiB")
    expect(sentence(explorer)).to_have_text("0 of 30")
    shared.wait_for_timeout(1_000)
    explorer.get_by_role("button", name="Paste or share").click()
    expect(explorer.get_by_label("Share as text")).to_have_value(PRESETS["kata-virtiofsd"].scenario.to_json())
    explorer.get_by_role("button", name="Paste or share").click()
