"""What a role may do: one table, and the document that shows it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medusa_auth.core.permissions import PERMISSIONS, Permission, Permissions
from medusa_auth.errors import ForbiddenError
from medusa_auth.model import Role, User

DOCUMENT = (Path(__file__).parents[2] / "docs" / "roles.md").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
USER = User("usr_1", "a@example.com", Role.MEMBER, NOW, NOW)


def test_the_document_shows_the_table_of_the_code():
    lines = re.findall(r"^\|(.*)\|$", DOCUMENT, re.MULTILINE)
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    roles = rows[0][1:]
    shown = {(what, role): cell == "yes" for what, *cells in rows[2:] for role, cell in zip(roles, cells, strict=True)}
    assert shown == {(each.value, role.value): each in PERMISSIONS[role] for each in Permission for role in Role}


@pytest.mark.asvs("8.2.1")
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_who_does_not_have_a_permission_is_told_so(role: Role, permission: Permission):
    user = replace(USER, role=role)
    if permission in PERMISSIONS[role]:
        Permissions().check(user, permission)
        return
    with pytest.raises(ForbiddenError, match=role.value):
        Permissions().check(user, permission)


def test_nobody_is_stopped_where_roles_are_off():
    for permission in Permission:
        Permissions(enforced=False).check(USER, permission)
