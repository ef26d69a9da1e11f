"""A device that grows: the same scenario with more plugged, and what memory listeners see in between."""

from dataclasses import replace

from workbook.lib.actions import Settle
from workbook.lib.machine.machine import Machine
from workbook.lib.memory.flatview import Change
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Scenario

from .scenario_edits import virtio_mem_devices, with_request

__all__ = ("growth", "with_plugged")


def with_plugged(scenario: Scenario, size: int) -> Scenario:
    """Return the scenario in which the first device is asked for `size` bytes and a Linux-like guest plugs them.

    Raises
    ------
    BadInput
        There is no virtio-mem device.
    """
    asked: Scenario = with_request(scenario, size, None)
    return replace(asked, actions=(*asked.actions, Settle(dev=str(virtio_mem_devices(scenario)[0].id))))


def growth(scenario: Scenario, rules: RuleSet | str, before: int, after: int) -> tuple[Change, ...]:
    """Return the callbacks of memory listeners when the first device grows from `before` plugged bytes to `after`.

    All of them as one transaction, whatever the rule set does: the view before against the view after.

    Raises
    ------
    Refusal
        QEMU would not start, or refuse the request.
    """
    view = Machine(with_plugged(scenario, before), rules).view
    return view.changes(Machine(with_plugged(scenario, after), rules).view)
