# shellcheck shell=bash
# Running engine-cli, and comparing what it renders. Sourced by scripts/gpu-acceptance.

# engine ARGUMENTS...: runs engine-cli. What it says is in the file $answer, and in the transcript.
engine() {
    local status=0
    printf '$ engine-cli %s\n' "$*" >>"$work/transcript"
    timeout --foreground --kill-after=30 "$limit" "$engine_cli" "$@" >"$answer" 2>&1 || status=$?
    keep_answer $status
    return $status
}

answer=$work/answer

keep_answer() {
    {
        cat "$answer"
        printf '[ended with %s]\n' "$1"
    } >>"$work/transcript"
    printf '%s' "$1" >"$work/status"
}

# said WORD: what engine-cli said behind it, in the last line that begins with it.
said() { sed -n "s/^$1  *//p" "$answer" | tail -n 1; }

says() { grep -Eq -- "$1" "$answer"; }

# The error of the last command with its causes, in one line.
error() {
    local words
    words=$(sed -n 's/^error: //p; s/^  cause: /: /p' "$answer" | paste -sd' ')
    if [[ -z $words ]]; then
        words="engine-cli ended with $(<"$work/status"); it last said: $(tail -n 1 "$answer")"
    fi
    printf '%s' "$words"
}

# The command has to succeed.
succeeds() { engine "$@" || failed "$(error)"; }

# refuses PATTERN ARGUMENTS...: the command has to end with an error that has the pattern.
refuses() {
    local pattern=$1
    shift
    if engine "$@"; then failed "engine-cli $1 succeeds; expected an error with \"$pattern\""; fi
    [[ $(<"$work/status") == 1 ]] || failed "$(error)"
    [[ $(error) =~ $pattern ]] || failed "expected an error with \"$pattern\", got: $(error)"
}

# With the flavour, and with the runtime, whose turn it is.
convert() { succeeds convert-engine "$@" --flavour "$flavour"; }
render() { succeeds render "$@" "${runtime[@]}"; }

# The files that the checks use.
probe_network=$work/probe/checkpoint/model_best.onnx
right=$work/right.raw
frames=$work/frames.raw

needs_reference() {
    [[ -s $right ]] || not_run 'there are no frames of ONNX Runtime to compare with'
}

# difference EXPECTED FOUND BYTES: where two files of frames of so many bytes differ; nothing where
# they do not.
difference() {
    local words expected found
    words=$(cmp -- "$1" "$2" 2>&1) && return
    expected=$(stat -c %s "$1") found=$(stat -c %s "$2")
    if ((expected != found)); then
        printf '%d frames instead of %d' $((found / $3)) $((expected / $3))
    elif [[ $words =~ (byte|char)\ ([0-9]+) ]]; then
        printf 'frame %d is the first that differs' $(((BASH_REMATCH[2] - 1) / $3))
    else
        printf '%s' "$words"
    fi
}

# same EXPECTED BYTES SETTING: notes it in `wrong` where the frames are others than expected.
wrong=()
same() {
    local found
    found=$(difference "$1" "$frames" "$2")
    if [[ $found ]]; then wrong+=("$3: $found"); fi
}

# all_same COUNT: fails where one of so many renders was wrong, and says which.
all_same() {
    local list
    if ((${#wrong[@]})); then
        printf -v list '; %s' "${wrong[@]}"
        failed "${#wrong[@]} of $1 renders differ: ${list#; }"
    fi
    if (($1 > 1)); then remark "$1 renders"; fi
}

# start COMMAND...: in the background, with its answer in $answer. Job control gives it the Ctrl-C that
# background commands of scripts ignore.
start() {
    printf '$ %s\n' "$*" >>"$work/transcript"
    set -m
    "$@" >"$answer" 2>&1 &
    pid=$!
    set +m
    trap 'kill -KILL $pid 2>/dev/null' EXIT
}

# Waits until something holds; gives up when the program has ended, or after five minutes.
wait_until() {
    local _
    for _ in $(seq 6000); do
        if "$@"; then return 0; fi
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# Sends Ctrl-C and waits; the exit status is in the file `status`.
interrupt() {
    local status=0 _
    kill -INT "$pid" 2>/dev/null || true
    for _ in $(seq 6000); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    if kill -0 "$pid" 2>/dev/null; then failed 'it does not end within five minutes'; fi
    wait "$pid" || status=$?
    trap - EXIT
    keep_answer $status
}
