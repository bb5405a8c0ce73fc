"""Verdict schemas that admins register. All are one stream: `chronicle.operation.verdict-schemas`.

They are few and never change, so that whoever wants one reads them all.
"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from moot.contracts.debates import Caller
from moot.contracts.shape import Frozen, JsonObject, Moment, Text

REGISTRY: Final = "verdict-schemas"
"""The stream's id. Stored for ever: never renamed."""

VerdictSchemaId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
SchemaTitle = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


class VerdictSchemaRegistered(Frozen):
    type: ClassVar[str] = "moot.operation.verdict_schema_registered.v1"
    schema_id: VerdictSchemaId
    title: SchemaTitle
    json_schema: JsonObject
    """JSON Schema 2020-12."""
    reason: Text
    registered_by: str
    registered_at: Moment


VerdictSchemaEvent = VerdictSchemaRegistered


class RegisterVerdictSchema(Frozen):
    """Obeyed when the very same is registered already; refused for any other under its id."""

    name: Literal["register_verdict_schema"] = "register_verdict_schema"
    by: Caller
    schema_id: VerdictSchemaId
    title: SchemaTitle
    json_schema: JsonObject
    reason: Text = Field(default="")


VerdictSchemaCommand = RegisterVerdictSchema
