#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks the metrics while `./dev example metrics` runs: what a client's n8n has arrives, clients stay apart, a dead one
# is told and delays nobody, roll-ups change no number.
set -euo pipefail
example=metrics
. "$(dirname "${BASH_SOURCE[0]}")/../check-lib.sh"
unset TOKEN
admin=$(token admin) acme=$(token client-acme)
base=/api/v1/metrics

numbers() { body_of "$(api "$admin" GET "$base/client/$1")" | jq -r "$2"; }
sync() { body_of "$(api "$admin" POST "$base/admin/quick-sync")"; }
fresh() { body_of "$(api "$admin" GET "$base/admin/data-freshness")" | jq -r ".clients[] | select(.client_id == \"$1\") | $2"; }

control n8n-acme '{"fault": "none", "delay_ms": 0}'
control n8n-globex '{"fault": "none", "delay_ms": 0}'
same "both clients are synced" 2 "$(sync | jq .successful)"
before=$(numbers acme .total_executions) other=$(numbers globex .total_executions)
echo "before: acme $before executions, globex $other"
control n8n-acme "$(jq -nc '{add: [range(5000) | {}]}')"
same "a sync of 5,000 new executions" success "$(sync | jq -r '.results[] | select(.client_id == "acme") | .status')"
echo "after: acme $(numbers acme .total_executions) executions, globex $(numbers globex .total_executions)"
same "all arrive" $((before + 5000)) "$(numbers acme .total_executions)"
same "and only there" "$other" "$(numbers globex .total_executions)"
same "age 0 is fresh" "0 fresh healthy" "$(fresh acme '"\(.sync_age_minutes) \(.sync_status) \(.overall_health)"')"
same "a client that was never read" "never degraded" "$(fresh initech '"\(.sync_status) \(.overall_health)"')"

successful=$(numbers acme .successful_executions)
same "a roll-up is started by hand" 200 "$(status_of "$(api "$admin" POST /v1/schedules/rollup-daily/run)")"
until_is "the numbers come from all layers" L1,L2,L3 numbers acme '.layers | join(",")'
same "and are the same" "$successful" "$(numbers acme .successful_executions)"

asked=$(requests n8n-acme)
same "refresh-cache" 200 "$(status_of "$(api "$admin" POST "$base/admin/refresh-cache")")"
same "asks nothing upstream" "$asked" "$(requests n8n-acme)"

control n8n-globex '{"fault": "500"}'
same "a dead n8n is told" "error" "$(sync | jq -r '.results[] | select(.client_id == "globex") | .status')"
same "and takes nothing away" "$other" "$(numbers globex .total_executions)"
control n8n-globex '{"fault": "none"}'
same "a client reads its own" 200 "$(status_of "$(api "$acme" GET "$base/client/acme")")"
same "and not that of another" 404 "$(status_of "$(api "$acme" GET "$base/client/globex")")"
same "nor all" 403 "$(status_of "$(api "$acme" GET "$base/all")")"
same "nobody without a token" 401 "$(status_of "$(api '' GET "$base/all")")"
verdict
