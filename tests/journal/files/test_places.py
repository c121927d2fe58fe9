"""Files below a folder: reached without a link, replaced as a whole, removed alone."""

import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.journal.files.places import Root, Unexpected, is_being_made, kind_of, replacing

PRECIOUS = "precious"


def read(root, name):
    with root.reading(name) as file:
        return file.read().decode()


def make(root, name, text="new"):
    with root.making(name) as file:
        file.write(text.encode())


def files(root, below=""):
    """All files of a root, by `Root.entries`."""
    for name, kind in root.entries(below):
        if kind == "a folder":
            yield from files(root, name)
        else:
            yield name


@pytest.fixture
def other(tmp_path):
    """A folder outside, which nothing may touch."""
    folder = tmp_path / "other"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text(PRECIOUS)
    (folder / "sub" / "file").write_text(PRECIOUS)
    return folder


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return Root(tmp_path / "root")


def untouched(folder):
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    assert found.keys() == {"file", "sub", "sub/file"}
    assert {path.read_text() for path in found.values() if path.is_file()} == {PRECIOUS}


NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map("/".join)


@given(made=st.lists(NAMES, max_size=6), removed=st.lists(NAMES, max_size=6))
def test_what_is_removed_is_what_was_named_and_the_folders_that_it_leaves_empty(
    tmp_path_factory, made, removed
):
    root, there = Root(tmp_path_factory.mktemp("root")), set()
    for name in made:
        if not any(
            f"{name}/".startswith(f"{other}/") or f"{other}/".startswith(f"{name}/") for other in there
        ):
            make(root, name, name)
            there.add(name)
    assert set(files(root)) == there
    root.remove(removed)
    left = there - set(removed)
    assert set(files(root)) == left
    assert all(read(root, name) == name for name in left)
    folders = {path for path in root.path.rglob("*") if path.is_dir()}
    full = {root.path / name for name in left}
    assert all(any(folder in path.parents for path in full) for folder in folders)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//b", ".", "..", "", "a/", "a\0b"])
def test_a_name_that_leads_out_is_refused(root, name):
    for act in (lambda: read(root, name), lambda: make(root, name), lambda: root.remove([name])):
        with pytest.raises(ValueError, match="leads out of its folder"):
            act()


@pytest.mark.parametrize("depth", ["linked/file", "linked/sub/file", "real/linked/file"])
def test_no_folder_is_reached_through_a_link(root, other, depth):
    (root.path / "real").mkdir()
    (root.path / "linked").symlink_to(other)
    (root.path / "real" / "linked").symlink_to(other)
    for act in (lambda: read(root, depth), lambda: make(root, depth)):
        with pytest.raises(Unexpected, match=r"expected a folder at '.*linked', got a link"):
            act()
    root.remove([depth])
    make(root, "mine")
    with pytest.raises(Unexpected, match="got a link"):
        root.move("mine", root, depth)
    assert "mine" in set(files(root))
    untouched(other)


def test_the_root_itself_may_be_a_link(tmp_path, other):
    (tmp_path / "link").symlink_to(other)
    root = Root(tmp_path / "link")
    make(root, "x/y")
    assert read(root, "x/y") == "new"
    root.remove(["x/y"])
    untouched(other)


def test_a_link_to_a_file_is_not_read_and_makes_way_alone(root, other):
    for name, target in [("link", other / "file"), ("dangling", other / "none")]:
        (root.path / name).symlink_to(target)
        with pytest.raises(Unexpected, match=f"expected a file at '.*{name}', got a link"):
            read(root, name)
        make(root, name)
        assert read(root, name) == "new"
    (root.path / "hard").hardlink_to(other / "file")
    make(root, "hard")
    (root.path / "folder").symlink_to(other)
    root.remove(["folder"])
    assert not kind_of(root.path / "folder")
    untouched(other)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_what_is_no_file_is_not_opened(root, kind):
    place = root.path / "it"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(place))
    elif kind == "device":
        root, place = Root(Path("/dev")), Path("/dev/null")
    else:
        place.mkdir()
    with pytest.raises(Unexpected, match=f"expected a file at .*, got a {kind}"):
        read(root, place.name)
    assert kind_of(place) == f"a {kind}"


def test_a_folder_in_the_place_of_a_file_stays(root):
    make(root, "folder/file", "kept")
    with pytest.raises(FileExistsError):
        make(root, "folder")
    got = r"expected a file at .*, got a folder"
    with pytest.raises(Unexpected, match=got), replacing(root.path / "folder"):
        pass
    make(root, "mine")
    with pytest.raises(Unexpected, match=got):
        root.move("mine", root, "folder")
    root.remove(["folder"])
    assert read(root, "folder/file") == "kept"


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "hard link", "pipe", "read-only", "nothing"])
def test_a_file_is_replaced_and_never_written_to(tmp_path, other, kind):
    place = tmp_path / "place"
    if kind in ("file", "read-only"):
        place.write_text("old")
        place.chmod(0o400 if kind == "read-only" else 0o600)
    elif kind == "link":
        place.symlink_to(other / "file")
    elif kind == "dangling":
        place.symlink_to(other / "none")
    elif kind == "hard link":
        place.hardlink_to(other / "file")
    elif kind == "pipe":
        os.mkfifo(place)
    before = kind_of(place)
    with suppress(KeyError), replacing(place) as new:
        new.write_text("half")
        raise KeyError
    assert kind_of(place) == before
    with replacing(place) as new:
        assert is_being_made(new.name)
        new.write_text("new")
    assert (kind_of(place), place.read_text()) == ("a file", "new")
    assert {path.name for path in tmp_path.iterdir()} == {"place", "other"}
    untouched(other)


def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "place") as new:
            new.write_text("x")
        make(Root(tmp_path), "sub/other")
    finally:
        os.umask(before)
    assert (tmp_path / "place").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "sub" / "other").stat().st_mode & 0o777 == 0o640


def test_a_file_beside_that_has_a_likely_name_stays(tmp_path):
    (tmp_path / "place.new").write_text(PRECIOUS)
    (tmp_path / ".place.new").write_text(PRECIOUS)
    with replacing(tmp_path / "place") as new:
        new.write_text("new")
    assert {path.read_text() for path in tmp_path.iterdir()} == {PRECIOUS, "new"}
