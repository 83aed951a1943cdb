"""operator step-down, members, and the raft group."""

import os
import shutil
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import Any

from strongroom_cli import gotext, output
from strongroom_cli.command import Command
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import handle

_RAFT = "sys/storage/raft"


def step_down(session: Session) -> int:
    """Have the active node hand over."""
    with trouble("Error stepping down"):
        session.call("write", "sys/step-down")
    session.say(f"Success! Stepped down: {session.client.settings.address}")
    return 0


def members(session: Session) -> int:
    """Print the nodes of the cluster."""
    with trouble("Error reading the cluster's members"):
        response = session.learn("read", "sys/ha-status")
    body = response.data or response.body or {}
    nodes = body.get("nodes") or body.get("Nodes") or []
    header = ("Host Name", "API Address", "Cluster Address", "Active Node", "Version", "Upgrade Version", "Last Echo")
    keys = ("hostname", "api_address", "cluster_address", "active_node", "version", "upgrade_version", "last_echo")
    lines = [tuple("" if node.get(key) is None else gotext.text(node[key]) for key in keys) for node in nodes]
    return output.document(session, {"Nodes": nodes}, lambda: gotext.table([header, *lines]))


def list_peers(session: Session) -> int:
    """Print the raft peers."""
    with trouble("Error reading the raft cluster configuration"):
        response = session.find("read", f"{_RAFT}/configuration")
    if response is None or not response.data:
        raise CommandError("No raft cluster configuration found")
    servers = (response.data.get("config") or {}).get("servers") or []
    lines = [_peer(server) for server in servers]
    rows = [("Node", "Address", "State", "Voter"), *lines]
    return output.document(session, output.envelope(response), lambda: gotext.table(rows))


def _peer(server: dict[str, Any]) -> tuple[str, ...]:
    state = "leader" if server.get("leader") else "follower"
    return server.get("node_id") or "", server.get("address") or "", state, gotext.text(bool(server.get("voter")))


def remove_peer(session: Session) -> int:
    """Take a peer out of the raft group."""
    with trouble("Error removing the peer from raft cluster"):
        session.call("write", f"{_RAFT}/remove-peer", {"server_id": session.arguments[0].strip()})
    session.say("Peer removed successfully!")
    return 0


def promote(session: Session) -> int:
    """Give a peer a vote."""
    return _set_vote(session, "promote", "promoting")


def demote(session: Session) -> int:
    """Take a peer's vote."""
    return _set_vote(session, "demote", "demoting")


def _set_vote(session: Session, verb: str, doing: str) -> int:
    name = session.arguments[0].strip()
    with trouble(f"Error {doing} server"):
        session.call("write", f"{_RAFT}/{verb}", {"server_id": name})
    session.say(f"Success! Server {name} {verb}d")
    return 0


def join(session: Session) -> int:
    """Add this node to a raft group."""
    options = session.options
    body: dict[str, Any] = {"leader_api_addr": session.arguments[0].strip() if session.arguments else ""}
    for flag in ("leader-ca-cert", "leader-client-cert", "leader-client-key"):
        text = options.text(flag)
        body[flag.replace("-", "_")] = _file(text[1:]) if text.startswith("@") else text
    if "provider=" in body["leader_api_addr"]:  # says how to find the leader
        body["auto_join"] = body.pop("leader_api_addr")
        body["auto_join_scheme"], body["auto_join_port"] = (
            options.text("auto-join-scheme"),
            options.number("auto-join-port"),
        )
    body["retry"], body["non_voter"] = options.on("retry"), options.on("non-voter")
    with trouble("Error joining the node to the Raft cluster"):
        response = session.call("post", f"{_RAFT}/join", body)
    joined = (response.body or {}).get("joined", True)
    return output.document(session, {"joined": joined}, lambda: output.pairs([("Joined", gotext.text(joined))]))


def _file(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def snapshot_save(session: Session) -> int:
    """Write a snapshot of the storage to a file, which is there whole or not at all."""
    path = session.arguments[0].strip()
    request = session.client.prepare("read", f"{_RAFT}/snapshot")
    with trouble("Error taking the snapshot"), session.stream(request) as response:
        if response.status != 200:
            handle(response.status, response.read(), method=request.method, url=session.client.url(request))
        try:
            _keep(response, path)
        except (OSError, HTTPException) as error:
            raise CommandError(f"Error taking the snapshot: {path}: {error}", 1) from error
    return 0


def _keep(response: HTTPResponse, path: str) -> None:
    part = f"{path}.part"
    with open(part, "wb") as file:
        shutil.copyfileobj(response, file)
    if response.length:
        os.remove(part)
        raise OSError("the server broke off")
    os.replace(part, path)


def snapshot_restore(session: Session) -> int:
    """Put a snapshot back."""
    path = session.arguments[0].strip()
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise UsageError(f"Error opening snapshot file: {path}: {error.strerror}") from error
    where = "snapshot-force" if session.options.on("force") else "snapshot"
    with trouble("Error installing the snapshot"):
        session.call("post", f"{_RAFT}/{where}", content)
    return 0


def autopilot_state(session: Session) -> int:
    """Print the health of the raft group."""
    with trouble("Error checking autopilot state"):
        response = session.call("read", f"{_RAFT}/autopilot/state")
    return output.answer(session, response)


def autopilot_config(session: Session) -> int:
    """Print how dead peers are cleaned up."""
    with trouble("Error reading autopilot configuration"):
        response = session.call("read", f"{_RAFT}/autopilot/configuration")
    return output.answer(session, response)


_AUTOPILOT = (
    Flag("cleanup-dead-servers", "Take dead peers out.", "bool"),
    Flag("last-contact-threshold", "How long a healthy peer may be silent.", "ttl"),
    Flag("dead-server-last-contact-threshold", "How long until a silent peer is dead.", "ttl"),
    Flag("max-trailing-logs", "How many entries a healthy peer may lag behind.", "int"),
    Flag("min-quorum", "How many voters stay, whatever is dead.", "int"),
    Flag("server-stabilization-time", "How long a new peer is healthy before it gets a vote.", "ttl"),
)


def set_autopilot_config(session: Session) -> int:
    """Change how dead peers are cleaned up."""
    options = session.options
    readers: dict[str, Callable[[str], Any]] = {"bool": options.on, "int": options.number, "ttl": options.text}
    changes = {
        flag.name.replace("-", "_"): readers[flag.kind](flag.name) for flag in _AUTOPILOT if options.given(flag.name)
    }
    with trouble("Error setting autopilot configuration"):
        session.call("write", f"{_RAFT}/autopilot/configuration", changes)
    return 0


COMMANDS = {
    "operator step-down": Command(step_down, "[options]", "Has the active node hand over to a standby.", formats=()),
    "operator members": Command(members, "[options]", "Lists the nodes of the cluster."),
    "operator raft list-peers": Command(list_peers, "[options]", "Lists the peers of the raft group."),
    "operator raft remove-peer": Command(
        remove_peer, "[options] SERVER_ID", "Takes a peer out of the raft group.", (), 1, 1,
    ),
    "operator raft promote": Command(promote, "[options] SERVER_ID", "Gives a peer a vote.", (), 1, 1),
    "operator raft demote": Command(demote, "[options] SERVER_ID", "Takes a peer's vote.", (), 1, 1),
    "operator raft join": Command(
        join, "[options] LEADER_ADDRESS",
        "Adds this node to the raft group of the node at LEADER_ADDRESS, or that provider=NAME KEY=VALUE... finds.",
        (Flag("auto-join-scheme", "Scheme of addresses that a provider finds.", default="https"),
         Flag("auto-join-port", "Port of them.", "int", 8200),
         Flag("leader-ca-cert", "CA certificate of the leader, or @FILE."),
         Flag("leader-client-cert", "Client certificate to show to the leader, or @FILE."),
         Flag("leader-client-key", "Its key, or @FILE."),
         Flag("retry", "Try again until it works.", "bool"),
         Flag("non-voter", "Without a vote.", "bool")),
        0, 1,
    ),
    "operator raft snapshot save": Command(
        snapshot_save, "[options] FILE", "Writes a snapshot of the storage to FILE.", (), 1, 1,
    ),
    "operator raft snapshot restore": Command(
        snapshot_restore, "[options] FILE", "Puts the snapshot in FILE back; what was written since is lost.",
        (Flag("force", "Even if the snapshot is another cluster's.", "bool"),), 1, 1,
    ),
    "operator raft autopilot state": Command(autopilot_state, "[options]", "Prints the health of the raft group."),
    "operator raft autopilot get-config": Command(
        autopilot_config, "[options]", "Prints how dead peers are cleaned up.",
    ),
    "operator raft autopilot set-config": Command(
        set_autopilot_config, "[options]", "Changes how dead peers are cleaned up; what is not given stays.",
        _AUTOPILOT,
    ),
}  # fmt: skip
