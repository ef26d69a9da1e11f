"""The judges on this machine: processes, sockets and ioctls; nothing else in the project touches them."""

from .this_host import this_host

__all__ = ("this_host",)
