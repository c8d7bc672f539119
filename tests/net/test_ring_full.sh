#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# More first contacts than the ring buffer holds: what does not fit is dropped, counted and said; the
# rest is worked off, and then everything is as before.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=4
readonly FLOOD=700 # packets of 1,400 bytes; the ring holds about 500 of them

lab_up
skepd_start
who_has 10.66.4.2
router ip neigh replace 10.66.4.2 lladdr "$(lease 10.66.4.2 mac)" dev "$LAB_LAN" nud permanent
ctl release 10.66.4.2 >"$tmp/output"
wait_until 10 pool_has idle "$WARM"
asked=$(counter ask_ip) bound=$(counter bound)

kill -STOP "$skepd_pid"
spawn router ping -q -c "$FLOOD" -l "$FLOOD" -s 1400 -W 1 10.66.4.2 >"$tmp/pings" 2>&1
flood=$spawned
check "with skepd standing still, the ring gets full" wait_until 10 counted drop_ask_ring_full 1
wait "$flood" || true
all_counted() { (($(counter ask_ip) - asked + $(counter drop_ask_ring_full) == FLOOD)); }
check "each packet is counted: as held, or as one that found the ring full" wait_until 5 all_counted
held=$(($(counter ask_ip) - asked))
kill -CONT "$skepd_pid"
check "what was held is worked off" wait_until 10 counted resent $((held - 1))
check_eq "it made one bind" $((bound + 1)) "$(counter bound)"
check "that the ring was full is logged" wait_until 5 logged 'warning: .*ring'
check "the address answers now" router ping -q -c 1 -W 5 10.66.4.2
check "so does the next dark one" who_has 10.66.4.3
check "the pool is warm again" wait_until 10 pool_has idle "$WARM"

done_testing
