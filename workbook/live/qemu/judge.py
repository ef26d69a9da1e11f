"""One command line on the real QEMU of this machine, beside what the model says."""

from workbook.lib.qemu_args.syntax import split_words
from workbook.lib.recording.player import compare, predict

__all__ = ("beside_the_model",)


def beside_the_model(command_line: str) -> list[tuple[str, str]]:
    """Start a QEMU with `command_line` for a moment; return titled texts: what it showed, and the verdict.

    Raises
    ------
    WorkbookError
        No usable QEMU, or it hangs; one clear line.
    """
    # here and not above: a notebook offers this also where the extra that it needs is not installed
    from .recorder import play  # noqa: PLC0415

    words = split_words(command_line)
    first = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    recorded = play(["qemu-system-x86_64", *words[first:]], [{"op": "start"}])
    step = recorded["steps"][0]
    differences = compare(recorded, predict(recorded))
    shown = step["error"] or "\n".join([*step.get("info_mtree", []), "", *step.get("info_mtree_flat", [])])
    verdict = "\n".join(map(str, differences)) or "equal in every observation"
    return [(f"QEMU {recorded['qemu_version']} shows", shown), ("The model is", verdict)]
