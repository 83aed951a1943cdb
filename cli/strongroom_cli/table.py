"""Every command there is: its module in ``commands/`` and one line about it.

Kept apart from the modules so that a run imports only the one it needs; a test compares the two.
"""

COMMANDS: dict[str, tuple[str, str]] = {
    "read": ("generic", "Read a path"),
    "write": ("generic", "Write a path"),
    "patch": ("generic", "Change part of a path"),
    "delete": ("generic", "Delete a path"),
    "list": ("generic", "List the names below a path"),
    "scan": ("generic", "List all names below a path"),
    "login": ("login", "Get a token and keep it"),
    "debug": ("debug", "Gather what a server tells of itself"),
    "ssh": ("ssh", "Log in to a host"),
    "status": ("status", "Print seal and HA status"),
    "unwrap": ("lease", "Print what a wrapping token holds"),
    "monitor": ("monitor", "Print the server's log as it is written"),
    "path-help": ("status", "Print the server's help for a path"),
    "version": ("status", "Print this program's version"),
    "version-history": ("status", "Print which versions the server has had"),
    "print token": ("status", "Print the token in use"),
    "audit disable": ("audit", "Disable an audit device"),
    "audit enable": ("audit", "Enable an audit device"),
    "audit list": ("audit", "List the audit devices"),
    "auth disable": ("auth", "Unmount an auth method"),
    "auth enable": ("auth", "Mount an auth method"),
    "auth help": ("auth", "Tell how to log in with an auth method"),
    "auth list": ("auth", "List the auth methods"),
    "auth move": ("auth", "Move an auth method"),
    "auth tune": ("auth", "Change an auth method's settings"),
    "kv delete": ("kv", "Delete versions of a secret"),
    "kv destroy": ("kv", "Destroy versions for good"),
    "kv enable-versioning": ("kv", "Make a store one of version 2"),
    "kv get": ("kv", "Print a secret"),
    "kv list": ("kv", "List secrets"),
    "kv metadata delete": ("kv_metadata", "Delete a secret with all its versions"),
    "kv metadata destroy": ("kv_metadata", "The same as delete"),
    "kv metadata get": ("kv_metadata", "Print a secret's settings and versions"),
    "kv metadata patch": ("kv_metadata", "Change some of a secret's settings"),
    "kv metadata put": ("kv_metadata", "Set a secret's settings"),
    "kv patch": ("kv", "Change some fields of a secret"),
    "kv put": ("kv", "Write a secret"),
    "kv rollback": ("kv", "Go back to an older version"),
    "kv scan": ("kv", "List all secrets, through folders"),
    "kv undelete": ("kv", "Bring deleted versions back"),
    "lease lookup": ("lease", "Print a lease"),
    "lease renew": ("lease", "Extend a lease"),
    "lease revoke": ("lease", "End leases"),
    "namespace create": ("namespace", "Make a namespace"),
    "namespace delete": ("namespace", "Delete a namespace"),
    "namespace delete-sealed": ("namespace", "Delete a sealed namespace"),
    "namespace list": ("namespace", "List namespaces"),
    "namespace lock": ("namespace", "Refuse all requests in a namespace"),
    "namespace lookup": ("namespace", "Print a namespace"),
    "namespace patch": ("namespace", "Change a namespace's metadata"),
    "namespace scan": ("namespace", "List namespaces, those below included"),
    "namespace seal": ("namespace", "Seal a namespace with a seal of its own"),
    "namespace seal-status": ("namespace", "Print the state of a namespace's own seal"),
    "namespace unlock": ("namespace", "Let requests in a namespace through again"),
    "namespace unseal": ("namespace", "Give a key of a namespace's own seal"),
    "operator diagnose": ("operator_diagnose", "Look for what is wrong with a server file"),
    "operator generate-root": ("operator_generate_root", "Make a new root token"),
    "operator init": ("operator_seal", "Initialize a server"),
    "operator key-status": ("operator_seal", "Print the encryption key's state"),
    "operator members": ("operator_cluster", "List the cluster's nodes"),
    "operator migrate": ("operator_diagnose", "Copy a store into another"),
    "operator raft autopilot get-config": ("operator_cluster", "Print autopilot's settings"),
    "operator raft autopilot set-config": ("operator_cluster", "Change autopilot's settings"),
    "operator raft autopilot state": ("operator_cluster", "Print the raft group's health"),
    "operator raft demote": ("operator_cluster", "Take a peer's vote"),
    "operator raft join": ("operator_cluster", "Add this node to a raft group"),
    "operator raft list-peers": ("operator_cluster", "List the raft peers"),
    "operator raft promote": ("operator_cluster", "Give a peer a vote"),
    "operator raft remove-peer": ("operator_cluster", "Take a peer out"),
    "operator raft snapshot restore": ("operator_cluster", "Put a snapshot back"),
    "operator raft snapshot save": ("operator_cluster", "Take a snapshot"),
    "operator rekey": ("operator_rekey", "Make new unseal keys"),
    "operator rotate": ("operator_seal", "Make a new encryption key"),
    "operator rotate-keys": ("operator_rekey", "Make new unseal keys, with a token"),
    "operator seal": ("operator_seal", "Seal the server"),
    "operator step-down": ("operator_cluster", "Have the active node hand over"),
    "operator unseal": ("operator_seal", "Give an unseal key"),
    "operator validate-config": ("operator_diagnose", "Check a server file"),
    "pki health-check": ("pki_health", "Check a PKI engine against good practice"),
    "pki issue": ("pki", "Make a CA below another"),
    "pki list-intermediates": ("pki", "List the CAs below another"),
    "pki reissue": ("pki", "Make a CA like another"),
    "pki verify-sign": ("pki", "Compare two CAs"),
    "plugin deregister": ("plugin", "Take a plugin out of the catalog"),
    "plugin info": ("plugin", "Print a plugin"),
    "plugin init": ("plugin", "Download plugins"),
    "plugin list": ("plugin", "List what can be mounted"),
    "plugin prune": ("plugin", "Remove plugins that are not used"),
    "plugin register": ("plugin", "Put a plugin into the catalog"),
    "plugin reload": ("plugin", "Start mounts anew"),
    "plugin reload-status": ("plugin", "Print how far a reload has come"),
    "policy delete": ("policy", "Delete a policy"),
    "policy explain": ("policy", "Tell why a request is allowed or refused"),
    "policy fmt": ("policy", "Format a policy file"),
    "policy list": ("policy", "List the policies"),
    "policy read": ("policy", "Print a policy"),
    "policy write": ("policy", "Write a policy"),
    "secrets disable": ("secrets", "Unmount a secrets engine"),
    "secrets enable": ("secrets", "Mount a secrets engine"),
    "secrets list": ("secrets", "List the secrets engines"),
    "secrets move": ("secrets", "Move a secrets engine"),
    "secrets tune": ("secrets", "Change a mount's settings"),
    "token capabilities": ("token", "Print what a token may do at a path"),
    "token create": ("token", "Make a token"),
    "token lookup": ("token", "Print what a token is"),
    "token renew": ("token", "Extend a token's life"),
    "token revoke": ("token", "End a token"),
    "transit import": ("transit", "Bring in a key"),
    "transit import-version": ("transit", "Bring in another version of a key"),
}

PROGRAMS: dict[str, tuple[str, str, str]] = {
    "server": ("strongroom_server", "server", "Start a server"),
    "agent": ("strongroom_agent", "all", "Start an agent"),
    "proxy": ("strongroom_agent", "all", "Start an agent, for its listeners"),
    "injector": ("strongroom_injector", "injector", "Start the injector for Kubernetes"),
    "controller": ("strongroom_operator", "operator", "Start the operator for Kubernetes"),
}
"""Programs of the project by the word that starts them: package with ``main.main(argv)``, extra, a line about it.

``operator`` is Vault's word for something else.
"""

GROUPS: dict[str, str] = {
    "audit": "Audit devices: where the server records every request.",
    "auth": "Auth methods: how clients prove who they are. To log in yourself, use login.",
    "kv": "The key/value store.",
    "kv metadata": "Settings and versions of a secret in a version 2 store.",
    "lease": "Leases: for how long credentials live.",
    "namespace": "Namespaces: servers within the server.",
    "operator": "What those who run the server do.",
    "operator raft": "The group of nodes that keep the data together.",
    "operator raft autopilot": "The upkeep of that group.",
    "operator raft snapshot": "Snapshots of the data.",
    "pki": "Certificate authorities, checked and built over several mounts.",
    "plugin": "Plugins: the catalog of what can be mounted.",
    "policy": "Policies: who may do what.",
    "print": "Values in use.",
    "secrets": "Secrets engines: what is mounted where.",
    "token": "Tokens.",
    "transit": "The transit engine: encryption as a service.",
}

COMMON = ("read", "write", "delete", "list", "login", "agent", "server", "status", "unwrap")
"""What the overview shows first."""


def resolve(words: list[str]) -> tuple[str, list[str]]:
    """Return the longest command or group that ``words`` begin with, and the words after it."""
    name = ""
    for count, word in enumerate(words):
        longer = f"{name} {word}".strip()
        if longer not in COMMANDS and longer not in GROUPS:
            return name, words[count:]
        name = longer
        if name in COMMANDS:
            return name, words[count + 1 :]
    return name, []


def below(group: str) -> dict[str, str]:
    """Return the commands and groups directly below ``group`` ("": all at the top) with a line on each."""
    prefix = f"{group} " if group else ""
    found = {name: about for name, (_, about) in COMMANDS.items()} | GROUPS
    found |= {name: about for name, (_, _, about) in PROGRAMS.items()}
    return {
        name.removeprefix(prefix): about
        for name, about in sorted(found.items())
        if name.startswith(prefix) and name != group and " " not in name.removeprefix(prefix)
    }
