#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A sweep that asks for more addresses than there are containers: what exists answers, the rest stays
# dark and silent, that is counted and said, and the farm recovers by itself.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=4 MAX=8

answered() { sed -n 's/^Host: \([0-9.]*\) .*Status: Up.*/\1/p' "$tmp/nmap" | sort -V; }
sweep_lan() { router nmap -n -sn -oG "$tmp/nmap" "$1" >"$tmp/output"; }
all_bound() { who_has "$1" || true; pool_has bound "$MAX"; }

lab_up
skepd_start

# A network and a broadcast address are no machine's only where the range has them: here, all 16 may be.
sweep_lan 10.66.6.0/28
check_match "a sweep of 16 addresses finds some" '10\.66\.6\.' "$(answered)"
check_eq "just those that are leased" "$(leased)" "$(answered)"
next=0
while ((next < 16)) && ! wait_until 1 all_bound "10.66.6.$next"; do
	((++next))
done
check "in the end all containers there may be are bound" wait_until 5 pool_has bound "$MAX"
check_eq "none waits, none is being made" '0 0' "$(pool idle) $(pool starting)"
check_eq "there are as many leases" "$MAX" "$(leased | wc -l)"

before=$(leased)
asked=$(counter ask_arp) empty=$(counter no_bind_pool_empty)
check_status "now a dark address stays silent" 1 who_has 10.66.7.1
check_eq "skepd was asked" $((asked + 1)) "$(counter ask_arp)"
check "and got no container within a second, which is counted" wait_until 5 counted no_bind_pool_empty $((empty + 1))
check "which is logged" logged 'warning: no idle container'
sweep_lan 10.66.6.0/28
check_eq "a second sweep finds those that are bound, and no other" "$before" "$(answered)"
check_eq "and binds nothing" "$before" "$(leased)"

# Logged at a bounded rate: a line a second, whatever comes in.
ask=()
for ((i = 0; i < 250; i++)); do
	ask+=("$(who_has_frame 02:00:00:00:00:01 10.66.0.77 "10.66.8.$i")")
done
lines=$(grep -c 'no idle container' "$log")
empty=$(counter no_bind_pool_empty)
begun=$SECONDS
for ((i = 0; i < 4; i++)); do
	send_lan "${ask[@]}"
done
check "1000 who-has more are counted, each of them" \
	wait_until 10 counted no_bind_pool_empty $((empty + 1000))
lines=$(($(grep -c 'no idle container' "$log") - lines))
check "but logged at a bounded rate ($lines lines)" test "$lines" -le $((SECONDS - begun + 2))

# Room again
mapfile -t old <<<"$before"
for address in "${old[@]:0:3}"; do
	ctl release "$address" >"$tmp/output"
done
check "after three releases, three containers get warm" wait_until 20 pool_has idle 3
check "a dark address is answered again" who_has 10.66.7.1
check_match "and leased" '^c[0-9]+$' "$(lease 10.66.7.1 container)"
check "what was bound before still answers" who_has "${old[7]}"
for address in $(leased); do
	ctl release "$address" >"$tmp/output"
done
check "when all are released, the pool fills up to warm" wait_until 20 pool_has idle "$WARM"
settled() { pool_has starting 0 && pool_has recycling 0; }
check "and stops there" wait_until 10 settled
check_eq "with as many idle containers as wanted" "$WARM 0 0" "$(pool idle) $(pool bound) $(pool failed)"
check_eq "no start failed on the way" '0 0' "$(counter start_failed) $(counter recycle_failed)"

done_testing
