"""Mutations of what people paste: no reader ends in a traceback, and the tool finds one where it does."""

from pathlib import Path

import pytest

from workbook.tools import fuzz

PASTED = Path(__file__).parents[1] / "lib" / "pasted"


def test_no_tracebacks() -> None:
    """A thousand mutated texts are read or refused; a hundred thousand are by the command in the module's docstring."""
    outcome = fuzz.fuzz(1000, 2026, fuzz.texts_of([PASTED]))
    assert outcome.inputs == 1000
    assert outcome.tracebacks == []
    assert outcome.counts["read"] > 100
    assert outcome.counts["Refusal"] > 50


def test_a_traceback_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A reader with a fault is shown with the input and the traceback, and the command returns 1."""

    def faulty(text: str) -> object:
        return text[10_000_000]

    monkeypatch.setitem(fuzz._READERS, "from_text", faulty)
    assert fuzz.main(["--inputs", "5", "--seed", "3"]) == 1
    shown = capsys.readouterr().out
    assert "IndexError" in shown
    assert shown.splitlines()[-1].startswith("5 inputs from")
