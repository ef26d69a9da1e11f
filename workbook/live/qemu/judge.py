"""Run one command line on this machine's QEMU and compare the result with the model."""

from workbook.lib.actions import Start
from workbook.lib.qemu_args.shell import qemu_commands
from workbook.lib.recording import Observation, compare, predict
from workbook.lib.recording.format import View

__all__ = ("compare_with_model",)


def compare_with_model(command_line: str) -> list[tuple[str, str]]:
    """Start a QEMU with `command_line` for a moment; return titled texts: what it showed, and the verdict.

    Raises
    ------
    WorkbookError
        No usable QEMU, or it hangs; one clear line.
    """
    # here and not above: a notebook offers this also where the extra that it needs is not installed
    from .recorder import play  # noqa: PLC0415

    (words, *_) = qemu_commands(command_line)
    first = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    played = play(["qemu-system-x86_64", *words[first:]], [Start()])
    recorded = played.to_json()
    differences = compare(recorded, predict(recorded))
    seen = played.steps[0].observation or Observation()
    view = seen.view or View()
    shown = seen.error or "\n".join([*view.info_mtree, "", *view.info_mtree_flat])
    verdict = "\n".join(map(str, differences)) or "equal in every observation"
    return [(f"QEMU {played.qemu_version} shows", shown), ("The model is", verdict)]
