"""How fast: `pytest tests/benchmarks --benchmark-enable` prints medians; nothing here asserts a time."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

from workbook.charts import OutcomeCharts
from workbook.lib.actions import RequestSize, Settle
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.size import TiB


def test_explorer_recomputation_with_1024_memslots(benchmark: Any) -> None:
    """One recomputation of the explorer: the model, its texts and the data of every chart, 1,024 mapped slots."""
    everything = (RequestSize(dev="vm0", size=TiB), Settle(dev="vm0"))
    scenario = replace(PRESETS["one-tib"].scenario, actions=everything)
    charts = OutcomeCharts()

    def recompute() -> Outcome:
        outcome = Outcome.of(scenario)
        charts.update(outcome)
        return outcome

    assert benchmark(recompute).used == 1024


def test_import_of_the_library(benchmark: Any) -> None:
    """A fresh interpreter that imports `workbook.lib`, its own start included."""
    command = [sys.executable, "-c", "import workbook.lib"]
    benchmark.pedantic(lambda: subprocess.run(command, check=True), rounds=5, warmup_rounds=1)
