"""`python -m moot.cli` is `moot`."""

from moot.cli.main import main

main()
