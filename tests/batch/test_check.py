"""Checking many VMs: one row per VM, bad ones among them, in every format and on every engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbook.batch import CheckRow, check, check_rows
from workbook.batch.arrow import COLUMNS
from workbook.batch.engines import CHUNK
from workbook.batch.made_up_fleet import made_up_fleet
from workbook.cli.check import main
from workbook.lib import Machine
from workbook.lib.errors import BadInput

LINE = (
    "qemu-system-x86_64 -accel kvm -cpu qemu64,phys-bits=46 -m 4G,maxmem=104G "
    "-object memory-backend-memfd,id=mem0,size=100G "
    "-device virtio-mem-pci,id=vm0,memdev=mem0,requested-size=20G"
)
REFUSED = "qemu-system-x86_64 -accel kvm -m 4G,maxmem=2G"
DOMAIN = "<domain type='kvm'><name>{}</name><memory unit='GiB'>2</memory><os><type>hvm</type></os></domain>"
KUBE = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"name": "web", "namespace": "prod"},
    "spec": {"template": {"spec": {"domain": {"devices": {}, "memory": {"guest": "4Gi"}}}}},
}


def rows(*inputs: str | Path | tuple[str, str]) -> list[CheckRow]:
    """Check in this process."""
    return list(check_rows(inputs, workers=1))


def test_a_vm_that_starts() -> None:
    """Numbers are those of the machine after its guest has followed the request."""
    (row,) = rows(("mine", LINE))
    vm = Machine.from_text(LINE)
    vm.settle("vm0")
    assert (row["source"], row["verdict"], row["read"]) == ("mine", "starts", vm.read_as)
    assert row["memslots"] is not None
    assert row["memslots"]["mapped"] == len(vm.view) == 1
    assert row["memslots"]["kvm_used"] == vm.kvm_used[0]
    assert row["exposed"] == vm.exposed == 80 << 30
    assert row["metadata"] is not None
    dynamic = row["metadata"]["dynamic"]
    assert dynamic is not None
    assert dynamic < row["metadata"]["now"] < row["metadata"]["nested"]
    assert "dynamic-memslots=on" in row["change"]


def test_what_qemu_refuses_and_what_nobody_can_read() -> None:
    """A refusal has QEMU's words and advice; bad input has one line."""
    refused, unreadable = rows(REFUSED, ("odd", "hello"))
    assert refused["verdict"] == "refused"
    assert refused["message"].startswith("invalid value of maxmem: maximum memory size")
    assert refused["change"]
    assert (unreadable["verdict"], unreadable["memslots"]) == ("unreadable", None)
    assert "\n" not in unreadable["message"]


def test_every_kind_of_file(tmp_path: Path) -> None:
    """Domains behind each other, lists of KubeVirt, command lines by NUL and by line, JSON lines: a row per VM."""
    files = {
        "domains.xml": "\n".join(DOMAIN.format(name) for name in ("one", "two", "three")),
        "list.json": json.dumps({"apiVersion": "v1", "kind": "List", "items": [KUBE, KUBE]}),
        "cmdline": ("\0".join(LINE.split()) + "\0") * 2,
        "lines.jsonl": "\n".join(json.dumps(one) for one in (LINE, {"name": "x1", "xml": DOMAIN.format("y")}, KUBE)),
        "shell.txt": f"{LINE}\n{REFUSED}\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = rows(tmp_path)
    assert [one["source"].removeprefix(f"{tmp_path}/") for one in found] == [
        "cmdline:1",
        "cmdline:2",
        "domains.xml",
        "domains.xml:two",
        "domains.xml:three",
        "lines.jsonl:1",
        "x1",
        "lines.jsonl:3",
        "list.json:prod/web",
        "list.json:prod/web",
        "shell.txt:1",
        "shell.txt:2",
    ]
    assert [one["verdict"] for one in found] == ["starts"] * 11 + ["refused"]


def test_bad_files_are_rows_and_end_nothing(tmp_path: Path) -> None:
    """A binary, a truncated domain, a symlink loop, an empty file, a large one, a FIFO: a row each."""
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "cut.xml").write_text(DOMAIN[:40])
    (tmp_path / "empty").touch()
    (tmp_path / "good.args").write_text(LINE)
    with (tmp_path / "large").open("wb") as file:
        file.write(b"qemu-system-x86_64 " * 8000)
        file.truncate(200 << 20)
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").symlink_to(tmp_path)
    found = {Path(one["source"]).name: one["verdict"] for one in rows(tmp_path)}
    assert found == {
        "binary": "unreadable",
        "cut.xml": "unreadable",
        "empty": "unreadable",
        "good.args": "starts",
        "large": "unreadable",
        "loop": "unreadable",
        "pipe": "unreadable",
    }


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EACCES is a row with the system's words."""
    (tmp_path / "a.args").write_text(LINE)
    opened = Path.open

    def refuse(path: Path, *mode: str) -> object:
        if path.name == "a.args":
            raise PermissionError(13, "Permission denied")
        return opened(path, *mode)

    monkeypatch.setattr(Path, "open", refuse)
    (row,) = rows(tmp_path)
    assert (row["verdict"], "Permission denied" in row["message"]) == ("unreadable", True)


def test_all_cores_give_the_same_rows() -> None:
    """Processes answer what one process answers, in the order of the inputs."""
    inputs = list(made_up_fleet(10 * CHUNK, different=True))
    assert list(check_rows(inputs, workers=2)) == list(check_rows(inputs, workers=1))


def test_table_and_files_have_the_same_rows(tmp_path: Path) -> None:
    """The Arrow table, Parquet, CSV, JSON lines and the page hold one row per VM."""
    parquet = pytest.importorskip("pyarrow.parquet")
    inputs = [("a", LINE), ("b", REFUSED), ("c", "hello")]
    table = check(inputs, workers=1)
    assert table.column_names == list(COLUMNS)
    assert table.column("verdict").to_pylist() == ["starts", "refused", "unreadable"]
    for suffix in ("parquet", "arrow", "csv", "jsonl", "html"):
        counts = check(inputs, to=tmp_path / f"all.{suffix}", workers=1)
        assert dict(counts) == {"starts": 1, "refused": 1, "unreadable": 1}
    assert parquet.read_table(tmp_path / "all.parquet").equals(table)
    assert [json.loads(one)["source"] for one in (tmp_path / "all.jsonl").read_text().splitlines()] == ["a", "b", "c"]
    page = (tmp_path / "all.html").read_text()
    assert "https://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_dask_gives_the_same_table() -> None:
    """A local dask cluster answers what this process answers."""
    pytest.importorskip("distributed")
    fleet = list(made_up_fleet(3 * CHUNK, different=True))
    assert list(check_rows(fleet, "dask", workers=2)) == list(check_rows(fleet, workers=1))


def test_unknown_engine_and_rules_are_errors_of_the_call() -> None:
    """What is wrong with the call is no row."""
    with pytest.raises(BadInput, match="there is no engine 'spark'"):
        list(check_rows([LINE], "spark"))
    with pytest.raises(BadInput):
        check_rows([LINE], rules="qemu-99")


@pytest.mark.parametrize(("lines", "code"), [([LINE], 0), ([LINE, REFUSED], 1), ([REFUSED, "hello"], 2), ([], 2)])
def test_exit_codes(tmp_path: Path, lines: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """0: all start; 1: one is refused; 2: one is unreadable, or nothing was found."""
    for number, line in enumerate(lines):
        (tmp_path / f"{number}.args").write_text(line)
    assert main([str(tmp_path), "--workers=1"]) == code
    assert capsys.readouterr().out


def test_standard_input_and_json() -> None:
    """`-` reads standard input; JSON is one object per VM and line with the documented keys."""
    command = [sys.executable, "-m", "workbook", "check", "-", "--format", "json"]
    answer = subprocess.run(command, input=LINE, capture_output=True, text=True, timeout=60, check=True)
    row = json.loads(answer.stdout)
    assert {"source", "read", "verdict", "message", "memslots", "metadata", "notes"} <= row.keys()
    assert row["source"] == "standard input"


def test_vhost_limit_by_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A back end's limit is given by device id, as a number; a wrong one is a bad call."""
    vhost = f"{LINE},dynamic-memslots=on -chardev socket,id=c0,path=x -device vhost-user-fs-pci,id=fs0,chardev=c0,tag=t"
    (tmp_path / "a.args").write_text(vhost.replace("id=mem0,size=100G", "id=mem0,size=100G,share=on"))
    main([str(tmp_path), "--vhost-slots", "fs0=509", "--format", "json"])
    row = json.loads(capsys.readouterr().out)
    assert row["memslots"] is None or "fs0" in row["memslots"]["binds"]
    assert main([str(tmp_path), "--vhost-slots", "fs0"]) == 2
