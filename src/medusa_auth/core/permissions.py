"""Who may do what: one table.

Whatever it says, everybody may sign in and out, and change and delete themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from medusa_auth.errors import ForbiddenError
from medusa_auth.model import Role, User

__all__ = ["PERMISSIONS", "Permission", "Permissions"]


class Permission(StrEnum):
    """What is asked for by the endpoints, in words for people."""

    READ_USERS = "see the users"
    READ_INVITES = "see the invites"
    MANAGE_USERS = "make, change and delete other users"
    MANAGE_ROLES = "give and take roles"
    MANAGE_TOKENS = "give and take other users' API tokens"
    MANAGE_INVITES = "invite, invite again and withdraw invites"


_READ = frozenset({Permission.READ_USERS, Permission.READ_INVITES})

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.DEVELOPER: _READ,
    Role.MEMBER: _READ,
}


class Permissions:
    """The table, or none at all: with `enforced` False nobody is stopped, as in Medusa."""

    def __init__(self, *, enforced: bool = True) -> None:
        self.enforced = enforced

    def check(self, user: User, permission: Permission) -> None:
        """Raises ForbiddenError if the role of `user` does not have `permission`."""
        if self.enforced and permission not in PERMISSIONS[user.role]:
            raise ForbiddenError(f"Your role, {user.role.value}, may not {permission.value}.")
