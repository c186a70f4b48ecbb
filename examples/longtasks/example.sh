# shellcheck shell=bash disable=SC2034  # examples/run reads these
tokens=("business-1 1 admin" "business-2 2 admin" "viewer-1 1 viewer" "viewer-2 2 viewer" "system-admin * admin")
pages=("main/1 /dashboard/1" "main/2 /dashboard/2")
workers=("longtasks-worker")
# An id of its own for each start: what a lost worker held is then failed by the one threshold of its queue, and not sooner
# because its successor says that it does not hold it.
worker_env=("WORKER_ID=")
