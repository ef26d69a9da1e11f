"""Random VMs: a real QEMU against the model."""
