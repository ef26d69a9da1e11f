"""The examples in docstrings of `workbook.lib` run, and show what they say."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import workbook.lib

MODULES = (
    "workbook.lib",
    *(
        module.name
        for module in pkgutil.walk_packages(workbook.lib.__path__, "workbook.lib.")
        if not module.name.endswith(".__main__")
    ),
)
FINDER = doctest.DocTestFinder(exclude_empty=True)
EXAMPLES = {
    example.name: example
    for module in map(import_module, MODULES)
    for example in FINDER.find(module, module.__name__)
    if example.examples
}


def test_the_library_has_examples() -> None:
    """The library's own docstring starts with one, and numbers of costs and sweeps have theirs."""
    assert "workbook.lib" in EXAMPLES
    assert len(EXAMPLES) > 5


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An example in a docstring prints what stands below it."""
    failed = doctest.DocTestRunner().run(EXAMPLES[name]).failed
    assert not failed, capsys.readouterr().out
