#!/usr/bin/env bash
# Run the GPU measurements stage by stage. Each stage has a time limit; a failing stage does not stop the others.
#
#     bash benchmarks/on_gpu.sh OUT STAGE...        stages: check input step pilots recipes explain
#
# Needs torch, NumPy, OpenCV, scikit-learn, matplotlib, pandas, pandera and pydantic, and posescope installed: not Kedro.
#
# PACKED                      of pilots and recipes: a file of `pack_crops.py`
# EPOCHS NETWORK BATCH        of recipes, and RECIPES, PILOTS: see `recipes.py`
# BATCHES VARIANTS            of step: see `training.py`
# TESTS                       of check: which tests (pytest -k)
# INPUT                       of input: more arguments (--compile needs an INPUT_LIMIT of 200)
# CHECK_LIMIT INPUT_LIMIT STEP_LIMIT PILOTS_LIMIT RECIPES_LIMIT    seconds
# LINES_SHOWN                 lines of each log on the screen; the whole log is in OUT
set -u
out=$1
shift
mkdir -p "$out"
data=${TMPDIR:-/tmp}/packed_crops
here=$(dirname "$0")

stage() {
    local limit=$1 name=$2
    shift 2
    local started=$SECONDS
    echo "== $name"
    timeout "$limit" "$@" >"$out/$name.log" 2>&1
    echo "== $name: exit code $?, $((SECONDS - started)) s"
    tail -n "${LINES_SHOWN:-25}" "$out/$name.log" | cut -c1-400
}

unpack() { [ -d "$data" ] || { python3 "$here/pack_crops.py" unpack "$PACKED" "$data.part" && mv "$data.part" "$data"; } | tail -1; }

for name in "$@"; do
    case $name in
        check) stage "${CHECK_LIMIT:-240}" check python3 -m pytest -q --tb=line -p no:cacheprovider -o addopts= --import-mode=importlib --durations=5 -k "${TESTS:-test}" \
            "$here/../tests/training/test_gpu_training.py" "$here/../tests/explainability/clustering/test_kmeans.py" ;;
        input) stage "${INPUT_LIMIT:-90}" input python3 "$here/input_pipeline.py" --rounds 0 --persons 640 --steps 3 ${INPUT:-} ;;
        step) stage "${STEP_LIMIT:-170}" step python3 "$here/training.py" --rounds 3 --batch ${BATCHES:-64 128} \
            --variants ${VARIANTS:-tf32_channels_last bf16_channels_last graphed compiled residuals} ;;
        pilots) unpack; stage "${PILOTS_LIMIT:-60}" pilots python3 "$here/recipes.py" --data "$data" --network coco --epochs 4 \
            --recipes "${PILOTS:-bf16 at 0.004, sigma 2, foreground weight 40;bf16 at 0.004, sigma 2, foreground weight 100;bf16 at 0.004, sigma 3, foreground weight 40}" ;;
        recipes) unpack; stage "${RECIPES_LIMIT:-400}" recipes python3 "$here/recipes.py" --data "$data" --network "${NETWORK:-coco}" \
            --epochs "${EPOCHS:-50}" --batch-size "${BATCH:-32}" --recipes "${RECIPES:-on a GPU;thesis_final recorded}" --out "$out/curves" ;;
        explain) stage 60 explain python3 "$here/explain.py" --device cuda ;;
        *) echo "unknown stage $name" ;;
    esac
done
