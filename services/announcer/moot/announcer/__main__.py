from moot.announcer.app import build
from moot.announcer.settings import AnnouncerSettings
from moot.runtime.lifecycle import main

main("announcer", AnnouncerSettings, build)
