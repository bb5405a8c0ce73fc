"""Debates through the containers, one of each and several."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from moot.cli.demo.evidence import Evidence
from moot.cli.demo.example import read_example
from moot.cli.demo.play import SHOWING, issue_keys
from tests.containers.conftest import Took
from tests.support.composed import PATIENCE, Composed
from tests.support.debate_story import UNHURRIED, failures, play, small_debate

pytestmark = [pytest.mark.containers, pytest.mark.timeout(240)]

CALM = replace(SHOWING, signup_takes=timedelta(seconds=5), patience=PATIENCE)
REPLICAS = {"announcer": 3, "ticker": 3, "allocator": 2, "projector": 2, "api": 2}


async def test_the_example_is_played_to_its_end(stack: Composed) -> None:
    example = read_example(None)
    async with stack.client() as client:
        played = await play(
            client, await issue_keys(client), example, pace=CALM
        ).from_start_to_end()
        await stack.announced(played.topic_id)
        evidence = await Evidence.gather(example, played, client, stack.guild(), stack.nats_url())

    assert failures(evidence.checks_after_faults()) == []


async def test_several_of_each_play_the_same_debates(stack: Composed, took: Took) -> None:
    one_of_each, stack = stack, replace(stack, api_ports="")
    wanted = [f"--scale={service}={number}" for service, number in REPLICAS.items()]
    took.note("up --wait --scale", await asyncio.to_thread(stack.up, *wanted))
    try:
        examples = [small_debate(f"replicas, {number}") for number in range(2)]
        async with stack.client() as one, stack.client(replica=1) as other:
            keys = await issue_keys(one)
            plays = [
                play(client, keys, example, pace=UNHURRIED)
                for client, example in zip((one, other), examples, strict=True)
            ]
            played = await asyncio.gather(*(debate.from_start_to_end() for debate in plays))
            running = [container.service for container in stack.containers(*REPLICAS)]
            assert {service: running.count(service) for service in REPLICAS} == REPLICAS
            assert len(set(stack.apis())) == REPLICAS["api"]
            for example, debate in zip(examples, played, strict=True):
                await stack.announced(debate.topic_id)
                evidence = await Evidence.gather(
                    example, debate, other, stack.guild(), stack.nats_url()
                )
                assert failures(evidence.checks_after_faults()) == []
    finally:
        await asyncio.to_thread(one_of_each.up, *(f"--scale={service}=1" for service in REPLICAS))
