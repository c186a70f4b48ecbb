# shellcheck shell=bash disable=SC2034  # examples/run reads these
tokens=("operator default operator")
pages=("main /batch-jobs/{id}")
workers=("conversations-worker")
