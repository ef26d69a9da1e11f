"""What QEMU 10.0.2 knows by name; made by ``python -m workbook.live.qemu.catalogue --write``.

Every name and type is QEMU's own answer to qom-list-types, device-list-properties, qom-list-properties,
query-machines, query-cpu-definitions, query-cpu-model-expansion and ``-help``.
`workbook.lib.qemu_args.catalogue` reads it.
"""

from typing import Final

OPTIONS: Final[dict[str, bool]] = {
    "D": True,
    "L": True,
    "M": True,
    "S": False,
    "accel": True,
    "acpitable": True,
    "action": True,
    "add-fd": True,
    "append": True,
    "audio": True,
    "audiodev": True,
    "bios": True,
    "blockdev": True,
    "boot": True,
    "cdrom": True,
    "chardev": True,
    "compat": True,
    "cpu": True,
    "d": True,
    "daemonize": False,
    "debugcon": True,
    "device": True,
    "dfilter": True,
    "display": True,
    "drive": True,
    "dtb": True,
    "dump-vmstate": True,
    "echr": True,
    "enable-kvm": False,
    "enable-sync-profile": False,
    "fda": True,
    "fdb": True,
    "fsdev": True,
    "full-screen": False,
    "fw_cfg": True,
    "g": True,
    "gdb": True,
    "global": True,
    "h": False,
    "hda": True,
    "hdb": True,
    "hdc": True,
    "hdd": True,
    "help": False,
    "icount": True,
    "incoming": True,
    "initrd": True,
    "iscsi": True,
    "jitdump": False,
    "k": True,
    "kernel": True,
    "loadvm": True,
    "m": True,
    "machine": True,
    "mem-path": True,
    "mem-prealloc": False,
    "mon": True,
    "monitor": True,
    "msg": True,
    "mtdblock": True,
    "name": True,
    "net": True,
    "netdev": True,
    "nic": True,
    "no-fd-bootchk": False,
    "no-reboot": False,
    "no-shutdown": False,
    "no-user-config": False,
    "nodefaults": False,
    "nographic": False,
    "numa": True,
    "object": True,
    "old-param": False,
    "only-migratable": False,
    "option-rom": True,
    "overcommit": True,
    "parallel": True,
    "perfmap": False,
    "pflash": True,
    "pidfile": True,
    "plugin": True,
    "preconfig": False,
    "prom-env": True,
    "qmp": True,
    "qmp-pretty": True,
    "qtest": True,
    "qtest-log": True,
    "readconfig": True,
    "rtc": True,
    "run-with": True,
    "s": False,
    "sandbox": True,
    "sd": True,
    "seed": True,
    "semihosting": False,
    "semihosting-config": True,
    "serial": True,
    "set": True,
    "shim": True,
    "smbios": True,
    "smp": True,
    "snapshot": False,
    "spice": True,
    "tpmdev": True,
    "trace": True,
    "usb": False,
    "usbdevice": True,
    "uuid": True,
    "version": False,
    "vga": True,
    "virtfs": True,
    "vnc": True,
    "watchdog-action": True,
    "win2k-hack": False,
    "xen-attach": False,
    "xen-domid": True,
    "xen-domid-restrict": False,
}
MACHINES: Final[dict[str, str]] = {
    "isapc": "cpus=1",
    "microvm": "cpus=288",
    "none": "cpus=1",
    "pc-i440fx-10.0": "alias=pc cpus=255",
    "pc-i440fx-2.10": "deprecated numa-mem cpus=255",
    "pc-i440fx-2.11": "deprecated numa-mem cpus=255",
    "pc-i440fx-2.12": "deprecated numa-mem cpus=255",
    "pc-i440fx-2.4": "deprecated numa-mem cpus=255",
    "pc-i440fx-2.5": "deprecated numa-mem cpus=255",
    "pc-i440fx-2.6": "deprecated numa-mem cpus=255",
    "pc-i440fx-2.7": "deprecated numa-mem cpus=255",
    "pc-i440fx-2.8": "deprecated numa-mem cpus=255",
    "pc-i440fx-2.9": "deprecated numa-mem cpus=255",
    "pc-i440fx-3.0": "deprecated numa-mem cpus=255",
    "pc-i440fx-3.1": "deprecated numa-mem cpus=255",
    "pc-i440fx-4.0": "deprecated numa-mem cpus=255",
    "pc-i440fx-4.1": "deprecated numa-mem cpus=255",
    "pc-i440fx-4.2": "deprecated numa-mem cpus=255",
    "pc-i440fx-5.0": "deprecated numa-mem cpus=255",
    "pc-i440fx-5.1": "deprecated cpus=255",
    "pc-i440fx-5.2": "deprecated cpus=255",
    "pc-i440fx-6.0": "deprecated cpus=255",
    "pc-i440fx-6.1": "deprecated cpus=255",
    "pc-i440fx-6.2": "deprecated cpus=255",
    "pc-i440fx-7.0": "deprecated cpus=255",
    "pc-i440fx-7.1": "cpus=255",
    "pc-i440fx-7.2": "cpus=255",
    "pc-i440fx-8.0": "cpus=255",
    "pc-i440fx-8.1": "cpus=255",
    "pc-i440fx-8.2": "cpus=255",
    "pc-i440fx-9.0": "cpus=255",
    "pc-i440fx-9.1": "cpus=255",
    "pc-i440fx-9.2": "cpus=255",
    "pc-q35-10.0": "alias=q35 cpus=4096",
    "pc-q35-2.10": "deprecated numa-mem cpus=288",
    "pc-q35-2.11": "deprecated numa-mem cpus=288",
    "pc-q35-2.12": "deprecated numa-mem cpus=288",
    "pc-q35-2.4": "deprecated numa-mem cpus=255",
    "pc-q35-2.5": "deprecated numa-mem cpus=255",
    "pc-q35-2.6": "deprecated numa-mem cpus=255",
    "pc-q35-2.7": "deprecated numa-mem cpus=255",
    "pc-q35-2.8": "deprecated numa-mem cpus=288",
    "pc-q35-2.9": "deprecated numa-mem cpus=288",
    "pc-q35-3.0": "deprecated numa-mem cpus=288",
    "pc-q35-3.1": "deprecated numa-mem cpus=288",
    "pc-q35-4.0": "deprecated numa-mem cpus=288",
    "pc-q35-4.0.1": "deprecated numa-mem cpus=288",
    "pc-q35-4.1": "deprecated numa-mem cpus=288",
    "pc-q35-4.2": "deprecated numa-mem cpus=288",
    "pc-q35-5.0": "deprecated numa-mem cpus=288",
    "pc-q35-5.1": "deprecated cpus=288",
    "pc-q35-5.2": "deprecated cpus=288",
    "pc-q35-6.0": "deprecated cpus=288",
    "pc-q35-6.1": "deprecated cpus=288",
    "pc-q35-6.2": "deprecated cpus=288",
    "pc-q35-7.0": "deprecated cpus=288",
    "pc-q35-7.1": "cpus=288",
    "pc-q35-7.2": "cpus=288",
    "pc-q35-8.0": "cpus=288",
    "pc-q35-8.1": "cpus=1024",
    "pc-q35-8.2": "cpus=1024",
    "pc-q35-9.0": "cpus=4096",
    "pc-q35-9.1": "cpus=4096",
    "pc-q35-9.2": "cpus=4096",
    "x-remote": "cpus=1",
}
MACHINE_PROPERTIES: Final[dict[str, str]] = {
    "q35": "acpi:OnOffAuto append:string aux-ram-share:bool boot:BootConfiguration bus-lock-ratelimit:uint64_t "
    "confidential-guest-support:link cxl-fmw:CXLFixedMemoryWindow cxl:bool default-bus-bypass-iommu:bool "
    "dt-compatible:string dtb:string dump-guest-core:bool dumpdtb:string fd-bootchk:bool firmware:string "
    "graphics:bool hmat:bool hpet:bool i8042:bool initrd:string kernel:string max-fw-size:size "
    "max-ram-below-4g:size mem-merge:bool memory-backend:link memory-encryption:string "
    "memory:MemorySizeConfiguration nvdimm-persistence:string nvdimm:bool pcspk-audiodev:str pflash0:str "
    "pflash1:str phandle-start:int pic:OnOffAuto pit:OnOffAuto sata:bool sgx-epc:SgxEPC shim:string "
    "smbios-entry-point-type:str smbus:bool smm:OnOffAuto smp-cache:SmpCachePropertiesWrapper "
    "smp:SMPConfiguration suppress-vmdesc:bool usb:bool vmport:OnOffAuto x-oem-id:string "
    "x-oem-table-id:string",
    "pc": "acpi:OnOffAuto append:string aux-ram-share:bool boot:BootConfiguration bus-lock-ratelimit:uint64_t "
    "confidential-guest-support:link cxl-fmw:CXLFixedMemoryWindow cxl:bool default-bus-bypass-iommu:bool "
    "dt-compatible:string dtb:string dump-guest-core:bool dumpdtb:string fd-bootchk:bool firmware:string "
    "graphics:bool hmat:bool hpet:bool i8042:bool initrd:string kernel:string max-fw-size:size "
    "max-ram-below-4g:size mem-merge:bool memory-backend:link memory-encryption:string "
    "memory:MemorySizeConfiguration nvdimm-persistence:string nvdimm:bool pcspk-audiodev:str pflash0:str "
    "pflash1:str phandle-start:int pic:OnOffAuto pit:OnOffAuto sata:bool sgx-epc:SgxEPC shim:string "
    "smbios-entry-point-type:str smbus:bool smm:OnOffAuto smp-cache:SmpCachePropertiesWrapper "
    "smp:SMPConfiguration suppress-vmdesc:bool usb:bool vmport:OnOffAuto x-oem-id:string "
    "x-oem-table-id:string x-south-bridge:PCSouthBridgeOption",
    "microvm": "acpi:OnOffAuto append:string auto-kernel-cmdline:bool aux-ram-share:bool boot:BootConfiguration "
    "bus-lock-ratelimit:uint64_t confidential-guest-support:link dt-compatible:string dtb:string "
    "dump-guest-core:bool dumpdtb:string firmware:string graphics:bool hmat:bool initrd:string "
    "ioapic2:OnOffAuto isa-serial:bool kernel:string mem-merge:bool memory-backend:link "
    "memory-encryption:string memory:MemorySizeConfiguration pcie:OnOffAuto phandle-start:int "
    "pic:OnOffAuto pit:OnOffAuto rtc:OnOffAuto sgx-epc:SgxEPC shim:string smm:OnOffAuto "
    "smp-cache:SmpCachePropertiesWrapper smp:SMPConfiguration suppress-vmdesc:bool usb:bool "
    "x-oem-id:string x-oem-table-id:string x-option-roms:bool",
}
ACCELERATOR_PROPERTIES: Final[dict[str, str]] = {
    "kvm": "device:string dirty-ring-size:uint32 kernel-irqchip:on|off|split kvm-shadow-mem:int "
    "notify-vmexit:NotifyVMexitOption notify-window:uint32 rapl-helper-socket:string rapl:bool "
    "xen-evtchn-max-pirq:uint16 xen-gnttab-max-frames:uint16 xen-version:uint32",
    "tcg": "one-insn-per-tb:bool split-wx:bool tb-size:int thread:string",
    "xen": "",
}
COMMON_PROPERTIES: Final[dict[str, str]] = {
    "virtio-pci": "acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool busnr:busnr event_idx:bool "
    "failover_pair_id:str in_order:bool indirect_desc:bool iommu_platform:bool migrate-extra:bool "
    "modern-pio-notify:bool multifunction:bool notify_on_empty:bool packed:bool page-per-vq:bool "
    "queue_reset:bool rombar:int32 romfile:str romsize:uint32 use-disabled-flag:bool "
    "use-started:bool vectors:uint32 virtio-pci-bus-master-bug-migration:bool "
    "x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool "
    "x-ignore-backend-features:bool x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool "
    "x-pcie-deverr-init:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-extcap-init:bool "
    "x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-lnksta-dllla:bool x-pcie-pm-init:bool "
    "x-pcie-pm-no-soft-reset:bool",
    "pci": "acpi-index:uint32 addr:str busnr:busnr failover_pair_id:str multifunction:bool rombar:int32 "
    "romfile:str romsize:uint32 x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool "
    "x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-extcap-init:bool x-pcie-lnksta-dllla:bool",
    "virtio": "any_layout:bool event_idx:bool in_order:bool indirect_desc:bool iommu_platform:bool "
    "notify_on_empty:bool packed:bool queue_reset:bool use-disabled-flag:bool use-started:bool "
    "x-disable-legacy-check:bool",
    "scsi": "bootindex:int32 channel:uint32 drive:str lun:uint32 scsi-id:uint32 share-rw:bool",
    "ccid": "debug:uint8",
    "usb": "attached:bool msos-desc:bool pcap:str port:str serial:str",
}
DEVICES: Final[dict[str, str]] = {
    "AC97": "@pci audiodev:str",
    "AMDVI-PCI": "@pci",
    "ES1370": "@pci audiodev:str",
    "VGA": "@pci big-endian-framebuffer:bool edid:bool global-vmstate:bool mmio:bool qemu-extended-regs:bool "
    "refresh_rate:uint32 vgamem_mb:uint32 xmax:uint32 xres:uint32 ymax:uint32 yres:uint32",
    "acpi-erst": "@pci memdev:link record_size:uint32",
    "adlib": "audiodev:str freq:uint32 iobase:uint32",
    "am53c974": "@pci",
    "amd-iommu": "device-iotlb:bool intremap:OnOffAuto pt:bool xtsup:bool",
    "ati-vga": "@pci guest_hwcursor:bool model:str vgamem_mb:uint32 x-device-id:uint16 x-pixman:uint8",
    "bochs-display": "@pci big-endian-framebuffer:bool edid:bool refresh_rate:uint32 vgamem:size xmax:uint32 "
    "xres:uint32 ymax:uint32 yres:uint32",
    "ccid-card-emulated": "@ccid backend:str cert1:str cert2:str cert3:str db:str slot:uint32",
    "ccid-card-passthru": "@ccid chardev:str slot:uint32",
    "cirrus-vga": "@pci blitter:bool global-vmstate:bool vgamem_mb:uint32",
    "cs4231a": "audiodev:str dma:uint32 iobase:uint32 irq:uint32",
    "ctucan_pci": "@pci canbus0:link canbus1:link",
    "cxl-downstream": "@pci aer_log_max:uint16 chassis:uint8 hotplug:bool port:uint8 slot:uint16 "
    "x-do-not-expose-native-hotplug-cap:bool x-pci-express-writeable-slt-bug:bool "
    "x-speed:PCIELinkSpeed x-width:PCIELinkWidth",
    "cxl-rp": "@pci aer_log_max:uint16 bus-reserve:uint32 chassis:uint8 disable-acs:bool hotplug:bool "
    "io-reserve:size mem-reserve:size port:uint8 power_controller_present:bool pref32-reserve:size "
    "pref64-reserve:size slot:uint16 x-do-not-expose-native-hotplug-cap:bool "
    "x-pci-express-writeable-slt-bug:bool x-speed:PCIELinkSpeed x-width:PCIELinkWidth",
    "cxl-switch-mailbox-cci": "@pci target:link",
    "cxl-type3": "@pci cdat:str lsa:link memdev:link num-dc-regions:uint8 persistent-memdev:link sn:uint64 "
    "volatile-dc-memdev:link volatile-memdev:link x-speed:PCIELinkSpeed x-width:PCIELinkWidth",
    "cxl-upstream": "@pci aer_log_max:uint16 cdat:str port:uint8 sn:uint64 x-pci-express-writeable-slt-bug:bool "
    "x-speed:PCIELinkSpeed x-width:PCIELinkWidth",
    "dc390": "@pci",
    "e1000": "@pci bootindex:int32 extra_mac_registers:bool init-vet:bool mac:str migrate_tso_props:bool netdev:str",
    "e1000-82544gc": "@pci bootindex:int32 extra_mac_registers:bool init-vet:bool mac:str migrate_tso_props:bool "
    "netdev:str",
    "e1000-82545em": "@pci bootindex:int32 extra_mac_registers:bool init-vet:bool mac:str migrate_tso_props:bool "
    "netdev:str",
    "e1000e": "@pci bootindex:int32 disable_vnet_hdr:uint8 init-vet:bool mac:str migrate-timadj:bool netdev:str "
    "subsys:uint16 subsys_ven:uint16",
    "edu": "@pci dma_mask:uint64",
    "floppy": "account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto "
    "discard_granularity:size drive-type:FloppyDriveType drive:str logical_block_size:size "
    "min_io_size:size opt_io_size:size physical_block_size:size share-rw:bool unit:uint32 "
    "write-cache:OnOffAuto",
    "guest-loader": "addr:uint64 bootargs:str initrd:str kernel:str",
    "gus": "audiodev:str dma:uint32 freq:uint32 iobase:uint32 irq:uint32",
    "hda-duplex": "audiodev:str cad:uint32 debug:uint32 mixer:bool use-timer:bool",
    "hda-micro": "audiodev:str cad:uint32 debug:uint32 mixer:bool use-timer:bool",
    "hda-output": "audiodev:str cad:uint32 debug:uint32 mixer:bool use-timer:bool",
    "hv-balloon": "addr:uint64 instanceid:str memdev:link status-report:bool",
    "hv-syndbg": "host_ip:str host_port:uint16 use_hcalls:bool",
    "hyperv-testdev": "",
    "i2c-ddc": "address:uint8 refresh_rate:uint32 xmax:uint32 xres:uint32 ymax:uint32 yres:uint32",
    "i2c-echo": "address:uint8",
    "i6300esb": "@pci",
    "i8042": "a20[0]:link extended-state:bool kbd-irq:uint8 kbd-throttle:bool mouse-irq:uint8 "
    "unnamed-gpio-out[0]:link unnamed-gpio-out[1]:link",
    "i82550": "@pci bootindex:int32 mac:str netdev:str",
    "i82551": "@pci bootindex:int32 mac:str netdev:str",
    "i82557a": "@pci bootindex:int32 mac:str netdev:str",
    "i82557b": "@pci bootindex:int32 mac:str netdev:str",
    "i82557c": "@pci bootindex:int32 mac:str netdev:str",
    "i82558a": "@pci bootindex:int32 mac:str netdev:str",
    "i82558b": "@pci bootindex:int32 mac:str netdev:str",
    "i82559a": "@pci bootindex:int32 mac:str netdev:str",
    "i82559b": "@pci bootindex:int32 mac:str netdev:str",
    "i82559c": "@pci bootindex:int32 mac:str netdev:str",
    "i82559er": "@pci bootindex:int32 mac:str netdev:str",
    "i82562": "@pci bootindex:int32 mac:str netdev:str",
    "i82801": "@pci bootindex:int32 mac:str netdev:str",
    "i82801b11-bridge": "@pci x-pci-express-writeable-slt-bug:bool",
    "ib700": "",
    "ich9-ahci": "@pci",
    "ich9-intel-hda": "@pci debug:uint32 msi:OnOffAuto old_msi_addr:bool",
    "ich9-usb-ehci1": "@pci maxframes:uint32",
    "ich9-usb-ehci2": "@pci maxframes:uint32",
    "ich9-usb-uhci1": "@pci bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32",
    "ich9-usb-uhci2": "@pci bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32",
    "ich9-usb-uhci3": "@pci bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32",
    "ich9-usb-uhci4": "@pci bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32",
    "ich9-usb-uhci5": "@pci bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32",
    "ich9-usb-uhci6": "@pci bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32",
    "ide-cd": "account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto bootindex:int32 "
    "discard_granularity:size drive:str logical_block_size:size min_io_size:size model:str "
    "opt_io_size:size physical_block_size:size rerror:BlockdevOnError serial:str share-rw:bool "
    "unit:uint32 ver:str werror:BlockdevOnError win2k-install-hack:bool write-cache:OnOffAuto "
    "wwn:uint64",
    "ide-cf": "account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto "
    "bios-chs-trans:BiosAtaTranslation bootindex:int32 cyls:uint32 discard_granularity:size drive:str "
    "heads:uint32 lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32 min_io_size:size "
    "model:str opt_io_size:size physical_block_size:size rerror:BlockdevOnError secs:uint32 serial:str "
    "share-rw:bool unit:uint32 ver:str werror:BlockdevOnError win2k-install-hack:bool "
    "write-cache:OnOffAuto wwn:uint64",
    "ide-hd": "account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto "
    "bios-chs-trans:BiosAtaTranslation bootindex:int32 cyls:uint32 discard_granularity:size drive:str "
    "heads:uint32 lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32 min_io_size:size "
    "model:str opt_io_size:size physical_block_size:size rerror:BlockdevOnError rotation_rate:uint16 "
    "secs:uint32 serial:str share-rw:bool unit:uint32 ver:str werror:BlockdevOnError "
    "win2k-install-hack:bool write-cache:OnOffAuto wwn:uint64",
    "igb": "@pci bootindex:int32 mac:str netdev:str x-pcie-flr-init:bool",
    "intel-hda": "@pci debug:uint32 msi:OnOffAuto old_msi_addr:bool",
    "intel-iommu": "aw-bits:uint8 caching-mode:bool device-iotlb:bool dma-drain:bool dma-translation:bool "
    "eim:OnOffAuto fs1gp:bool intremap:OnOffAuto pt:bool snoop-control:bool stale-tm:bool "
    "version:uint32 x-buggy-eim:bool x-flts:bool x-pasid-mode:bool x-scalable-mode:bool",
    "ioh3420": "@pci aer_log_max:uint16 chassis:uint8 disable-acs:bool hotplug:bool port:uint8 "
    "power_controller_present:bool slot:uint16 x-do-not-expose-native-hotplug-cap:bool "
    "x-pci-express-writeable-slt-bug:bool",
    "ipmi-bmc-extern": "chardev:str slave_addr:uint8",
    "ipmi-bmc-sim": "device_id:uint8 device_rev:uint8 fruareasize:uint16 frudatafile:str fwrev1:uint8 "
    "fwrev2:uint8 guid:str ipmi_version:uint8 mfg_id:uint32 product_id:uint16 sdrfile:str "
    "slave_addr:uint8",
    "ipoctal232": "chardev0:str chardev1:str chardev2:str chardev3:str chardev4:str chardev5:str chardev6:str "
    "chardev7:str slot:int32",
    "isa-applesmc": "iobase:uint32 osk:str",
    "isa-cirrus-vga": "blitter:bool vgamem_mb:uint32",
    "isa-debug-exit": "iobase:uint32 iosize:uint32",
    "isa-debugcon": "chardev:str iobase:uint32 readback:uint32",
    "isa-fdc": "bootindexA:int32 bootindexB:int32 dma:uint32 fallback:FloppyDriveType fdtypeA:FloppyDriveType "
    "fdtypeB:FloppyDriveType iobase:uint32 irq:uint32",
    "isa-ide": "iobase2:uint32 iobase:uint32 irq:uint32",
    "isa-ipmi-bt": "bmc:link ioport:uint32 irq:int32",
    "isa-ipmi-kcs": "bmc:link ioport:uint32 irq:int32",
    "isa-parallel": "chardev:str index:uint32 iobase:uint32 irq:uint32",
    "isa-serial": "baudbase:uint32 chardev:str index:uint32 iobase:uint32 irq:uint32 wakeup:bool",
    "isa-vga": "vgamem_mb:uint32",
    "ivshmem-doorbell": "@pci chardev:str ioeventfd:bool master:OnOffAuto vectors:uint32",
    "ivshmem-plain": "@pci master:OnOffAuto memdev:link",
    "kvaser_pci": "@pci canbus:link",
    "loader": "addr:uint64 cpu-num:uint32 data-be:bool data-len:uint8 data:uint64 file:str force-raw:bool",
    "lsi53c810": "@pci",
    "lsi53c895a": "@pci",
    "mc146818rtc": "base_year:int32 iobase:uint16 irq:uint8 lost_tick_policy:LostTickPolicy",
    "megasas": "@pci hba_serial:str max_cmds:uint32 max_sge:uint32 msi:OnOffAuto msix:OnOffAuto "
    "sas_address:uint64 use_jbod:bool",
    "megasas-gen2": "@pci hba_serial:str max_cmds:uint32 max_sge:uint32 msi:OnOffAuto msix:OnOffAuto "
    "sas_address:uint64 use_jbod:bool",
    "mioe3680_pci": "@pci canbus0:link canbus1:link",
    "mptsas1068": "@pci msi:OnOffAuto sas_address:uint64",
    "ne2k_isa": "bootindex:int32 iobase:uint32 irq:uint32 mac:str netdev:str",
    "ne2k_pci": "@pci bootindex:int32 mac:str netdev:str",
    "nec-usb-xhci": "@pci conditional-intr-mapping:bool host:link intrs:uint32 msi:OnOffAuto msix:OnOffAuto "
    "p2:uint32 p3:uint32 slots:uint32 streams:bool",
    "nvdimm": "addr:uint64 label-size:int memdev:link node:uint32 size:uint64 slot:int32 unarmed:bool uuid:QemuUUID",
    "nvme": "@pci account-failed:OnOffAuto account-invalid:OnOffAuto aer_max_queued:uint32 aerl:uint8 "
    "atomic.awun:uint16 atomic.awupf:uint16 atomic.dn:bool backend_defaults:OnOffAuto bootindex:int32 "
    "cmb_size_mb:uint32 ctratt.mem:bool dbcs:bool discard_granularity:size drive:str ioeventfd:bool "
    "logical_block_size:size max_ioqpairs:uint32 mdts:uint8 min_io_size:size mqes:uint16 "
    "msix-exclusive-bar:bool msix_qsize:uint16 num_queues:uint32 ocp:bool opt_io_size:size "
    "physical_block_size:size pmrdev:link serial:str share-rw:bool smart_critical_warning:uint8 "
    "spdm_port:uint16 sriov_max_vfs:uint16 sriov_max_vi_per_vf:uint32 sriov_max_vq_per_vf:uint32 "
    "sriov_vi_flexible:uint16 sriov_vq_flexible:uint16 subsys:link use-intel-id:bool vsl:uint8 "
    "write-cache:OnOffAuto zoned.auto_transition:bool zoned.zasl:uint8",
    "nvme-ns": "account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto bootindex:int32 "
    "detached:bool discard_granularity:size drive:str eui64-default:bool eui64:uint64 fdp.ruhs:str "
    "logical_block_size:size mcl:uint32 min_io_size:size ms:uint16 mset:uint8 msrc:uint8 mssrl:uint16 "
    "nguid:str nsid:uint32 opt_io_size:size physical_block_size:size pi:uint8 pif:uint8 pil:uint8 "
    "share-rw:bool shared:bool uuid:str write-cache:OnOffAuto zoned.cross_read:bool "
    "zoned.descr_ext_size:uint32 zoned.max_active:uint32 zoned.max_open:uint32 zoned.numzrwa:uint32 "
    "zoned.zone_capacity:size zoned.zone_size:size zoned.zrwafg:size zoned.zrwas:size zoned:bool",
    "nvme-subsys": "fdp.nrg:uint32 fdp.nruh:uint16 fdp.runs:size fdp:bool nqn:str",
    "pc-dimm": "addr:uint64 memdev:link node:uint32 size:uint64 slot:int32",
    "pc-testdev": "",
    "pci-bridge": "@pci bus-reserve:uint32 chassis_nr:uint8 io-reserve:size mem-reserve:size msi:OnOffAuto "
    "pref32-reserve:size pref64-reserve:size shpc:bool x-pci-express-writeable-slt-bug:bool",
    "pci-bridge-seat": "@pci bus-reserve:uint32 chassis_nr:uint8 io-reserve:size mem-reserve:size msi:OnOffAuto "
    "pref32-reserve:size pref64-reserve:size shpc:bool x-pci-express-writeable-slt-bug:bool",
    "pci-ipmi-bt": "@pci bmc:link",
    "pci-ipmi-kcs": "@pci bmc:link",
    "pci-ohci": "@pci firstport:uint32 masterbus:str num-ports:uint32",
    "pci-serial": "@pci baudbase:uint32 chardev:str prog_if:uint8 wakeup:bool",
    "pci-serial-2x": "@pci chardev1:str chardev2:str prog_if:uint8",
    "pci-serial-4x": "@pci chardev1:str chardev2:str chardev3:str chardev4:str prog_if:uint8",
    "pci-testdev": "@pci membar:size",
    "pcie-pci-bridge": "@pci msi:OnOffAuto x-pci-express-writeable-slt-bug:bool",
    "pcie-root-port": "@pci aer_log_max:uint16 bus-reserve:uint32 chassis:uint8 disable-acs:bool hotplug:bool "
    "io-reserve:size mem-reserve:size port:uint8 power_controller_present:bool "
    "pref32-reserve:size pref64-reserve:size slot:uint16 "
    "x-do-not-expose-native-hotplug-cap:bool x-migrate-msix:bool "
    "x-pci-express-writeable-slt-bug:bool x-speed:PCIELinkSpeed x-width:PCIELinkWidth",
    "pcm3680_pci": "@pci canbus0:link canbus1:link",
    "pcnet": "@pci bootindex:int32 mac:str netdev:str",
    "piix3-ide": "@pci isa-irq[0]:link isa-irq[1]:link",
    "piix3-usb-uhci": "@pci bandwidth:uint32 maxframes:uint32",
    "piix4-ide": "@pci isa-irq[0]:link isa-irq[1]:link",
    "piix4-usb-uhci": "@pci bandwidth:uint32 maxframes:uint32",
    "pvpanic": "events:uint8 ioport:uint16",
    "pvpanic-pci": "@pci events:uint8",
    "pvscsi": "@pci use_msg:uint8 x-disable-pcie:bool x-old-pci-configuration:bool",
    "pxb": "@pci bus_nr:uint8 bypass_iommu:bool numa_node:uint16",
    "pxb-cxl": "@pci bus_nr:uint8 bypass_iommu:bool hdm_for_passthrough:bool numa_node:uint16",
    "pxb-pcie": "@pci bus_nr:uint8 bypass_iommu:bool numa_node:uint16",
    "qemu-xhci": "@pci conditional-intr-mapping:bool host:link msi:OnOffAuto msix:OnOffAuto p2:uint32 p3:uint32 "
    "streams:bool",
    "ramfb": "x-migrate:bool",
    "rocker": "@pci fp_start_macaddr:str name:str ports:list switch_id:uint64 world:str",
    "rtl8139": "@pci bootindex:int32 mac:str netdev:str",
    "sb16": "audiodev:str dma16:uint32 dma:uint32 iobase:uint32 irq:uint32 version:uint32",
    "scsi-block": "@scsi io_timeout:uint32 max_io_size:uint64 max_unmap_size:uint64 rerror:BlockdevOnError "
    "rotation_rate:uint16 scsi_version:int32 werror:BlockdevOnError",
    "scsi-cd": "@scsi account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto device_id:str "
    "discard_granularity:size logical_block_size:size max_io_size:uint64 "
    "migrate-emulated-scsi-request:bool min_io_size:size opt_io_size:size physical_block_size:size "
    "port_index:uint16 port_wwn:uint64 product:str quirk_mode_page_apple_vendor:bool "
    "quirk_mode_page_truncated:bool quirk_mode_page_vendor_specific_apple:bool "
    "quirk_mode_sense_rom_use_dbd:bool rerror:BlockdevOnError scsi_version:int32 serial:str vendor:str "
    "ver:str werror:BlockdevOnError write-cache:OnOffAuto wwn:uint64",
    "scsi-generic": "@scsi io_timeout:uint32",
    "scsi-hd": "@scsi account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto cyls:uint32 "
    "device_id:str discard_granularity:size dpofua:bool heads:uint32 lcyls:uint32 lheads:uint32 "
    "logical_block_size:size lsecs:uint32 max_io_size:uint64 max_unmap_size:uint64 "
    "migrate-emulated-scsi-request:bool min_io_size:size opt_io_size:size physical_block_size:size "
    "port_index:uint16 port_wwn:uint64 product:str quirk_mode_page_vendor_specific_apple:bool "
    "removable:bool rerror:BlockdevOnError rotation_rate:uint16 scsi_version:int32 secs:uint32 "
    "serial:str vendor:str ver:str werror:BlockdevOnError write-cache:OnOffAuto wwn:uint64",
    "sd-card": "drive:str spec_version:uint8",
    "sd-card-spi": "drive:str spec_version:uint8",
    "sdhci-pci": "@pci capareg:uint64 endianness:uint8 maxcurr:uint64 sd-spec-version:uint8 uhs:uint8 vendor:uint8",
    "secondary-vga": "@pci big-endian-framebuffer:bool edid:bool qemu-extended-regs:bool refresh_rate:uint32 "
    "vgamem_mb:uint32 xmax:uint32 xres:uint32 ymax:uint32 yres:uint32",
    "smbus-ipmi": "address:uint8 bmc:link",
    "tpci200": "@pci",
    "tpm-crb": "ppi:bool tpmdev:str",
    "tpm-tis": "irq:uint32 ppi:bool tpmdev:str",
    "tulip": "@pci bootindex:int32 mac:str netdev:str",
    "u2f-passthru": "@usb hidraw:str",
    "uefi-vars-sysbus": "disable-custom-mode:bool force-secure-boot:bool jsonfile:str size:size use-pio:bool",
    "uefi-vars-x64": "disable-custom-mode:bool force-secure-boot:bool jsonfile:str size:size use-pio:bool",
    "ufs": "@pci mcq-maxq:uint8 mcq:bool nutmrs:uint8 nutrs:uint8 serial:str",
    "ufs-lu": "drive:str lun:uint8",
    "usb-audio": "@usb audiodev:str buffer:uint32 debug:uint32 multi:bool",
    "usb-bot": "@usb",
    "usb-braille": "@usb chardev:str",
    "usb-ccid": "@ccid attached:bool msos-desc:bool pcap:str port:str serial:str",
    "usb-ehci": "@pci maxframes:uint32",
    "usb-host": "@usb bootindex:int32 guest-reset:bool guest-resets-all:bool hostaddr:uint32 hostbus:uint32 "
    "hostdevice:str hostport:str isobsize:uint32 isobufs:uint32 loglevel:uint32 pipeline:bool "
    "productid:uint32 suppress-remote-wake:bool vendorid:uint32",
    "usb-hub": "@usb port-power:bool ports:uint32",
    "usb-kbd": "@usb display:str usb_version:uint32",
    "usb-mouse": "@usb usb_version:uint32",
    "usb-mtp": "@usb desc:str readonly:bool rootdir:str",
    "usb-net": "@usb bootindex:int32 mac:str netdev:str",
    "usb-redir": "@ccid attached:bool bootindex:int32 chardev:str filter:str msos-desc:bool pcap:str port:str "
    "serial:str streams:bool suppress-remote-wake:bool",
    "usb-serial": "@usb always-plugged:bool chardev:str",
    "usb-storage": "@usb account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto "
    "bootindex:int32 commandlog:bool discard_granularity:size drive:str logical_block_size:size "
    "min_io_size:size opt_io_size:size physical_block_size:size removable:bool "
    "rerror:BlockdevOnError share-rw:bool werror:BlockdevOnError write-cache:OnOffAuto",
    "usb-tablet": "@usb display:str head:uint32 usb_version:uint32",
    "usb-uas": "@usb log-scsi-req:uint32",
    "usb-wacom-tablet": "@usb",
    "vfio-pci": "@pci bootindex:int32 display:OnOffAuto enable-migration:OnOffAuto fd:string host:str "
    "iommufd:link migration-events:bool skip-vsc-check:bool sysfsdev:str vf-token:str "
    "x-balloon-allowed:bool x-device-dirty-page-tracking:OnOffAuto x-igd-gms:uint32 "
    "x-igd-legacy-mode:OnOffAuto x-igd-lpc:bool x-igd-opregion:bool x-intx-mmap-timeout-ms:uint32 "
    "x-migration-multifd-transfer:OnOffAuto x-msix-relocation:OffAutoPCIBAR x-no-geforce-quirks:bool "
    "x-no-kvm-intx:bool x-no-kvm-ioeventfd:bool x-no-kvm-msi:bool x-no-kvm-msix:bool x-no-mmap:bool "
    "x-no-vfio-ioeventfd:bool x-nv-gpudirect-clique:uint8 x-pci-device-id:uint32 "
    "x-pci-sub-device-id:uint32 x-pci-sub-vendor-id:uint32 x-pci-vendor-id:uint32 "
    "x-pre-copy-dirty-page-tracking:OnOffAuto x-req:bool x-vga:bool xres:uint32 yres:uint32",
    "vfio-pci-igd-lpc-bridge": "@pci",
    "vfio-pci-nohotplug": "@pci bootindex:int32 display:OnOffAuto enable-migration:OnOffAuto fd:string host:str "
    "iommufd:link migration-events:bool ramfb:bool skip-vsc-check:bool sysfsdev:str "
    "vf-token:str x-balloon-allowed:bool x-device-dirty-page-tracking:OnOffAuto "
    "x-igd-gms:uint32 x-igd-legacy-mode:OnOffAuto x-igd-lpc:bool x-igd-opregion:bool "
    "x-intx-mmap-timeout-ms:uint32 x-migration-multifd-transfer:OnOffAuto "
    "x-msix-relocation:OffAutoPCIBAR x-no-geforce-quirks:bool x-no-kvm-intx:bool "
    "x-no-kvm-ioeventfd:bool x-no-kvm-msi:bool x-no-kvm-msix:bool x-no-mmap:bool "
    "x-no-vfio-ioeventfd:bool x-nv-gpudirect-clique:uint8 x-pci-device-id:uint32 "
    "x-pci-sub-device-id:uint32 x-pci-sub-vendor-id:uint32 x-pci-vendor-id:uint32 "
    "x-pre-copy-dirty-page-tracking:OnOffAuto x-ramfb-migrate:OnOffAuto x-req:bool "
    "x-vga:bool xres:uint32 yres:uint32",
    "vhost-scsi": "@virtio boot_tpgt:uint32 bootindex:int32 cmd_per_lun:uint32 max_sectors:uint32 migratable:bool "
    "num_queues:uint32 seg_max_adjust:bool t10_pi:bool vhostfd:str virtqueue_size:uint32 "
    "worker_per_virtqueue:bool wwpn:str",
    "vhost-scsi-pci": "@virtio-pci boot_tpgt:uint32 bootindex:int32 cmd_per_lun:uint32 disable-legacy:OnOffAuto "
    "disable-modern:bool max_sectors:uint32 migratable:bool num_queues:uint32 "
    "seg_max_adjust:bool t10_pi:bool vhostfd:str virtqueue_size:uint32 "
    "worker_per_virtqueue:bool wwpn:str",
    "vhost-scsi-pci-non-transitional": "@virtio-pci boot_tpgt:uint32 bootindex:int32 cmd_per_lun:uint32 "
    "max_sectors:uint32 migratable:bool num_queues:uint32 seg_max_adjust:bool "
    "t10_pi:bool vhostfd:str virtqueue_size:uint32 worker_per_virtqueue:bool "
    "wwpn:str",
    "vhost-scsi-pci-transitional": "@virtio-pci boot_tpgt:uint32 bootindex:int32 cmd_per_lun:uint32 "
    "max_sectors:uint32 migratable:bool num_queues:uint32 seg_max_adjust:bool "
    "t10_pi:bool vhostfd:str virtqueue_size:uint32 worker_per_virtqueue:bool "
    "wwpn:str",
    "vhost-user-blk": "@virtio bootindex:int32 chardev:str config-wce:bool discard:bool num-queues:uint16 "
    "queue-size:uint32 write-zeroes:bool",
    "vhost-user-blk-pci": "@virtio-pci bootindex:int32 chardev:str class:uint32 config-wce:bool "
    "disable-legacy:OnOffAuto disable-modern:bool discard:bool num-queues:uint16 "
    "queue-size:uint32 write-zeroes:bool",
    "vhost-user-blk-pci-non-transitional": "@virtio-pci bootindex:int32 chardev:str class:uint32 config-wce:bool "
    "discard:bool num-queues:uint16 queue-size:uint32 write-zeroes:bool",
    "vhost-user-blk-pci-transitional": "@virtio-pci bootindex:int32 chardev:str class:uint32 config-wce:bool "
    "discard:bool num-queues:uint16 queue-size:uint32 write-zeroes:bool",
    "vhost-user-fs-device": "@virtio bootindex:int32 chardev:str num-request-queues:uint16 queue-size:uint16 tag:str",
    "vhost-user-fs-pci": "@virtio-pci bootindex:int32 chardev:str num-request-queues:uint16 queue-size:uint16 tag:str",
    "vhost-user-gpio-device": "@virtio chardev:str",
    "vhost-user-gpio-pci": "@pci aer:bool any_layout:bool ats:bool chardev:str event_idx:bool in_order:bool "
    "indirect_desc:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool "
    "notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool "
    "use-disabled-flag:bool use-started:bool virtio-pci-bus-master-bug-migration:bool "
    "x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool "
    "x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool "
    "x-pcie-lnkctl-init:bool x-pcie-pm-init:bool x-pcie-pm-no-soft-reset:bool",
    "vhost-user-gpu": "@virtio chardev:string edid:bool max_outputs:uint32 xres:uint32 yres:uint32",
    "vhost-user-gpu-pci": "@virtio-pci chardev:string disable-legacy:OnOffAuto disable-modern:bool edid:bool "
    "ioeventfd:bool max_outputs:uint32 xres:uint32 yres:uint32",
    "vhost-user-i2c-device": "@virtio chardev:str",
    "vhost-user-i2c-pci": "@pci aer:bool any_layout:bool ats:bool chardev:str event_idx:bool in_order:bool "
    "indirect_desc:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool "
    "notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool "
    "use-disabled-flag:bool use-started:bool virtio-pci-bus-master-bug-migration:bool "
    "x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool "
    "x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool "
    "x-pcie-lnkctl-init:bool x-pcie-pm-init:bool x-pcie-pm-no-soft-reset:bool",
    "vhost-user-input": "@virtio chardev:str",
    "vhost-user-input-pci": "@virtio-pci chardev:str disable-legacy:OnOffAuto disable-modern:bool",
    "vhost-user-rng": "@virtio chardev:str",
    "vhost-user-rng-pci": "@virtio-pci chardev:str",
    "vhost-user-scsi": "@virtio boot_tpgt:uint32 bootindex:int32 chardev:str cmd_per_lun:uint32 hotplug:bool "
    "max_sectors:uint32 num_queues:uint32 param_change:bool t10_pi:bool virtqueue_size:uint32",
    "vhost-user-scsi-pci": "@virtio-pci boot_tpgt:uint32 bootindex:int32 chardev:str cmd_per_lun:uint32 "
    "disable-legacy:OnOffAuto disable-modern:bool hotplug:bool max_sectors:uint32 "
    "num_queues:uint32 param_change:bool t10_pi:bool virtqueue_size:uint32",
    "vhost-user-scsi-pci-non-transitional": "@virtio-pci boot_tpgt:uint32 bootindex:int32 chardev:str "
    "cmd_per_lun:uint32 hotplug:bool max_sectors:uint32 num_queues:uint32 "
    "param_change:bool t10_pi:bool virtqueue_size:uint32",
    "vhost-user-scsi-pci-transitional": "@virtio-pci boot_tpgt:uint32 bootindex:int32 chardev:str "
    "cmd_per_lun:uint32 hotplug:bool max_sectors:uint32 num_queues:uint32 "
    "param_change:bool t10_pi:bool virtqueue_size:uint32",
    "vhost-user-snd": "@virtio chardev:str controls:bool",
    "vhost-user-snd-pci": "@pci aer:bool any_layout:bool ats:bool chardev:str controls:bool event_idx:bool "
    "in_order:bool indirect_desc:bool iommu_platform:bool migrate-extra:bool "
    "modern-pio-notify:bool notify_on_empty:bool packed:bool page-per-vq:bool "
    "queue_reset:bool use-disabled-flag:bool use-started:bool "
    "virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool "
    "x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool "
    "x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool "
    "x-pcie-pm-init:bool x-pcie-pm-no-soft-reset:bool",
    "vhost-user-vga": "@virtio-pci big-endian-framebuffer:bool chardev:string disable-legacy:OnOffAuto "
    "disable-modern:bool edid:bool ioeventfd:bool max_outputs:uint32 xres:uint32 yres:uint32",
    "vhost-user-vsock-device": "@virtio chardev:str seqpacket:OnOffAuto",
    "vhost-user-vsock-pci": "@virtio-pci chardev:str disable-legacy:OnOffAuto disable-modern:bool seqpacket:OnOffAuto",
    "vhost-user-vsock-pci-non-transitional": "@virtio-pci chardev:str seqpacket:OnOffAuto",
    "vhost-vdpa-device": "@virtio bootindex:int32 queue-size:uint16 vhostdev:str",
    "vhost-vdpa-device-pci": "@pci aer:bool any_layout:bool ats:bool bootindex:int32 disable-legacy:OnOffAuto "
    "disable-modern:bool event_idx:bool in_order:bool indirect_desc:bool "
    "iommu_platform:bool migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool "
    "packed:bool page-per-vq:bool queue-size:uint16 queue_reset:bool "
    "use-disabled-flag:bool use-started:bool vhostdev:str "
    "virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool "
    "x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool "
    "x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool "
    "x-pcie-pm-init:bool x-pcie-pm-no-soft-reset:bool",
    "vhost-vdpa-device-pci-non-transitional": "@pci aer:bool any_layout:bool ats:bool bootindex:int32 "
    "event_idx:bool in_order:bool indirect_desc:bool "
    "iommu_platform:bool migrate-extra:bool modern-pio-notify:bool "
    "notify_on_empty:bool packed:bool page-per-vq:bool "
    "queue-size:uint16 queue_reset:bool use-disabled-flag:bool "
    "use-started:bool vhostdev:str "
    "virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool "
    "x-disable-legacy-check:bool x-disable-pcie:bool "
    "x-ignore-backend-features:bool x-pcie-deverr-init:bool "
    "x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool "
    "x-pcie-pm-no-soft-reset:bool",
    "vhost-vdpa-device-pci-transitional": "@pci aer:bool any_layout:bool ats:bool bootindex:int32 event_idx:bool "
    "in_order:bool indirect_desc:bool iommu_platform:bool "
    "migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool "
    "packed:bool page-per-vq:bool queue-size:uint16 queue_reset:bool "
    "use-disabled-flag:bool use-started:bool vhostdev:str "
    "virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool "
    "x-disable-legacy-check:bool x-disable-pcie:bool "
    "x-ignore-backend-features:bool x-pcie-deverr-init:bool "
    "x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool "
    "x-pcie-pm-no-soft-reset:bool",
    "vhost-vsock-device": "@virtio guest-cid:uint64 seqpacket:OnOffAuto vhostfd:str",
    "vhost-vsock-pci": "@virtio-pci disable-legacy:OnOffAuto disable-modern:bool guest-cid:uint64 "
    "seqpacket:OnOffAuto vhostfd:str",
    "vhost-vsock-pci-non-transitional": "@virtio-pci guest-cid:uint64 seqpacket:OnOffAuto vhostfd:str",
    "virtconsole": "chardev:str name:str nr:uint32",
    "virtio-9p-device": "@virtio fsdev:str mount_tag:str",
    "virtio-9p-pci": "@virtio-pci disable-legacy:OnOffAuto disable-modern:bool fsdev:str ioeventfd:bool mount_tag:str",
    "virtio-9p-pci-non-transitional": "@virtio-pci fsdev:str ioeventfd:bool mount_tag:str",
    "virtio-9p-pci-transitional": "@virtio-pci fsdev:str ioeventfd:bool mount_tag:str",
    "virtio-balloon-device": "@virtio deflate-on-oom:bool free-page-hint:bool free-page-reporting:bool "
    "guest-stats-polling-interval:int guest-stats:gueststatistics iothread:link "
    "page-poison:bool qemu-4-0-config-size:bool",
    "virtio-balloon-pci": "@virtio-pci deflate-on-oom:bool disable-legacy:OnOffAuto disable-modern:bool "
    "free-page-hint:bool free-page-reporting:bool guest-stats-polling-interval:int "
    "guest-stats:gueststatistics ioeventfd:bool iothread:link page-poison:bool "
    "qemu-4-0-config-size:bool",
    "virtio-balloon-pci-non-transitional": "@virtio-pci deflate-on-oom:bool free-page-hint:bool "
    "free-page-reporting:bool guest-stats-polling-interval:int "
    "guest-stats:gueststatistics ioeventfd:bool iothread:link "
    "page-poison:bool qemu-4-0-config-size:bool",
    "virtio-balloon-pci-transitional": "@virtio-pci deflate-on-oom:bool free-page-hint:bool "
    "free-page-reporting:bool guest-stats-polling-interval:int "
    "guest-stats:gueststatistics ioeventfd:bool iothread:link page-poison:bool "
    "qemu-4-0-config-size:bool",
    "virtio-blk-device": "@virtio account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto "
    "bootindex:int32 config-wce:bool cyls:uint32 discard:bool discard_granularity:size "
    "drive:str heads:uint32 iothread-vq-mapping:IOThreadVirtQueueMappingList iothread:link "
    "lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32 "
    "max-discard-sectors:uint32 max-write-zeroes-sectors:uint32 min_io_size:size "
    "num-queues:uint16 opt_io_size:size physical_block_size:size queue-size:uint16 "
    "report-discard-granularity:bool request-merging:bool rerror:BlockdevOnError secs:uint32 "
    "seg-max-adjust:bool serial:str share-rw:bool werror:BlockdevOnError "
    "write-cache:OnOffAuto write-zeroes:bool x-enable-wce-if-config-wce:bool",
    "virtio-blk-pci": "@virtio-pci account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto "
    "bootindex:int32 class:uint32 config-wce:bool cyls:uint32 disable-legacy:OnOffAuto "
    "disable-modern:bool discard:bool discard_granularity:size drive:str heads:uint32 "
    "ioeventfd:bool iothread-vq-mapping:IOThreadVirtQueueMappingList iothread:link lcyls:uint32 "
    "lheads:uint32 logical_block_size:size lsecs:uint32 max-discard-sectors:uint32 "
    "max-write-zeroes-sectors:uint32 min_io_size:size num-queues:uint16 opt_io_size:size "
    "physical_block_size:size queue-size:uint16 report-discard-granularity:bool "
    "request-merging:bool rerror:BlockdevOnError secs:uint32 seg-max-adjust:bool serial:str "
    "share-rw:bool werror:BlockdevOnError write-cache:OnOffAuto write-zeroes:bool "
    "x-enable-wce-if-config-wce:bool",
    "virtio-blk-pci-non-transitional": "@virtio-pci account-failed:OnOffAuto account-invalid:OnOffAuto "
    "backend_defaults:OnOffAuto bootindex:int32 class:uint32 config-wce:bool "
    "cyls:uint32 discard:bool discard_granularity:size drive:str heads:uint32 "
    "ioeventfd:bool iothread-vq-mapping:IOThreadVirtQueueMappingList "
    "iothread:link lcyls:uint32 lheads:uint32 logical_block_size:size "
    "lsecs:uint32 max-discard-sectors:uint32 max-write-zeroes-sectors:uint32 "
    "min_io_size:size num-queues:uint16 opt_io_size:size "
    "physical_block_size:size queue-size:uint16 "
    "report-discard-granularity:bool request-merging:bool "
    "rerror:BlockdevOnError secs:uint32 seg-max-adjust:bool serial:str "
    "share-rw:bool werror:BlockdevOnError write-cache:OnOffAuto "
    "write-zeroes:bool x-enable-wce-if-config-wce:bool",
    "virtio-blk-pci-transitional": "@virtio-pci account-failed:OnOffAuto account-invalid:OnOffAuto "
    "backend_defaults:OnOffAuto bootindex:int32 class:uint32 config-wce:bool "
    "cyls:uint32 discard:bool discard_granularity:size drive:str heads:uint32 "
    "ioeventfd:bool iothread-vq-mapping:IOThreadVirtQueueMappingList iothread:link "
    "lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32 "
    "max-discard-sectors:uint32 max-write-zeroes-sectors:uint32 min_io_size:size "
    "num-queues:uint16 opt_io_size:size physical_block_size:size queue-size:uint16 "
    "report-discard-granularity:bool request-merging:bool rerror:BlockdevOnError "
    "secs:uint32 seg-max-adjust:bool serial:str share-rw:bool "
    "werror:BlockdevOnError write-cache:OnOffAuto write-zeroes:bool "
    "x-enable-wce-if-config-wce:bool",
    "virtio-crypto-device": "@virtio cryptodev:link",
    "virtio-crypto-pci": "@virtio-pci cryptodev:link disable-legacy:OnOffAuto disable-modern:bool ioeventfd:bool",
    "virtio-gpu-device": "@virtio blob:bool edid:bool hostmem:size max_hostmem:size max_outputs:uint32 "
    "x-scanout-vmstate-version:uint8 xres:uint32 yres:uint32",
    "virtio-gpu-pci": "@virtio-pci blob:bool disable-legacy:OnOffAuto disable-modern:bool edid:bool hostmem:size "
    "ioeventfd:bool max_hostmem:size max_outputs:uint32 x-scanout-vmstate-version:uint8 "
    "xres:uint32 yres:uint32",
    "virtio-input-host-device": "@virtio evdev:str serial:str",
    "virtio-input-host-pci": "@virtio-pci disable-legacy:OnOffAuto disable-modern:bool evdev:str serial:str",
    "virtio-iommu-device": "@virtio aw-bits:uint8 boot-bypass:bool granule:GranuleMode primary-bus:link",
    "virtio-iommu-pci": "@pci aer:bool any_layout:bool ats:bool aw-bits:uint8 boot-bypass:bool class:uint32 "
    "disable-legacy:OnOffAuto disable-modern:bool event_idx:bool granule:GranuleMode "
    "in_order:bool indirect_desc:bool iommu_platform:bool migrate-extra:bool "
    "modern-pio-notify:bool notify_on_empty:bool packed:bool page-per-vq:bool "
    "primary-bus:link queue_reset:bool reserved-regions:list use-disabled-flag:bool "
    "use-started:bool virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool "
    "x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool "
    "x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool "
    "x-pcie-pm-no-soft-reset:bool",
    "virtio-keyboard-device": "@virtio display:str head:uint32 serial:str",
    "virtio-keyboard-pci": "@virtio-pci disable-legacy:OnOffAuto disable-modern:bool display:str head:uint32 "
    "serial:str",
    "virtio-mem": "@virtio block-size:size dynamic-memslots:bool memaddr:uint64 memdev:link node:uint32 "
    "prealloc:bool requested-size:size size:size unplugged-inaccessible:OnOffAuto "
    "x-early-migration:bool",
    "virtio-mem-pci": "@virtio-pci block-size:size disable-legacy:OnOffAuto disable-modern:bool "
    "dynamic-memslots:bool ioeventfd:bool memaddr:uint64 memdev:link node:uint32 prealloc:bool "
    "requested-size:size size:size unplugged-inaccessible:OnOffAuto x-early-migration:bool",
    "virtio-mouse-device": "@virtio display:str head:uint32 serial:str wheel-axis:bool",
    "virtio-mouse-pci": "@virtio-pci disable-legacy:OnOffAuto disable-modern:bool display:str head:uint32 "
    "serial:str wheel-axis:bool",
    "virtio-multitouch-device": "@virtio display:str head:uint32 serial:str",
    "virtio-multitouch-pci": "@virtio-pci disable-legacy:OnOffAuto disable-modern:bool display:str head:uint32 "
    "serial:str",
    "virtio-net-device": "@virtio bootindex:int32 csum:bool ctrl_guest_offloads:bool ctrl_mac_addr:bool "
    "ctrl_rx:bool ctrl_rx_extra:bool ctrl_vlan:bool ctrl_vq:bool duplex:str "
    "ebpf-rss-fds:list failover:bool gso:bool guest_announce:bool guest_csum:bool "
    "guest_ecn:bool guest_rsc_ext:bool guest_tso4:bool guest_tso6:bool guest_ufo:bool "
    "guest_uso4:bool guest_uso6:bool hash:bool host_ecn:bool host_mtu:uint16 host_tso4:bool "
    "host_tso6:bool host_ufo:bool host_uso:bool mac:str mq:bool mrg_rxbuf:bool netdev:str "
    "rsc_interval:uint32 rss:bool rx_queue_size:uint16 speed:int32 status:bool tx:str "
    "tx_queue_size:uint16 x-mtu-bypass-backend:bool x-txburst:int32 x-txtimer:uint32",
    "virtio-net-pci": "@virtio-pci bootindex:int32 csum:bool ctrl_guest_offloads:bool ctrl_mac_addr:bool "
    "ctrl_rx:bool ctrl_rx_extra:bool ctrl_vlan:bool ctrl_vq:bool disable-legacy:OnOffAuto "
    "disable-modern:bool duplex:str ebpf-rss-fds:list failover:bool gso:bool "
    "guest_announce:bool guest_csum:bool guest_ecn:bool guest_rsc_ext:bool guest_tso4:bool "
    "guest_tso6:bool guest_ufo:bool guest_uso4:bool guest_uso6:bool hash:bool host_ecn:bool "
    "host_mtu:uint16 host_tso4:bool host_tso6:bool host_ufo:bool host_uso:bool ioeventfd:bool "
    "mac:str mq:bool mrg_rxbuf:bool netdev:str rsc_interval:uint32 rss:bool "
    "rx_queue_size:uint16 speed:int32 status:bool tx:str tx_queue_size:uint16 "
    "x-mtu-bypass-backend:bool x-txburst:int32 x-txtimer:uint32",
    "virtio-net-pci-non-transitional": "@virtio-pci bootindex:int32 csum:bool ctrl_guest_offloads:bool "
    "ctrl_mac_addr:bool ctrl_rx:bool ctrl_rx_extra:bool ctrl_vlan:bool "
    "ctrl_vq:bool duplex:str ebpf-rss-fds:list failover:bool gso:bool "
    "guest_announce:bool guest_csum:bool guest_ecn:bool guest_rsc_ext:bool "
    "guest_tso4:bool guest_tso6:bool guest_ufo:bool guest_uso4:bool "
    "guest_uso6:bool hash:bool host_ecn:bool host_mtu:uint16 host_tso4:bool "
    "host_tso6:bool host_ufo:bool host_uso:bool ioeventfd:bool mac:str mq:bool "
    "mrg_rxbuf:bool netdev:str rsc_interval:uint32 rss:bool "
    "rx_queue_size:uint16 speed:int32 status:bool tx:str tx_queue_size:uint16 "
    "x-mtu-bypass-backend:bool x-txburst:int32 x-txtimer:uint32",
    "virtio-net-pci-transitional": "@virtio-pci bootindex:int32 csum:bool ctrl_guest_offloads:bool "
    "ctrl_mac_addr:bool ctrl_rx:bool ctrl_rx_extra:bool ctrl_vlan:bool "
    "ctrl_vq:bool duplex:str ebpf-rss-fds:list failover:bool gso:bool "
    "guest_announce:bool guest_csum:bool guest_ecn:bool guest_rsc_ext:bool "
    "guest_tso4:bool guest_tso6:bool guest_ufo:bool guest_uso4:bool "
    "guest_uso6:bool hash:bool host_ecn:bool host_mtu:uint16 host_tso4:bool "
    "host_tso6:bool host_ufo:bool host_uso:bool ioeventfd:bool mac:str mq:bool "
    "mrg_rxbuf:bool netdev:str rsc_interval:uint32 rss:bool rx_queue_size:uint16 "
    "speed:int32 status:bool tx:str tx_queue_size:uint16 x-mtu-bypass-backend:bool "
    "x-txburst:int32 x-txtimer:uint32",
    "virtio-pmem": "@virtio memaddr:uint64 memdev:link",
    "virtio-pmem-pci": "@pci aer:bool any_layout:bool ats:bool disable-legacy:OnOffAuto disable-modern:bool "
    "event_idx:bool in_order:bool indirect_desc:bool iommu_platform:bool memaddr:uint64 "
    "memdev:link migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool packed:bool "
    "page-per-vq:bool queue_reset:bool use-disabled-flag:bool use-started:bool "
    "virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool "
    "x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool "
    "x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool "
    "x-pcie-pm-no-soft-reset:bool",
    "virtio-rng-device": "@virtio max-bytes:uint64 period:uint32 rng:link",
    "virtio-rng-pci": "@virtio-pci disable-legacy:OnOffAuto disable-modern:bool ioeventfd:bool max-bytes:uint64 "
    "period:uint32 rng:link",
    "virtio-rng-pci-non-transitional": "@virtio-pci ioeventfd:bool max-bytes:uint64 period:uint32 rng:link",
    "virtio-rng-pci-transitional": "@virtio-pci ioeventfd:bool max-bytes:uint64 period:uint32 rng:link",
    "virtio-scsi-device": "@virtio cmd_per_lun:uint32 hotplug:bool "
    "iothread-vq-mapping:IOThreadVirtQueueMappingList iothread:link max_sectors:uint32 "
    "num_queues:uint32 param_change:bool seg_max_adjust:bool virtqueue_size:uint32",
    "virtio-scsi-pci": "@virtio-pci cmd_per_lun:uint32 disable-legacy:OnOffAuto disable-modern:bool hotplug:bool "
    "ioeventfd:bool iothread-vq-mapping:IOThreadVirtQueueMappingList iothread:link "
    "max_sectors:uint32 num_queues:uint32 param_change:bool seg_max_adjust:bool "
    "virtqueue_size:uint32",
    "virtio-scsi-pci-non-transitional": "@virtio-pci cmd_per_lun:uint32 hotplug:bool ioeventfd:bool "
    "iothread-vq-mapping:IOThreadVirtQueueMappingList iothread:link "
    "max_sectors:uint32 num_queues:uint32 param_change:bool "
    "seg_max_adjust:bool virtqueue_size:uint32",
    "virtio-scsi-pci-transitional": "@virtio-pci cmd_per_lun:uint32 hotplug:bool ioeventfd:bool "
    "iothread-vq-mapping:IOThreadVirtQueueMappingList iothread:link "
    "max_sectors:uint32 num_queues:uint32 param_change:bool seg_max_adjust:bool "
    "virtqueue_size:uint32",
    "virtio-serial-device": "@virtio emergency-write:bool max_ports:uint32",
    "virtio-serial-pci": "@virtio-pci class:uint32 disable-legacy:OnOffAuto disable-modern:bool "
    "emergency-write:bool ioeventfd:bool max_ports:uint32",
    "virtio-serial-pci-non-transitional": "@virtio-pci class:uint32 emergency-write:bool ioeventfd:bool "
    "max_ports:uint32",
    "virtio-serial-pci-transitional": "@virtio-pci class:uint32 emergency-write:bool ioeventfd:bool max_ports:uint32",
    "virtio-sound-device": "@virtio audiodev:str chmaps:uint32 jacks:uint32 streams:uint32",
    "virtio-sound-pci": "@virtio-pci audiodev:str chmaps:uint32 disable-legacy:OnOffAuto disable-modern:bool "
    "ioeventfd:bool jacks:uint32 streams:uint32",
    "virtio-tablet-device": "@virtio display:str head:uint32 serial:str wheel-axis:bool",
    "virtio-tablet-pci": "@virtio-pci disable-legacy:OnOffAuto disable-modern:bool display:str head:uint32 "
    "serial:str wheel-axis:bool",
    "virtio-vga": "@virtio-pci big-endian-framebuffer:bool blob:bool disable-legacy:OnOffAuto disable-modern:bool "
    "edid:bool hostmem:size ioeventfd:bool max_hostmem:size max_outputs:uint32 "
    "x-scanout-vmstate-version:uint8 xres:uint32 yres:uint32",
    "virtserialport": "chardev:str name:str nr:uint32",
    "vmbus-bridge": "irq:uint8",
    "vmclock": "",
    "vmcoreinfo": "",
    "vmgenid": "guid:str",
    "vmmouse": "i8042:link",
    "vmware-svga": "@pci global-vmstate:bool vgamem_mb:uint32",
    "vmxnet3": "@pci bootindex:int32 mac:str netdev:str x-disable-pcie:bool x-old-msi-offsets:bool",
    "x-pci-proxy-dev": "@pci fd:str",
    "x3130-upstream": "@pci aer_log_max:uint16 port:uint8 x-pci-express-writeable-slt-bug:bool",
    "xen-backend": "",
    "xen-cdrom": "account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto "
    "discard_granularity:size drive:str frontend-id:uint16 iothread:link logical_block_size:size "
    "max-ring-page-order:uint32 min_io_size:size opt_io_size:size physical_block_size:size "
    "share-rw:bool vdev:str write-cache:OnOffAuto",
    "xen-console": "chardev:str frontend-id:uint16 idx:int32",
    "xen-disk": "account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto "
    "discard_granularity:size drive:str frontend-id:uint16 iothread:link logical_block_size:size "
    "max-ring-page-order:uint32 min_io_size:size opt_io_size:size physical_block_size:size "
    "share-rw:bool vdev:str write-cache:OnOffAuto",
    "xen-net-device": "frontend-id:uint16 idx:int32 mac:str netdev:str",
    "xen-platform": "@pci",
    "xio3130-downstream": "@pci aer_log_max:uint16 chassis:uint8 hotplug:bool port:uint8 "
    "power_controller_present:bool slot:uint16 x-do-not-expose-native-hotplug-cap:bool "
    "x-pci-express-writeable-slt-bug:bool",
}
FIXED_DEVICES: Final[str] = (
    "ICH9-LPC ICH9-SMB PIIX3 PIIX4_PM acpi-ged apic base-xhci cfi.pflash01 emmc esp fw_cfg_io fw_cfg_mem "
    "generic-sdhci gpex-pcihost gpex-root gpio_i2c hpet hyperv-synic i440FX i440FX-pcihost i8042-mmio i8257 igbvf "
    "imx-usdhc imx.usbphy ioapic isa-i8259 isa-pcspk isa-pit isabus-bridge ivshmem-flat kvm-apic kvm-i8259 "
    "kvm-ioapic kvm-pit kvmclock kvmvapic mch migration piix4-isa port92 ps2-kbd ps2-mouse pxb-cxl-host pxb-host "
    "q35-pcihost remote-pcihost s3c-sdhci serial sgx-epc smbus-eeprom sysbus-esp sysbus-xhci vhost-user-device "
    "vhost-user-device-pci virtio-mmio vmport xen-bridge xen-evtchn xen-gnttab xen-overlay xen-primary-console "
    "xen-sysdev xen-xenstore"
)
OBJECTS: Final[dict[str, str]] = {
    "acpi-generic-initiator": "node:int pci-dev:string",
    "acpi-generic-port": "node:int pci-bus:string",
    "authz-list": "policy:QAuthZListPolicy rules:QAuthZListRule",
    "authz-list-file": "filename:string refresh:bool",
    "authz-simple": "identity:string",
    "can-bus": "",
    "can-host-socketcan": "canbus:link if:string",
    "colo-compare": "",
    "cryptodev-backend": "queues:uint32 throttle-bps:uint64 throttle-ops:uint64",
    "cryptodev-backend-builtin": "queues:uint32 throttle-bps:uint64 throttle-ops:uint64",
    "cryptodev-vhost-user": "chardev:string queues:uint32 throttle-bps:uint64 throttle-ops:uint64",
    "dbus-vmstate": "addr:string id-list:string",
    "filter-buffer": "insert:string interval:uint32 netdev:string position:string queue:NetFilterDirection "
    "status:string",
    "filter-dump": "file:string insert:string maxlen:uint32 netdev:string position:string "
    "queue:NetFilterDirection status:string",
    "filter-mirror": "insert:string netdev:string outdev:string position:string queue:NetFilterDirection "
    "status:string vnet_hdr_support:bool",
    "filter-redirector": "indev:string insert:string netdev:string outdev:string position:string "
    "queue:NetFilterDirection status:string vnet_hdr_support:bool",
    "filter-replay": "insert:string netdev:string position:string queue:NetFilterDirection status:string",
    "filter-rewriter": "insert:string netdev:string position:string queue:NetFilterDirection status:string "
    "vnet_hdr_support:bool",
    "input-barrier": "height:string name:string port:string server:string width:string x-origin:string y-origin:string",
    "input-linux": "evdev:string grab-toggle:GrabToggleKeys grab_all:bool repeat:bool",
    "iommufd": "fd:string",
    "iothread": "aio-max-batch:int poll-grow:int poll-max-ns:int poll-shrink:int thread-pool-max:int "
    "thread-pool-min:int",
    "main-loop": "aio-max-batch:int thread-pool-max:int thread-pool-min:int",
    "memory-backend-file": "align:int discard-data:bool dump:bool host-nodes:int mem-path:string merge:bool "
    "offset:int pmem:bool policy:HostMemPolicy prealloc-context:link prealloc-threads:int "
    "prealloc:bool readonly:bool reserve:bool rom:OnOffAuto share:bool size:int "
    "x-use-canonical-path-for-ramblock-id:bool",
    "memory-backend-memfd": "dump:bool host-nodes:int hugetlb:bool hugetlbsize:int merge:bool "
    "policy:HostMemPolicy prealloc-context:link prealloc-threads:int prealloc:bool "
    "reserve:bool seal:bool share:bool size:int x-use-canonical-path-for-ramblock-id:bool",
    "memory-backend-ram": "dump:bool host-nodes:int merge:bool policy:HostMemPolicy prealloc-context:link "
    "prealloc-threads:int prealloc:bool reserve:bool share:bool size:int "
    "x-use-canonical-path-for-ramblock-id:bool",
    "memory-backend-shm": "dump:bool host-nodes:int merge:bool policy:HostMemPolicy prealloc-context:link "
    "prealloc-threads:int prealloc:bool reserve:bool share:bool size:int "
    "x-use-canonical-path-for-ramblock-id:bool",
    "pr-manager-helper": "path:string",
    "qtest": "chardev:string log:string",
    "rng-builtin": "",
    "rng-egd": "chardev:string",
    "rng-random": "filename:string",
    "secret": "data:string file:string format:QCryptoSecretFormat iv:string keyid:string",
    "secret_keyring": "format:QCryptoSecretFormat iv:string keyid:string serial:int32_t",
    "sev-guest": "dh-cert-file:string kernel-hashes:bool legacy-vm-type:OnOffAuto session-file:string "
    "sev-device:string",
    "sev-snp-guest": "author-key-enabled:bool guest-visible-workarounds:string host-data:string id-auth:string "
    "id-block:string kernel-hashes:bool policy:uint64 sev-device:string vcek-disabled:bool",
    "thread-context": "cpu-affinity:int node-affinity:int",
    "throttle-group": "limits:ThrottleLimits x-bps-read-max-length:int x-bps-read-max:int x-bps-read:int "
    "x-bps-total-max-length:int x-bps-total-max:int x-bps-total:int x-bps-write-max-length:int "
    "x-bps-write-max:int x-bps-write:int x-iops-read-max-length:int x-iops-read-max:int "
    "x-iops-read:int x-iops-size:int x-iops-total-max-length:int x-iops-total-max:int "
    "x-iops-total:int x-iops-write-max-length:int x-iops-write-max:int x-iops-write:int",
    "tls-cipher-suites": "dir:string endpoint:QCryptoTLSCredsEndpoint priority:string verify-peer:bool",
    "tls-creds-anon": "dir:string endpoint:QCryptoTLSCredsEndpoint priority:string verify-peer:bool",
    "tls-creds-psk": "dir:string endpoint:QCryptoTLSCredsEndpoint priority:string username:string verify-peer:bool",
    "tls-creds-x509": "dir:string endpoint:QCryptoTLSCredsEndpoint passwordid:string priority:string "
    "sanity-check:bool verify-peer:bool",
    "x-remote-object": "devid:string fd:string",
}
CPU_MODELS: Final[dict[str, str]] = {
    "486": "GenuineIntel 32",
    "486-v1": "GenuineIntel 32",
    "Broadwell": "GenuineIntel",
    "Broadwell-IBRS": "GenuineIntel",
    "Broadwell-noTSX": "GenuineIntel",
    "Broadwell-noTSX-IBRS": "GenuineIntel",
    "Broadwell-v1": "GenuineIntel",
    "Broadwell-v2": "GenuineIntel",
    "Broadwell-v3": "GenuineIntel",
    "Broadwell-v4": "GenuineIntel",
    "Cascadelake-Server": "GenuineIntel",
    "Cascadelake-Server-noTSX": "GenuineIntel",
    "Cascadelake-Server-v1": "GenuineIntel",
    "Cascadelake-Server-v2": "GenuineIntel",
    "Cascadelake-Server-v3": "GenuineIntel",
    "Cascadelake-Server-v4": "GenuineIntel",
    "Cascadelake-Server-v5": "GenuineIntel",
    "ClearwaterForest": "GenuineIntel",
    "ClearwaterForest-v1": "GenuineIntel",
    "Conroe": "GenuineIntel",
    "Conroe-v1": "GenuineIntel",
    "Cooperlake": "GenuineIntel",
    "Cooperlake-v1": "GenuineIntel",
    "Cooperlake-v2": "GenuineIntel",
    "Denverton": "GenuineIntel",
    "Denverton-v1": "GenuineIntel",
    "Denverton-v2": "GenuineIntel",
    "Denverton-v3": "GenuineIntel",
    "Dhyana": "HygonGenuine",
    "Dhyana-v1": "HygonGenuine",
    "Dhyana-v2": "HygonGenuine",
    "EPYC": "AuthenticAMD",
    "EPYC-Genoa": "AuthenticAMD",
    "EPYC-Genoa-v1": "AuthenticAMD",
    "EPYC-IBPB": "AuthenticAMD",
    "EPYC-Milan": "AuthenticAMD",
    "EPYC-Milan-v1": "AuthenticAMD",
    "EPYC-Milan-v2": "AuthenticAMD",
    "EPYC-Rome": "AuthenticAMD",
    "EPYC-Rome-v1": "AuthenticAMD",
    "EPYC-Rome-v2": "AuthenticAMD",
    "EPYC-Rome-v3": "AuthenticAMD",
    "EPYC-Rome-v4": "AuthenticAMD",
    "EPYC-v1": "AuthenticAMD",
    "EPYC-v2": "AuthenticAMD",
    "EPYC-v3": "AuthenticAMD",
    "EPYC-v4": "AuthenticAMD",
    "GraniteRapids": "GenuineIntel",
    "GraniteRapids-v1": "GenuineIntel",
    "GraniteRapids-v2": "GenuineIntel",
    "Haswell": "GenuineIntel",
    "Haswell-IBRS": "GenuineIntel",
    "Haswell-noTSX": "GenuineIntel",
    "Haswell-noTSX-IBRS": "GenuineIntel",
    "Haswell-v1": "GenuineIntel",
    "Haswell-v2": "GenuineIntel",
    "Haswell-v3": "GenuineIntel",
    "Haswell-v4": "GenuineIntel",
    "Icelake-Server": "GenuineIntel",
    "Icelake-Server-noTSX": "GenuineIntel",
    "Icelake-Server-v1": "GenuineIntel",
    "Icelake-Server-v2": "GenuineIntel",
    "Icelake-Server-v3": "GenuineIntel",
    "Icelake-Server-v4": "GenuineIntel",
    "Icelake-Server-v5": "GenuineIntel",
    "Icelake-Server-v6": "GenuineIntel",
    "Icelake-Server-v7": "GenuineIntel",
    "IvyBridge": "GenuineIntel",
    "IvyBridge-IBRS": "GenuineIntel",
    "IvyBridge-v1": "GenuineIntel",
    "IvyBridge-v2": "GenuineIntel",
    "KnightsMill": "GenuineIntel",
    "KnightsMill-v1": "GenuineIntel",
    "Nehalem": "GenuineIntel",
    "Nehalem-IBRS": "GenuineIntel",
    "Nehalem-v1": "GenuineIntel",
    "Nehalem-v2": "GenuineIntel",
    "Opteron_G1": "AuthenticAMD",
    "Opteron_G1-v1": "AuthenticAMD",
    "Opteron_G2": "AuthenticAMD",
    "Opteron_G2-v1": "AuthenticAMD",
    "Opteron_G3": "AuthenticAMD",
    "Opteron_G3-v1": "AuthenticAMD",
    "Opteron_G4": "AuthenticAMD",
    "Opteron_G4-v1": "AuthenticAMD",
    "Opteron_G5": "AuthenticAMD",
    "Opteron_G5-v1": "AuthenticAMD",
    "Penryn": "GenuineIntel",
    "Penryn-v1": "GenuineIntel",
    "SandyBridge": "GenuineIntel",
    "SandyBridge-IBRS": "GenuineIntel",
    "SandyBridge-v1": "GenuineIntel",
    "SandyBridge-v2": "GenuineIntel",
    "SapphireRapids": "GenuineIntel",
    "SapphireRapids-v1": "GenuineIntel",
    "SapphireRapids-v2": "GenuineIntel",
    "SapphireRapids-v3": "GenuineIntel",
    "SierraForest": "GenuineIntel",
    "SierraForest-v1": "GenuineIntel",
    "SierraForest-v2": "GenuineIntel",
    "Skylake-Client": "GenuineIntel",
    "Skylake-Client-IBRS": "GenuineIntel",
    "Skylake-Client-noTSX-IBRS": "GenuineIntel",
    "Skylake-Client-v1": "GenuineIntel",
    "Skylake-Client-v2": "GenuineIntel",
    "Skylake-Client-v3": "GenuineIntel",
    "Skylake-Client-v4": "GenuineIntel",
    "Skylake-Server": "GenuineIntel",
    "Skylake-Server-IBRS": "GenuineIntel",
    "Skylake-Server-noTSX-IBRS": "GenuineIntel",
    "Skylake-Server-v1": "GenuineIntel",
    "Skylake-Server-v2": "GenuineIntel",
    "Skylake-Server-v3": "GenuineIntel",
    "Skylake-Server-v4": "GenuineIntel",
    "Skylake-Server-v5": "GenuineIntel",
    "Snowridge": "GenuineIntel",
    "Snowridge-v1": "GenuineIntel",
    "Snowridge-v2": "GenuineIntel",
    "Snowridge-v3": "GenuineIntel",
    "Snowridge-v4": "GenuineIntel",
    "Westmere": "GenuineIntel",
    "Westmere-IBRS": "GenuineIntel",
    "Westmere-v1": "GenuineIntel",
    "Westmere-v2": "GenuineIntel",
    "YongFeng": "CentaurHauls",
    "YongFeng-v1": "CentaurHauls",
    "YongFeng-v2": "CentaurHauls",
    "athlon": "AuthenticAMD 36",
    "athlon-v1": "AuthenticAMD 36",
    "base": " 32",
    "core2duo": "GenuineIntel",
    "core2duo-v1": "GenuineIntel",
    "coreduo": "GenuineIntel 36",
    "coreduo-v1": "GenuineIntel 36",
    "host": "AuthenticAMD",
    "kvm32": "GenuineIntel 36",
    "kvm32-v1": "GenuineIntel 36",
    "kvm64": "GenuineIntel",
    "kvm64-v1": "GenuineIntel",
    "max": "AuthenticAMD",
    "n270": "GenuineIntel 36",
    "n270-v1": "GenuineIntel 36",
    "pentium": "GenuineIntel 32",
    "pentium-v1": "GenuineIntel 32",
    "pentium2": "GenuineIntel 36",
    "pentium2-v1": "GenuineIntel 36",
    "pentium3": "GenuineIntel 36",
    "pentium3-v1": "GenuineIntel 36",
    "phenom": "AuthenticAMD",
    "phenom-v1": "AuthenticAMD",
    "qemu32": "GenuineIntel 36",
    "qemu32-v1": "GenuineIntel 36",
    "qemu64": "AuthenticAMD",
    "qemu64-v1": "AuthenticAMD",
}
CPU_PROPERTIES: Final[str] = (
    "3dnow:bool 3dnowext:bool 3dnowprefetch:bool abm:bool ace2-en:bool ace2:bool acpi:bool adx:bool aes:bool "
    "amd-no-ssb:bool amd-psfd:bool amd-ssbd:bool amd-stibp:bool amx-bf16:bool amx-complex:bool amx-fp16:bool "
    "amx-int8:bool amx-tile:bool apic-id:uint32 apic:bool arat:bool arch-capabilities:bool arch-lbr:bool "
    "auto-ibrs:bool avic:bool avx-ifma:bool avx-ne-convert:bool avx-vnni-int16:bool avx-vnni-int8:bool "
    "avx-vnni:bool avx10-128:bool avx10-256:bool avx10-512:bool avx10-version:uint8 avx10:bool avx2:bool "
    "avx512-4fmaps:bool avx512-4vnniw:bool avx512-bf16:bool avx512-fp16:bool avx512-vp2intersect:bool "
    "avx512-vpopcntdq:bool avx512bitalg:bool avx512bw:bool avx512cd:bool avx512dq:bool avx512er:bool avx512f:bool "
    "avx512ifma:bool avx512pf:bool avx512vbmi2:bool avx512vbmi:bool avx512vl:bool avx512vnni:bool avx:bool "
    "bhi-ctrl:bool bhi-no:bool bmi1:bool bmi2:bool bus-lock-detect:bool check:bool cid:bool cldemote:bool "
    "clflush:bool clflushopt:bool clwb:bool clzero:bool cmov:bool cmp-legacy:bool cmp_legacy:bool cmpccxadd:bool "
    "core-capability:bool core-id:int32 cpuid-0xb:bool cr8legacy:bool crash-information:GuestPanicInformation "
    "cx16:bool cx8:bool dca:bool ddpd-u:bool de:bool decodeassists:bool die-id:int32 ds-cpl:bool ds:bool "
    "ds_cpl:bool dtes64:bool enforce:bool eraps:bool erms:bool est:bool extapic:bool f16c:bool family:int "
    "fb-clear:bool fbsdp-no:bool fdp-excptn-only:bool feature-words:X86CPUFeatureWordInfo ffxsr:bool "
    "fill-mtrr-mask:bool filtered-features:X86CPUFeatureWordInfo flush-l1d:bool flushbyasid:bool fma4:bool "
    "fma:bool fpu:bool fred:bool fsgsbase:bool fsrc:bool fsrm:bool fsrs:bool full-cpuid-auto-level:bool "
    "full-width-write:bool fxsr-opt:bool fxsr:bool fxsr_opt:bool fzrm:bool gds-no:bool gfni:bool "
    "guest-phys-bits:uint32 hle:bool host-cache-info:bool host-phys-bits-limit:uint8 host-phys-bits:bool ht:bool "
    "hv-apicv:bool hv-avic:bool hv-crash:bool hv-emsr-bitmap:bool hv-enforce-cpuid:bool hv-evmcs:bool "
    "hv-frequencies:bool hv-ipi:bool hv-no-nonarch-coresharing:OnOffAuto hv-passthrough:bool "
    "hv-reenlightenment:bool hv-relaxed:bool hv-reset:bool hv-runtime:bool hv-spinlocks:uint32 "
    "hv-stimer-direct:bool hv-stimer:bool hv-syndbg:bool hv-synic:bool hv-time:bool hv-tlbflush-direct:bool "
    "hv-tlbflush-ext:bool hv-tlbflush:bool hv-vapic:bool hv-vendor-id:str hv-version-id-build:uint32 "
    "hv-version-id-major:uint16 hv-version-id-minor:uint16 hv-version-id-sbranch:uint8 "
    "hv-version-id-snumber:uint32 hv-version-id-spack:uint32 hv-vpindex:bool hv-xmm-input:bool hypervisor:bool "
    "i64:bool ia64:bool ibpb-brtype:bool ibpb:bool ibrs-all:bool ibrs:bool ibs:bool intel-psfd:bool "
    "intel-pt-lip:bool intel-pt:bool invpcid:bool invtsc:bool ipred-ctrl:bool kvm-asyncpf-int:bool "
    "kvm-asyncpf-vmexit:bool kvm-asyncpf:bool kvm-hint-dedicated:bool kvm-mmu:bool kvm-msi-ext-dest-id:bool "
    "kvm-nopiodelay:bool kvm-poll-control:bool kvm-pv-enforce-cpuid:bool kvm-pv-eoi:bool kvm-pv-ipi:bool "
    "kvm-pv-sched-yield:bool kvm-pv-tlb-flush:bool kvm-pv-unhalt:bool kvm-steal-time:bool kvm:bool "
    "kvm_asyncpf:bool kvm_asyncpf_int:bool kvm_mmu:bool kvm_nopiodelay:bool kvm_poll_control:bool kvm_pv_eoi:bool "
    "kvm_pv_unhalt:bool kvm_steal_time:bool kvmclock-stable-bit:bool kvmclock:bool l3-cache:bool la57:bool "
    "lahf-lm:bool lahf_lm:bool lam:bool lbr-fmt:uint64 lbr_fmt:uint64 lbrv:bool level-func7:uint32 level:uint32 "
    "lfence-always-serializing:bool lkgs:bool lm:bool lmce:bool lwp:bool mca:bool mcdt-no:bool mce:bool "
    "md-clear:bool mds-no:bool memory:link migratable:bool min-level:uint32 min-xlevel2:uint32 min-xlevel:uint32 "
    "misalignsse:bool mmx:bool mmxext:bool model-id:string model:int module-id:int32 monitor:bool movbe:bool "
    "movdir64b:bool movdiri:bool mpx:bool msr:bool mtrr:bool no-nested-data-bp:bool node-id:int32 nodeid-msr:bool "
    "nodeid_msr:bool npt:bool nrip-save:bool nrip_save:bool null-sel-clr-base:bool nx:bool osvw:bool "
    "overflow-recov:bool pae:bool pat:bool pause-filter:bool pause_filter:bool pbe:bool pbrsb-no:bool pcid:bool "
    "pclmuldq:bool pclmulqdq:bool pcommit:bool pdcm:bool pdpe1gb:bool perfctr-core:bool perfctr-nb:bool "
    "perfctr_core:bool perfctr_nb:bool perfmon-v2:bool pfthreshold:bool pge:bool phe-en:bool phe:bool "
    "phys-bits:uint32 pks:bool pku:bool pmm-en:bool pmm:bool pmu:bool pn:bool pni:bool popcnt:bool "
    "prefetchiti:bool pschange-mc-no:bool psdp-no:bool pse36:bool pse:bool rdctl-no:bool rdpid:bool rdrand:bool "
    "rdseed:bool rdtscp:bool rfds-clear:bool rfds-no:bool rrsba-ctrl:bool rsba:bool rtm:bool sbdr-ssdp-no:bool "
    "sbpb:bool sep:bool serialize:bool sgx-aex-notify:bool sgx-debug:bool sgx-edeccssa:bool sgx-exinfo:bool "
    "sgx-kss:bool sgx-mode64:bool sgx-provisionkey:bool sgx-tokenkey:bool sgx1:bool sgx2:bool sgx:bool sgxlc:bool "
    "sha-ni:bool sha512:bool skinit:bool skip-l1dfl-vmentry:bool sm3:bool sm4:bool smap:bool smep:bool smx:bool "
    "socket-id:int32 spec-ctrl:bool split-lock-detect:bool srso-no:bool srso-user-kernel-no:bool ss:bool "
    "ssb-no:bool ssbd:bool sse2:bool sse3:bool sse4-1:bool sse4-2:bool sse4.1:bool sse4.2:bool sse4_1:bool "
    "sse4_2:bool sse4a:bool sse:bool ssse3:bool start-powered-off:bool stepping:int stibp-always-on:bool "
    "stibp:bool succor:bool svm-lock:bool svm:bool svm_lock:bool svme-addr-chk:bool syscall:bool taa-no:bool "
    "tbm:bool tce:bool tcg-cpuid:bool thread-id:int32 tm2:bool tm:bool topoext:bool tsc-adjust:bool "
    "tsc-deadline:bool tsc-frequency:int tsc-scale:bool tsc:bool tsc_adjust:bool tsc_scale:bool tsx-ctrl:bool "
    "tsx-ldtrk:bool ucode-rev:uint64 umip:bool unavailable-features:strList v-vmsave-vmload:bool vaes:bool "
    "vendor:string vgif:bool virt-ssbd:bool vmcb-clean:bool vmcb_clean:bool vme:bool vmware-cpuid-freq:bool "
    "vmx-activity-hlt:bool vmx-activity-shutdown:bool vmx-activity-wait-sipi:bool vmx-any-errcode:bool "
    "vmx-apicv-register:bool vmx-apicv-vid:bool vmx-apicv-x2apic:bool vmx-apicv-xapic:bool "
    "vmx-cr3-load-noexit:bool vmx-cr3-store-noexit:bool vmx-cr8-load-exit:bool vmx-cr8-store-exit:bool "
    "vmx-desc-exit:bool vmx-enable-user-wait-pause:bool vmx-encls-exit:bool vmx-entry-ia32e-mode:bool "
    "vmx-entry-load-bndcfgs:bool vmx-entry-load-efer:bool vmx-entry-load-fred:bool vmx-entry-load-pat:bool "
    "vmx-entry-load-perf-global-ctrl:bool vmx-entry-load-pkrs:bool vmx-entry-load-rtit-ctl:bool "
    "vmx-entry-noload-debugctl:bool vmx-ept-1gb:bool vmx-ept-2mb:bool vmx-ept-advanced-exitinfo:bool "
    "vmx-ept-execonly:bool vmx-ept:bool vmx-eptad:bool vmx-eptp-switching:bool vmx-exit-ack-intr:bool "
    "vmx-exit-clear-bndcfgs:bool vmx-exit-clear-rtit-ctl:bool vmx-exit-load-efer:bool vmx-exit-load-pat:bool "
    "vmx-exit-load-perf-global-ctrl:bool vmx-exit-load-pkrs:bool vmx-exit-nosave-debugctl:bool "
    "vmx-exit-save-efer:bool vmx-exit-save-pat:bool vmx-exit-save-preemption-timer:bool "
    "vmx-exit-secondary-ctls:bool vmx-flexpriority:bool vmx-hlt-exit:bool vmx-ins-outs:bool vmx-intr-exit:bool "
    "vmx-invept-all-context:bool vmx-invept-single-context-noglobals:bool vmx-invept-single-context:bool "
    "vmx-invept:bool vmx-invlpg-exit:bool vmx-invpcid-exit:bool vmx-invvpid-all-context:bool "
    "vmx-invvpid-single-addr:bool vmx-invvpid:bool vmx-io-bitmap:bool vmx-io-exit:bool vmx-monitor-exit:bool "
    "vmx-movdr-exit:bool vmx-msr-bitmap:bool vmx-mtf:bool vmx-mwait-exit:bool vmx-nested-exception:bool "
    "vmx-nmi-exit:bool vmx-page-walk-4:bool vmx-page-walk-5:bool vmx-pause-exit:bool vmx-ple:bool vmx-pml:bool "
    "vmx-posted-intr:bool vmx-preemption-timer:bool vmx-rdpmc-exit:bool vmx-rdrand-exit:bool vmx-rdseed-exit:bool "
    "vmx-rdtsc-exit:bool vmx-rdtscp-exit:bool vmx-secondary-ctls:bool vmx-shadow-vmcs:bool vmx-store-lma:bool "
    "vmx-true-ctls:bool vmx-tsc-offset:bool vmx-tsc-scaling:bool vmx-unrestricted-guest:bool "
    "vmx-vintr-pending:bool vmx-vmfunc:bool vmx-vmwrite-vmexit-fields:bool vmx-vnmi-pending:bool vmx-vnmi:bool "
    "vmx-vpid:bool vmx-wbinvd-exit:bool vmx-xsaves:bool vmx-zero-len-inject:bool vmx:bool vnmi:bool "
    "vpclmulqdq:bool waitpkg:bool wbnoinvd:bool wdt:bool wrmsrns:bool x-amd-topoext-features-only:bool "
    "x-force-features:bool x-hv-max-vps:int32 x-hv-synic-kvm-only:bool x-intel-pt-auto-level:bool "
    "x-l1-cache-per-thread:bool x-migrate-smi-count:bool x-vendor-cpuid-only:bool x2apic:bool xcrypt-en:bool "
    "xcrypt:bool xd:bool xen-vapic:bool xfd:bool xgetbv1:bool xlevel2:uint32 xlevel:uint32 xop:bool xsave:bool "
    "xsavec:bool xsaveerptr:bool xsaveopt:bool xsaves:bool xstore-en:bool xstore:bool xtpr:bool zero-fcs-fds:bool"
)
