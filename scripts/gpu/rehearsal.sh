# shellcheck shell=bash
# What stands in for a GPU in a rehearsal. Sourced by scripts/gpu-acceptance.

# Has ONNX Runtime, where there is one, compute on the stand-in for a GPU, too.
onnxruntime_on_stand_ins() {
    local real
    real=$(found_onnxruntime)
    if [[ $real ]]; then
        export ENGINE_DOUBLES_ONNXRUNTIME=$real ORT_DYLIB_PATH=$1/libonnxruntime.so
    fi
}

# Puts the stand-ins where engine-cli finds NVIDIA's libraries, and programs that answer as NVIDIA's.
stand_ins() {
    local found name folder bin=$work/bin
    # As part of the whole workspace, which the tests have built already.
    cargo build --quiet --workspace --example where
    found=$("${CARGO_TARGET_DIR:-target}/debug/examples/where")
    folders=()
    while IFS='=' read -r name folder; do
        case $name in
            cuda) export LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} ;;
            onnxruntime) onnxruntime_on_stand_ins "$folder" ;;
            *) folders[$name]=$folder ;;
        esac
    done <<<"$found"
    # For a flavour without a stand-in: NVIDIA's own would crash on a driver that is none.
    usual_folder=$work/none
    export TENSORRT_LIB_DIR=$usual_folder
    mkdir "$usual_folder" "$bin"
    # A conversion that is to be interrupted has to last.
    slow_build=(env ENGINE_DOUBLES_BUILD_STEPS=600000)

    cat >"$bin/nvidia-smi" <<'END'
#!/bin/sh
case "$*" in
    *-L*) echo 'GPU 0: Engine Double (UUID: GPU-none)' ;;
    *query-gpu=name*) echo 'Engine Double, 0.0, 9.0, 0' ;;
    *query-gpu=compute_cap*) echo '9.0' ;;
    *query-gpu=memory.used*) echo '0' ;;
esac
END
    cat >"$bin/compute-sanitizer" <<'END'
#!/bin/sh
shift 2
"$@"
status=$?
echo '========= ERROR SUMMARY: 0 errors'
exit $status
END
    chmod +x "$bin/nvidia-smi" "$bin/compute-sanitizer"
    export PATH=$bin:$PATH
}
