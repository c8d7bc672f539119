#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Verification: an address is bound only when nobody answered for it. The sweep probes every address of
# the ranges, at no more than its rate and in no order; what real hosts have is never taken, what is quiet
# is taken after verify_quiet probes and not before; and what was found holds over kill -9, handover,
# reload, an orderly stop and the death of the sweeper itself.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/segment.sh"

VERIFY=on LAB_RANGE=10.66.9.0/24 EXCLUDE=10.66.9.240/28
readonly RATE=100 HOSTS=3 ALL=256 LEFT_OUT=17 # the exclusion, and the network's own address
readonly QUIET=$((ALL - LEFT_OUT - HOSTS))
settings=('range: verify_quiet = 3' "pool: verify_rate = $RATE"
	'uplink: range "10.77.0.0/28" { template = "basic" vlan = 7 }')

# verification KEY: of the range; sweep_of KEY: of all
verification() {
	ctl --json status | jq -e --arg key "$1" --arg range "$LAB_RANGE" \
		'.verification.ranges[] | select(.range == $range)[$key]'
}
sweep_of() { ctl --json status | jq -e --arg key "$1" '.verification[$key]'; }
found() { (($(verification "$1") == $2)); }
hosts_known() { ctl --json hosts | jq -r '.hosts[].address' | sort -V | tr '\n' ' '; }
sweeper() { pgrep --parent "$skepd_pid" --exact skepd-sweeper; }
sweeper_is_new() { [[ -n $(sweeper) && $(sweeper) != "$1" ]]; }

# check_known TEXT: everything is known, without any waiting; but what is left out counts as waiting
# until the sweep has come by, which takes it no probe
check_known() {
	check_eq "$1: what is quiet is still known to be" "$QUIET" "$(verification claimable)"
	wait_until 5 found waiting 0 || true
	check_eq "$1: nothing has to be looked at again" 0 "$(verification waiting)"
}

# probed: the addresses that were asked for, one a probe
probed() { sed -En 's/.*Request who-has ([0-9.]+) tell 0\.0\.0\.0.*/\1/p' "$tmp/probes"; }

# most_in_a_second: the most probes that fell into any one second
most_in_a_second() {
	awk 'BEGIN {n = first = 0}
	/tell 0\.0\.0\.0/ {
		t[n++] = $1
		while (t[n - 1] - t[first] >= 1)
			first++
		if (n - first > most)
			most = n - first
	}
	END {print most + 0}' "$tmp/probes"
}

# in_a_row: how often the next address was asked for right after one
in_a_row() { probed | awk -F. '{if (NR > 1 && $4 == last + 1) n++; last = $4} END {print n + 0}'; }

lab_up
segment_up
host_up one 10.66.9.1
host_up two 10.66.9.77
ip -n "$LAB_PREFIX-two" address add 10.66.9.200/16 dev eth0
on_host one tcpdump -n -e -tt --immediate-mode -l -i eth0 \
	"ether src $(mac_in "$LAB_BOX_NS" "$LAB_UPLINK") and (arp or vlan)" >"$tmp/probes" 2>"$tmp/probes.err" &
wait_until 10 grep -q listening "$tmp/probes.err"

# mute, forward: the box's port is cut off from the others, as while a switch blocks it, or not; it has a
# carrier all the time
mute() { ip -n "$LAB_ROUTER_NS" link set port0 nomaster arp off; }
forward() { ip -n "$LAB_ROUTER_NS" link set port0 arp on master "$LAB_LAN"; }

# A wire that passes nothing tells nothing.
mute
skepd_start "${settings[@]}"
check "a gateway that is not heard is complained about" wait_until 30 \
	logged "$LAB_UPLINK: the gateway $LAB_GATEWAY does not answer"
check_eq "on a wire that passes nothing no address is probed" 0 "$(sweep_of probes)"
check_eq "so none is claimable" 0 "$(verification claimable)"
forward

# Nothing is known yet.
check "it is told when the gateway is back" wait_until 10 \
	logged "$LAB_UPLINK: the gateway $LAB_GATEWAY answers"
check_status "a quiet address is not answered for before it is verified" 1 who_has 10.66.9.50
check_eq "and not bound" 0 "$(counter bound)"
check "after some rounds all addresses are known" wait_until 60 found waiting 0
check_eq "the hosts are found" "10.66.9.1 10.66.9.77 10.66.9.200 " "$(hosts_known)"
check_eq "as many as there are" "$HOSTS" "$(verification hosts)"
check_eq "the rest is quiet" "$QUIET" "$(verification claimable)"
check_eq "what is excluded is left out" "$LEFT_OUT" "$(verification left_out)"
check_eq "a host's link address is told" "$(host_mac two)" \
	"$(ctl --json hosts | jq -r '.hosts[] | select(.address == "10.66.9.200").mac')"
check_match "people are told how far it is" '10\.66\.9\.0/24 +eth0 +0 +236 +0 +3 +17' "$(ctl status)"

# What was on the wire until now.
check_eq "each quiet address was asked for, three times at least" "$QUIET" \
	"$(probed | grep '^10\.66\.9\.' | sort | uniq -c | awk '$1 >= 3' | wc -l)"
check_eq "the hosts' were, the gateway, and no others" $((ALL - LEFT_OUT + 1)) \
	"$(probed | grep '^10\.66' | sort -u | wc -l)"
check_eq "none of the excluded" "" "$(probed | grep -E '^10\.66\.9\.(0|24.|25.)$' | head -n 1)"
check "in no order" test "$(in_a_row)" -lt 40
check_eq "on a VLAN the probes are tagged" 14 \
	"$(grep -E 'vlan 7, .*who-has 10\.77\.0\.' "$tmp/probes" | grep -Eo 'who-has [0-9.]+' | sort -u | wc -l)"
check_eq "and only there" "" "$(grep 'who-has 10\.77' "$tmp/probes" | grep -v 'vlan 7,' | head -n 1)"

# Who is asked for now.
check "a quiet address is answered for" who_has 10.66.9.50
check_eq "it is the farm's" 10.66.9.50 "$(leased)"
for address in 10.66.9.1 10.66.9.77 10.66.9.200; do
	check "a host's is answered for" who_has "$address"
done
check_eq "by itself alone: nothing more was bound" 10.66.9.50 "$(leased)"
check_eq "nor was it tried" 1 "$(comes_to bound 1)"

# What was found holds.
round=$(sweep_of round)
skepd_kill
skepd_start "${settings[@]}"
check_known "after kill -9"
check "the rounds go on" test "$(sweep_of round)" -ge "$round"
check "a quiet address is answered for at once" who_has 10.66.9.51

sweeper=$(sweeper)
check "a handover" ctl handover
check "another sweeper goes on" wait_until 20 sweeper_is_new "$sweeper"
check "skepd runs" wait_until 20 skepd_running
check_known "after a handover"

write_conf "${settings[@]}" 'uplink: range "10.66.10.0/28" { template = "basic" }' >"$conf"
sweeper=$(sweeper)
check "a reload with one more range" ctl reload
check_known "after a reload"
check_eq "the sweeper goes on with it" "$sweeper" "$(sweeper)"
more_is_known() {
	ctl --json status | jq -e '.verification.ranges[] |
		select(.range == "10.66.10.0/28") | .waiting == 0 and .claimable == 14'
}
check "and the new range is looked at, too" wait_until 30 more_is_known

kill -STOP "$sweeper"
sleep 3
kill -CONT "$sweeper"
kill -KILL "$sweeper"
check "a sweeper that was killed is replaced" wait_until 10 sweeper_is_new "$sweeper"
check "and counted" wait_until 5 counted sweeper_died 1
check_known "after its death"

check "skepd stops" skepd_stop
check "the file is there" test -s "$state_dir/verified"
skepd_start "${settings[@]}"
check_known "after an orderly stop"
check "a quiet address is answered for at once" who_has 10.66.9.52
check "skepd stops" skepd_stop
sleep 2
skepd_start "${settings[@]}" 'pool: host_memory = 1'
check_eq "what is older than host_memory is forgotten" "" "$(leased)"
check_status "so it is verified anew" 1 who_has 10.66.9.53
check "skepd stops" skepd_stop

# Machines that come and go without a word are found by the rounds alone.
hosts_are() { [[ $(hosts_known) == "$1" ]]; }
knows() { [[ " $(hosts_known)" == *" $1 "* ]]; }
skepd_start "pool: verify_rate = $RATE" 'pool: host_memory = 6'
check "all addresses are known" wait_until 60 found waiting 0
ctl watch --json >"$tmp/events" &
check "one is bound" who_has 10.66.9.60
ip -n "$LAB_PREFIX-one" address add 10.66.9.61/32 dev eth0
ip -n "$LAB_PREFIX-one" address add 10.66.9.60/32 dev eth0
check "a machine that comes in silence is found" wait_until 20 knows 10.66.9.61
check "on a leased address, too, and the lease gives way" wait_until 20 is_dark 10.66.9.60
check "whose owner it is by then" knows 10.66.9.60
conflict() { jq -r 'select(.event == "release" and .reason == "conflict") | "\(.address) \(.host)"' "$tmp/events"; }
check "watchers are told of the conflict" wait_until 5 grep -q conflict "$tmp/events"
check_eq "and with whom" "10.66.9.60 $(host_mac one)" "$(conflict)"

# While nobody could answer, silence makes nothing claimable.
claimable=$(verification claimable)
mute
check "hosts are forgotten on a mute wire" wait_until 40 found hosts 0
sleep 10
check_eq "and nothing becomes claimable" "$claimable" "$(verification claimable)"
forward
check "they are found again" wait_until 40 found hosts 4
check "and nothing waits" wait_until 40 found waiting 0
on_host two ip link set eth0 down
check "one that has gone is forgotten" wait_until 40 found hosts 3
check "and what it had is claimable" wait_until 40 found waiting 0
check "so it is answered for" who_has 10.66.9.77
check_eq "by the farm" 10.66.9.77 "$(leased)"
check "and not for the others" wait_until 20 hosts_are "10.66.9.1 10.66.9.60 10.66.9.61 "
check "skepd stops" skepd_stop

# Ranges that nobody else can be in.
VERIFY=off
probes=$(probed | wc -l)
skepd_start
check "with verify = off an address is answered for at once" who_has 10.66.9.54
sleep 1
check_eq "and none is asked for" "$probes" "$(probed | wc -l)"
check "in any second there were no more probes than verify_rate" \
	test "$(most_in_a_second)" -le "$RATE"
check "and there were many" test "$(most_in_a_second)" -gt $((RATE / 2))
done_testing
