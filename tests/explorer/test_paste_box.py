"""The paste box: whatever describes a VM is opened, said what it was taken for, and asked about."""

import pytest

from workbook.explorer import CommandLine, Explorer
from workbook.lib.errors import Refusal
from workbook.lib.explore.plug_order import places
from workbook.lib.size import GiB

LINE = (
    "qemu-system-x86_64 -accel kvm -machine q35 -cpu qemu64,phys-bits=46 -m 4G,maxmem=260G "
    "-object memory-backend-memfd,id=mem0,size=256G,share=on "
    "-object memory-backend-memfd,id=ram,size=4G,share=on -machine memory-backend=ram "
    "-chardev socket,id=c0,path=/run/fs.sock -device vhost-user-fs-pci,id=fs0,chardev=c0,tag=fs "
    "-device virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"
)
PS = f"root 4711 1 3 10:11 ? 00:01:02 {LINE}"
XML = """<domain type='kvm'><name>d</name><maxMemory unit='GiB'>20</maxMemory><memory unit='GiB'>12</memory>
<currentMemory unit='GiB'>4</currentMemory><vcpu>2</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>
<cpu><numa><cell id='0' cpus='0-1' memory='4' unit='GiB'/></numa></cpu>
<devices><memory model='virtio-mem'><target><size unit='GiB'>8</size><node>0</node><block unit='MiB'>2</block>
<requested unit='GiB'>2</requested></target></memory></devices></domain>"""
MONITOR = """object_add memory-backend-ram,id=mem0,size=8G
device_add virtio-mem-pci,id=vm0,memdev=mem0"""


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    """One explorer for all texts."""
    return Explorer("cover-letter")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (LINE, "a QEMU command line"),
        (PS, "ps"),
        (LINE.replace(" ", "\0"), "/proc"),
        (XML, "libvirt"),
        (MONITOR, "monitor"),
    ],
)
def test_what_describes_a_vm_is_opened(explorer: Explorer, text: str, form: str) -> None:
    """Each form is recognised by itself, and the box says which it is."""
    explorer.open_text(text)
    assert "Read as" in explorer.paste.result.value
    assert form.lower() in explorer.paste.result.value.lower()
    assert explorer.outcome.problem is None
    assert explorer.outcome.layout
    assert explorer.outcome.layout.devices


def test_a_back_end_that_says_nothing_is_asked_about(explorer: Explorer) -> None:
    """8 memslots are assumed for it and said to be; what it reports turns the answer around."""
    explorer.open_text(PS)
    assert "fs0: 8 memslots; what does yours report?" in explorer.paste.result.value
    assert explorer.outcome.promised == 1
    [fs0] = [number for number, one in enumerate(places(explorer.scenario)) if one.name == "fs0"]
    explorer.panel.tell("order", op="limit", row=fs0, text="virtiofsd-1.10")
    assert explorer.outcome.promised == 256
    assert not explorer.panel.values["order"]["asks"]


def test_the_cockpit_has_all_it_has(explorer: Explorer) -> None:
    """The opened VM is turned, compared and undone as any other."""
    explorer.open_text(LINE)
    explorer.panel.tell("requested_size", text="20G")
    assert explorer.outcome.plugged == 20 * GiB
    explorer.compare()
    explorer.turn("vhost_slots", 509)
    assert explorer.outcome.promised == 256
    assert explorer.view.other
    assert explorer.view.other.promised == 1
    explorer.compare(on=False)
    assert explorer.view.notes
    explorer.view.open_tab("Notes")
    assert "assumed" in explorer.view.text
    explorer.view.open_tab("Why")


@pytest.mark.parametrize("text", ["hello", "<b>", "<domain>", "{", "qemu-system-x86_64 -m x", "apiVersion: v1", "\0\0"])
def test_what_cannot_be_read_is_one_line(explorer: Explorer, text: str) -> None:
    """Nothing that is known: one clear line, and the VM of before stays."""
    explorer.open_text(LINE)
    before = explorer.scenario
    explorer.open_text(text)
    assert explorer.paste.result.value.count("role=") == 1
    assert "<b><" not in explorer.paste.result.value
    assert explorer.scenario == before


def test_a_refused_text_says_who_refuses_it(explorer: Explorer) -> None:
    """What QEMU refuses to read has its words in the verdict; the controls still show the VM of before."""
    explorer.open_text(LINE)
    before = explorer.scenario
    explorer.open_text(f"{LINE} -nonsense")
    assert "refuses" in explorer.paste.result.value
    assert "invalid option" in explorer.view._notice.value
    assert explorer.scenario == before


def test_nothing_pasted_is_nothing_said(explorer: Explorer) -> None:
    """An emptied box says nothing."""
    explorer.open_text("  ")
    assert explorer.paste.result.value == ""


def test_a_command_line_with_a_judge() -> None:
    """The text goes to the real QEMU as it stands, and what that says is shown, or why it cannot be asked."""
    asked = []

    def judge(text: str) -> list[tuple[str, str]]:
        asked.append(text)
        if len(asked) > 1:
            raise Refusal("no <QEMU> here")
        return [("QEMU says", "<nothing>")]

    widget = CommandLine(LINE, rules="qemu-9.2", judge=judge)
    assert repr(widget).startswith("CommandLine(rules=qemu-9.2, memslots=0/1 ")
    widget._run.tell("judge")
    assert asked == [LINE]
    assert "&lt;nothing&gt;" in widget._live.value
    widget._run.tell("judge")
    assert "no &lt;QEMU&gt; here" in widget._live.value
    assert widget._run.values["judge"] == {"disabled": False}
