"""Two recordings side by side: the first place where they differ is named."""

from typing import Any

import pytest

from workbook.lib.recording import RecordingJson, compare
from workbook.lib.recording.compare import without_kvm

STEP = {"action": {"op": "start"}, "error": None, "kvm": {"live": {"0": 7}}, "info_mtree_flat": ["a KVM", "b"]}


def recording(*steps: dict[str, Any]) -> RecordingJson:
    return {"qemu_version": "10.0.2", "argv": [], "steps": list(steps)}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"error": "no"}, 'step 1 error: recorded null, predicted "no"'),
        ({"kvm": {"live": {"0": 8}}}, "step 1 kvm.live.0: recorded 7, predicted 8"),
        ({"kvm": {"live": {"0": 7, "1": 7}}}, "step 1 kvm.live.1: recorded <not there>, predicted 7"),
        ({"stderr": "x"}, 'step 1 stderr: recorded <not there>, predicted "x"'),
        ({"info_mtree_flat": ["a KVM", "c"]}, 'step 1 info_mtree_flat.1: recorded "b", predicted "c"'),
        ({"info_mtree_flat": ["a KVM"]}, 'step 1 info_mtree_flat: recorded ["a KVM", "b"], predicted ["a KVM"]'),
    ],
)
def test_first_difference_is_named(change: dict[str, Any], text: str) -> None:
    """The first differing step and field are named, with both values and where in the field they differ."""
    assert compare(recording(STEP, STEP), recording(STEP, STEP), both_ways=True) == []
    first, *_ = compare(recording(STEP, STEP, STEP), recording(STEP, STEP | change, {}), both_ways=True)
    assert str(first) == text


def test_what_was_not_recorded() -> None:
    """A field that only the other one has is a difference only where nothing may be missing."""
    more = recording(STEP | {"stderr": "x"})
    assert compare(recording(STEP), more) == []
    assert [one.field for one in compare(recording(STEP), more, both_ways=True)] == ["stderr"]


def test_missing_steps_are_a_difference() -> None:
    """A recording that ends early differs, even if all that is there is equal; so does one that goes on."""
    assert [one.step for one in compare(recording(STEP, STEP), recording(STEP))] == [1]
    assert compare(recording(STEP), recording(STEP, STEP)) == []
    assert [one.step for one in compare(recording(STEP), recording(STEP, STEP), both_ways=True)] == [1]


def test_age_of_qemu_is_no_difference() -> None:
    """What QEMU says of old machine types follows from its own age: it is left out of the comparison."""
    old = "warning: Machine type 'pc-q35-2.12' is deprecated: machines from the previous 6 years should be used"
    assert compare(recording(STEP | {"stderr": old}), recording(STEP), both_ways=True) == []
    assert compare(recording(STEP | {"stderr": f"{old}\nx"}), recording(STEP | {"stderr": "x"}), both_ways=True) == []


def test_without_kvm() -> None:
    """KVM's own rows and marks can be left out of the comparison, nothing else."""
    tcg = {key: value for key, value in STEP.items() if key != "kvm"} | {"info_mtree_flat": ["a", "b"]}
    kvm = without_kvm(recording(STEP))
    assert compare(recording(STEP), recording(tcg), both_ways=True) != []
    assert compare(kvm, without_kvm(recording(tcg)), both_ways=True) == []
    assert compare(kvm, without_kvm(recording(tcg | {"error": "x"})), both_ways=True) != []
