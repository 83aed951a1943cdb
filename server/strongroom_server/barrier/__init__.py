"""The barrier: what lies between plain entries and an untrusted store."""

from strongroom_server.barrier.barrier import KEYRING, Barrier
from strongroom_server.barrier.cache import EntryCache
from strongroom_server.barrier.keyring import KeyInfo, new_root_key
from strongroom_server.barrier.view import View

__all__ = ["KEYRING", "Barrier", "EntryCache", "KeyInfo", "View", "new_root_key"]
