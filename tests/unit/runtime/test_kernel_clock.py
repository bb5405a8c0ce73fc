"""What the kernel says of its clock is what `timedatectl` would show."""

import sys

import pytest

from moot.runtime.kernel_clock import is_synchronised


@pytest.mark.skipif(sys.platform != "linux", reason="adjtimex is Linux's")
def test_linux_tells_whether_its_clock_is_kept_right() -> None:
    assert is_synchronised() in {True, False}


def test_who_cant_be_asked_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert is_synchronised() is None
