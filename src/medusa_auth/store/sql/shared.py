"""A trigger on Medusa's table `user`, so that what Medusa changes there is announced as what is changed here.

Medusa says nothing of its own accord: without the trigger, a user whom it deletes would be remembered here as living.
"""

from __future__ import annotations

from medusa_auth.errors import SettingsError
from medusa_auth.store.sql.engines import sqlalchemy_url
from medusa_auth.store.sql.migrate import ADVISORY_LOCK
from medusa_auth.store.sql.records import CHANNEL

__all__ = ["announce_changes"]

# Named after its content, so that another one is known to be another.
VERSION = "1"
NAME = f"auth_user_changed_{VERSION}"

# A password that is changed, by whichever of the two, ends the access tokens from before; a hash that is only made
# better leaves `updated_at` as it was.
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('{CHANNEL}', OLD.id);
  IF TG_OP = 'UPDATE'
     AND NEW.password_hash IS DISTINCT FROM OLD.password_hash
     AND NEW.updated_at IS DISTINCT FROM OLD.updated_at THEN
    INSERT INTO auth_access_token_not_before AS present (user_id, moment)
    VALUES (OLD.id, date_trunc('second', clock_timestamp()) + interval '1 second')
    ON CONFLICT (user_id) DO UPDATE
      SET moment = greatest(excluded.moment, present.moment + interval '1 second');
  END IF;
  RETURN NULL;
END $$
"""  # noqa: S608 - both are constants
_TRIGGER = f"""
CREATE TRIGGER {NAME} AFTER UPDATE OR DELETE ON "user"
FOR EACH ROW EXECUTE FUNCTION {NAME}()
"""


def announce_changes(url: str) -> None:
    """Make the trigger, if it is missing. Raises SettingsError."""
    # Here and not above: an extra.
    from sqlalchemy import create_engine, text  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool, connect_args={"connect_timeout": 5})
    present = text("SELECT 1 FROM pg_trigger WHERE tgname = :name AND tgrelid = '\"user\"'::regclass")
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            if connection.execute(present, {"name": NAME}).first() is None:
                connection.exec_driver_sql(_FUNCTION)
                connection.exec_driver_sql(_TRIGGER)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise SettingsError(
            f'The trigger that shared mode needs on the table "user" cannot be made: {reason}. Its owner can make it: '
            "run `medusa-auth migrate` once as that user."
        ) from None
    finally:
        engine.dispose()
