"""The page of one scenario: a preset, or a state that was saved in the explorer."""

from collections.abc import Sequence
from pathlib import Path

from workbook.lib.errors import BadInput
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import DEVICE_SIZE, virtio_mem_devices
from workbook.lib.scenario import Scenario
from workbook.lib.size import format_size

from .page import how, page, top
from .panel import panel
from .walkthrough import Step, steps_of_preset, story_of_scenario

__all__ = ("preset_page", "read_state", "scenario_page")


def preset_page(name: str, *, command: str = "", title: str = "") -> tuple[str, int]:
    """Return the page of a preset, and how many positions were decided for it.

    Raises
    ------
    BadInput
        There is no such preset.
    """
    story = steps_of_preset(name)
    preset = PRESETS[name]
    together = story[0].title == preset.title.rpartition(": ")[2] and len(story) > 1
    heading = f"{preset.title.partition(': ')[0]}: {_devices(preset.scenario)}" if together else preset.title
    shows = "" if together else preset.shows
    return _page(preset.scenario, story, title or heading, shows, f"Source: {preset.source}", command)


def _devices(scenario: Scenario) -> str:
    sizes = [DEVICE_SIZE.get(scenario, one.id) for one in virtio_mem_devices(scenario)]
    return " and ".join(f"{format_size(one)} of virtio-mem" for one in sizes) or "a VM without virtio-mem"


def scenario_page(scenario: Scenario, *, command: str = "", title: str = "") -> tuple[str, int]:
    """Return the page of any scenario, and how many positions were decided for it."""
    story = story_of_scenario(scenario)
    return _page(scenario, story, title or f"Memory slots: {_devices(scenario)}", "", "", command)


def _page(
    scenario: Scenario, story: Sequence[Step], title: str, shows: str, source: str, command: str
) -> tuple[str, int]:
    made = panel(scenario, story, name="vm")
    lead = "How QEMU cuts a virtio-mem device into memory slots, and what KVM pays for them"
    body = (
        top(title, f"{lead}: {shows}." if shows else f"{lead}.", source)
        + f"<main>{made.html}{how(command, _facts(made.positions))}"
        "<footer>One file, nothing loaded: it can be mailed, kept and opened without a network.</footer></main>"
    )
    return page(title, body, data={"vm": made.data}), made.positions


def _facts(positions: int) -> list[tuple[str, str]]:
    sliders = (
        f"All {positions:,} positions were decided beforehand by the workbook's model of QEMU and KVM, in Python; the "
        "page picks one and draws it. None of the rules is written a second time in JavaScript. At a position of the "
        "sliders the guest was asked for the requested size and has plugged as much of it as it can."
    )
    model = (
        "Rule sets, memory layout and messages are compared with recordings of real QEMUs, KVM's metadata with "
        "measurements of real kernels (data/ in the workbook's repository)."
    )
    metadata = "KVM's metadata for the memslots that memory devices have mapped; boot RAM is left out."
    return [("Sliders", sliders), ("Model", model), ("Metadata", metadata)]


def read_state(given: str) -> Scenario:
    """Read a scenario: the text of the explorer's State field, or a file with it.

    Raises
    ------
    BadInput
        The file cannot be read, or its text is no saved scenario.
    """
    text = given
    if not given.lstrip().startswith("{"):
        try:
            text = Path(given).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8 text"
            raise BadInput(
                f"--state {given:.80}: cannot be read ({why}): give a file, or the text of the explorer's State field"
            ) from None
    return Scenario.from_json(text)
