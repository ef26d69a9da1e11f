"""The button that measures: grey with a reason, nothing before it is pressed, and then what was measured."""

from collections.abc import Callable
from dataclasses import dataclass, field

from workbook.data import measurements
from workbook.explorer.measure_button import MeasureButton
from workbook.lib.cost.measurements import MeasuredHost
from workbook.lib.errors import BadInput

HOST = measurements()[0]


@dataclass
class Fake:
    """A host that answers at once."""

    refusal: str | None = None
    error: str | None = None
    left_out: tuple[str, ...] = ()
    steps: int = 2
    pressed: int = 0
    seen: list[str] = field(default_factory=list)

    def measure(self, progress: Callable[[str], None]) -> tuple[MeasuredHost, tuple[str, ...]]:
        self.pressed += 1
        progress("first")
        progress("second")
        if self.error:
            raise BadInput(self.error)
        return HOST, self.left_out


def text(button: MeasureButton) -> str:
    return button._status.value


def test_nothing_before_it_is_pressed() -> None:
    """Showing the button measures nothing."""
    fake = Fake()
    button = MeasureButton(fake)
    assert fake.pressed == 0
    assert button.measured is None
    assert not button.button.disabled
    assert repr(button) == "MeasureButton: measures the host when it is pressed"


def test_grey_with_a_reason() -> None:
    """Where nothing can be measured the button cannot be pressed, and the reason stands beside it."""
    button = MeasureButton(Fake(refusal="/dev/kvm does not exist: <measure> elsewhere"))
    assert button.button.disabled
    assert "/dev/kvm does not exist: &lt;measure&gt; elsewhere" in text(button)


def test_press_shows_what_was_measured() -> None:
    """A press shows every layout as a row and in the chart, says how many are equal, and what was left out."""
    button = MeasureButton(Fake(left_out=("1 x 1 TiB needs <much> memory",)))
    button.button.click()
    assert button.measured is HOST
    assert f"{len(HOST.layouts)} of {len(HOST.layouts)} layouts equal to the prediction" in text(button)
    assert "1 x 1 TiB needs &lt;much&gt; memory" in text(button)
    assert button._table.value.count("<tr>") == 2 + len(HOST.layouts) + len(HOST.timings)
    assert f"{len(HOST.layouts)} layouts" in button._chart.describe()
    assert button._picture.layout.display == ""
    assert not button.button.disabled
    assert button._bar.value == 2


def test_failure_is_said_and_can_be_tried_again() -> None:
    """What the measurement refuses stands beside the button, which works again."""
    button = MeasureButton(Fake(error="too little memory: free some"))
    button.button.click()
    assert "too little memory: free some" in text(button)
    assert button.measured is None
    assert not button.button.disabled
