"""What is said of a body that isn't as documented."""

import pytest
from pydantic import ValidationError

from moot.api.bodies import IssueAgentKeyBody, field_problems


@pytest.mark.parametrize("time", ["9000-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z"])
def test_a_time_out_of_reach_is_refused_in_words(time: str) -> None:
    with pytest.raises(ValidationError) as refused:
        IssueAgentKeyBody.model_validate_json(f'{{"agent_id": "ann", "expires_at": "{time}"}}')

    [problem] = field_problems(refused.value)
    assert problem.pointer == "/expires_at"
    assert problem.detail == "times lie from the year 1970 to before the year 9000"
