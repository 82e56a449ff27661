"""Shared mode says what it needs, one thing after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from medusa_auth.errors import SettingsError
from medusa_auth.settings import from_env

ENOUGH = {
    "MEDUSA_AUTH_SHARED": "1",
    "DATABASE_URL": "postgresql://medusa:secret@localhost/medusa",
    "REDIS_URL": "redis://localhost",
    "JWT_SECRET": "b2f1c0d4e5a697887766554433221100ffee",
    "COOKIE_SECRET": "c2f1c0d4e5a697887766554433221100ffee",
}


def test_shared_mode_needs_no_more_than_what_medusa_has_itself(tmp_path: Path):
    settings = from_env(ENOUGH, data_dir=tmp_path)
    assert settings.shared
    assert settings.password_scheme == "scrypt"
    assert not list(tmp_path.glob("*secret*"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"JWT_SECRET": ""}, "MEDUSA_AUTH_SHARED needs JWT_SECRET, the same as Medusa's."),
        ({"JWT_SECRET": "", "COOKIE_SECRET": ""}, "MEDUSA_AUTH_SHARED needs JWT_SECRET and COOKIE_SECRET, the same"),
        ({"REDIS_URL": ""}, "MEDUSA_AUTH_SHARED needs Medusa's own DATABASE_URL (postgresql://) and REDIS_URL."),
        ({"DATABASE_URL": ""}, "MEDUSA_AUTH_SHARED needs Medusa's own DATABASE_URL (postgresql://) and REDIS_URL."),
        ({"DATABASE_URL": "sqlite:////a.db"}, "MEDUSA_AUTH_SHARED needs Medusa's own DATABASE_URL (postgresql://)"),
        (
            {"MEDUSA_AUTH_PASSWORD_SCHEME": "argon2id"},
            "needs MEDUSA_AUTH_PASSWORD_SCHEME=scrypt: Medusa knows no",
        ),
        ({"JWT_SECRET": "supersecret"}, "JWT_SECRET is a secret that everybody knows"),
        ({"COOKIE_SECRET": "short"}, "or set MEDUSA_AUTH_ALLOW_WEAK_SECRETS=1 while a Medusa beside this server"),
        ({"MEDUSA_AUTH_SHARED": "perhaps"}, "MEDUSA_AUTH_SHARED is 'perhaps'"),
    ],
)
def test_what_is_missing_or_wrong_is_said_in_a_sentence(tmp_path: Path, changes: dict[str, str], sentence: str):
    with pytest.raises(SettingsError) as error:
        from_env(ENOUGH | changes, data_dir=tmp_path)
    assert sentence in str(error.value)
    assert "b2f1c0d4" not in str(error.value)
