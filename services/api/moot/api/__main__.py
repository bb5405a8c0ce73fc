"""`python -m moot.api`."""

from moot.api.app import build
from moot.api.settings import ApiSettings
from moot.runtime.lifecycle import main

main("api", ApiSettings, build)
