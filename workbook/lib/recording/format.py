"""A recording: a run of a real QEMU, typed. It is a `Scenario` (command line, back ends, actions) and what QEMU showed.

On disk it is JSON, flat: what was observed stands beside the action of its step, and what is not there was not looked
at. `Recording.from_json` and `Recording.to_json` are the two ends; data/recordings/README.md describes the fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final, Required, TypeAlias, TypedDict, cast

from workbook.lib.actions import (
    Action,
    GuestRequest,
    Start,
    action_from_json,
    action_to_json,
)
from workbook.lib.errors import BadInput
from workbook.lib.json_codec import Json, JsonObject, from_json, to_json
from workbook.lib.qemu_args import reader as cmdline
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Scenario
from workbook.lib.size import KiB

__all__ = (
    "OLD_FIRMWARE_SIZE",
    "KvmMemslots",
    "MappedMemslots",
    "Observation",
    "Recording",
    "RecordingJson",
    "Step",
    "StepJson",
    "VhostTable",
    "View",
)

OLD_FIRMWARE_SIZE: Final = 64 * KiB
"""Of the harness that made the recordings without a ``firmware_size``."""


StepJson: TypeAlias = dict[str, Json]
"""A step as it is on disk: its action, and beside it what was observed."""


class RecordingJson(TypedDict, total=False):
    """A recording as it is on disk; see `Recording` for the fields."""

    name: str
    about: str
    qemu_version: str
    firmware_size: int
    accel: str
    argv: list[str]
    kvm_memslots_faked: int | None
    smm_faked: bool
    vhost_backends: dict[str, int | None]
    seconds: float
    steps: Required[list[StepJson]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedMemslots:
    """The mapped parts of a memory device's range.

    Attributes
    ----------
    count, index
        How many memslots, and their numbers; a device that is mapped as a whole has one without a number.
    memslot_size
        Bytes of the largest; None where none is mapped.
    memslots, used_memslots, first_alias_size, last_alias_size, max_memslots_property
        What the RFC series shows of its own.
    """

    count: int
    index: tuple[int | None, ...] = ()
    memslot_size: int | None = None
    memslots: int | None = None
    used_memslots: int | None = None
    first_alias_size: int | None = None
    last_alias_size: int | None = None
    max_memslots_property: int | None = None

    def to_json(self) -> Json:
        """Return it as a recording has it."""
        shown: dict[str, Json] = {"count": self.count, "index": list(self.index), "memslot_size": self.memslot_size}
        if self.memslots is not None:
            shown |= {one.name: getattr(self, one.name) for one in fields(self)[3:]}
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class KvmMemslots:
    """KVM's memslots by address space (``"0"``, and ``"1"`` with SMM); one that has none is left out.

    Attributes
    ----------
    live, live_device_memory
        Memslots now, and those of them in device memory.
    ioctls
        KVM_SET_USER_MEMORY_REGION calls since the step before; None where they are not predicted.
    """

    live: Mapping[str, int]
    live_device_memory: Mapping[str, int]
    ioctls: Mapping[str, int] | None = None

    def to_json(self) -> Json:
        """Return it as a recording has it."""
        shown: dict[str, Json] = {} if self.ioctls is None else {"ioctls": dict(self.ioctls)}
        return shown | {"live": dict(self.live), "live_device_memory": dict(self.live_device_memory)}


@dataclass(frozen=True, slots=True, kw_only=True)
class VhostTable:
    """The memory table of a vhost-user back end.

    Attributes
    ----------
    max_mem_slots
        Its limit; None for a back end without CONFIGURE_MEM_SLOTS.
    regions
        Memory regions that it was told of.
    messages
        How many memory messages of each kind it got.
    """

    max_mem_slots: int | None
    regions: int
    started: bool
    connections: int
    messages: Mapping[str, int]

    def to_json(self) -> Json:
        """Return it as a recording has it."""
        return {one.name: to_json(getattr(self, one.name)) for one in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a running QEMU shows of its memory after an action.

    Attributes
    ----------
    info_mtree, info_mtree_flat
        Lines of the device-memory subtree, and of its range in the flat view.
    memory_devices, memory_size_summary
        QMP's data.
    info_memory_devices
        Lines of the monitor's text.
    mapped_memslots, config_space
        By the device's id; the latter has the seven fields that the guest reads.
    kvm
        None without KVM.
    vhost
        By the device's id; empty without any.
    """

    info_mtree: tuple[str, ...] = ()
    info_mtree_flat: tuple[str, ...] = ()
    memory_devices: tuple[JsonObject, ...] = ()
    info_memory_devices: tuple[str, ...] = ()
    memory_size_summary: Mapping[str, int] = field(default_factory=dict)
    mapped_memslots: Mapping[str, MappedMemslots] = field(default_factory=dict)
    config_space: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    kvm: KvmMemslots | None = None
    vhost: Mapping[str, VhostTable] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """Return it as a recording has it."""
        shown: dict[str, Json] = {
            "info_mtree": list(self.info_mtree),
            "info_mtree_flat": list(self.info_mtree_flat),
            "memory_devices": to_json(self.memory_devices),
            "info_memory_devices": list(self.info_memory_devices),
            "memory_size_summary": dict(self.memory_size_summary),
            "mapped_memslots": {name: one.to_json() for name, one in self.mapped_memslots.items()},
            "config_space": {name: dict(one) for name, one in self.config_space.items()},
        }
        if self.kvm is not None:
            shown["kvm"] = self.kvm.to_json()
        if self.vhost:
            shown["vhost"] = {name: one.to_json() for name, one in self.vhost.items()}
        return shown


_VIEW: Final = frozenset(one.name for one in fields(View))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The result of an action.

    Attributes
    ----------
    error
        QEMU's refusal, the driver's, or how QEMU died; None where the action was done.
    response, state
        The device's answer to a guest's request; None where it gave none.
    stderr
        What QEMU printed.
    migration
        State of a migration that was looked at.
    view
        What QEMU then shows; None where it does not run.
    """

    error: str | None = None
    response: str | None = None
    state: str | None = None
    stderr: str | None = None
    migration: str | None = None
    view: View | None = None

    def to_json(self, action: Action) -> dict[str, Json]:
        """Return it as the step of `action` has it."""
        shown: dict[str, Json] = {"error": self.error}
        asked = isinstance(action, GuestRequest)
        if asked and self.error is None and self.view is not None:
            shown["response"] = self.response
        optional = {"state": self.state, "stderr": self.stderr, "migration": self.migration}
        shown |= {name: value for name, value in optional.items() if value is not None}
        return shown if self.view is None else shown | self.view.to_json()

    @classmethod
    def from_json(cls, step: Mapping[str, object], name: str) -> "Observation | None":
        """Read what the step of a recording shows; None where it shows nothing."""
        own = {one.name: step[one.name] for one in fields(cls) if one.name in step}
        seen = {key: value for key, value in step.items() if key in _VIEW}
        if not own and not seen:
            return None
        return replace(from_json(cls, own, name), view=from_json(View, seen, name) if seen else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An action and its result.

    Attributes
    ----------
    side
        ``source`` or ``destination`` of a migration between two QEMUs.
    observation
        None where nothing was recorded.
    seconds, memory
        Time that the action took, and bytes of the guest's memory: what the model says nothing about.
    """

    action: Action
    side: str | None = None
    observation: Observation | None = None
    seconds: float | None = None
    memory: JsonObject | None = None

    def to_json(self) -> StepJson:
        """Return it as a recording has it."""
        shown: StepJson = {"action": action_to_json(self.action)}
        if self.side is not None:
            shown["side"] = self.side
        if self.observation is not None:
            shown |= self.observation.to_json(self.action)
        for name, value in (("seconds", self.seconds), ("memory", self.memory)):
            if value is not None:
                shown[name] = to_json(value)
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A run of a real QEMU.

    Attributes
    ----------
    qemu_version
        What ``--version`` prints after ``QEMU emulator version``.
    argv
        The command line; ``TMP/`` stands for a temporary directory.
    vhost_backends
        Memslot limit that each vhost-user back end of the command line reports, by device id; None: it has no
        CONFIGURE_MEM_SLOTS.
    firmware_size
        Bytes of the firmware.
    kvm_memslots_faked, smm_faked
        KVM_CAP_NR_MEMSLOTS and a second address space, where QEMU was made to see what the host does not have.
    seconds
        What the run took.
    """

    name: str = ""
    about: str = ""
    qemu_version: str
    firmware_size: int = OLD_FIRMWARE_SIZE
    accel: str = "tcg"
    argv: tuple[str, ...]
    kvm_memslots_faked: int | None = None
    smm_faked: bool = False
    vhost_backends: Mapping[str, int | None] = field(default_factory=dict)
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, object] | RecordingJson, *, observations: bool = True) -> "Recording":
        """Read a recording.

        Parameters
        ----------
        observations
            Also read what QEMU showed; without, there are only the circumstances and the actions.

        Raises
        ------
        BadInput
            Not a recording; the line says what is wrong where.
        """
        if not isinstance(data, Mapping):
            raise BadInput(f"not a recording: an object was expected, not {data!r:.60}")
        own = {one.name: data[one.name] for one in fields(cls) if one.name in data and one.name != "steps"}
        steps = data.get("steps")
        if not isinstance(steps, list):
            raise BadInput(f"not a recording: steps must be a list, not {steps!r:.60}")
        try:
            read = tuple(_read_step(step, f"steps[{index}]", observations) for index, step in enumerate(steps))
            return replace(from_json(cls, own, "recording"), steps=read)
        except BadInput as error:
            raise BadInput(f"not a recording: {error}") from None

    def to_json(self) -> RecordingJson:
        """Return it as it is on disk."""
        plain = {one.name: to_json(getattr(self, one.name)) for one in fields(self)[:-1]}
        return cast("RecordingJson", plain | {"steps": [step.to_json() for step in self.steps]})

    def scenario(self, rules: RuleSet) -> Scenario:
        """Return what was played: the VM of the command line and what happened to it.

        Where there are two QEMUs, it is the destination's command line, without actions.

        Raises
        ------
        BadInput, Refusal
            The command line cannot be read, or QEMU refuses it.
        """
        return cmdline.scenario_of(self.command_line(rules))

    def command_line(self, rules: RuleSet) -> cmdline.CommandLine:
        """Return the command line as it was read, with the actions of `scenario`; what QEMU refuses is a value in it.

        Raises
        ------
        BadInput, Refusal
            The command line cannot be read, or QEMU refuses it before it makes the board.
        """
        line = cmdline.read_command_line(self.argv, rules=rules, vhost_slots=self.vhost_backends)
        scenario = line.scenario
        played = tuple(step.action for step in self.steps if not isinstance(step.action, Start))
        built_without_displays = "RFC series" in self.qemu_version
        scenario = replace(
            scenario,
            accel="kvm" if self.accel == "kvm" else scenario.accel,
            kvm_slots=self.kvm_memslots_faked or scenario.kvm_slots,
            # under TCG a board has SMM unless its line says otherwise; KVM's is what the harness made it say
            smm=scenario.smm if scenario.accel == "tcg" and self.accel != "kvm" else self.smm_faked,
            firmware_size=self.firmware_size,
            firmware="halting",
            # the QEMU with the RFC series shows no VGA window where a line asks for the default display: it has none
            display=scenario.display and not built_without_displays,
            fixtures=() if built_without_displays else scenario.fixtures,
            actions=() if any(step.side for step in self.steps) else played,
        )
        return replace(line, scenario=scenario)


def _read_step(data: object, name: str, observations: bool) -> Step:
    if not isinstance(data, Mapping):
        raise BadInput(f"{name} must be an object, not {data!r:.60}")
    own = {key: data[key] for key in ("side", "seconds", "memory") if key in data}
    action = action_from_json(data.get("action"), f"{name}.action")
    seen = Observation.from_json(data, name) if observations else None
    return from_json(_Extras, own, name).step(action, seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extras:
    """The plain fields of a step."""

    side: str | None = None
    seconds: float | None = None
    memory: JsonObject | None = None

    def step(self, action: Action, observation: Observation | None) -> Step:
        return Step(action=action, observation=observation, side=self.side, seconds=self.seconds, memory=self.memory)
