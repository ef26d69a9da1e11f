"""Rule sets by QEMU version: names, patch levels, what changes between two versions, which machine types there are."""

import pytest
from hypothesis import given, strategies as st

from workbook.lib.consumers.vhost_backend import GlobalVhostCount, KindVhostCount, PerDeviceVhostCount
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.machine import Machine
from workbook.lib.rules import DEFAULT, NEWEST, QEMU_RELEASES, RULE_SETS, Budget, behaviour_of, changes_between, get
from workbook.lib.rules.behaviour import CHANGES, OLDEST, QemuBehaviour, Version
from workbook.lib.size import GiB, TiB

VERSIONS = st.sampled_from([get(name).qemu.version for name in QEMU_RELEASES] + [(10, 0, 2), (10, 0, 3), (10, 0, 13)])


def test_names() -> None:
    """The default and the newest are published; older QEMUs and patch levels are known by name."""
    assert {DEFAULT, NEWEST} <= set(RULE_SETS)
    assert get("qemu-7.2").qemu.version == (7, 2, 0)
    assert get("qemu-10.0.2") is get("qemu-10.0.2")
    assert get("qemu-10.0.2").name == "qemu-10.0.2"


@pytest.mark.parametrize("name", ["qemu-6.1", "qemu-99x", "qemu-", "qemu-10", "10.0.2"])
def test_names_that_are_none(name: str) -> None:
    """What is no version, or older than 6.2, is refused by a line that names it."""
    with pytest.raises(BadInput, match=name):
        get(name)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("size_check", {"7.2": "address alignment", "8.2": "none", "9.0": "backend alignment"}),
        ("legacy_alignment", {"8.2": True, "9.0": True, "9.1": False}),
        ("plugged_words", {"9.0": "'size' != '0'", "9.1": "some of its memory is still plugged"}),
        ("discard_warning", {"8.0": None, "8.2": "ram_block_discard_range", "11": "ram_block_discard_shared_range"}),
        ("shared_memory_has_fd", {"9.2": False, "10.0": True}),
        ("vhost_count", {"8.1": GlobalVhostCount, "8.2": KindVhostCount, "9.2": KindVhostCount,
                         "10.0.2": KindVhostCount, "10.0.3": PerDeviceVhostCount, "10.0": PerDeviceVhostCount,
                         "10.1": PerDeviceVhostCount}),
        ("libvhost_user_slots", {"8.2": 32, "9.0": 509}),
        ("ring_failure", {"8.2": "abort", "10.0": "abort", "10.0.12": "abort", "10.0.13": "broken", "10.1": "abort",
                          "10.2": "abort", "11": "broken"}),
        ("vfio_check_is_error", {"10.0.13": False, "10.1": False, "10.2": True, "11": True}),
        ("vhost_user_needs_shared", {"10.2": False, "11.0": True, "11": True}),
        ("confidential_virtio_mem", {"10.0": "blocked", "10.1": "no manager", "11.0": "no manager", "11": "allowed"}),
        ("kvm_slots_grow", {"9.1": False, "9.2": True}),
        ("dynamic_memslots", {"8.1": False, "8.2": True}),
    ],
)  # fmt: skip
def test_matrix(field: str, values: dict[str, object]) -> None:
    """Each row of the version matrix, at its borders."""
    assert {name: getattr(get(f"qemu-{name}").qemu, field) for name in values} == values


@pytest.mark.parametrize(
    ("version", "chipset", "oldest"),
    [
        ("7.2.22", "pc", (1, 4)),
        ("7.2.22", "q35", (2, 4)),
        ("10.0.2", "pc", (2, 4)),
        ("10.0.13", "q35", (2, 4)),
        ("10.1.0", "q35", (4, 2)),
        ("10.2.0", "pc", (5, 0)),
        ("11.1.3", "pc", (5, 2)),
    ],
)
def test_oldest_machine_type(version: str, chipset: str, oldest: tuple[int, int]) -> None:
    """As ``-machine help`` of these QEMUs lists them (7.2.22, 10.0.2, 10.0.13, 11.1.3), and by six years."""
    qemu = get(f"qemu-{version}").qemu
    assert qemu.oldest_machine[chipset] == oldest
    assert qemu.has_machine(chipset, oldest)
    assert not qemu.has_machine(chipset, (oldest[0], oldest[1] - 1))
    assert not qemu.has_machine(chipset, (qemu.version[0] + 1, 0))


@pytest.mark.parametrize(
    ("rules", "machine", "named"),
    [
        ("qemu-11", "pc-q35-3.1", ': "pc-q35-3.1"'),
        ("qemu-10.0", "pc-q35-11.9", ': "pc-q35-11.9"'),
        ("qemu-10.0", "pc-i440fx-2.3", ': "pc-i440fx-2.3"'),
        ("qemu-7.2", "pc-q35-8.0", ""),
    ],
)
def test_machine_types_that_are_not_there(rules: str, machine: str, named: str) -> None:
    """Too old or too new for a release: refused before anything else."""
    with pytest.raises(Refusal) as refusal:
        Machine.from_qemu_args(["-machine", machine, "-m", "1G"], rules=rules)
    assert refusal.value.message == f"unsupported machine type{named}\nUse -machine help to list supported machines"


@given(old=VERSIONS, new=VERSIONS)
def test_changes_are_the_differences(old: Version, new: Version) -> None:
    """What changed between two versions are exactly the fields in which they differ, both ways."""
    before, after = behaviour_of(old), behaviour_of(new)
    differ = {
        name for name in QemuBehaviour.__slots__ if name != "version" and getattr(before, name) != getattr(after, name)
    }
    assert {one.field for one in changes_between(old, new)} == differ
    assert [one.field for one in changes_between(old, new)] == [one.field for one in changes_between(new, old)]


def test_changes_of_one_fix() -> None:
    """What a stable branch takes over is a change from one patch level to the next."""
    assert "vhost_count" in [one.field for one in changes_between((10, 0, 2), (10, 0, 3))]
    assert [one.field for one in changes_between((10, 0, 3), (10, 0, 13))] == ["ring_failure"]


def test_every_change_changes_something() -> None:
    """No row repeats what was there before it; each has a sentence and a source."""
    for one in CHANGES:
        others = [
            other for other in CHANGES if other is not one and other.field == one.field and other.since < one.since
        ]
        before = others[-1].value if others else getattr(QemuBehaviour(), one.field)
        assert one.value != before, one.field
        assert one.for_users.endswith(".")
        assert one.source


def test_before_dynamic_memslots() -> None:
    """QEMU 8.1 and older: one memslot, no reservation, their words."""
    rules = get("qemu-8.1")
    budget = Budget(device_memory_size=TiB, required=8, used=8, kvm_max=32764, kvm_free=1, vhost_max=8, vhost_free=0)
    decision = rules.decide(budget, 8 * GiB)
    refusal = rules.refusal(budget, decision)
    assert decision.count == 1
    assert refusal is not None
    assert refusal.message == "a used vhost backend has no free memory slots left"
    assert OLDEST == (6, 2, 0)
