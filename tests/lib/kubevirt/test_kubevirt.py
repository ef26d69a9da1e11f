"""KubeVirt's objects: what its virt-launcher makes of them, and quantities of Kubernetes."""

import json
from collections.abc import Mapping
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, strategies as st

from workbook.lib import Machine
from workbook.lib.errors import BadInput, WorkbookError
from workbook.lib.kubevirt import domain_of, read_virtual_machine, virtual_machines
from workbook.lib.kubevirt.quantity import read_quantity
from workbook.lib.notes import Note
from workbook.lib.scenario import VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB, MiB


def vm(domain: Mapping[str, object], *, kind: str = "VirtualMachine", **spec: object) -> dict[str, object]:
    template = {"domain": domain, **spec}
    inner = template if kind == "VirtualMachineInstance" else {"template": {"spec": template}}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": inner,
    }


GUEST = {"memory": {"guest": "64Gi"}, "devices": {"interfaces": [{"name": "default", "masquerade": {}}]}}


def test_hotplug_is_four_times_the_guest() -> None:
    """64 GiB without maxGuest: a virtio-mem device of 192 GiB in blocks of 2 MiB, with RHEL's machine type."""
    notes = list[Note]()
    scenario = read_virtual_machine(vm(GUEST), notes=notes)
    assert (scenario.ram, scenario.maxmem) == (64 * GiB, 256 * GiB)
    (device,) = (one for one in scenario.devices if isinstance(one, VirtioMem))
    backend = scenario.backend(device.memdev or "")
    assert backend is not None
    assert (backend.size, device.block_size, device.requested_size) == (192 * GiB, 2 * MiB, 0)
    assert device.dynamic_memslots is None
    assert (scenario.chipset, scenario.distribution, scenario.rules) == ("q35", "rhel", "qemu-10.1")
    assert (
        Machine(read_virtual_machine(vm(GUEST), vhost_slots={"hostua-default": 509})).devices[0].decision.count == 192
    )
    assert any("4 times" in one.text and one.where == "domain.memory.maxGuest" for one in notes)
    assert any("rhel" in one.text for one in notes)


@pytest.mark.parametrize(
    ("memory", "resources", "ram"),
    [
        ({"guest": "4Gi"}, {"requests": {"memory": "2Gi"}}, 4 * GiB),
        ({}, {"requests": {"memory": "2Gi"}, "limits": {"memory": "3Gi"}}, 2 * GiB),
        ({}, {"limits": {"memory": "3Gi"}}, 3 * GiB),
        ({"hugepages": {"pageSize": "1Gi"}}, {}, GiB),
    ],
)
def test_guest_memory(memory: dict[str, object], resources: dict[str, object], ram: int) -> None:
    """The guest's memory is what is said, else what is requested, else the limit, else one huge page."""
    assert read_virtual_machine(vm({"memory": memory, "resources": resources})).ram == ram


@pytest.mark.parametrize(
    "more",
    [
        {"launchSecurity": {"sev": {}}},
        {"cpu": {"realtime": {}}},
        {"cpu": {"numa": {"guestMappingPassthrough": {}}}},
        {"memory": {"guest": "512Mi", "maxGuest": "8Gi"}},
    ],
)
def test_no_hotplug(more: dict[str, object]) -> None:
    """Confidential, real-time and pinned VMs have no memory hot-plug, and none below 1 GiB."""
    scenario = read_virtual_machine(vm(GUEST | more))
    assert scenario.maxmem == scenario.ram


def test_instances_say_what_they_have() -> None:
    """A running instance has maxGuest itself, and its memory at boot in its status."""
    domain = {"memory": {"guest": "6Gi", "maxGuest": "16Gi"}}
    running = vm(domain, kind="VirtualMachineInstance") | {"status": {"memory": {"guestAtBoot": "4Gi"}}}
    scenario = read_virtual_machine(running)
    (device,) = (one for one in scenario.devices if isinstance(one, VirtioMem))
    assert (scenario.ram, scenario.maxmem, device.requested_size) == (4 * GiB, 16 * GiB, 2 * GiB)
    alone = read_virtual_machine(vm({"memory": {"guest": "6Gi"}}, kind="VirtualMachineInstance"))
    assert alone.maxmem == alone.ram


def test_huge_pages_are_a_memfd_in_larger_blocks() -> None:
    """Pages of 1 GiB: RAM and device are memfds of such pages, and so are the blocks."""
    domain = {"memory": {"guest": "8Gi", "maxGuest": "16Gi", "hugepages": {"pageSize": "1Gi"}}}
    scenario = read_virtual_machine(vm(domain))
    (device,) = (one for one in scenario.devices if isinstance(one, VirtioMem))
    assert device.block_size == GiB
    assert {(one.kind, one.page_size) for one in scenario.backends} == {("memfd", GiB)}


def test_devices_become_consumers() -> None:
    """A file system and the pod's tap have vhost back ends; RAM is shared for the former's sake."""
    domain = {"memory": {"guest": "2Gi"}, "devices": {"filesystems": [{"name": "data", "virtiofs": {}}]}}
    scenario = read_virtual_machine(vm(domain), vhost_slots={"fs0": 509})
    vhost = [one for one in scenario.devices if isinstance(one, VhostDevice)]
    assert [(one.id, one.slots) for one in vhost] == [("hostua-default", None), ("fs0", 509)]
    assert all(one.share for one in scenario.backends if not one.id.startswith("mem"))


def test_graphics_cards_are_passed_through() -> None:
    """GPUs, host devices and SR-IOV interfaces are <hostdev>, each with a note that its address is the node's."""
    notes = list[Note]()
    devices = {
        "gpus": [{"name": "gpu1", "deviceName": "nvidia.com/TU104GL"}],
        "hostDevices": [{"name": "qat", "deviceName": "intel.com/qat"}],
        "interfaces": [{"name": "fast", "sriov": {}}],
    }
    root = ET.fromstring(domain_of(vm({"memory": {"guest": "2Gi"}, "devices": devices}), notes=notes))
    names = [one.get("name") for one in root.iterfind("devices/hostdev/alias")]
    assert names == ["ua-sriov-fast", "ua-gpu-gpu1", "ua-hostdevice-qat"]
    assert {"sriov-fast", "gpu-gpu1", "hostdevice-qat"} <= {one.where for one in notes}


def test_secure_boot_has_smm() -> None:
    """EFI is secure boot where nothing is said, and that is SMM."""
    assert read_virtual_machine(vm(GUEST | {"firmware": {"bootloader": {"efi": {}}}})).smm
    insecure = {"firmware": {"bootloader": {"efi": {"secureBoot": False}}}}
    assert not read_virtual_machine(vm(GUEST | insecure)).smm


def test_lists_are_unfolded() -> None:
    """``kubectl get vm -A -o json`` prints a list, also of mixed kinds."""
    both = {"kind": "List", "items": [vm(GUEST), vm(GUEST, kind="VirtualMachineInstance")]}
    found = list(virtual_machines(json.loads(json.dumps(both))))
    assert [(name, one["kind"]) for name, one in found] == [
        ("prod/web", "VirtualMachine"),
        ("prod/web", "VirtualMachineInstance"),
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "has kind ''"),
        ([], "no object of Kubernetes"),
        ({"kind": "Pod"}, "kind 'Pod': known are VirtualMachine"),
        ({"kind": "List", "items": 7}, "items is 7: it must be a list"),
        ({"kind": "List", "items": [{"kind": "Pod"}]}, "items[0] has kind 'Pod'"),
    ],
)
def test_other_objects(given: object, words: str) -> None:
    """What is no VM is named with its place."""
    with pytest.raises(BadInput) as caught:
        list(virtual_machines(given))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ({}, "spec.template.spec.domain has no memory"),
        ({"memory": {"guest": "lots"}}, "spec.template.spec.domain.memory.guest is 'lots': give a quantity"),
        ({"memory": {"guest": True}}, "memory.guest is True"),
        ({"memory": 7}, "spec.template.spec.domain.memory is 7: it must be a mapping"),
        ({"memory": {"guest": "4Gi", "maxGuest": "2Gi"}}, "maxGuest is 2 GiB: it must be at least memory.guest"),
        (GUEST | {"cpu": {"cores": "two"}}, "cpu.cores is 'two': it must be a whole number"),
        (GUEST | {"devices": {"interfaces": "all"}}, "devices.interfaces is 'all': it must be a list"),
        (GUEST | {"devices": {"autoattachVSOCK": "yes"}}, "autoattachVSOCK is 'yes': it must be true or false"),
    ],
)
def test_errors_name_the_field(domain: dict[str, object], words: str) -> None:
    """A field that cannot be read is named with its path, its value and what is allowed."""
    with pytest.raises(BadInput) as caught:
        read_virtual_machine(vm(domain))
    assert words in str(caught.value)


def test_sizes_in_another_object() -> None:
    """A VM whose size is an instance type's says where to get the whole."""
    given = vm(GUEST)
    spec = given["spec"]
    assert isinstance(spec, dict)
    spec["instancetype"] = {"name": "u1.medium"}
    with pytest.raises(BadInput, match="kubectl get vmi"):
        read_virtual_machine(given)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64Gi", 64 * GiB),
        ("1.5Gi", 1536 * MiB),
        ("1G", 10**9),
        ("128974848", 128974848),
        (128974848, 128974848),
        ("1e9", 10**9),
        ("12E6", 12 * 10**6),
        ("1500m", 2),
        ("+4Ki", 4 * KiB),
        (".5Ki", 512),
        ("0", 0),
    ],
)
def test_quantities(text: object, size: int) -> None:
    """Binary and decimal suffixes, exponents and fractions, rounded up to whole bytes."""
    assert read_quantity(text, "memory") == size


@pytest.mark.parametrize(
    "text", ["", "Gi", "4 Gi", "-1Gi", "4gi", "1.2.3", "1e99999", "9Ei", "0x10", None, True, [], "²"]
)
def test_no_quantities(text: object) -> None:
    """Anything else is one line that names it."""
    with pytest.raises(BadInput, match=r"^memory is "):
        read_quantity(text, "memory")


_names = st.sampled_from(
    (
        "kind spec template domain memory guest maxGuest hugepages pageSize devices interfaces filesystems gpus name "
        "cpu cores model machine type firmware bootloader efi secureBoot resources requests limits architecture items"
    ).split()
)
_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from(("4Gi", "2Mi", "q35", "VirtualMachine", "")), st.text()
)
_objects = st.recursive(
    _leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=4))
)


@given(st.dictionaries(_names, _objects, max_size=5), _objects)
def test_any_object_is_answered(domain: dict[str, object], status: object) -> None:
    """Any object is a scenario or an error of the library."""
    try:
        read_virtual_machine(vm(GUEST | domain) | {"status": status})
    except WorkbookError:
        return
