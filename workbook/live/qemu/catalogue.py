"""Write down what a real QEMU knows: options, machine types, devices, objects, CPU models and their properties.

``python -m workbook.live.qemu.catalogue --write`` asks the QEMU of this machine by QMP and writes
workbook/lib/qemu_args/catalogue_data.py, from which the reader of command lines tells a spelling mistake from an
option that it may pass over.
"""

import argparse
import json
import pprint
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import workbook.lib.qemu_args
from workbook.tools.atomic_write import write_atomically

from .binary import find_qemu

__all__ = ("catalogue", "main")

_TARGET: Final = Path(workbook.lib.qemu_args.__file__).with_name("catalogue_data.py")
_HEADER: Final = '''"""What QEMU {version} knows by name; made by ``python -m workbook.live.qemu.catalogue --write``.

Every name and type is QEMU's own answer to qom-list-types, device-list-properties, qom-list-properties,
query-machines, query-cpu-definitions, query-cpu-model-expansion and ``-help``.
`workbook.lib.qemu_args.catalogue` reads it.
"""

from typing import Final

'''
_HIDDEN_OPTIONS: Final = (
    *("M", "h", "help", "nodefaults", "mem-path", "fdb", "hdb", "hdd", "qtest", "qtest-log", "semihosting", "g"),
    *("semihosting-config", "old-param", "prom-env"),
)
"""Options that are not at the start of a line of ``-help``."""
_COMMON: Final = (
    ("virtio-pci", ("virtio-rng-pci", "virtio-net-pci", "virtio-mouse-pci", "virtio-gpu-pci", "vhost-user-rng-pci")),
    ("pci", ("e1000", "VGA", "ich9-ahci", "pcie-root-port")),
    ("virtio", ("virtio-rng-device", "virtio-net-device", "virtio-mouse-device")),
    ("scsi", ("scsi-hd", "scsi-generic")),
    ("ccid", ("ccid-card-passthru", "usb-ccid")),
    ("usb", ("usb-tablet", "usb-storage")),
)
"""Families of devices with the properties that their members share."""


class _Qmp:
    """A QEMU without a VM, or with one that does not run, asked by QMP on its standard input and output."""

    def __init__(self, program: str, *argv: str) -> None:
        command = [program, *argv, "-nodefaults", "-S", "-display", "none", "-qmp", "stdio"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - the user's QEMU
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: object) -> object:
        """Return the answer to a command; None where it is refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        while line := self._process.stdout.readline():
            answer = json.loads(line)
            if "return" in answer or "error" in answer:
                return answer.get("return")
        raise ConnectionError(f"QEMU went away at {command}")

    def rows(self, command: str, **arguments: object) -> list[dict[str, object]]:
        """Return the answer to a command that lists things; empty where it is refused."""
        answer = self.ask(command, **arguments)
        return [one for one in answer if isinstance(one, dict)] if isinstance(answer, list) else []

    def close(self) -> None:
        """End the QEMU."""
        self._process.kill()
        self._process.communicate()


def _typed(rows: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """Return ``name:type`` of every property that can be set."""
    return frozenset(
        f"{one['name']}:{_short(str(one['type']))}"
        for one in rows
        if not str(one["type"]).startswith("child<") and one["name"] != "type"
    )


def _short(kind: str) -> str:
    return "link" if kind.startswith("link<") else re.sub(r"[^A-Za-z0-9_|]", "", kind)


def catalogue(program: str) -> dict[str, object]:
    """Ask a QEMU for everything it knows by name."""
    bare, board = _Qmp(program, "-M", "none"), _Qmp(program, "-M", "q35")
    pluggable = _pluggable(program)
    devices: dict[str, frozenset[str]] = {}
    fixed: set[str] = set()
    for one in bare.rows("qom-list-types", implements="device", abstract=False):
        name = str(one["name"])
        if name not in pluggable:
            fixed.add(name)
            continue
        if name.endswith("-cpu"):
            continue  # CPU_PROPERTIES has theirs
        devices[name] = _typed(bare.rows("device-list-properties", typename=name))
    common = {
        family: frozenset.intersection(*(devices[one] for one in members if one in devices))
        for family, members in _COMMON
    }
    objects = {
        str(one["name"]): _object_properties(program, str(one["name"]))
        for one in bare.rows("qom-list-types", implements="user-creatable", abstract=False)
    }
    machines = bare.rows("query-machines")
    found: dict[str, object] = {
        "OPTIONS": _options(program),
        "MACHINES": {
            str(one["name"]): " ".join(
                word
                for word, wanted in (
                    (f"alias={one.get('alias')}", one.get("alias")),
                    ("deprecated", one.get("deprecated")),
                    ("numa-mem", one.get("numa-mem-supported")),
                    (f"cpus={one.get('cpu-max')}", one.get("cpu-max")),
                )
                if wanted
            )
            for one in sorted(machines, key=lambda one: str(one["name"]))
        },
        "MACHINE_PROPERTIES": {
            kind: " ".join(sorted(_typed(bare.rows("qom-list-properties", typename=f"{name}-machine"))))
            for kind, name in (
                ("q35", _newest(machines, "q35")),
                ("pc", _newest(machines, "pc")),
                ("microvm", "microvm"),
            )
        },
        "ACCELERATOR_PROPERTIES": {
            name: " ".join(sorted(_typed(bare.rows("qom-list-properties", typename=f"{name}-accel"))))
            for name in ("kvm", "tcg", "xen")
        },
        "COMMON_PROPERTIES": {family: " ".join(sorted(names)) for family, names in common.items()},
        "DEVICES": {name: _packed(devices[name], common) for name in sorted(devices)},
        "FIXED_DEVICES": " ".join(sorted(fixed)),
        "OBJECTS": {name: " ".join(sorted(objects[name])) for name in sorted(objects)},
        "CPU_MODELS": _cpu_models(program, board),
        "CPU_PROPERTIES": " ".join(sorted(_typed(board.rows("device-list-properties", typename="max-x86_64-cpu")))),
    }
    bare.close()
    board.close()
    return found


def _pluggable(program: str) -> frozenset[str]:
    """Return the devices that ``-device`` takes."""
    text = subprocess.run([program, "-M", "none", "-device", "help"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - the user's QEMU
    return frozenset(re.findall(r'^name "([^"]+)"', text, re.MULTILINE))


def _object_properties(program: str, kind: str) -> frozenset[str]:
    """Return the properties of an object type; by ``-object TYPE,help``, since QMP's answer may bring QEMU down."""
    command = [program, "-object", f"{kind},help"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - the user's QEMU
    return frozenset(
        f"{name}:{_short(kind)}" for name, kind in re.findall(r"^  ([^=\s]+)=<(.*?)>(?: |$)", text, re.MULTILINE)
    )


def _newest(machines: Sequence[Mapping[str, object]], alias: str) -> str:
    return next(str(one["name"]) for one in machines if one.get("alias") == alias)


def _packed(properties: frozenset[str], common: Mapping[str, frozenset[str]]) -> str:
    """Write a device's properties down: ``@family`` for what its family shares, then its own."""
    for family, shared in common.items():
        if shared <= properties:
            return " ".join([f"@{family}", *sorted(properties - shared)])
    return " ".join(sorted(properties))


def _options(program: str) -> dict[str, bool]:
    """Return every option, and whether it takes an argument: QEMU says so where the argument is missing."""
    text = subprocess.run([program, "-help"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - the user's QEMU
    names = {*re.findall(r"^--?([A-Za-z0-9_-]+)", text, re.MULTILINE), *_HIDDEN_OPTIONS}
    found = {}
    for name in sorted(names):
        # an invalid machine type ends it before anything happens
        command = [program, "-M", "no-such-machine", f"-{name}"]
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stderr  # noqa: S603 - the user's QEMU
        if "invalid option" not in said:
            found[name] = "requires an argument" in said
    return found


def _cpu_models(program: str, board: _Qmp) -> dict[str, str]:
    """Return every CPU model with its vendor id, and its address bits where it has no long mode."""
    found = {}
    for one in board.rows("query-cpu-definitions"):
        name = str(one["name"])
        answer = board.ask("query-cpu-model-expansion", type="full", model={"name": name})
        model = answer.get("model") if isinstance(answer, dict) else None
        props = model.get("props", {}) if isinstance(model, dict) else {}
        words = [str(props.get("vendor", "host"))] if isinstance(props, dict) else ["host"]
        if isinstance(props, dict) and props.get("lm") is False:
            words.append(_address_bits(program, name))
        found[name] = " ".join(words)
    return dict(sorted(found.items()))


def _address_bits(program: str, model: str) -> str:
    """Return the physical address bits of a 32-bit model: QEMU names them where memory lies beyond."""
    command = [program, "-cpu", model, "-m", "1G,maxmem=512G", "-S", "-display", "none"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stderr  # noqa: S603 - the user's QEMU
    return "".join(re.findall(r"phys-bits too low \((\d+)\)", said))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 where the stored catalogue is this QEMU's."""
    parser = argparse.ArgumentParser(prog="python -m workbook.live.qemu.catalogue", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {_TARGET.name}; without it, compare")
    parser.add_argument("--qemu", help="the QEMU to ask")
    given = parser.parse_args(argv)
    program = str(find_qemu(given.qemu).path)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[3]  # noqa: S603 - the user's QEMU
    text = _HEADER.format(version=version)
    for name, value in catalogue(program).items():
        kind = "str" if isinstance(value, str) else "dict[str, bool]" if name == "OPTIONS" else "dict[str, str]"
        text += f"{name}: Final[{kind}] = {pprint.pformat(value, width=112, sort_dicts=False)}\n"
    command = [sys.executable, "-m", "ruff", "format", "-q", "--line-length", "120", "-"]
    text = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603 - this Python's own formatter
    if given.write:
        write_atomically(_TARGET, text)
        return 0
    same = _TARGET.exists() and _TARGET.read_text() == text
    print(f"{_TARGET.name} is {'' if same else 'not '}what QEMU {version} says")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
