# shellcheck shell=bash
# ONNX Runtime: what is compared with, and the checks on the GPU. Sourced by scripts/gpu-acceptance.

reference() {
    if ! engine render "$work/probe" -o "raw:$right" --backend onnxruntime --provider cpu; then
        rm -f "$right"
        if says 'no ONNX Runtime library found'; then not_run "$(error)"; fi
        failed "$(error)"
    fi
}

onnxruntime_checks() {
    check 'onnxruntime --provider cuda: opens' cuda_opens
    [[ -e $work/cuda ]] || return 0
    check 'onnxruntime --provider cuda: bytes of the CPU, all batches' cuda_bytes
    check 'onnxruntime --provider cuda: figures' figures 'ONNX Runtime, CUDA, fp32' \
        --backend onnxruntime --provider cuda
}

cuda_opens() {
    if engine render "$work/probe" -o null --backend onnxruntime --provider cuda; then
        : >"$work/cuda"
    elif says 'providers_cuda.so is missing|no ONNX Runtime library found'; then
        not_run "$(error)"
    else
        failed "$(error)"
    fi
}

cuda_bytes() {
    local batch
    needs_reference
    for batch in "${batches[@]}"; do
        succeeds render "$work/probe" -o "raw:$frames" --backend onnxruntime --provider cuda \
            --batch "$batch"
        same "$right" "$probe_frame" "--batch $batch"
    done
    all_same ${#batches[@]}
}
