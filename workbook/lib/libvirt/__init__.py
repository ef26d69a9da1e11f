"""libvirt domain XML: read it into a `Scenario`, write it from one."""

from .reader import read_domain
from .writer import write_domain

__all__ = ("read_domain", "write_domain")
