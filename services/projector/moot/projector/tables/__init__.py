"""The DDL of every table in `ops`. Names have no schema: the search path says which."""

from importlib.resources import files

TABLES = ("checkpoints", "debates_v1", "deadlines_v1", "announcements_v1", "agent_keys_v1")


def ddl(name: str) -> str:
    """Return one of `TABLES` as a script of several statements."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
