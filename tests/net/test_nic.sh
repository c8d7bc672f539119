#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The NIC vanishes and comes back, as another one with the same name: skepd says so, goes on as soon as
# it can, and what was bound before answers again.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=6

uplink_is() { [[ $(ctl --json status | jq -r '.uplinks[0].xdp') == "$1" ]]; }
uplink_link() { box ip -d -j link show "$LAB_UPLINK" 2>/dev/null | jq -r "$1"; }

unplug() { ip -n "$LAB_BOX_NS" link delete "$LAB_UPLINK"; }

# As tests/lab has wired it.
plug_in() {
	ip -n "$LAB_ROUTER_NS" link add "$LAB_LAN" type veth peer name "$LAB_UPLINK" netns "$LAB_BOX_NS"
	ip -n "$LAB_ROUTER_NS" address add "$LAB_GATEWAY/16" dev "$LAB_LAN"
	ip -n "$LAB_BOX_NS" address add "$LAB_BOX/16" dev "$LAB_UPLINK"
	ip -n "$LAB_ROUTER_NS" link set "$LAB_LAN" up
	ip -n "$LAB_BOX_NS" link set "$LAB_UPLINK" up
	router ethtool -K "$LAB_LAN" gro on tx off >"$tmp/output"
}

lab_up
skepd_start
who_has 10.66.4.2
pid=$(lease 10.66.4.2 pid) mac=$(lease 10.66.4.2 mac)
wait_until 10 pool_has idle "$WARM"

for round in 1 2; do
	old=$(uplink_link '.[0].ifindex')
	unplug
	check "$round: when the NIC vanishes, the status says so" wait_until 10 uplink_is missing
	check "$round: the log says so, once" test \
		"$(grep -c "warning: $LAB_UPLINK vanished; waiting for it to come back" "$log")" -eq "$round"
	check "$round: skepd lives" skepd_alive
	check_eq "$round: and keeps its lease" "$pid" "$(lease 10.66.4.2 pid)"
	before=$(counter port_drop_no_uplink)
	in_net "$pid" ping -q -c 1 -W 0.1 "$LAB_GATEWAY" >"$tmp/output" || true
	check "$round: what a container sends now goes nowhere" counted port_drop_no_uplink $((before + 1))

	plug_in
	check "$round: it is back, as another one" test "$(uplink_link '.[0].ifindex')" -ne "$old"
	check "$round: the status says that it is watched again" wait_until 10 uplink_is native
	check "$round: the log says so" test "$(grep -c "$LAB_UPLINK: watching, native XDP" "$log")" -eq $((round + 1))
	check_eq "$round: it has the program" uplink "$(uplink_link '.[0].xdp.prog.name')"
	check_eq "$round: and is promiscuous" 1 "$(uplink_link '.[0].promiscuity')"
	check "$round: what was bound answers" wait_until 10 who_has 10.66.4.2
	check_eq "$round: it is the one of before" "$pid $mac" "$(lease 10.66.4.2 pid) $(mac_in_answer 10.66.4.2)"
	check "$round: from behind the router, too" client ping -q -c 1 -W 5 10.66.4.2
	check "$round: and a dark address is bound" client ping -q -c 1 -W 5 "10.66.5.$round"
	check "$round: the box's own traffic passes" router ping -q -c 1 -W 5 "$LAB_BOX"
done

# Stopped while there is none, and started when there is none
unplug
check "a third time" wait_until 10 uplink_is missing
check_status "skepd stops as well when the NIC is missing" 0 skepd_stop
check_eq "and leaves nothing" '' "$(leftovers)"
status=0
skepd_start >"$tmp/output" 2>&1 || status=$?
check_eq "it does not start without the NIC" 1 "$status"
check "and says what it misses" logged "$conf:[0-9]+: uplink \"$LAB_UPLINK\": no such interface"
check_eq "it leaves nothing either" '' "$(leftovers)"
plug_in
skepd_start
check "with the NIC back, it does" client ping -q -c 1 -W 5 10.66.4.2

done_testing
