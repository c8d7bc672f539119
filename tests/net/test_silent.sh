#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# when_exhausted = "silent": with all containers bound, further addresses stay dark. Nobody waits, and no
# lease ends for it, however long it has been idle.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=2

lab_up
skepd_start 'pool: when_exhausted = "silent" evict_after = 1 min_idle_warm = 1'
check "an address is answered" who_has 10.66.4.2
check "so is another" who_has 10.66.4.3
wait_until 3 false || true
check_eq "both leases have been idle for longer than evict_after, and stay" "$(printf '10.66.4.%d\n' 2 3)" "$(leased)"
for a in 4 5 6; do
	check_status "10.66.4.$a stays dark" 1 who_has "10.66.4.$a"
done
check_eq "each was refused at once" 3 "$(counter no_bind_pool_empty)"
check "which is logged" logged 'warning: no idle container'
check_eq "none waited, nobody was evicted, nothing was shared" '0 0 0' \
	"$(counter waited) $(counter released_evicted) $(counter shared)"
check_eq "the leases are the same" "$(printf '10.66.4.%d\n' 2 3)" "$(leased)"
ctl release 10.66.4.2 >"$tmp/output"
check "after a release" wait_until 10 pool_has idle 1
check "the next one is answered" who_has 10.66.4.4

done_testing
