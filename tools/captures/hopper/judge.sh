#!/usr/bin/env bash
# Judge what came back, anywhere, with every core, and write the page "What an H100 computes":
#   judge.sh FOLDER [options of judge.py]
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH="$(cd "$here/../../.." && pwd)${PYTHONPATH:+:$PYTHONPATH}"
exec python3 "$here/judge.py" "$@"
