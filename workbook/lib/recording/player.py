"""Predict a recorded run of a real QEMU with the model alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from workbook.lib.actions import Action, DeviceAdd, Look, Migrate, MigrateCancel, MigrateIncoming, Start
from workbook.lib.consumers.plugged_vhost import PluggedVhost
from workbook.lib.errors import Abort, BadInput, Refusal
from workbook.lib.json_codec import JsonObject
from workbook.lib.machine.machine import Machine, StateAnswer
from workbook.lib.machine.memory_device import MemoryDevice
from workbook.lib.memory import mtree
from workbook.lib.memory.flatview import FlatRange
from workbook.lib.rules import get, rules_of
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Scenario, VirtioMem

from .format import KvmMemslots, MappedMemslots, Observation, Recording, RecordingJson, Step, VhostTable, View

__all__ = ("predict", "predicted", "rules_of")

_DIED: Final = "QEMU died: signal 6"


def predict(recording: RecordingJson, rules: str | RuleSet | None = None) -> RecordingJson:
    """Return the recording with every observation filled in by the model.

    Only argv, the limits of back ends, the faked limits and the actions are read. One exception: a recording of
    a migration holds the destination's command line only, so what the source was started with (requested size,
    max-memslots) is taken from its first step where that is there.

    Parameters
    ----------
    recording
        As it is on disk: plain JSON.
    rules
        Rule set or its name; None follows from ``qemu_version``.

    Raises
    ------
    BadInput
        Not a recording, or an action that is not known.
    """
    played = Recording.from_json(recording, observations=False)
    if played.steps and played.steps[0].side == "source":
        shown = Observation.from_json(recording["steps"][0], "steps[0]")
        played = replace(played, steps=(replace(played.steps[0], observation=shown), *played.steps[1:]))
    filled = [step.to_json() for step in predicted(played, rules).steps]
    return {**recording, "steps": filled}


def predicted(recording: Recording, rules: str | RuleSet | None = None) -> Recording:
    """Return a recording with the model's observations in place of its own; see `predict`.

    Raises
    ------
    BadInput
        Its command line cannot be read, or an action names what is not there.
    """
    player = _Player(recording, get(rules) if rules is not None else rules_of(recording.qemu_version))
    filled: list[Step] = []
    for step in recording.steps:
        filled.append(player.play(step))
        if player.dead:
            break
    return replace(recording, steps=tuple(filled))


class _Player:
    """Plays a recording's actions on machines; two of them where there is a migration."""

    def __init__(self, recording: Recording, rules: RuleSet) -> None:
        self.rules = rules
        self.dead = False
        self._recording = recording
        self._machines: dict[str | None, Machine] = {}
        self._migration: str | None = None
        self._loading: Machine | None = None

    def play(self, step: Step) -> Step:
        """Play one step; return it with its observations predicted."""
        step = replace(step, seconds=None, memory=None)
        if self._loading:
            self._loading.restore(self._machines["source"])
            self._loading = None
        before = self._machines.get(step.side)
        view_before = set(before.view) if before else None
        printed = len(before.warnings) if before else 0
        seen = Observation()
        refused: Refusal | None = None
        try:
            seen = self._act(step)
        except Abort as abort:
            self.dead = True
            return replace(step, observation=Observation(error=_DIED, stderr=abort.message))
        except Refusal as refusal:
            if before is None:
                self.dead = True
                return replace(step, observation=Observation(error=refusal.stderr))
            refused = refusal
            seen = Observation(error=refusal.message)
        machine = self._machines[step.side]
        lines = machine.warnings[printed:]
        if refused is not None:
            lines = [*lines, *(f"warning: {one}" for one in refused.warnings), *_tries(step.action, machine, refused)]
        if self._migration is not None:
            # dirty logging goes on and off in ioctls of its own, some time later
            view_before = None
        return replace(
            step, observation=replace(seen, stderr="\n".join(lines) or None, view=_view(machine, view_before))
        )

    def _act(self, step: Step) -> Observation:
        action = step.action
        if isinstance(action, Start):
            self._machines[step.side] = self._start(step)
            return Observation()
        if step.side not in self._machines:
            raise BadInput(f"not a recording: {action.op!r} comes before any start")
        machine = self._machines[step.side]
        match action:
            case Look():
                return Observation(migration=self._migration)
            case Migrate() | MigrateCancel() | MigrateIncoming():
                self._migrate(action)
                return Observation()
        answer = machine.act(action)
        if isinstance(answer, StateAnswer):
            return Observation(response=str(answer.response), state=None if answer.state is None else str(answer.state))
        return Observation(response=None if answer is None else str(answer))

    def _start(self, step: Step) -> Machine:
        line = self._recording.command_line(self.rules)
        scenario = replace(line.scenario, actions=())
        if step.side == "source":
            scenario = _source_scenario(scenario, step)
        return Machine.of_command_line(replace(line, scenario=scenario), self.rules, self._recording.vhost_backends)

    def _migrate(self, action: Action) -> None:
        """Without a destination a migration stays active until it is cancelled."""
        source, destination = self._machines.get("source"), self._machines.get("destination")
        match action:
            case Migrate(to=to):
                self._migration = "completed" if source or to == "file" else "active"
            case MigrateCancel():
                self._migration = "cancelled"
            case MigrateIncoming() if source and destination:
                # where it is answered before the stream is loaded, the step still shows the state before
                if self.rules.qemu.incoming_is_asynchronous:
                    self._loading = destination
                else:
                    destination.restore(source)
            case MigrateIncoming():
                for machine in self._machines.values():
                    machine.act(action)
        for machine in self._machines.values():
            machine.migrating = self._migration == "active"


def _tries(action: Action, machine: Machine, refusal: Refusal) -> list[str]:
    """Return what QEMU prints of a vhost-user device that it tries more than once."""
    if not isinstance(action, DeviceAdd) or not machine.vhosts or not machine.vhosts[-1].refused:
        return []
    again = [f"Reconnecting after error: {refusal.message}", *filter(None, [refusal.hint])]
    return again * (machine.vhosts[-1].connections - 1)


def _source_scenario(scenario: Scenario, first: Step) -> Scenario:
    """Return what the source was started with, as far as its first step shows it."""
    seen = first.observation.view if first.observation else None
    if seen is None:
        return replace(scenario, incoming=False)
    devices = []
    for device in scenario.devices:
        config = seen.config_space.get(device.id or "")
        if isinstance(device, VirtioMem) and config:
            mapped = seen.mapped_memslots.get(device.id or "")
            limit = mapped.max_memslots_property if mapped else None
            device = replace(  # noqa: PLW2901 - the same device as the source had it
                device,
                requested_size=config["requested_size"],
                max_memslots=device.max_memslots if limit is None else limit,
            )
        devices.append(device)
    return replace(scenario, devices=tuple(devices), incoming=False)


def _view(machine: Machine, view_before: set[FlatRange] | None) -> View:
    """Return what a recording shows after every step."""
    root = machine.device_memory
    return View(
        info_mtree=tuple(mtree.tree_lines(root)) if root else (),
        info_mtree_flat=tuple(line.strip() for line in machine.info_mtree(flat=True).splitlines()),
        memory_devices=tuple(
            JsonObject({"type": one["type"], "data": one["data"]}) for one in machine.query_memory_devices()
        ),
        info_memory_devices=tuple(machine.info_memory_devices().splitlines()),
        memory_size_summary=machine.memory_size_summary(),
        mapped_memslots={one.id: _mapped(machine, one) for one in machine.devices},
        config_space={one.id: one.virtio_mem.config_space() for one in machine.devices if one.virtio_mem},
        kvm=_kvm(machine.kvm_used, set(machine.view), view_before),
        vhost={str(one.spec.id): _vhost(one) for one in machine.vhosts},
    )


def _kvm(used: Sequence[int], view: set[FlatRange], view_before: set[FlatRange] | None) -> KvmMemslots | None:
    if not used:
        return None
    spaces = [str(number) for number in range(len(used))]
    ioctls = None
    if view_before is not None:
        changed = len(view ^ view_before)
        ioctls = {space: changed for space in spaces if changed}
    return KvmMemslots(
        live=dict(zip(spaces, used, strict=True)),
        live_device_memory={space: len(view) for space in spaces if view},
        ioctls=ioctls,
    )


def _mapped(machine: Machine, one: MemoryDevice) -> MappedMemslots:
    device, decision = one.virtio_mem, one.decision
    if device is None or decision.direct:
        return MappedMemslots(count=1, index=(None,), memslot_size=one.size)
    sizes = [decision.size(index) for index in device.mapped]
    shown = MappedMemslots(count=len(sizes), index=tuple(device.mapped), memslot_size=max(sizes, default=None))
    if not machine.rules.shows_memslot_properties:
        return shown
    assert isinstance(one.spec, VirtioMem)
    return replace(
        shown,
        memslots=decision.count,
        used_memslots=len(sizes),
        first_alias_size=decision.size(0),
        last_alias_size=decision.size(decision.count - 1),
        max_memslots_property=machine.user_limit(one.spec),
    )


def _vhost(one: PluggedVhost) -> VhostTable:
    return VhostTable(
        max_mem_slots=one.spec.slots,
        regions=one.sent,
        started=one.started,
        connections=one.connections,
        messages=one.shown_messages(),
    )
