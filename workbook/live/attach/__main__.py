"""``python -m workbook.live.attach``: random running VMs, attached to and compared."""

import sys

from .search import main

sys.exit(main(sys.argv[1:]))
