"""Recordings on disk: single files and archives."""

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from workbook.lib.errors import BadInput
from workbook.recordings.files import load, pack, read_all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def recording(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "steps": [{"action": {"op": "start"}}], **more}


@given(values=st.lists(JSON, min_size=1, max_size=4))
def test_nothing_is_lost(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    """What is packed is read back, whatever it contains, the order of keys included."""
    given = [recording(f"r{number}", value=value) for number, value in enumerate(values)]
    path = tmp_path_factory.mktemp("archive") / "a.jsonl.xz"
    path.write_bytes(pack(given))
    assert json.dumps([one for _, one in read_all([path])]) == json.dumps(given)


def test_same_bytes_whatever_the_order() -> None:
    """An archive depends on its recordings alone: they are ordered by name, and there is no time stamp."""
    one, two = recording("one"), recording("two")
    assert pack([one, two]) == pack([two, one])


@pytest.mark.parametrize("name", [None, "", 7])
def test_name_is_needed(name: object) -> None:
    """A recording without a name cannot be found again."""
    with pytest.raises(BadInput, match=repr(name)):
        pack([{"name": name, "steps": []}])


def test_two_of_one_name() -> None:
    """They are refused rather than one of them dropped."""
    with pytest.raises(BadInput, match="'same'"):
        pack([recording("same"), recording("same")])


def test_folder_with_everything(tmp_path: Path) -> None:
    """Plain, gzipped and archived recordings are read, also from folders inside; others are passed over."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "b.json").write_text(json.dumps(recording("b")))
    (inside / "c.json.gz").write_bytes(gzip.compress(json.dumps(recording("c")).encode()))
    (tmp_path / "a.jsonl.xz").write_bytes(pack([recording("a2"), recording("a1")]))
    (tmp_path / "README.md").write_text("not a recording")
    labels = {label: one["name"] for label, one in read_all([tmp_path])}
    assert labels == {"a.jsonl.xz:a1": "a1", "a.jsonl.xz:a2": "a2", "b.json": "b", "c.json.gz": "c"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{"),
        ("a.json", b"[]"),
        ("a.json", b'{"steps": 3}'),
        ("a.json", b"\xff\xfe\x00"),
        ("a.json.gz", b"no gzip"),
        ("a.json.gz", gzip.compress(b'{"steps": []}', mtime=0)[:-4]),
        ("a.jsonl.xz", b"no xz"),
        ("a.jsonl.xz", lzma.compress(b'{"steps": []}\n')[:-8]),
        ("a.jsonl.xz", lzma.compress(b'{"steps": []}\n{"steps"\n')),
        ("a.jsonl.xz", lzma.compress(b'{"steps": []}\n[]\n')),
        ("a.jsonl.xz", lzma.compress(b"\xff\xfe\n")),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    """Whatever is wrong with a file, the one line that comes out names it."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=name) as error:
        list(read_all([path]))
    assert "\n" not in str(error.value)


def test_nothing_found(tmp_path: Path) -> None:
    """A folder without a recording is said so: an empty answer would look like success."""
    (tmp_path / "README.md").write_text("not a recording")
    (tmp_path / "none.jsonl.xz").write_bytes(lzma.compress(b""))
    with pytest.raises(BadInput, match="no recording found in") as error:
        list(read_all([tmp_path]))
    assert "\n" not in str(error.value)


def test_missing_file() -> None:
    """A path that is not there is said so."""
    with pytest.raises(BadInput, match=r"nowhere\.json"):
        list(read_all(["nowhere.json"]))
    with pytest.raises(BadInput, match=r"nowhere\.json"):
        load(Path("nowhere.json"))
