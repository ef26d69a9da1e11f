"""Differences between libvirt's VM and the scenario that its XML was written from."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Final

from workbook.lib.errors import WorkbookError
from workbook.lib.scenario import MemoryBackend, Nvdimm, PciDevice, Pmem, Scenario, VfioDevice, VhostDevice
from workbook.lib.size import format_size

from .reader import read_domain

__all__ = ("differences",)

_HOST_ONLY: Final = frozenset(
    "backends devices actions ram_backend numa fixtures display host kvm_slots tdp_mmu nested rules extra".split()
)
_SIZES: Final = frozenset(
    "ram maxmem max_ram_below_4g size page_size requested_size block_size label_size align pci_hole64_size "
    "firmware_size".split()
)
_ADDRESSES: Final = frozenset(("addr", "memaddr"))
_OWN: Final = frozenset(("id",))


def differences(scenario: Scenario, names: Mapping[int, str], text: str) -> Iterator[str]:
    """Yield one line per difference; `names` are the ids of the devices by their position."""
    try:
        made = read_domain(text)
    except WorkbookError as error:
        yield f"refused: {error}"
        return
    yield from _fields("machine", scenario, made, _HOST_ONLY)
    yield from _ram(scenario, made)
    for index, device in enumerate(scenario.devices):
        there = made.device(names.get(index, ""))
        name = device.id or f"device {index}"
        if there is None:
            driver = device.driver if isinstance(device, VhostDevice) else device.type
            yield f"{name}: {driver} is missing"
            continue
        if there.id != device.id:
            yield f"{name}: its id is {there.id}"
        yield from _fields(name, device, there, frozenset(("id", "memdev", "slots", "where")))
        if not isinstance(device, VhostDevice | VfioDevice) and not isinstance(there, VhostDevice | VfioDevice):
            asked, given = scenario.backend(device.memdev or ""), made.backend(there.memdev or "")
            if asked and given:
                yield from _fields(
                    f"memory of {name}", asked, given, _OWN if _has_file(device) else _OWN | {"mem_path"}
                )
    order = [index for name in (one.id for one in made.devices) for index, is_ in names.items() if is_ == name]
    if order != sorted(order):
        yield "devices: network back ends come first, then memory devices, then other devices with a vhost back end"
    yield from _fixtures(scenario, made)


def _has_file(device: object) -> bool:
    """Whether the user names the file behind it; other files are where libvirt puts them."""
    return isinstance(device, Pmem | Nvdimm)


def _ram(scenario: Scenario, made: Scenario) -> Iterator[str]:
    # one node that libvirt makes explicit is what QEMU has without -numa
    if scenario.numa and len(scenario.numa) != len(made.numa):
        yield f"RAM: it has {made.numa_count} NUMA nodes, not {scenario.numa_count}"
        return
    pieces, others = scenario.ram_backends, made.ram_backends
    for number, ((asked, size), (given, other)) in enumerate(zip(pieces, others, strict=False)):
        name = "RAM" if len(pieces) == 1 else f"RAM of node {number}"
        if size != other and len(pieces) > 1:
            yield f"{name}: size is {format_size(other)}, not {format_size(size)}"
        plain = MemoryBackend(id="RAM", size=size)
        yield from _fields(name, asked or plain, given or plain, _OWN | {"size", "mem_path"})


def _fixtures(scenario: Scenario, made: Scenario) -> Iterator[str]:
    asked = list(map(_shown_fixture, scenario.fixtures))
    given = list(map(_shown_fixture, made.fixtures))
    for one in list(asked):
        if one in given:
            asked.remove(one)
            given.remove(one)
    yield from (f"{one} is missing" for one in asked)
    yield from (f"{one} is added" for one in given if scenario.fixtures or not one.startswith("virtio-net-pci"))


def _shown_fixture(one: PciDevice) -> str:
    given = ",".join(f"{name}={value}" for name, value in one.props if name != "memdev")
    return f"{one.driver} ({given})" if given else one.driver


def _fields(what: str, asked: object, given: object, but: frozenset[str]) -> Iterator[str]:
    for one in fields(asked):  # type: ignore[arg-type]  # every element is a dataclass
        if one.name in but or not one.compare:
            continue
        old, new = getattr(asked, one.name), getattr(given, one.name, None)
        if old != new and not (one.name == "slot" and old == -1):
            label = one.name.replace("_", "-")
            yield f"{what}: {label} is {_shown(one.name, new)}, not {_shown(one.name, old)}"


def _shown(name: str, value: object) -> str:
    if name == "block_size" and not value:
        return "QEMU's default"
    if value is None:
        return "unset"
    if name in _SIZES and isinstance(value, int):
        return format_size(value)
    if name in _ADDRESSES and isinstance(value, int):
        return hex(value)
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
