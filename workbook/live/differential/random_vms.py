"""Random scenarios for the comparison of model and QEMU, as Hypothesis strategies, so that they shrink by themselves.

A sketch is a recording without observations. The model only chooses what is worth trying next (which devices there
are, where they lie); what is right, QEMU says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from hypothesis import strategies as st

from workbook.lib.actions import (
    Action,
    DeviceAdd,
    DeviceDel,
    DeviceReset,
    Plug,
    RawRequest,
    RequestSize,
    Reset,
    Start,
    State,
    Unplug,
    UnplugAll,
    VhostStart,
)
from workbook.lib.errors import WorkbookError
from workbook.lib.json_codec import Json, JsonObject
from workbook.lib.recording import Recording, Step, predicted
from workbook.lib.recording.format import View
from workbook.lib.scenario import DEFAULT_FIRMWARE_SIZE
from workbook.lib.size import GiB, KiB, MiB, TiB, round_up
from workbook.live.qemu.observation import device_key

__all__ = ("LARGEST_FOR_KVM", "Sketch", "sketches")

Sketch: TypeAlias = Recording
"""A recording without observations."""
Steps: TypeAlias = Sequence[Step]

LARGEST_FOR_KVM: Final = 32 * GiB
"""Memory devices under KVM are no larger: a host without TDP MMU pays 2.5 MB of metadata per mapped GiB."""

_MAX_DEVICES: Final = 4
_MOST_ACTIONS: Final = 12
_VERSIONS: Final = ("", "", "", "", "-9.2", "-9.0", "-8.2", "-8.1", "-8.0", "-7.2", "-7.1", "-7.0", "-6.2", "-6.1")
_VERSIONED: Final = {"q35": "pc-q35", "pc": "pc-i440fx"}
_OLD_VERSIONS: Final = ("-5.2", "-4.2", "-3.1", "-2.12")
_BIG_CPU: Final = ("qemu64,vendor=GenuineIntel,phys-bits=48,-sse3", "qemu64,vendor=AuthenticAMD,phys-bits=48,-sse3")
_SMALL: Final = 900 * GiB
_VHOST_DRIVERS: Final = ("vhost-user-rng-pci", "vhost-user-vsock-pci", "vhost-user-i2c-pci", "vhost-user-gpio-pci")
_VHOST_LIMITS: Final = (None, 8, 9, 10, 12, 16, 32, 64, 256, 507, 508, 509, 510, 512, 513, 1024)

_round_sizes = st.sampled_from([128 * MiB, 512 * MiB, GiB, 2 * GiB, 4 * GiB, 16 * GiB, 32 * GiB, 64 * GiB])
_odd_sizes = st.sampled_from([1025 * MiB, 1026 * MiB, 1040 * MiB, 10880 * MiB, 1536 * MiB, GiB + 4 * KiB, 3 * MiB])
_large_sizes = st.one_of(
    st.sampled_from([100 * GiB, 255 * GiB, 256 * GiB, 257 * GiB, 500 * GiB, 308198 * MiB, 262146 * MiB]),
    st.sampled_from([TiB, 2 * TiB, 4 * TiB, 8 * TiB, 16 * TiB]),
)
_any_sizes = st.builds(lambda number, unit: number * unit, st.integers(1, 600), st.sampled_from([MiB, 2 * MiB, GiB]))
_block_sizes = st.one_of(
    st.just(0),
    st.sampled_from([MiB, 2 * MiB, 4 * MiB, 128 * MiB, 256 * MiB, 512 * MiB, GiB, 2 * GiB, 4 * GiB, 16 * GiB]),
)
_wrong_block_sizes = st.sampled_from([512 * KiB, 3 * MiB])
_ram_sizes = st.one_of(
    st.sampled_from([4096, 64, 128, 1024, 2048, 2815, 2816, 2817, 3072, 3583, 3584, 3585, 5120, 6144]),
    st.integers(64, 6144),
).map(lambda number: number * MiB)


def _rarely(draw: st.DrawFn, of: int = 8) -> bool:
    """Draw True once in a while; shrinks to False."""
    return draw(st.integers(0, of - 1)) == of - 1


@st.composite
def sketches(draw: st.DrawFn, accels: Sequence[str] = ("tcg",), version: str = "10.0.2") -> Sketch:
    """Draw a machine with devices and what happens to it.

    Parameters
    ----------
    accels
        Accelerators to choose from.
    version
        Of the QEMU that will play them: the model foresees what it does.
    """
    chipset = draw(st.sampled_from(["q35", "pc"]))
    sketch = replace(draw(_machines(accels, chipset)), qemu_version=version)
    shown = _foresee(sketch)
    hot_plugging = True
    for _ in range(_MOST_ACTIONS):
        if shown is None or not draw(st.integers(0, 15)):
            break
        action = draw(_actions(shown, sketch.accel, chipset, hot_plugging=hot_plugging))
        sketch = replace(sketch, steps=(*sketch.steps, Step(action=action)))
        shown = _foresee(sketch)
        # QEMU 10.0.2 takes the used vhost memslots for 0 once a vhost device was removed or refused late, until another
        # one commits; the model follows the later, repaired QEMU. No device_add after that: nothing else looks there.
        hot_plugging = hot_plugging and not (shown and _loses_a_vhost(shown[-1]))
    return sketch


def _foresee(sketch: Sketch) -> Steps | None:
    """Return the steps as the model expects them; None where nothing can follow."""
    try:
        steps = predicted(sketch).steps
    except WorkbookError:
        return None
    return steps if len(steps) == len(sketch.steps) and _view(steps[-1]) is not None else None


def _view(step: Step) -> View | None:
    return step.observation.view if step.observation else None


def _refused(step: Step) -> bool:
    return step.observation is not None and step.observation.error is not None


def _loses_a_vhost(step: Step) -> bool:
    view = _view(step)
    match step.action:
        case DeviceDel(id=name):
            return view is not None and name in view.vhost
        case DeviceAdd(is_vhost_user=True):
            return _refused(step)
    return False


# -- machines and devices -------------------------------------------------------------------------------------------


@st.composite
def _machines(draw: st.DrawFn, accels: Sequence[str], chipset: str) -> Sketch:
    accel = draw(st.sampled_from(accels))
    version = draw(st.sampled_from(_VERSIONS + _OLD_VERSIONS))
    machine = f"{_VERSIONED[chipset]}{version}" if version else chipset
    ram = draw(_ram_sizes)
    argv = ["qemu-system-x86_64", "-accel", accel]
    words: list[str] = []
    vhost_backends: dict[str, int | None] = {}
    kind = draw(st.sampled_from(["", "memfd", "memfd", "ram"]))
    if kind:
        machine += ",memory-backend=ram"
        words += ["-object", _as_option(draw(_backends("ram", ram, kind)))]
    total = dimms = 0
    careful = draw(st.integers(0, 3)) < 3
    for number in range(draw(st.integers(0, _MAX_DEVICES))):
        match draw(st.sampled_from(["virtio-mem", "virtio-mem", "virtio-mem", "vhost", "vhost", "dimm", "pmem"])):
            case "vhost":
                vhost_backends[f"vu{number}"] = draw(_vhost_limits())
                words += ["-chardev", f"socket,id=cvu{number},path=TMP/vu{number}"]
                driver = draw(st.sampled_from(_VHOST_DRIVERS))
                words += ["-device", f"{driver},id=vu{number},chardev=cvu{number}"]
            case device:
                driver, props, size = draw(_memory_devices(device, f"mem{number}", accel, careful=careful))
                total, dimms = total + size, dimms + (device == "dimm")
                words += ["-object", _as_option(draw(_backends(f"mem{number}", size)))]
                pairs = {"id": _NAMES[device].format(number), **props}
                words += ["-device", ",".join([driver, *(f"{key}={_word(value)}" for key, value in pairs.items())])]
    argv += ["-machine", machine]
    slots, room = draw(_rooms(total, dimms, careful=careful))
    # without -cpu the model knows no address bits and no vendor, which does not matter for what is small;
    # KVM then warns of what the host's processor lacks
    if accel == "kvm" or (room or 0) + slots * GiB > _SMALL or not _rarely(draw):
        argv += ["-cpu", draw(st.sampled_from(_BIG_CPU))]
    memory = f"{ram // MiB}M" + ("" if room is None else f",maxmem={ram + room}") + (f",slots={slots}" if slots else "")
    argv += ["-nodefaults", "-display", "none", "-m", memory, *words]
    return Recording(
        qemu_version="10.0",
        firmware_size=DEFAULT_FIRMWARE_SIZE,
        accel=accel,
        argv=tuple(argv),
        vhost_backends=vhost_backends,
        steps=(Step(action=Start()),),
    )


@st.composite
def _rooms(draw: st.DrawFn, total: int, dimms: int, *, careful: bool) -> tuple[int, int | None]:
    """Draw slots and maxmem less RAM: room for exactly the devices of `total` bytes, for more, for less, for none."""
    slots = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3, 16, 255, 256]))
    total = round_up(total, draw(st.sampled_from([MiB, MiB, 2 * MiB, GiB])))
    rooms = ["tight", "tight", "loose", "loose", "loose"]
    if careful:
        slots, total = max(slots, dimms), total or GiB
    else:
        slots = draw(st.sampled_from([slots, slots, 257]))
        rooms += ["small", "none", "equal"]
    match draw(st.sampled_from(rooms)):
        case "tight":
            return slots, total
        case "loose":
            return slots, total + draw(st.sampled_from([GiB, 16 * GiB, MiB, 64 * GiB, total, TiB, 40 * TiB]))
        case "small":
            return slots, max(total - draw(st.sampled_from([MiB, 2 * MiB, GiB, total // 2])), 0)
        case "equal":
            return slots, 0
        case _:
            return slots, None


def _sizes(accel: str) -> st.SearchStrategy[int]:
    if accel == "kvm":
        return st.one_of(_round_sizes, _odd_sizes, _any_sizes).map(lambda size: min(size, LARGEST_FOR_KVM))
    return st.one_of(_round_sizes, _odd_sizes, _any_sizes, _large_sizes)


@st.composite
def _backends(draw: st.DrawFn, name: str, size: int, kind: str = "") -> dict[str, Json]:
    kind = kind or draw(st.sampled_from(["memfd", "memfd", "ram"]))
    backend: dict[str, Json] = {"qom-type": f"memory-backend-{kind}", "id": name, "size": size, "reserve": False}
    share = draw(st.sampled_from([None, True, False]))
    return backend if share is None else backend | {"share": share}


_NAMES: Final = {"virtio-mem": "vmem{}", "dimm": "dimm{}", "pmem": "pmem{}"}
_DRIVERS: Final = {"virtio-mem": "virtio-mem-pci", "dimm": "pc-dimm", "pmem": "virtio-pmem-pci"}


@st.composite
def _memory_devices(
    draw: st.DrawFn, kind: str, memdev: str, accel: str, *, careful: bool
) -> tuple[str, dict[str, Json], int]:
    """Draw a memory device: driver, properties, and the size of its backend.

    Parameters
    ----------
    careful
        Leave out what QEMU refuses whatever else there is.
    """
    size = draw(_sizes(accel))
    if careful:
        size = round_up(size, 2 * MiB)
    props: dict[str, Json] = {"memdev": memdev}
    if not careful and _rarely(draw, 20):
        props["memdev"] = draw(st.sampled_from(["ram", "nowhere", "mem0"]))
    if kind == "virtio-mem":
        size, more = draw(_virtio_mem_properties(size, careful=careful))
        props |= more
    if not careful and _rarely(draw, 4):
        props["addr" if kind == "dimm" else "memaddr"] = draw(_addresses())
    if kind == "dimm" and not careful and _rarely(draw, 4):
        props["slot"] = draw(st.sampled_from([0, 1, 2, 255, 256, -2]))
    return _DRIVERS[kind], props, size


@st.composite
def _virtio_mem_properties(draw: st.DrawFn, size: int, *, careful: bool) -> tuple[int, dict[str, Json]]:
    """Draw a virtio-mem device's properties, and the size of its backend, which careful users round to blocks."""
    props: dict[str, Json] = {}
    if block := draw(_block_sizes if careful or not _rarely(draw) else _wrong_block_sizes):
        props["block-size"] = block
    if careful:
        size = round_up(size, block or 2 * MiB)
    requested = draw(_requests(size, block or 2 * MiB, careful=careful))
    if requested or draw(st.booleans()):
        props["requested-size"] = requested
    if draw(st.sampled_from([True, True, True, False])):
        props["dynamic-memslots"] = draw(st.sampled_from([True, True, True, False]))
    if careful and draw(st.booleans()):
        props["unplugged-inaccessible"] = "on"
    if not careful and _rarely(draw, 4):
        props["unplugged-inaccessible"] = draw(st.sampled_from(["on", "auto", "off"]))
    if not careful and _rarely(draw, 20):
        props["node"] = 1
    return size, props


@st.composite
def _requests(draw: st.DrawFn, size: int, block: int, *, careful: bool) -> int:
    """Draw a requested size: mostly whole blocks inside the device."""
    kinds = ["all", "blocks", "blocks", "blocks", "blocks", "none"]
    match draw(st.sampled_from(kinds if careful else [*kinds, "odd", "more"])):
        case "all":
            return size
        case "none":
            return 0
        case "blocks":
            return draw(st.integers(0, max(size // block, 1))) * block
        case "odd":
            return draw(st.integers(0, size))
        case _:
            return size + draw(st.sampled_from([block, 1, GiB]))


@st.composite
def _addresses(draw: st.DrawFn) -> int:
    """Draw a hint for an address; device memory starts at 4, 5 or 6 GiB, or above 1 TiB."""
    base = draw(st.sampled_from([4 * GiB, 5 * GiB, 6 * GiB, 8 * GiB, GiB, TiB, 64 * GiB]))
    return base + draw(st.sampled_from([0, 0, MiB, 2 * MiB, 128 * MiB, GiB, 4 * KiB, 1, 3 * GiB]))


def _vhost_limits() -> st.SearchStrategy[int | None]:
    return st.one_of(st.sampled_from(_VHOST_LIMITS), st.integers(8, 600))


def _as_option(backend: Mapping[str, Json]) -> str:
    pairs = [f"{key}={_word(value)}" for key, value in backend.items() if key != "qom-type"]
    return ",".join([str(backend["qom-type"]), *pairs])


def _word(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


# -- actions --------------------------------------------------------------------------------------------------------

_GUEST: Final = ("plug", "plug", "plug", "plug", "unplug", "unplug", "state", "raw", "unplug_all", "device_reset")


@st.composite
def _actions(draw: st.DrawFn, steps: Steps, accel: str, chipset: str, *, hot_plugging: bool) -> Action:
    """Draw an action that fits what is shown after `steps`."""
    shown = _view(steps[-1])
    assert shown is not None
    # PCI Express' root bus takes no devices at run time, and drivers look nowhere else
    on_pci = chipset == "pc"
    devices = list(shown.config_space)
    vhosts = [name for name in shown.vhost if _is_there(name, steps)]
    idle = [name for name in vhosts if _is_idle(name, steps)]
    kinds = ["reset"]
    if devices:
        kinds += [*_GUEST, *_GUEST, "request_size", "request_size", "request_size"]
    if idle:
        kinds += ["vhost_start", "vhost_start"]
    if hot_plugging:
        kinds += ["add_virtio_mem", "add_virtio_mem", "add_vhost", "add_dimm"] if on_pci else ["add_dimm"]
    removable = [device_key(one) for one in shown.memory_devices if on_pci or one["type"] == "dimm"]
    removable += vhosts if on_pci else []
    if removable:
        kinds.append("device_del")
    op = draw(st.sampled_from(kinds[::-1]))
    if op in _HOT:
        return draw(_HOT[op](f"{len(steps)}h", accel))
    match op:
        case "reset":
            return Reset()
        case "vhost_start":
            return VhostStart(dev=draw(st.sampled_from(idle)))
        case "device_del":
            return DeviceDel(id=draw(st.sampled_from(removable)))
    name = draw(st.sampled_from(devices))
    return draw(_guest_actions(op, name, shown.config_space[name], _earlier(steps, name)))


def _is_there(name: str, steps: Steps) -> bool:
    """Whether a vhost device has been neither refused nor removed."""
    for step in steps:
        match step.action:
            case DeviceAdd(id=new) if new == name and _refused(step):
                return False
            case DeviceDel(id=gone) if gone == name and not _refused(step):
                return False
    return True


def _is_idle(name: str, steps: Steps) -> bool:
    """Whether a vhost device that is there has not been started since the last reset."""
    idle = True
    for step in steps:
        match step.action:
            case Reset():
                idle = True
            case VhostStart(dev=started) if started == name:
                idle = False
    return idle


def _earlier(steps: Steps, name: str) -> list[tuple[int, int]]:
    """Ranges of a device that were asked for before."""
    actions = [step.action for step in steps]
    return [(one.offset, one.size) for one in actions if isinstance(one, Plug | Unplug | State) and one.dev == name]


@st.composite
def _guest_actions(
    draw: st.DrawFn, op: str, name: str, device: Mapping[str, int], earlier: Sequence[tuple[int, int]]
) -> Action:
    block, region = device["block_size"], device["region_size"]
    match op:
        case "request_size":
            return RequestSize(dev=name, size=draw(_requests(region, block, careful=False)))
        case "unplug_all":
            return UnplugAll(dev=name)
        case "device_reset":
            return DeviceReset(dev=name)
    offset, size = draw(_ranges(device, earlier))
    match op:
        case "plug":
            return Plug(dev=name, offset=offset, size=size)
        case "unplug":
            return Unplug(dev=name, offset=offset, size=size)
        case "state":
            return State(dev=name, offset=offset, size=size)
    gpa = device["addr"] + offset
    if _rarely(draw, 4):
        gpa = draw(st.sampled_from([0, 1, device["addr"] - block, device["addr"] + region, (1 << 64) - block]))
    kind = draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4, 65535]))
    return RawRequest(dev=name, type=kind, gpa=gpa, nb_blocks=size // block)


_MOST_BLOCKS: Final = (1 << 16) - 1
"""A request has 16 bits for its number of blocks."""


@st.composite
def _ranges(draw: st.DrawFn, device: Mapping[str, int], earlier: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Draw offset and size, whole blocks: what may still be plugged, anywhere, across a border, or again."""
    block, region, usable = device["block_size"], device["region_size"], device["usable_region_size"]
    left = device["requested_size"] - device["plugged_size"]
    blocks = max((usable or region) // block, 1)
    start = draw(st.integers(0, blocks)) * block
    match draw(st.sampled_from(["fits", "fits", "fits", "again", "gigabyte", "any", "odd"])):
        case "fits":
            most = max(min(left // block, (usable - start) // block), 1)
            return start, draw(st.integers(1, min(most, _MOST_BLOCKS))) * block
        case "again" if earlier:
            offset, size = draw(st.sampled_from(earlier))
            shift = draw(st.sampled_from([0, 0, block, -block]))
            return max(offset + shift, 0), size
        case "gigabyte":
            border = draw(st.integers(0, max(region // GiB, 1))) * GiB
            return max(border - block, 0), 2 * block
        case "odd":
            return start + draw(st.sampled_from([0, 1, 4096, block // 2])), draw(st.sampled_from([0, block]))
    return start, draw(st.integers(1, min(region // block + 2, _MOST_BLOCKS))) * block


# -- hot plug -------------------------------------------------------------------------------------------------------


@st.composite
def _add_memory(draw: st.DrawFn, kind: str, number: str, accel: str) -> Action:
    driver, props, size = draw(_memory_devices(kind, f"mem{number}", accel, careful=draw(st.integers(0, 2)) < 2))
    name = _NAMES[kind].format(number)
    backend = JsonObject(draw(_backends(f"mem{number}", size)))
    return DeviceAdd(driver=driver, id=name, props=JsonObject(props), object=backend)


@st.composite
def _add_vhost(draw: st.DrawFn, number: str, _accel: str) -> Action:
    driver = draw(st.sampled_from(_VHOST_DRIVERS))
    slots, name = draw(_vhost_limits()), f"vu{number}"
    return DeviceAdd(driver=driver, id=name, vhost_slots=slots, props=JsonObject({"chardev": f"c{name}"}))


_HOT: Final[Mapping[str, Callable[[str, str], st.SearchStrategy[Action]]]] = {
    "add_virtio_mem": lambda number, accel: _add_memory("virtio-mem", number, accel),
    "add_dimm": lambda number, accel: _add_memory("dimm", number, accel),
    "add_vhost": _add_vhost,
}
