"""KubeVirt's VirtualMachine objects: read one into a `Scenario`, by way of the domain XML that KubeVirt makes of it."""

from .domain import domain_of, read_virtual_machine
from .manifest import virtual_machines
from .pod_overhead import PodOverhead, pod_overhead

__all__ = ("PodOverhead", "domain_of", "pod_overhead", "read_virtual_machine", "virtual_machines")
