from moot.projector.app import build
from moot.projector.settings import ProjectorSettings
from moot.runtime import service

service.main("projector", ProjectorSettings, build)
