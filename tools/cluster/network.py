"""The cluster's own network namespace, joined to the machine by one pair of interfaces.

Security: nothing in the cluster can reach beyond the machine.
1. Whatever leaves through the pair for another address than the machine's end of it is rejected inside.
2. The machine's `ip_forward` is not touched (it is 0 unless somebody else needs it).
"""

import subprocess
from pathlib import Path

from tools.cluster.layout import HOST_ADDRESS, NAMESPACE, NODE_ADDRESS, PODS, SERVICES
from tools.cluster.processes import IN_NAMESPACE, end
from tools.cluster.steps import run

_HOST_END = "kube-host"
_CLUSTER_END = "uplink"


def create() -> None:
    """Make the namespace, its link to the machine, the routes, and the rule that keeps traffic in."""
    run(["ip", "netns", "add", NAMESPACE])
    run(["ip", "link", "add", _HOST_END, "type", "veth", "peer", "name", _CLUSTER_END, "netns", NAMESPACE])
    run(["ip", "address", "add", f"{HOST_ADDRESS}/24", "dev", _HOST_END])
    run(["ip", "link", "set", _HOST_END, "up"])
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", _CLUSTER_END],
        ["ip", "link", "set", _CLUSTER_END, "up"],
        ["ip", "route", "add", "default", "via", HOST_ADDRESS],
        ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"],
        *(
            # A connection to a Service's address is turned to a pod after its way out was chosen: it stays inside.
            ["iptables", "-w", "-A", "OUTPUT", "-o", _CLUSTER_END, "-d", address, "-j", "ACCEPT"]
            for address in (PODS, NODE_ADDRESS)
        ),
        *(
            ["iptables", "-w", "-A", chain, "-o", _CLUSTER_END, "!", "-d", HOST_ADDRESS, "-j", "REJECT"]
            for chain in ("OUTPUT", "FORWARD")
        ),
    ):
        run([*IN_NAMESPACE, *command])
    for network in (PODS, SERVICES):
        run(["ip", "route", "add", network, "via", NODE_ADDRESS, "dev", _HOST_END])


def delete() -> None:
    """Remove the namespace and the link; ends whatever still runs in it."""
    if Path(f"/run/netns/{NAMESPACE}").exists():
        end([int(pid) for pid in run(["ip", "netns", "pids", NAMESPACE]).split()])
        run(["ip", "netns", "delete", NAMESPACE])
    # The kernel removes the pair together with the namespace, but a little later.
    subprocess.run(["ip", "link", "delete", _HOST_END], capture_output=True, check=False)


def plugins() -> dict[str, object]:
    """Write CNI's configuration: pods are routed (no bridge), so that all their traffic meets kube-proxy's rules."""
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]},
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
