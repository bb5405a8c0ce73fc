"""What ends a test that asks for something it can't have, in words that say what to do."""


class MootTestingError(Exception):
    """There is no Moot to test with, or it lacks what was asked for."""


class NeverCameError(MootTestingError):
    """What was waited for didn't come in time; the text says how far it came instead."""
