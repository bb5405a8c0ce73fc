"""PostgreSQL's roles: what each part of Moot may do in the Ops DB, and who logs in as it.

What a role may do is granted to a *group*, which nobody logs in as; a *login* is a member of one.
`moot migrate` makes them, and grants again after each migration what is there then; `begun` (in
`generations`) hands on to a new generation what the serving one has. One user for everything
works, too: such a database has no need of roles.
"""

import asyncio
import hmac
import secrets
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import pbkdf2_hmac, sha256
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from moot.projector.migrate import MIGRATOR_LOCK, engine_on, run_script

MIGRATOR: Final = "moot_migrator"
"""Owns what it makes, so that it is no group: it logs in itself."""

GROUPS: Final = ("moot_projector", "moot_ticker", "moot_api", "moot_auditor")

LOGINS: Final[Mapping[str, str]] = {
    "migrator": MIGRATOR,
    **{group.removeprefix("moot_"): f"{group}_login" for group in GROUPS},
}
"""The login of each role."""

# Of a login, since a member doesn't inherit a group's. The projector's own transactions say how
# long they may last themselves, also where one user does everything: see `projection_scope`.
LIMITS: Final[Mapping[str, Mapping[str, str]]] = {
    "migrator": {
        "statement_timeout": "0",
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
    },
    "projector": {
        "statement_timeout": "10s",
        "lock_timeout": "1s",
        "transaction_timeout": "2s",
        "idle_in_transaction_session_timeout": "2s",
    },
    "ticker": {
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "transaction_timeout": "1min",
        "idle_in_transaction_session_timeout": "30s",
    },
    "api": {
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "transaction_timeout": "1min",
        "idle_in_transaction_session_timeout": "10s",
    },
    "auditor": {
        "statement_timeout": "5min",
        "lock_timeout": "5s",
        "transaction_timeout": "10min",
        "idle_in_transaction_session_timeout": "5min",
    },
}

LOCK = "SELECT pg_advisory_xact_lock(:lock)"

MAY_MAKE_ROLES = """
SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user
"""

KNOWN_ROLES = "SELECT rolname FROM pg_catalog.pg_roles WHERE starts_with(rolname, 'moot_')"

# Somebody else may make it at the same moment, from another database of the same server.
MAKE_ROLE = """
DO $$
BEGIN
    CREATE ROLE {role} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
"""

# In this order: what nobody is granted by name, nobody has.
ADMIT = """
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO moot_projector, moot_ticker, moot_api, moot_auditor',
        current_database()
    );
    EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO moot_migrator', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO moot_migrator;
"""

IS_MIGRATED = "SELECT to_regclass('ops.projection_generations') IS NOT NULL"

GRANT = """
REVOKE EXECUTE ON FUNCTION ops.show_serving(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA ops TO moot_projector, moot_ticker, moot_api, moot_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA ops TO moot_projector, moot_api, moot_auditor;
GRANT INSERT, UPDATE ON ops.projection_verification TO moot_projector;
GRANT SELECT ON ops.projector_checkpoint, ops.dead_letters, ops.deadlines TO moot_ticker;
GRANT USAGE ON SCHEMA access TO moot_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA access TO moot_api;
DO $$
DECLARE
    generation text;
BEGIN
    FOR generation IN SELECT schema FROM ops.projection_generations LOOP
        EXECUTE format(
            'GRANT USAGE ON SCHEMA %I TO moot_projector, moot_auditor', generation
        );
        EXECUTE format(
            'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO moot_projector',
            generation
        );
        EXECUTE format(
            'GRANT SELECT ON ALL TABLES IN SCHEMA %I TO moot_auditor', generation
        );
    END LOOP;
END
$$;
"""

_SCRAM_ITERATIONS: Final = 4096


class RolesError(Exception):
    """The roles can't be made by whoever was to make them."""


def make_roles(admin_url: str, passwords: Mapping[str, str]) -> None:
    """Make all groups and logins, and set the logins' passwords and limits.

    `admin_url` is of somebody who may make roles and has the database. `passwords` is by role, as
    in LOGINS. Doing it again changes only what differs. Raises RolesError, and what the driver
    raises when PostgreSQL can't be reached or refuses.
    """
    asyncio.run(_make_roles(admin_url, passwords))


def grant_to_roles(database_url: str) -> Sequence[str]:
    """Grant every group what it needs of what is there now, as the owner of that.

    Groups that are missing are made if that user may do so. Returns those that are missing still:
    then nothing was granted.
    """
    return asyncio.run(_grant_to_roles(database_url))


def scram_verifier(password: str, salt: bytes) -> str:
    """Return what PostgreSQL keeps of a password (RFC 5803), so that it is sent to nobody."""
    salted = pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ITERATIONS)
    stored_key = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    told, stored, server = (b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{told}${stored}:{server}"


async def _make_roles(admin_url: str, passwords: Mapping[str, str]) -> None:
    missing = LOGINS.keys() - passwords.keys()
    if missing:
        raise RolesError(f"No password is given for {', '.join(sorted(missing))}.")
    async with _connected(admin_url) as connection:
        if not await _may_make_roles(connection):
            raise RolesError("This user may not make roles: give one with CREATEROLE.")
        scripts = [MAKE_ROLE.format(role=group) for group in GROUPS]
        for role, login in LOGINS.items():
            scripts.append(MAKE_ROLE.format(role=login))
            if login != MIGRATOR:
                scripts.append(f"GRANT moot_{role} TO {login};")
            verifier = scram_verifier(passwords[role], secrets.token_bytes(16))
            scripts.append(f"ALTER ROLE {login} LOGIN PASSWORD '{verifier}';")
            limits = LIMITS[role].items()
            scripts += [f"ALTER ROLE {login} SET {name} TO '{limit}';" for name, limit in limits]
        await connection.run_sync(run_script, "".join([*scripts, ADMIT]))


async def _grant_to_roles(database_url: str) -> Sequence[str]:
    async with _connected(database_url) as connection:
        known = set((await connection.execute(text(KNOWN_ROLES))).scalars())
        missing = [group for group in GROUPS if group not in known]
        if missing and not await _may_make_roles(connection):
            return missing
        for group in missing:
            await connection.run_sync(run_script, MAKE_ROLE.format(role=group))
        if (await connection.execute(text(IS_MIGRATED))).scalar_one():
            await connection.run_sync(run_script, GRANT)
    return ()


async def _may_make_roles(connection: AsyncConnection) -> bool:
    return (await connection.execute(text(MAY_MAKE_ROLES))).scalar_one()


@asynccontextmanager
async def _connected(database_url: str) -> AsyncGenerator[AsyncConnection]:
    """One transaction, and nobody else migrates or grants meanwhile."""
    engine = engine_on(database_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(LOCK), {"lock": MIGRATOR_LOCK})
            yield connection
    finally:
        await engine.dispose()
