"""Why Redis fails, in words for an operator."""

from __future__ import annotations

import ssl

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - the builtin is not meant here
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError,  # noqa: A004 - as above
)
from redis.sentinel import MasterNotFoundError

__all__ = ["reason"]

# The first that fits: redis-py's classes are each other's.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (AuthenticationError, "it refuses the user or the password in REDIS_URL"),
    (NoPermissionError, "its user may not do what is needed; docs/redis.md has the rules (ACL)"),
    (BusyLoadingError, "it is still loading its data"),
    (OutOfMemoryError, "its memory is full (maxmemory), and nothing may be evicted"),
    (ReadOnlyError, "it is a replica, which takes no writes"),
    (ClusterDownError, "its Cluster is down: some keys have no primary"),
    (MasterNotFoundError, "no Sentinel that answers knows a primary of that name"),
    (MasterDownError, "it has lost its primary"),
    (TimeoutError, "it does not answer in time"),
    (RedisClusterException, "no server of its Cluster can be reached, or it is no Cluster"),
    (ConnectionError, "it cannot be reached"),
    (OSError, "it cannot be reached"),
)
# Redis's own codes, which redis-py leaves as they are, also when a script of ours has met them.
_CODES = {
    "OOM": OutOfMemoryError,
    "READONLY": ReadOnlyError,
    "NOAUTH": AuthenticationError,
    "NOPERM": NoPermissionError,
    "LOADING": BusyLoadingError,
    "CLUSTERDOWN": ClusterDownError,
}
_MORE_CODES = {
    "MISCONF": "it cannot write to its disk, and takes no writes (MISCONF)",
    "DB": "it has no database with the number at the end of REDIS_URL",
    "NOREPLICAS": "it has too few replicas, and takes no writes (NOREPLICAS)",
}


def reason(error: BaseException) -> str:
    """Why Redis cannot be used; without any password, key or value, which its own words may hold."""
    if isinstance(error, ConnectionError) and _is_tls(error):
        return "TLS fails: its certificate is not one that is trusted here, or it does not speak TLS"
    code = str(error).partition(" ")[0]
    if type(error) is ResponseError:
        if code in _MORE_CODES:
            return _MORE_CODES[code]
        if code not in _CODES:
            return f"it answers {code}" if code.isalpha() and code.isupper() else "it refuses a command"
        return dict(_REASONS)[_CODES[code]]
    for kind, words in _REASONS:
        if isinstance(error, kind):
            return words
    return f"there was an error ({type(error).__name__})"


def _is_tls(error: BaseException) -> bool:
    before = error.__context__ or error.__cause__
    return isinstance(before, ssl.SSLError) or (before is not None and _is_tls(before))
