"""Checks of a file that describes a cluster, of either kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runner._text import shown
from runner.cluster.check.groups import Group, check_room
from runner.cluster.check.kuberay import check_kuberay, kuberay_groups
from runner.cluster.check.launcher import check_launcher, launcher_groups
from runner.cluster.check.mistakes import Mistake, mapping
from runner.errors import StudyError
from runner.study.resources import Needs
from runner.study.yaml import read_bounded, scan


@dataclass(frozen=True)
class Checked:
    """Result of a check.

    Attributes
    ----------
    kind : str
        ``"ray up"`` or ``"KubeRay"``.
    mistakes : tuple of Mistake
        Fatal ones first.
    """

    kind: str
    mistakes: tuple[Mistake, ...]
    groups: tuple[Group, ...]

    @property
    def fit(self) -> bool:
        """True where a study can run on such a cluster."""
        return not any(mistake.fatal for mistake in self.mistakes)


def check_cluster(path: str | Path, needs: Sequence[Needs] = (Needs(),)) -> Checked:
    """Check a file for ``ray up``, or the manifests of a RayJob or RayCluster of KubeRay.

    No network is used. Fields of the clouds and of Kubernetes are left to ``ray up`` and to
    ``kubectl apply --dry-run=server``, which know their current names.

    Parameters
    ----------
    needs : sequence of Needs
        Resources of the study's trials. Default: one CPU.

    Raises
    ------
    StudyError
        Where the file is missing, invalid YAML, or describes no cluster.
    """
    path = Path(path)
    documents = [document for document in _documents(path) if document is not None]
    first = documents[0] if documents else None
    if any("apiVersion" in mapping(document) for document in documents):
        kind, mistakes = "KubeRay", list(check_kuberay(documents))
        groups = kuberay_groups(documents)
    elif isinstance(first, Mapping) and len(documents) == 1 and {"provider", "cluster_name"} & first.keys():
        kind, mistakes = "ray up", list(check_launcher(first))
        groups = launcher_groups(first)
    else:
        raise StudyError(
            "expected a cluster file, got neither 'cluster_name' nor 'apiVersion'.",
            where=str(path),
            hint="Give a file for 'ray up', or a RayJob of KubeRay.",
        )
    for one in needs:
        mistakes.extend(check_room(groups, one))
    mistakes.sort(key=lambda mistake: not mistake.fatal)
    return Checked(kind, tuple(mistakes), tuple(groups))


class _Loader(yaml.SafeLoader):
    """The loader of Ray and Kubernetes, but for duplicate keys, which those accept silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {shown(key.value)}", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError, KeyError) as error:  # a date like 2001-13-45, an int of "0x_"
            message = f"{shown(node.value)} cannot be read: {error}"
            raise yaml.constructor.ConstructorError(None, None, message, node.start_mark) from None


def _documents(path: Path) -> list[Any]:
    content = read_bounded(path)
    scan(content, str(path))
    try:
        return list(yaml.load_all(content, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise StudyError(f"invalid YAML: {error.problem}.", where=place) from None
