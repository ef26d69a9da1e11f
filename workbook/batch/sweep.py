"""Whole VMs over a grid of settings and rule sets: every point is a real machine that is started and settled.

`workbook.lib.sweep` evaluates the decision formula alone, for millions of points a second; here a point is a VM with
everything that QEMU checks, its guest and its costs.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import Abort, BadInput, Refusal
from workbook.lib.explore.settings import SETTINGS, SettingValue
from workbook.lib.host import Host
from workbook.lib.machine import Machine
from workbook.lib.rules import RuleSet, get
from workbook.lib.scenario import Scenario

from .arrow import COLUMNS, Cell, Column, flat, table
from .engines import in_chunks, workers_for
from .files import write_cells
from .progress import with_progress
from .verdict import CheckRow, Question, check_machine, row_of_failure, settle

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ("sweep", "sweep_rows")

_FIELDS: Final = frozenset(one.name for one in fields(Scenario))
_LEFT_OUT: Final = ("source", "read")


class _Point(NamedTuple):
    scenario: Scenario
    rules: str | RuleSet
    values: tuple[SettingValue, ...]


def sweep(
    scenario: Scenario | str,
    settings: Mapping[str, Sequence[SettingValue]],
    rules: str | RuleSet | Sequence[str | RuleSet] | None = None,
    engine: str | None = None,
    to: str | Path | None = None,
    *,
    host: Host | None = None,
    kvm: KvmHost | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> "pa.Table | None":
    """Start the VM of every point of a grid, let its guest follow, and say of each what `check` says.

    Parameters
    ----------
    scenario
        The VM, or its text (as `Machine.from_text` reads it).
    settings
        Values by setting: a name of `workbook.lib.explore.settings.SETTINGS` (``device_size``, ``requested_size``,
        ``vhost_slots`` ...), of one device (``vm0.requested_size``), or a field of `Scenario` (``cpu_vendor``).
        They are put in the order given; sizes in bytes.
    rules
        Rule sets, each applied to every point; None: the scenario's.
    engine, to, workers, progress
        As of `workbook.batch.check`; `to` is a ``.parquet``, ``.arrow`` or ``.csv`` file.
    host, kvm
        As of `workbook.batch.verdict.Question`.

    Returns
    -------
    An Arrow table with a column per setting, ``rules``, and those of `workbook.batch.arrow.COLUMNS` but ``source`` and
    ``read``; None with `to`. A point that cannot be is a row with verdict ``unreadable``.

    Raises
    ------
    BadInput
        A setting or rule set that does not exist, or an extra that is missing.
    """
    rows = sweep_rows(scenario, settings, rules, engine, host=host, kvm=kvm, workers=workers)
    columns = _columns(settings)
    if progress:
        count = 1 if rules is None or isinstance(rules, str | RuleSet) else len(rules)
        rows = with_progress(rows, "VM", prod(map(len, settings.values())) * count)
    if to is None:
        return table(rows, columns)
    write_cells(rows, Path(to), columns)
    return None


def sweep_rows(
    scenario: Scenario | str,
    settings: Mapping[str, Sequence[SettingValue]],
    rules: str | RuleSet | Sequence[str | RuleSet] | None = None,
    engine: str | None = None,
    *,
    host: Host | None = None,
    kvm: KvmHost | None = None,
    workers: int | None = None,
) -> Iterator[dict[str, Cell]]:
    """Yield one row per point, the last setting and the rule set changing fastest; parameters as of `sweep`."""
    vm = Machine.from_text(scenario, host=host).scenario if isinstance(scenario, str) else scenario
    given = [rules] if isinstance(rules, str | RuleSet) else list(rules or [vm.rules])
    for one in given:
        get(one)
    for name, values in settings.items():
        _check_setting(vm, name, values)
    workers = workers_for(given, engine, workers)
    columns = _columns(settings)
    work = partial(_work, Question(host=host, kvm=kvm), tuple(settings))
    rows = in_chunks(work, _points(vm, settings, given), engine=engine, workers=workers)
    return (dict(zip(columns, row, strict=True)) for row in rows)


def _check_setting(vm: Scenario, name: str, values: Sequence[SettingValue]) -> None:
    device, _, last = name.rpartition(".")
    known_devices = [one.id for one in vm.devices]
    if device and device not in known_devices:
        raise BadInput(f"{name}: the VM has no device {device!r:.60}: known are {', '.join(map(str, known_devices))}")
    if last == "rules":
        raise BadInput("rules are an argument of their own: rules=[...]")
    if last not in SETTINGS and name not in _FIELDS:
        raise BadInput(f"there is no setting {name!r:.60}: known are {', '.join(SETTINGS)}, and the fields of Scenario")
    if last not in SETTINGS:
        for value in values:
            _with_field(name, value)
        return
    for value in values:
        SETTINGS[last].check(value)
    if SETTINGS[last].kind == "choice":
        known = [value for _, value in SETTINGS[last].choices]
        wrong = [one for one in values if one not in known]
        if wrong:
            raise BadInput(f"{name} cannot be {wrong[0]!r:.60}: known are {', '.join(map(repr, known))}")


def _columns(settings: Mapping[str, Sequence[SettingValue]]) -> dict[str, Column]:
    columns: dict[str, Column] = {name: _column(name, values) for name, values in settings.items()}
    return {**columns, "rules": "string", **{name: kind for name, kind in COLUMNS.items() if name not in _LEFT_OUT}}


def _column(name: str, values: Sequence[SettingValue]) -> Column:
    kinds = {type(one) for one in values if one is not None}
    if kinds <= {bool}:
        return "bool"
    if kinds <= {int}:
        return "int64"
    if kinds <= {str}:
        return "string"
    raise BadInput(f"{name}: values of one kind are needed, whole numbers, texts, or True and False")


def _points(
    vm: Scenario, settings: Mapping[str, Sequence[SettingValue]], rules: Sequence[str | RuleSet]
) -> Iterator[_Point]:
    for values in product(*settings.values()):
        for one in rules:
            yield _Point(vm, one, values)


def _work(question: Question, names: tuple[str, ...], points: tuple[_Point, ...]) -> list[list[Cell]]:
    return [[*one.values, get(one.rules).name, *_cells(_checked(question, names, one))] for one in points]


def _cells(row: CheckRow) -> list[Cell]:
    return [value for name, value in flat(row).items() if name not in _LEFT_OUT]


def _checked(question: Question, names: Sequence[str], point: _Point) -> CheckRow:
    try:
        vm = point.scenario
        for name, value in zip(names, point.values, strict=True):
            vm = _put(vm, name, value)
        machine = Machine(vm, point.rules)
        settle(machine)
        return check_machine("", machine, question)
    except (Abort, Refusal, BadInput) as error:
        return row_of_failure("", "", error)


def _put(vm: Scenario, name: str, value: SettingValue) -> Scenario:
    device, _, last = name.rpartition(".")
    if last in SETTINGS:
        return SETTINGS[last].put(vm, value, device or None)
    return replace(vm, **{name: getattr(_with_field(name, value), name)})


def _with_field(name: str, value: SettingValue) -> Scenario:
    """Return a scenario with that value in one field, which is checked as in a saved scenario."""
    return Scenario.from_json(json.dumps({name: value}))
