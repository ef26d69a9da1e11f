"""VMs a second that `workbook.batch.check_rows` reads, starts and judges: ``python tests/benchmarks/check_rate.py``.

The VMs are those of `workbook.batch.made_up_fleet`: a few hundred kinds, and names make the difference; with
``--different`` no two VMs have the same size, so that nothing repeats.
"""

import argparse
import resource
import time

from workbook.batch import check_rows
from workbook.batch.made_up_fleet import made_up_fleet


def main() -> None:
    """Check so many VMs on one core and on two, and print rates and peak memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vms", type=int, default=10_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="processes (default: 1, then 2)")
    parser.add_argument("--different", action="store_true", help="no two VMs have the same size")
    options = parser.parse_args()
    for workers in options.workers:
        spent, start = time.process_time(), time.perf_counter()
        count = sum(1 for _ in check_rows(made_up_fleet(options.vms, different=options.different), workers=workers))
        seconds, spent = time.perf_counter() - start, time.process_time() - spent
        print(
            f"workers={workers}: {count:,} VMs in {seconds:.1f} s, {count / seconds:,.0f} VMs a second; this process: "
            f"{spent / count * 1e6:,.0f} µs of CPU a VM, making it up included; peak {_peak() >> 10} MiB"
        )


def _peak() -> int:
    """Return the most KiB that this process, or one that it started, has had."""
    return max(resource.getrusage(one).ru_maxrss for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    main()
