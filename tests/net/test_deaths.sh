#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Processes that die by themselves: a keeper, idle or at work, is replaced; a container whose init ends,
# idle or bound, is cleared away and replaced. The pool is warm again, no slot is lost, and bound
# addresses of others notice nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"

WARM=3 MAX=6

some_idle() { (($(pool idle) > 0)); }

# every_slot TEXT: as many addresses as there are other containers can be bound at once
every_slot() {
	local i bound=0
	for ((i = 1; i < MAX; i++)); do
		wait_until 5 some_idle || break
		who_has "10.66.5.$i" || break
		((++bound))
	done
	check_eq "$1: every slot but that of 10.66.4.2 can be used" $((MAX - 1)) "$bound"
	for ((i = 1; i <= bound; i++)); do
		ctl release "10.66.5.$i" >"$tmp/output"
	done
	check_farm "$1"
}

lab_up
skepd_start
who_has 10.66.4.2
check_farm "before"
spawn client ping -q -i 0.1 10.66.4.2 >"$tmp/pings" 2>&1
pings=$spawned

# A keeper without anything to do
before=$(keepers | wc -l)
killed=$(keepers | head -n 1)
kill -KILL "$killed"
check "a keeper that dies is counted" wait_until 10 counted keeper_died 1
check "it is logged" wait_until 5 logged 'error: keeper [0-9]+ died; starting another'
check_eq "another is in its place" "$before" "$(keepers | wc -l)"
check_eq "not that one" '' "$(keepers | grep -Fx "$killed" || true)"
check "a dark address is answered" who_has 10.66.4.3
check_farm "after that"
signal_keepers KILL
check "all keepers at once, too" wait_until 10 counted keeper_died $((1 + before))
check "a dark address is answered" who_has 10.66.4.4
check_farm "after that"
for i in 3 4; do
	ctl release "10.66.4.$i" >"$tmp/output"
done
check_farm "after the releases"

# Keepers at work: with the job still before them, and in the middle of it. All at once, again and again:
# that is no fault of the template.
for ((i = 10; i < 16; i++)); do
	signal_keepers STOP
	who_has "10.66.4.$i" || diag "10.66.4.$i: no answer"
	((i % 2)) || signal_keepers CONT
	signal_keepers KILL
	check_farm "all keepers were killed with a start to do ($i)" 30
	signal_keepers STOP
	ctl release "10.66.4.$i" >"$tmp/output"
	((i % 2)) || signal_keepers CONT
	signal_keepers KILL
	check_farm "all keepers were killed with a removal to do ($i)" 30
done
check_eq "that was no failure of the template" '0 0' "$(counter start_failed) $(counter template_off)"
every_slot "keepers died"
check_match "the bound address has not noticed" '^[0-9]+$' "$(lease 10.66.4.2 pid)"

# The init of a container: as if somebody inside had ended it
died=$(counter container_died)
pid=$(containers idle pid | head -n 1)
kill -KILL "$pid"
check "an idle container whose init ends is counted" wait_until 10 counted container_died $((died + 1))
check "it is logged" wait_until 5 logged 'error: .*c[0-9]+ failed: it ended by itself while idle'
check_eq "it is in quarantine, with the reason" 'failed: it ended by itself while idle' \
	"$(ctl --json containers | jq -r --argjson pid "$pid" '.containers[] | select(.pid == $pid).reason')"
check_farm "an idle container died"
who_has 10.66.4.20
pid=$(lease 10.66.4.20 pid)
kill -KILL "$pid"
check "a bound container whose init ends is counted" wait_until 10 counted container_died $((died + 2))
check "its address is released" wait_until 5 counted released_died 1
check "and dark" is_dark 10.66.4.20
check "it is logged" wait_until 5 logged 'warning: .*c[0-9]+ ended by itself while bound'
check_farm "a bound container died"
router ip neigh flush dev "$LAB_LAN"
check "whoever asks next is answered" who_has 10.66.4.20
ctl release 10.66.4.20 >"$tmp/output"

check_farm "before many die"
# Many at once, as when the kernel is short of memory: they count as one failure.
containers idle pid | xargs kill -KILL
check "all idle containers die at once" wait_until 10 counted container_died $((died + 2 + WARM))
check_farm "all idle containers died" 30
check_eq "the template was not switched off" 0 "$(counter template_off)"
every_slot "containers died"

kill -INT "$pings"
wait "$pings" || true
check_match "through all of this, not one ping to the bound address was lost" ' 0% packet loss' "$(cat "$tmp/pings")"

done_testing
