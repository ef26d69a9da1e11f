"""VMs a second that `workbook.batch.check_rows` reads, starts and judges: ``python tests/benchmarks/check_rate.py``.

The VMs are made up: libvirt domains with one virtio-mem device of 16 to 79 GiB each.
"""

import argparse
import resource
import time

from workbook.batch import check_rows

DOMAIN = """<domain type='kvm'><name>vm{number}</name><maxMemory slots='16' unit='GiB'>{most}</maxMemory>
<memory unit='GiB'>{memory}</memory><vcpu>4</vcpu><os><type arch='x86_64' machine='pc-q35-9.2'>hvm</type></os>
<features><acpi/></features><cpu><numa><cell id='0' cpus='0-3' memory='4' unit='GiB'/></numa></cpu>
<devices><memory model='virtio-mem'><target><size unit='GiB'>{size}</size><node>0</node><block unit='KiB'>2048</block>
<requested unit='GiB'>{requested}</requested></target></memory></devices></domain>"""


def domain(number: int) -> tuple[str, str]:
    """Return name and XML of a VM."""
    size = 16 + number % 64
    text = DOMAIN.format(number=number, most=size + 12, memory=size + 4, size=size, requested=number % 16)
    return f"vm{number}", text


def main() -> None:
    """Check so many VMs and print the rate and the memory of this process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vms", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=None, help="processes (default: one per core)")
    options = parser.parse_args()
    start = time.perf_counter()
    count = sum(1 for _ in check_rows(map(domain, range(options.vms)), workers=options.workers))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{count:,} VMs in {seconds:.1f} s: {count / seconds:,.0f} VMs a second, peak {peak} MiB")


if __name__ == "__main__":
    main()
