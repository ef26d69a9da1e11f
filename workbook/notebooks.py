"""``python -m workbook.notebooks``: the command of `workbook.tools.notebooks`."""

import sys

from workbook.tools.notebooks import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
