"""One post to a channel of a Fabric guild."""

from moot.announcer.answers import Answer, Posting
from moot.announcer.channels import Channels
from moot.contracts.deliveries import Announcement, FabricChannel


class Fabric:
    """`channels` None: announcing to Fabric is off."""

    def __init__(self, posting: Posting, channels: Channels | None) -> None:
        self._posting = posting
        self._channels = channels

    async def post(self, endpoint: FabricChannel, announcement: Announcement) -> Answer:
        """Post once. The receiver knows a repeated post by its key, the announced event's id."""
        if self._channels is None:
            return Answer.not_called("announcing to Fabric is off")
        problem = self._channels.problem(endpoint)
        if problem is not None:
            return Answer.not_called(problem)
        credentials = self._channels.credentials[endpoint.guild_base_url]
        async with self._posting.timed() as timed:
            request = self._posting.http.build_request(
                "POST",
                endpoint.address,
                json={"content": announcement.content, "metadata": announcement.metadata},
                headers={
                    "x-fabric-system-key": credentials.system_key.get_secret_value(),
                    "Authorization": f"Bearer {credentials.bot_token.get_secret_value()}",
                    "Idempotency-Key": announcement.event_id,
                },
            )
            timed.answer = await self._posting.send([request])
        return timed.answer
