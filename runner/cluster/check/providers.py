"""What the clouds' parts of a file for ``ray up`` may hold, which Ray's schema leaves open.

The keys are those that Ray 2.60 reads, and those of EC2's RunInstances that a node may set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.cluster.check.mistakes import Mistake, listed, mapping, text, unknown_keys
from runner.errors import nearest

_EVERYWHERE = {"type", "use_internal_ips", "disable_node_updaters", "cache_stopped_nodes"}
_KEYS = {
    "aws": {
        "region", "availability_zone", "key_pair", "security_group", "aws_credentials", "cloudwatch",
    },
    "gcp": {"region", "availability_zone", "project_id", "gcp_credentials"},
    "local": {
        "head_ip", "worker_ips", "coordinator_address", "external_head_ip", "use_external_head_ip",
    },
}  # fmt: skip
_NEEDED = {"aws": ("region",), "gcp": ("region", "availability_zone", "project_id")}
_OTHERS = ("azure", "vsphere", "aliyun", "spark", "external")
_RUN_INSTANCES = {
    "BlockDeviceMappings", "CapacityReservationSpecification", "CpuOptions", "CreditSpecification",
    "DisableApiStop", "DisableApiTermination", "EbsOptimized", "EnclaveOptions", "HibernationOptions",
    "IamInstanceProfile", "ImageId", "InstanceInitiatedShutdownBehavior", "InstanceMarketOptions",
    "InstanceType", "Ipv6AddressCount", "Ipv6Addresses", "KeyName", "LaunchTemplate",
    "LicenseSpecifications", "MaintenanceOptions", "MetadataOptions", "Monitoring", "NetworkInterfaces",
    "Placement", "PrivateDnsNameOptions", "PrivateIpAddress", "SecurityGroupIds", "SecurityGroups",
    "SubnetId", "SubnetIds", "TagSpecifications", "UserData",
}  # fmt: skip
_WORLD = {"0.0.0.0/0", "::/0"}
_SSH = 22


def check_provider(provider: Mapping[str, Any]) -> Iterator[Mistake]:
    """What is wrong with ``provider:``."""
    kind = text(provider.get("type"))
    if kind not in _KEYS:
        if kind and kind not in _OTHERS:
            hint = nearest(kind, [*_KEYS, *_OTHERS])
            yield Mistake("provider.type", f"Ray knows no provider '{kind}'.", hint)
        return
    yield from unknown_keys(provider, _EVERYWHERE | _KEYS[kind], "provider")
    for key in _NEEDED.get(kind, ()):
        if not provider.get(key):
            yield Mistake(f"provider.{key}", "it is missing.", f"Ray needs it for {kind}.")
    if kind == "local" and "coordinator_address" not in provider:
        for key in ("head_ip", "worker_ips"):
            if key not in provider:
                yield Mistake(
                    f"provider.{key}", "it is missing.", "Own machines are named by their addresses."
                )
    region = text(provider.get("region"))
    for zone in text(provider.get("availability_zone")).split(","):
        if region and zone.strip() and not zone.strip().startswith(region):
            what = f"'{zone.strip()}' lies not in the region '{region}'."
            yield Mistake("provider.availability_zone", what)
    if kind == "aws" and provider.get("cache_stopped_nodes", True):
        what = "'ray down' stops nodes and keeps their disks, which go on costing."
        yield Mistake("provider.cache_stopped_nodes", what, "Set it to false to end them.", fatal=False)
    yield from _check_security_group(mapping(provider.get("security_group")))


def check_node_config(provider: str, node: Mapping[str, Any], where: str) -> Iterator[Mistake]:
    """What is wrong with the ``node_config`` of a node type."""
    config, where = mapping(node.get("node_config")), f"{where}.node_config"
    if provider == "aws":
        yield from unknown_keys(config, _RUN_INSTANCES, where)
        if not {"InstanceType", "LaunchTemplate"} & config.keys():
            yield Mistake(f"{where}.InstanceType", "it is missing.", "For example m7i.2xlarge.")
        market = mapping(config.get("InstanceMarketOptions")).get("MarketType", "spot")
        if market not in ("spot", "capacity-block"):
            what = f"got {market!r}; 'spot' was expected."
            yield Mistake(f"{where}.InstanceMarketOptions.MarketType", what, "Leave it out for on-demand.")
    elif provider == "gcp":
        for key, example in (("machineType", "n2-standard-8"), ("disks", "a boot disk")):
            if key not in config:
                yield Mistake(f"{where}.{key}", "it is missing.", f"For example {example}.")


def _check_security_group(group: Mapping[str, Any]) -> Iterator[Mistake]:
    for number, rule in enumerate(listed(group.get("IpPermissions"))):
        rule = mapping(rule)
        ranges = [*listed(rule.get("IpRanges")), *listed(rule.get("Ipv6Ranges"))]
        open_to = {text(mapping(found).get("CidrIp") or mapping(found).get("CidrIpv6")) for found in ranges}
        if open_to & _WORLD and not rule.get("FromPort") == rule.get("ToPort") == _SSH:
            yield Mistake(
                f"provider.security_group.IpPermissions[{number}]",
                "ports other than SSH's are open to all the world.",
                "Reach the head by a tunnel: ray dashboard cluster.yaml.",
            )
