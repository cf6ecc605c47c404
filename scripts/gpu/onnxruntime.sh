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
    title='ONNX Runtime on CUDA' precision=fp32
    runtime=(--backend onnxruntime --provider cuda)
    graphs=('')
    engines=$work/onnxruntime-cuda
    mkdir "$engines"
    probe_model=$probe_network
    real_model=$work/avatar/checkpoint/model_best.onnx
    check "$title: opens" cuda_opens
    [[ -e $engines/opens ]] || return 0
    check "$title: bytes of the CPU, all batches and lanes" exact_bytes
    check "$title: the same where batches of other sizes come" changing_shapes
    compositing_checks
    check "$title, $precision: the same frames whatever the lanes" same_frames
    real_figures
    check "$title: memcheck" memcheck
    soaked=$real_model
    check "$title: memory does not grow" memory
}

cuda_opens() {
    if engine render "$work/probe" -o null "${runtime[@]}"; then
        : >"$engines/opens"
    elif says 'providers_cuda.so is missing|no ONNX Runtime library found'; then
        not_run "$(error)"
    else
        failed "$(error)"
    fi
}
