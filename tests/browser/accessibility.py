"""What axe-core finds on a page: the rules of WCAG that a machine can check; the script comes with its package."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

__all__ = ("violations",)


def violations(page: Page, *, within: str | None = None) -> list[str]:
    """Return a line per element that breaks a rule: rule, impact, and the element's markup.

    Parameters
    ----------
    within
        CSS selector of the part to look at; None for the whole page.
    """
    found = Axe().run(page, context=within)
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:160]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]
