"""The explorer in JupyterLab, as assistive technology meets it."""

import pytest
from accessibility import violations
from lab_page import explorer_in, open_notebook, put_notebook
from playwright.sync_api import Page

THEMES = ("light", "dark")


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing(page: Page, lab: str, theme: str) -> None:
    """axe-core finds no violation in the explorer, in its light and in its dark theme."""
    name = f"axe-{theme}.ipynb"
    put_notebook(lab, name, [f"from workbook.explorer import Explorer\nExplorer('cover-letter', theme={theme!r})"])
    open_notebook(page, lab, name)
    explorer_in(page).evaluate("(one) => one.setAttribute('data-axe', '')")
    assert violations(page, within="[data-axe]") == []
