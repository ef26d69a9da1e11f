"""``python -m workbook.pack``: the command of `workbook.tools.pack`."""

import sys

from workbook.tools.pack import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
