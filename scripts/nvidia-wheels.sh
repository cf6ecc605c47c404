# Sourced by the scripts that fetch NVIDIA's libraries out of its Python packages. They set `lib`, the
# folder that gets a folder for each.

requirements=scripts/nvidia-requirements.txt
python=$PWD/.deps/python/bin/python
me=${0##*/}

say() { printf '%s: %s\n' "$me" "$*"; }
fail() {
    say "$*" >&2
    exit 1
}

# The entries of packages in the requirements file: version and checksums.
entries() {
    local package
    for package; do
        sed -n "/^$package==/,/[^\\\\]\$/p" "$requirements"
    done
}

# Downloads the wheel of one requirement and unpacks it to $work/wheel.
unpack() {
    entries "$1" >"$work/requirements.txt"
    [[ -s $work/requirements.txt ]] || fail "$requirements has no $1"
    "$python" -m pip --disable-pip-version-check --quiet download --require-hashes --no-deps \
        --only-binary=:all: --platform manylinux_2_28_x86_64 --platform manylinux_2_12_x86_64 \
        --dest "$work/download" -r "$work/requirements.txt" || fail "cannot download $1; what was there before is untouched"
    "$python" -m zipfile -e "$work"/download/*.whl "$work/wheel"
    rm -rf "$work/download"
}

# Starts on a folder of libraries.
begin() {
    [[ $(uname -sm) == 'Linux x86_64' ]] || fail "$1 is for x86-64 Linux only, this is $(uname -sm)"
    [[ -x $python ]] || fail "no pip in .deps/python: run scripts/setup first"
    mkdir -p "$lib"
    work=$(mktemp -d "$lib/.new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/lib"
}

# Puts the finished folder in its place, marked with the entries it was made from.
finish() {
    entries "${@:2}" >"$work/lib/version"
    chmod 755 "$work/lib"
    rm -rf "${lib:?}/$1"
    mv "$work/lib" "$lib/$1"
    rm -rf "$work"
    trap - EXIT
}

# Whether a folder is there and of the versions in the requirements file.
is_there() { [[ -f $lib/$1/version && $(<"$lib/$1/version") == "$(entries "${@:2}")" ]]; }
