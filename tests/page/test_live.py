"""The live page's session: what it answers to a pasted text and to its controls is what the model says."""

import html
import json
import subprocess
import sys
from typing import Any

import pytest

from workbook.lib import Machine, Refusal
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.size import GiB
from workbook.page import live, outcome_text
from workbook.page.live import Session

ARGV = (
    "qemu-system-x86_64 -accel kvm -m 4G,maxmem=104G -object memory-backend-memfd,id=mem0,size=100G "
    "-device virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"
)
REFUSED = "qemu-system-x86_64 -accel kvm -m 4G -device virtio-mem-pci,id=vm0"


def control(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a control of an answer."""
    return next(one for one in answer["controls"] if one["name"] == name)


def test_command_line_is_read_as_everywhere() -> None:
    """A pasted command line gives the sentence, the notes and the text of the machine that `from_text` makes."""
    session = Session()
    answer = json.loads(session.paste(ARGV))
    vm = Machine.from_text(ARGV)
    assert answer["sentence"] == outcome_text.sentence(Outcome.of(vm.scenario))
    assert answer["read_as"] == vm.read_as
    assert [text for _, _, text in answer["notes"]] == [one.text for one in vm.notes]
    assert session.text("mtree") == vm.info_mtree()


def test_turned_request_is_followed_by_the_guest() -> None:
    """The slider of the requested size asks the guest, which plugs it: the numbers are those of request and settle."""
    session = Session()
    requested = control(json.loads(session.paste(ARGV)), "requested_size")
    answer = json.loads(session.turn("requested_size", requested["labels"].index("20 GiB")))
    vm = Machine.from_text(ARGV)
    vm.request_size("vm0", 20 * GiB)
    vm.settle("vm0")
    assert f": {vm.picture.devices[0].used} of 100 memslots mapped, 20 GiB plugged" in answer["sentence"]
    assert session.text("mtree") == vm.info_mtree()
    assert control(answer, "requested_size")["labels"][control(answer, "requested_size")["at"]] == "20 GiB"


def test_smaller_device_ends_the_request() -> None:
    """The request never exceeds the device: its slider ends at the device's size."""
    session = Session()
    requested = control(json.loads(session.paste(ARGV)), "requested_size")
    session.turn("requested_size", requested["labels"].index("100 GiB"))
    size = control(json.loads(session.resize(900, 400)), "device_size")
    answer = json.loads(session.turn("device_size", size["labels"].index("10 GiB")))
    assert control(answer, "requested_size")["labels"][-1] == "10 GiB"
    assert "10 GiB plugged" in answer["sentence"]


@pytest.mark.parametrize("name", PRESETS)
def test_every_position_of_every_control_is_answered(name: str) -> None:
    """Whatever a control offers for a preset's VM, turning it gives an answer or one line."""
    outcome = Outcome.of(PRESETS[name].scenario)
    for one in json.loads(_of(outcome).resize(900, 400))["controls"]:
        for position in (0, max(len(one["labels"]) - 1, 1 if one["kind"] == "flag" else 0)):
            answer = json.loads(_of(outcome).turn(one["name"], position))
            assert answer.get("error") or answer["sentence"]


def _of(outcome: Outcome) -> Session:
    session = Session()
    session._outcome = outcome
    return session


def test_refusal_in_qemus_words() -> None:
    """What QEMU refuses is answered with its words and without pictures."""
    answer = json.loads(Session().paste(REFUSED))
    with pytest.raises(Refusal) as refused:
        Machine.from_text(REFUSED)
    assert f"<q>{refused.value.message}</q>" in html.unescape(answer["verdict"])
    assert answer["map"] == answer["metadata"] == answer["budget"] == ""


def test_nonsense_is_one_line() -> None:
    """A text that is nothing known is answered with one line, and nothing of the former VM is changed on the way."""
    session = Session()
    session.paste(ARGV)
    answer = json.loads(session.paste("hello"))
    assert set(answer) == {"error"}
    assert "\n" not in answer["error"]


def test_back_end_says_what_it_reports() -> None:
    """A vhost back end whose limit the text does not say is assumed to have 8, until a reader says otherwise."""
    session = Session()
    text = (
        "qemu-system-x86_64 -accel kvm -machine q35,memory-backend=ram -m 4G,maxmem=104G "
        "-object memory-backend-memfd,id=ram,size=4G -object memory-backend-memfd,id=mem0,size=100G "
        "-chardev socket,id=c,path=/x -device vhost-user-fs-pci,id=fs0,chardev=c,tag=t "
        "-device virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"
    )
    [backend] = json.loads(session.paste(text))["backends"]
    assert (backend["name"], backend["slots"], backend["assumed"]) == ("fs0", 8, True)
    answer = json.loads(session.report("fs0", "virtiofsd-1.10"))
    assert answer["backends"][0]["assumed"] is False
    vm = Machine.from_text(text, vhost_slots={"fs0": 509})
    assert f"of {vm.picture.devices[0].decision.count} memslots mapped" in answer["sentence"]


def test_runs_without_numpy_and_bokeh() -> None:
    """The session needs nothing that a browser's Python does not have."""
    code = f"""
import sys
for name in ("numpy", "bokeh", "ipywidgets", "tornado"):
    sys.modules[name] = None
from workbook.page.live import Session
print(Session().paste({ARGV!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    session = live.Session()
    assert json.loads(done.stdout) == json.loads(session.paste(ARGV))
