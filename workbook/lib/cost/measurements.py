"""Measurements of a host, as values with today's prediction; the files are those of `data/measurements`.

Written by ``python -m workbook.live.kvm`` and ``python -m workbook.live.qemu_cost``; their fields are explained in
``data/measurements/README.md``. Predictions are recomputed by `workbook.lib.overhead`, not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NotRequired, Required, Self, TypedDict

from workbook.lib.errors import BadInput
from workbook.lib.json_codec import Json
from workbook.lib.size import format_size

from .kvm import KvmCost, KvmHost

__all__ = (
    "LayoutJson",
    "MeasuredHost",
    "MeasuredLayout",
    "MeasuredStart",
    "MeasuredUpdate",
    "MeasurementsJson",
    "SlotTiming",
    "StartJson",
    "TimingJson",
    "UpdateJson",
)


class LayoutJson(TypedDict):
    """A row of ``measurements``: memslots as runs ``[count, size, start]``, and what they cost."""

    memslots: list[list[int]]
    dirty_log: bool
    address_spaces: int
    total: int
    parts: dict[str, int] | None
    uncertainty: int
    predicted: dict[str, int]
    disturbed: bool
    add_seconds: NotRequired[float]
    remove_seconds: NotRequired[float]
    dynamic_memslots: NotRequired[bool]
    device_size: NotRequired[int]
    plugged: NotRequired[int]
    plug_seconds: NotRequired[float]


class TimingJson(TypedDict):
    """A row of ``timing``."""

    count: int
    size: int
    add_seconds: float
    remove_seconds: float


class StartJson(TypedDict):
    """A row of ``starts``."""

    dynamic_memslots: bool | None
    device_size: int
    seconds: list[float]


class UpdateJson(TypedDict):
    """A row of ``updates``."""

    slots: int
    requests: int
    mapped: bool
    vhost: bool
    accel: str
    seconds: float
    idle_seconds: float
    messages: dict[str, int]
    ioctls: int


class MeasurementsJson(TypedDict, total=False):
    """A file of measurements; bytes and seconds."""

    about: str
    command: Required[str]
    date: Required[str]
    qemu_version: str
    kernel: Required[str]
    kvm_parameters: Mapping[str, str]
    nr_memslots: int
    address_spaces: int
    host: Required[Mapping[str, Json]]
    measurements: Required[list[LayoutJson]]
    timing: list[TimingJson]
    starts: list[StartJson]
    updates: list[UpdateJson]


@dataclass(frozen=True, slots=True)
class MeasuredLayout:
    """Memslots, what they cost the kernel, and what the model says; bytes.

    Attributes
    ----------
    sizes, bases
        Of each memslot.
    dirty_log
        Whether they log dirty pages.
    total, parts
        Measured; `parts` is None where only a total could be had.
    uncertainty
        By how much `total` may be off.
    predicted
        By the model of today.
    device_size, dynamic, plugged
        Of the virtio-mem device whose memslots these are; None for memslots made without a QEMU.
    add_seconds
        In which the memslots were made, all together; None for those of a device.
    """

    sizes: tuple[int, ...]
    bases: tuple[int, ...]
    dirty_log: bool
    total: int
    parts: Mapping[str, int] | None
    uncertainty: int
    predicted: KvmCost
    device_size: int | None = None
    dynamic: bool | None = None
    plugged: int | None = None
    add_seconds: float | None = None

    @property
    def name(self) -> str:
        """The layout in words."""
        if self.device_size is not None:
            switch = "on" if self.dynamic else "off"
            return f"QEMU, {format_size(self.device_size)}, dynamic {switch}, {format_size(self.plugged or 0)} plugged"
        runs = [(size, len(list(group))) for size, group in groupby(self.sizes)]
        log = ", dirty log" if self.dirty_log else ""
        if len(runs) == 1:
            return f"{runs[0][1]:,} x {format_size(runs[0][0])}{log}"
        return f"{len(self.sizes)} memslots, {format_size(sum(self.sizes), digits=1)}{log}"

    @property
    def agrees(self) -> bool:
        """Whether prediction and measurement are equal: to the page in every part, or within `uncertainty`."""
        if self.parts is not None:
            return dict(self.parts) == self.predicted.as_dict()
        return abs(self.total - self.predicted.total) <= self.uncertainty

    @classmethod
    def from_json(cls, row: LayoutJson, host: KvmHost) -> Self:
        """Read a row of ``measurements``."""
        slots = [(size, start + index * size) for count, size, start in row["memslots"] for index in range(count)]
        sizes, bases = tuple(size for size, _ in slots), tuple(base for _, base in slots)
        here = replace(host, smm=row["address_spaces"] == 2)
        return cls(
            sizes=sizes,
            bases=bases,
            dirty_log=row["dirty_log"],
            total=row["total"],
            parts=row["parts"],
            uncertainty=row["uncertainty"],
            predicted=here.metadata(sizes, row["dirty_log"], bases=bases),
            device_size=row.get("device_size"),
            dynamic=row.get("dynamic_memslots"),
            plugged=row.get("plugged"),
            add_seconds=row.get("add_seconds"),
        )


@dataclass(frozen=True, slots=True)
class SlotTiming:
    """Seconds in which `count` memslots of `size` bytes were added and removed by ioctls, all together."""

    count: int
    size: int
    add_seconds: float
    remove_seconds: float

    def to_json(self) -> TimingJson:
        """Return the fields as JSON takes them."""
        return {
            "count": self.count,
            "size": self.size,
            "add_seconds": self.add_seconds,
            "remove_seconds": self.remove_seconds,
        }


@dataclass(frozen=True, slots=True)
class MeasuredStart:
    """Seconds of several starts of QEMU with an empty device of `size` bytes.

    Attributes
    ----------
    dynamic
        Its ``dynamic-memslots``; None: without the device.
    """

    dynamic: bool | None
    size: int
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MeasuredUpdate:
    """Memslots mapped or unmapped: the guest plugs or unplugs whole memslots of 1 GiB.

    Attributes
    ----------
    slots
        How many.
    requests
        In how many requests, each of which is one memory transaction: 1, or one per memslot as the RFC does.
    mapped
        Whether they were mapped (plugged) or unmapped.
    vhost
        Whether a started vhost-user device had to be told.
    accel
        ``kvm`` or ``tcg``.
    seconds
        From the first request to the last answer, while QEMU serves no other client; the least of all repetitions.
    idle_seconds
        Of as many requests that change nothing (STATE), the harness's own share of `seconds`.
    messages
        To the vhost-user backend, by name.
    ioctls
        KVM memslot ioctls.
    """

    slots: int
    requests: int
    mapped: bool
    vhost: bool
    accel: str
    seconds: float
    idle_seconds: float
    messages: Mapping[str, int] = field(default_factory=dict)
    ioctls: int = 0

    def to_json(self) -> UpdateJson:
        """Return the fields as JSON takes them, times to the microsecond."""
        return {
            "slots": self.slots,
            "requests": self.requests,
            "mapped": self.mapped,
            "vhost": self.vhost,
            "accel": self.accel,
            "seconds": round(self.seconds, 6),
            "idle_seconds": round(self.idle_seconds, 6),
            "messages": dict(self.messages),
            "ioctls": self.ioctls,
        }


@dataclass(frozen=True, slots=True)
class MeasuredHost:
    """One file of measurements.

    Attributes
    ----------
    name
        Of the file, without its ending.
    kernel, qemu_version
        ``uname -r``, and what QEMU says of itself (None where none took part).
    command, date
        What made the file, and when (UTC).
    host
        As the model takes it.
    layouts, timings, starts, updates
        What was measured; any may be empty.
    """

    name: str
    kernel: str
    qemu_version: str | None
    command: str
    date: str
    host: KvmHost
    layouts: tuple[MeasuredLayout, ...]
    timings: tuple[SlotTiming, ...]
    starts: tuple[MeasuredStart, ...]
    updates: tuple[MeasuredUpdate, ...]

    @classmethod
    def from_json(cls, name: str, report: MeasurementsJson) -> Self:
        """Read a report as the commands write it; rows that another VM disturbed are left out.

        Raises
        ------
        BadInput
            It is none, or a field is missing or of the wrong kind.
        """
        try:
            host = KvmHost.from_json(report["host"])
            return cls(
                name=name,
                kernel=report["kernel"],
                qemu_version=report.get("qemu_version"),
                command=report["command"],
                date=report["date"],
                host=host,
                layouts=tuple(
                    MeasuredLayout.from_json(row, host) for row in report["measurements"] if not row["disturbed"]
                ),
                timings=tuple(SlotTiming(**row) for row in report.get("timing", ())),
                starts=tuple(
                    MeasuredStart(row["dynamic_memslots"], row["device_size"], tuple(row["seconds"]))
                    for row in report.get("starts", ())
                ),
                updates=tuple(MeasuredUpdate(**row) for row in report.get("updates", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"{name} is not a file of measurements ({type(error).__name__}: {error}): "
                "give one that python -m workbook.live.kvm or workbook.live.qemu_cost has written"
            ) from error
