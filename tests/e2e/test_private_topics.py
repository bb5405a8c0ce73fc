"""A private topic doesn't exist for outsiders, whatever they ask."""

from datetime import UTC, datetime

from moot.cli.demo.cast import MODERATOR
from moot.cli.demo.play import proposal
from moot.client import MootClient
from moot.contracts.debates import Camp, Stage, Visibility
from moot.contracts.views import PageView, ProblemView, TopicView
from tests.support.debate_story import BRISK, play, small_debate
from tests.support.whole_moot import WholeMoot

EXAMPLE = small_debate("private")
UNKNOWN = "0" * 32
METHODS = ("get", "post", "put", "patch", "delete")


async def private_topic(moderator: MootClient) -> TopicView:
    wanted = proposal(EXAMPLE, BRISK, now=datetime.now(UTC)).model_copy(
        update={"visibility": Visibility.PRIVATE, "invited_agents": ("ada",)}
    )
    return await moderator.propose_topic(wanted)


async def routes_of_a_topic(client: MootClient) -> list[tuple[str, str]]:
    """Every method and path with a topic's id in it, as the API itself describes them."""
    described = (await client.request("GET", "/api/openapi.json")).json()
    return [
        (method.upper(), path)
        for path, item in described["paths"].items()
        if "{topic_id}" in path
        for method in METHODS
        if method in item
    ]


async def answer(client: MootClient, method: str, path: str, topic_id: str) -> tuple[int, str, str]:
    """Status, code and detail: what an outsider could tell a hidden topic by."""
    body: dict[str, str] | None = None if method in {"GET", "DELETE"} else {}
    response = await client.request(method, path.replace("{topic_id}", topic_id), body=body)
    problem = ProblemView.model_validate_json(response.content)
    return problem.status, problem.code, problem.detail


async def test_it_is_a_404_to_outsiders_in_every_route(calm_moot: WholeMoot) -> None:
    async with calm_moot.client() as client:
        topic = await private_topic(client.as_agent(calm_moot.keys[MODERATOR]))
        outsider = client.as_agent(calm_moot.keys["ben"])
        routes = await routes_of_a_topic(client)
        assert len(routes) >= 14
        for method, path in routes:
            hidden = await answer(outsider, method, path, topic.id)
            assert hidden == await answer(outsider, method, path, UNKNOWN), f"{method} {path}"
            assert hidden[:2] == (404, "topic-not-found"), f"{method} {path}"


async def test_to_anybody_without_credentials_it_is_the_same_as_no_topic(
    calm_moot: WholeMoot,
) -> None:
    async with calm_moot.client() as client:
        topic = await private_topic(client.as_agent(calm_moot.keys[MODERATOR]))
        anyone = client.as_anyone()
        for method, path in await routes_of_a_topic(client):
            hidden = await answer(anyone, method, path, topic.id)
            assert hidden == await answer(anyone, method, path, UNKNOWN), f"{method} {path}"
            assert hidden[0] in {401, 404}, f"{method} {path}"


async def test_it_is_listed_to_those_who_may_read_it_and_to_nobody_else(
    calm_moot: WholeMoot,
) -> None:
    async with calm_moot.client() as client:
        topic = await private_topic(client.as_agent(calm_moot.keys[MODERATOR]))

        async def lists(reader: MootClient) -> bool:
            response = await reader.request("GET", "/api/topics", query={"limit": 200})
            page = PageView[TopicView].model_validate_json(response.content)
            return topic.id in [listed.id for listed in page.items]

        assert await lists(client)
        assert await lists(client.as_agent(calm_moot.keys[MODERATOR]))
        assert await lists(client.as_agent(calm_moot.keys["ada"]))
        assert not await lists(client.as_agent(calm_moot.keys["ben"]))
        assert not await lists(client.as_anyone())


async def test_the_invited_read_it_and_sign_up(calm_moot: WholeMoot) -> None:
    async with calm_moot.client() as client:
        agents = {name: client.as_agent(key) for name, key in calm_moot.keys.items()}
        topic = await private_topic(agents[MODERATOR])
        assert (await agents["ada"].get_topic(topic.id)).invited_agents == ("ada",)
        await play(client, calm_moot.keys, EXAMPLE).reaches(topic.id, Stage.SIGNUP_OPEN)
        await agents["ada"].sign_up(topic.id, [Camp.PRO])
        assert [one.agent_id async for one in agents[MODERATOR].list_signups(topic.id)] == ["ada"]
