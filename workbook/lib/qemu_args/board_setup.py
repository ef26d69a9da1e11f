"""From parsed options to a board with its memory, check by check in the order of ``qemu_init`` (system/vl.c, 10.0)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from workbook.lib.errors import BadValue, Refusal
from workbook.lib.host import KVM_SLOTS_TODAY, Host
from workbook.lib.rules.base import RuleSet
from workbook.lib.rules.behaviour import QemuBehaviour
from workbook.lib.scenario import (
    DEFAULT_FIRMWARE_SIZE,
    DEFAULT_RULES,
    MemoryBackend,
    NumaNode,
    PciDevice,
    Scenario,
)
from workbook.lib.size import SIZE_LIMIT, strtosz

from .cpu import CpuOption, Processor
from .machine_option import Board, apply_machine_options, read_board
from .memory import MemorySizes
from .netdevs import check_netdev
from .numa import Numa
from .objects import UNMODELLED_OBJECTS, backend_of
from .parsed_options import ParsedOptions, placed
from .properties import Properties

__all__ = ("BoardSetup",)

_BRIDGE: Final = frozenset(
    "above-4g-mem-size below-4g-mem-size bypass-iommu pci-hole64-size x-config-reg-migration-enabled "
    "x-pci-hole64-fix".split()
)
_HOST_BRIDGE: Final = {"q35": _BRIDGE | {"MCFG", "smm-ranges"}, "pc": _BRIDGE | {"pci-type"}}
"""Properties of the host bridge, by chipset."""
_HOLE64: Final = {"q35": "q35-pcihost", "pc": "i440FX-pcihost"}
_SIZE_WORDS: Final = (
    "Parameter '{}' expects a non-negative number below 2^64\n"
    "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
    "and exabytes, respectively."
)


@dataclass
class BoardSetup:
    """Makes the board that parsed options ask for."""

    line: ParsedOptions
    rules: RuleSet | None
    host: Host | None
    program: str

    def board(self) -> Board:
        """Find the machine type.

        Raises
        ------
        BadInput, Refusal
            As `read_board`, or the options of its memory contradict each other.
        """
        self.line.memory.merge_into(self.line.machine)
        board = read_board(self.line.machine.get("type"), self._qemu)
        if board.assumed:
            self.line.note("assumed", board.assumed, "-machine")
        return board

    def scenario(self, board: Board) -> Scenario:
        """Return the VM without its devices.

        Raises
        ------
        BadInput, Refusal
            What QEMU refuses before it makes the board.
        """
        options = {key: value for key, value in self.line.machine.items() if key != "type"}
        options = _dashed(options)
        if "memory-backend" in options and self.line.mem_path is not None:
            raise Refusal("'-mem-path' can't be used together with'-machine memory-backend'", "leave one of them out")
        named_accel = options.pop("accel", None)
        ram_backend_id = options.pop("memory-backend", None)
        for legacy in ("igd-passthru", "kvm-shadow-mem", "kernel-irqchip"):
            options.pop(legacy, None)
        sizes, cpus = apply_machine_options(board, options)
        accel = self.line.accelerators.choose(named_accel, self.line.warnings)
        if board.deprecated and accel != "qtest":
            self.line.warnings.append(
                f"warning: Machine type '{board.name}' is deprecated: machines more than 3 years old are subject to "
                "deletion after 6 years"
            )
        self._check_netdevs()
        backends = self._backends()
        option = CpuOption(self.line.cpu, self.program)
        ram_backend = self._ram_backend(backends, ram_backend_id)
        sizes = sizes.with_backend(ram_backend)
        nodes = Numa(
            {one.id: one for one in backends},
            takes_mem=board.numa_mem,
            max_cpus=cpus,
            hmat=options.get("hmat") in ("on", "yes", "true", "y"),
        )
        for props in self.line.numa:
            nodes.take(props)
        self.line.warnings += nodes.warnings
        numa = self._complete_numa(nodes, sizes, ram_backend, backends)
        processor = option.processor(accel, self.host)
        self.line.warnings += [f"warning: {one}" for one in processor.warnings]
        self._note_processor(processor, accel, option)
        backends, ram_backend_id = self._with_mem_path(backends, sizes, ram_backend.id if ram_backend else None)
        scenario = self._board_scenario(board, options, sizes, accel, processor)
        return replace(scenario, ram_backend=ram_backend_id, numa=numa, backends=backends, cpu=option.as_given())

    @property
    def _qemu(self) -> QemuBehaviour | None:
        """The QEMU that reads the line; None for rule sets that are no release."""
        return self.rules.qemu if self.rules is not None and self.rules.is_release else None

    def _check_netdevs(self) -> None:
        for props in self.line.netdevs:
            if props.values.get("id") != "":
                check_netdev(props)

    def _backends(self) -> tuple[MemoryBackend, ...]:
        """Make the memory backends, in the line's order."""
        made: dict[str, MemoryBackend] = {}
        seen: set[object] = set()
        for props in self.line.objects:
            name = props.values.get("id")
            kind = str(props.values.get("qom-type"))
            if kind in UNMODELLED_OBJECTS:
                self.line.note("not modelled", UNMODELLED_OBJECTS[kind], props.where)
            if name in seen:
                duplicate = f"attempt to add duplicate property '{name}' to object (type 'container')"
                raise Refusal(duplicate, "give every object its own id")
            seen.add(name)
            backend = backend_of(props, prealloc="mem-prealloc" in self.line.flags)
            if backend is None:
                continue
            made[backend.id] = backend
            if backend.kind == "file" and backend.page_size > 4096:
                self.line.note(
                    "assumed",
                    f"{backend.mem_path} is taken for hugetlbfs with pages of {backend.page_size} bytes, by its name",
                    props.where,
                )
        return tuple(made.values())

    def _ram_backend(self, backends: Iterable[MemoryBackend], name: str | None) -> MemoryBackend | None:
        if name is None:
            return None
        for one in backends:
            if one.id == name:
                return one
        raise Refusal(f"Memory backend '{name}' not found", "make it by -object memory-backend-...")

    def _complete_numa(
        self,
        nodes: Numa,
        sizes: MemorySizes,
        ram_backend: MemoryBackend | None,
        backends: Sequence[MemoryBackend],
    ) -> tuple[NumaNode, ...]:
        """Check the boot RAM as a whole (``machine_run_board_init``)."""
        if ram_backend is not None and ram_backend.size != sizes.ram:
            raise Refusal(
                "Machine memory size does not match the size of the memory backend",
                f"give -m {ram_backend.size}B, or leave its size out",
            )
        legacy = not any(one.memdev for one in nodes.nodes.values())
        if ram_backend is None and legacy and any(one.id == "pc.ram" for one in backends):
            raise Refusal(
                "object's id 'pc.ram' is reserved for the default RAM backend, it can't be used for any other "
                "purposes\n"
                "Change the object's 'id' to something else or disable automatic creation of the default RAM backend "
                "by setting 'memory-backend=pc.ram' with '-machine'.",
                "name it in -machine memory-backend=pc.ram",
            )
        return nodes.complete(sizes.ram, ram_backend.id if ram_backend else None)

    def _with_mem_path(
        self, backends: tuple[MemoryBackend, ...], sizes: MemorySizes, ram_backend: str | None
    ) -> tuple[tuple[MemoryBackend, ...], str | None]:
        """Make the boot RAM's backend of ``-mem-path``, and preallocate it where that is asked for."""
        if self.line.mem_path is None or ram_backend is not None:
            return backends, ram_backend
        props = Properties(
            {"qom-type": "memory-backend-file", "id": "pc.ram", "size": f"{sizes.ram}", "mem-path": self.line.mem_path}
        )
        backend = backend_of(props, prealloc="mem-prealloc" in self.line.flags)
        return (backends, None) if backend is None else ((backend, *backends), "pc.ram")

    def _note_processor(self, processor: Processor, accel: str, option: CpuOption) -> None:
        if accel != "kvm":
            return
        unknown = self.host is None or self.host.phys_bits is None
        if processor.phys_bits is None:
            self.line.note("assumed", "the host's CPU has enough physical address bits: they are not known", "-cpu")
        elif unknown and option.given.get("host-phys-bits-limit") and "phys-bits" not in option.given:
            self.line.note("assumed", f"the host's CPU has {processor.phys_bits} physical address bits or more", "-cpu")

    def _board_scenario(
        self, board: Board, options: Mapping[str, str], sizes: MemorySizes, accel: str, processor: Processor
    ) -> Scenario:
        props = Properties(options)
        smm = str(options.get("smm", "auto"))
        on = {key: props.flag(key) for key in ("nvdimm", "cxl") if key in options}
        firmware = self.line.firmware.of_machine(options)
        self.line.notes += firmware.notes
        return Scenario(
            chipset=board.chipset,
            machine_version=board.version,
            distribution=board.distribution,
            accel=accel,  # type: ignore[arg-type]  # one of the names that were checked
            smm=smm == "on" if accel == "kvm" else smm != "off",
            acpi=options.get("acpi", "auto") != "off",
            nvdimm=on.get("nvdimm", False),
            program=self.program,
            cpu_vendor=processor.vendor,
            phys_bits=processor.phys_bits,
            long_mode=processor.long_mode,
            ram=sizes.ram,
            maxmem=sizes.maxmem,
            ram_slots=sizes.slots,
            max_ram_below_4g=props.size("max-ram-below-4g") if "max-ram-below-4g" in options else None,
            pci_hole64_size=self._pci_hole64(board),
            cxl_windows=_cxl_windows(options) if on.get("cxl") else None,
            firmware_size=firmware.size or DEFAULT_FIRMWARE_SIZE,
            fixtures=(
                *firmware.flashes,
                *(PciDevice(driver="option-rom", props=(("romfile", one),)) for one in self.line.option_roms),
            ),
            incoming="incoming" in self.line.flags,
            rules=self.rules.name if self.rules else DEFAULT_RULES,
            host=self.host,
            kvm_slots=self.host.kvm_slots if self.host and self.host.kvm_slots else KVM_SLOTS_TODAY,
        )

    def _pci_hole64(self, board: Board) -> int | None:
        """Return the size of the 64-bit PCI hole, which the host bridge has as a global property."""
        found: int | None = None
        for driver, key, value in self.line.globals:
            if driver != _HOLE64[board.chipset]:
                continue
            place = f"can't apply global {driver}.{key}={value}"
            if key == "pci-hole64-size":
                found = strtosz(value)
                if found is None or found >= SIZE_LIMIT:
                    raise placed(BadValue(_SIZE_WORDS.format(key), f"{key} {value!r:.60} is not a size"), place)
            elif key not in _HOST_BRIDGE[board.chipset]:
                raise placed(
                    Refusal(f"Property '{driver}.{key}' not found", "the host bridge has no such property"), place
                )
        return found


def _dashed(options: Mapping[str, str]) -> dict[str, str]:
    """Write keys with dashes (``keyval_dashify``).

    Raises
    ------
    Refusal
        A key is given in both spellings.
    """
    found: dict[str, str] = {}
    for key, value in options.items():
        head, dot, rest = key.partition(".")
        name = head.replace("_", "-") + dot + rest
        if name != key and name in options:
            raise Refusal(f"Conflict between '{head}' and '{head.replace('_', '-')}'", "give one of them")
        found[name] = value
    return found


def _cxl_windows(options: Mapping[str, str]) -> tuple[int, ...]:
    """Read the sizes of ``cxl-fmw.N.size``, in the order of N."""
    sizes: dict[int, int] = {}
    for key in options:
        parts = key.split(".")
        if parts[0] == "cxl-fmw" and len(parts) == 3 and parts[2] == "size" and parts[1].isdigit():
            sizes[int(parts[1])] = Properties(options).size(key)
    return tuple(sizes[index] for index in sorted(sizes))
