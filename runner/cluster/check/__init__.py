"""Offline checks of files that describe a cluster: for ``ray up``, and for KubeRay."""

from runner.cluster.check.checking import Checked, check_cluster
from runner.cluster.check.groups import Group
from runner.cluster.check.mistakes import Mistake

__all__ = ["Checked", "Group", "Mistake", "check_cluster"]
