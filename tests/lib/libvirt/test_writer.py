"""Domain XML written: there and back, and what it cannot say."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, strategies as st
from libvirt_domains import virtio_mem
from strategies import scenarios

from workbook.lib import Machine
from workbook.lib.errors import Refusal, WorkbookError
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.libvirt.reader import read_domain
from workbook.lib.libvirt.writer import write_domain
from workbook.lib.rules import RULE_SETS, get
from workbook.lib.scenario import (
    Device,
    Dimm,
    MemoryBackend,
    NumaNode,
    Nvdimm,
    PciDevice,
    Pmem,
    Scenario,
    VhostDevice,
    VirtioMem,
)
from workbook.lib.size import GiB, KiB, MiB, TiB


@given(scenarios())
def test_written_memory_adds_up(scenario: Scenario) -> None:
    """<memory> is RAM plus all memory devices, the NUMA cells are the RAM, <maxMemory> is maxmem; all in KiB."""
    root = ET.fromstring(write_domain(scenario))
    devices = sum(int(one.text or 0) for one in root.iterfind("devices/memory/target/size"))
    owned = [scenario.backend(one.memdev or "") for one in scenario.devices if not isinstance(one, VhostDevice)]
    sizes = [one.size for one in owned if one]
    assert devices == sum(-(-one // KiB) for one in sizes)
    assert root.findtext("memory") == str(-(-(scenario.ram + sum(sizes)) // KiB))
    cells = root.findall("cpu/numa/cell")
    if cells:
        assert sum(int(one.get("memory", "")) for one in cells) == scenario.ram // KiB
    if root.find("maxMemory") is not None:
        assert root.findtext("maxMemory") == str(scenario.maxmem // KiB)
    else:
        assert scenario.maxmem == scenario.ram


# -- there and back ---------------------------------------------------------------------------------------------------


@st.composite
def libvirt_scenarios(draw: st.DrawFn) -> Scenario:
    """VMs that libvirt can express to the last field."""
    kind, share, page = draw(
        st.sampled_from(
            [
                ("ram", False, 4 * KiB),
                ("memfd", True, 4 * KiB),
                ("memfd", False, 4 * KiB),
                ("memfd", True, 2 * MiB),
                ("memfd", True, GiB),
            ]
        )
    )
    immediate = kind == "memfd" and draw(st.booleans())
    boot = MemoryBackend(id="", size=0, kind=kind, share=share, page_size=page, prealloc=immediate or page != 4 * KiB)
    found = draw(st.lists(st.sampled_from(("virtiomem", "virtiopmem", "dimm", "nvdimm")), max_size=4))
    nodes = draw(st.integers(1 if found else 0, 3))
    sizes = [draw(st.integers(1, 256)) * GiB for _ in range(max(1, nodes))]
    names = [f"ram-node{number}" for number in range(nodes)] or ["pc.ram"]
    backends = [replace(boot, id=name, size=size) for name, size in zip(names, sizes, strict=True)]
    if kind == "ram" and not nodes:
        backends = []
    devices: list[Device] = []
    numbers = {"virtiomem": 0, "virtiopmem": 0, "dimm": 0}
    for place, what in enumerate(found):
        by_slot = what in ("dimm", "nvdimm")
        number = numbers["dimm" if by_slot else what]
        name = f"{what}{number}" if draw(st.booleans()) or by_slot else f"ua-{what}x{len(devices)}"
        numbers["dimm" if by_slot else what] += name[:2] != "ua"
        memdev, size = f"mem{name}", draw(st.integers(1, 1024)) * GiB
        address = draw(st.sampled_from((0, (place + 2) * TiB)))
        shown = replace(boot, id=memdev, size=size)
        node = draw(st.integers(0, nodes - 1))
        if what == "dimm":
            devices.append(Dimm(id=name, memdev=memdev, slot=number, addr=address, node=node))
        elif what == "nvdimm":
            pmem = draw(st.booleans())
            shown = MemoryBackend(
                id=memdev,
                size=size,
                kind="file",
                share=draw(st.booleans()),
                prealloc=immediate or not pmem,
                mem_path=f"/dev/dax{number}.0",
                pmem=pmem,
                align=draw(st.sampled_from((0, 2 * MiB))),
            )
            label = draw(st.sampled_from((0, 128 * KiB)))
            unarmed = draw(st.booleans())
            devices.append(
                Nvdimm(id=name, memdev=memdev, slot=number, addr=address, node=node, label_size=label, unarmed=unarmed)
            )
        elif what == "virtiopmem":
            shown = MemoryBackend(
                id=memdev, size=size, kind="file", share=True, prealloc=immediate, mem_path=f"/tmp/a,b & <{name}>"
            )
            devices.append(Pmem(id=name, memdev=memdev, memaddr=address))
        else:
            block = draw(st.sampled_from((2 * MiB, 4 * MiB, GiB)))
            shown = replace(shown, reserve=False, prealloc=False)
            devices.append(
                VirtioMem(
                    id=name,
                    memdev=memdev,
                    node=node,
                    memaddr=address,
                    block_size=block,
                    requested_size=draw(st.integers(0, size // block)) * block,
                    dynamic_memslots=draw(st.sampled_from((None, True, False))),
                    unplugged_inaccessible=draw(st.sampled_from((None, "auto", "on", "off"))),
                    prealloc=draw(st.booleans()),
                )
            )
        backends.append(shown)
    drivers = [("vhost-scsi-pci", "hostdev0", True), ("vhost-vsock-pci-non-transitional", "vsock0", True)]
    fixtures = draw(
        st.sampled_from(
            (
                (),
                (PciDevice(driver="VGA", id="video0", props=(("vgamem_mb", "16"),)),),
                (PciDevice(driver="virtio-vga", id="video0"), PciDevice(driver="virtio-gpu-pci", id="video1")),
            )
        )
    )
    if kind == "memfd" and share:
        first = [("vhost-user-blk-pci", "virtio-disk0", False), ("vhost-user-fs-pci", "fs0", False)]
        drivers = [*first, ("vhost-user-fs-pci", "ua-data", False), *drivers]
        if draw(st.booleans()):
            devices.insert(0, VhostDevice(id="hostnet0", driver="netdev vhost-user"))
            fixtures = (PciDevice(driver="virtio-net-pci", id="net0"), *fixtures)
    devices += [
        VhostDevice(id=name, driver=driver, kernel=kernel) for driver, name, kernel in drivers if draw(st.booleans())
    ]
    extra = draw(st.sampled_from((0, GiB, TiB))) if nodes else 0
    extra += sum(one.size for one in backends if one.id.startswith("mem"))
    accel = draw(st.sampled_from(("kvm", "tcg")))
    vendor = draw(st.sampled_from(("intel", "amd"))) if accel == "tcg" or draw(st.booleans()) else None
    return Scenario(
        chipset=draw(st.sampled_from(("q35", "pc"))),
        machine_version=draw(st.sampled_from((None, (6, 1), (10, 0)))),
        accel=accel,
        smm=draw(st.booleans()),
        acpi=draw(st.booleans()),
        nvdimm="nvdimm" in found,
        cpu_vendor=vendor,
        phys_bits=draw(st.integers(32, 52)),
        ram=sum(sizes),
        maxmem=sum(sizes) + extra,
        ram_slots=draw(st.integers(numbers["dimm"], 64)) if extra else 0,
        pci_hole64_size=draw(st.sampled_from((None, GiB))),
        max_ram_below_4g=draw(st.sampled_from((None, 2 * GiB))),
        ram_backend="pc.ram" if backends and not nodes else None,
        numa=tuple(NumaNode(nodeid=number, memdev=name) for number, name in enumerate(names[:nodes])),
        backends=tuple(backends),
        devices=tuple(devices),
        fixtures=fixtures,
    )


@given(libvirt_scenarios())
def test_round_trip(scenario: Scenario) -> None:
    """What libvirt can express comes back the same, and no comment complains."""
    # a second file system is fs1 for libvirt wherever the first is
    text = write_domain(scenario)
    made = read_domain(text)
    for one in fields(scenario):
        # a field at a time: the message then names it; the displays are among the fixtures
        assert not one.compare or one.name == "display" or getattr(made, one.name) == getattr(scenario, one.name), (
            one.name
        )
    assert "<!--" not in text


@given(scenarios(), st.sampled_from(sorted(RULE_SETS)))
def test_nothing_is_lost_silently(scenario: Scenario, rules: str) -> None:
    """What comes back has the scenario's machine and sizes, or a comment names the field; twice changes nothing."""
    text = write_domain(scenario, get(rules))
    comment = " ".join(one.text or "" for one in ET.fromstring(text, _with_comments()).iter(ET.Comment))
    assert text == write_domain(scenario, get(rules))
    if "refused: " in comment:
        with pytest.raises(WorkbookError):
            read_domain(text)
        return
    made = read_domain(text)
    for name in ("chipset", "machine_version", "accel", "smm", "cpu_vendor", "phys_bits", "ram", "maxmem", "ram_slots"):
        label = f"machine: {name.replace('_', '-')} is "
        assert (getattr(made, name) == getattr(scenario, name)) is not (label in comment)
    assert (made.incoming == scenario.incoming) is not ("machine: incoming is" in comment)
    memory = [one for one in scenario.devices if not isinstance(one, VhostDevice)]
    there = [one for one in made.devices if not isinstance(one, VhostDevice)]
    assert [type(one) for one in memory] == [type(one) for one in there]
    for one, other in zip(memory, there, strict=True):
        if isinstance(one, VirtioMem) and isinstance(other, VirtioMem):
            assert one.requested_size == other.requested_size or "requested-size is" in comment
            assert one.dynamic_memslots == other.dynamic_memslots or "dynamic-memslots is" in comment
            assert one.memaddr == other.memaddr
    again = write_domain(made, get(rules))
    # what libvirt has rounded up may be too much the second time, or leave no room
    rounded = any(one.size % (2 * MiB) for one in scenario.backends) or scenario.ram % MiB or scenario.maxmem % MiB
    assert rounded or read_domain(again) == made


def _with_comments() -> ET.XMLParser:
    return ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))


def _outcome(make: Callable[[], Machine]) -> object:
    try:
        return [(one.decision.count, one.decision.memslot_size) for one in make().devices]
    except Refusal as refusal:
        return refusal.message


@pytest.mark.parametrize("name", sorted(name for name, one in PRESETS.items() if one.scenario.chipset in ("pc", "q35")))
@pytest.mark.parametrize("limit", [None, 0, 64, 4096])
def test_presets_make_machines(name: str, limit: int | None) -> None:
    """libvirt takes the XML of every preset of a PC; its machine decides as the preset does in libvirt's order."""
    scenario = SETTINGS["vhost_slots"].put(replace(PRESETS[name].scenario, actions=()), limit, None)
    if limit is not None:
        scenario = SETTINGS["vhost_place"].put(scenario, "after", None)
    if scenario.rules != "qemu-10.0":
        # the RFC cuts by the block size as given, and libvirt always gives one
        scenario = SETTINGS["block_size"].put(scenario, 2 * MiB, None)
    text = write_domain(scenario, get(scenario.rules))
    assert "refused" not in text
    limits = {one.id: one.slots for one in read_domain(text).devices if isinstance(one, VhostDevice)}
    limits = dict.fromkeys(limits, limit or None)
    made = _outcome(lambda: Machine.from_libvirt(text, scenario.rules, scenario.kvm_slots, limits))
    assert made == _outcome(lambda: Machine(scenario))
    assert ('<source type="memfd" />' in text) == (limit is not None)


def test_order_of_libvirt_is_named() -> None:
    """A vhost-user back end before the device cannot be had: libvirt's order counts, and a comment says so."""
    before = SETTINGS["vhost_slots"].put(PRESETS["one-tib"].scenario, 64, None)
    after = SETTINGS["vhost_place"].put(before, "after", None)
    assert "then memory devices, then other devices" in write_domain(before)
    assert "then memory devices, then other devices" not in write_domain(after)
    assert isinstance(read_domain(write_domain(before)).devices[0], VirtioMem)


def test_properties_without_an_element_are_overridden() -> None:
    """max-memslots goes through <qemu:override>, and is left out where the QEMU does not know it."""
    scenario = SETTINGS["max_memslots"].put(PRESETS["one-tib"].scenario, 8, None)
    text = write_domain(scenario, get("rfc-2021"))
    assert re.search(r'<qemu:property name="max-memslots" type="unsigned" value="8" ?/>', text)
    (device,) = read_domain(text, rules=get("rfc-2021")).devices
    assert isinstance(device, VirtioMem)
    assert device.max_memslots == 8
    assert "qemu:override" not in write_domain(scenario, get("qemu-10.0"))
    assert "vm0: max-memslots is unset, not 8" in write_domain(scenario, get("qemu-10.0"))


def test_passed_through_options_count() -> None:
    """<qemu:commandline> adds devices, which QEMU makes before those in JSON; <qemu:override> changes properties."""
    text = (
        "<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='vhost-user-rng-pci,id=rng'/></qemu:commandline>"
        "<qemu:override><qemu:device alias='virtiomem0'><qemu:frontend>"
        "<qemu:property name='requested-size' type='unsigned' value='4194304'/>"
        "<qemu:property name='block-size' type='remove'/>"
        "<qemu:property name='prealloc' type='bool' value='true'/>"
        "</qemu:frontend></qemu:device></qemu:override>"
    )
    rng, device = read_domain(virtio_mem() + text).devices
    assert isinstance(device, VirtioMem)
    assert (device.requested_size, device.block_size, device.prealloc) == (4 * MiB, 0, True)
    assert rng == VhostDevice(id="rng", driver="vhost-user-rng-pci")
