"""``python -m workbook.live.qemu PATH...``: play recordings again on the QEMU of this machine and compare."""

import sys

from .replay import main

sys.exit(main(sys.argv[1:]))
