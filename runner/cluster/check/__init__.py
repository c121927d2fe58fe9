"""Files that describe a cluster, checked without a network: for ``ray up``, and for KubeRay.

`check_cluster` says what is wrong with one and how many trials a study could evaluate on it at once.
"""

from runner.cluster.check.checking import Checked, check_cluster
from runner.cluster.check.groups import Group
from runner.cluster.check.mistakes import Mistake

__all__ = ["Checked", "Group", "Mistake", "check_cluster"]
