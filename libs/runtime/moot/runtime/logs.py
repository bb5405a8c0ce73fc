"""The log of a process: a line is a constant event name and fields."""

import logging
import sys
import threading
from types import TracebackType
from typing import TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger


def start_logging(
    service: str, *, log_format: str = "auto", level: str = "info", stream: TextIO = sys.stderr
) -> None:
    """Log to `stream`: JSON lines, readable ones on a terminal. Libraries' logs come the same way.

    `log_format` is `json`, `console`, or `auto` for what fits the stream.
    """
    console = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Named(service),
        _add_trace,
    ]
    _route_everything(shared, _renderers(stream, console=console), level, stream)


def _renderers(stream: TextIO, *, console: bool) -> list[Processor]:
    if console:
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]


def _route_everything(
    shared: list[Processor], renderers: list[Processor], level: str, stream: TextIO
) -> None:
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    to_stream = logging.StreamHandler(stream)
    to_stream.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [to_stream]
    root.setLevel(logging.getLevelNamesMapping()[level.upper()])
    logging.captureWarnings(capture=True)
    _log_what_nobody_catches()
    # Libraries tell a story for each connection and request; a line of ours already says what came.
    for noisy in ("asyncio", "faststream", "httpx2", "httpcore2", "nats", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _log_what_nobody_catches() -> None:
    """A traceback that Python itself writes would be many lines, none of them JSON."""
    log = logging.getLogger("python")

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            log.critical("uncaught", exc_info=(kind, error, trace))

    def thread_ended(of: threading.ExceptHookArgs) -> None:
        if of.exc_value is not None:
            ended(of.exc_type, of.exc_value, of.exc_traceback)

    def not_raisable(of: "sys.UnraisableHookArgs") -> None:
        log.error("unraisable", exc_info=of.exc_value)

    sys.excepthook = ended
    threading.excepthook = thread_ended
    sys.unraisablehook = not_raisable


class _Named:
    """Puts the service's name into each line."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: WrappedLogger, __: str, line: EventDict) -> EventDict:
        line.setdefault("service", self._service)
        return line


def _add_trace(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = trace.format_trace_id(context.trace_id)
        line["span_id"] = trace.format_span_id(context.span_id)
    return line
