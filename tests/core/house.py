"""The rules over a real SQLite file, with a clock that tests move and hashes that cost little."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from medusa_auth.core.access_tokens import AccessTokens, Claims
from medusa_auth.core.api_tokens import ApiTokens
from medusa_auth.core.identities import Credential, Identities
from medusa_auth.core.login import Login
from medusa_auth.core.passwords import Argon2id, Hasher, HashingPool, Passwords, Scrypt
from medusa_auth.core.sessions import SessionRules, Sessions
from medusa_auth.core.users import Users
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Context, Identity, Method, User
from medusa_auth.store.base import Changes, Records
from medusa_auth.store.sql.changes import SqliteChanges
from medusa_auth.store.sql.migrate import migrate
from medusa_auth.store.sql.records import SqlRecords

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
EMAIL = "admin@example.com"
CLAIMS = Claims(subject="user_id", purpose={"domain": "admin"})
KEY = "k" * 32


class CountingHasher:
    """A hasher that counts how often it was run."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self.runs = 0

    def hash(self, password: str) -> str:
        self.runs += 1
        return self._hasher.hash(password)

    def verify(self, password: str, password_hash: str) -> bool:
        self.runs += 1
        return self._hasher.verify(password, password_hash)

    def owns(self, password_hash: str) -> bool:
        return self._hasher.owns(password_hash)


@dataclass
class House:
    """Opened once for a test; `now` is moved by hand."""

    folder: Path
    now: datetime = NOW
    hasher: CountingHasher = field(default_factory=lambda: CountingHasher(Argon2id(memory_kib=8, passes=1)))

    def __post_init__(self) -> None:
        self.url = f"sqlite:///{self.folder / 'test.db'}"
        migrate(self.url)
        self.records = SqlRecords(self.url)
        self.changes = SqliteChanges(self.url)
        self.pool = HashingPool(threads=2, queue=100)
        self.passwords = Passwords(self.hasher, (Scrypt(),), self.pool)
        self.sessions = Sessions(SessionRules(life=timedelta(hours=10), idle=timedelta(hours=1)))
        self.access_tokens = AccessTokens([KEY], CLAIMS, timedelta(hours=24))
        self.api_tokens = ApiTokens()
        self.users = Users(self.access_tokens)
        self.login = Login(self.records, self.passwords, self.sessions, self.access_tokens)

    def close(self) -> None:
        self.changes.close()
        self.passwords.close()
        self.records.close()

    def identities(
        self, capacity: int = 100, records: Records | None = None, changes: Changes | None = None
    ) -> Identities:
        """Cookies are session ids here, without a signature."""
        return Identities(
            lambda cookie: cookie,
            records or self.records,
            changes or self.changes,
            self.sessions,
            self.access_tokens,
            self.api_tokens,
            capacity,
        )

    async def add_user(self, email: str = EMAIL, password_hash: str | None = None) -> User:
        if password_hash is None:
            password_hash = self.hasher.hash(PASSWORD)
            self.hasher.runs = 0
        return await self.records.write(
            lambda tx: self.users.create(tx, email=email, password_hash=password_hash, now=self.now)
        )

    async def sign_in(self, password: str = PASSWORD, *, replaces: str | None = None) -> str:
        return (await self.login.sign_in(EMAIL, password, Context(), self.now, replaces=replaces)).session_id

    async def credentials(self) -> list[Credential]:
        """One of each kind, of the one user."""
        user = await self.records.read(lambda tx: self.users.find(tx, EMAIL))
        api_token, _ = await self.records.write(lambda tx: self.api_tokens.issue(tx, user, "job", self.now))
        return [
            Credential(Method.SESSION, await self.sign_in()),
            Credential(Method.ACCESS_TOKEN, await self.login.issue_token(EMAIL, PASSWORD, self.now)),
            Credential(Method.API_TOKEN, api_token),
        ]

    async def check(self, identities: Identities, session_id: str) -> Identity:
        return await identities.check(Credential(Method.SESSION, session_id), self.now)

    async def is_good(self, identities: Identities, credential: Credential) -> bool:
        try:
            await identities.check(credential, self.now)
        except AuthenticationError:
            return False
        return True
