"""Bring the VM that was read to life as a `Machine`, and compare the two."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final, Literal

from workbook.lib.actions import Action, DeviceAdd, Migrate, Plug, RawRequest, RequestSize
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.machine import Machine
from workbook.lib.machine.virtio_mem import RequestType
from workbook.lib.memory import mtree
from workbook.lib.notes import Note
from workbook.lib.qemu_args import reader as cmdline
from workbook.lib.qemu_args.monitor import read_monitor_line
from workbook.lib.recording.format import View
from workbook.lib.rules import RuleSet, rules_of
from workbook.lib.size import format_size

from .reading import FoundDevice, RunningVm, read_vm
from .transport import TIMEOUT, AttachFailed, Monitor, QmpSocket

__all__ = ("attach",)

_ASSUMED_LIMITS: Final = (512, None)
"""Candidates for the limit that an unknown vhost-user back end reports: the common value, or none."""
_VENDORS: Final[Mapping[str, Literal["intel", "amd"]]] = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}


def attach(
    vm: str | Path | Monitor, *, vhost_slots: Mapping[str, int | None] | None = None, timeout: float = TIMEOUT
) -> Machine:
    """Return a machine in the state of a running VM; the VM is only asked, never changed.

    Parameters
    ----------
    vm
        Path of its QMP socket, or another `Monitor` (`Virsh`).
    vhost_slots
        Memslot limit that a vhost-user back end reports, by device id: it cannot be read.
    timeout
        Seconds for each answer of a socket.

    Returns
    -------
    Its `notes` say first where model and VM disagree, then what was assumed.

    Raises
    ------
    AttachFailed
        The VM cannot be queried, or cannot be modelled.
    """
    given = dict(vhost_slots or {})
    if not isinstance(vm, str | Path):
        return _brought_to_life(read_vm(vm), given)
    socket = QmpSocket(vm, timeout)
    try:
        return _brought_to_life(read_vm(socket), given)
    except AttachFailed as error:
        raise (error if str(error).startswith(f"{vm}: ") else AttachFailed(f"{vm}: {error}")) from None
    finally:
        socket.close()


@dataclass(frozen=True)
class _Guess:
    """What cannot be read, as one way of guessing it."""

    order: tuple[FoundDevice, ...]
    limits: Mapping[str, int | None]


def _brought_to_life(found: RunningVm, given: Mapping[str, int | None]) -> Machine:
    try:
        rules = rules_of(found.version)
    except BadInput as error:
        raise AttachFailed(f"the VM runs QEMU {found.version}: {error}") from None
    best: tuple[list[Note], Machine, _Guess] | None = None
    failure: BadInput | Refusal | None = None
    for guess in _guesses(found, given):
        try:
            machine = _machine(found, guess, rules)
        except (BadInput, Refusal) as error:
            failure = failure or error
            continue
        wrong = list(_disagreements(machine, found))
        if best is None or len(wrong) < len(best[0]):
            best = wrong, machine, guess
        if not wrong:
            break
    if best is None:
        raise AttachFailed(f"the model cannot make this VM: {failure}")
    wrong, machine, guess = best
    machine.read_notes = (*wrong, *machine.read_notes, *_assumptions(machine, found, guess, given))
    return machine


def _guesses(found: RunningVm, given: Mapping[str, int | None]) -> Iterator[_Guess]:
    """Yield what may have been, the likeliest first: order of the devices, limits of back ends."""
    dimms = sorted((one for one in found.devices if one.place is None), key=lambda one: one.address)
    others = sorted((one for one in found.devices if one.place is not None), key=lambda one: one.place or (0, 0))
    unknown = [one.id for one in found.devices if one.driver.startswith("vhost-user-") and one.id not in given]
    vhosts = [one for one in others if one.driver.startswith("vhost-")]
    rest = [one for one in others if one not in vhosts]
    orders = [(*dimms, *others), (*others, *dimms), (*vhosts, *rest, *dimms)]
    for order in dict.fromkeys(orders):
        for limit in _ASSUMED_LIMITS if unknown else (None,):
            yield _Guess(order, {**dict.fromkeys(unknown, limit), **given})


def _machine(found: RunningVm, guess: _Guess, rules: RuleSet) -> Machine:
    cold = [one for one in guess.order if not one.hotplugged]
    words = list(found.argv)
    for one in cold:
        if one.chardev:
            words += ["-chardev", f"socket,id={one.chardev},path=/nowhere"]
        words += ["-device", _with_request(one)]
    scenario = cmdline.read_argv(words, rules=rules, vhost_slots=guess.limits)
    scenario = replace(scenario, phys_bits=found.phys_bits, cpu_vendor=_VENDORS.get(found.vendor or ""), cpu=None)
    if found.firmware_size:
        scenario = replace(scenario, firmware_size=found.firmware_size)
    machine = Machine(replace(scenario, rules=rules.name), rules, vhost_slots=guess.limits)
    done: list[Action] = []
    for one in guess.order:
        for action in _history(machine, one, guess, found.view):
            machine.act(action)
            done.append(action)
    if found.migrating:
        done.append(Migrate())
        machine.act(done[-1])
    # so that whoever plays the scenario again comes to the same state
    machine.scenario = replace(machine.scenario, actions=tuple(done))
    machine.warnings.clear()
    return machine


def _with_request(one: FoundDevice) -> str:
    """Return the device's words with a request that lets the guest plug what is plugged."""
    if one.driver != "virtio-mem-pci":
        return one.words
    return f"{one.words},requested-size={max(one.requested, one.plugged)}"


def _history(machine: Machine, one: FoundDevice, guess: _Guess, view: View) -> Iterator[Action]:
    """Yield what has happened to a device: it came, and the guest plugged memory in the memslots that are mapped."""
    if one.hotplugged:
        added = read_monitor_line(f"device_add {_with_request(one)}")
        yield replace(added, vhost_slots=guess.limits.get(one.id)) if isinstance(added, DeviceAdd) else added
    if one.driver != "virtio-mem-pci" or not one.id:
        return
    extents = list(_extents(machine, one, view.mapped_memslots[one.id].index))
    usable = machine.bus.virtio_mem(one.id).usable_region_size
    if extents and extents[-1][1] > usable:
        # more was requested once: the usable region has not shrunk since
        yield RequestSize(dev=one.id, size=min(one.region, extents[-1][1]))
    for start, end in extents:
        yield Plug(dev=one.id, offset=start, size=end - start)
    if machine.bus.virtio_mem(one.id).requested_size != one.requested:
        yield RequestSize(dev=one.id, size=one.requested)
    if one.broken:
        yield RawRequest(dev=one.id, type=max(RequestType) + 1, gpa=one.address, nb_blocks=0)


def _extents(machine: Machine, one: FoundDevice, mapped: Sequence[int | None]) -> Iterator[tuple[int, int]]:
    """Yield plugged ranges that fit what is known: every mapped memslot has a block, and they fill from the bottom."""
    device = machine.bus.virtio_mem(one.id)
    decision, block = device.decision, device.block_size
    numbers = [index for index in mapped if index is not None]
    if decision.direct or not numbers:
        if one.plugged:
            yield 0, one.plugged
        return
    spare = one.plugged - block * len(numbers)
    for index in numbers:
        if index >= decision.count:
            return
        start = index * decision.memslot_size
        size = block + max(min(decision.size(index) - block, spare), 0)
        spare -= size - block
        yield start, start + size


def _disagreements(machine: Machine, found: RunningVm) -> Iterator[Note]:
    """Yield where the machine does not show what the VM shows."""
    root, view = machine.device_memory, found.view
    pairs = {
        "info mtree": (tuple(mtree.tree_lines(root)) if root else (), view.info_mtree),
        "info mtree -f": (
            tuple(line.strip() for line in machine.info_mtree(flat=True).splitlines()),
            view.info_mtree_flat,
        ),
        "info memory-devices": (tuple(machine.info_memory_devices().splitlines()), view.info_memory_devices),
    }
    for where, (mine, theirs) in pairs.items():
        if mine != theirs:
            line = next((both for both in zip(theirs, mine, strict=False) if both[0] != both[1]), None)
            shown = (
                f"the VM shows {line[0]!r}, the model {line[1]!r}"
                if line
                else (f"the VM shows {len(theirs)} lines, the model {len(mine)}")
            )
            yield Note("not modelled", f"model and VM disagree: {shown}", where)
    used = machine.kvm_used
    if found.has_run and found.kvm_memslots is not None and used and used[0] != found.kvm_memslots:
        text = f"model and VM disagree: the VM has {found.kvm_memslots} KVM memslots, the model {used[0]}"
        text += " (after the firmware, which may still be at work)" if found.kvm_memslots < used[0] else ""
        yield Note("not modelled", text, "info mtree -f")


def _assumptions(machine: Machine, found: RunningVm, guess: _Guess, given: Mapping[str, int | None]) -> Iterator[Note]:
    if not found.has_run:
        yield Note("assumed", "the VM has not run yet: KVM's memslots are those after its firmware", "query-status")
    for one in found.devices:
        if one.driver.startswith("vhost-user-") and one.id not in given:
            limit = guess.limits[one.id]
            shown = "no number (8)" if limit is None else str(limit)
            yield Note(
                "assumed", f"its back end reports {shown} memslots: give vhost_slots={{{one.id!r}: ...}}", one.id
            )
        if one.driver == "virtio-mem-pci" and one.id and not _is_certain(machine, one):
            text = (
                "which of its blocks are plugged cannot be read: from the bottom of each mapped memslot; "
                "an answer about unplugging some depends on it"
            )
            yield Note("assumed", text, one.id)
        if one.driver == "virtio-mem-pci" and one.id:
            usable = machine.bus.virtio_mem(one.id).usable_region_size
            if usable < one.region:
                text = (
                    f"its usable region cannot be read: {format_size(usable)}, as for what is requested; an answer "
                    "about memory behind it depends on whether more was requested before"
                )
                yield Note("assumed", text, one.id)
    if sum(one.place is not None for one in chain(found.devices)) > 1:
        yield Note("assumed", "the devices came in the order of their PCI addresses", "query-pci")


def _is_certain(machine: Machine, one: FoundDevice) -> bool:
    """Whether the plugged blocks follow from what is shown: none, all, or whole memslots."""
    device = machine.bus.virtio_mem(one.id)
    if one.plugged in {0, one.region}:
        return True
    if device.decision.direct:
        return False
    return one.plugged == sum(map(device.decision.size, device.mapped))
