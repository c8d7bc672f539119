#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The smallest farm, of one container: each life of it ends clean enough for the next one to start.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=1 MAX=1
readonly LIVES=8

lab_up
skepd_start

lives=0 seen=''
for ((i = 1; i <= LIVES; i++)); do
	wait_until 5 pool_has idle 1 || break
	who_has 10.66.4.2 || break
	seen+=$(lease 10.66.4.2 pid)$'\n'
	ctl release 10.66.4.2 >"$tmp/output"
	((++lives))
done
check_eq "the one container there may be is bound and released again and again" "$LIVES" "$lives"
check_eq "it is another one each time" "$LIVES" "$(sort -u <<<"$seen" | grep -c .)"
check "and is ready again in the end" wait_until 5 pool_has idle 1
check_eq "no start and no removal failed" '0 0' "$(counter start_failed) $(counter recycle_failed)"
check_eq "each that was started was recycled, but for the last" "$((LIVES + 1)) $LIVES" \
	"$(counter container_started) $(counter container_recycled)"

done_testing
