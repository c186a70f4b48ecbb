#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks the watchlist while `./dev example watchlist` runs: what the old API says before and after a refresh.
set -euo pipefail
example=watchlist
# As the old clients call them.
if [ -n "${WORKER_URL:-}" ]; then URL=${URL:-$WORKER_URL}; fi
if [ -n "${WORKER_SECRET:-}" ]; then TOKEN=${TOKEN:-$WORKER_SECRET}; fi
. "$(dirname "${BASH_SOURCE[0]}")/../check-lib.sh"
worker=$(token worker)
user=${DEFAULT_IMDB_USER_ID:-ur10000001}

refreshed() { api '' GET "/api/imdb-watchlist?userId=$user&refresh=1"; }
count() { body_of "$(api "$worker" GET "/cache/$user")" | jq .metadata.itemCount; }

control imdb '{"fault": "none", "private": false, "delay_ms": 200}'
same "without the token" 401 "$(status_of "$(api '' GET "/cache/$user")")"
answer=$(refreshed)
same "a refresh" 200 "$(status_of "$answer")"
before=$(body_of "$answer" | jq .totalItems)
same "itemCount and totalItems agree" "$before" "$(count)"
control imdb '{"add": [{"title": "A Film of the Check"}]}'
after=$(body_of "$(refreshed)" | jq .totalItems)
echo "before: $before films, after: $after films"
same "the new film is there when the refresh says so" $((before + 1)) "$after"
same "and in the cache" "$after" "$(count)"
control imdb '{"private": true}'
same "a private list, in words" "Watchlist is private. Change to Public in IMDb settings." "$(body_of "$(refreshed)" | jq -r .detail)"
same "takes nothing away" "$after" "$(count)"
control imdb '{"private": false, "remove": 1}'
until_is "and then it goes on" 200 bash -c "curl -sS -m 100 -o /dev/null -w '%{http_code}' '$URL/api/imdb-watchlist?userId=$user&refresh=1'"
verdict
