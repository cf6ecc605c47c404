# shellcheck shell=bash
# The machine, and what is measured on it. Sourced by scripts/gpu-acceptance.

# What nvidia-smi says of the GPU; nothing where it does not.
smi() {
    local visible=${CUDA_VISIBLE_DEVICES:-0}
    nvidia-smi -i "${visible%%,*}" --format=csv,noheader,nounits "$@" 2>/dev/null || true
}

# ONNX Runtime's library as engine-cli finds it; nothing where it finds none.
found_onnxruntime() {
    "$engine_cli" doctor >"$work/doctor" 2>&1 || true
    sed -n 's|^ok  *ONNX Runtime  *[^/]*\(/.*\)|\1|p' "$work/doctor"
}

# The GPU's name as engine-cli sees it.
find_gpu() {
    onnxruntime=$(found_onnxruntime)
    gpu=$(sed -n 's/.*GPU 0: \([^,;]*\).*/\1/p' "$work/doctor" | head -n 1)
    if [[ -z $gpu ]]; then
        cat "$work/doctor" >&2
        fail 'engine-cli doctor lists no GPU; --rehearse needs none'
    fi
    find_facts
}

# Major and minor, such as 8.9; nothing where nobody says.
compute_capability() {
    local said
    said=$(smi --query-gpu=compute_cap)
    [[ $said =~ ^[0-9]+\.[0-9]+$ ]] ||
        said=$(sed -n 's/.*GPU 0: .*compute capability \([0-9.]*\).*/\1/p' "$work/doctor" | head -n 1)
    printf '%s' "$said"
}

# What the figures depend on, a line each.
facts() {
    printf '%s\n' "$facts"
    # TensorRT as it names itself when it is first used.
    if [[ -s $work/backends ]]; then sed 's/^/- /' "$work/backends"; fi
}

# Finds out what facts prints.
find_facts() {
    local library=$onnxruntime card
    if [[ $library ]]; then
        # The version of its symbols is its own; a stand-in has none.
        library="$(grep -aom1 'VERS_[0-9.]*' "$library" | sed 's/VERS_//' || true), $library"
    fi
    card=$(smi --query-gpu=name,driver_version,compute_cap,memory.total)
    facts="- $(date +%F), \`$command_line\`
- \`engine-cli\`: $program
- GPU, driver, compute capability, MiB: ${card:-nvidia-smi does not say}
- ONNX Runtime: ${library:-none}"
}

figures_preface() {
    if [[ $rehearse ]]; then
        printf 'Digits are left out.\n\n'
        return
    fi
    printf 'The sample package: 100 frames of 1280x720 and the real architecture at side 320. Efficiency'
    printf ' is frames/s against the slowest stage measured alone.\n\n'
}

doctor_lists_gpu() {
    succeeds doctor
    if says '^missing +(CUDA driver|GPUs) '; then
        failed "$(grep -E '^missing +(CUDA driver|GPUs) ' "$answer" | paste -sd' ')"
    fi
    remark "$gpu"
}

# Text that says what was measured; nothing in a rehearsal.
measured() { if [[ ! $rehearse ]]; then printf '%s' "$*"; fi; }

# figures HEADING OPTIONS...: measures the real network.
figures() {
    local heading=$1 command
    shift
    command=(bench --package "$work/avatar" "$@" "${bench[@]}" --sink null)
    succeeds "${command[@]}" --markdown "$work/bench.md" --json "$work/bench.json"
    {
        printf '### %s\n\n`engine-cli %s`\n\n' "$heading" "${command[*]}" | sed "s|$work/||g"
        figures_table
    } >>"$work/figures.md"
    remark "$(measured "$(said 'best:')")"
}

# The tables of the last measurement; with marks in place of digits in a rehearsal.
figures_table() {
    {
        cat "$work/bench.md"
        printf '\n'
        device_table <"$work/bench.json"
        printf '\n'
    } | if [[ $rehearse ]]; then sed 's/[0-9]/#/g'; else cat; fi
}

# What the device says of each run in the JSON of `engine-cli bench`, and what was the limit.
device_table() {
    printf '| configuration | upload p50 ms | compute p50 ms | assemble / network / composite | download'
    printf ' p50 ms | kB up / down a frame | slowest stage alone | peak memory MiB |\n'
    printf '|---|---|---|---|---|---|---|---|\n'
    awk '
        function value(line) { sub(/^[^:]*: /, "", line); gsub(/[",]/, "", line); return line }
        function ms(line) { return value(line) == "null" ? "-" : sprintf("%.3f", value(line)) }
        /"runs": \[/ { runs = 1 }
        !runs { next }
        /"mode":/ { mode = value($0) == "sequential" ? " (sequential)" : "" }
        /"batch":/ { batch = value($0); split("", p50) }
        /"workers":/ { workers = value($0) }
        /"(upload|compute|assemble|network|composite|download|up|down)": \{/ {
            part = $1
            gsub(/[":]/, "", part)
        }
        /"p50":/ && part { p50[part] = ms($0) }
        /}/ { part = "" }
        function of(name) { return name in p50 ? p50[name] : "-" }
        /"bound_by":/ { bound = value($0) }
        /"peak_rss_mb":/ {
            printf "| batch %s, workers %s%s | %s | %s | %s / %s / %s | %s | %.0f / %.0f | %s | %.0f |\n",
                batch, workers, mode, of("upload"), of("compute"), of("assemble"), of("network"),
                of("composite"), of("download"), of("up"), of("down"), bound, value($0)
        }
    '
}
