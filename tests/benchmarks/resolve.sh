#!/usr/bin/env bash
# Which torch and torchvision does requirements.txt give, for every Python and platform, as wheels?
#
#     pip install uv && tests/benchmarks/resolve.sh      # needs a network; prints a Markdown table
#
# uv, since pip's --python-version and --platform leave `sys_platform` and the like in a package's
# requirements to the Python that runs it. Fails where any package has no wheel.
set -uo pipefail
cd "$(dirname "$0")/../.."
export MACOSX_DEPLOYMENT_TARGET=14.0        # the oldest that torch 2.15 supports
platforms=(x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin x86_64-pc-windows-msvc)
failed=0
list=$(mktemp); trap 'rm -f "$list"' EXIT
grep -v '^-e' requirements.txt >"$list"
printf '| %s ' Python "${platforms[@]}"; printf '|\n|---|---|---|---|---|\n'
for python in 3.10 3.11 3.12 3.13 3.14 3.15; do
    row="| $python |"
    for platform in "${platforms[@]}"; do
        if found=$(uv pip compile --quiet --no-header --no-annotate --only-binary :all: \
            --python-version "$python" --python-platform "$platform" "$list" 2>&1); then
            row+=" $(sed -n 's/^torch\(vision\)\?==//p' <<<"$found" | paste -sd, | sed 's/,/, /') |"
        else
            row+=" none |"; failed=1; echo "$found" >&2
        fi
    done
    echo "$row"
done
exit "$failed"
