"""The positions of a report's sliders: which scenarios are decided beforehand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final, Literal

from workbook.lib.errors import BadInput
from workbook.lib.explore.scenario_edits import requested, virtio_mem_devices, with_action, with_request
from workbook.lib.explore.settings import DEVICE_SIZE, SETTINGS, VHOST_SLOTS
from workbook.lib.rules import DEFAULT, NEWEST, QEMU_RELEASES, RULE_SETS, RuleSet, get
from workbook.lib.scenario import Scenario, VhostDevice
from workbook.lib.size import GiB, MiB, TiB, format_size

__all__ = ("Axis", "Detail", "Grid", "offered_rules")

Detail = Literal["full", "brief"]
"""How fine a grid is: ``full`` for a page of one scenario, ``brief`` for one of several explorers in a notebook."""

_ROUND: Final = (
    256 * MiB,
    *(one * GiB for one in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(one * TiB for one in (1, 2, 5)),
)
"""Requested sizes that are offered, beside 0, the scenario's own, and the sizes of the device."""
_VHOST: Final[dict[Detail, tuple[int | None, ...]]] = {"full": (None, 0, 64, 509), "brief": (None, 0, 509)}
_RELEASES: Final = (next(name for name in QEMU_RELEASES if get(name).qemu.dynamic_memslots), DEFAULT, NEWEST)
"""QEMU releases that are offered beside the scenario's own: those between them decide alike."""
_LARGEST: Final = 2 * TiB
"""A page that grows a device does so up to here: larger ones have thousands of memslots to draw."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One slider.

    Attributes
    ----------
    name
        ``rules``, or a name of `workbook.lib.explore.settings.SETTINGS`.
    choices
        Its positions: label and value, in order.
    start
        The position of the scenario itself.
    """

    name: str
    label: str
    help: str
    choices: tuple[tuple[str, Any], ...]
    start: int


@dataclass(frozen=True, slots=True)
class Grid:
    """All positions of the sliders around one scenario.

    Attributes
    ----------
    scenario
        What the sliders start from; its actions are replaced by one request that the guest follows.
    axes
        The rule set first, the requested size (where there is a virtio-mem device) last.
    """

    scenario: Scenario
    axes: tuple[Axis, ...]
    _starts: dict[tuple[str, tuple[tuple[str, Any], ...]], Scenario] = field(default_factory=dict, repr=False)

    @classmethod
    def around(cls, scenario: Scenario, rules: RuleSet | str | None = None, *, detail: Detail = "full") -> "Grid":
        """Choose the positions around `scenario`.

        Parameters
        ----------
        rules
            A rule set of your own that is offered beside the published ones.
        """
        axes = [_rules_axis(scenario, rules), *_vhost_axis(scenario, detail)]
        if virtio_mem_devices(scenario):
            sizes = _size_axis(scenario, detail)
            axes += [sizes, _request_axis(scenario, [value for _, value in sizes.choices], detail)]
        return cls(scenario, tuple(axes))

    @property
    def rules(self) -> tuple[RuleSet | str, ...]:
        """The rule sets that are offered."""
        return tuple(value for _, value in self.axes[0].choices)

    @property
    def start(self) -> tuple[int, ...]:
        """The position of the scenario itself."""
        return tuple(axis.start for axis in self.axes)

    def positions(self) -> Iterator[tuple[int, ...]]:
        """Yield every position that is offered: no request above the size of the device."""
        for at in product(*(range(len(axis.choices)) for axis in self.axes)):
            chosen = self.values(at)
            if chosen.get("requested_size", 0) <= chosen.get("device_size", 0):
                yield at

    def values(self, at: Sequence[int]) -> dict[str, Any]:
        """Return the values of the settings at a position."""
        return {axis.name: axis.choices[index][1] for axis, index in zip(self.axes, at, strict=True)}

    def at(self, at: Sequence[int]) -> tuple[Scenario, RuleSet | str]:
        """Return the scenario at a position, and its rule set."""
        values = self.values(at)
        rules = values.pop("rules")
        size = values.pop("requested_size", None)
        scenario = self._started(get(rules).name, tuple(values.items()))
        if size is not None:
            scenario = with_action(with_request(scenario, size), "settle")
        return scenario, rules

    def _started(self, rules: str, values: tuple[tuple[str, Any], ...]) -> Scenario:
        """Return the scenario with these settings before anything happens: positions with other requests share it."""
        if (rules, values) not in self._starts:
            scenario = replace(self.scenario, actions=(), rules=rules)
            for name, value in values:
                if value != SETTINGS[name].get(scenario, None):
                    scenario = SETTINGS[name].put(scenario, value, None)
            self._starts[rules, values] = scenario
        return self._starts[rules, values]


def offered_rules(chosen: str) -> list[str]:
    """Return the published rule sets that a page offers beside the chosen one, oldest first."""
    return [name for name in RULE_SETS if name not in QEMU_RELEASES or name in (*_RELEASES, chosen)]


def _rules_axis(scenario: Scenario, own: RuleSet | str | None) -> Axis:
    chosen = get(own if own is not None else scenario.rules)
    names: list[tuple[str, RuleSet | str]] = [(name, name) for name in offered_rules(chosen.name)]
    if chosen.name not in dict(names):
        names.append((chosen.name, chosen))
    start = [name for name, _ in names].index(chosen.name)
    return Axis("rules", "Rule set", SETTINGS["rules"].help, tuple(names), start)


def _vhost_axis(scenario: Scenario, detail: Detail) -> list[Axis]:
    """Return the slider of the back end's limit; none where several back ends have limits of their own."""
    if sum(isinstance(one, VhostDevice) for one in scenario.devices) > 1:
        return []
    setting = VHOST_SLOTS
    own = setting.get(scenario, None)
    known = {value: label for label, value in setting.choices}
    values = sorted({*_VHOST[detail], own}, key=lambda one: (one is not None, one or 0))
    choices = tuple((known.get(one, f"{one}").partition(" (")[0] + ("*" if one == 0 else ""), one) for one in values)
    note = "what a vhost-user back end reports; * without CONFIGURE_MEM_SLOTS" if 0 in values else setting.help
    return [Axis("vhost_slots", setting.label, note, choices, values.index(own))]


def _size_axis(scenario: Scenario, detail: Detail) -> Axis:
    own = DEVICE_SIZE.get(scenario, None)
    others = () if detail == "brief" else (own // 2, own * 2)
    sizes = sorted({own, *(one for one in others if GiB <= one <= _LARGEST and one % GiB == 0)})
    label = "Size of every device" if len(virtio_mem_devices(scenario)) > 1 else "Device size"
    return Axis("device_size", label, DEVICE_SIZE.help, _sizes(sizes), sizes.index(own))


def _request_axis(scenario: Scenario, devices: Sequence[int], detail: Detail) -> Axis:
    own, most = _own_request(scenario), max(devices)
    round_sizes = _ROUND if detail == "full" else _ROUND[1::2]
    sizes = sorted({0, own, *devices, *(one for one in round_sizes if one <= most)})
    note = "what the guest is asked to plug (requested-size), and plugs"
    return Axis("requested_size", "Requested size", note, _sizes(sizes), sizes.index(own))


def _own_request(scenario: Scenario) -> int:
    size = DEVICE_SIZE.get(scenario, None)
    return min(requested(scenario), size)


def _sizes(sizes: Sequence[int]) -> tuple[tuple[str, int], ...]:
    if not sizes:
        raise BadInput("a slider needs at least one size")
    return tuple((format_size(one) if one else "0", one) for one in sizes)
