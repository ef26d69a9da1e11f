"""``python -m workbook.report``: write a report, or slides, as one HTML file."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from workbook.lib.errors import BadInput
from workbook.tools.atomic_write import check_writable, write_atomically

from .live_page import live_page
from .notebook_page import notebook_page, slides
from .progress import Progress, progress_bar
from .scenario_page import preset_page, read_state, scenario_page

__all__ = ("main",)


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.report") -> int:
    """Write what was asked for; return the exit code."""
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    command = f"python -m workbook.report {shlex.join(sys.argv[1:] if arguments is None else arguments)}"
    try:
        if options.slides and not options.notebook:
            raise BadInput("--slides makes a deck of a notebook: give --notebook FILE with it")
        if options.pyodide is not None and not options.live:
            raise BadInput("--pyodide is what a live page is made of: give --live with it")
        if options.compare is not None and options.state is None:
            raise BadInput("--compare stands beside another state: give --state with it")
        check_writable(options.output)
        with progress_bar() as progress:
            text, count = _made(options, command, progress)
        write_atomically(options.output, text)
    except BadInput as error:
        print(f"workbook.report: {error}", file=sys.stderr)
        return 1
    decided = f", {count:,} positions decided beforehand" if count else ""
    print(f"{options.output}: {len(text.encode()) / 1e6:.2f} MB{decided}")
    return 0


def _made(options: argparse.Namespace, command: str, progress: Progress) -> tuple[str, int]:
    """Return the page and how many positions were decided for it."""
    if options.live:
        return live_page(command=command, title=options.title, folder=options.pyodide), 0
    if options.notebook:
        make = slides if options.slides else notebook_page
        return make(options.notebook, command=command, title=options.title, progress=progress)
    if options.state is not None:
        scenarios = read_state(options.state)
        if options.compare is not None:
            scenarios = (*scenarios, *read_state(options.compare))
        if len(scenarios) > 2:
            raise BadInput(f"--state and --compare give {len(scenarios)} scenarios: two can be compared")
        return scenario_page(*scenarios, command=command, title=options.title, progress=progress)
    return preset_page(options.preset, command=command, title=options.title, progress=progress)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Write one self-contained HTML file with pictures and sliders that need no network and no kernel.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--preset", help="a scenario of workbook.lib.presets, such as cover-letter")
    what.add_argument("--state", help="a saved state: a file, or the text of the explorer's field Share as text itself")
    what.add_argument("--live", action="store_true", help="a page that computes whatever is pasted into it")
    what.add_argument("--notebook", type=Path, help="a notebook; it is run for the report and not changed")
    parser.add_argument("--compare", help="with --state: a second saved state, shown beside the first")
    parser.add_argument("--slides", action="store_true", help="of the notebook, a deck in place of a page")
    parser.add_argument(
        "--pyodide", type=Path, help="with --live: folder with the files of the npm package pyodide, in place of npm"
    )
    parser.add_argument("--title", default="", help="in place of the one that the preset or the notebook has")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the HTML file; an older one is replaced")
    return parser


if __name__ == "__main__":
    sys.exit(main())
