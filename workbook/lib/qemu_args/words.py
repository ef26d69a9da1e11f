"""A command line as it is typed: split into words as a shell does, without running anything."""

import json
from typing import Final

from workbook.lib.errors import BadInput

__all__ = ("BLANKS", "json_end", "quoted", "split_process_words", "split_words")

BLANKS: Final = " \t\r\n"


def split_words(line: str) -> list[str]:
    r"""Split a command line into words as a shell does, without running anything.

    Quotes, backslashes, comments and line continuations are understood; JSON that fills a word needs no quotes; a bare
    line end separates words, so that a line pasted without its backslashes can be read; ``$``, ``*`` and the like
    stand for themselves.

    Raises
    ------
    BadInput
        A quote that is not closed, or a backslash at the end.

    Examples
    --------
    >>> split_words("-m 4G,\\\n'maxmem=20G' # all of it")
    ['-m', '4G,maxmem=20G']
    """
    words: list[str] = []
    word: list[str] | None = None
    index = 0
    while index < len(line):
        char = line[index]
        index += 1
        if char == "\\":
            if line.startswith(("\n", "\r\n"), index):
                index = line.index("\n", index) + 1
                continue
            if index == len(line):
                raise BadInput("the command line ends with a backslash: take it off or go on")
            word = [] if word is None else word
            word.append(line[index])
            index += 1
        elif char in "'\"":
            text, index = quoted(line, index, char)
            word = [] if word is None else word
            word.append(text)
        elif char in BLANKS:
            if word is not None:
                words.append("".join(word))
            word = None
        elif char == "{" and word is None and (end := json_end(line, index - 1)):
            words.append(line[index - 1 : end])
            index = end
        elif char == "#" and word is None:
            end = line.find("\n", index)
            index = len(line) if end < 0 else end
        else:
            word = [] if word is None else word
            word.append(char)
    if word is not None:
        words.append("".join(word))
    return words


def split_process_words(line: str) -> list[str]:
    """Split the arguments of a process as ``ps`` prints them: quotes stand for themselves, JSON may fill a word.

    Where a word had blanks, it cannot be known.
    """
    words: list[str] = []
    index = 0
    while index < len(line):
        if line[index] in BLANKS:
            index += 1
            continue
        end = json_end(line, index) if line[index] == "{" else 0
        end = end or next((at for at in range(index, len(line)) if line[at] in BLANKS), len(line))
        words.append(line[index:end])
        index = end
    return words


def json_end(line: str, start: int) -> int:
    """Return where JSON ends that begins at `start` and fills a word, as ``ps`` prints it; 0 for none."""
    try:
        _, end = json.JSONDecoder().raw_decode(line, start)
    except (ValueError, RecursionError):
        return 0
    return end if end == len(line) or line[end] in BLANKS else 0


def quoted(line: str, start: int, quote: str) -> tuple[str, int]:
    """Return what stands between quotes that opened before `start`, and the index behind the closing one."""
    text: list[str] = []
    index = start
    while index < len(line):
        char = line[index]
        index += 1
        if char == quote:
            return "".join(text), index
        if char == "\\" and quote == '"' and index < len(line):
            # within double quotes a backslash is special before these only
            if line.startswith("\r\n", index):
                index += 2
            elif line[index] == "\n":
                index += 1
            elif line[index] in '"\\$`':
                text.append(line[index])
                index += 1
            else:
                text.append(char)
        else:
            text.append(char)
    raise BadInput(f"the command line has a quote {quote} that is not closed: {line[start - 1 : start + 30]!r}")
