"""``python -m workbook.live.differential``: random VMs, a real QEMU against the model."""

import sys

from .search import main

sys.exit(main(sys.argv[1:]))
