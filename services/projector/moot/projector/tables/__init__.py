"""The DDL of every table. Names have no schema: the search path says which generation's."""

from importlib.resources import files


def ddl(name: str) -> str:
    """Return a file of this folder, named for a projection mostly: several statements."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def tables_of(projection: str, schema: str, *, state: str) -> str:
    """Return a script that makes a projection's tables, and its checkpoint, in a new schema.

    It sets the transaction's search path.
    """
    checkpoint = "INSERT INTO projector_checkpoint (projection, state)"
    return (
        f"CREATE SCHEMA {schema}; SET LOCAL search_path TO {schema};"
        f"{ddl('checkpoints')}{ddl(projection)}"
        f"{checkpoint} VALUES ('{projection}', '{state}');"
    )
