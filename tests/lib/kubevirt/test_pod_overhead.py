"""The memory overhead of a KubeVirt pod, by KubeVirt's formula."""

from collections.abc import Mapping

import pytest

from workbook.lib.errors import BadInput
from workbook.lib.kubevirt import pod_overhead
from workbook.lib.size import GiB, MiB

FIXED = (25 + 100 + 25 + 40 + 50 + 8) * MiB


def vm(domain: Mapping[str, object], **spec: object) -> dict[str, object]:
    """Return a VirtualMachine around a domain."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "spec": {"template": {"spec": {"domain": {"devices": {}, **domain}, **spec}}},
    }


def test_a_vm_of_64_gib() -> None:
    """A byte for 512 of memory, rounded to kilobytes first, fixed parts, 8 MiB a vCPU and 32 MiB of video RAM."""
    found = pod_overhead(vm({"memory": {"guest": "64Gi"}, "cpu": {"cores": 4, "sockets": 2}}))
    assert found.page_tables == -(-64 * GiB // 1000) * 1000 // 512
    assert found.page_tables // MiB == 128
    assert found.total == found.page_tables + FIXED + 8 * 8 * MiB + 32 * MiB


def test_max_guest_changes_nothing() -> None:
    """What can be plugged later is not in it."""
    least = pod_overhead(vm({"memory": {"guest": "4Gi"}}))
    assert pod_overhead(vm({"memory": {"guest": "4Gi", "maxGuest": "256Gi"}})) == least


@pytest.mark.parametrize(
    ("domain", "spec", "more"),
    [
        ({"devices": {"autoattachGraphicsDevice": False}}, {}, -32 * MiB),
        ({"devices": {"gpus": [{"name": "g", "deviceName": "x/y"}]}}, {}, GiB),
        ({"devices": {"interfaces": [{"name": "n", "sriov": {}}]}}, {}, GiB),
        ({"devices": {"tpm": {}}}, {}, 53 * MiB),
        ({"devices": {"tpm": {"enabled": False}}}, {}, 0),
        ({"launchSecurity": {"sev": {}}}, {}, 256 * MiB),
        ({"cpu": {"cores": 1, "dedicatedCpuPlacement": True}}, {}, 100 * MiB),
        ({"resources": {"requests": {"memory": "4Gi", "cpu": "2"}}}, {}, 8 * MiB),
        (
            {"resources": {"requests": {"memory": "4Gi", "cpu": 2}, "limits": {"memory": "4Gi", "cpu": "2"}}},
            {},
            108 * MiB,
        ),
        ({"memory": {"guest": "4Gi", "reservedOverhead": {"addedOverhead": "1Gi"}}}, {}, GiB),
        ({}, {"architecture": "arm64"}, 128 * MiB),
        ({}, {"livenessProbe": {"exec": {}}, "readinessProbe": {"exec": {}}}, 120 * MiB),
        ({}, {"livenessProbe": {"httpGet": {}}}, 0),
        ({}, {"volumes": [{"name": "m", "downwardMetrics": {}}]}, MiB),
    ],
)
def test_each_part(domain: dict[str, object], spec: dict[str, object], more: int) -> None:
    """What each device or promise adds to a small VM."""
    plain = pod_overhead(vm({"memory": {"guest": "4Gi"}}))
    assert pod_overhead(vm({"memory": {"guest": "4Gi"}, **domain}, **spec)).total - plain.total == more


def test_the_cluster_can_multiply_it() -> None:
    """``additionalGuestMemoryOverheadRatio`` multiplies the sum, in kilobytes."""
    plain = pod_overhead(vm({"memory": {"guest": "4Gi"}}))
    doubled = pod_overhead(vm({"memory": {"guest": "4Gi"}}), ratio=2.0)
    assert doubled.total == plain.total + -(-plain.total // 1000) * 1000


def test_requests_count_and_not_the_guest() -> None:
    """An overcommitted VM has the overhead of what is requested for it."""
    found = pod_overhead(vm({"memory": {"guest": "64Gi"}, "resources": {"requests": {"memory": "8Gi"}}}))
    assert found.requested == 8 * GiB


def test_what_cannot_be_read() -> None:
    """One line names the field."""
    with pytest.raises(BadInput, match=r"memory\.guest is 'much'"):
        pod_overhead(vm({"memory": {"guest": "much"}}))
