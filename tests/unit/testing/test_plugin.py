"""What it costs to have the plugin installed, and what it says when there is nothing to start."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import moot.testing
from moot.testing import MootTestingError
from moot.testing.given import given
from moot.testing.starting import first_to_be_had, running

LOADED = """
import json, sys, time
import pytest
began = time.process_time()
import moot.testing.plugin
took = time.process_time() - began
print(json.dumps({"seconds": took, "loaded": sorted(sys.modules)}))
"""
HEAVY = {"asyncio", "httpx2", "pydantic", "testcontainers", "nats", "moot.client", "moot.contracts"}
TRIES = 3


def test_to_have_it_installed_costs_nothing() -> None:
    tried = [
        json.loads(subprocess.check_output([sys.executable, "-c", LOADED], text=True))
        for _ in range(TRIES)
    ]
    assert min(each["seconds"] for each in tried) < 0.05
    assert HEAVY.isdisjoint(tried[0]["loaded"])


def test_every_name_that_is_offered_is_there() -> None:
    for name in moot.testing.__all__:
        assert getattr(moot.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'MootStak'"):
        moot.testing.__getattr__("MootStak")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("MOOT_TEST_API_URL", raising=False)
    return monkeypatch


def test_a_moot_that_runs_is_preferred_to_one_that_has_to_be_started(
    bare: pytest.MonkeyPatch,
) -> None:
    assert first_to_be_had() == "wheels"
    bare.setenv("MOOT_TEST_API_URL", "http://moot.example")
    assert first_to_be_had() == "env"


def test_what_is_missing_is_said(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = re.escape("set MOOT_TEST_API_URL, MOOT_TEST_ADMIN_KEY")
    with pytest.raises(MootTestingError, match=missing), running("env", tmp_path, many=False):
        pass
    for extra in ("moot.cli", "testcontainers"):
        bare.setitem(sys.modules, extra, None)
    with pytest.raises(MootTestingError, match=r"install moot-testing\[wheels\]"):
        first_to_be_had()
    wanted = re.escape("--moot=containers takes moot-testing[containers]")
    with pytest.raises(MootTestingError, match=wanted), running("containers", tmp_path, many=False):
        pass


def test_a_moot_of_the_environment_has_what_the_environment_says() -> None:
    told = {
        "MOOT_TEST_API_URL": "http://moot.example/",
        "MOOT_TEST_ADMIN_KEY": "secret",
        "MOOT_TEST_GUILD_URL": "http://guild.example",
    }
    with given(told) as stack:
        assert (stack.form, stack.api_url, stack.nats_url) == ("env", "http://moot.example", None)
        assert stack.fabric_guild.channel_id == "announcements"
        assert "secret" not in repr(stack)
    without_guild = {name: told[name] for name in list(told)[:2]}
    missing = re.escape("set MOOT_TEST_GUILD_URL")
    with given(without_guild) as stack, pytest.raises(MootTestingError, match=missing):
        _ = stack.fabric_guild
