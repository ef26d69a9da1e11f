"""Notebooks: what is kept of their outputs, and that the committed ones are clean, short and without programs."""

import ast
import base64
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbook.data import NOTEBOOKS
from workbook.lib import rules
from workbook.lib.rules import RuleSet
from workbook.tools import notebooks
from workbook.tools.notebook_pictures import mark, outdated, take_over

COMMITTED = sorted(NOTEBOOKS.glob("*.ipynb"))
MOST_CELLS = 40
MOST_LINES_OF_A_RULE = 20
OWN_RULES = {"OnePer8GiB"}
"""Rule sets that a notebook defines and another cell builds upon."""
VIEW = "application/vnd.jupyter.widget-view+json"


def read(path: Path) -> Any:
    """Read a notebook as nbformat does."""
    return nbformat.read(path, as_version=4)


def code_of(notebook: Any) -> Iterator[Any]:
    """Every code cell."""
    return (cell for cell in notebook.cells if cell.cell_type == "code")


def test_text_and_counts_are_kept() -> None:
    """Streams, text, Markdown and an HTML table beside its text stay, and the execution counts that nbval needs."""
    table = {"text/plain": "a  b", "text/html": "<table></table>"}
    cell = new_code_cell(
        "1",
        execution_count=3,
        metadata={"tags": ["nbval-skip"], "collapsed": True},
        outputs=[
            new_output("stream", name="stdout", text="hello\n"),
            new_output("execute_result", data=table, execution_count=3, metadata={"x": 1}),
            new_output("display_data", data={"text/markdown": "*a*"}),
        ],
    )
    notebook = new_notebook(cells=[new_markdown_cell("# a", metadata={"editable": True}), cell])
    notebooks.strip(notebook)
    kept = notebook.cells[1]
    assert kept.execution_count == 3
    assert kept.metadata == {"tags": ["nbval-skip"]}
    assert notebook.cells[0].metadata == {}
    assert [one.output_type for one in kept.outputs] == ["stream", "execute_result", "display_data"]
    assert kept.outputs[1].data == table
    assert kept.outputs[1].metadata == {}
    nbformat.validate(notebook)


def test_pictures_and_views_are_dropped() -> None:
    """Widget views, pictures, scripts and BokehJS go; of an output with text only the text stays."""
    view = {VIEW: {"model_id": "x"}, "text/plain": "Explorer(...)", "text/html": "<div>needs a script</div>"}
    cell = new_code_cell(
        "1",
        execution_count=1,
        outputs=[
            new_output("display_data", data={"application/javascript": "load()"}),
            new_output("display_data", data={"image/png": "iVBO"}),
            new_output("execute_result", data=view, execution_count=1),
        ],
    )
    notebook = new_notebook(
        cells=[cell], metadata={"widgets": {"state": {}}, "kernelspec": {"name": "mine", "display_name": "Mine"}}
    )
    notebooks.strip(notebook)
    (left,) = notebook.cells[0].outputs
    assert left.data == {"text/plain": "Explorer(...)"}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata["kernelspec"]["name"] == "python3"


def _pictured(source: str, text: str) -> Any:
    """A notebook whose only cell has a picture beside its text."""
    output = new_output("execute_result", data={"text/plain": text}, execution_count=1)
    cell = new_code_cell(source, execution_count=1, outputs=[output])
    mark(cell, cell.outputs[0], b"a picture")
    return new_notebook(cells=[cell])


def test_own_picture_stays_and_is_of_what_is_there() -> None:
    """A picture that the command has put beside a text is kept, until the text or the source is another one."""
    notebook = _pictured("map_of('kata')", "MemoryMap(16 of 256)")
    notebooks.strip(notebook)
    assert base64.b64decode(notebook.cells[0].outputs[0].data["image/png"]) == b"a picture"
    assert outdated(notebook) == []
    for change in ({"source": "map_of('other')"}, {"outputs": [{**notebook.cells[0].outputs[0]}]}):
        other = deepcopy(notebook)
        other.cells[0].update(change)
        if "outputs" in change:
            other.cells[0].outputs[0]["data"] = {"text/plain": "MemoryMap(17 of 256)", "image/png": ""}
        assert outdated(nbformat.from_dict(other)) == [1]


def test_run_without_pictures_keeps_those_that_are_fresh() -> None:
    """A notebook that is run again without making pictures keeps those of the same source and text, and no others."""
    before = _pictured("x", "same")
    for text, kept in (("same", True), ("other", False)):
        output = new_output("execute_result", data={"text/plain": text}, execution_count=1)
        after = new_notebook(cells=[new_code_cell("x", execution_count=1, outputs=[output])])
        take_over(before, after)
        assert ("image/png" in after.cells[0].outputs[0].data) is kept
        assert outdated(after) == []


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_committed_pictures_are_fresh_and_small(path: Path) -> None:
    """Every picture of a committed notebook is of the source and text beside it; a notebook has less than 1.5 MB."""
    assert outdated(read(path)) == []
    assert path.stat().st_size < 1_500_000


def test_there_are_pictures() -> None:
    """The check above has something to check."""
    assert any("image/png" in path.read_text(encoding="utf-8") for path in COMMITTED)


def test_outdated_pictures_fail_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` names the notebook and the cell whose picture is of something else, and ends with 1."""
    path = tmp_path / "one.ipynb"
    notebook = _pictured("x", "text")
    nbformat.write(notebook, path)
    assert notebooks.main(["--check", str(path)]) == 0
    notebook.cells[0].source = "y"
    nbformat.write(notebook, path)
    assert notebooks.main(["--check", str(path)]) == 1
    assert "one.ipynb: outdated pictures in cell 1" in capsys.readouterr().out


def test_errors_are_not_hidden() -> None:
    """An error output stays, so that the check below finds it."""
    output = new_output("error", ename="E", evalue="v", traceback=[])
    notebook = new_notebook(cells=[new_code_cell("1", outputs=[output])])
    notebooks.strip(notebook)
    assert [one.output_type for one in notebook.cells[0].outputs] == ["error"]


def test_there_are_notebooks() -> None:
    """The checks below have something to check, from the start notebook on."""
    assert COMMITTED[0].name == "00-start-here.ipynb"


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_committed_notebook_is_clean(path: Path) -> None:
    """A committed notebook is what `strip` leaves, was run from top to bottom without an error, and is short."""
    notebook = read(path)
    stripped = deepcopy(notebook)
    notebooks.strip(stripped)
    assert stripped == notebook
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_of(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert not [one for cell in code_of(notebook) for one in cell.outputs if one.output_type == "error"]
    assert not [one for cell in code_of(notebook) for one in cell.outputs if one.get("name") == "stderr"]
    assert len(notebook.cells) < MOST_CELLS


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_prose_comes_first_and_last(path: Path) -> None:
    """A notebook begins with a title and ends in what to take away; only the explorer may follow."""
    notebook = read(path)
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    *_, last = [cell for cell in notebook.cells if not cell.source.rpartition("\n")[2].startswith("Explorer(")]
    assert last.cell_type == "markdown"
    assert "take away" in last.source.lower()


def _is_program(node: ast.stmt) -> bool:
    """Whether it is more than calls: a definition other than a rule set, or a loop that does more than print."""
    if isinstance(node, ast.ClassDef):
        return not any(issubclass(rules, RuleSet) for rules in map(_known_rules, node.bases) if rules)
    if isinstance(node, ast.For):
        return not all(
            isinstance(one, ast.Expr) and isinstance(one.value, ast.Call) and ast.unparse(one.value.func) == "print"
            for one in node.body
        )
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.While)


def _known_rules(base: ast.expr) -> type | None:
    name = ast.unparse(base)
    return getattr(rules, name, RuleSet if name in OWN_RULES else None)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_cells_hold_no_programs(path: Path) -> None:
    """Cells call what the package offers; a cell may define a rule set, and is short then."""
    for cell in code_of(read(path)):
        statements = ast.parse(cell.source).body
        assert not [ast.unparse(one) for one in statements if _is_program(one)]
        if any(isinstance(one, ast.ClassDef) for one in statements):
            assert len(cell.source.splitlines()) < MOST_LINES_OF_A_RULE


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every link from one notebook to another, or to a file, leads to one that is there."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#:]+)\)", cell.source):
                assert (path.parent / target).exists(), target


def test_running_writes_a_clean_notebook(tmp_path: Path) -> None:
    """A run notebook has its text outputs and counts; the file is readable by others."""
    path = tmp_path / "a.ipynb"
    cells = [new_code_cell("print('hello')"), new_code_cell("6 * 7")]
    nbformat.write(new_notebook(cells=cells), path)
    assert notebooks.main([str(path)]) == 0
    first, second = code_of(read(path))
    assert (first.outputs[0].text, second.outputs[0].data) == ("hello\n", {"text/plain": "42"})
    assert [first.execution_count, second.execution_count] == [1, 2]
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_cell_that_fails_leaves_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A failing cell is told, and the notebook stays as it was."""
    path = tmp_path / "bad.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), path)
    before = path.read_bytes()
    assert notebooks.main([str(path)]) == 1
    assert path.read_bytes() == before
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"cells": 1}'])
def test_what_is_no_notebook_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    """A file that is missing or no notebook is named in a line, not a traceback."""
    path = tmp_path / "none.ipynb"
    if content is not None:
        path.write_text(content)
    assert notebooks.main([str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{path}: ")
    assert "Traceback" not in said
    assert said.count("\n") == 1
