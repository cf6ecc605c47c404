# shellcheck shell=bash
# The checks of one flavour of TensorRT, $flavour. Sourced by scripts/gpu-acceptance.

tensorrt_checks() {
    local precision
    runtime=(--backend tensorrt --flavour "$flavour")
    graphs=('' --no-graphs)
    engines=$work/engines-$flavour
    mkdir "$engines"
    probe_model=$engines/probe.engine
    check "$title: convert-engine makes an engine of the probe network" converts
    [[ -e $probe_model ]] || return 0
    check "$title: doctor calls it usable" doctor_lists_flavour
    check "$title: the engine loads, is compared with its network, and only once" loads
    if [[ ! -e $engines/loads ]]; then
        skip "$title: all other checks" 'the engine does not load'
        return
    fi
    check "$title: CUDA graphs are captured" captures "$work/probe" "$probe_model"
    check "$title: bytes of ONNX Runtime, all batches, lanes, with and without graphs" exact_bytes
    check "$title: the same where one context has several graphs, and shapes change" changing_shapes
    check "$title: an ONNX file is converted once, and its engine kept" from_onnx
    check "$title: --backend auto takes it" auto
    check "$title: a network with a fixed batch runs in larger ones" fixed_batch
    check "$title: two programs at one time" two_at_once
    check "$title: a hardware-compatible engine" hardware_compatible
    check "$title: a version-compatible engine runs only when trusted" version_compatible
    check "$title: a timing cache is kept" timing_cache
    check "$title: engines that do not fit are refused in clear words" misfits
    compositing_checks
    for precision in "${precisions[@]}"; do real_network_checks; done
    check "$title: Ctrl-C in a render" interrupted_render
    check "$title: Ctrl-C in a conversion" interrupted_conversion
    check "$title: memcheck" memcheck
    soaked=$probe_model
    if [[ -e $engines/fp16.runs ]]; then soaked=$engines/fp16.engine; fi
    check "$title: memory does not grow" memory
}

converts() {
    if engine convert-engine "$probe_network" -o "$probe_model" --flavour "$flavour"; then
        remark "$(said builder)"
    elif says 'no TensorRT.* found|holds no such library|built without TensorRT'; then
        # What to do about it comes behind.
        not_run "$(error | cut -d ';' -f 1)"
    else
        failed "$(error)"
    fi
}

doctor_lists_flavour() {
    local line
    succeeds doctor
    line=$(grep -E "^[a-z]+ +$title  " "$answer") || failed 'doctor has no line about it'
    remark "$line"
    [[ $line == ok* ]]
}

# NVIDIA names the compute capabilities that TensorRT-RTX is made for. Elsewhere it may work or not;
# either is worth knowing, and neither is a fault of the engine's.
rtx_is_made_for_it() {
    case $(compute_capability) in
        7.5 | 8.6 | 8.9 | 12.0 | 12.1) return 0 ;;
        *) return 1 ;;
    esac
}

loads() {
    local verified
    if ! engine render "$work/probe" -o null --model "$probe_model" "${runtime[@]}"; then
        if [[ $flavour == rtx && ! ${asked[rtx]:-} ]] && ! rtx_is_made_for_it; then
            not_run "$title is not made for compute capability $(compute_capability): $(error)"
        fi
        failed "$(error)"
    fi
    : >"$engines/loads"
    said backend >>"$work/backends"
    verified=$(said verified)
    if says 'the engine was not compared'; then not_run "it loads; $(said warning:)"; fi
    is_recorded "$probe_model"
    says 'verified  *no byte differs' || failed "$verified; the probe network is exact"
    render "$work/probe" -o null --model "$probe_model"
    if says '^verifying'; then failed 'it is compared again when it is loaded again'; fi
    remark "$verified"
}

# The engine's record has to hold the comparison on this GPU.
is_recorded() {
    sed -n '/"verified_engine"/,$p' "$1.json" | grep -q '"ran_on"' ||
        failed "$(basename "$1").json has no comparison on this GPU"
}

# captures PACKAGE ENGINE: where a capture fails, the render goes on without graphs and warns.
captures() {
    local batch
    for batch in "${batches[@]}"; do
        render "$1" -o null --model "$2" --batch "$batch" --lanes 1
        if says 'CUDA graphs are off'; then failed "$(grep 'CUDA graphs are off' "$answer")"; fi
    done
}

exact_bytes() {
    local batch lane graph count=0
    needs_reference
    for batch in "${batches[@]}"; do
        for lane in "${lanes[@]}"; do
            for graph in "${graphs[@]}"; do
                render "$work/probe" -o "raw:$frames" --model "$probe_model" --batch "$batch" \
                    --lanes "$lane" ${graph:+"$graph"}
                same "$right" "$probe_frame" "--batch $batch --lanes $lane${graph:+ $graph}"
                count=$((count + 1))
            done
        done
    done
    render "$work/probe" -o "raw:$frames" --model "$probe_model" --mode sequential
    same "$right" "$probe_frame" '--mode sequential'
    all_same $((count + 1))
}

# A batch size gets its graph the second time that it comes to a lane. `bench` runs the sizes one after
# the other, each with a short batch at the end, on the same contexts; what the last one rendered stays.
# Size 1 comes first anyway, so that its graph is used again after the shapes were others.
changing_shapes() {
    local grid lane count=0
    needs_reference
    for lane in "${shape_lanes[@]}"; do
        for grid in "${shape_grids[@]}"; do
            succeeds bench --package "$work/probe" --model "$probe_model" "${runtime[@]}" \
                --lanes "$lane" --batch "$grid" --workers 1 --frames "$probe_count" --warmup 7 \
                --repeat 3 --sink "raw:$frames"
            same "$right" "$probe_frame" "--batch $grid --lanes $lane"
            count=$((count + 1))
        done
    done
    all_same $count
}

from_onnx() {
    needs_reference
    render "$work/probe" -o "raw:$frames"
    says '^converting' || failed 'the first render does not say that it converts'
    same "$right" "$probe_frame" 'the first'
    render "$work/probe" -o "raw:$frames" --batch 16
    if says '^converting' || ! says 'made before'; then failed 'the second render converts again'; fi
    same "$right" "$probe_frame" 'the second'
    all_same 2
}

auto() {
    succeeds render "$work/probe" -o null --flavour "$flavour"
    [[ $(said backend) == "$title "* ]] || failed "it takes $(said backend)"
}

fixed_batch() {
    needs_reference
    render "$work/probe" -o "raw:$frames" --model "$work/fixed/checkpoint/model_best.onnx" --batch 8
    same "$right" "$probe_frame" '--batch 8'
    all_same 1
}

two_at_once() {
    local other=$work/other.raw pid status=0
    needs_reference
    timeout --kill-after=30 "$limit" "$engine_cli" render "$work/probe" -o "raw:$other" \
        --model "$probe_model" "${runtime[@]}" >"$work/other" 2>&1 &
    pid=$!
    render "$work/probe" -o "raw:$frames" --model "$probe_model"
    wait $pid || status=$?
    if ((status)); then failed "the other ended with $status: $(tail -n 1 "$work/other")"; fi
    same "$right" "$probe_frame" 'the first'
    mv "$other" "$frames"
    same "$right" "$probe_frame" 'the second'
    all_same 2
}

hardware_compatible() {
    needs_reference
    case $(compute_capability) in
        [1-7].*) not_run 'such engines are for compute capability 8.0 and newer' ;;
    esac
    convert "$probe_network" -o "$engines/hardware.engine" --hardware-compatible
    render "$work/probe" -o "raw:$frames" --model "$engines/hardware.engine"
    same "$right" "$probe_frame" 'it'
    all_same 1
}

version_compatible() {
    needs_reference
    [[ $flavour != rtx ]] || not_run 'TensorRT-RTX makes none'
    if ! engine convert-engine "$probe_network" -o "$engines/version.engine" --version-compatible \
        --flavour "$flavour"; then
        # Part of a whole installation only.
        if says 'libnvinfer_lean'; then not_run "$(error)"; fi
        failed "$(error)"
    fi
    refuses '--trust-engine' render "$work/probe" -o null --model "$engines/version.engine" \
        "${runtime[@]}"
    render "$work/probe" -o "raw:$frames" --model "$engines/version.engine" --trust-engine
    same "$right" "$probe_frame" 'it'
    all_same 1
}

timing_cache() {
    convert "$probe_network" -o "$engines/timed.engine" --timing-cache "$engines/timing"
    [[ -s $engines/timing ]] || failed 'the file is empty'
    convert "$probe_network" -o "$engines/timed.engine" --timing-cache "$engines/timing"
}

misfits() {
    local other=$engines/other.engine another hash
    local load=(render "$work/probe" -o null --model "$other" "${runtime[@]}")
    for another in rtx 11 10; do
        [[ $another != "$flavour" ]] || continue
        cp "$probe_model" "$other"
        sed "s/\"flavour\": \"[^\"]*\"/\"flavour\": \"$another\"/" "$probe_model.json" >"$other.json"
        refuses "built by ${titles[$another]} and $title is to run it.*make it again" "${load[@]}"
    done
    # What TensorRT does not take, with a record that says why.
    printf 'no engine' >"$other"
    hash=$(sha256sum <"$other")
    sed -e "/\"engine\": {/,/}/ s/\"sha256\": \".*\"/\"sha256\": \"${hash%% *}\"/" \
        -e '/"engine": {/,/}/ s/"bytes": .*/"bytes": 9/' \
        -e 's/"library": ".*"/"library": "1.0.0"/' \
        -e '/"compute_capability": \[/ { n; s/[0-9][0-9]*/1/ }' "$probe_model.json" >"$other.json"
    refuses 'does not fit this machine: it was built by version 1\.0\.0.*make it again' "${load[@]}"
    # Engines of TensorRT-RTX are for no particular GPU.
    if [[ $flavour != rtx ]]; then
        [[ $(error) == *'compute capability 1.'* ]] || failed "no other GPU is named: $(error)"
    fi
    rm "$other.json"
    refuses 'no TensorRT here runs it' "${load[@]}"
    head -c "$(($(stat -c %s "$probe_model") / 2))" "$probe_model" >"$other"
    refuses 'no TensorRT here runs it' "${load[@]}"
    refuses 'no GPU 63' "${load[@]}" --device 63
}
