#!/usr/bin/env bash
# Make a disk image of a Linux machine ready for vm-timing-report: `spin-from-raw.sh --help`.
#
# The work is done by vmtiming_tui/images, which takes nothing but Debian's own python3.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# In a checkout the package is beside this folder, in an installed wheel around it.
parent=$here/..
[ -d "$parent/vmtiming_tui" ] || parent=$here/../../..
command -v python3 >/dev/null || { echo 'spin-from-raw: apt-get install python3' >&2; exit 1; }
exec python3 -I -c '
import sys
if sys.version_info < (3, 11):
    sys.exit("spin-from-raw: this takes Python 3.11 or newer")
sys.path.insert(0, sys.argv.pop(1))
from vmtiming_tui.images.spin.outside import main
sys.exit(main(sys.argv[1:]))
' "$(readlink -f "$parent")" "$@"
