"""libvirt domain XML: read it into a `Scenario`, write it from one."""

from .hotplug import AttachedDevice, read_attached
from .reader import read_domain, read_domain_line
from .writer import write_domain

__all__ = ("AttachedDevice", "read_attached", "read_domain", "read_domain_line", "write_domain")
