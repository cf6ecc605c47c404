# shellcheck shell=bash
# The checks of compositing on the GPU with what ${runtime[@]} asks for. Sourced by scripts/gpu-acceptance.

on_gpu=(--compositor cuda)

compositing_checks() {
    check "$title: the GPU composites the bytes of the CPU" composites
    if [[ ! -e $engines/composites ]]; then
        skip "$title: all other checks of compositing" 'it cannot be tried'
        return
    fi
    check "$title: the same with inputs made from the crops" composites_derived
    check "$title: memcheck while it composites" memcheck "${on_gpu[@]}"
}

# Its kernels need NVRTC, once.
composites() {
    local batch lane setting count=0
    needs_reference
    if ! engine render "$work/probe" -o null --model "$probe_model" "${runtime[@]}" "${on_gpu[@]}"; then
        if says 'no NVRTC found'; then not_run "$(error | cut -d '(' -f 1)"; fi
        failed "$(error)"
    fi
    : >"$engines/composites"
    for batch in "${batches[@]}"; do
        for lane in "${lanes[@]}"; do
            for setting in "${graphs[@]}"; do
                render "$work/probe" -o "raw:$frames" --model "$probe_model" "${on_gpu[@]}" \
                    --batch "$batch" --lanes "$lane" ${setting:+"$setting"}
                same "$right" "$probe_frame" "--batch $batch --lanes $lane${setting:+ $setting}"
                count=$((count + 1))
            done
        done
        # Frames leave the GPU and come again.
        render "$work/probe" -o "raw:$frames" --model "$probe_model" "${on_gpu[@]}" \
            --batch "$batch" --lanes 2 --region-budget "$small_budget"
        says 'regions  *room for [0-9]* of' || failed 'it does not say how many frames there is room for'
        same "$right" "$probe_frame" "--batch $batch --region-budget $small_budget"
        count=$((count + 1))
    done
    all_same $count
}

composites_derived() {
    local derived=$work/derived.raw
    needs_reference
    succeeds render "$work/probe" -o "raw:$derived" --backend onnxruntime --provider cpu --inputs derived
    render "$work/probe" -o "raw:$frames" --model "$probe_model" "${on_gpu[@]}" --inputs derived
    same "$derived" "$probe_frame" '--inputs derived'
    rm "$derived"
    all_same 1
}

# What it costs at a batch of 8, against what it may.
composites_cheaply() {
    local assemble composite up down
    succeeds bench --package "$work/avatar" --model "$real_model" "${runtime[@]}" "${on_gpu[@]}" \
        --batch 8 --workers 4 --frames "$cheap_frames" --json "$work/bench.json"
    read -r assemble composite up down < <(awk '
        function value(line) { sub(/^[^:]*: /, "", line); gsub(/[",]/, "", line); return line }
        /"(assemble|composite|up|down)": \{/ { part = $1; gsub(/[":]/, "", part) }
        /"p50":/ && part { p50[part] = value($0) }
        /}/ { part = "" }
        END { print 1e3 * p50["assemble"], 1e3 * p50["composite"], p50["up"], p50["down"] }
    ' "$work/bench.json")
    remark "$(measured "assembly $assemble us, compositing $composite us, $up kB up and $down kB down a frame")"
    if awk "BEGIN { exit !($up + $down > 200) }"; then failed "$up kB up and $down kB down a frame"; fi
    # The stand-ins have no speed.
    [[ ! $rehearse ]] || return 0
    if awk "BEGIN { exit !($assemble > 20 || $composite > 20) }"; then
        failed "assembly takes $assemble us a frame, compositing $composite us; expected 20 at most"
    fi
}

measures_both() {
    succeeds bench --package "$work/avatar" --model "$real_model" "${runtime[@]}" --batch 8 \
        --frames "$cheap_frames"
    if says 'other frames than the CPU'; then failed "$(grep 'other frames than the CPU' "$answer")"; fi
    says '^measured  ' || failed 'it does not say what it measured'
    remark "$(measured "$(said measured)")"
}
