# shellcheck shell=bash
# What every check.sh shares: it asks a running example with curl, compares with jq, prints before and after, and ends
# with PASSED or FAILED (exit 1 on a difference).
#   URL, UPSTREAM and TOKEN say where; their defaults are those of `./dev example NAME`, whose data folder has the tokens.
URL=${URL:-http://127.0.0.1:7878}
UPSTREAM=${UPSTREAM:-http://127.0.0.1:7979}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DATA=${DATA:-$top/build/example-data/$example}
differences=0

# The token of that name, as `./dev example` printed it.
token() { [ -n "${TOKEN:-}" ] && printf '%s' "$TOKEN" || sed -n "s/^$1 //p" "$DATA/tokens"; }
# api TOKEN METHOD PATH [BODY]: the body, then on a line of its own the status.
api() {
  local body=()
  if [ "$#" -gt 3 ]; then body=(-H 'Content-Type: application/json' -d "$4"); fi
  curl -sS -m 120 -X "$2" -w '\n%{http_code}\n' ${1:+-H "Authorization: Bearer $1"} "${body[@]}" "$URL$3"
}
status_of() { tail -n 1 <<<"$1"; }
body_of() { sed '$d' <<<"$1"; }
control() { curl -sS -o /dev/null -X PUT "$UPSTREAM/_control/$1" -d "$2"; }
requests() { curl -sS "$UPSTREAM/_control/$1" | jq .requests; }
# same WHAT EXPECTED FOUND
same() {
  if [ "$2" = "$3" ]; then
    printf 'ok    %s: %s\n' "$1" "$3"
  else
    printf 'DIFF  %s: expected %s, found %s\n' "$1" "$2" "$3"
    differences=$((differences + 1))
  fi
}
# below WHAT LIMIT FOUND (numbers)
below() {
  if awk -v a="$3" -v b="$2" 'BEGIN { exit !(a < b) }'; then
    printf 'ok    %s: %s (below %s)\n' "$1" "$3" "$2"
  else
    printf 'DIFF  %s: %s is not below %s\n' "$1" "$3" "$2"
    differences=$((differences + 1))
  fi
}
# until_is WHAT EXPECTED COMMAND...: asks once a second, at most 60 times.
until_is() {
  local found=''
  for _ in $(seq 60); do
    found=$("${@:3}") || true
    [ "$found" = "$2" ] && break
    sleep 1
  done
  same "$1" "$2" "$found"
}
verdict() {
  if [ "$differences" = 0 ]; then echo PASSED; else echo "FAILED ($differences)"; exit 1; fi
}
