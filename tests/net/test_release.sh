#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Release by the operator: the address is dark, the container and all that was written in it are gone,
# and the next who-has gets a fresh one. What is no lease is refused with a reason.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=6
readonly MARK=left-by-the-intruder

# refused TEXT REGEX ADDRESS: release fails with status 1, says so on stderr and nothing on stdout
refused() {
	local status=0
	ctl release "$3" >"$tmp/out" 2>"$tmp/err" || status=$?
	check_eq "$1: fails" 1 "$status"
	check_match "$1: says why" "^skepctl: $2" "$(cat "$tmp/err")"
	check_eq "$1: nothing else" ' 1' "$(cat "$tmp/out") $(wc -l <"$tmp/err")"
}

# In the root of any process of the farm.
mark_is_there() {
	local pid
	for pid in $(farm_pids); do
		[[ ! -e /proc/$pid/root/root/$MARK ]] || return 0
	done
	return 1
}
has_cgroup() { [[ -n $(find /sys/fs/cgroup -maxdepth 3 -type d -path "*$1") ]]; }

lab_up
skepd_start

refused "an address without a lease" 'no lease has this address$' 10.66.4.2
refused "something that is no address" '.*is no IPv4 address$' 10.66.4
refused "nothing at all" '.*is no IPv4 address$' ''
who_has 10.66.4.2
refused "a lease, but of another uplink" 'no lease has this address$' 10.66.4.2%eth9
refused "a lease, but of another VLAN" 'no lease has this address$' 10.66.4.2%eth0.7
check_eq "none of these released anything" "10.66.4.2 0" "$(leased) $(counter released_command)"

pid=$(lease 10.66.4.2 pid)
in_container "$pid" sh -c "echo was here >/root/$MARK"
check "what is written inside can be seen from outside" mark_is_there
cgroup=$(sed -n 's/^[0-9]*:.*pids.*:\|^0:://p' "/proc/$pid/cgroup" | tail -n 1)
check "the container has a cgroup" has_cgroup "$cgroup"
check_eq "release says what it did" "10.66.4.2 released" "$(ctl release 10.66.4.2)"
check_eq "the lease is gone at once" '' "$(leased)"
check_eq "that is counted" 1 "$(counter released_command)"
check "its processes end" wait_until 10 is_gone "$pid"
check "it is recycled" wait_until 10 counted container_recycled 1
check_status "nowhere in the farm is left what was written in it" 1 mark_is_there
check "others wait in its place" wait_until 10 pool_has idle "$WARM"

# The router would otherwise send IP, and the address would be bound again at once: also right.
router ip neigh flush dev "$LAB_LAN"
check "the next who-has is answered" who_has 10.66.4.2
fresh=$(lease 10.66.4.2 pid)
check_eq "by another container" different "$([[ $fresh == "$pid" ]] && echo same || echo different)"
check_status "in which nothing is left of the old life" 1 in_container "$fresh" test -e "/root/$MARK"

check_match "ADDR%UPLINK names the lease" '^10\.66\.4\.2.* released$' "$(ctl release 10.66.4.2%eth0)"
check_eq "and releases it" '' "$(leased)"
who_has 10.66.4.2
check_match "ADDR%UPLINK.VLAN does, too" '^10\.66\.4\.2.* released$' "$(ctl release 10.66.4.2%eth0.0)"
check_eq "and releases it" '' "$(leased)"
who_has 10.66.4.3
check_eq "with --json, the result is JSON" '{"result":"released"}' "$(ctl --json release 10.66.4.3)"
check_eq "all of these are counted" 4 "$(counter released_command)"

done_testing
