"""Folders of our own: only what is on their list goes, and a swap that was killed is put in order."""

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.journal.files import own
from runner.journal.files.own import LIST, OwnFolder, renewing
from runner.journal.files.places import Unexpected


def texts(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != LIST}


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def renew(parent, files, text="new"):
    with renewing(parent, {"figures": list(files)}) as folders:
        for name in files:
            folders["figures"].write(name, text.encode())


def test_a_folder_that_is_not_ours_is_refused(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes").touch()
    (tmp_path / "listed").mkdir()
    (tmp_path / "listed" / LIST).write_text('My own notes.\n"notes"\n')
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    (tmp_path / "file").touch()
    for name in ("theirs", "listed", "link", "file"):
        with pytest.raises(Unexpected):
            OwnFolder.at(tmp_path / name)
    assert (tmp_path / "theirs" / "notes").exists()
    (tmp_path / "empty").mkdir()
    OwnFolder.at(tmp_path / "empty").clear()
    assert not (tmp_path / "empty").exists()


def test_only_what_is_listed_is_cleared_also_by_a_later_command(tmp_path):
    folder = OwnFolder.at(tmp_path / "f")
    for name in ("a", "b/c", 'odd "name"\n'):
        folder.write(name, b"x")
    (tmp_path / "f" / "b" / "mine").touch()
    with (tmp_path / "f" / LIST).open("a") as file:
        file.write('"hal')  # a command was killed in the middle of a line
    OwnFolder.at(tmp_path / "f").clear()
    assert [path.name for path in (tmp_path / "f" / "b").iterdir()] == ["mine"]
    assert {path.name for path in (tmp_path / "f").iterdir()} == {"b", LIST}
    (tmp_path / "f" / "b" / "mine").unlink()
    (tmp_path / "f" / "b").rmdir()
    OwnFolder.at(tmp_path / "f").clear()
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "theirs"])
def test_a_list_that_is_not_ours_is_not_written_to(tmp_path, kind):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "figures").mkdir()
    place = tmp_path / "figures" / LIST
    if kind == "link":
        place.symlink_to(precious)
    elif kind == "hard link":
        place.hardlink_to(precious)
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.write_text("precious")
    with pytest.raises(OSError):
        renew(tmp_path, ["a"])
    assert precious.read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} >= {"precious", "figures"}
    assert listed(tmp_path / "figures") == [LIST]


def test_a_renewed_folder_keeps_what_is_not_ours(tmp_path):
    folder = tmp_path / "figures"
    renew(tmp_path, ["a", "b"], "old")
    (folder / "notes").write_text("mine")
    (folder / "sub").mkdir()
    (folder / "sub" / "deep").write_text("mine")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    renew(tmp_path, ["b", "c"])
    assert {path.name for path in folder.iterdir()} == {LIST, "b", "c", "notes", "sub", "link"}
    assert (folder / "sub" / "deep").read_text() == "mine"
    assert (folder / "b").read_text() == "new"
    assert (folder / "link").readlink() == tmp_path / "elsewhere"
    assert listed(tmp_path) == ["figures"]


def test_an_exception_leaves_the_earlier_folder(tmp_path):
    renew(tmp_path, ["a"], "old")
    with suppress(KeyError), renewing(tmp_path, {"figures": ["a", "b"]}) as folders:
        folders["figures"].write("a", b"half")
        raise KeyError
    assert texts(tmp_path / "figures") == {"a": "old"}
    assert listed(tmp_path) == ["figures"]


class Killed(BaseException):
    """As if the process had gone: nothing after it is done."""


@given(files=st.sets(st.sampled_from("abc"), min_size=1), theirs=st.booleans(), at=st.integers(0, 60))
def test_wherever_a_swap_is_killed_the_next_one_puts_it_in_order(tmp_path_factory, files, theirs, at):
    parent = tmp_path_factory.mktemp("parent")
    renew(parent, ["a", "x"], "old")
    if theirs:
        (parent / "figures" / "notes").write_text("mine")
    kill_at(at, lambda: renew(parent, sorted(files)))
    found = texts(parent / "figures") if (parent / "figures").exists() else texts(parent / ".figures.old")
    assert {found.get(name) for name in "ax"} <= {"old", "new", None}
    renew(parent, ["b"], "newest")
    assert texts(parent / "figures") == {"b": "newest"} | ({"notes": "mine"} if theirs else {})
    assert listed(parent) == ["figures"]


def kill_at(step, act):
    """Act, and go before the system call of that number; what is done after it in this process is not."""
    calls, names = [], ("rename", "unlink", "rmdir", "open", "mkdir")

    def counted(call):
        def wrapped(*args, **keys):
            calls.append(call)
            if len(calls) > step:
                raise Killed
            return call(*args, **keys)

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(os, name, counted(getattr(os, name)))
        with suppress(Killed):
            act()


def test_two_commands_do_not_come_between_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(own, "_PATIENCE", 0.1)
    with renewing(tmp_path, {"figures": ["a"]}) as folders:
        folders["figures"].write("a", b"first")
        with pytest.raises(BlockingIOError, match="another command is writing it"):
            renew(tmp_path, ["a"])
    assert texts(tmp_path / "figures") == {"a": "first"}


def test_what_took_a_name_meanwhile_is_kept_beside(tmp_path):
    renew(tmp_path, ["a"], "old")
    (tmp_path / "figures").rename(tmp_path / ".figures.old")
    (tmp_path / ".figures.old" / "notes.txt").write_text("earlier")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "notes.txt").write_text("later")
    renew(tmp_path, ["a"])
    assert texts(tmp_path / "figures") == {"a": "new", "notes.txt": "later", "notes (2).txt": "earlier"}
