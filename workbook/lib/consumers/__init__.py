"""Consumers of memslots: KVM, vhost back ends and VFIO containers."""
