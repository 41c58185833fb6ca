#!/bin/sh
# Judge an implementation; any exit code but 0 fails the job.  See `fp8ref help exit-codes`.
set -eu
IMPL=${IMPL:-ml_dtypes}          # yours: py:my_module:MyKernel, exec:./dut, cabi:./lib.so
SELECT=${SELECT:-decode/*}       # yours: what must conform, or nothing for all that is claimed
set -- --impl "$IMPL" "$SELECT" -o fp8ref-report.jsonl --junit fp8ref-report.xml --md fp8ref-report.md --force
if [ -f known.toml ]; then       # made once with: fp8ref check ... --write-expect known.toml
    set -- "$@" --expect known.toml --strict
fi
exec fp8ref check "$@"
