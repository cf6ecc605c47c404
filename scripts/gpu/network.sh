# shellcheck shell=bash
# The checks of the real network in $precision on $flavour. Sourced by scripts/gpu-acceptance.

real_network_checks() {
    real_model=$engines/$precision.engine
    check "$title, $precision: the network converts, and its graph predicts the same" converts_real
    if [[ ! -e $real_model ]]; then
        skip "$title, $precision: all other checks" 'there is no engine'
        return
    fi
    check "$title, $precision: the engine predicts the same on this GPU" predicts_the_same
    if [[ ! -e $engines/$precision.runs ]]; then
        skip "$title, $precision: all other checks" 'the engine is not to be used'
        return
    fi
    check "$title, $precision: CUDA graphs are captured" captures "$work/avatar" "$real_model"
    check "$title, $precision: the same frames whatever the lanes, with and without graphs" same_frames
    real_figures
}

# What both runtimes are asked for, composited on the CPU and, where that is possible, on the GPU.
real_figures() {
    check "$title, $precision: figures" figures "$title, $precision" "${runtime[@]}" \
        --model "$real_model" --compositor cpu
    [[ -e $engines/composites ]] || return 0
    check "$title, $precision: the same frames composited on the GPU" same_composited
    check "$title, $precision: compositing on the GPU costs what it may" composites_cheaply
    check "$title, $precision: --compositor auto measures both" measures_both
    check "$title, $precision: figures, composited on the GPU" \
        figures "$title, $precision, composited on the GPU" "${runtime[@]}" --model "$real_model" \
        "${on_gpu[@]}"
}

converts_real() {
    local verify=(--verify-graph) verified seconds
    [[ -s $right ]] || verify=()
    convert "$work/avatar/checkpoint/model_best.onnx" -o "$real_model" --precision "$precision" \
        "${verify[@]}"
    verified=$(said verified)
    seconds=$(measured "; built in $(said wrote | sed 's/.* in //')")
    remark "${verified:-not compared, without ONNX Runtime}$seconds"
}

predicts_the_same() {
    render "$work/avatar" -o null --model "$real_model" --frames 8
    : >"$engines/$precision.runs"
    if says 'the engine was not compared'; then not_run "$(said warning:)"; fi
    is_recorded "$real_model"
    remark "$(said verified)"
}

same_composited() {
    local batch count=0
    for batch in "${avatar_batches[@]}"; do
        render "$work/avatar" -o "raw:$work/first.raw" --model "$real_model" --batch "$batch" \
            --frames "$avatar_frames"
        render "$work/avatar" -o "raw:$frames" --model "$real_model" --batch "$batch" \
            --frames "$avatar_frames" "${on_gpu[@]}"
        same "$work/first.raw" "$avatar_frame" "--batch $batch"
        count=$((count + 1))
    done
    rm -f "$work/first.raw" "$frames"
    all_same $count
}

# Kernels may differ between batch sizes, and with them the last bits; within one nothing may.
same_frames() {
    local batch lane graph first=$work/first.raw count=0
    for batch in "${avatar_batches[@]}"; do
        rm -f "$first"
        for lane in "${lanes[@]}"; do
            for graph in "${graphs[@]}"; do
                render "$work/avatar" -o "raw:$frames" --model "$real_model" --batch "$batch" \
                    --lanes "$lane" --frames "$avatar_frames" ${graph:+"$graph"}
                count=$((count + 1))
                if [[ ! -e $first ]]; then
                    mv "$frames" "$first"
                    continue
                fi
                same "$first" "$avatar_frame" "--batch $batch --lanes $lane${graph:+ $graph}"
            done
        done
    done
    rm -f "$first" "$frames"
    all_same $count
}
