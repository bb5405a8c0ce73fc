"""Bad input by the hundred: a problem from whatever reaches the API, and the next one is served."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from moot.api.operations import Operation
from moot.api.routes import OPERATIONS
from tests.integration.api.test_callers import path_of
from tests.integration.api.test_publishing import key
from tests.integration.api.world import ADMIN, World

MANY = 1 << 20

DOCUMENTS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "a word": b"word",
    "null": b"null",
    "a number": b"7",
    "a list": b"[]",
    "text": b'"{}"',
    "a huge integer": b"1" * 5000,
    "a list of lists": b"[" * 100_000,
    "objects in objects": b'{"a":' * 50_000,
    "NaN": b"NaN",
    "bytes that aren't UTF-8": b'{"\xff\xfe": 1}',
    "UTF-16": '{"title": "x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "NUL bytes": b"\x00" * 100,
    "a key twice": b'{"force": true, "force": false, "nonsense": 1}',
    "a megabyte and a byte": b'"' + b"x" * (MANY - 1) + b'"',
    "a thousand keys": json.dumps({f"k{n}": n for n in range(1000)}).encode(),
}
VALUES: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "a huge integer": b"9" * 400,
    "a huge float": b"1e400",
    "minus one": b"-1",
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a lone surrogate": b'"\\ud800"',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "NUL": b'"a\\u0000b"',
    "raw NUL": b'"a\x00b"',
    "an object": b'{"a": {"b": [1]}}',
    "lists in lists": b"[" * 200 + b"]" * 200,
    "many lists in lists": b"[" * 20_000 + b"]" * 20_000,
    "a list of a thousand": b"[" + b"1," * 999 + b"1]",
    "long text": b'"' + b"x" * 300_000 + b'"',
    "right to left": '"\u202e\u2066x"'.encode(),
    "a date": b'"9999-99-99T99:99:99Z"',
    "SQL": b'"\'; DROP TABLE topics; --"',
}
WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None]
WITH_QUERY = [operation for operation in OPERATIONS if operation.query is not None]
TEXTS = (
    "\x00",
    "%00",
    "\ud800",
    "-1",
    "9" * 400,
    "x" * 5000,
    "null",
    "[]",
    "../..",
    "é",
    "'--",
    "",
)
HEADERS: dict[str, bytes] = {
    "Chronicle-Min-Position": b"9" * 400,
    "Prefer": b"wait=" + b"9" * 400,
    "Idempotency-Key": b"\xff" * 300,
    "If-None-Match": b'"' * 2000,
    "If-Match": b"W/" * 2000,
    "Last-Event-ID": b"-1",
    "Authorization": b"Bearer \xff\xfe",
    "X-Moot-Admin-Key": b"\xff" * 1000,
    "Content-Length": b"9" * 30,
    "Content-Type": b"\xff/\xff",
    "traceparent": b"00-" + b"z" * 500,
    "Accept": b"\x7f" * 500,
}


def bodies(operation: Operation) -> Iterator[tuple[str, bytes]]:
    """Each document, and the operation's own example with each value in each of its places."""
    yield from DOCUMENTS.items()
    assert operation.body is not None
    example = {key: json.dumps(value).encode() for key, value in (operation.example or {}).items()}
    for field in operation.body.model_fields:
        for name, value in VALUES.items():
            members = {**example, field: value}
            inside = b", ".join(b'"%s": %s' % (key.encode(), v) for key, v in members.items())
            yield f"{field}: {name}", b"{" + inside + b"}"


async def asked(world: World, operation: Operation, **given: Any) -> tuple[int, str]:  # noqa: ANN401 as httpx2 takes it
    """Status and, of a refusal, its code."""
    path = given.pop("path", path_of(operation))
    headers = given.pop("headers", {})
    if operation.who != "publishers":
        headers = {**ADMIN, **headers}
    response = await world.http.request(operation.method, path, headers=headers, **given)
    if response.is_success or response.status_code == 304:
        return response.status_code, ""
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    return response.status_code, problem["code"]


async def still_serves(world: World) -> bool:
    return (await world.get("/api/topics")).status_code == 200


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
async def test_a_body_is_taken_or_refused_with_a_reason(world: World, operation: Operation) -> None:
    topic_id = await world.propose()
    path = path_of(operation).replace(f"/topics/{'0' * 32}", f"/topics/{topic_id}")
    headers = {"Content-Type": "application/json"}
    if operation.who == "publishers":
        headers = {"Content-Type": "application/cloudevents+json", **await key(world)}
    for name, body in bodies(operation):
        status, code = await asked(world, operation, path=path, content=body, headers=headers)
        assert status < 500, (name, status, code)
        if name in DOCUMENTS:
            assert status in {404, 413, 422}, (name, status, code)
    assert await still_serves(world)


async def test_a_query_is_taken_or_refused_with_a_reason(world: World) -> None:
    for operation in WITH_QUERY:
        if operation.method != "GET" or operation.path.endswith("/stream"):
            continue
        assert operation.query is not None
        for field in operation.query.model_fields:
            for text in TEXTS:
                query = {field: text.encode("utf-8", "surrogatepass")}
                raw = "&".join(
                    f"{key}=" + "".join(f"%{b:02x}" for b in v) for key, v in query.items()
                )
                status, code = await asked(world, operation, path=f"{path_of(operation)}?{raw}")
                assert status < 500, (operation.name, field, text, code)
    assert await still_serves(world)


async def test_a_header_is_taken_or_refused_with_a_reason(world: World) -> None:
    for operation in OPERATIONS:
        if operation.path.endswith("/stream"):
            continue
        for name, value in HEADERS.items():
            headers = {name: value, "Prefer": b"wait=0"} if name != "Prefer" else {name: value}
            body = b"{}" if operation.body is not None else None
            sent = {key.encode(): text for key, text in headers.items()}
            plain = {key.encode(): text.encode() for key, text in ADMIN.items()}
            response = await world.http.request(
                operation.method, path_of(operation), headers={**plain, **sent}, content=body
            )
            code = (
                ""
                if response.is_success or response.status_code == 304
                else response.json()["code"]
            )
            assert response.status_code < 500 or code == "projection-behind", (operation.name, name)
    assert await still_serves(world)
