#!/usr/bin/env bash
# One stage of a device session:  run.sh STAGE FOLDER [SECONDS]
#   machine   what the machine is: driver, CUDA, packages
#   units     captures of every instruction, probes first; the layouts are proved on the way
#   random    10^6 drawn products of every matrix instruction and 10^5 of every class, kept by the block
#   shapes    torch._scaled_mm in every recipe at 20 shapes, tiles of the results
#   exhaust   every float32, float16 and bfloat16 through cvt and the header, with certificates
#   identify  which accumulator each unit has, found without prior knowledge
#   library   torch's and Triton's casts and dot products as captures
#   speed     how long a check of a million cases takes
# A stage that was cut off goes on with the same command.  A rehearsal without a device:
#   UNDER_TEST=py:simulated:SimulatedHopper DEVICE=cpu LARGEST=64 SHARE=0.01 PYTHONPATH=tests/adapters/cuda run.sh STAGE FOLDER
set -u
stage=$1 out=$2 seconds=${3:-500}
here=$(cd "$(dirname "$0")" && pwd)
unit=${UNDER_TEST:-py:fp8ref.adapters.cuda.device:Cuda} device=${DEVICE:-cuda} jobs=${JOBS:-8}
export PYTHONPATH="$(cd "$here/../../.." && pwd)${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
if [ -z "${CUDA_HOME:-}" ] && command -v nvcc > /dev/null; then  # the headers
  CUDA_HOME=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")
  export CUDA_HOME
fi
mkdir -p "$out"
end=$((SECONDS + seconds))
within() { local left=$((end - SECONDS)); ((left > 2)) && timeout -k 5 "$left" "$@"; }   # a command, in the time left
fp8ref() { within python3 -m fp8ref "$@"; }

case $stage in
machine)
  { date -u; nvidia-smi; nvidia-smi -q; nvcc --version; python3 -V; python3 -m pip list; } > "$out/machine.txt" 2>&1 ;;
units)
  for one in mma wgmma cvt header; do
    fp8ref capture --impl "$unit,unit=$one" -o "$out/$one" --timeout 120
  done ;;
random)
  for one in wgmma mma; do
    for operands in "e4m3fn" "e5m2" "*f16"; do  # side by side: most of the time goes into drawing and laying out
      within python3 "$here/ask_dots.py" --impl "$unit,unit=$one" -o "$out/$one" --share "${SHARE:-1}" \
        --seconds $((seconds - 15)) "dot/$operands.${ONLY:-*}" &
    done
  done
  wait ;;
shapes)
  within python3 "$here/ask_shapes.py" -o "$out/shapes.blocks" --device "$device" --largest "${LARGEST:-4096}" \
    --seconds $((seconds - 15)) ;;
exhaust)
  for claim in f32/e4m3fn f32/e5m2 f16/e4m3fn f16/e5m2; do
    for key in '' ';negative=zero'; do
      file="$out/${claim//\//_}${key:+_relu}.json"
      if [ -n "${QUICK:-}" ] && [ "${claim%%/*}" = f32 ]; then continue; fi
      [ -e "$file" ] || fp8ref prove "convert/$claim/rne.sat$key" --impl "$unit,unit=cvt" --jobs "$jobs" -o "$file"
    done
  done 2>&1 | tee -a "$out/exhaust.txt"
  for claim in bf16/e4m3fn/rne.sat bf16/e4m3fn/rne.nonsat bf16/e5m2/rne.sat bf16/e5m2/rne.nonsat; do
    fp8ref prove "convert/$claim" --impl "$unit,unit=header" --jobs "$jobs"
  done 2>&1 | tee -a "$out/exhaust.txt" ;;
identify)
  for one in wgmma mma; do
    for length in 32 16; do fp8ref identify --impl "$unit,unit=$one" --random "${RANDOM_CASES:-20000}" "dot/*;k=$length"; done
  done 2>&1 | tee "$out/identify.txt" ;;
library)
  for one in torch:Torch torch:Torch,product=scaled_mm_fast torch:Torch,product=addmm triton:Triton; do
    name="py:fp8ref.adapters.${one%%,*}" options=${one#"${one%%,*}"}
    for wanted in 'dot/*' '*/*/e4m3fn*' '*/*/e5m2/*' 'decode/e?m?*'; do
      fp8ref capture --impl "$name,device=$device$options" -o "$out/$(tr ':,=' '___' <<< "$one")" --timeout 120 "$wanted"
    done
  done ;;
speed)
  for claim in 'convert/f32/e4m3fn/rne.sat' 'dot/e4m3fn.e4m3fn/f32/*;k=32'; do
    name="$out/speed_${claim%%/*}"
    fp8ref check --impl "$unit,unit=$([ "${claim%%/*}" = dot ] && echo wgmma || echo cvt)" --level 2 --force \
      -o "$name.jsonl" "$claim" | tail -20
  done ;;
*) echo "unknown stage $stage" >&2; exit 4 ;;
esac
