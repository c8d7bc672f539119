#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Processes that die by themselves: a keeper, idle or at work, is replaced; a container whose init or
# whose LXC monitor ends, idle or bound, is cleared away and replaced. The pool is warm again, no slot
# is lost, and bound addresses of others notice nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=3 MAX=6

settled() { pool_has idle "$WARM" && pool_has starting 0 && pool_has recycling 0 && pool_has failed 0; }

# monitor_of PID: liblxc's process that looks after the container with this init
monitor_of() { sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status"; }

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
	check "$1: the pool is warm again" wait_until 30 settled
}

lab_up
skepd_start
who_has 10.66.4.2
wait_until 10 settled
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
check "the pool is warm again" wait_until 10 settled
signal_keepers KILL
check "all keepers at once, too" wait_until 10 counted keeper_died $((1 + before))
check "a dark address is answered" who_has 10.66.4.4
check "the pool is warm again" wait_until 10 settled
for i in 3 4; do
	ctl release "10.66.4.$i" >"$tmp/output"
done
wait_until 10 settled

# Keepers at work: with the job still before them, and in the middle of it.
for ((i = 10; i < 14; i++)); do
	signal_keepers STOP
	who_has "10.66.4.$i"
	((i % 2)) || signal_keepers CONT
	signal_keepers KILL
	wait_until 30 settled || diag "not settled: $(ctl --json status)"
	signal_keepers STOP
	ctl release "10.66.4.$i" >"$tmp/output"
	((i % 2)) || signal_keepers CONT
	signal_keepers KILL
	wait_until 30 settled || diag "not settled: $(ctl --json status)"
done
check "some were killed while they started a container" counted start_failed 1
check "killed at work, again and again: the pool is warm in the end" wait_until 60 settled
check_eq "no container is left over" $((WARM + 1)) "$(find "$state_dir/containers" -mindepth 1 -maxdepth 1 | wc -l)"
check_eq "nor a port" $((WARM + 1)) "$(ports | wc -l)"
every_slot "keepers died"
check_match "the bound address has not noticed" '^[0-9]+$' "$(lease 10.66.4.2 pid)"

# The init of a container: as if somebody inside had ended it
died=$(counter container_died)
pid=$(containers idle pid | head -n 1)
kill -KILL "$pid"
check "an idle container whose init ends is counted" wait_until 10 counted container_died $((died + 1))
check "it is logged" wait_until 5 logged 'warning: .*c[0-9]+ ended by itself while idle'
check "it is replaced" wait_until 20 settled
who_has 10.66.4.20
pid=$(lease 10.66.4.20 pid)
kill -KILL "$pid"
check "a bound container whose init ends is counted" wait_until 10 counted container_died $((died + 2))
check "its address is released" wait_until 5 counted released_died 1
check "and dark" is_dark 10.66.4.20
check "it is logged" wait_until 5 logged 'warning: .*c[0-9]+ ended by itself while bound'
check "it is replaced" wait_until 20 settled
router ip neigh flush dev "$LAB_LAN"
check "whoever asks next is answered" who_has 10.66.4.20
ctl release 10.66.4.20 >"$tmp/output"
wait_until 20 settled || true

# Its monitor: the container ends with it, and nobody is left to clean up after it but skep.
died=$(counter container_died)
kill -KILL "$(monitor_of "$(containers idle pid | head -n 1)")"
check "an idle container whose monitor ends is counted" wait_until 10 counted container_died $((died + 1))
check "it is replaced" wait_until 20 settled
who_has 10.66.4.21
pid=$(lease 10.66.4.21 pid)
kill -KILL "$(monitor_of "$pid")"
check "a bound container whose monitor ends is counted" wait_until 10 counted container_died $((died + 2))
check "its address is released" wait_until 5 counted released_died 2
check "it is replaced" wait_until 20 settled
check "its processes are gone" wait_until 10 is_gone "$pid"
every_slot "monitors died"

kill -INT "$pings"
wait "$pings" || true
check_match "through all of this, not one ping to the bound address was lost" ' 0% packet loss' "$(cat "$tmp/pings")"

done_testing
