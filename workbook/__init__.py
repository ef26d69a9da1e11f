"""Memslot workbook: virtio-mem device memory through separate memslots, equal to QEMU and KVM."""
