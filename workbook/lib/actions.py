"""Everything that can happen to a VM, as values: requests of the guest's driver, monitor commands, resets, migration.

A scenario lists them, a recording has one per step, a real QEMU is driven by them (`workbook.live.qemu.actions`), and
`Machine.act` plays them on the model. Offsets count from the device's start; sizes and offsets are bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Integral
from typing import ClassVar, Final, Literal, TypeAlias, cast, get_args

from .errors import BadInput
from .json_codec import Json, JsonObject, from_json, to_json

__all__ = (
    "Action",
    "ChardevAdd",
    "DeviceAdd",
    "DeviceDel",
    "DeviceReset",
    "DriverStart",
    "GuestRequest",
    "Look",
    "Migrate",
    "MigrateCancel",
    "MigrateIncoming",
    "NetdevAdd",
    "ObjectAdd",
    "Plug",
    "QomSet",
    "RawRequest",
    "RequestSize",
    "Reset",
    "Settle",
    "Start",
    "State",
    "Unplug",
    "UnplugAll",
    "VhostStart",
    "action_from_json",
    "action_to_json",
    "device_of",
    "on_device",
)

_U64: Final = (1 << 64) - 1
_ALIASES: Final = {"object-add": "object_add"}
"""QMP's spelling, which some recordings have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noted:
    """An action; `note` is what whoever recorded it remarked."""

    note: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnDevice(_Noted):
    """An action on the device with that id."""

    dev: str


def _check_range(op: str, most: int = _U64, **numbers: object) -> None:
    for name, value in numbers.items():
        if value is not None and not (isinstance(value, Integral) and 0 <= int(value) <= most):
            raise BadInput(f"action {op!r}: {name} is out of range: 0 to {most:#x} is allowed, not {value!r:.40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(_Noted):
    """QEMU starts; what it refuses then, it refuses for its command line."""

    op: ClassVar[str] = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(_Noted):
    """Nothing happens; what is shown may have changed by itself."""

    op: ClassVar[str] = "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSize(_OnDevice):
    """The monitor asks the guest for another size: ``qom-set requested-size``."""

    op: ClassVar[str] = "request_size"
    size: int = 0

    def __post_init__(self) -> None:
        # a negative size is for QEMU to refuse
        _check_range(self.op, size=abs(self.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class _RangeRequest(_OnDevice):
    """A request of the guest's driver for [offset, offset + size) of a device; `nb_blocks` is the same in blocks."""

    op: ClassVar[str]
    offset: int = 0
    size: int = 0
    nb_blocks: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _check_range(self.op, offset=self.offset, size=self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug(_RangeRequest):
    """VIRTIO_MEM_REQ_PLUG."""

    op: ClassVar[str] = "plug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplug(_RangeRequest):
    """VIRTIO_MEM_REQ_UNPLUG."""

    op: ClassVar[str] = "unplug"


@dataclass(frozen=True, slots=True, kw_only=True)
class State(_RangeRequest):
    """VIRTIO_MEM_REQ_STATE."""

    op: ClassVar[str] = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnplugAll(_OnDevice):
    """VIRTIO_MEM_REQ_UNPLUG_ALL."""

    op: ClassVar[str] = "unplug_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRequest(_OnDevice):
    """A request of the guest's driver, also one that no driver may send.

    Attributes
    ----------
    type
        0 PLUG, 1 UNPLUG, 2 UNPLUG_ALL, 3 STATE; the device knows no other.
    gpa
        Guest-physical address.
    """

    op: ClassVar[str] = "raw"
    type: int
    gpa: int = 0
    nb_blocks: int = 0

    def __post_init__(self) -> None:
        _check_range(self.op, gpa=self.gpa)
        _check_range(self.op, 0xFFFF, type=self.type, nb_blocks=self.nb_blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle(_OnDevice):
    """A Linux-like driver follows the request: plugs from the bottom, unplugs from the top."""

    op: ClassVar[str] = "settle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(_Noted):
    """System reset; firmware and drivers then start again."""

    op: ClassVar[str] = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReset(_OnDevice):
    """The guest's driver resets one virtio device and starts again."""

    op: ClassVar[str] = "device_reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStart(_OnDevice):
    """The guest's driver negotiates again, accepting VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE or not."""

    op: ClassVar[str] = "driver_start"
    unplugged_inaccessible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VhostStart(_OnDevice):
    """The guest's driver starts a device with a vhost back end.

    Attributes
    ----------
    ring
        Guest-physical address of its first virtqueue; None: somewhere in the boot RAM.
    """

    op: ClassVar[str] = "vhost_start"
    ring: int | None = None

    def __post_init__(self) -> None:
        _check_range(self.op, ring=self.ring)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAdd(_Noted):
    """``device_add``.

    Attributes
    ----------
    props
        Properties as QMP has them.
    object
        A memory backend to make first (``object-add``); it goes away again if the device is refused.
    vhost_slots
        Memslots that the vhost back end reports; None: one without CONFIGURE_MEM_SLOTS.
    """

    op: ClassVar[str] = "device_add"
    driver: str
    id: str | None = None
    props: JsonObject = field(default_factory=JsonObject)
    object: JsonObject | None = None
    vhost_slots: int | None = None

    @property
    def is_vhost_user(self) -> bool:
        """Whether a vhost-user back end serves the device."""
        return self.driver.startswith("vhost-user-")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDel(_Noted):
    """``device_del``, and the guest lets the device go."""

    op: ClassVar[str] = "device_del"
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAdd(_Noted):
    """``object-add`` of a memory backend, as QMP has it."""

    op: ClassVar[str] = "object_add"
    object: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class NetdevAdd(_Noted):
    """``netdev_add``."""

    op: ClassVar[str] = "netdev_add"
    type: str
    id: str
    props: JsonObject = field(default_factory=JsonObject)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChardevAdd(_Noted):
    """``chardev-add``."""

    op: ClassVar[str] = "chardev_add"
    id: str
    backend: JsonObject = field(default_factory=JsonObject)


@dataclass(frozen=True, slots=True, kw_only=True)
class QomSet(_OnDevice):
    """``qom-set`` of a device's property at run time."""

    op: ClassVar[str] = "qom_set"
    property: str
    value: bool | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrate(_Noted):
    """An outgoing migration.

    Attributes
    ----------
    to
        ``file``: it completes; ``nowhere``: it stays active; None: it completes where there is a destination.
    """

    op: ClassVar[str] = "migrate"
    to: Literal["file", "nowhere"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateCancel(_Noted):
    """``migrate_cancel``."""

    op: ClassVar[str] = "migrate_cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateIncoming(_Noted):
    """The state of a source arrives (``migrate-incoming``).

    Attributes
    ----------
    source
        What had happened to the source, a VM with the same devices. In a recording the source is there itself.
    """

    op: ClassVar[str] = "migrate_incoming"
    source: "tuple[Action, ...]" = ()


GuestRequest: TypeAlias = Plug | Unplug | State | UnplugAll | RawRequest
"""Requests of the guest's virtio-mem driver, which the device answers."""
Action: TypeAlias = (
    Start
    | Look
    | RequestSize
    | Plug
    | Unplug
    | State
    | UnplugAll
    | RawRequest
    | Settle
    | Reset
    | DeviceReset
    | DriverStart
    | VhostStart
    | DeviceAdd
    | DeviceDel
    | ObjectAdd
    | NetdevAdd
    | ChardevAdd
    | QomSet
    | Migrate
    | MigrateCancel
    | MigrateIncoming
)
"""One thing that happens to a VM; ``op`` is its name in JSON."""
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    one.op: frozenset(f.name for f in fields(one)) for one in get_args(Action)
}


def device_of(action: Action) -> str | None:
    """Return the id of the device that an action is about; None where it is about none, or brings one."""
    if isinstance(action, DeviceDel):
        return action.id
    return action.dev if isinstance(action, _OnDevice) else None


def on_device(action: Action, name: str) -> Action:
    """Return the same action on another device."""
    if isinstance(action, DeviceDel):
        return replace(action, id=name)
    return replace(action, dev=name) if isinstance(action, _OnDevice) else action


def action_to_json(action: Action) -> dict[str, Json]:
    """Return an action as a recording has it: every field is written, but those that say nothing."""
    data = {one.name: to_json(getattr(action, one.name)) for one in fields(action)}
    kept: dict[str, Json] = {"op": action.op} | {key: value for key, value in data.items() if value not in (None, [])}
    if isinstance(action, DeviceAdd) and action.is_vhost_user:
        kept["vhost_slots"] = action.vhost_slots
    return kept


def action_from_json(data: object, name: str) -> Action:
    """Read an action of a recording; what it has beside the fields that are known is left out.

    Parameters
    ----------
    name
        Where it stands, for the error line.

    Raises
    ------
    BadInput
        There is no such action, or it lacks a field.
    """
    if not isinstance(data, Mapping):
        raise BadInput(f"{name} must be an object with an op, not {data!r:.60}")
    op = data.get("op")
    op = _ALIASES.get(op, op) if isinstance(op, str) else op
    known = _FIELDS.get(op, frozenset()) if isinstance(op, str) else frozenset()
    plain = {key: value for key, value in data.items() if key in known}
    return from_json(cast("type[Action]", Action), plain | {"op": op}, name)
