"""The page of one scenario, or of two compared: presets, or states that were saved in the explorer."""

import json
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from markupsafe import Markup

from workbook.lib.errors import BadInput
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.scenario_edits import virtio_mem_devices
from workbook.lib.explore.settings import DEVICE_SIZE
from workbook.lib.rules import RuleSet
from workbook.lib.scenario import Scenario
from workbook.lib.size import format_size
from workbook.tables.comparison import difference

from .page import page, versions
from .panel import Panel, panel
from .progress import Progress, silent
from .walkthrough import Step, steps_of_preset, story_of_scenario

__all__ = ("preset_page", "read_state", "scenario_page")

_LEAD = "How QEMU cuts a virtio-mem device into memory slots, and what KVM pays for them"


def preset_page(name: str, *, command: str = "", title: str = "", progress: Progress = silent) -> tuple[str, int]:
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
    lead = _LEAD if together else f"{_LEAD}: {preset.shows}"
    made = panel(preset.scenario, story, name="vm", progress=progress)
    return _page(title or heading, [("", made)], command, lead=lead, source=f"Source: {preset.source}")


def _devices(scenario: Scenario) -> str:
    sizes = [DEVICE_SIZE.get(scenario, one.id) for one in virtio_mem_devices(scenario)]
    return " and ".join(f"{format_size(one)} of virtio-mem" for one in sizes) or "a VM without virtio-mem"


def scenario_page(
    scenario: Scenario,
    compare: Scenario | None = None,
    *,
    rules: Sequence[RuleSet | str | None] = (),
    command: str = "",
    title: str = "",
    progress: Progress = silent,
) -> tuple[str, int]:
    """Return the page of any scenario, or of two that are compared, and how many positions were decided for it.

    Parameters
    ----------
    rules
        Rule sets of your own, in place of the scenarios'.
    """
    if compare is None:
        own = rules[0] if rules else None
        made = panel(scenario, _story(scenario, own), rules=own, name="vm", progress=progress)
        return _page(title or f"Memory slots: {_devices(scenario)}", [("", made)], command)
    panels = []
    both = (scenario, compare)
    for letter, (one, own) in zip("AB", zip_longest(both, rules[:2]), strict=True):
        made = panel(one, _story(one, own), rules=own, detail="brief", name=f"vm-{letter}", level=3, progress=progress)
        panels.append((f"{letter}: {_devices(one)}, {one.rules}", made))
    table = difference(*(Outcome.of(one, own) for one, own in zip_longest(both, rules[:2])))
    return _page(title or "Memory slots: two VMs compared", panels, command, differing=table.rows)


def _story(scenario: Scenario, rules: RuleSet | str | None) -> Sequence[Step]:
    return story_of_scenario(scenario, rules)


def _page(
    title: str,
    panels: Sequence[tuple[str, Panel]],
    command: str,
    *,
    lead: str = _LEAD,
    source: str = "",
    differing: Sequence[Sequence[object]] = (),
) -> tuple[str, int]:
    positions = sum(one.positions for _, one in panels)
    text = page(
        "scenario.html.j2",
        title=title,
        lead=f"{lead}.",
        source=source,
        command=command,
        differing=differing,
        panels=[(heading, Markup(one.html)) for heading, one in panels],  # noqa: S704 - escaped by its template
        facts=[*_facts(positions), versions()],
        data={one.name: one.data for _, one in panels},
    )
    return text, positions


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


def read_state(given: str) -> tuple[Scenario, ...]:
    """Read one scenario, or two that are compared: the text of the explorer's field Share as text, or a file with it.

    Raises
    ------
    BadInput
        The file cannot be read, or its text is no saved scenario.
    """
    text = given
    if not given.lstrip().startswith(("{", "[")):
        try:
            text = Path(given).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8 text"
            raise BadInput(
                f"--state {given:.80}: cannot be read ({why}): give a file, or the text of the "
                "explorer's field Share as text"
            ) from None
    if not text.lstrip().startswith("["):
        return (Scenario.from_json(text),)
    try:
        both = json.loads(text)
    except ValueError as error:
        raise BadInput(f"not a saved scenario ({error})") from None
    if len(both) not in (1, 2):
        raise BadInput(f"--state has {len(both)} scenarios: give one, or two to compare")
    return tuple(Scenario.from_json(json.dumps(one)) for one in both)
