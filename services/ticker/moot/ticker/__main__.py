from moot.runtime.lifecycle import main
from moot.ticker.app import build
from moot.ticker.settings import TickerSettings

main("ticker", TickerSettings, build)
