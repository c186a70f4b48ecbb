#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks what's on while `./dev example whatson` runs: slow sites, quick answers, faults that lose nothing.
set -euo pipefail
example=whatson
. "$(dirname "${BASH_SOURCE[0]}")/../check-lib.sh"
operator=$(token operator)

milliseconds() { curl -sS -m 60 -o /dev/null -w '%{time_total}' "$URL/api/$1" | awk '{printf "%d", $1 * 1000}'; }
# Of three: what else the machine does meanwhile is not the server's.
quickest() { for _ in 1 2 3; do milliseconds "$1"; echo; done | sort -n | head -n 1; }
refreshing() { curl -sS "$URL/api/$1" | jq -r .refreshing_in_background; }
count() { curl -sS "$URL/api/$1" | jq '.items | length'; }

for list in cinema events google_trend; do control "$list" '{"fault": "none", "delay_ms": 3000}'; done
for list in cinema events google_trend; do
  before=$(milliseconds "$list")
  after=$(quickest "$list")
  echo "$list: before ${before} ms, after ${after} ms"
  below "$list, every answer after the first, in ms" 50 "$after"
  answer=$(curl -sS "$URL/api/$list")
  same "$list comes from the cache" true "$(jq .from_cache <<<"$answer")"
  same "$list says its date as the old API did" true "$(jq '.cache_date | test("^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$")' <<<"$answer")"
done

answer=$(api '' POST /api/cinema/refresh)
same "a refresh without a token" 401 "$(status_of "$answer")"
asked_before=$(requests cinema)
rows_before=$(count cinema)
control cinema '{"add": [{"title": "A Film That Opens Today"}]}'
answer=$(api "$operator" POST /api/cinema/refresh)
same "a refresh that is asked for" 202 "$(status_of "$answer")"
below "an answer while it refreshes, in ms" 50 "$(quickest cinema)"
until_is "the refresh ends" false refreshing cinema
same "upstream requests of one refresh" $((asked_before + 1)) "$(requests cinema)"
same "cinema, rows before $rows_before and after" $((rows_before + 1)) "$(count cinema)"

control cinema '{"fault": "empty", "delay_ms": 200}'
api "$operator" POST /api/cinema/refresh >/dev/null
until_is "the refresh ends" false refreshing cinema
same "an empty page loses nothing" $((rows_before + 1)) "$(count cinema)"
same "and is told" true "$(curl -sS "$URL/api/cinema" | jq 'has("error")')"
control cinema '{"fault": "none", "delay_ms": 200, "remove": 1}'
api "$operator" POST /api/cinema/refresh >/dev/null
until_is "the error goes with the next good one" false bash -c "curl -sS $URL/api/cinema | jq 'has(\"error\")'"
same "cinema, rows at the end" "$rows_before" "$(count cinema)"
verdict
