"""Submit, follow, stop and fetch a study on a cluster from a machine outside it.

Everything goes through the HTTP job interface of the cluster's head, so Ray need not run here.
"""

from runner.cluster.submit.address import check_address
from runner.cluster.submit.archive import send
from runner.cluster.submit.fetching import fetch
from runner.cluster.submit.head import Head
from runner.cluster.submit.package import pack_study
from runner.cluster.submit.submitting import Order, folder_on_head, follow, status, stop, submit

__all__ = [
    "Head",
    "Order",
    "check_address",
    "fetch",
    "folder_on_head",
    "follow",
    "pack_study",
    "send",
    "status",
    "stop",
    "submit",
]
