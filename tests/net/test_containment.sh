#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What no policy lets out: with one that allows everything, a container still reaches neither the box
# by any of its addresses, nor another container, nor an address that might become one, nor the
# metadata service, nor any group: DHCP, mDNS, LLMNR, IPv6. Whatever MAC it sends to. Its own ARP finds the
# gateway and who has called, nobody else. And a packet that claims to come from one container makes
# no other answer to it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/outbound.sh"

WARM=3 MAX=8
readonly FAR=203.0.113.1 # of the box, and nowhere near a range
readonly HERE='10\.66\.4\.2'

# udp SOURCE_PORT DESTINATION_PORT: a UDP datagram without a checksum
udp() { printf '%04x%04x000c000064617461' "$1" "$2"; }

# tries COUNTER TEXT DESTINATION_MAC DESTINATION [PORT]: the container sends a datagram past its own kernel
tries() {
	local before
	before=$(counter "$1")
	in_net "$pid" "$SEND_FRAME" eth0 \
		"$(ethernet "$3" "$mac" 0800 "$(ipv4 10.66.4.2 "$4" 17 "$(udp 4000 "${5:-5000}")")")"
	check_eq "$2: $1" $((before + 1)) "$(counter "$1")"
}

asks_for() { in_net "$pid" "$SEND_FRAME" eth0 "$(who_has_frame "$mac" 10.66.4.2 "$1")"; }

lab_up
box ip address add "$FAR/32" dev lo
router ip route add "$FAR" via "$LAB_BOX"
skepd_start 'policy "open" { verdict = "allow" }' 'range: policy = "open"' \
	'uplink: network = "10.64.0.0/13"' # wider than the range
check "a container" who_has 10.66.4.2
check "and another one" who_has 10.66.4.3
pid=$(lease 10.66.4.2 pid) mac=$(lease 10.66.4.2 mac)
neighbour=$(lease 10.66.4.3 mac)
gateway=$(router ip -j link show "$LAB_LAN" | jq -r '.[0].address')
box_mac=$(box ip -j link show "$LAB_UPLINK" | jq -r '.[0].address')
sniff lan router "$LAB_LAN"
sniff box box "$LAB_UPLINK" -Q in
sniff neighbour "$(lease 10.66.4.3 pid)" eth0
bound=$(counter bound)

# With real clients.
check "the policy lets it out" in_net "$pid" ping -q -c 1 -W 5 "$LAB_CLIENT"
check_silence "the box has no services for it" tcp "$LAB_BOX" 22
check_status "nor is it there" 1 in_net "$pid" ping -q -c 1 -W 1 "$LAB_BOX"
check_status "by no address that it has" 1 in_net "$pid" ping -q -c 1 -W 1 "$FAR"
check_status "a neighbour is not there" 1 in_net "$pid" ping -q -c 1 -W 1 10.66.4.3
check_silence "nor is a web server of his" tcp 10.66.4.3 80
check_status "the metadata service is not there" 1 in_net "$pid" ping -q -c 1 -W 1 169.254.169.254

# Past its own kernel, with every destination MAC.
for to in "gateway $gateway" "box $box_mac" "neighbour $neighbour"; do
	name=${to% *} to=${to#* }
	tries port_drop_box "the box, by the MAC of the $name" "$to" "$LAB_BOX"
	tries port_drop_box "the box far away, by the MAC of the $name" "$to" "$FAR"
	tries port_drop_farm "a neighbour, by the MAC of the $name" "$to" 10.66.4.3
	tries port_drop_farm "a dark address, by the MAC of the $name" "$to" 10.66.9.9
	tries port_drop_local "metadata, by the MAC of the $name" "$to" 169.254.169.254 80
	tries port_drop_local "loopback, by the MAC of the $name" "$to" 127.0.0.1
	tries port_drop_group "everybody, by the MAC of the $name" "$to" 255.255.255.255
	tries port_drop_group "a group, by the MAC of the $name" "$to" 224.0.0.251 5353
done
tries port_drop_farm "the range's broadcast, by the gateway" "$gateway" 10.66.255.255
tries port_drop_farm "the network's broadcast, by the gateway" "$gateway" 10.71.255.255
tries port_drop_farm "the network's own address, by the gateway" "$gateway" 10.64.0.0
tries port_drop_group "DHCP" "$BROADCAST" 255.255.255.255 67
tries port_drop_group "the network's broadcast" "$BROADCAST" 10.66.255.255
tries port_drop_group "mDNS" 01:00:5e:00:00:fb 224.0.0.251 5353
tries port_drop_group "LLMNR" 01:00:5e:00:00:fc 224.0.0.252 5355
tries port_drop_group "SSDP" 01:00:5e:7f:ff:fa 239.255.255.250 1900
tries port_drop_group "somebody, to everybody's MAC" "$BROADCAST" "$LAB_CLIENT"
other=$(counter port_drop_other)
in_net "$pid" "$SEND_FRAME" eth0 "$(ethernet 33:33:00:00:00:01 "$mac" 86dd \
	"6000000000083aff$(printf 'fe80%028x' 2)$(printf 'ff02%028x' 1)8000000000000000")"
check_eq "IPv6 to all nodes: port_drop_other" $((other + 1)) "$(counter port_drop_other)"

# ARP.
drops=$(counter port_drop_arp_target)
for address in "$LAB_BOX" 10.66.4.3 10.66.9.9 169.254.169.254 127.0.0.1; do
	asks_for "$address"
done
check_eq "ARP: nobody of the farm can be found, nor the box" $((drops + 5)) "$(counter port_drop_arp_target)"
asks_for 10.66.0.77
check "ARP: somebody else on the segment can, where all is allowed" wait_until 5 seen lan "who-has 10\.66\.0\.77 .*tell $HERE"
asks_for "$LAB_GATEWAY"
check "ARP: the gateway can" wait_until 5 seen lan "who-has 10\.66\.0\.1 .*tell $HERE"

# Forged callers: the answers would meet a container, or the box.
send_lan "$(ethernet "$mac" "$gateway" 0800 "$(echo_request 10.66.4.3 10.66.4.2)")" \
	"$(ethernet "$mac" "$gateway" 0800 "$(echo_request 10.66.9.9 10.66.4.2)")" \
	"$(ethernet "$mac" "$gateway" 0800 "$(echo_request "$FAR" 10.66.4.2)")"
farm=$(counter port_drop_farm)
check "forged: what seems to come from the box is not answered" wait_until 5 counted port_drop_box 8
check "forged: nor what seems to come from a container" counted port_drop_farm "$farm"

# What is right comes last: everything before it has arrived if it ever will.
check "its ping leaves" in_net "$pid" ping -q -c 1 -W 5 "$LAB_CLIENT"
check "and is seen" wait_until 5 seen lan " $HERE > 198\.51\.100\.2: ICMP echo request"
check_eq "on the wire was nothing else of it" '' \
	"$(grep -E "^$mac > " "$tmp/lan" | grep -Ev 'ICMP echo re(quest|ply)|who-has 10\.66\.0\.(1|77) |is-at' || true)"
check_eq "and no echo but with the client" '' \
	"$(grep -E " $HERE > .*ICMP" "$tmp/lan" | grep -v ' > 198\.51\.100\.2: ' || true)"
check_eq "the box has received nothing of it" 0 "$(how_many box "$mac")"
check_eq "nor has the neighbour" 0 "$(how_many neighbour "$mac")"
check_eq "and nothing was bound for it" "$bound" "$(counter bound)"

done_testing
