"""The reviewer's page of the cover-letter VM: opened from disk in a browser that has no network."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from accessibility import violations
from playwright.sync_api import Locator, Page, expect

from workbook.data import cover_letter
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.machine.machine import Machine
from workbook.lib.size import GiB, format_size, parse_size
from workbook.report.__main__ import main
from workbook.report.positions import offered_rules

SHOTS = Path(__file__).resolve().parents[2] / "artefacts"


@pytest.fixture
def report(standard_report: Path) -> Path:
    """The page, made by its command."""
    return standard_report


@pytest.fixture
def opened(page: Page, report: Path) -> Iterator[Page]:
    """The page in a browser without a network; afterwards nothing was asked for and nothing complained of."""
    said: list[str] = []
    asked: list[str] = []
    page.context.set_offline(True)
    page.on("console", lambda line: said.append(f"{line.type}: {line.text}"))
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, report)
    yield page
    print(f"\n{report.stat().st_size / 1e6:.2f} MB; console: {said}")
    assert [one for one in asked if not one.startswith(("file:", "data:", "blob:"))] == []
    assert [one for one in said if not re.match(r"log: \[bokeh .*\] setting log level", one)] == []
    assert page.console_problems == []  # type: ignore[attr-defined]


def open_page(page: Page, path: Path) -> None:
    """Open it and wait until the charts are drawn."""
    page.goto(path.as_uri())
    expect(page.locator(".panel").first).to_have_attribute("data-ready", "true", timeout=30_000)


def slider(page: Page, name: str) -> Locator:
    """Return a slider by the name of its setting."""
    return page.locator(f"input[type=range][data-axis={name}]")


def shown(page: Page, name: str) -> str:
    """Return what a slider says of its place."""
    return slider(page, name).get_attribute("aria-valuetext") or ""


def numbers_of_model(page: Page) -> tuple[str, str, str]:
    """Ask a machine of its own, started by a command line, for the numbers at the place of the sliders."""
    size, asked = (parse_size(shown(page, name)) for name in ("device_size", "requested_size"))
    vhost = shown(page, "vhost_slots")
    rules = page.locator("input[type=radio]:checked + span").inner_text()
    has_vhost = vhost != "none"
    dynamic = ",dynamic-memslots=on" if rules.startswith("qemu") else ""
    kind = "memfd" if has_vhost else "ram"
    argv = (
        f"-accel kvm -cpu host -machine pc{',memory-backend=ram' if has_vhost else ''} -m 4G,slots=17,maxmem=1T "
        f"-object memory-backend-{kind},id=mem0,size={size} "
    )
    if has_vhost:
        argv += (
            "-object memory-backend-memfd,id=ram,size=4G -chardev socket,id=c,path=/x "
            "-device vhost-user-fs-pci,id=vu0,chardev=c,tag=t "
        )
    slots = {} if not has_vhost or vhost.endswith("*") else {"vu0": int(vhost)}
    vm = Machine.from_qemu_args(f"{argv} -device virtio-mem-pci,id=vm0,memdev=mem0{dynamic}", rules, vhost_slots=slots)
    vm.request_size("vm0", asked)
    vm.settle("vm0")
    device = vm.picture.devices[0]
    cost = KvmHost(tdp_mmu=False).metadata(vm.picture.memslot_sizes).total
    slots_text = f"{rules}: {device.used:,} of {device.decision.count:,} memslots mapped"
    cost_text = f"{format_size(device.plugged_size)} plugged, {format_size(cost, digits=1)} of KVM metadata"
    return f"{slots_text}, {cost_text}", vm.info_mtree(), f"{device.used} drawn"


def numbers_of_page(page: Page) -> tuple[str, str, str]:
    """Read the same from the page: its sentence, its text, and the memslots that its chart has to draw."""
    drawn = page.evaluate("""() => {
      for (const document of Bokeh.documents) for (const model of document._all_models.values()) {
        const data = model.attributes.data
        if (model.type === "ColumnDataSource" && data.offset && data.plugged) {
          return [...data.state].filter((one) => one > 0).length
        }
      }
    }""")
    return (
        page.locator("[data-words=sentence]").inner_text().partition(" (one memslot")[0],
        page.locator("[data-lines=mtree]").inner_text(),
        f"{drawn} drawn",
    )


def test_four_steps_show_the_mails_text(opened: Page) -> None:
    """Each of the four steps, chosen by the keyboard, shows the output of the mail byte for byte."""
    for number, name in enumerate(("0", "2", "20", "5-reboot")):
        step = opened.locator(f"[data-step='{number}']")
        step.focus()
        step.press("Enter")
        assert opened.locator("[data-lines=mtree]").inner_text() == cover_letter(name)
        expect(step).to_have_attribute("aria-pressed", "true")


def test_sliders_by_keyboard_show_the_models_numbers(opened: Page) -> None:
    """Arrow keys on every slider and on the rule sets: at each place the page says what a machine of its own says."""
    places = 0
    for name, key, times in (
        ("requested_size", "ArrowRight", 4),
        ("vhost_slots", "ArrowRight", 3),
        ("device_size", "ArrowLeft", 1),
        ("requested_size", "End", 1),
        ("device_size", "End", 1),
        ("requested_size", "ArrowLeft", 2),
    ):
        slider(opened, name).focus()
        for _ in range(times):
            slider(opened, name).press(key)
            assert numbers_of_page(opened) == numbers_of_model(opened)
            places += 1
    opened.locator("input[type=radio]:checked").focus()
    for _ in offered_rules("rfc-2021"):
        opened.keyboard.press("ArrowDown")
        assert numbers_of_page(opened) == numbers_of_model(opened)
        places += 1
    print(f"{places} places equal to the model")


def test_slider_by_mouse_changes_the_picture(opened: Page) -> None:
    """Dragging the requested size with the mouse draws another map, whose numbers are the model's."""
    picture = opened.locator("[data-chart=map]")
    opened.wait_for_timeout(500)
    before = picture.screenshot()
    handle = slider(opened, "requested_size")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    opened.mouse.move(box["x"] + 8, middle)
    opened.mouse.down()
    for share in (0.2, 0.4, 0.6, 0.8):
        opened.mouse.move(box["x"] + share * box["width"], middle)
    opened.mouse.up()
    assert parse_size(shown(opened, "requested_size")) > GiB
    assert numbers_of_page(opened) == numbers_of_model(opened)
    opened.wait_for_timeout(500)
    assert picture.screenshot() != before
    SHOTS.mkdir(exist_ok=True)
    opened.screenshot(path=SHOTS / "report.png", full_page=True)


def test_every_rule_set_is_compared_at_the_place(opened: Page) -> None:
    """The table of rule sets marks the chosen one and has the numbers that choosing another one then shows."""
    slider(opened, "requested_size").focus()
    slider(opened, "requested_size").press("End")
    rows = opened.locator("tr[data-rules]")
    promised = {row.locator("th").inner_text(): row.locator("td").nth(2).inner_text() for row in rows.all()}
    assert list(promised) == offered_rules("rfc-2021")
    for name, number in promised.items():
        opened.locator("fieldset label", has_text=re.compile(f"^{re.escape(name)}$")).click()
        assert f" of {number} memslots mapped" in opened.locator("[data-words=sentence]").inner_text()
        expect(opened.locator("tr[aria-current] th")).to_have_text(name)


def test_dark_theme_keeps_the_place(opened: Page) -> None:
    """The button draws the charts anew for dark pages, at the same place of the sliders."""
    slider(opened, "requested_size").focus()
    for _ in range(5):
        slider(opened, "requested_size").press("ArrowRight")
    before = numbers_of_page(opened)
    opened.locator("[data-theme-button]").click()
    expect(opened.locator("html")).to_have_attribute("data-theme", "dark")
    expect(opened.locator(".panel")).to_have_attribute("data-ready", "true", timeout=15_000)
    opened.wait_for_timeout(700)
    assert numbers_of_page(opened) == before
    slider(opened, "requested_size").press("ArrowRight")
    assert numbers_of_page(opened) == numbers_of_model(opened) != before
    SHOTS.mkdir(exist_ok=True)
    opened.screenshot(path=SHOTS / "report-dark.png", full_page=True)


def test_dark_by_preference(page: Page, report: Path) -> None:
    """A reader whose system is dark gets a dark page."""
    page.emulate_media(color_scheme="dark")
    open_page(page, report)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", background)[:3])) < 120
    assert page.console_problems == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(("width", "zoom"), [(1280, 1.0), (1920, 1.0), (1280, 1.5)])
def test_nothing_is_cut_off(page: Page, report: Path, width: int, zoom: float) -> None:
    """At 1280 and 1920 pixels, and zoomed to 150 %, nothing sticks out of the page to the right."""
    page.set_viewport_size({"width": round(width / zoom), "height": 800})
    open_page(page, report)
    page.wait_for_timeout(500)
    wide = page.evaluate("""() => {
      const most = document.documentElement.clientWidth
      return [...document.querySelectorAll("main *, header *")]
        .filter((one) => one.getBoundingClientRect().right > most + 1 && !one.closest(".scroll, pre, .sentence"))
        .map((one) => one.outerHTML.slice(0, 80))
    }""")
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_focus_is_visible_and_every_control_is_reached_by_tab(opened: Page) -> None:
    """Tab goes through the steps, the rule set and every slider; what has the focus has an outline."""
    reached: list[Any] = []
    for _ in range(14):
        opened.keyboard.press("Tab")
        reached.append(
            opened.evaluate("""() => {
              const one = document.activeElement, style = getComputedStyle(one)
              return [one.dataset.axis ?? one.dataset.step ?? one.type, style.outlineStyle]
            }""")
        )
    names = [name for name, _ in reached]
    assert {"0", "1", "2", "3", "radio", "vhost_slots", "device_size", "requested_size"} <= set(names)
    assert all(style != "none" for name, style in reached[:9])


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deck of the notebook of the cover letter."""
    notebook = Path(__file__).resolve().parents[2] / "notebooks" / "01-cover-letter.ipynb"
    path = tmp_path_factory.mktemp("deck") / "deck.html"
    assert main(["--notebook", str(notebook), "--slides", "-o", str(path)]) == 0
    return path


def open_deck(page: Page, path: Path) -> None:
    """Open a deck and wait until its cells are arranged."""
    page.goto(path.as_uri())
    expect(page.locator(".deck")).to_have_attribute("data-arranged", re.compile("x"), timeout=60_000)


def test_slides_turn_by_keys(page: Page, deck: Path) -> None:
    """Arrow keys turn the pages of a deck, without a network and without an error."""
    page.context.set_offline(True)
    open_deck(page, deck)
    number = page.locator("[data-page]")
    expect(number).to_have_text(re.compile(r"^1 / \d+$"))
    page.keyboard.press("ArrowRight")
    expect(number).to_have_text(re.compile("^2 / "))
    expect(page.locator("#slide-2")).to_be_in_viewport()
    page.keyboard.press("End")
    expect(number).to_have_text(re.compile(r"^(\d+) / \1$"))
    page.keyboard.press("Home")
    expect(page.locator("#slide-1")).to_be_in_viewport()
    assert page.locator(".slide canvas").count() > 0
    assert page.console_problems == []  # type: ignore[attr-defined]


def test_refused_place_has_qemus_words_and_no_bars(page: Page, tmp_path: Path) -> None:
    """Where QEMU does not start, its words stand there and no bars; at an accepted place the bars are back."""
    path = tmp_path / "refused.html"
    assert main(["--preset", "vhost-after", "-o", str(path)]) == 0
    page.context.set_offline(True)
    open_page(page, path)
    problem = Outcome.of(PRESETS["vhost-after"].scenario).problem
    assert problem
    expect(page.locator(".verdict.refused q").first).to_have_text(problem.message)
    expect(page.locator("[data-chart=budget]")).to_be_hidden()
    slider(page, "vhost_slots").focus()
    slider(page, "vhost_slots").press("End")
    expect(page.locator(".verdict.refused")).to_have_count(0)
    expect(page.locator("[data-chart=budget]")).to_be_visible()
    page.wait_for_timeout(500)
    width = page.evaluate(
        "document.querySelector('[data-chart=budget]').firstElementChild.firstElementChild.offsetWidth"
    )
    assert width > 300
    assert page.console_problems == []  # type: ignore[attr-defined]


def test_slides_do_not_overflow(page: Page, deck: Path) -> None:
    """At 1280 x 800 no slide is higher than the screen: what does not fit is on the next one, and nothing is lost."""
    page.set_viewport_size({"width": 1280, "height": 800})
    open_deck(page, deck)
    heights = page.evaluate("[...document.querySelectorAll('.slide')].map((one) => one.scrollHeight)")
    assert max(heights) <= 800
    assert len(heights) >= 5
    cells = page.locator(".slide .cell").count()
    page.set_viewport_size({"width": 1280, "height": 600})
    expect(page.locator(".deck")).to_have_attribute("data-arranged", "1280 x 600")
    assert page.locator(".slide .cell").count() == cells


@pytest.mark.parametrize("kind", ["report", "deck"])
def test_saves_as_pdf(page: Page, request: pytest.FixtureRequest, kind: str) -> None:
    """Chromium makes a real PDF of a page with charts: of a report a few pages, of a deck one or more a slide."""
    path: Path = request.getfixturevalue(kind)
    page.set_viewport_size({"width": 1280, "height": 800})
    slides = 0
    if kind == "deck":
        open_deck(page, path)
        slides = page.locator(".slide").count()
    else:
        open_page(page, path)
    before = time.monotonic()
    pdf = page.pdf(format="A4")
    print(f"\n{kind}: {len(pdf):,} bytes after {time.monotonic() - before:.1f} s")
    pages = len(re.findall(rb"/Type\s*/Page[^s]", pdf))
    assert (slides <= pages <= 3 * slides) if slides else (3 <= pages <= 8)


def test_phone_has_the_picture_beside_the_slider(page: Page, report: Path) -> None:
    """At 390 pixels the map stays in sight above the slider that changes it, and nothing sticks out to the side."""
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, report)
    for name in ("device_size", "requested_size"):
        handle = slider(page, name)
        handle.evaluate("(one) => one.scrollIntoView({block: 'start'})")
        handle.press("ArrowRight")
        expect(handle).to_be_in_viewport()
        picture, control = page.locator("figure.map").bounding_box(), handle.bounding_box()
        assert picture
        assert control
        assert 0 <= picture["y"] < picture["y"] + picture["height"] <= control["y"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["report", "deck"])
def test_axe_finds_nothing(
    page: Page, request: pytest.FixtureRequest, kind: str, theme: Literal["light", "dark"]
) -> None:
    """axe-core finds no violation in a report and in a deck, light and dark."""
    page.emulate_media(color_scheme=theme)
    path: Path = request.getfixturevalue(kind)
    (open_deck if kind == "deck" else open_page)(page, path)
    assert violations(page) == []
