"""KubeVirt's VirtualMachine objects: read one into a `Scenario`, by way of the domain XML that KubeVirt makes of it."""

from .domain import domain_of, read_virtual_machine
from .manifest import virtual_machines

__all__ = ("domain_of", "read_virtual_machine", "virtual_machines")
