"""Predicted beside measured: the chart's points are the measured arrays, and an error of the model is seen and said."""

from dataclasses import replace

from workbook.charts.predicted_measured import PredictedMeasured
from workbook.columns.predicted_measured import PARTS, point_rows
from workbook.data import measurements
from workbook.lib.cost.measurements import MeasuredHost
from workbook.lib.size import MiB

HOSTS = measurements()


def drawn(chart: PredictedMeasured) -> list[tuple[float, float, str]]:
    """Every point that the chart's data sources hold."""
    return [
        (x, y, part)
        for part, source in chart.sources.items()
        for x, y in zip(source.data["predicted"], source.data["measured"], strict=True)
    ]


def broken(host: MeasuredHost) -> MeasuredHost:
    """The host with one array larger than predicted."""
    first, *rest = host.layouts
    assert first.parts is not None
    parts = dict(first.parts) | {"rmap": first.parts["rmap"] + 4096}
    return replace(host, layouts=(replace(first, parts=parts, total=first.total + 4096), *rest))


def test_one_point_per_array() -> None:
    """Every part that is not 0 of every layout is one point at its bytes, and nothing else is drawn."""
    chart = PredictedMeasured()
    chart.update(HOSTS)
    expected = sorted(
        (float(row.predicted[part]), float(size), part)
        for host in HOSTS
        for row in host.layouts
        for part, size in (row.parts or {}).items()
        if size or row.predicted[part]
    )
    assert sorted(drawn(chart)) == expected
    assert {part for _, _, part in expected} <= set(PARTS)


def test_words_say_what_is_equal() -> None:
    """The description counts arrays per host; one that differs has a line with the bytes that it is off."""
    chart = PredictedMeasured()
    chart.update(HOSTS)
    assert chart.describe().count("equal to the page") == len(HOSTS)
    chart.update([broken(HOSTS[0])])
    text = chart.describe()
    assert f"{HOSTS[0].layouts[0].name}, rmap: +4,096 bytes ({HOSTS[0].name})." in text
    assert "+4,096 bytes" in chart.html()


def test_total_alone_within_its_uncertainty() -> None:
    """A host where only a total could be had is one point per layout; the uncertainty decides whether it agrees."""
    host = HOSTS[0]
    first = host.layouts[0]
    near = replace(first, parts=None, total=first.total + MiB // 8, uncertainty=MiB // 4)
    far = replace(first, parts=None, total=first.total + MiB, uncertainty=MiB // 4)
    verdicts = [row.verdict for row in point_rows([replace(host, layouts=(near, far))])]
    assert verdicts == ["within the uncertainty", f"{MiB:+,} bytes"]


def test_nothing_is_said() -> None:
    """Without a host the chart is empty, and says so."""
    chart = PredictedMeasured()
    chart.update(HOSTS)
    chart.update([])
    assert drawn(chart) == []
    assert chart.describe() == "No measurement."
