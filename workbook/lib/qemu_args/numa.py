"""``-numa``: nodes, and the checks of what nodes cannot be (hw/core/numa.c, QEMU 10.0).

Distances, HMAT and processors change no number of the model; they are checked as QEMU checks them, and passed over.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from workbook.lib.errors import BadValue, Refusal
from workbook.lib.scenario import MemoryBackend, NumaNode
from workbook.lib.size import SIZE_LIMIT, strtosz

from .properties import Properties
from .syntax import strtoll

__all__ = ("Numa",)

_MAX_NODES: Final = 128
_TYPES: Final = {
    "node": ("nodeid", "cpus", "mem", "memdev", "initiator"),
    "dist": ("src", "dst", "val"),
    "cpu": (
        "node-id",
        "drawer-id",
        "book-id",
        "socket-id",
        "die-id",
        "cluster-id",
        "module-id",
        "core-id",
        "thread-id",
    ),
    "hmat-lb": ("initiator", "target", "hierarchy", "data-type", "latency", "bandwidth"),
    "hmat-cache": ("node-id", "size", "level", "associativity", "policy", "line"),
}
_REQUIRED: Final = {
    "node": (),
    "dist": ("src", "dst", "val"),
    "cpu": (),
    "hmat-lb": ("initiator", "target", "hierarchy", "data-type"),
    "hmat-cache": ("node-id", "size", "level", "associativity", "policy", "line"),
}
_NO_HMAT: Final = (
    "ACPI Heterogeneous Memory Attribute Table (HMAT) is disabled, enable it with -machine hmat=on before using any of "
    "hmat specific options"
)
_RANGE: Final = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass
class Numa:
    """The nodes of a VM, option by option.

    Parameters
    ----------
    backends
        Memory backends by id: what memdev= may name.
    takes_mem
        Whether the machine type takes mem= (up to 5.0).
    max_cpus
        ``maxcpus`` of -smp.
    hmat
        ``-machine hmat=on``.
    """

    backends: dict[str, MemoryBackend]
    takes_mem: bool
    max_cpus: int
    hmat: bool
    nodes: dict[int, NumaNode] = field(default_factory=dict)
    distances: dict[tuple[int, int], int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    assigned: dict[int, int] = field(default_factory=dict)

    def take(self, props: Properties) -> None:
        """Take one ``-numa``.

        Raises
        ------
        Refusal
            In QEMU's order and words.
        """
        kind = props.values.get("type")
        if kind is None:
            raise props.refusal("Parameter 'type' is missing", "write -numa node,...")
        if kind not in _TYPES:
            raise props.refusal(f"Parameter 'type' does not accept value '{kind}'", f"known are {', '.join(_TYPES)}")
        numbers = self._numbers(props, str(kind))
        unknown = [key for key in props.values if key not in (*_TYPES[str(kind)], "type", "id")]
        if unknown:
            raise props.refusal(f"Invalid parameter '{unknown[0]}'", f"-numa {kind} has {', '.join(_TYPES[str(kind)])}")
        if kind == "node":
            self._node(props, numbers)
        elif kind == "dist":
            self._distance(props, numbers)
        elif kind == "cpu":
            if numbers.get("node-id") not in self.nodes:
                node = numbers.get("node-id", 0)
                raise props.refusal(
                    f"Invalid node-id={node}, NUMA node must be defined with -numa node,nodeid=ID before it's used "
                    "with -numa cpu,node-id=ID",
                    "declare the node first",
                )
        elif not self.hmat:
            raise props.refusal(_NO_HMAT, "add hmat=on to -machine")

    @staticmethod
    def _numbers(props: Properties, kind: str) -> dict[str, int]:
        """Read the numbers in the schema's order."""
        found: dict[str, int] = {}
        bits = {"nodeid": 16, "initiator": 16, "src": 16, "dst": 16, "val": 8, "node-id": 64, "target": 16}
        for key in _TYPES[kind]:
            if key in _REQUIRED[kind] and key not in props:
                raise props.refusal(f"Parameter '{key}' is missing", f"give {', '.join(_REQUIRED[kind])}")
            if key not in props or key not in bits:
                continue
            text = str(props.values[key])
            number = strtoll(text)
            if number is None or not 0 <= number < SIZE_LIMIT:
                raise props.refusal(f"Parameter '{key}' expects a uint64 value", f"{key} {text!r:.60} is not a number")
            if number >> bits[key]:
                raise props.refusal(f"Parameter '{key}' expects uint{bits[key]}_t", f"{key} {text!r:.60} is too large")
            found[key] = number
        return found

    def _node(self, props: Properties, numbers: dict[str, int]) -> None:
        mem = self._mem(props)
        node = numbers.get("nodeid", len(self.nodes))
        if node >= _MAX_NODES:
            raise props.refusal(f"Max number of NUMA nodes reached: {node}", f"nodes are 0 to {_MAX_NODES - 1}")
        if node in self.nodes:
            raise props.refusal(f"Duplicate NUMA nodeid: {node}", "give every node its own number")
        if "initiator" in numbers and not self.hmat:
            raise props.refusal(_NO_HMAT, "add hmat=on to -machine")
        for number in self._cpus(props):
            if number >= self.max_cpus:
                raise props.refusal(
                    f"CPU index ({number}) should be smaller than maxcpus ({self.max_cpus})",
                    "raise -smp, or name fewer",
                )
        for number in self._cpus(props):
            if self.assigned.setdefault(number, node) != node:
                other = self.assigned[number]
                raise props.refusal(f"CPU is already assigned to node-id: {other}", "name a processor in one node")
        memdev = props.text("memdev") or None
        others = self.nodes.values()
        mixed = mem is not None and (memdev or any(one.memdev for one in others))
        if mixed or (memdev and any(one.mem for one in others)):
            raise props.refusal(
                "numa configuration should use either mem= or memdev=,mixing both is not allowed", "use memdev="
            )
        if mem is not None:
            if not self.takes_mem:
                raise props.refusal(
                    "Parameter -numa node,mem is not supported by this machine type\nUse -numa node,memdev instead",
                    "give every node a memory backend",
                )
            self.warnings.append(
                f"{props.where}: warning: Parameter -numa node,mem is deprecated, use -numa node,memdev instead"
            )
        if memdev and memdev not in self.backends:
            raise props.refusal(f"memdev={memdev} is ambiguous", "make it by -object memory-backend-...")
        self.nodes[node] = NumaNode(nodeid=node, memdev=memdev, mem=mem or 0)

    @staticmethod
    def _mem(props: Properties) -> int | None:
        text = props.values.get("mem")
        if text is None:
            return None
        # a last digit means MiB, as ever
        size = strtosz(f"{text}M" if str(text)[-1:].isdigit() else str(text))
        if size is None or size >= SIZE_LIMIT:
            raise BadValue("Parameter 'mem' expects a size value", f"mem {text!r:.60} of -numa is not a size")
        return size

    @staticmethod
    def _cpus(props: Properties) -> list[int]:
        """Return the processors that are named, as far as their number decides anything: ends of ranges."""
        found: list[int] = []
        for text in props.every("cpus"):
            match = _RANGE.fullmatch(text)
            if match is None:
                raise props.refusal("Parameter 'cpus' expects a uint64 value or range", "such as cpus=0-3")
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first or last - first >= 65536:
                raise props.refusal("Parameter 'cpus' expects a uint64 value or range", "such as cpus=0-3")
            found += range(first, last + 1)
        return found

    def _distance(self, props: Properties, numbers: dict[str, int]) -> None:
        source, target, value = numbers["src"], numbers["dst"], numbers["val"]
        for name, node in (("src", source), ("dst", target)):
            if node >= _MAX_NODES:
                raise props.refusal(
                    f"Parameter '{name}' expects an integer between 0 and {_MAX_NODES - 1}", f"{name} is no node"
                )
        if source not in self.nodes or target not in self.nodes:
            raise props.refusal(
                "Source/Destination NUMA node is missing. Please use '-numa node' option to declare it first.",
                "declare nodes before distances",
            )
        if value < 10:
            raise props.refusal(f"NUMA distance ({value}) is invalid, it shouldn't be less than 10.", "10 is local")
        if source == target and value != 10:
            raise props.refusal(f"Local distance of node {source} should be 10.", "10 is local")
        self.distances[source, target] = value

    def complete(self, ram: int, ram_backend: str | None) -> tuple[NumaNode, ...]:
        """Check the nodes as a whole (``numa_complete_configuration``), and return them, ascending.

        Raises
        ------
        Refusal
            A node is missing, the sum is wrong, or a backend is used twice.
        """
        if not self.nodes:
            return ()
        for node in reversed(range(max(self.nodes))):
            if node not in self.nodes:
                raise Refusal(f"numa: Node ID missing: {node}", "number nodes from 0 up, without gaps")
        nodes = tuple(self.nodes[one] for one in sorted(self.nodes))
        total = sum(self.backends[one.memdev].size if one.memdev else one.mem for one in nodes)
        if total != ram:
            raise Refusal(
                f"total memory for NUMA nodes ({total:#x}) should equal RAM size ({ram:#x})",
                "give -m the sum of the nodes' memory backends",
            )
        named = [one.memdev for one in nodes if one.memdev]
        if any(one.mem for one in nodes):
            return nodes
        if ram_backend is not None:
            raise Refusal(
                "'-machine memory-backend' and '-numa memdev' properties are mutually exclusive", "leave one out"
            )
        for index, name in enumerate(named):
            if name in named[:index]:
                raise Refusal(f"memory backend {name} can't be used multiple times.", "one backend per node")
        self._check_distances(len(nodes))
        return nodes

    def _check_distances(self, count: int) -> None:
        if not self.distances:
            return
        pairs = [(one, other) for one in range(count) for other in range(one + 1, count)]
        for one, other in pairs:
            if (one, other) not in self.distances and (other, one) not in self.distances:
                raise Refusal(
                    f"The distance between node {one} and {other} is missing, at least one distance value between each "
                    "nodes should be provided.",
                    "add -numa dist for every pair",
                )
        differs = any(
            self.distances.get(pair) != self.distances.get(pair[::-1])
            for pair in pairs
            if pair in self.distances and pair[::-1] in self.distances
        )
        if differs and any(pair not in self.distances or pair[::-1] not in self.distances for pair in pairs):
            raise Refusal(
                "At least one asymmetrical pair of distances is given, please provide distances for both directions of "
                "all node pairs.",
                "add -numa dist for both directions",
            )
