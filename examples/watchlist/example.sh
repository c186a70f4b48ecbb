# shellcheck shell=bash disable=SC2034  # examples/run reads these
user=${DEFAULT_IMDB_USER_ID:-ur10000001}
tokens=("worker default operator")
pages=("main /dashboard/$user")
given=([worker]="${WORKER_SECRET:-}")
workers=("watchlist-worker")
worker_env=("DEFAULT_IMDB_USER_ID=$user")
# WATCHLIST_MODE=browser has each page opened by Chromium; else it comes by plain HTTP, without Node.
if [ "${WATCHLIST_MODE:-plain}" = browser ]; then worker_env+=("WATCHLIST_HELPER=node '$here/watchlist/helper/open.mjs'"); fi
