"""Recordings of a real QEMU: predict one with the model alone, and compare.

A recording is a QEMU run: argv, limits of back ends, and steps, each an action and what QEMU then showed. The
model is right when `predict` gives what was recorded. Command::

    python -m workbook.lib.recording FILE_OR_FOLDER...
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from workbook.lib.consumers.vhost_device import PluggedVhost
from workbook.lib.errors import Abort, BadInput, Refusal, WorkbookError
from workbook.lib.machine.machine import Machine, StateAnswer
from workbook.lib.machine.virtio_mem import Response
from workbook.lib.memory import mtree
from workbook.lib.qemu_args import reader as cmdline
from workbook.lib.rules import get, rules_of
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Scenario, VirtioMem
from workbook.lib.size import KiB

from .archive import load, read_all

__all__ = ("Difference", "compare", "load", "predict", "read_all", "rules_of")

NOT_PREDICTED: Final = frozenset({"seconds", "memory", "side", "action"})
"""Time and the bytes the guest wrote are not the model's subject; side and action are given."""
OLD_FIRMWARE_SIZE: Final = 64 * KiB
"""Of the harness that made the recordings without a ``firmware_size``."""
_DIED: Final = "QEMU died: signal 6"
_DEPRECATED = re.compile(r"^warning: Machine type '[^']*' is deprecated: .*\n?", re.MULTILINE)
"""Follows from the age of the QEMU alone."""


def predict(recording: Mapping[str, Any], rules: str | RuleSet | None = None) -> dict[str, Any]:
    """Return the recording with every observation filled in by the model.

    Only argv, the limits of back ends, the faked limits and the actions are read. One exception: a recording of
    a migration holds the destination's command line only, so what the source was started with (requested size,
    max-memslots) is taken from its first step where that is there.

    Parameters
    ----------
    rules
        Rule set or its name; None follows from ``qemu_version``.

    Raises
    ------
    BadInput
        Not a recording, or an action that is not known.
    """
    try:
        steps = recording["steps"]
        player = _Player(recording, get(rules) if rules is not None else rules_of(recording["qemu_version"]))
        filled = []
        for step in steps:
            filled.append(player.play(step))
            if player.dead:
                break
    except WorkbookError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadInput(f"not a recording: {type(error).__name__} {error}") from None
    return {**recording, "steps": filled}


class _Player:
    """Plays a recording's actions on machines; two of them where there is a migration."""

    def __init__(self, recording: Mapping[str, Any], rules: RuleSet) -> None:
        self.rules = rules
        self.dead = False
        self._recording = recording
        self._machines: dict[str | None, Machine] = {}
        self._migration: str | None = None
        self._loading: Machine | None = None

    def play(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """Play one step; return it with its observations predicted."""
        action, side = step["action"], step.get("side")
        if self._loading:
            self._loading.restore(self._machines["source"])
            self._loading = None
        shown: dict[str, Any] = {"action": action, "error": None}
        if side is not None:
            shown["side"] = side
        before = self._machines.get(side)
        ioctls_before = set(before.view) if before else None
        printed = len(before.warnings) if before else 0
        lines: list[str] = []
        try:
            self._act(action, side, shown, step)
        except Abort as abort:
            self.dead = True
            return shown | {"error": _DIED, "stderr": abort.message}
        except Refusal as refusal:
            if before is None:
                self.dead = True
                return shown | {"error": refusal.stderr}
            shown["error"] = refusal.message
            lines = [f"warning: {one}" for one in refusal.warnings]
        lines = self._machines[side].warnings[printed:] + lines
        if lines:
            shown["stderr"] = "\n".join(lines)
        if self._migration is not None:
            # dirty logging goes on and off in ioctls of its own, some time later
            ioctls_before = None
        return shown | _observe(self._machines[side], ioctls_before)

    def _act(self, action: Mapping[str, Any], side: str | None, shown: dict[str, Any], step: Mapping[str, Any]) -> None:
        op = action["op"]
        if op == "start":
            self._machines[side] = self._start(side, step)
            return
        machine = self._machines[side]
        match op:
            case "request_size":
                machine.request_size(action["dev"], action["size"])
            case "plug":
                shown["response"] = _text(machine.plug(action["dev"], action["offset"], action["size"]))
            case "unplug":
                shown["response"] = _text(machine.unplug(action["dev"], action["offset"], action["size"]))
            case "unplug_all":
                shown["response"] = _text(machine.unplug_all(action["dev"]))
            case "state":
                _show_state(shown, machine.state(action["dev"], action["offset"], action["size"]))
            case "raw":
                answer = machine.raw_request(action["dev"], action["type"], action["gpa"], action["nb_blocks"])
                _show_state(shown, answer)
            case "reset":
                machine.reset()
            case "device_reset" | "driver_start":
                machine.device_reset(action["dev"])
            case "vhost_start":
                machine.vhost_start(action["dev"], action.get("ring"))
            case "device_add":
                self._device_add(machine, action, shown)
            case "device_del":
                machine.device_del(action["id"])
            case "look":
                if self._migration:
                    shown["migration"] = self._migration
            case "netdev_add" | "chardev_add":
                pass
            case "object_add" | "object-add":
                machine.object_add(cmdline.backend_from_object(action["object"]))
            case _:
                self._migrate(op)

    def _start(self, side: str | None, step: Mapping[str, Any]) -> Machine:
        given = self._recording
        scenario = cmdline.read_argv(given["argv"], rules=self.rules, vhost_slots=given.get("vhost_backends"))
        scenario = replace(
            scenario,
            accel="kvm" if given.get("accel") == "kvm" else scenario.accel,
            kvm_slots=given.get("kvm_memslots_faked") or scenario.kvm_slots,
            smm=bool(given.get("smm_faked")),
            firmware_size=given.get("firmware_size", OLD_FIRMWARE_SIZE),
        )
        if side == "source":
            scenario = _source_scenario(scenario, step)
        return Machine(scenario, self.rules)

    def _device_add(self, machine: Machine, action: Mapping[str, Any], shown: dict[str, Any]) -> None:
        try:
            machine.device_add(
                action["driver"],
                action["id"],
                props=action.get("props"),
                object=action.get("object"),
                vhost_slots=action.get("vhost_slots"),
            )
        except Refusal as refusal:
            tries = machine.vhosts[-1].connections if machine.vhosts and machine.vhosts[-1].refused else 1
            if tries > 1:
                again = [f"Reconnecting after error: {refusal.message}", *filter(None, [refusal.hint])]
                shown["stderr"] = "\n".join(again * (tries - 1))
            raise

    def _migrate(self, op: str) -> None:
        """Without a destination a migration stays active until it is cancelled."""
        source, destination = self._machines.get("source"), self._machines.get("destination")
        if op == "migrate":
            self._migration = "completed" if source else "active"
        elif op == "migrate_cancel":
            self._migration = "cancelled"
        elif op == "migrate_incoming" and source and destination:
            # where it is answered before the stream is loaded, the step still shows the state before
            if self.rules.qemu.incoming_is_asynchronous:
                self._loading = destination
            else:
                destination.restore(source)
        else:
            raise BadInput(f"unknown action {op!r:.40} in a recording")
        for machine in self._machines.values():
            if self._migration == "active":
                machine.migrate()
            else:
                machine.end_migration()


def _source_scenario(scenario: Scenario, step: Mapping[str, Any]) -> Scenario:
    devices = []
    for device in scenario.devices:
        config = (step.get("config_space") or {}).get(device.id)
        if isinstance(device, VirtioMem) and config:
            shown = (step.get("mapped_memslots") or {}).get(device.id, {})
            device = replace(  # noqa: PLW2901 - the same device as the source had it
                device,
                requested_size=config["requested_size"],
                max_memslots=shown.get("max_memslots_property", device.max_memslots),
            )
        devices.append(device)
    return replace(scenario, devices=tuple(devices), incoming=False)


def _text(response: Response | None) -> str | None:
    return None if response is None else str(response)


def _show_state(shown: dict[str, Any], answer: StateAnswer | None) -> None:
    shown["response"] = None if answer is None else str(answer.response)
    if answer is not None and answer.state is not None:
        shown["state"] = str(answer.state)


def _observe(machine: Machine, view_before: set[Any] | None) -> dict[str, Any]:
    """Return what a recording shows after every step."""
    root = machine.device_memory
    shown: dict[str, Any] = {
        "info_mtree": mtree.tree_lines(root) if root else [],
        "info_mtree_flat": [line.strip() for line in machine.info_mtree(flat=True).splitlines()],
        "memory_devices": machine.query_memory_devices(),
        "info_memory_devices": machine.info_memory_devices().splitlines(),
        "memory_size_summary": machine.memory_size_summary(),
        "mapped_memslots": {one.id: _mapped(machine, one) for one in machine.devices},
        "config_space": {one.id: one.virtio_mem.config_space() for one in machine.devices if one.virtio_mem},
    }
    used = machine.kvm_used
    if used:
        spaces = [str(number) for number in range(len(used))]
        view = set(machine.view)
        shown["kvm"] = {
            "live": dict(zip(spaces, used, strict=True)),
            "live_device_memory": {space: len(view) for space in spaces if view},
        }
        if view_before is not None:
            changed = len(view ^ view_before)
            shown["kvm"]["ioctls"] = {space: changed for space in spaces if changed}
    if machine.vhosts:
        shown["vhost"] = {str(one.spec.id): _vhost(one) for one in machine.vhosts}
    return shown


def _mapped(machine: Machine, one: Any) -> dict[str, Any]:
    device, decision = one.virtio_mem, one.decision
    if device is None or decision.direct:
        return {"count": 1, "index": [None], "memslot_size": one.size}
    sizes = [decision.size(index) for index in device.mapped]
    shown = {"count": len(sizes), "index": list(device.mapped), "memslot_size": max(sizes, default=None)}
    if machine.rules.shows_memslot_properties:
        shown |= {
            "memslots": decision.count,
            "used_memslots": len(sizes),
            "first_alias_size": decision.size(0),
            "last_alias_size": decision.size(decision.count - 1),
            "max_memslots_property": machine.user_limit(one.spec),
        }
    return shown


def _vhost(one: PluggedVhost) -> dict[str, Any]:
    return {
        "max_mem_slots": one.spec.slots,
        "regions": one.sent,
        "started": one.started,
        "connections": one.connections,
        "messages": one.shown_messages(),
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which the model and the recorded QEMU differ."""

    step: int
    field: str
    recorded: Any
    predicted: Any

    def __str__(self) -> str:
        return f"step {self.step} {self.field}: recorded {self.recorded!r:.300}, predicted {self.predicted!r:.300}"


def compare(recorded: Mapping[str, Any], predicted: Mapping[str, Any]) -> list[Difference]:
    """Return every field of every step in which the two differ, in order."""
    found = []
    for number, step in enumerate(recorded["steps"]):
        if number >= len(predicted["steps"]):
            found.append(Difference(number, "step", "is there", "is missing: QEMU had died"))
            break
        other = predicted["steps"][number]
        for key in step:
            if key in NOT_PREDICTED:
                continue
            mine, theirs = other.get(key), step[key]
            if key == "kvm" and mine is not None and "ioctls" not in mine and isinstance(theirs, Mapping):
                theirs = {name: value for name, value in theirs.items() if name != "ioctls"}
            if key in {"error", "stderr"} and isinstance(theirs, str):
                theirs = _DEPRECATED.sub("", theirs).rstrip("\n") or None
            if mine != theirs:
                found.append(Difference(number, key, theirs, mine))
    return found


def main(arguments: Sequence[str]) -> int:
    """Replay recordings: a line per one that differs, a summary, 1 if any differs."""
    if not arguments:
        print("usage: python -m workbook.lib.recording FILE_OR_FOLDER...", file=sys.stderr)
        return 2
    recordings = steps = differ = 0
    try:
        for label, recording in read_all(arguments):
            recordings += 1
            steps += len(recording["steps"])
            try:
                differences = compare(recording, predict(recording))
                line = str(differences[0]) if differences else ""
            except WorkbookError as error:
                line = f"{type(error).__name__}: {error}"
            if line:
                differ += 1
                print(f"{label}: {line}")
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{recordings} recordings, {steps} steps, {differ} differ")
    return 1 if differ else 0
