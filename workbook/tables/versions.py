"""What changed for users between two versions of QEMU, as a table."""

from workbook.lib.rules import changes_between, get

from .table import Table

__all__ = ("changes",)


def changes(old: str, new: str) -> Table:
    """Show what a user meets who goes from one QEMU to another, in the order of releases.

    Going back, the rows say what is lost.

    Parameters
    ----------
    old, new
        Names of rule sets, such as ``qemu-8.2``, or of a patch level: ``qemu-10.0.2``.

    Raises
    ------
    BadInput
        There is no such version.
    """
    before, after = get(old).qemu, get(new).qemu
    rows = []
    for change in changes_between(before.version, after.version):
        since = ".".join(map(str, change.since[:2]))
        if change.backport is not None:
            since += " and {}.{}.{}".format(*change.backport)
        rows.append((since, change.for_users, change.source))
    was, now = (one.oldest_machine["q35"] for one in (before, after))
    if was != now:
        words = "The oldest machine types are those of {}.{} instead of {}.{}.".format(*now, *was)
        rows.append(("each release", words, "hw/core/machine.c: a version is removed six years later"))
    return Table.of(("since", f"from {old} to {new}", "source"), rows)
