"""What memslots and memory devices cost: the kernel's metadata, QEMU's bitmaps, and measurements of both."""
