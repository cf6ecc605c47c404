# shellcheck shell=bash
# The table of checks, on the terminal and in the file of results. Sourced by scripts/gpu-acceptance.

passed=0 failed=0 skipped=0 state='not finished'
not_run_status=77

# check NAME COMMAND...: one line of the table. The command runs in a subshell and ends with 0 for a
# pass, through `not_run`, or with anything else for FAIL.
check() {
    local name=$1 status
    shift
    : >"$work/remark"
    : >"$work/transcript"
    [[ ! -t 1 ]] || printf 'running   %s\r' "$name"
    # Not as a condition, since nothing inside one ends at an error.
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    case $status in
        0) line pass "$name" ;;
        "$not_run_status") line 'not run' "$name" ;;
        *)
            [[ -s $work/remark ]] || remark "the check ended with status $status"
            keep_failure "$name"
            line FAIL "$name"
            ;;
    esac
}

# skip NAME REASON: a line for what is not even tried.
skip() {
    remark "$2"
    line 'not run' "$1"
}

# For checks: what to say beside the result, in place of what was said before.
remark() { printf '%s\n' "$*" >"$work/remark"; }

# For checks: it cannot be run here.
not_run() {
    remark "$*"
    exit "$not_run_status"
}

# For checks: it failed.
failed() {
    remark "$*"
    exit 1
}

# line RESULT NAME: prints a line of the table with the remark, and keeps it.
line() {
    local text
    text=$(<"$work/remark")
    text=${text//"$work/"/}
    case $1 in
        pass) passed=$((passed + 1)) ;;
        FAIL) failed=$((failed + 1)) ;;
        *) skipped=$((skipped + 1)) ;;
    esac
    [[ ! -t 1 ]] || printf '\e[K'
    printf '%-7s  %s%s\n' "$1" "$2" "${text:+: $text}"
    printf '| %s | %s | %s |\n' "$1" "$2" "${text//|/\\|}" >>"$work/checks.md"
    write_report
}

# Keeps what a failed check ran and was told.
keep_failure() {
    {
        printf '### %s\n\n```text\n' "$1"
        tail -n 60 "$work/transcript"
        printf '```\n\n'
    } | sed "s|$work/||g" >>"$work/failures.md"
}

counts() { printf '%d passed, %d failed, %d not run' $passed $failed $skipped; }

# Names the file of results, and begins it.
begin_report() {
    local base folder=benches/results number=2
    : >"$work/checks.md"
    : >"$work/figures.md"
    : >"$work/failures.md"
    if [[ -z $out ]]; then
        if [[ $rehearse ]]; then folder=$(mktemp -d); fi
        base=$(tr '[:upper:]' '[:lower:]' <<<"$gpu" | tr -cs '[:alnum:]\n' - | sed 's/^-//; s/-$//')
        base=$folder/$(date +%F)-$base
        out=$base.md
        while [[ -e $out ]]; do
            out=$base-$number.md
            number=$((number + 1))
        done
    fi
    mkdir -p "$(dirname "$out")"
    write_report
}

# Writes the file again, after every check, so that nothing is lost when the next one is interrupted.
write_report() {
    {
        if [[ $rehearse ]]; then
            printf 'REHEARSAL over stand-ins, without a GPU: nothing in here was measured on one.\n\n'
        fi
        printf '# %s\n\n' "$gpu"
        facts
        printf '\n## Checks\n\n%s: %s.\n\n' "$state" "$(counts)"
        printf '| result | check | remark |\n|---|---|---|\n'
        cat "$work/checks.md"
        if [[ -s $work/figures.md ]]; then
            printf '\n## Figures\n\n'
            figures_preface
            cat "$work/figures.md"
        fi
        if [[ -s $work/failures.md ]]; then
            printf '\n## What the failed checks ran\n\n'
            cat "$work/failures.md"
        fi
        printf '\n## The machine\n\n`engine-cli doctor`\n\n```text\n'
        sed "s|$work/||g; s/ *\$//" "$work/doctor"
        printf '```\n'
    } | cat -s >"$out.new"
    mv "$out.new" "$out"
}

finish_report() {
    state=finished
    write_report
    printf '\n%s; all of it is in %s\n' "$(counts)" "$out"
    ((failed == 0))
}
