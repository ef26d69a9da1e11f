"""Rule sets: one module per published one; adding a proposal is adding a file, or a class in a notebook cell."""

from typing import Final

from workbook.lib.errors import BadInput

from .base import Budget, Decision, Remap, RuleSet, Trace, TraceStep
from .qemu82 import Qemu82, Qemu100
from .rfc2021 import Rfc2021
from .series2021 import Series2021v1
from .single import Single

__all__ = ("RULE_SETS", "Budget", "Decision", "Remap", "RuleSet", "Trace", "TraceStep", "get")

RULE_SETS: Final[dict[str, RuleSet]] = {
    one.name: one for one in (Single(), Rfc2021(), Rfc2021(intended=True), Series2021v1(), Qemu82(), Qemu100())
}
"""The published rule sets by name, oldest first."""


def get(name: str | RuleSet) -> RuleSet:
    """Return the rule set of that name; a rule-set object is handed back.

    Raises
    ------
    BadInput
        There is none of that name.
    """
    if isinstance(name, RuleSet):
        return name
    if name not in RULE_SETS:
        raise BadInput(f"there is no rule set {name!r}: known are {', '.join(RULE_SETS)}")
    return RULE_SETS[name]
