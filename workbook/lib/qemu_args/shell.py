"""The QEMU command in a piece of shell: a one-liner, a script, a terminal's log. Nothing is run.

Operators and redirections end or leave a command, and variables that the text itself sets stand for their values.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from workbook.lib.errors import BadInput

from .catalogue import REMOVED_OPTIONS, takes_argument
from .words import BLANKS, json_end, quoted

__all__ = ("program_of", "qemu_commands")

_PROGRAMS: Final = frozenset(("qemu", "qemu-kvm", "kvm", "qemu-kvm.orig", "qemu-kvm.distrib"))
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?:\[[@*]\])?\}|([A-Za-z_]\w*))")
_REDIRECTION: Final = re.compile(r"(?:\d+|&)?(?:>>?|<)(?:&\d|&-)?")
_OPERATOR: Final = re.compile(r"&&|\|\||[;|&()]")
_PROMPT: Final = re.compile(
    r"^[ \t]*#[ \t]+(?=(?:sudo[ \t]+)?(?:\S*/)?(?:qemu-(?:system-\w+|kvm)|kvm)[ \t])", re.MULTILINE
)
_MAIL: Final = re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE)


def program_of(words: Sequence[str]) -> tuple[str | None, int]:
    """Return the name of the program without its folder, and the index of the word behind it.

    ``env NAME=VALUE``, ``sudo -u NAME`` and the like may stand before it; (None, 0) where a line has no program.
    """
    if words and not words[0].startswith("-"):
        for index, word in enumerate(words):
            name = word.rpartition("/")[2]
            if name.startswith("qemu-system-") or name in _PROGRAMS:
                return name, index + 1
    return None, 0


def qemu_commands(text: str) -> list[list[str]]:
    r"""Return the words of the QEMU commands in a text; one without a program's name counts if there is no other.

    What other commands there are is left out, and so are redirections. A line end without a backslash separates words
    only where the command goes on, so that a line pasted without its backslashes can be read.

    Raises
    ------
    BadInput
        A quote that is not closed, or a backslash at the end.

    Examples
    --------
    >>> qemu_commands("RAM=4G\nsudo qemu-system-x86_64 -m $RAM \\\n  -M q35 2>&1 | tee log")
    [['sudo', 'qemu-system-x86_64', '-m', '4G', '-M', 'q35']]
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith(">") for line in lines):
        text = _MAIL.sub("", text)
    commands = list(_Shell(_PROMPT.sub("", text)).commands())
    named = [one for one in commands if program_of(one)[1]]
    with_options = [one for one in named if any(word.startswith("-") for word in one[program_of(one)[1] :])]
    plain = [one for one in commands if one[0].startswith("-")]
    return with_options or named or plain[:1] or [[word for one in commands for word in one]]


@dataclass
class _Shell:
    """Reads a text command by command."""

    text: str
    index: int = 0
    variables: dict[str, list[str]] = field(default_factory=dict)
    word: list[str] | None = None
    words: list[str] = field(default_factory=list)

    def commands(self) -> Iterator[list[str]]:
        """Yield the words of each command that has any."""
        while self.index < len(self.text):
            if self._step():
                self._end_word()
                if self.words:
                    yield self.words
                self.words = []
        self._end_word()
        if self.words:
            yield self.words

    def _add(self, piece: str) -> None:
        self.word = [piece] if self.word is None else [*self.word, piece]

    def _end_word(self) -> None:
        word, self.word = self.word, None
        if word is None:
            return
        whole = "".join(word)
        match = _ASSIGNMENT.fullmatch(whole)
        if match and self.words in ([], ["export"]):
            before = self.variables.get(match[1], []) if match[2] else []
            self.variables[match[1]] = ["".join([*before, match[3]])]
        else:
            self.words.append(whole)

    def _step(self) -> bool:
        """Take what stands at `index`; return whether a command ends there."""
        text, char = self.text, self.text[self.index]
        self.index += 1
        if char == "\\":
            self._escape()
        elif char == '"' and (match := _VARIABLE.match(text, self.index)) and text.startswith('"', match.end()):
            self._expand(match, split=False)
            self.index += 1
        elif char in "'\"":
            piece, self.index = quoted(text, self.index, char)
            self._add(_VARIABLE.sub(self._value, piece) if char == '"' else piece)
        elif char == "\n":
            self._end_word()
            return self._line_ends()
        elif char in BLANKS:
            self._end_word()
        elif char == "$":
            self._dollar()
        elif char == "(" and self.word is not None and "".join(self.word).endswith("=") and not self.words:
            self._array()
        elif char == ";" and (self.index == len(text) or text[self.index] in BLANKS):
            return True
        elif self.word is None:
            return self._begin(char)
        else:
            self._add(char)
        return False

    def _begin(self, char: str) -> bool:
        """Begin a word, or take an operator, a redirection, JSON or a comment in its place."""
        at = self.index - 1
        if char == "#":
            end = self.text.find("\n", self.index)
            self.index = len(self.text) if end < 0 else end
        elif char == "{" and (end := json_end(self.text, at)):
            self._add(self.text[at:end])
            self.index = end
        elif match := _REDIRECTION.match(self.text, at):
            self.index = match.end()
            if not match[0].endswith(("-", *"0123456789")):
                self._skip_word()
        elif match := _OPERATOR.match(self.text, at):
            self.index = match.end()
            return True
        else:
            self._add(char)
        return False

    def _escape(self) -> None:
        if self.text.startswith(("\n", "\r\n"), self.index):
            self.index = self.text.index("\n", self.index) + 1
        elif self.index == len(self.text):
            raise BadInput("the command line ends with a backslash: take it off or go on")
        else:
            self._add(self.text[self.index])
            self.index += 1

    def _dollar(self) -> None:
        if match := _VARIABLE.match(self.text, self.index - 1):
            self._expand(match, split=True)
        elif self.text.startswith("(", self.index):
            end = self.text.find(")", self.index)
            end = len(self.text) if end < 0 else end + 1
            self._add(self.text[self.index - 1 : end])
            self.index = end
        else:
            self._add("$")

    def _expand(self, match: re.Match[str], *, split: bool) -> None:
        """Put a variable's words in its place; one that the text does not set stands for itself."""
        self.index = match.end()
        values = self.variables.get(match[1] or match[2])
        if values is None:
            self._add(match[0])
            return
        pieces = [piece for value in values for piece in (value.split() if split else [value])]
        for number, piece in enumerate(pieces):
            if number:
                self._end_word()
            self._add(piece)

    def _value(self, match: re.Match[str]) -> str:
        values = self.variables.get(match[1] or match[2])
        return match[0] if values is None else " ".join(values)

    def _array(self) -> None:
        """Take an array's elements up to its closing parenthesis; comments may stand among them."""
        match = _ASSIGNMENT.fullmatch("".join(self.word or ()))
        inner = _Shell(self.text, self.index, self.variables)
        self.word = None
        inner.words = elements = [""]  # so that no element is taken for an assignment
        while inner.index < len(self.text) and not (inner.word is None and self.text[inner.index] == ")"):
            if self.text[inner.index] == ")" and self.text[inner.index + 1 : inner.index + 2] in ("", *BLANKS):
                break
            inner._step()
        inner._end_word()
        self.index = inner.index + 1
        if match:
            before = self.variables.get(match[1], []) if match[2] else []
            self.variables[match[1]] = [*before, *elements[1:]]

    def _skip_word(self) -> None:
        words = self.words
        while self.index < len(self.text) and self.text[self.index] in " \t":
            self.index += 1
        self.words = [""]
        while self.index < len(self.text) and self.text[self.index] not in BLANKS:
            self._step()
        self.word, self.words = None, words

    def _line_ends(self) -> bool:
        """Return whether a command ends with its line: not if the next line goes on with options or a value."""
        rest = self.text[self.index :].lstrip(BLANKS)
        if not self.words or rest.startswith(("-", "'-", '"-', "\\", "#")):
            return False
        waits = takes_argument(self.words[-1].lstrip("-")) or REMOVED_OPTIONS.get(self.words[-1].lstrip("-"), False)
        if self.words[-1].startswith("-") and waits:
            return False
        program = program_of(self.words)[1]
        options = any(word.startswith("-") for word in self.words[program:])
        return "\\\n" in self.text or "\\\r\n" in self.text or not program or options
