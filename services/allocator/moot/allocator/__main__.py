from moot.allocator.app import build
from moot.allocator.settings import AllocatorSettings
from moot.runtime.service import main

main("allocator", AllocatorSettings, build)
