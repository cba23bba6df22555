# Sourced by the other scripts, which then run in the project's folder with $python: the interpreter of .venv, holding
# this package (editable) and its extras. Made when it is missing, brought up to date when setup.cfg has changed.
# PYTHON=python3.10 in the environment names another interpreter, with a virtual environment of its own, .venv-3.10.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

fail() {
    echo "$*" >&2
    exit 1
}

base=${PYTHON:-python3}
venv=.venv
if [ -n "${PYTHON:-}" ]; then
    command -v "$base" >/dev/null || fail "PYTHON names $base, and there is no such program."
    version=$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])') \
        || fail "PYTHON names $base, which does not run."
    venv=.venv-$version
fi
python=$PWD/$venv/bin/python

# $venv/setup.cfg is the one it was made from; it is written last, so an interrupted set-up is done again.
if ! cmp -s setup.cfg $venv/setup.cfg || ! "$python" -c "" 2>/dev/null; then
    command -v "$base" >/dev/null || fail "There is no python3: apt-get install python3 python3-venv"
    "$base" -c "import sys; sys.exit(sys.version_info < (3, 10))" \
        || fail "$("$base" --version) is too old: Python 3.10 or later is needed."
    "$base" -c "import ensurepip, venv" 2>/dev/null \
        || fail "$(command -v "$base") cannot make virtual environments: apt-get install python3-venv"
    echo "Setting up $venv (once; it downloads the dependencies) ..."
    "$python" -c "" 2>/dev/null || "$base" -m venv --clear "$venv" || fail "The virtual environment $venv could not be made."
    "$python" -m pip install --quiet --disable-pip-version-check --editable ".[servers,test,docs]" \
        || fail "The dependencies could not be installed; pip says above why."
    cp setup.cfg "$venv/setup.cfg"
fi
