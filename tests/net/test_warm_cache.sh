#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A router that still knows a link address sends no ARP: IPv4 to a dark address binds as well, and the
# packet that asked for it arrives.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=4 MAX=12

remember() { router ip neigh replace "$1" lladdr "$2" dev "$LAB_LAN" nud permanent; }

# forgotten ADDRESS: dark again, but not for the router
forgotten() {
	who_has "$1"
	remember "$1" "$(lease "$1" mac)"
	ctl release "$1" >"$tmp/output"
	wait_until 10 pool_has idle "$WARM"
}

lab_up
skepd_start

forgotten 10.66.4.2
check "the address is dark after its release" is_dark 10.66.4.2
asked=$(contacts arp) bound=$(counter bound)
check "one ping without any ARP is answered" client ping -q -c 1 -W 5 10.66.4.2
check_eq "it asked for the bind, as IP" 1 "$(contacts ip)"
check_eq "nobody asked by ARP" "$asked" "$(contacts arp)"
check_eq "one bind came of it" $((bound + 1)) "$(comes_to bound $((bound + 1)))"
check_match "the address is leased again" '^[0-9]+$' "$(lease 10.66.4.2 pid)"

forgotten 10.66.4.3
sniff lan router "$LAB_LAN" 'dst host 10.66.4.3 and tcp[tcpflags] & tcp-syn != 0'
check "a page comes from an address that was dark when the SYN came" \
	client curl -sSf -m 10 -o "$tmp/page" http://10.66.4.3/
check "the SYN is captured" wait_until 5 seen lan 'Flags \[S\]'
check_eq "that SYN was delivered: the client sent only one" 1 "$(how_many lan 'Flags \[S\]')"

forgotten 10.66.4.4
check "a packet as large as the link takes is delivered, too" \
	client ping -q -c 1 -W 5 -M "do" -s 1472 10.66.4.4

# All that come in before skepd sees the first: each is delivered, none binds again.
forgotten 10.66.4.5
asked=$(counter ask_ip) ips=$(counter leased_ip) bound=$(counter bound) resent=$(counter resent)
kill -STOP "$skepd_pid"
spawn client ping -q -c 5 -i 0.05 -W 10 10.66.4.5 >"$tmp/pings" 2>&1
if [[ $BIND == daemon ]]; then
	check "five pings to a dark address are held while skepd stands still" \
		wait_until 10 counted ask_ip $((asked + 5))
	kill -CONT "$skepd_pid"
	check "all five are answered" wait "$spawned"
	check_eq "the last four were sent after the bind" $((resent + 4)) "$(counter resent)"
else
	check "five pings to a dark address are answered while skepd stands still" wait "$spawned"
	check_eq "the last four went to the lease" $((ips + 4)) "$(counter leased_ip)"
	kill -CONT "$skepd_pid"
	check "which skepd settles" wait_until 5 is_settled 10.66.4.5
	check_eq "none was held" "$asked $resent" "$(counter ask_ip) $(counter resent)"
fi
check_match "without loss" '5 received, 0% packet loss' "$(cat "$tmp/pings")"
check_eq "by one bind" $((bound + 1)) "$(comes_to bound $((bound + 1)))"

# The wrong link address: no machine would take such a packet.
remember 10.66.4.6 02:00:00:00:00:06
check_status "a packet to another link address than the address's own gets no answer" 1 \
	router ping -q -c 1 -W 1 10.66.4.6
check_eq "that is counted" 1 "$(counter drop_wrong_mac)"
check "and binds nothing" is_dark 10.66.4.6
remember 10.66.4.5 02:00:00:00:00:05
check_status "nor does one to a leased address" 1 router ping -q -c 1 -W 1 10.66.4.5
check_eq "that is counted, too" 2 "$(counter drop_wrong_mac)"

done_testing
