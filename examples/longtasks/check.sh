#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks long tasks while `./dev example longtasks` runs: one run at a time per business and kind, businesses apart, a
# reset that counts.
set -euo pipefail
example=longtasks
. "$(dirname "${BASH_SOURCE[0]}")/../check-lib.sh"
unset TOKEN
one=$(token business-1) two=$(token business-2) viewer=$(token viewer-1)

start() { api "$1" POST "/api/business/$2/tasks/$3" "{\"total\": $4}"; }
show() { body_of "$(api "$1" GET "/jobs/$2")" | jq -r "$3"; }

control receipts '{"fault": "none", "delay_ms": 50}'
answer=$(start "$one" 1 receipt_sync 10)
same "a run is started" 202 "$(status_of "$answer")"
job=$(body_of "$answer" | jq -r .job_id)
echo "before: $(show "$one" "$job" '"\(.status) \(.processed) of \(.total)"')"
until_is "it ends" completed show "$one" "$job" .status
echo "after: $(show "$one" "$job" '"\(.status) \(.processed) of \(.total)"')"
same "and did all of it" 10 "$(show "$one" "$job" .succeeded)"
same "a viewer may not start one" 403 "$(status_of "$(start "$viewer" 1 receipt_sync 1)")"
same "nor a business that of another" 404 "$(status_of "$(start "$two" 1 receipt_sync 1)")"
same "whose run it does not see" 404 "$(status_of "$(api "$two" GET "/jobs/$job")")"

control receipts '{"delay_ms": 3000}'
job=$(body_of "$(start "$one" 1 receipt_sync 50)" | jq -r .job_id)
other=$(body_of "$(start "$two" 2 receipt_sync 50)" | jq -r .job_id)
until_is "two businesses run at once" running show "$two" "$other" .status
until_is "the first runs" running show "$one" "$job" .status
second=$(start "$one" 1 receipt_sync 5)
same "a second start of the same kind" 409 "$(status_of "$second")"
same "names the one that runs" "$job" "$(body_of "$second" | jq -r .job_id)"
answer=$(api "$one" POST /api/admin/business/1/reset-progress '{}')
same "reset ends" "Successfully reset 1 stuck runs" "$(body_of "$answer" | jq -r .message)"
same "the run of this business" failed "$(show "$one" "$job" .status)"
same "and not that of the other" running "$(show "$two" "$other" .status)"
api "$two" POST /api/admin/business/2/reset-progress '{}' >/dev/null
control receipts '{"delay_ms": 50}'
verdict
