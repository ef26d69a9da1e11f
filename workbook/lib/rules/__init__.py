"""Rule sets: a memslot policy each, in the QEMU that it belongs to.

The policies: `single`, `rfc2021`, `series2021`, `qemu82`; a new proposal is a file beside them, or a class with a
`limit` in a notebook cell. What a QEMU version does otherwise is a row in `behaviour.CHANGES`, its name a row in
`versions`.
"""

from typing import Final

from workbook.lib.errors import BadInput
from workbook.lib.scenario import DEFAULT_RULES as DEFAULT

from .base import Budget, Decision, Remap, RuleSet, Trace, TraceStep
from .behaviour import Change, QemuBehaviour, behaviour_of, changes_between
from .monitors import MONITORS
from .policy import MemslotPolicy
from .qemu82 import DynamicMemslots
from .rfc2021 import Rfc2021
from .series2021 import Series2021v1
from .single import Single
from .versions import NEWEST, QEMU_RELEASES, qemu_rules, version_in

__all__ = (
    "DEFAULT",
    "NEWEST",
    "QEMU_RELEASES",
    "RULE_SETS",
    "Budget",
    "Change",
    "Decision",
    "DynamicMemslots",
    "MemslotPolicy",
    "QemuBehaviour",
    "Remap",
    "RuleSet",
    "Trace",
    "TraceStep",
    "behaviour_of",
    "changes_between",
    "get",
    "qemu_rules",
    "rules_of",
)

RULE_SETS: Final[dict[str, RuleSet]] = {
    one.name: one
    for one in (
        Single(),
        Rfc2021(),
        Rfc2021(intended=True),
        Series2021v1(),
        *(rules for rules in map(qemu_rules, QEMU_RELEASES) if rules.qemu.dynamic_memslots),
    )
}
"""The published rule sets by name, oldest first. `get` also knows older QEMUs and patch levels: ``qemu-10.0.2``."""


def get(name: str | RuleSet) -> RuleSet:
    """Return the rule set of that name; a rule-set object is handed back.

    Raises
    ------
    BadInput
        Unknown name.
    """
    if isinstance(name, RuleSet):
        return name
    if name in RULE_SETS:
        return RULE_SETS[name]
    if name in MONITORS:
        return MONITORS[name]
    if isinstance(name, str) and name.startswith("qemu-") and version_in(name.removeprefix("qemu-")) is not None:
        return qemu_rules(name)
    raise BadInput(f"there is no rule set {name!r}: known are {', '.join(RULE_SETS)}")


def rules_of(version: str) -> RuleSet:
    """Return the rule set of a recorded ``qemu_version``, by its full version.

    Raises
    ------
    BadInput
        A version whose rules are not known.
    """
    if "RFC series" in version:
        return get(Rfc2021.name)
    found = version_in(version)
    if found is None:
        raise BadInput(f"qemu_version {version!r:.60} is not known: give rules=")
    return qemu_rules("qemu-{}.{}.{}".format(*found))
