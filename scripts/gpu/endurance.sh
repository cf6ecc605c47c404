# shellcheck shell=bash
# The checks of Ctrl-C, and of memory, with what ${runtime[@]} asks for. Sourced by scripts/gpu-acceptance.

# Put before a conversion that is to be interrupted.
slow_build=()

# long_features PACKAGE TIMES FILE: the package's feature rows so many times.
long_features() {
    local rows bytes=2048 data=$work/rows
    rows=$((($(stat -c %s "$1/aud_ave.npy") - 128) / bytes))
    tail -c $((rows * bytes)) "$1/aud_ave.npy" >"$data"
    {
        # Version 1.0, 118 bytes of text that end in a line's end.
        printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' \
            "{'descr': '<f4', 'fortran_order': False, 'shape': ($((rows * $2)), 512), }"
        for _ in $(seq "$2"); do cat "$data"; done
    } >"$3"
}

interrupted_render() {
    local out=$work/interrupted count name
    rm -rf "$out"
    long_features "$work/probe" 100 "$work/long.npy"
    start "$engine_cli" render "$work/probe" -o "$out" --model "$probe_model" "${runtime[@]}" \
        --features "$work/long.npy"
    wait_until test -e "$out/frame_00020.png" || failed "no frames come: $(tail -n 1 "$answer")"
    interrupt
    rm "$work/long.npy"
    [[ $(<"$work/status") != 0 ]] || not_run 'the render was done too soon to be interrupted'
    [[ $(<"$work/status") == 130 ]] || failed "$(error)"
    count=$(find "$out" -mindepth 1 | wc -l)
    says "^rendered  *$count of [0-9]+ frames" ||
        failed "it says $(said rendered), but there are $count files"
    for name in $(seq -f "$out/frame_%05.0f.png" 0 $((count - 1))); do
        # The end of every PNG file.
        [[ $(tail -c 8 "$name" 2>&1 | od -An -tx1) == ' 49 45 4e 44 ae 42 60 82' ]] ||
            failed "$(basename "$name") is not whole"
    done
    rm -rf "$out"
}

interrupted_conversion() {
    local folder=$work/interrupted left network=$work/avatar/checkpoint/model_best.onnx
    rm -rf "$folder"
    mkdir "$folder"
    start "${slow_build[@]}" "$engine_cli" convert-engine "$network" -o "$folder/m.engine" \
        --flavour "$flavour"
    wait_until test -e "$folder/m.engine.log" || failed "it does not begin: $(tail -n 1 "$answer")"
    sleep 0.2
    interrupt
    [[ $(<"$work/status") != 0 ]] || not_run 'the conversion was done too soon to be interrupted'
    [[ $(<"$work/status") == 130 ]] || failed "$(error)"
    left=$(find "$folder" -mindepth 1 ! -name '*.log' -printf '%f ')
    [[ -z $left ]] || failed "it leaves $left"
}

# memcheck OPTIONS...: of a render.
memcheck() {
    local command=(compute-sanitizer --tool memcheck "$engine_cli" render "$work/probe" -o null
        --model "$probe_model" --frames 24 "${runtime[@]}" "$@")
    command -v compute-sanitizer >/dev/null ||
        not_run 'compute-sanitizer, which comes with the CUDA toolkit, is not on PATH'
    printf '$ %s\n' "${command[*]}" >>"$work/transcript"
    timeout --foreground --kill-after=30 "$limit" "${command[@]}" >"$answer" 2>&1 || true
    keep_answer '?'
    says '^rendered  *24 of 24 frames' || failed "$(error)"
    says 'ERROR SUMMARY: 0 errors' ||
        failed "$(grep 'ERROR SUMMARY' "$answer" || printf 'it gives no summary')"
}

# MiB on the GPU: of the program where nvidia-smi tells programs apart, else of all; - where it does not
# say.
device_memory() {
    local used
    used=$(smi --query-compute-apps=pid,used_memory | sed -n "s/^$pid, *//p")
    [[ $used =~ ^[0-9]+$ ]] || used=$(smi --query-gpu=memory.used)
    [[ $used =~ ^[0-9]+$ ]] || used=-
    printf '%s' "$used"
}

# Of a long render of the network $soaked.
memory() {
    local resident samples=$work/samples end=$((SECONDS + limit))
    long_features "$work/avatar" "$soak_times" "$work/long.npy"
    start "$engine_cli" render "$work/avatar" -o null --model "$soaked" "${runtime[@]}" \
        --features "$work/long.npy"
    # Before that it loads.
    wait_until says '^threads ' || failed "$(error)"
    while resident=$(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status" 2>/dev/null) &&
        [[ $resident ]] && ((SECONDS < end)); do
        printf '%d %s\n' $((resident / 1024)) "$(device_memory)"
        sleep "$sample_every"
    done >"$samples"
    interrupt
    [[ $(<"$work/status") == 0 ]] || failed "$(error)"
    rm "$work/long.npy"
    judge_memory "$samples"
}

# The most in the last third of the samples against the most in the third before; in the first one all
# lanes get their graphs.
judge_memory() {
    local count host device grown
    count=$(wc -l <"$1")
    ((count >= 6)) || not_run "it was over after $count samples"
    read -r host device < <(awk -v n="$count" '
        NR > n / 3 && NR <= 2 * n / 3 { if ($1 > a) a = $1; if ($2 > b) b = $2 }
        NR > 2 * n / 3 { if ($1 > c) c = $1; if ($2 > d) d = $2 }
        END { print c - a, d - b }
    ' "$1")
    grown="by $host MiB"
    if grep -q -- '-$' "$1"; then
        grown="$grown, on the GPU unknown"
    else
        grown="$grown, on the GPU by $device MiB"
    fi
    if ((host > 32 || device > 32)); then failed "it grows $grown in the last third of a render"; fi
    remark "$(measured "$grown in the last third of a render")"
}
