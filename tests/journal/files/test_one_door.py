"""Only `runner.journal.files.places` and `own` write and remove files: elsewhere checks are forgotten."""

import ast

from tests.test_layers import IMPORTS, at

REMOVES = {"rmtree", "unlink", "rmdir", "removedirs", "truncate", "ftruncate", "delete_dir", "delete_file"}
WRITES = {"write_text", "write_bytes"}
DOORS = {"journal/files/places.py", "journal/files/own.py"}
ELSEWHERE = {
    "journal/files/folder.py": "the lock, which it has found to be ours",
    "problems/files/stores.py": "object stores, which have no links, by lists of our own",
    "problems/checkpoints.py": "its scratch folder",
    "engine/ray/foreign_trainables.py": "a folder that Tune has made for a trainable",
    "engine/ray/files.py": "its folder in Ray's session",
    "engine/worker/guard.py": "its folder in a driver's scratch folder",
    "journal/files/scratch.py": "folders that it has made, or whose lock and mark say that this program has",
    "problems/files/objective_files.py": "its scratch folder",
    "cli/commands/init.py": "what must not be there yet",
    "results/export.py": "given what `replacing` gives",
    "cli/verdict.py": "given what `replacing` gives",
}


def calls(tree):
    """What is called of what, and with which words: name, receiver, first argument."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            yield node.func.attr, ast.unparse(node.func.value), first


def is_at_a_file(name, receiver, first):
    """Whether a call removes a file, or writes one that `replacing` has not given (as ``new``)."""
    if name in REMOVES or (receiver, name) == ("os", "remove"):
        return True
    writes = name in WRITES or (name == "open" and isinstance(first, str) and bool(set(first) & set("wax+")))
    return writes and receiver != "new"


def test_nothing_else_writes_or_removes_files():
    found = {}
    for path in IMPORTS:
        some = calls(ast.parse(path.read_text(encoding="utf-8")))
        if names := [f"{call[1]}.{call[0]}" for call in some if is_at_a_file(*call)]:
            found[at(path)] = names
    strange = {path: some for path, some in found.items() if path not in DOORS | ELSEWHERE.keys()}
    assert not strange, "use `replacing`, `Root` or `OwnFolder`"
    assert found.keys() >= ELSEWHERE.keys(), "what needs no exception has none"
