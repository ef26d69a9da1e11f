"""Command lines of the machines that charts are drawn of."""

from collections.abc import Callable

from workbook.lib.machine.snapshot import Layout

COVER_LETTER = (
    "-machine pc -cpu qemu64,vendor=GenuineIntel,phys-bits=48 -m 4G,slots=17,maxmem=1T -accel kvm "
    "-object memory-backend-ram,id=mem0,size=500G -device virtio-mem-pci,id=vm0,memdev=mem0"
)
ONE_TIB = COVER_LETTER.replace("maxmem=1T", "maxmem=3T").replace("size=500G", "size=1T")
TWO_DEVICES = (
    "-nodefaults -accel kvm -machine q35,memory-backend=ram -cpu qemu64,vendor=GenuineIntel,phys-bits=48 "
    "-m 4G,slots=2,maxmem=256G "
    "-object memory-backend-memfd,id=ram,size=4G -object memory-backend-memfd,id=m0,size=64G "
    "-object memory-backend-memfd,id=m1,size=32G -object memory-backend-memfd,id=md,size=8G "
    "-chardev socket,id=c,path=/tmp/c -device vhost-user-fs-pci,id=vu0,chardev=c,tag=t "
    "-device pc-dimm,id=dimm0,memdev=md -device virtio-mem-pci,id=vm0,memdev=m0 -device virtio-mem-pci,id=vm1,memdev=m1"
)

CoverLetter = Callable[[int], Layout]
