from moot.projector.app import build
from moot.projector.settings import ProjectorSettings
from moot.runtime import lifecycle

lifecycle.main("projector", ProjectorSettings, build)
