"""Guest memory as QEMU models it: MemoryRegion tree, FlatView, `info mtree`, and memslot borders."""
