"""What memslots cost the kernel: the public name of `workbook.lib.cost.kvm`."""

from workbook.lib.cost.kvm import MAX_SLOT_PAGES, Arch, Cost, DirtyTracking, KvmCost, KvmHost, Part, kernel_version

__all__ = ("MAX_SLOT_PAGES", "Arch", "Cost", "DirtyTracking", "KvmCost", "KvmHost", "Part", "kernel_version")
