"""Names of elements and attributes of libvirt's domain XML, made from its schema by a command.

``python -m workbook.tools.libvirt_schema FOLDER > workbook/lib/libvirt/schema_names.py`` with src/conf/schemas of
libvirt 11.3.
"""

from typing import Final

__all__ = ("ATTRIBUTES", "DEVICES", "TOP")

_NAMES: Final = """
acceleration: accel2d accel3d rendernode
access: mode
acpi: default index toggle
active_pcr_banks:
adapter: managed name parent parent_fabric_wwn parent_wwnn parent_wwpn type wwnn wwpn
add: capability
address: base bus controller cssid device devno domain function iobase irq multifunction port reg slot ssid
address: target type unit uuid
aia: value
alias: name
alignsize: unit
allocation: mode threads
apic: default eoi toggle
arch: name
arg: value
async-teardown: enabled supported
audio: driver dspPolicy exclusive id path runtimeDir serverName timerPeriod tryMMap type
audit_control: state
audit_write: state
auth: username
avic: state
backend: debug logFile model persistent_state queues tap type version vhost
backenddomain: name
backingStore: index type
backingStoreInput: supported
backup: supported
bandwidth: cache classID initiator target type unit value
bank: cpus id level size type unit
baseBoard:
baselabel: type
binary: path xattr
bios: rebootTimeout useserial
blkiotune:
block: unit
block_suspend: state
blockers: model
blockio: discard_granularity logical_block_size physical_block_size
boot: dev loadparm order
bootloader:
bootloader_args:
bootmenu: enable timeout
cache: associativity id level mode policy size type unit
cachetune: id vcpus
capabilities: policy
catchup: limit slew threshold
cbitpos:
ccf-assist: state
cell: cpus discard id memAccess memory unit
cells: num
certificate:
cfpc: value
channel: mode name supported type
char:
chassis:
chown: state
cid: address auto
cipher: hash mode name size state
clipboard: copypaste
clock: adjustment basis offset start timezone
cmdline:
coalesce:
codec: type
commandline:
config: file
console: tty type
control: granularity maxAllocs min type unit
controller: index maxEventChannels maxGrantFrames model ports type vectors
cookie: name
cookies:
counter: frequency name scaling
cow: state
cpu: check cluster_id core_id deprecated_features die_id id match migratable mode siblings socket_id
cpu0Id:
cpus: num
cpuselection:
cputune:
crypto: model supported type
current: unit
currentMemory: unit
dac_override: state
dac_read_search: state
dataStore: type
database:
datacenterpath:
defaultiothread: thread_pool_max thread_pool_min
del: capability
deprecation: behavior
description:
device: alias path
deviceboot:
devices:
dhCert:
direct: state
dirty-ring: size state
discard:
disk: device model rawio sgio snapshot supported type
disksnapshot: default toggle
distances:
doi:
domain: id type
downscript: path
driver: ats aw_bits cache caching_mode cmd_per_lun copy_on_read detect_zeroes discard discard_no_unref
driver: dma_translation eim error_policy event_idx format intremap io ioeventfd iommu iothread iotlb
driver: max_sectors model name packed page_per_vq queue queue_size queues rerror_policy rss rss_hash_report
driver: rx_queue_size tx_queue_size txmode type vgaconf wrpolicy
dtb:
e820_host: state
emsr_bitmap: state
emulator:
emulator_period:
emulator_quota:
emulatorpin: cpuset
emulatorsched: priority scheduler
encryption: engine format secret
entry: file name
enum: name
env: name value
event: enabled name
evmcs: state
extended: state
externalSnapshot:
feature: enabled name policy
features:
fibrechannel: appid
filesystem: accessmode dmode fmode model multidevs supported type
filetransfer: enable
filterref: filter
firmware:
flc:
format: type
fowner: state
frames: max
frequencies: state
frontend:
fsetid: state
genid: supported
geometry: cyls heads secs trans
gic: supported version
gid: count start target
gl: enable rendernode
global_period:
global_quota:
graphics: address autoport connected defaultMode display fullscreen keymap listen multiUser p2p passwd
graphics: passwdValidTo port powerControl replaceUser sharePolicy socket supported tlsPort type username
graphics: websocket xauth
group_name:
guest: actual csum dev ecn tso4 tso6 ufo
guestVisibleWorkarounds:
handle:
hap: default state toggle
hard_limit: unit
hidden: state
hint-dedicated: state
host: csum ecn gso mrg_rxbuf name port socket transport tso4 tso6 ufo
hostData:
hostdev: display managed mode model ramfb rawio sgio supported type
hpt: resizing
htm: state
hub: type
hugepages:
hyperv: mode supported
ia64_be:
ibs: value
idAuth:
idBlock:
identity: agentsock group keyfile user username
idmap:
image: compression
imagelabel:
inbound: average burst floor peak
init:
initarg:
initdir:
initenv: name
initgroup:
initiator:
initrd:
inituser:
input: bufferCount bufferLength bus clientName connectPorts dev exactName fixedSettings latency
input: mixingEngine model name serverName streamName tryPoll type voices
interconnects:
interface: managed supported trustGuestRxFilters type
ioapic: driver
iommu: model support
iothread: id thread_pool_max thread_pool_min
iothread_period:
iothread_quota:
iothreadids:
iothreadpin: cpuset iothread
iothreads:
iothreadsched: iothreads priority scheduler
iotune:
ip: address family peer prefix
ipc_lock: state
ipc_owner: state
ipi: state
iqn: name
ivgen: hash name
jpeg: compression
kernel:
key:
keywrap:
kill: state
knownHosts: path
kvm:
label:
latency: cache initiator target type value
launchSecurity: authorKey kernelHashes supported type vcek
lease: state
line: unit value
link: state
linux_immutable: state
listen: address network socket type
live:
loader: format readonly secure stateless supported type
local: address port
lock: flock posix
locked:
lockspace:
log: append file
mac: address check currentAddress type
mac_admin: state
mac_override: state
machine: canonical deprecated maxCpus
master: startport
maxESGuests:
maxGuests:
maxMemory: slots unit
max_size: unit
maxpagesize: unit
maxphysaddr: bits limit mode
memballoon: autodeflate freePageReporting model
memnode: cellid mode nodeset
memory: access discard dumpCore mode model nodeset placement unit
memoryBacking:
memory_bandwidth:
memorytune: vcpus
memtune:
metadata:
metadata_cache:
microcode: version
migration_features:
min_guarantee: unit
mirror: file format job ready type
mknod: state
mode: name supported
model: blob canonical deprecated fallback heads name primary ram type usable vendor vendor_id vgamem vram
model: vram64
monitor: level maxMonitors reuseThreshold vcpus
mouse: mode
msi: ioeventfd vectors
msrs: unknown
mtu: size
name:
namespace:
nested-hv: state
net_admin: state
net_bind_service: state
net_broadcast: state
net_raw: state
node: bandwidth cpus id
nodemask:
nonpae:
nosharepages:
numa:
numatune:
nvram: format template templateFormat type
oemStrings:
on_crash:
on_lockfailure:
on_poweroff:
on_reboot:
openfiles: max
os: firmware supported
os_type:
outbound: average burst floor peak
output: bufferCount bufferLength clientName connectPorts dev exactName fixedSettings latency mixingEngine
output: name serverName streamName tryPoll voices
override:
pae:
page: nodeset size unit
pages: size unit
pagesize: unit
panic: model supported
parallel: tty type
parameter: name value
parameters: instanceid interfaceid managerid profileid typeid typeidversion
parentaddr: unique_id
partition:
passthrough: mode state
path:
pcihole64: unit
perf:
period:
playback: compression
pm:
pmem:
pmu: state
policy:
poll: grow max shrink
poll-control: state
port: isolated
portForward: address dev proto
power_management:
privateData:
privnet:
product: id
profile: name removeDisabled source
property: name type value
protocol: type
ps2: state supported
pstore: backend
pv-ipi: state
pvspinlock: state
queue: id
quota:
range: end exclude start to
ras: state
rate: bytes period
read_bytes_sec:
read_bytes_sec_max:
read_bytes_sec_max_length:
read_iops_sec:
read_iops_sec_max:
read_iops_sec_max_length:
readahead: size
readonly:
reconnect: delay enabled timeout
redirdev: bus supported type
redirfilter:
reducedPhysBits:
reenlightenment: state
relaxed: state
requested: unit
reservations: managed
reset: state
resolution: x y
resource:
rng: model supported
rom: bar enabled file
root:
route: address family gateway metric netmask prefix
runtime: state
rx:
s390-pv: supported
sandbox: mode
sbbc: value
script: path
seclabel: labelskip model relabel type
secmodel:
secret: ephemeral private type usage uuid
section: node size unit
section_size: unit
sections:
serial: tty type
server: path
session:
setfcap: state
setgid: state
setpcap: state
settings: channels format frequency
setuid: state
sev: supported
sgx: supported
sgx1:
sgx2:
sha1:
sha256:
sha384:
sha512:
shareable:
shareipc: type value
sharenet: type value
shares:
shareuts: type value
shim:
shmem: name role
sibling: id value
signature: family model stepping
size: unit value
size_iops_sec:
slice: offset size type
slices:
smartcard: mode type
smbios: mode
smm: state
snapshot: name
sndbuf:
soft_limit: unit
sound: model multichannel streams
source: address append bridge channel connectionid dev dir evdev fdgroup file grab grabToggle guestReset
source: host index macTableManager managed master missing mode name namespace network path pool port
source: portgroup portgroupid portid protocol query repeat service slave socket startupPolicy switchid tls
source: tlsHostname type units usage volume writeFiltering wwpn
space_hard_limit: unit
space_soft_limit: unit
spinlocks: retries state
ssl: verify
stats: period
stimer: state
streaming: mode
suspend-to-disk: enabled
suspend-to-mem: enabled
suspend_disk:
suspend_hybrid:
suspend_mem:
svm:
swap_hard_limit: unit
synic: state
sys_admin: state
sys_boot: state
sys_chroot: state
sys_module: state
sys_nice: state
sys_pacct: state
sys_ptrace: state
sys_rawio: state
sys_resource: state
sys_time: state
sys_tty_config: state
sysinfo: type
syslog: state
system:
table: type
tag: id nativeMode
target: address bus busNr chassis chassisNr dev dir dynamicMemslots hotplug index managed memReserve name
target: offset path port removable rotation_rate state tray type
tb-cache: unit
tcg:
teaming: persistent type
thread_pool: size
throttlefilter: group
throttlefilters:
throttlegroup:
throttlegroups:
timeout: seconds
timer: frequency mode name present tickpolicy track
title:
tlbflush: state
topology: clusters cores dies sockets threads
total_bytes_sec:
total_bytes_sec_max:
total_bytes_sec_max_length:
total_iops_sec:
total_iops_sec_max:
total_iops_sec_max_length:
tpm: model supported
transient: shareBacking
tseg: unit
tune:
type: arch machine
uid: count start target
uri_transport:
uri_transports:
usage: type
usbdev: allow class product vendor version
uuid:
value:
vapic: state
vcpu: cpuset current enabled hotpluggable id order placement
vcpupin: cpuset vcpu
vcpus:
vcpusched: priority scheduler vcpus
vendor: id
vendor_id: state value
video: supported
viridian:
virtualport: type
vlan: trunk
vmcoreinfo: state supported
vmport: state
vmx:
volume:
vpindex: state
vsock: model
wake_alarm: state
watchdog: action model
weight:
wordsize:
write_bytes_sec:
write_bytes_sec_max:
write_bytes_sec_max_length:
write_iops_sec:
write_iops_sec_max:
write_iops_sec_max_length:
wwn:
xen:
xmm_input: state
zlib: compression
zpci: fid uid
"""


def _attributes() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for line in _NAMES.strip().splitlines():
        tag, _, names = line.partition(":")
        found[tag] = found.get(tag, frozenset()) | frozenset(names.split())
    return found


ATTRIBUTES: Final = _attributes()
"""Attributes that the schema knows, by element, wherever it stands."""
TOP: Final = frozenset(
    """
blkiotune bootloader bootloader_args capabilities clock commandline cpu cputune currentMemory
datacenterpath defaultiothread deprecation description devices emulator features genid idmap
iothreadids iothreads keywrap launchSecurity machine maxMemory memory memoryBacking memtune metadata
name namespace numatune on_crash on_lockfailure on_poweroff on_reboot os override perf pm resource
seclabel sysinfo throttlegroups title uuid vcpu vcpus
""".split()
)
"""Elements below ``<domain>``."""
DEVICES: Final = frozenset(
    """
audio channel console controller crypto disk emulator filesystem graphics hostdev hub input
interface iommu lease memballoon memory nvram panic parallel pstore redirdev redirfilter rng serial
shmem smartcard sound tpm video vsock watchdog
""".split()
)
"""Elements below ``<devices>``."""
