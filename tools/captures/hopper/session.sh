#!/usr/bin/env bash
# A whole device session in one or more commands:  session.sh PART OUT     PART: 1, 2 or all
#   1  machine, units, random, shapes      the captures that settle most, in under ten minutes
#   2  exhaust, identify, library, speed   proofs and what is known by then of other libraries
# Stages are done in the order of their worth, each within its own time and all within TOTAL seconds; what a stage has
# by its end is packed into OUT at once, in parts of 15 MB.  Stages work in WORK, where a second call finds them again.
set -u
part=$1 out=$2 total=${TOTAL:-570} work=${WORK:-/tmp/hopper}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out" "$work"

stage() { # NAME SECONDS
  local left=$((total - SECONDS - 15)) seconds=$2
  ((left < seconds)) && seconds=$left
  if ((seconds < 10)); then echo "$1: no time left"; return; fi
  echo "== $1, at most $seconds s, $SECONDS s into the session"
  timeout -k 5 $((seconds + 10)) bash "$here/run.sh" "$1" "$work/$1" "$seconds" 2>&1 | tee -a "$out/log.txt" | tail -n 40
  tar -czf - -C "$work" "$1" | split -b 15000000 -d - "$out/$1.tar.gz"
  [ -e "$out/$1.tar.gz01" ] || mv "$out/$1.tar.gz00" "$out/$1.tar.gz"
}

case $part in 1 | all) stage machine 20; stage units 130; stage random 260; stage shapes 150 ;; esac
case $part in 2 | all) stage exhaust 240; stage identify 130; stage library 120; stage speed 40 ;; esac
case $part in 1 | 2 | all) ;; *) echo "PART is 1, 2 or all, not $part" >&2; exit 4 ;; esac
ls -l "$out"
