"""The names of keys and channels. What stands between braces decides the slot that a Redis Cluster keeps a key in."""

from __future__ import annotations

from functools import lru_cache

from ..interface import SessionKey


def name_of(key: SessionKey) -> str:
    """Return the name by which the index and other processes know a session; a scope has no slash."""
    return f"{key.scope}/{key.call_id}"


def key_of(name: str) -> SessionKey:
    """Undo `name_of`."""
    scope, _, call_id = name.partition("/")
    return SessionKey(scope, call_id)


@lru_cache(4096)
def session_keys(prefix: str, name: str) -> tuple[str, ...]:
    """Return the keys of a session, all of one slot: state, inputs, pieces, lines, actions."""
    return tuple(f"{prefix}:{{{name}}}:{part}" for part in ("state", "inputs", "pieces", "lines", "actions"))


class IndexKeys:
    """The keys of what is known of all sessions, all of one slot, and the channels."""

    def __init__(self, prefix: str) -> None:
        self.channel = f"{prefix}:wake:"
        """What the channel of a process begins with."""
        self.everybody = f"{prefix}:wake"
        """The channel of all processes."""
        self._base = f"{prefix}:{{index}}"
        self.tenants = f"{self._base}:tenant:"
        """What the keys of tenants begin with."""
        self.sessions = f"{self._base}:sessions"
        self.processes = f"{self._base}:processes"
        self.epoch = f"{self._base}:epoch"

    def scope(self, scope: str) -> str:
        """Return the key of the names of a scope, in the order of their creation."""
        return f"{self._base}:scope:{scope}"

    def tenant(self, tenant: str) -> str:
        """Return the key of the names of a tenant."""
        return self.tenants + tenant

    def owned(self, process: str) -> str:
        """Return the key of the names of those a process runs, or is to take over."""
        return f"{self._base}:owned:{process}"
