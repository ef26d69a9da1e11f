"""``python -m workbook.evidence``: the command of `workbook.tables.evidence`."""

import sys

from workbook.tables.evidence import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
