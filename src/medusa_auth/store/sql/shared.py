"""A database made ready, also one that is shared with a Medusa.

There a trigger on the table `user` announces what Medusa changes as what is changed here. Medusa says nothing of its
own accord: without the trigger, a user whom it deletes would be remembered here as living.
"""

from __future__ import annotations

from sqlalchemy import text

from medusa_auth.errors import SettingsError
from medusa_auth.store.sql.engines import connected
from medusa_auth.store.sql.migrate import ADVISORY_LOCK, Schema, migrate
from medusa_auth.store.sql.records import CHANNEL, SESSIONS_CHANNEL

__all__ = ["announce_changes", "prepare"]

# Named after its content, so that another one is known to be another.
VERSION = "1"
NAME = f"auth_user_changed_{VERSION}"

# A password that is changed, by whichever of the two, ends the access tokens from before; a hash that is only made
# better leaves `updated_at` as it was. What we have written in the same transaction stands: `core.users`.
#
# It has the rights of whoever made it, for Medusa's user need not have any in our tables, nor their schema in its
# search path.
_FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  since timestamptz;
BEGIN
  PERFORM pg_notify('{channel}', OLD.id);
  IF TG_OP = 'DELETE' OR (NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL) THEN
    since := 'infinity';
  ELSIF NEW.password_hash IS DISTINCT FROM OLD.password_hash
     AND NEW.updated_at IS DISTINCT FROM OLD.updated_at THEN
    INSERT INTO {table} AS present (user_id, moment)
    VALUES (OLD.id, date_trunc('second', clock_timestamp()) + interval '1 second')
    ON CONFLICT (user_id) DO UPDATE SET moment = CASE
      WHEN present.xmin = pg_current_xact_id()::xid THEN present.moment
      ELSE greatest(excluded.moment, present.moment + interval '1 second') END
    RETURNING moment INTO since;
  END IF;
  IF since IS NOT NULL THEN
    PERFORM pg_notify('{sessions_channel}', OLD.id || ' ' || extract(epoch from since));
  END IF;
  RETURN NULL;
END $$
"""
_TRIGGER = f"""
CREATE TRIGGER {NAME} AFTER UPDATE OR DELETE ON "user"
FOR EACH ROW EXECUTE FUNCTION {NAME}()
"""
_TABLE = """
SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = 'auth_access_token_not_before'::regclass
"""


# Of v1: the users of v2 have no passwords in this table.
_HAS_MEDUSA = """
SELECT to_regclass('customer') IS NOT NULL AND EXISTS (
  SELECT FROM pg_attribute WHERE attrelid = to_regclass('"user"') AND attname = 'password_hash')
"""


def prepare(url: str, *, shared: bool) -> Schema:
    """As `migrate`; where it is shared, nothing is made unless it is a Medusa's. Raises SettingsError."""
    if shared:
        _check_medusa(url)
    before = migrate(url)
    if shared:
        announce_changes(url)
    return before


def _check_medusa(url: str) -> None:
    with connected(url) as connection:
        if connection.execute(text(_HAS_MEDUSA)).scalar_one():
            return
    raise SettingsError(
        "MEDUSA_AUTH_SHARED: the database of DATABASE_URL has no tables of a Medusa v1: "
        "run `medusa migrations run` there first."
    )


def announce_changes(url: str) -> None:
    """Make the trigger, if it is missing. Raises SettingsError."""
    present = text("SELECT 1 FROM pg_trigger WHERE tgname = :name AND tgrelid = '\"user\"'::regclass")
    with connected(url, _NOT_MADE) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        if connection.execute(present, {"name": NAME}).first() is None:
            table = connection.execute(text(_TABLE)).scalar_one()
            connection.exec_driver_sql(
                _FUNCTION.format(name=NAME, channel=CHANNEL, sessions_channel=SESSIONS_CHANNEL, table=table)
            )
            connection.exec_driver_sql(_TRIGGER)


_NOT_MADE = (
    'The trigger that shared mode needs on the table "user" cannot be made: {reason}. Its owner can make it: '
    "run `medusa-auth migrate` once with the DATABASE_URL of that user."
)
