from moot.announcer.app import build
from moot.announcer.settings import AnnouncerSettings
from moot.runtime.service import main

main("announcer", AnnouncerSettings, build)
