"""Which QEMU decides, as two choices: a memslot policy, and the release where the policy is a release's own."""

from dataclasses import replace
from typing import Final

from workbook.lib.errors import BadInput
from workbook.lib.scenario import DEFAULT_RULES, Scenario

__all__ = ("QEMU_POLICY", "policy_of", "release_of", "with_policy")

QEMU_POLICY: Final = "QEMU's own"


def policy_of(scenario: Scenario, _name: str | None) -> str:
    """Return the memslot policy: the release's own, or that of a proposal or another VMM, by name."""
    return QEMU_POLICY if scenario.rules.startswith("qemu-") else scenario.rules


def with_policy(scenario: Scenario, policy: str, _name: str | None) -> Scenario:
    """Take another policy; a release's own is that of the default release."""
    if policy == policy_of(scenario, None):
        return scenario
    return replace(scenario, rules=DEFAULT_RULES if policy == QEMU_POLICY else policy)


def release_of(scenario: Scenario, _name: str | None) -> str:
    """Return the rule set of the release.

    Raises
    ------
    BadInput
        The policy is that of a proposal or another VMM, which belongs to no release.
    """
    if not scenario.rules.startswith("qemu-"):
        raise BadInput(f"the policy {scenario.rules} belongs to no release of QEMU")
    return scenario.rules
