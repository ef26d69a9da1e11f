"""Cost of memslots as tables: measured hosts against the model, and the effect of the memslot size."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.cost.measurements import MeasuredHost, MeasuredUpdate
from workbook.lib.explore.growth import with_plugged
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.machine.machine import Machine
from workbook.lib.memory.borders import border_alignment, borders
from workbook.lib.rules import get
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, KiB, MiB, TiB, format_size, shown_size

from .table import Table

__all__ = (
    "MEMSLOT_SIZES",
    "border_table",
    "headline",
    "memslot_sizes",
    "start_times",
    "time_of_one_memslot",
    "update_times",
)

MEMSLOT_SIZES: Final = (128 * MiB, 256 * MiB, 512 * MiB, *(GiB << power for power in range(0, 11, 2)))
"""Sizes to choose from: 128 MiB is the least that the series ever took, 1 TiB is the whole device."""


def headline(hosts: Iterable[MeasuredHost]) -> Table:
    """Show what a virtio-mem device in a real QEMU cost KVM, in kB, beside the prediction."""
    rows = []
    for host in hosts:
        for row in host.layouts:
            if row.device_size is None:
                continue
            rows.append(
                (
                    f"{_qemu(host)}, {format_size(row.device_size)}",
                    "on" if row.dynamic else "off",
                    format_size(row.plugged or 0),
                    len(row.sizes),
                    row.predicted.total // KiB,
                    row.total // KiB,
                    "equal in every part" if row.agrees else "DIFFERENT",
                )
            )
    columns = ("device in", "dynamic-memslots", "plugged", "memslots", "predicted kB", "measured kB", "verdict")
    return Table.of(columns, rows)


def start_times(hosts: Iterable[MeasuredHost]) -> Table:
    """Show how long QEMU took to start with an empty device, and without one."""
    names = {None: "without the device", False: "dynamic-memslots=off", True: "dynamic-memslots=on"}
    rows = [
        (f"{_qemu(host)}, {format_size(one.size)}", names[one.dynamic], min(one.seconds), max(one.seconds))
        for host in hosts
        for one in host.starts
    ]
    return Table.of(("device in", "start", "fastest, s", "slowest, s"), rows)


def update_times(hosts: Iterable[MeasuredHost]) -> Table:
    """Show how long a running QEMU takes to map memslots of 1 GiB, one by one and in one request, in milliseconds."""
    rows = []
    for host in hosts:
        for vhost in (False, True):
            single, whole = _mapped(host, vhost=vhost)
            for slots in sorted(single):
                one, all_ = single[slots], whole[slots]
                messages = sum(all_.messages.values())
                times = (_ms(one.seconds), _ms(one.idle_seconds), _ms(all_.seconds))
                rows.append((_qemu(host), "started" if vhost else "none", slots, *times, all_.ioctls, messages))
    columns = (
        "in",
        "vhost-user",
        "memslots",
        "one by one, ms",
        "requests alone, ms",
        "one request, ms",
        "ioctls",
        "messages",
    )
    return Table.of(columns, rows)


def time_of_one_memslot(hosts: Iterable[MeasuredHost]) -> Table:
    """Show how long KVM takes to make one memslot, by its size, in milliseconds."""
    rows = [
        (host.name, format_size(row.sizes[0]), format_size(row.total, digits=1), _ms(row.add_seconds))
        for host in hosts
        for row in sorted(host.layouts, key=lambda one: one.sizes[:1])
        if row.add_seconds is not None and len(row.sizes) == 1 and not row.dirty_log
    ]
    return Table.of(("measured in", "memslot", "metadata", "to make it, ms"), rows)


def border_table(scenario: Scenario, rules: Mapping[str, int], sizes: Iterable[int], plugged: int) -> Table:
    """Show how well the borders between memslots are aligned.

    Parameters
    ----------
    scenario
        With one device.
    rules
        Rule sets, each with the number of memslots that the user asks for (``memslots``); 0: it decides by itself.
    sizes
        Bytes of the device.
    plugged
        Bytes that are plugged.
    """
    rows = []
    for size in sizes:
        sized = SETTINGS["device_size"].put(scenario, size, None)
        for name, asked in rules.items():
            chosen = SETTINGS["max_memslots"].put(sized, asked, None)
            vm = Machine(with_plugged(chosen, plugged), get(name))
            safe = border_alignment(vm.view)
            cut = vm.picture.devices[0].decision
            memslots = f"{cut.count} x {format_size(cut.memslot_size)}"
            how = f"{name}, memslots={asked}" if asked else name
            rows.append((shown_size(size), how, memslots, len(borders(vm.view)), format_size(safe) if safe else "-"))
    return Table.of(("device", "rules", "memslots", "borders", "aligned pieces never across, up to"), rows)


def memslot_sizes(
    hosts: Sequence[MeasuredHost],
    *,
    device: int = TiB,
    plugged: int = 10 * GiB,
    kvm: KvmHost | None = None,
    sizes: Iterable[int] = MEMSLOT_SIZES,
) -> Table:
    """Show what the size of a memslot decides for a device with some memory plugged from its start on.

    Parameters
    ----------
    hosts
        Whose times to scale; those of the newest with updates and timings count.
    device, plugged
        Bytes of the device and of what the guest uses of it.
    kvm
        What to predict for; None: a host without the TDP MMU.
    sizes
        Bytes of a memslot.

    Notes
    -----
    The times hold what the *number* of memslots adds when the whole device is mapped: an ioctl each (from 4 KiB
    memslots, whose arrays are small), a message each to one vhost-user back end, and, one by one, a memory transaction
    each. The arrays take their time too, but the same for every row. Transactions take longer the more memslots there
    are, so for more than were measured the last column is too low.
    """
    kvm = kvm or KvmHost(tdp_mmu=False)
    ioctl, message, transaction = _seconds_per_memslot(hosts)
    rows = []
    for size in sizes:
        count, mapped = -(-device // size), -(-plugged // size)
        cost = kvm.metadata([size] * mapped).total
        exact = kvm.metadata([plugged]).total
        at_once = count * (ioctl + message)
        rows.append(
            (
                format_size(size),
                count,
                mapped,
                format_size(cost, digits=1),
                f"{cost / exact:.2f} x",
                _ms(at_once),
                _ms(at_once + count * transaction),
            )
        )
    used = f"for {format_size(plugged)}"
    columns = (
        "memslot",
        "memslots",
        f"mapped {used}",
        f"metadata {used}",
        "of the least",
        "at once, ms",
        "one by one, ms",
    )
    return Table.of(columns, rows)


def _seconds_per_memslot(hosts: Sequence[MeasuredHost]) -> tuple[float, float, float]:
    """Return what one more memslot adds: the ioctl, the message to a vhost-user back end, the transaction."""
    newest = sorted(hosts, key=lambda host: host.date)
    timing = max(next(host.timings for host in reversed(newest) if host.timings), key=lambda one: one.count)
    host = next(host for host in reversed(newest) if host.updates)
    (_, whole), (single_vhost, whole_vhost) = (_mapped(host, vhost=vhost) for vhost in (False, True))
    most = max(whole)
    message = max(whole_vhost[most].seconds - whole[most].seconds, 0.0) / most
    asking = single_vhost[most].idle_seconds
    transaction = max(single_vhost[most].seconds - asking - whole_vhost[most].seconds, 0.0) / most
    return timing.add_seconds / timing.count, message, transaction


def _mapped(host: MeasuredHost, *, vhost: bool) -> tuple[dict[int, MeasuredUpdate], dict[int, MeasuredUpdate]]:
    """Return the updates that map: one by one, and all in one request, by number of memslots."""
    found = [one for one in host.updates if one.mapped and one.vhost == vhost]
    single = {one.slots: one for one in found if one.requests == one.slots}
    return single, {one.slots: one for one in found if one.requests == 1}


def _qemu(host: MeasuredHost) -> str:
    return f"QEMU {(host.qemu_version or '?').split()[0]}"


def _ms(seconds: float) -> float:
    """Return milliseconds with three digits that mean something."""
    ms = seconds * 1000
    return round(ms) if ms >= 100 else float(f"{ms:.3g}")
