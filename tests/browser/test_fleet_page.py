"""The page of 10,000 made-up VMs: opened from disk in a browser that has no network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from workbook.batch import CheckRow, check_rows
from workbook.batch.files import write_rows
from workbook.batch.made_up_fleet import made_up_fleet

SHOTS = Path(__file__).resolve().parents[2] / "artefacts"
VMS = 10_000
LARGEST = 5 * 10**6

MEASURE = """([name, value]) => {
  const start = performance.now();
  if (name === "sort") document.querySelector(`th[data-name=${value}] button`).click();
  else {
    const field = document.getElementById(name);
    field.value = value;
    field.dispatchEvent(new Event("input"));
  }
  document.body.offsetHeight;  // layout is done
  return performance.now() - start;
}"""
"""Do one thing on the page and return the milliseconds until its table is laid out again."""


@pytest.fixture(scope="module")
def rows() -> list[CheckRow]:
    """The rows of the fleet."""
    return list(check_rows(made_up_fleet(VMS), workers=1))


@pytest.fixture(scope="module")
def fleet(rows: list[CheckRow], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, as ``check --html`` writes it."""
    path = tmp_path_factory.mktemp("fleet") / "fleet.html"
    write_rows(rows, path)
    return path


@pytest.fixture
def opened(page: Page, fleet: Path) -> Iterator[Page]:
    """The page without a network; afterwards nothing was asked for and nothing complained of."""
    asked: list[str] = []
    page.context.set_offline(True)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(fleet.as_uri())
    expect(page.locator("#shown")).to_have_text(f"{VMS:,} of {VMS:,}")
    yield page
    assert [one for one in asked if not one.startswith("file:")] == []
    assert page.console_problems == []  # type: ignore[attr-defined]


def column(page: Page, number: int) -> list[str]:
    """Return what the rows in sight say in a column."""
    cells = page.locator(f"#body tr:not(.space) td:nth-child({number})")
    return list(cells.all_inner_texts())


def test_it_is_small(fleet: Path) -> None:
    """10,000 VMs take less than 5 MB."""
    print(f"\n{fleet.stat().st_size / 1e6:.2f} MB")
    assert fleet.stat().st_size < LARGEST


def test_sorting_and_filters(opened: Page, rows: list[CheckRow]) -> None:
    """Sorting puts the dearest first, filters leave the VMs that they name, and only rows in sight are elements."""
    spent = {"sort": opened.evaluate(MEASURE, ["sort", "metadata_now"])}
    dearest = sorted(rows, key=lambda row: -(row["metadata"]["now"] if row["metadata"] else -1))
    assert column(opened, 1)[:5] == [row["source"] for row in dearest[:5]]
    spent["sort by name"] = opened.evaluate(MEASURE, ["sort", "source"])
    assert column(opened, 1)[:2] == sorted(row["source"] for row in rows)[:2]
    refused = sum(row["verdict"] == "refused" for row in rows)
    spent["verdict"] = opened.evaluate(MEASURE, ["verdict", "refused"])
    expect(opened.locator("#shown")).to_have_text(f"{refused:,} of {VMS:,}")
    assert set(column(opened, 2)) == {"refused"}
    opened.evaluate(MEASURE, ["verdict", ""])
    spent["search"] = opened.evaluate(MEASURE, ["search", "app-00123"])
    found = [row["source"] for row in rows if "app-00123" in row["source"]]
    expect(opened.locator("#shown")).to_have_text(f"{len(found):,} of {VMS:,}")
    assert column(opened, 1) == found
    opened.evaluate(MEASURE, ["search", ""])
    assert opened.locator("#body tr").count() < 60
    print("\n" + ", ".join(f"{name} {time:.0f} ms" for name, time in spent.items()))


def test_details_totals_and_worst(opened: Page, rows: list[CheckRow]) -> None:
    """A click shows a VM whole; totals and the worst ten are those of the rows."""
    assert opened.locator("#worst li").count() == 10
    expect(opened.get_by_label("Totals")).to_contain_text(f"{sum(row['verdict'] == 'dies' for row in rows):,} dies")
    assert opened.locator("#histogram rect").count() >= 3
    opened.locator("#body tr:not(.space)").nth(2).click()
    expect(opened.locator("#details h2")).to_have_text(rows[2]["source"])
    SHOTS.mkdir(exist_ok=True)
    opened.screenshot(path=SHOTS / "fleet-page.png", full_page=True)
