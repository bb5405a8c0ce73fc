"""Reasons for a command to end, each told in one message, with an exit code for scripts."""


class CommandError(Exception):
    """Ends the command with its message and `exit_code`, without a traceback."""

    exit_code = 1


class SettingsError(CommandError):
    """An option or a setting is wrong."""

    exit_code = 2


class SurroundingsError(CommandError):
    """The machine doesn't allow it: a port, a folder, a lock, a server that is too old."""

    exit_code = 3


class NotReadyError(CommandError):
    """A process of the local stack did not become ready in time."""

    exit_code = 4


def why(error: BaseException) -> str:
    """Return what an error says; a time-out says nothing by itself."""
    if isinstance(error, TimeoutError):
        return str(error) or "it says nothing"
    return str(error) or repr(error)
