"""``python -m workbook.lib.recording PATH...``: predict recorded runs of QEMU and compare."""

import sys

from .player import main

sys.exit(main(sys.argv[1:]))
