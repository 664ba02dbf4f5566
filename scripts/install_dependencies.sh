#!/usr/bin/env bash
# Installs from Debian 12's packages what the build and the tests need, and nothing twice: when all
# of it is there it says nothing and asks nobody for a password.
#
#   scripts/install_dependencies.sh              to build, test and run
#   scripts/install_dependencies.sh --developer  Clang, the fuzzers, clang-format and clang-tidy too
set -euo pipefail

# The one list. Debian 12 fixes the versions.
build=(g++ cmake ninja-build make pkg-config ccache)
libraries=(
  libboost1.81-dev libssl-dev ca-certificates    # HTTP and TLS
  nlohmann-json3-dev libsimdjson-dev libtomlplusplus-dev
  libcli11-dev libspdlog-dev libfmt-dev libedit-dev
  libpcre2-dev libutf8proc-dev                   # pre-tokenizers
  libsqlite3-dev                                 # the ledger
  libhwloc-dev zlib1g-dev liblzma-dev
)
tests=(libgtest-dev libgmock-dev libbenchmark-dev xz-utils curl)
# pip fetches the default model; some tests are Python of the standard library.
model=(python3 python3-pip python3-venv)
developer=(clang-19 libclang-rt-19-dev clang-tidy-19 clang-format libsimde-dev)

wanted=("${build[@]}" "${libraries[@]}" "${tests[@]}" "${model[@]}")
case "${1:-}" in
  "") ;;
  --developer) wanted+=("${developer[@]}") ;;
  *)
    echo "install_dependencies.sh: unknown argument '$1'; --developer is the only one" >&2
    exit 2
    ;;
esac

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true)
  [[ $state == "install ok installed" ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install_dependencies.sh: as root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends "${missing[@]}"
