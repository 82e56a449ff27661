"""The one place where the server's parts are put together."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from medusa_auth.core.access_tokens import AccessTokens, Claims
from medusa_auth.core.actors import Actors
from medusa_auth.core.api_tokens import ApiTokens
from medusa_auth.core.clocks import Clock
from medusa_auth.core.identities import Identities
from medusa_auth.core.ids import Random
from medusa_auth.core.invites import Invites
from medusa_auth.core.login import Login
from medusa_auth.core.outbox import Outbox
from medusa_auth.core.password_resets import PasswordResets
from medusa_auth.core.password_rules import PasswordRules
from medusa_auth.core.passwords import Argon2id, HashingPool, Passwords, Scrypt
from medusa_auth.core.permissions import Permissions
from medusa_auth.core.sessions import SessionRules, Sessions
from medusa_auth.core.team import Team
from medusa_auth.core.users import Users
from medusa_auth.server.api.auth import AuthApi
from medusa_auth.server.api.health import HealthApi
from medusa_auth.server.api.invites import InvitesApi
from medusa_auth.server.api.openapi import OpenApi
from medusa_auth.server.api.unknown import UnknownApi
from medusa_auth.server.api.users import UsersApi
from medusa_auth.server.console.pages import ConsolePages
from medusa_auth.server.cookies import SessionCookie
from medusa_auth.server.edge import Edge
from medusa_auth.server.express_sessions import ExpressSessions
from medusa_auth.server.identity import Identify
from medusa_auth.server.logs import configure_logs
from medusa_auth.server.mail import FolderTransport, Mailer, Postman, SmtpTransport, Transport
from medusa_auth.server.origins import Origins
from medusa_auth.server.proxies import Proxies
from medusa_auth.server.routes import ExpressRoute
from medusa_auth.settings import Keys, Settings, from_env
from medusa_auth.store.base import Records
from medusa_auth.store.opening import Sharing, Stores
from medusa_auth.store.sql.shared import prepare

__all__ = ["Application", "Parts", "app_from_env", "create_app", "utc_now"]

# Medusa v1's access tokens: `user_id` says whose, and `domain` that it is an administrator's and not a customer's.
ADMIN_CLAIMS = Claims(subject="user_id", purpose={"domain": "admin"})


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The rules and the store that they work on; the command line uses the same."""

    settings: Settings
    clock: Clock
    stores: Stores
    records: Records
    passwords: Passwords
    sessions: Sessions
    access_tokens: AccessTokens
    api_tokens: ApiTokens
    users: Users
    invites: Invites
    resets: PasswordResets
    outbox: Outbox
    password_rules: PasswordRules
    login: Login
    team: Team
    postman: Postman
    mailer: Mailer

    @classmethod
    def of(
        cls, settings: Settings, *, clock: Clock = utc_now, random: Random = os.urandom, migrated: bool = False
    ) -> Parts:
        """The parts for `settings`, with the database made or brought up to date, unless that is done.

        Raises SettingsError.
        """
        if not migrated:
            prepare(settings.database_url, shared=settings.shared)
        stores = Stores(settings.database_url, settings.redis_url, settings.redis_prefix, _sharing(settings))
        records = stores.records
        argon2id, scrypt = Argon2id(), Scrypt(random=random)
        current, other = (argon2id, scrypt) if settings.password_scheme == "argon2id" else (scrypt, argon2id)  # noqa: S105 - a name
        passwords = Passwords(current, (other,), HashingPool(settings.hashing_threads, settings.hashing_queue))
        sessions = Sessions(SessionRules(settings.session_life, settings.session_idle), random)
        access_tokens = AccessTokens(settings.jwt_keys, ADMIN_CLAIMS, settings.access_token_life, random)
        users, api_tokens = Users(access_tokens, random), ApiTokens(random, readable=settings.shared)
        invites = Invites(users, settings.jwt_keys, random, shared=settings.shared)
        resets = PasswordResets(users, settings.jwt_keys, random)
        outbox = Outbox(invites, resets)
        postman = Postman(
            public_url=settings.public_url,
            invite_url=settings.invite_url,
            reset_url=settings.reset_url,
            sender=settings.mail_from,
        )
        password_rules = PasswordRules(settings.password_min_length, enforced=settings.password_rules)
        return cls(
            settings=settings,
            clock=clock,
            stores=stores,
            records=records,
            passwords=passwords,
            sessions=sessions,
            access_tokens=access_tokens,
            api_tokens=api_tokens,
            users=users,
            invites=invites,
            resets=resets,
            outbox=outbox,
            password_rules=password_rules,
            login=Login(records, passwords, sessions, access_tokens),
            team=Team(
                records=records,
                actors=Actors(access_tokens, api_tokens),
                users=users,
                invites=invites,
                resets=resets,
                api_tokens=api_tokens,
                outbox=outbox,
                passwords=passwords,
                password_rules=password_rules,
                permissions=Permissions(enforced=settings.roles),
            ),
            postman=postman,
            mailer=Mailer(records, outbox, postman, _transport(settings), clock),
        )

    def use_keys(self, keys: Keys) -> None:
        """From now on these; access tokens and links that only another one signed are over."""
        self.access_tokens.use_keys(keys.jwt)
        self.invites.use_secrets(keys.jwt)
        self.resets.use_secrets(keys.jwt)

    def close(self) -> None:
        self.passwords.close()
        self.stores.close()


@dataclass(frozen=True)
class Application:
    """An ASGI application whose keys can be replaced while it answers."""

    edge: Edge
    parts: Parts
    cookie: SessionCookie
    identities: Identities

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.edge(scope, receive, send)

    def use_keys(self, keys: Keys) -> None:
        """From now on these: what only another one signed is over at the next request. Called in the event loop."""
        self.parts.use_keys(keys)
        self.cookie.use_keys(keys.cookie)
        # Last: what is being proven with the keys before is not remembered either.
        self.identities.forget_everybody()


def create_app(
    settings: Settings, *, clock: Clock = utc_now, random: Random = os.urandom, migrated: bool = False
) -> Application:
    """An ASGI application that answers Medusa's admin auth API. It closes its store when its lifespan ends.

    Raises SettingsError, and UnavailableError if the database cannot be read.
    """
    parts = Parts.of(settings, clock=clock, random=random, migrated=migrated)
    changes = parts.stores.listen()
    cookie = SessionCookie(settings.cookie_keys, settings.cookie_same_site)
    identities = Identities(
        cookie.read,
        parts.records,
        changes,
        parts.sessions,
        parts.access_tokens,
        parts.api_tokens,
        settings.identities_cached,
    )
    origins = Origins(settings.admin_cors)
    identify = Identify(identities, cookie, origins, clock)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        await parts.passwords.prepare()
        async with parts.mailer.sending():
            yield
        changes.close()
        parts.close()

    auth = AuthApi(login=parts.login, identify=identify, cookie=cookie, clock=clock)
    router = Router(_routes(parts, auth, identify), lifespan=lifespan)
    edge = Edge(
        router,
        proxies=Proxies(settings.trusted_proxies),
        origins=origins,
        hsts=settings.hsts,
        random=random,
    )
    return Application(edge, parts, cookie, identities)


def app_from_env(keys: Keys | None = None) -> Application:
    """For a process that serves. `keys` are a supervisor's, which has the database ready, too.

    Raises as `create_app`.
    """
    settings = from_env(keys=keys)
    configure_logs(settings.log_format)
    return create_app(settings, migrated=keys is not None)


def _sharing(settings: Settings) -> Sharing | None:
    if not settings.shared:
        return None
    secure = settings.public_url.startswith("https://")
    sessions = ExpressSessions(settings.session_life, secure=secure, same_site=settings.cookie_same_site)
    return Sharing(sessions, settings.session_life)


def _transport(settings: Settings) -> Transport:
    return SmtpTransport(settings.smtp_url) if settings.smtp_url else FolderTransport(settings.data_dir / "mail")


def _routes(parts: Parts, auth: AuthApi, identify: Identify) -> list[Route]:
    settings, clock = parts.settings, parts.clock
    documented: list[ExpressRoute] = [
        *auth.routes(),
        *UsersApi(team=parts.team, identify=identify, clock=clock).routes(),
        *InvitesApi(team=parts.team, identify=identify, clock=clock).routes(),
        *HealthApi(parts.stores.named).routes(),
    ]
    console = ConsolePages(team=parts.team, clock=clock, min_length=settings.password_min_length)
    unknown = UnknownApi(identify)
    return [
        *documented,
        *console.routes(),
        *(OpenApi(documented).routes() if settings.api_page else []),
        ExpressRoute.under("/admin", unknown.under_admin),
        ExpressRoute.under("", unknown.elsewhere),
    ]
