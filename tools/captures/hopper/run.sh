#!/usr/bin/env bash
# One stage of a capture session:  run.sh STAGE FOLDER [IMPL]
#   units     captures of every instruction
#   identify  which accumulator each of them has
#   exhaust   every float32, float16 and bfloat16 through cvt and the header, with certificates
#   random    products at level 3 under several seeds, judged on the spot
#   scaled    torch._scaled_mm and tl.dot: captures and verdicts
# IMPL in place of the device rehearses a stage anywhere: run.sh units out mini:dot-correct
set -u
stage=$1 out=$2 impl=${3:-cuda}
mkdir -p "$out"
fp8ref() { python3 -m fp8ref "$@"; }
each() { if [ "$impl" = cuda ]; then printf '%s\n' "${@/#/cuda,unit=}"; else echo "$impl"; fi; }  # implementations
pack() { tar -czf "$out/$1.tar.gz" -C "$out" "$1" && rm -r "${out:?}/$1"; }                      # few files come back

case $stage in
units)
  { date -u; nvidia-smi; nvcc --version; python3 -m pip list; } > "$out/machine.txt" 2>&1
  for one in $(each cvt header mma wgmma); do
    fp8ref capture --impl "$one" -o "$out/captures/${one//[:,=]/_}" --timeout 120
  done
  pack captures ;;
identify)
  for one in $(each mma wgmma); do
    for length in 32 16; do timeout 130 python3 -m fp8ref identify --impl "$one" --random 20000 "dot/*;k=$length"; done
  done > "$out/identify.txt" 2>&1 ;;
exhaust)
  for format in e4m3fn e5m2; do
    for source in f32 f16; do
      fp8ref prove "convert/$source/$format/rne.sat" --impl "$impl" --jobs 8 --force -o "$out/${source}_$format.json"
    done
    for claim in convert/bf16/$format/rne.sat convert/bf16/$format/rne.nonsat; do
      fp8ref prove "$claim" --impl "$impl" --jobs 8
    done
  done ;;
random)
  for seed in 1 2; do
    for one in $(each mma wgmma); do
      timeout 110 python3 -m fp8ref check --impl "$one" --level 3 --seed $seed --jobs 8 'dot/*' --force \
        -o "$out/${one//[:,=]/_}_$seed.jsonl" | tail -40
    done
  done
  mkdir "$out/runs" && mv "$out"/*.jsonl "$out"/*.meta.json "$out/runs" && pack runs ;;
scaled)
  for one in torch,device=cuda torch,device=cuda,product=scaled_mm_fast torch,device=cuda,product=addmm triton,device=cuda; do
    if [ "$impl" != cuda ]; then one=$impl; fi
    fp8ref capture --impl "$one" -o "$out/captures/${one//[:,=]/_}" --timeout 120 'dot/*' 'convert/*' 'decode/*'
    fp8ref check --impl "$one" --timeout 120 --force -o "$out/${one//[:,=]/_}.jsonl" | tail -60
  done > "$out/scaled.txt" 2>&1
  pack captures ;;
*) echo "unknown stage $stage" >&2; exit 4 ;;
esac
