"""What answers carry: positions, tags, cursors, replays, exports."""

from moot.contracts.debates import Stage
from tests.integration.api.world import ADMIN, PROPOSAL, World


async def test_the_same_idempotency_key_has_one_effect(world: World) -> None:
    creator = await world.agent("creator")
    first = await world.post("/api/topics", PROPOSAL, creator, Idempotency_Key="k1")
    again = await world.post("/api/topics", PROPOSAL, creator, Idempotency_Key='"k1"')
    assert again.json() == first.json()
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["chronicle-position"] == first.headers["chronicle-position"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"

    other = await world.post(
        "/api/topics", PROPOSAL | {"title": "Another"}, creator, Idempotency_Key="k1"
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    bob = await world.post("/api/topics", PROPOSAL, await world.agent("bob"), Idempotency_Key="k1")
    assert bob.json()["id"] != first.json()["id"]


async def test_a_repeated_argument_is_posted_once(world: World) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.DEBATING)
    path, pro = f"/api/topics/{topic_id}/arguments", await world.in_camp(topic_id, "pro")
    first = await world.post(path, {"content": "x"}, pro, Idempotency_Key="k")
    await world.post(path, {"content": "y"}, pro)
    again = await world.post(path, {"content": "x"}, pro, Idempotency_Key="k")
    assert again.json() == first.json()
    assert len((await world.get(path)).json()["items"]) == 2


async def test_lists_go_on_by_cursor_and_stay_stable(world: World) -> None:
    topics = [await world.propose(title=f"Topic {n}") for n in range(5)]
    first = await world.get("/api/topics?limit=2")
    await world.propose(title="Later")
    assert first.headers["link"] == f'<{_next_path(first.json()["next"])}>; rel="next"'
    seen, cursor = first.json()["items"], first.json()["next"]
    page = first
    while cursor is not None:
        page = await world.get(f"/api/topics?limit=2&cursor={cursor}")
        assert page.status_code == 200, page.text
        seen, cursor = seen + page.json()["items"], page.json()["next"]
    assert [one["id"] for one in seen] == topics[::-1]
    assert "link" not in page.headers


def _next_path(cursor: str) -> str:
    return f"/api/topics?limit=2&cursor={cursor.replace('=', '%3D')}"


async def test_a_transcript_goes_on_by_cursor(world: World) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.DEBATING)
    path, pro = f"/api/topics/{topic_id}/arguments", await world.in_camp(topic_id, "pro")
    for n in range(5):
        await world.post(path, {"content": f"{n}"}, pro)
    first = (await world.get(f"{path}?limit=3")).json()
    rest = (await world.get(f"{path}?limit=3&cursor={first['next']}")).json()
    assert [one["content"] for one in first["items"] + rest["items"]] == ["0", "1", "2", "3", "4"]
    assert rest["next"] is None
    signups = f"/api/topics/{topic_id}/signups"
    assert (await world.get(f"{signups}?cursor={first['next']}", ADMIN)).status_code == 400


async def test_an_altered_cursor_is_refused(world: World) -> None:
    for _ in range(2):
        await world.propose()
    cursor = (await world.get("/api/topics?limit=1")).json()["next"]
    spoilt = (cursor.swapcase(), f"{cursor}A", cursor[:-1])
    for query in (*(f"cursor={one}" for one in spoilt), f"mine=true&cursor={cursor}"):
        answer = await world.get(f"/api/topics?{query}", ADMIN)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


async def test_a_resource_has_a_tag_that_changes_with_it(world: World) -> None:
    path = f"/api/topics/{await world.propose()}"
    first = await world.get(path)
    tag = first.headers["etag"]
    unchanged = await world.ask("GET", path, headers={"If-None-Match": f'"x", {tag}'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    by_a_cache = await world.ask("GET", path, headers={"If-None-Match": f"W/{tag}"})
    assert by_a_cache.status_code == 304
    assert (await world.get(path, ADMIN)).headers["etag"] != tag
    await world.post(f"{path}/cancel", {"reason": "spam"}, ADMIN)
    changed = await world.ask("GET", path, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["status"]) == (200, "cancelled")


async def test_a_write_takes_effect_on_what_was_read_or_not_at_all(world: World) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.DEBATING)
    path = f"/api/topics/{topic_id}"
    arguments, pro = f"{path}/arguments", await world.in_camp(topic_id, "pro")
    for stale in ('"x"', (await world.get(path)).headers["etag"]):
        # Another caller's tag, though of this very position.
        answer = await world.post(f"{path}/cancel", {"reason": "x"}, ADMIN, If_Match=stale)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")
    tag = (await world.get(path, ADMIN)).headers["etag"]
    await world.post(arguments, {"content": "x"}, pro)

    late = await world.post(f"{path}/cancel", {"reason": "x"}, ADMIN, If_Match=tag)
    fresh = (await world.get(path, ADMIN)).headers["etag"]
    in_time = await world.post(f"{path}/cancel", {"reason": "x"}, ADMIN, If_Match=f'"y", {fresh}')

    assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    assert (in_time.status_code, in_time.json()["status"]) == (200, "cancelled")
    assert in_time.headers["etag"] == (await world.get(path, ADMIN)).headers["etag"]


async def test_a_refusal_comes_before_a_tag(world: World) -> None:
    hidden = await world.propose(visibility="private")
    for path in (f"/api/topics/{hidden}", f"/api/topics/{'0' * 32}"):
        answer = await world.post(
            f"{path}/cancel", {"reason": "x"}, await world.agent("eve"), If_Match='"x"'
        )
        assert answer.status_code == 404
    created = await world.post("/api/topics", PROPOSAL, ADMIN, If_Match="*")
    assert created.status_code == 412


async def test_answers_are_private(world: World) -> None:
    for path in ("/api/topics", "/api/nothing", "/api/me"):
        answer = await world.get(path)
        assert answer.headers["vary"] == "Authorization, X-Moot-Admin-Key"
        assert answer.headers["cache-control"] == "private, no-cache"


async def test_a_debate_is_exported_whole(world: World) -> None:
    topic_id = await world.propose(title="# Ban <b>plastic</b>", rounds=1)
    await world.reach(topic_id, Stage.DEBATING)
    arguments = f"/api/topics/{topic_id}/arguments"
    hostile = "Fair.\n\n# Verdict\n<script>alert(1)</script>\u2028## Round 9"
    await world.post(arguments, {"content": hostile}, await world.in_camp(topic_id, "pro"))
    await world.end(topic_id)
    judge = await world.in_camp(topic_id, "judge")
    verdict = {"verdict": {"x": "```\n# y"}, "rationale": "Because.\n# So"}
    await world.post(f"/api/topics/{topic_id}/verdict", verdict, judge)

    as_json = (await world.get(f"/api/topics/{topic_id}/export")).json()
    assert as_json["topic"] == (await world.get(f"/api/topics/{topic_id}")).json()
    assert as_json["arguments"] == (await world.get(arguments)).json()["items"]
    assert as_json["verdict"] == (await world.get(f"/api/topics/{topic_id}/verdict")).json()
    drawn = (await world.get(f"/api/topics/{topic_id}/allocation")).json()
    assert as_json["allocation"] == drawn

    as_text = await world.get(f"/api/topics/{topic_id}/export?format=markdown")
    assert as_text.headers["content-type"] == "text/markdown; charset=utf-8"
    headings = [line for line in as_text.text.splitlines() if line.startswith("#")]
    assert [one.split(" ")[0] for one in headings] == ["#", "##", "###", "##"]
    assert headings[0] == r"# \# Ban \<b\>plastic\</b\>"
    assert "<script" not in as_text.text


async def test_a_new_topic_is_exported_too(world: World) -> None:
    topic_id = await world.propose()
    for form in ("json", "markdown"):
        answer = await world.get(f"/api/topics/{topic_id}/export?format={form}")
        assert answer.status_code == 200


async def test_verdict_schemas(world: World) -> None:
    listed = (await world.get("/api/verdict-schemas")).json()
    assert {one["id"] for one in listed["items"]} == {
        "binary",
        "claim-resolution",
        "policy-recommendation",
        "free-form",
    }
    for schema in listed["items"]:
        path = f"/api/verdict-schemas/{schema['id']}"
        answer = await world.get(path)
        assert answer.json() == schema
        assert answer.headers["cache-control"] == "public, max-age=86400"
        known = {"If-None-Match": answer.headers["etag"]}
        assert (await world.ask("GET", path, headers=known)).status_code == 304
