"""YAML 1.2, with the place of every value, and limits on the size that a small file may expand to.

The scanner and the parser are PyYAML's; the meaning of their events is decided here. PyYAML's own reader
follows YAML 1.1, in which ``010`` is 8, ``1:30`` is 90 and ``no`` is false, it forgets the lines, and a
kilobyte of aliases can become gigabytes.
"""

from runner.study.yaml.document import Document, Mark
from runner.study.yaml.reading import load_text, parse, read_bounded, read_document, read_yaml, scan
from runner.study.yaml.writing import dump, plain

__all__ = [
    "Document",
    "Mark",
    "dump",
    "load_text",
    "parse",
    "plain",
    "read_bounded",
    "read_document",
    "read_yaml",
    "scan",
]
