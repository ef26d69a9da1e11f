"""Reports: what is in the page, what it shows at its positions, and what is refused."""

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bokeh.models import ColumnDataSource
from hypothesis import given, strategies as st

from workbook.charts import OutcomeCharts
from workbook.charts.memory_map import NOT_STARTED
from workbook.columns.theme import THEMES, ThemeName
from workbook.data import cover_letter
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.rules import RULE_SETS, RuleSet, Trace
from workbook.lib.rules.base import Budget
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB
from workbook.page.outcome_text import comparison_cells, sentence
from workbook.report import scenario_page
from workbook.report.__main__ import main
from workbook.report.bokeh_recorder import PropertyRecorder
from workbook.report.frame_store import FrameStore
from workbook.report.notebook_page import markdown
from workbook.report.page_theme import COLOURS, in_theme
from workbook.report.panel import panel
from workbook.report.positions import Grid, offered_rules
from workbook.report.walkthrough import steps_of_preset, story_of_scenario

LIMIT = 5_000_000
"""Bytes of the standard page."""


class _Loads(HTMLParser):
    """Collects what a browser would fetch, ids, and labels."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = ""
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.label_targets: list[str] = []
        self.controls: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [value or "" for name, value in attrs if name in {"src", "srcset", "data", "poster"}]
        if tag == "link":
            self.loads.append(given.get("href") or "")
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given.get("content") or ""
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "label" and "for" in given:
            self.label_targets.append(given["for"] or "")
        if tag == "input":
            self.controls.append(given)


def parsed(text: str) -> _Loads:
    """Return what the page has."""
    found = _Loads()
    found.feed(text)
    return found


def data_of(text: str, name: str = "vm") -> Any:
    """Return the data of a panel."""
    match = re.search(rf'<script type="application/json" data-panel="{name}">(.*?)</script>', text, re.DOTALL)
    assert match
    return json.loads(match[1])


class Reader:
    """Reads a panel's data as `panel.js` does."""

    def __init__(self, data: Any, theme: str = "light") -> None:
        self.data, self.theme = data, theme

    def value(self, number: int) -> Any:
        found = self.data["values"][number]
        return in_theme(found, self.theme) if isinstance(found, str) else found

    def column(self, number: int) -> list[Any]:
        runs = self.data["columns"][number]
        return [
            self.value(first + i * step)
            for first, count, step in zip(runs[::3], runs[1::3], runs[2::3], strict=True)
            for i in range(count)
        ]

    def frame(self, shown: int) -> dict[str, Any]:
        parts = self.data["frames"][self.data["shown"][shown]]
        behind = len(self.data["tracked"])
        found = {name: self.value(one) for (name, _), one in zip(self.data["words"], parts[behind:], strict=False)}
        behind += len(self.data["words"])
        for (name, joint), one in zip(self.data["lines"], parts[behind:], strict=True):
            found[name] = joint.join(self.column(one))
        return found

    def sources(self, shown: int) -> list[dict[str, list[Any]]]:
        parts = self.data["frames"][self.data["shown"][shown]]
        return [
            dict(zip(columns, map(self.column, self.data["groups"][one]), strict=True))
            for (_, _, columns), one in zip(self.data["tracked"], parts, strict=False)
            if columns is not None
        ]

    @property
    def grid(self) -> dict[int, int]:
        return {index + i: frame + i for index, frame, count in self.data["grid"] for i in range(count)}


@pytest.fixture(scope="module")
def standard(standard_report: Path) -> str:
    """The standard page."""
    return standard_report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def small() -> tuple[Grid, Any]:
    """A small panel: Kata's VM, the grid of a notebook."""
    scenario = PRESETS["kata-virtiofsd"].scenario
    made = panel(scenario, story_of_scenario(scenario), detail="brief", name="vm")
    return Grid.around(scenario, detail="brief"), made.data


@pytest.fixture
def bare() -> Scenario:
    """A VM without memory devices: its page has few positions."""
    return replace(PRESETS["kubevirt-dpdk"].scenario, devices=(), ram_backend=None, backends=())


def test_standard_page_is_small_enough(standard: str) -> None:
    """The page of the cover letter has less than 5 MB."""
    assert len(standard.encode()) < LIMIT


def test_page_loads_nothing(standard: str) -> None:
    """No element, style or policy makes a browser fetch anything."""
    assert [one for one in parsed(standard).loads if not one.startswith("data:")] == []
    style = re.search(r"<style>(.*?)</style>", standard, re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    policy = parsed(standard).policy
    assert policy.startswith("default-src 'none'")
    assert "connect-src" not in policy


def test_same_page_every_time(bare: Scenario) -> None:
    """Computed again in the same process, the page is the same to the byte."""
    assert scenario_page(bare) == scenario_page(bare)


def test_every_slider_has_a_label_and_every_id_is_unique(standard: str) -> None:
    """Range inputs are named by a label; no id is used twice."""
    found = parsed(standard)
    sliders = [one["id"] for one in found.controls if one["type"] == "range"]
    assert len(sliders) == 3
    assert set(sliders) <= set(found.label_targets)
    assert len(found.ids) == len(set(found.ids))


def test_cover_letter_steps_are_the_mails_text(standard: str) -> None:
    """The four steps hold the four outputs of the mail, byte for byte, and the page says so."""
    reader = Reader(data_of(standard))
    rules = offered_rules("rfc-2021").index("rfc-2021")
    texts = [reader.frame(step[rules])["mtree"] for step in reader.data["steps"]]
    assert texts == [cover_letter(one) for one in ("0", "2", "20", "5-reboot")]
    assert standard.count("equal to the mail, byte for byte") == 4
    assert "NOT equal" not in standard


def test_every_position_is_what_the_model_says(small: tuple[Grid, Any]) -> None:
    """At every position of the sliders the page's texts and columns are those of the model, played now."""
    grid, data = small
    reader, frames = Reader(data), Reader(data).grid
    lengths = [len(axis.choices) for axis in grid.axes]
    seen = 0
    for at in grid.positions():
        index = 0
        for one, length in zip(at, lengths, strict=True):
            index = index * length + one
        outcome = Outcome.of(*grid.at(at))
        frame = reader.frame(frames[index])
        assert frame["sentence"] == sentence(outcome)
        assert frame["cells"] == comparison_cells(outcome)
        assert frame["mtree"] == outcome.info_mtree
        assert Scenario.from_json(frame["state"]) == outcome.scenario
        sources = reader.sources(frames[index])
        states = next(one["state"] for one in sources if "offset" in one)
        assert sum(state > 0 for state in states) == outcome.used
        seen += 1
    assert seen == len(frames)


def test_refused_positions_come_first() -> None:
    """Where the first positions do not start, nothing of a later one is drawn in them, and the notice stands there."""
    scenario = SETTINGS["vhost_slots"].put(PRESETS["kata-virtiofsd"].scenario, 1, None)
    made, grid = (
        panel(scenario, story_of_scenario(scenario), detail="brief", name="vm"),
        Grid.around(scenario, detail="brief"),
    )
    reader = Reader(made.data)
    frames = [
        *((scenario, rules, made.data["steps"][0][index]) for index, rules in enumerate(grid.rules)),
        *((*grid.at(at), frame) for at, frame in zip(grid.positions(), reader.grid.values(), strict=True)),
    ]
    refused = 0
    for played, rules, frame in frames:
        outcome, sources = Outcome.of(played, rules), reader.sources(frame)
        [notice] = [one["text"] for one in sources if one.keys() == {"x", "y", "text"}]
        assert notice == ([] if outcome.layout else [NOT_STARTED])
        states = next(one["state"] for one in sources if "offset" in one)
        assert sum(state > 0 for state in states) == outcome.used
        refused += outcome.layout is None
    assert 0 < refused < len(frames)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_placeholders_are_the_colours_of_a_theme(small: tuple[Grid, Any], theme: ThemeName) -> None:
    """With the colours of a theme in place of placeholders, the page holds what charts of that theme hold."""
    grid, data = small
    charts = OutcomeCharts(theme=theme)
    recorder = PropertyRecorder(charts.by_name, FrameStore(), "vm-")
    assert json.loads(in_theme(json.dumps(data["document"]), theme)) == recorder.document
    at = list(grid.positions())[-1]
    charts.update(Outcome.of(*grid.at(at)))
    shown = Reader(data, theme).sources(len(data["shown"]) - 1)
    drawn = [one.data for chart in charts.by_name.values() for one in chart.root.select({"type": ColumnDataSource})]
    for source in shown:
        assert any(
            source.keys() == one.keys() and all(source[name] == list(one[name]) for name in source) for one in drawn
        ), source


def test_no_theme_has_a_placeholder() -> None:
    """Placeholders are colours that no theme has, and no two pairs of colours share one."""
    for name, theme in THEMES.items():
        assert not set(COLOURS[name]) & set(re.findall("#[0-9A-Fa-f]{6}", repr(theme)))
    pairs = list(zip(COLOURS["light"].values(), COLOURS["dark"].values(), strict=True))
    assert len(pairs) == len(set(pairs))


def test_requests_end_at_the_size_of_the_device() -> None:
    """No position asks for more than the device has, and the device's size itself is offered."""
    grid = Grid.around(PRESETS["cover-letter"].scenario)
    chosen = [grid.values(at) for at in grid.positions()]
    assert all(one["requested_size"] <= one["device_size"] for one in chosen)
    assert {one["device_size"] for one in chosen if one["requested_size"] == one["device_size"]} == {
        250 * GiB,
        500 * GiB,
        1000 * GiB,
    }


@pytest.mark.parametrize("name", PRESETS)
def test_the_scenario_itself_is_a_position(name: str) -> None:
    """The sliders start where the scenario is: at its rule set, sizes and limit."""
    scenario = PRESETS[name].scenario
    grid = Grid.around(scenario)
    values = grid.values(grid.start)
    assert values.pop("rules") == scenario.rules
    assert {one: SETTINGS[one].get(scenario, None) for one in values} == values


@pytest.mark.parametrize("name", PRESETS)
def test_the_preset_is_a_step_of_its_story(name: str) -> None:
    """Whatever the story, the preset itself is in it."""
    assert PRESETS[name].scenario in [one.scenario for one in steps_of_preset(name)]


def test_a_rule_set_of_ones_own_is_offered() -> None:
    """A rule set from a notebook cell stands beside the published ones, and its numbers are in the page."""

    class Three(RuleSet):
        name = "three"

        def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
            return trace.note("three", min(3, budget.kvm_free or 3, region_size), "because")

    scenario = PRESETS["kata-virtiofsd"].scenario
    rules = Three()
    made = panel(scenario, story_of_scenario(scenario, rules), rules=rules, detail="brief", name="vm")
    reader = Reader(made.data)
    frame = reader.frame(made.data["steps"][made.data["start"]][-1])
    assert made.data["axes"][0]["labels"] == [*offered_rules("qemu-10.0"), "three"]
    assert frame["sentence"].startswith("three: 0 of 3 memslots")


def test_refusal_in_qemus_words_with_what_helps() -> None:
    """A VM that QEMU refuses has its words in the page, and changes after which it would not."""
    scenario = PRESETS["vhost-after"].scenario
    outcome = Outcome.of(scenario)
    assert outcome.problem
    body = panel(scenario, story_of_scenario(scenario), detail="brief", name="vm").html
    assert outcome.problem.message in html.unescape(body)
    assert "What would help" in body


@given(
    st.lists(
        st.lists(st.one_of(st.integers(0, 9), st.booleans(), st.text("ab", max_size=2), st.none(), st.floats(0, 2))),
        max_size=5,
    )
)
def test_tape_gives_back_what_it_took(columns: list[list[Any]]) -> None:
    """A column that is read back has the same values, of the same kind (a whole float is an integer)."""
    tape = FrameStore()
    numbers = [tape.column(one) for one in columns]
    reader = Reader(json.loads(json.dumps(tape.plain())))
    for number, column in zip(numbers, columns, strict=True):
        found = reader.column(number)
        assert found == column
        assert [isinstance(one, bool) for one in found] == [isinstance(one, bool) for one in column]


def test_links_into_the_repository_become_text() -> None:
    """A page that is mailed has no dead links and no remote pictures; links to the web stay."""
    text = markdown("[a](01-cover-letter.ipynb) [b](https://example.org/) ![c](https://example.org/x.png)")
    assert "01-cover-letter.ipynb" not in text
    assert '<a href="https://example.org/">b</a>' in text
    assert "<img" not in text


# -- the command ------------------------------------------------------------------------------------------------------


def _notebook(path: Path, *sources: str) -> Path:
    cells = [
        nbformat.v4.new_markdown_cell(one[3:]) if one.startswith("md:") else nbformat.v4.new_code_cell(one)
        for one in sources
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "nonsense"], "there is no preset 'nonsense': known are cover-letter"),
        (["--state", "missing.json"], "--state missing.json: cannot be read (No such file or directory)"),
        (["--state", "{"], "not a saved scenario"),
        (["--state", '{"ramm":1}'], "scenario has no field 'ramm'"),
        (["--notebook", "missing.ipynb"], "--notebook missing.ipynb: cannot be read (No such file or directory)"),
        (["--preset", "cover-letter", "--slides"], "--slides makes a deck of a notebook"),
        (["--preset", "cover-letter", "--compare", "{}"], "--compare stands beside another state"),
        (["--state", "[{},{},{}]"], "--state has 3 scenarios: give one, or two to compare"),
    ],
)
def test_refused_in_one_line_and_the_old_file_stays(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Input that cannot be taken is one line that names it; an older output is left alone."""
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "report.html"
    output.write_text("old")
    assert main([*arguments, "-o", str(output)]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert output.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_output_is_checked_before_anything_is_computed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that does not exist, or a folder in place of a file, is refused at once."""
    assert main(["--preset", "cover-letter", "-o", str(tmp_path / "no" / "report.html")]) == 1
    assert "is not a folder" in capsys.readouterr().err
    assert main(["--preset", "cover-letter", "-o", str(tmp_path)]) == 1
    assert "is a folder" in capsys.readouterr().err


def test_saved_state_from_a_file_and_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bare: Scenario
) -> None:
    """The text of the explorer's State field and a file with it give the same page, but for the command."""
    (tmp_path / "state.json").write_text(bare.to_json())
    pages = []
    for given_state in (bare.to_json(), str(tmp_path / "state.json")):
        output = tmp_path / "report.html"
        assert main(["--state", given_state, "-o", str(output)]) == 0
        text = output.read_text(encoding="utf-8")
        pages.append(re.sub(r"<dt>Command</dt><dd>.*?</dd>", "", text))
        assert f"{len(text.encode()) / 1e6:.2f} MB" in capsys.readouterr().out
    assert pages[0] == pages[1]
    assert Scenario.from_json(Reader(data_of(pages[0])).frame(0)["state"]).rules == next(iter(RULE_SETS))


def test_two_states_are_compared_in_one_page(tmp_path: Path, bare: Scenario) -> None:
    """Two saved states, given apart or as one text, are a page with a panel for each and what differs in a table."""
    other = replace(bare, kvm_slots=509)
    output = tmp_path / "report.html"
    both = f"[{bare.to_json()},{other.to_json()}]"
    pages = []
    for arguments in (["--state", bare.to_json(), "--compare", other.to_json()], ["--state", both]):
        assert main([*arguments, "-o", str(output)]) == 0
        pages.append(re.sub(r"<dt>Command</dt><dd>.*?</dd>", "", output.read_text(encoding="utf-8")))
    assert pages[0] == pages[1]
    assert re.search(r'<th scope="row">KVM memslots</th><td>32,764</td><td>509</td>', pages[0])
    shown = [Reader(data_of(pages[0], f"vm-{letter}")).frame(0)["state"] for letter in "AB"]
    assert [Scenario.from_json(one).kvm_slots for one in shown] == [32764, 509]


def test_text_of_a_vm_is_escaped() -> None:
    """What a VM is called cannot become markup of the page, in its text or in the data of its positions."""
    scenario = PRESETS["cover-letter"].scenario
    evil = replace(scenario, devices=tuple(replace(one, id="<img src=x>") for one in scenario.devices))
    made = panel(evil, story_of_scenario(evil), detail="brief", name="vm")
    assert "<img" not in made.html
    assert "&lt;img src=x&gt;" in made.html
    reader = Reader(made.data)
    markup = [name for name, is_markup in made.data["words"] if is_markup]
    assert all("<img" not in reader.frame(shown)[name] for shown in range(8) for name in markup)


def test_notebook_with_an_explorer_a_picture_and_a_table(tmp_path: Path) -> None:
    """Prose, tables and pictures of a notebook are in the page, an explorer as sliders, code folded, and no widgets."""
    notebook = _notebook(
        tmp_path / "one.ipynb",
        "md:# A title\n\nProse with *emphasis*.",
        "from workbook.explorer import Explorer, map_of\nExplorer('kata-virtiofsd')",
        "map_of('cover-letter-20g')",
        "from workbook.tables.table import Table\nTable.of(('a', 'b'), [(1, 'two')])",
        "print('printed <b>')",
    )
    before = notebook.read_bytes()
    output = tmp_path / "page.html"
    assert main(["--notebook", str(notebook), "-o", str(output)]) == 0
    text = output.read_text(encoding="utf-8")
    assert notebook.read_bytes() == before
    assert "<h1>A title</h1>" in text
    assert "<em>emphasis</em>" in text
    assert "<td style='text-align:right'>1</td>" in text
    assert "printed &lt;b&gt;" in text
    assert "widget-view+json" not in text
    assert text.count('<details class="code">') == 4
    reader = Reader(data_of(text, "shown-1"))
    outcome = Outcome.of(PRESETS["kata-virtiofsd"].scenario)
    own = offered_rules(outcome.rules.name).index(outcome.rules.name)
    assert reader.frame(reader.data["steps"][reader.data["start"]][own])["sentence"] == sentence(outcome)
    assert 'data-pictures="shown-2"' in text
    assert len(text.encode()) < LIMIT


def test_slides_begin_at_headings_and_tags(tmp_path: Path) -> None:
    """Every heading of the first two levels begins a slide; the last one says how it was computed."""
    notebook = _notebook(tmp_path / "one.ipynb", "md:# One", "md:text", "1 + 1", "md:## Two", "md:### not a slide")
    output = tmp_path / "deck.html"
    assert main(["--notebook", str(notebook), "--slides", "-o", str(output)]) == 0
    text = output.read_text(encoding="utf-8")
    assert re.findall(r'aria-label="(Slide \d of \d)"', text) == [f"Slide {one} of 3" for one in (1, 2, 3)]
    assert [one for one in parsed(text).loads if not one.startswith("data:")] == []


def test_failing_cell_and_no_notebook_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell that fails is named with its error; a file that is no notebook is refused."""
    broken = _notebook(tmp_path / "broken.ipynb", "1 + 1", "1 / 0")
    assert main(["--notebook", str(broken), "-o", str(tmp_path / "x.html")]) == 1
    error = capsys.readouterr().err
    assert "cell [2] fails (ZeroDivisionError: division by zero)" in error
    (tmp_path / "text.ipynb").write_text("no JSON")
    assert main(["--notebook", str(tmp_path / "text.ipynb"), "-o", str(tmp_path / "x.html")]) == 1
    assert "is not a notebook" in capsys.readouterr().err
    assert not (tmp_path / "x.html").exists()
