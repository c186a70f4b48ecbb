#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks conversations while `./dev example conversations` runs: a batch to its end, its follow-up, a failing one, one
# that is driven from outside, and a cancel.
set -euo pipefail
example=conversations
. "$(dirname "${BASH_SOURCE[0]}")/../check-lib.sh"
operator=$(token operator)

items() { jq -nc --argjson n "$1" '[range(1; $n + 1) | {key: "item-\(.)", topic: "topic \(.)"}]'; }
start() { body_of "$(api "$operator" POST /api/batch-jobs "$(jq -nc --argjson items "$(items "$1")" --argjson more "${2:-{\}}" '{name: "check", items: $items} + $more')")" | jq -r .jobId; }
show() { body_of "$(api "$operator" GET "/api/batch-jobs/$1/status")" | jq -r "$2"; }

control generator '{"fault": "none", "delay_ms": 300}'
same "a batch without items" 400 "$(status_of "$(api "$operator" POST /api/batch-jobs '{"name": "none", "items": []}')")"
same "without a token" 401 "$(status_of "$(api '' GET /api/batch-jobs)")"

job=$(start 3)
echo "before: $(show "$job" '"\(.status) \(.progress.completed) of \(.progress.total)"')"
same "enrich before the end" 409 "$(status_of "$(api "$operator" POST "/api/batch-jobs/$job/enrich")")"
until_is "three items end" completed show "$job" .status
echo "after: $(show "$job" '"\(.status) \(.progress.completed) of \(.progress.total)"')"
same "percentage at the end" 100 "$(show "$job" .progress.percentage)"
same "each has a conversation" 3 "$(body_of "$(api "$operator" GET "/api/batch-jobs/$job/items")" | jq '[.data[].conversationId | select(.)] | length')"
answer=$(api "$operator" POST "/api/batch-jobs/$job/enrich")
same "enrich after the end" 202 "$(status_of "$answer")"
until_is "the follow-up ends" completed show "$(body_of "$answer" | jq -r .jobId)" .status

control generator '{"fault": "403"}'
job=$(start 2)
until_is "all items are refused" failed show "$job" .status
control generator '{"fault": "none"}'
api "$operator" POST "/api/batch-jobs/$job/retry-failed" >/dev/null
until_is "and succeed when they are tried again" completed show "$job" .status

job=$(start 2 '{"driver": "caller"}')
same "process-next" processed "$(body_of "$(api "$operator" POST "/api/batch-jobs/$job/process-next")" | jq -r .status)"
last=$(body_of "$(api "$operator" POST "/api/batch-jobs/$job/process-next")")
same "process-next on the last item" "job_completed 100" "$(jq -r '"\(.status) \(.progress.percentage)"' <<<"$last")"

control generator '{"delay_ms": 20000}'
job=$(start 2)
until_is "an item runs" processing show "$job" .status
api "$operator" POST "/api/batch-jobs/$job/cancel" >/dev/null
until_is "cancelled in the middle of an item" cancelled show "$job" .status
control generator '{"delay_ms": 300}'
verdict
