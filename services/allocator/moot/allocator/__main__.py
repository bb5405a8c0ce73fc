from moot.allocator.app import build
from moot.allocator.settings import AllocatorSettings
from moot.runtime.lifecycle import main

main("allocator", AllocatorSettings, build)
