# shellcheck shell=bash disable=SC2034  # examples/run reads these
tokens=("admin * admin" "client-acme acme viewer refresh" "client-globex globex viewer refresh" "client-initech initech viewer refresh")
pages=("admin /dashboard" "client/acme /dashboard/acme" "client/globex /dashboard/globex" "client/initech /dashboard/initech")
workers=("metrics-worker ingest" "metrics-worker compute")
