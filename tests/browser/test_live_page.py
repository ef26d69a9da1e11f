"""The live page: opened from disk in a browser that has no network, it says of pasted texts what Python says."""

import re
import shutil
from collections.abc import Iterator
from typing import Literal

import pytest
from accessibility import violations
from browser_session import watched_page
from playwright.sync_api import Browser, Page, expect

from workbook.lib import Machine, Refusal
from workbook.lib.explore.outcome import Outcome
from workbook.lib.size import GiB
from workbook.page.outcome_text import sentence
from workbook.report import pyodide
from workbook.report.__main__ import main

LIMIT = 12_000_000
"""Bytes of the page."""
PS = (
    "UID          PID    PPID  C STIME TTY          TIME CMD\n"
    "qemu        4711       1 99 08:00 ?        00:10:00 /usr/bin/qemu-system-x86_64 -machine q35 -accel kvm "
    "-m 4G,maxmem=68G -object memory-backend-memfd,id=mem0,size=64G "
    "-device virtio-mem-pci,id=vm0,memdev=mem0,requested-size=16G,dynamic-memslots=on"
)
XML = """<domain type='kvm'>
  <name>guest</name>
  <maxMemory slots='16' unit='GiB'>36</maxMemory>
  <memory unit='GiB'>36</memory>
  <currentMemory unit='GiB'>4</currentMemory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc-q35-9.0'>hvm</type></os>
  <cpu><numa><cell id='0' cpus='0-1' memory='4' unit='GiB'/></numa></cpu>
  <devices>
    <memory model='virtio-mem'>
      <target dynamicMemslots='yes'>
        <size unit='GiB'>32</size><node>0</node><block unit='MiB'>2</block><requested unit='GiB'>8</requested>
      </target>
    </memory>
  </devices>
</domain>"""
REFUSED = "qemu-system-x86_64 -accel kvm -m 4G,maxmem=8G -device virtio-mem-pci,id=vm0,memdev=missing"


@pytest.fixture(scope="module")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page, started: nothing may be asked for, and nothing complained of, until the end."""
    path = tmp_path_factory.mktemp("live") / "page.html"
    if not (pyodide._cache() / f"pyodide-{pyodide.VERSION}").is_dir() and shutil.which("npm") is None:
        pytest.skip("neither npm nor Pyodide in the cache: there is no live page to open")
    assert main(["--live", "-o", str(path)]) == 0
    assert path.stat().st_size < LIMIT
    page = watched_page(browser)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(path.as_uri())
    expect(page.locator("#starting")).to_contain_text("starting")
    expect(page.locator("html")).to_have_attribute("data-started-ms", re.compile(r"\d+"), timeout=120_000)
    yield page
    milliseconds = [page.locator("html").get_attribute(f"data-{name}-ms") for name in ("started", "answer")]
    print(f"\n{path.stat().st_size / 1e6:.2f} MB, started after {milliseconds[0]} ms, last answer {milliseconds[1]} ms")
    assert [one for one in asked if not one.startswith(("file:", "data:", "blob:"))] == []
    assert page.console_problems == []  # type: ignore[attr-defined]
    page.close()


def paste(page: Page, text: str) -> None:
    """Put a text into the page and let it be read."""
    page.locator("#text").fill(text)
    page.locator("#read").click()


def mtree(page: Page) -> str:
    """Return the page's ``info mtree``."""
    place = page.locator("details[data-text=mtree]")
    if place.get_attribute("open") is None:
        place.locator("summary").click()
    return place.locator("pre").text_content() or ""


@pytest.mark.parametrize("text", [PS, XML], ids=["ps", "libvirt"])
def test_pasted_vm_has_the_numbers_of_python(live: Page, text: str) -> None:
    """Sentence, monitor text and drawing of a pasted VM are those of the machine that Python makes of it."""
    paste(live, text)
    vm = Machine.from_text(text)
    expect(live.locator("#read-as")).to_have_text(f"Read as {vm.read_as}.")
    expect(live.locator("#sentence")).to_have_text(sentence(Outcome.of(vm.scenario)))
    assert mtree(live) == vm.info_mtree()
    assert live.locator("#notes li").count() == len(vm.notes)
    expect(live.get_by_role("img", name=re.compile("^Memory map"))).to_be_visible()


def test_slider_asks_the_guest(live: Page) -> None:
    """The slider of the requested size shows the machine after the guest has followed."""
    paste(live, PS)
    slider = live.get_by_label("Requested size")
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "64 GiB")
    vm = Machine.from_text(PS)
    vm.request_size("vm0", 64 * GiB)
    vm.settle("vm0")
    expect(live.locator("#sentence")).to_contain_text(f"{vm.picture.devices[0].used} of 64 memslots mapped")
    assert mtree(live) == vm.info_mtree()


def test_refused_vm_has_qemus_words(live: Page) -> None:
    """A VM that QEMU refuses is answered with QEMU's words, and no picture of another VM stays."""
    paste(live, PS)
    paste(live, REFUSED)
    with pytest.raises(Refusal) as refused:
        Machine.from_text(REFUSED)
    expect(live.locator("#verdict q").first).to_have_text(refused.value.message)
    expect(live.locator("#map svg")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(live: Page, theme: Literal["light", "dark"]) -> None:
    """axe-core finds no violation in the page with a VM in it, light and dark."""
    live.emulate_media(color_scheme=theme)
    paste(live, PS)
    expect(live.locator("html")).to_have_attribute("data-theme", theme)
    assert violations(live) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out(live: Page, width: int) -> None:
    """On a phone and on a laptop nothing sticks out of the page to the side."""
    live.set_viewport_size({"width": width, "height": 800})
    paste(live, PS)
    expect(live.locator("#map svg")).to_be_visible()
    live.wait_for_timeout(400)
    assert live.evaluate("document.documentElement.scrollWidth") <= width


def test_nonsense_is_one_line(live: Page) -> None:
    """A text that is no VM is told so in one line."""
    paste(live, "hello")
    expect(live.locator("#error")).to_be_visible()
    expect(live.locator("#answer")).to_be_hidden()


def test_browser_that_forbids_webassembly_is_told_so(live: Page, browser: Browser) -> None:
    """Where there is no WebAssembly, the page says that the model cannot run."""
    page = browser.new_page()
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(live.url)
    expect(page.locator("#starting")).to_contain_text("forbids WebAssembly", timeout=30_000)
    expect(page.locator("#read")).to_be_disabled()
    page.close()
