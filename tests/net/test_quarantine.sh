#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A container that fails is shown as failed with its reason, and replaced at once; it is kept for a while
# to be looked at, few of them are, and the end of skepd does not wait for that. One that cannot be removed
# is tried again until it can.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=4
readonly KEPT=16 # at most

reason_of() { ctl --json containers | jq -r --arg name "$1" '.containers[] | select(.container == $name).reason'; }
state_of() { ctl --json containers | jq -r --arg name "$1" '.containers[] | select(.container == $name).state'; }
is() { [[ $(state_of "$1") == "$2" ]]; }
of_pid() { ctl --json containers | jq -r --argjson pid "$1" '.containers[] | select(.pid == $pid).container'; }
binds() { wait_until 10 who_has "$1"; }
# The next to be bound is the one that has been idle longest.
next_idle() { ctl --json containers | jq -r '[.containers[] | select(.state == "idle")] | min_by(.since).pid'; }

# cgroup_seen_by KEEPER NAME: one of those that a keeper has to remove, as it sees it
cgroup_seen_by() {
	local hierarchy
	for hierarchy in $(findmnt -N "$1" -rno TARGET -t cgroup,cgroup2); do
		if nsenter --target "$1" --mount -- test -d "$hierarchy/$farm_cgroup/$2"; then
			echo "$hierarchy/$farm_cgroup/$2"
			return
		fi
	done
}

lab_up
skepd_start

# Its network is gone by the time it is to get an address.
pid=$(next_idle) name=$(of_pid "$(next_idle)") first=$pid
in_net "$pid" ip link delete eth0
who_has 10.66.4.2 || true
check "a container without its NIC fails when it is to be bound" wait_until 5 is "$name" failed
check_match "the reason is told" '^did not take its address: No such device$' "$(reason_of "$name")"
check "and logged, with its template" logged "error: template \"basic\": container $name did not take its address: "
check_eq "that is counted" 1 "$(counter no_bind_plumb)"
check "its processes are there still, to be looked at" test -e "/proc/$pid"
check "the address is answered all the same, by another one" binds 10.66.4.2
check "which a third one replaces" wait_until 10 pool_has idle "$WARM"
check_eq "one is bound, one is kept" '1 1' "$(pool bound) $(pool failed)"
check_match "people see the reason, too" "$name +failed .*did not take its address" "$(ctl containers)"

# Its init ends while it is idle.
pid=$(next_idle) name=$(of_pid "$(next_idle)")
kill -KILL "$pid"
check "one whose init ends while it is idle has failed" wait_until 5 is "$name" failed
check_match "that is the reason" 'ended by itself while idle' "$(reason_of "$name")"
check "it is replaced" wait_until 10 pool_has idle "$WARM"
check_eq "two are kept, and do not count against max" '2' "$(pool failed)"
check "so that as many as max" binds 10.66.4.3
check "can be" binds 10.66.4.4
check "bound" binds 10.66.4.5
check_eq "all at once" "$MAX 2" "$(pool bound) $(pool failed)"
check_eq "none was recycled for it" 0 "$(counter container_recycled)"

# The cgroup of a released one cannot be removed, since something is mounted there in every keeper.
pid=$(lease 10.66.4.5 pid) name=$(lease 10.66.4.5 container)
read -r keeper < <(keepers)
held=$(cgroup_seen_by "$keeper" "$name")
for keeper in $(keepers); do
	nsenter --target "$keeper" --mount -- mount -t tmpfs none "$held"
done
ctl release 10.66.4.5 >"$tmp/output"
check "one that cannot be removed has failed" wait_until 30 is "$name" failed
check_match "the reason is told" '^could not be removed: ' "$(reason_of "$name")"
check "and logged" logged "error: container $name could not be removed: .*; trying again"
check "its processes have ended" is_gone "$pid"
check "it is tried again" wait_until 60 counted recycle_failed 2
for keeper in $(keepers); do
	nsenter --target "$keeper" --mount -- umount "$held"
done
check "until it can be removed" wait_until 30 counted container_recycled 1

# Not too many. A bind in between ends the row of failures.
for address in $(leased); do
	ctl release "$address" >"$tmp/output"
done
for ((i = 1; i <= KEPT; i++)); do
	wait_until 20 pool_has idle "$WARM"
	died=$(counter container_died)
	kill -KILL "$(next_idle)"
	wait_until 10 counted container_died $((died + 1))
	binds 10.66.5.1
	ctl release 10.66.5.1 >"$tmp/output"
done
check_eq "of $((KEPT + 2)) failed ones, $KEPT are kept" "$KEPT" "$(pool failed)"
check "the first two are gone" wait_until 10 is_gone "$first"
check_eq "the template is on" 0 "$(counter template_off)"
check "the pool is warm" wait_until 20 pool_has idle "$WARM"

done_testing
