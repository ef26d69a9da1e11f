"""``python -m workbook.lib.recording PATH...``: predict recorded runs of QEMU and compare.

The one module of the library that reads files: it is a command, and nothing imports it.
"""

import sys

from workbook.cli.predict import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
