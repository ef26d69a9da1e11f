"""The judges on this machine: processes, sockets and ioctls; nothing else in the project touches them."""
