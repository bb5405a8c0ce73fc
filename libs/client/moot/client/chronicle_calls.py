"""The Chronicle: what is in it, and what may be."""

from moot.client.calls import Calls
from moot.contracts.catalogue_views import ContractsView


class ChronicleCalls(Calls):
    async def list_contracts(self) -> ContractsView:
        """The catalogue: every type of event and command, with its JSON Schema and an example."""
        return await self._get("/api/contracts", ContractsView)
