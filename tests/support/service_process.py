"""Services as processes of their own, to be killed, stopped and cut off."""

import os
import signal
import sys
from asyncio.subprocess import Process, create_subprocess_exec
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from moot.cli.local.ports import free_port
from moot.cli.local.probe import http_get
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

READY = 200
READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    process: Process
    port: int
    """Of its probes and metrics."""

    def send(self, told: signal.Signals) -> None:
        self.process.send_signal(told)

    async def is_ready(self) -> bool:
        answer = await http_get(self.port, "/readyz")
        return answer is not None and answer.status == READY


@asynccontextmanager
async def service_process(
    module: str, nats_url: str, replica: str, environment: Mapping[str, str]
) -> AsyncGenerator[ServiceProcess]:
    """`python -m module` that is ready, and killed in the end."""
    own = {
        "NATS_URL": nats_url,
        "MOOT_REPLICA": replica,
        "MOOT_LOG_LEVEL": "warning",
        "HEALTH_PORT": str(port := free_port()),
    }
    process = await create_subprocess_exec(
        sys.executable, "-m", module, env={**os.environ, **own, **environment}
    )
    service = ServiceProcess(process, port)
    try:
        await until(service.is_ready, within=READY_SECONDS)
        yield service
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


Fault = Callable[[ServiceProcess, TcpProxy], None]


def killed(service: ServiceProcess, _proxy: TcpProxy) -> None:
    service.send(signal.SIGKILL)


def stopped(service: ServiceProcess, _proxy: TcpProxy) -> None:
    service.send(signal.SIGSTOP)


def goes_on(service: ServiceProcess, _proxy: TcpProxy) -> None:
    service.send(signal.SIGCONT)


def cut_off(_service: ServiceProcess, proxy: TcpProxy) -> None:
    proxy.flowing.clear()


def reached_again(_service: ServiceProcess, proxy: TcpProxy) -> None:
    proxy.flowing.set()


def losing_answers(_service: ServiceProcess, proxy: TcpProxy) -> None:
    proxy.losing = True
