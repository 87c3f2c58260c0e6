# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# Making a Debian or Ubuntu out of the host's own package sources, for whoever may.
#
# mmdebstrap does it in one pass, as root or, for others, in a user namespace.
# Sourced by gen-debian-rawfs.sh and gen-demo-guest.sh, whose die and $work it uses.

# shellcheck source=spin/lib-signals.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib-signals.sh"
# shellcheck source=spin/lib-tools.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib-tools.sh"
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
# shellcheck source=/dev/null
distribution=$(. /etc/os-release && echo "$ID")
work='' builder=''

# The host's own sources of this suite, as one-line entries; nothing when it has none.
host_sources() {
    local targets origin key uri release component
    # apt-get fills these in; what it does not know it leaves as it is.
    targets=$(apt-get indextargets 'Created-By: Packages' \
        --format '$(ORIGIN)|$(SIGNED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 2>"$work/words") ||
        failed "'apt-get indextargets', which names the host's package sources," <"$work/words"
    sort -u <<<"$targets" |
        while IFS='|' read -r origin key uri release component; do
            case $origin in Debian | Ubuntu | '' | '$('*) ;; *) continue ;; esac
            case $release in "$suite" | "$suite"-updates | "$suite"-security) ;; *) continue ;; esac
            case $key in /*) key="[signed-by=$key] " ;; *) key= ;; esac
            echo "deb $key$uri $release $component"
        done
}

kernel_package() {
    case $distribution in
        ubuntu) echo linux-image-virtual ;;
        *) echo "linux-image-cloud-$(dpkg --print-architecture)" ;;
    esac
}

# need_tools TOOL...: they are there, and so is the right to make a system with them.
need_tools() {
    local tool user
    for tool; do
        command -v "$tool" >/dev/null ||
            die "$tool is missing: apt-get install mmdebstrap e2fsprogs cpio kmod xz-utils zstd"
    done
    [ "$(id -u)" != 0 ] || return 0
    # Its files belong to many users, so it takes a range of ids of one's own, and who may map them.
    user=$(id -un)
    command -v newuidmap >/dev/null ||
        die 'without root this takes newuidmap: apt-get install uidmap (or run it as root)'
    { grep -qs "^\($user\|$(id -u)\):" /etc/subuid && grep -qs "^\($user\|$(id -u)\):" /etc/subgid; } ||
        die "without root this takes user ids of one's own, and $user has none in /etc/subuid and" \
            "/etc/subgid: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $user" \
            '(or run it as root)'
    unshare --user true 2>/dev/null ||
        die 'without root this takes user namespaces, which this host does not let users make:' \
            'run it as root'
}

# make_debian OPTION...: mmdebstrap of $suite with these options; it ends with this script.
make_debian() {
    local sources=()
    host_sources >"$work/sources"
    [ ! -s "$work/sources" ] || sources=("$work/sources")
    # As root the tree is made inside $work, which goes with whatever is in it. In a user namespace
    # it belongs to others and may not be reached below a home folder: there mmdebstrap tidies up.
    [ "$(id -u)" != 0 ] || { mkdir "$work/tmp" && chmod 0711 "$work" && export TMPDIR=$work/tmp; }
    # A session of its own lets one signal reach all of it; bash runs a trap at once only in `wait`.
    setsid mmdebstrap --format=null "$@" "$suite" /dev/null "${sources[@]}" \
        </dev/null >"$work/words" 2>&1 &
    builder=$!
    wait "$builder" || failed mmdebstrap <"$work/words"
    builder=
    rm -rf --one-file-system "$work/tmp" "$work/sources" "$work/words"
}

# shellcheck disable=SC2317 # the trap calls it
clean_up() {
    ignore_signals
    if [ -n "$builder" ]; then
        kill -TERM -- "-$builder" 2>/dev/null || true
        wait "$builder" 2>/dev/null || true
        builder=
    fi
    [ -z "$work" ] || rm -rf --one-file-system "$work"
}
