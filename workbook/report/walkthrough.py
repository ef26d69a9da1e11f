"""What happens to the VM of a report, step by step, whatever the sliders say."""

from dataclasses import dataclass
from typing import Final

from workbook.data import cover_letter
from workbook.lib.errors import BadInput
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.rules import RuleSet
from workbook.lib.scenario import Scenario

__all__ = ("Step", "steps_of_preset", "story_of_scenario")

_MAIL: Final = {
    "cover-letter": "0",
    "cover-letter-2g": "2",
    "cover-letter-20g": "20",
    "cover-letter-reboot": "5-reboot",
}
"""Presets whose ``info mtree`` was printed in the cover letter, and the name of that text in ``data/cover-letter``."""
_MOST: Final = 24
"""Steps that are shown; of a longer scenario the last ones."""


@dataclass(frozen=True, slots=True)
class Step:
    """One moment.

    Attributes
    ----------
    scenario
        The scenario up to here.
    evidence
        How the model's text compares with what was published; empty where nothing was.
    """

    title: str
    scenario: Scenario
    shows: str = ""
    evidence: str = ""


def steps_of_preset(name: str) -> tuple[Step, ...]:
    """Return the preset and those that go on from it (``name-...``); of a lone preset, its own actions.

    Raises
    ------
    BadInput
        There is no such preset.
    """
    if name not in PRESETS:
        raise BadInput(f"there is no preset {name!r}: known are {', '.join(PRESETS)}")
    family = {key: one for key, one in PRESETS.items() if key == name or key.startswith(f"{name}-")}
    if len(family) == 1:
        return story_of_scenario(PRESETS[name].scenario)
    return tuple(
        Step(one.title.rpartition(": ")[2], one.scenario, one.shows, _beside_mail(key, one.scenario))
        for key, one in family.items()
    )


def _beside_mail(preset: str, scenario: Scenario) -> str:
    if preset not in _MAIL:
        return ""
    same = Outcome.of(scenario).info_mtree == cover_letter(_MAIL[preset])
    return "equal to the mail, byte for byte" if same else "NOT equal to the mail"


def story_of_scenario(scenario: Scenario, rules: RuleSet | str | None = None) -> tuple[Step, ...]:
    """Return the start of a scenario and every action; the last step is the scenario itself."""
    whole = Outcome.of(scenario, rules)
    if len(whole.steps) <= 1:
        return (Step("start", scenario),)
    steps = tuple(
        Step(one.title, whole.after(number).scenario, one.problem.message if one.problem else "")
        for number, one in enumerate(whole.steps)
    )
    return steps[-_MOST:]
