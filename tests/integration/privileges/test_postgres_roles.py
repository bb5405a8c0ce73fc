"""What each login of PostgreSQL may not do, each tried; and the limits that it works under."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from secrets import token_bytes
from typing import Final

import asyncpg
import pytest

from moot.projector.roles import GROUPS, LIMITS, LOGINS, scram_verifier
from moot.runtime.database import Connection
from tests.support.privileged import Privileged, moot_done, nats_of

WRITES: Final = {
    "topics": "DELETE FROM ops_debates_v1_1.topics",
    "checkpoint": "UPDATE ops_debates_v1_1.projector_checkpoint SET position = position",
    "dead letters": "DELETE FROM ops_debates_v1_1.dead_letters",
    "verification": """
        INSERT INTO ops.projection_verification VALUES ('x', 0, now(), 0, true, '[]')
    """,
    "view": "DELETE FROM ops.topics",
    "which generation serves": "UPDATE ops.projection_generations SET role = 'retired'",
    "keys' use": "INSERT INTO access.last_used VALUES ('someone', now())",
    "answers": "DELETE FROM access.idempotency_keys",
    "revision": "UPDATE public.schema_revision SET version_num = '0001'",
}
READS: Final = {
    "topics": "SELECT count(*) FROM ops.topics",
    "agents' keys": "SELECT count(*) FROM ops.agent_keys",
    "deadlines": "SELECT count(*) FROM ops.deadlines",
    "checkpoints": "SELECT count(*) FROM ops.projector_checkpoint",
    "which generation serves": "SELECT count(*) FROM ops.projection_generations",
    "a generation": "SELECT count(*) FROM ops_debates_v1_1.topics",
    "answers": "SELECT count(*) FROM access.idempotency_keys",
    "others' passwords": "SELECT rolpassword FROM pg_authid",
}
CHANGES: Final = {
    "another table": "CREATE TABLE ops_debates_v1_1.another ()",
    "another schema": "CREATE SCHEMA another",
    "a table in public": "CREATE TABLE public.another ()",
    "a temporary table": "CREATE TEMPORARY TABLE another ()",
    "another column": "ALTER TABLE ops_debates_v1_1.topics ADD COLUMN another text",
    "another view": "CREATE OR REPLACE VIEW ops.topics AS SELECT 1 AS one",
    "what serves": "SELECT ops.show_serving('debates_v1')",
    "no table": "DROP TABLE ops_debates_v1_1.topics",
    "no rows": "TRUNCATE ops_debates_v1_1.topics",
    "another role": "CREATE ROLE another",
    "another's rights": "GRANT moot_migrator TO CURRENT_USER",
    "being another": "SET ROLE moot_migrator",
    "another's limits": "ALTER ROLE moot_migrator SET statement_timeout TO '0'",
    "files": "COPY ops_debates_v1_1.topics TO '/topics'",
    "programs": "COPY (SELECT 1) TO PROGRAM 'true'",
}

MAY_WRITE: Final[Mapping[str, set[str]]] = {
    "projector": {"topics", "checkpoint", "dead letters", "verification"},
    "ticker": set(),
    "api": {"keys' use", "answers"},
    "auditor": set(),
}
MAY_READ: Final[Mapping[str, set[str]]] = {
    "projector": READS.keys() - {"answers", "others' passwords"},
    "ticker": {"deadlines", "checkpoints"},
    "api": READS.keys() - {"a generation", "others' passwords"},
    "auditor": READS.keys() - {"answers", "others' passwords"},
}
ROLES = sorted(MAY_WRITE)


@asynccontextmanager
async def connected(servers: Privileged, role: str) -> AsyncGenerator[Connection]:
    part = {"migrator": "operator"}.get(role, role)
    connection = await asyncpg.connect(servers.file(part, f"postgres-{role}").read_text().strip())
    try:
        yield connection
    finally:
        await connection.close()


async def allowed(connection: Connection, statements: Mapping[str, str]) -> set[str]:
    """Which of them PostgreSQL carries out; nothing stays of them."""
    done: set[str] = set()
    for name, statement in statements.items():
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            pass
        else:
            done.add(name)
        finally:
            await transaction.rollback()
    return done


def test_every_group_is_tried() -> None:
    assert {f"moot_{role}" for role in ROLES} == set(GROUPS)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_writes_what_is_its_own_and_nothing_else(
    servers: Privileged, role: str
) -> None:
    async with connected(servers, role) as connection:
        assert await allowed(connection, WRITES) == MAY_WRITE[role]


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reads_what_it_needs_and_nothing_else(servers: Privileged, role: str) -> None:
    async with connected(servers, role) as connection:
        assert await allowed(connection, READS) == MAY_READ[role]


@pytest.mark.parametrize("role", ROLES)
async def test_no_service_changes_what_there_is(servers: Privileged, role: str) -> None:
    async with connected(servers, role) as connection:
        assert await allowed(connection, CHANGES) == set()


async def test_the_migrator_is_no_administrator(servers: Privileged) -> None:
    others = ("another role", "files", "programs", "a temporary table")
    async with connected(servers, "migrator") as connection:
        refused = {name: CHANGES[name] for name in others} | {
            "passwords": READS["others' passwords"]
        }
        assert await allowed(connection, refused) == set()
        assert await allowed(connection, {"a schema": CHANGES["another schema"]}) == {"a schema"}


@pytest.mark.parametrize("role", sorted(LIMITS))
async def test_a_login_works_under_its_limits(servers: Privileged, role: str) -> None:
    async with connected(servers, role) as connection:
        in_force = {name: await connection.fetchval(f"SHOW {name}") for name in LIMITS[role]}
        user = await connection.fetchval("SELECT session_user")
    assert in_force == LIMITS[role]
    assert user == LOGINS[role]


async def test_a_group_logs_in_nowhere_and_a_login_needs_its_password(servers: Privileged) -> None:
    _, _, where = servers.url("api", "postgres").rpartition("@")
    for user in (*GROUPS, LOGINS["api"]):
        with pytest.raises(
            (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)
        ):
            await asyncpg.connect(f"postgresql://{user}:guessed@{where}")


async def test_who_is_nobodys_member_comes_into_no_database(servers: Privileged) -> None:
    administrator = servers.file("migrate", "postgres-superuser").read_text().strip()
    _, _, where = administrator.rpartition("@")
    verifier = scram_verifier("known", token_bytes(16))
    connection = await asyncpg.connect(administrator)
    try:
        await connection.execute(f"CREATE ROLE outsider LOGIN PASSWORD '{verifier}'")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
            await asyncpg.connect(f"postgresql://outsider:known@{where}")
    finally:
        await connection.execute("DROP ROLE outsider")
        await connection.close()


async def test_a_new_password_takes_effect_when_it_is_migrated_again(servers: Privileged) -> None:
    file = servers.file("auditor", "postgres-auditor")
    before = file.read_text().strip()
    after = before.replace(before.split(":")[2].split("@")[0], "another")
    file.write_text(after)
    moot_done("migrate", "--credentials", str(servers.credentials))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(before)
    async with connected(servers, "auditor") as connection:
        assert await allowed(connection, READS) == MAY_READ["auditor"]


async def test_a_generation_that_an_operator_builds_is_the_projectors_to_write(
    servers: Privileged,
) -> None:
    given = {
        **nats_of(servers, "operator"),
        "DATABASE_URL_FILE": str(servers.file("operator", "postgres-migrator")),
    }
    moot_done("projections", "rebuild", "attempts_v1", given=given)
    another = {
        name: statement.format(schema="ops_attempts_v1_2")
        for name, statement in {
            "write": "DELETE FROM {schema}.delivery_attempts",
            "move": "UPDATE {schema}.projector_checkpoint SET position = position",
            "change": "ALTER TABLE {schema}.delivery_attempts ADD COLUMN another text",
        }.items()
    }
    async with connected(servers, "projector") as connection:
        assert await allowed(connection, another) == {"write", "move"}
    for role in ("api", "auditor", "ticker"):
        async with connected(servers, role) as connection:
            assert await allowed(connection, another) == set()
    async with connected(servers, "auditor") as connection:
        reading = {"read": "SELECT count(*) FROM ops_attempts_v1_2.delivery_attempts"}
        assert await allowed(connection, reading) == {"read"}
