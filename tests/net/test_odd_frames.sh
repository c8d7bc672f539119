#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Frames that no ordinary neighbour sends: probes, gratuitous ARP, malformed, truncated, foreign and
# oversized ones. Each is counted as what it is, and none binds an address.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=2 MAX=4
readonly HOST=02:00:00:00:00:01 HOST_IP=10.66.3.1 DARK=10.66.4.2 GROUP=01:00:5e:00:00:01
readonly MAC=00:1b:21:00:00:99 # what the dark address might have

# counts COUNTER TEXT FRAME: one frame on the wire, and it is counted so
counts() {
	local before
	before=$(counter "$1")
	send_lan "$3"
	check "$2: $1" wait_until 5 counted "$1" $((before + 1))
}

broadcast() { ethernet "$BROADCAST" "$HOST" 0806 "$1"; }
packet() { ethernet "$MAC" "$HOST" 0800 "$1"; }
zeros() { printf "%0$((2 * $1))d" 0; }

lab_up
skepd_start 'uplink: network = "10.66.0.0/16"'
plain=$(arp 1 "$HOST" "$HOST_IP" "$NOBODY" "$DARK")

# Probes and announcements (RFC 5227): whoever takes an address for himself finds it free.
counts pass_arp_probe "a probe" "$(broadcast "$(arp 1 "$HOST" 0.0.0.0 "$NOBODY" "$DARK")")"
check_status "arping's probe gets no answer" 1 router arping -0 -q -c 1 -w 0.5 -I "$LAB_LAN" "$DARK"
check "and is counted as one" counted pass_arp_probe 2
counts pass_arp_gratuitous "an announcement" "$(broadcast "$(arp 1 "$HOST" "$DARK" "$NOBODY" "$DARK")")"
counts pass_arp_gratuitous "an announcement as a reply" "$(broadcast "$(arp 2 "$HOST" "$DARK" "$HOST" "$DARK")")"
counts pass_arp_reply "an is-at that nobody asked for" "$(broadcast "$(arp 2 "$HOST" "$HOST_IP" "$MAC" "$DARK")")"
router arping -U -S "$DARK" -q -c 1 -w 0.2 -I "$LAB_LAN" "$DARK" || true # hears itself, or not
check "arping's announcement is one" counted pass_arp_gratuitous 3

# ARP in which one field is wrong
counts pass_arp_malformed "ARP of another hardware type" "$(broadcast "0006${plain:4}")"
counts pass_arp_malformed "ARP for another protocol" "$(broadcast "${plain:0:4}86dd${plain:8}")"
counts pass_arp_malformed "ARP with link addresses of 8 bytes" "$(broadcast "${plain:0:8}08${plain:10}")"
counts pass_arp_malformed "ARP with addresses of 16 bytes" "$(broadcast "${plain:0:10}10${plain:12}")"
counts pass_arp_malformed "ARP with operation 0" "$(broadcast "$(arp 0 "$HOST" "$HOST_IP" "$NOBODY" "$DARK")")"
counts pass_arp_malformed "reverse ARP" "$(broadcast "$(arp 3 "$HOST" "$HOST_IP" "$NOBODY" "$DARK")")"
counts pass_arp_malformed "inverse ARP" "$(broadcast "$(arp 8 "$HOST" "$HOST_IP" "$NOBODY" "$DARK")")"
counts pass_arp_sender "ARP from a group's link address" "$(broadcast "$(arp 1 "$GROUP" "$HOST_IP" "$NOBODY" "$DARK")")"
counts pass_arp_sender "ARP from the broadcast link address" "$(broadcast "$(arp 1 "$BROADCAST" "$HOST_IP" "$NOBODY" "$DARK")")"
counts pass_arp_sender "ARP from no link address" "$(broadcast "$(arp 1 "$NOBODY" "$HOST_IP" "$NOBODY" "$DARK")")"
counts pass_arp_sender "ARP from a group's address" "$(broadcast "$(arp 1 "$HOST" 224.0.0.1 "$NOBODY" "$DARK")")"
counts pass_arp_sender "ARP from the loopback" "$(broadcast "$(arp 1 "$HOST" 127.0.0.1 "$NOBODY" "$DARK")")"
counts pass_arp_sender "ARP from the broadcast address" "$(broadcast "$(arp 1 "$HOST" 255.255.255.255 "$NOBODY" "$DARK")")"
counts pass_arp_sender "ARP from the network's broadcast address" \
	"$(who_has_frame "$HOST" 10.66.255.255 "$DARK")"
counts pass_arp_sender "ARP from the network itself" "$(who_has_frame "$HOST" 10.66.0.0 "$DARK")"
counts pass_arp_foreign "ARP from another network" "$(who_has_frame "$HOST" 10.67.3.1 "$DARK")"
counts pass_arp_sender "ARP in a frame from a group" "$(ethernet "$BROADCAST" "$GROUP" 0806 "$plain")"
counts pass_truncated "ARP that ends early" "$(broadcast "${plain:0:54}")"
counts pass_truncated "ARP that does not begin" "$(broadcast '')"

# IPv4 that no machine would answer
ping=$(echo_request "$HOST_IP" "$DARK")
counts pass_ip_malformed "IPv4 of version 5" "$(packet "5${ping:1}")"
counts pass_ip_malformed "IPv4 with a header of 16 bytes" "$(packet "44${ping:2}")"
counts pass_truncated "IPv4 that ends inside its header" "$(packet "${ping:0:38}")"
counts pass_ip_sender "IPv4 from 0.0.0.0" "$(packet "$(echo_request 0.0.0.0 "$DARK")")"
counts pass_ip_sender "IPv4 from the loopback" "$(packet "$(echo_request 127.0.0.1 "$DARK")")"
counts pass_ip_sender "IPv4 from a group" "$(packet "$(echo_request 224.0.0.5 "$DARK")")"
counts pass_ip_sender "IPv4 from the broadcast address" "$(packet "$(echo_request 255.255.255.255 "$DARK")")"
counts pass_ip_sender "IPv4 in a frame from a group" "$(ethernet "$MAC" "$GROUP" 0800 "$ping")"
counts pass_ip_group "IPv4 in a broadcast frame" "$(ethernet "$BROADCAST" "$HOST" 0800 "$ping")"
counts pass_ip_group "IPv4 in a frame to a group" "$(ethernet "$GROUP" "$HOST" 0800 "$ping")"

# Foreign frames
counts pass_other "IPv6" "$(ethernet 33:33:00:00:00:01 "$HOST" 86dd "6000000000083aff$(zeros 40)")"
counts pass_other "LLDP" "$(ethernet 01:80:c2:00:00:0e "$HOST" 88cc 0207046655443322110403303030060200780000)"
counts pass_other "a provider's tag" "$(who_has_frame "$HOST" "$HOST_IP" "$DARK" 88a80007)"
counts pass_other "two tags" "$(who_has_frame "$HOST" "$HOST_IP" "$DARK" 8100000781000007)"
counts pass_other "a length instead of a type" "$(ethernet 01:80:c2:00:00:00 "$HOST" 0026 "424203$(zeros 35)")"
counts pass_truncated "a tag that ends early" "$(ethernet "$BROADCAST" "$HOST" 8100 0007)"
counts pass_no_range "a who-has with the tag of a VLAN without ranges" "$(who_has_frame "$HOST" "$HOST_IP" "$DARK" 81000007)"
counts pass_no_range "a who-has for an address of no range" "$(who_has_frame "$HOST" "$HOST_IP" 10.67.4.2)"

# For what is dark, or somebody's
counts drop_wrong_mac "IPv4 to a dark address, but another link address" \
	"$(packet "$(echo_request "$HOST_IP" 10.66.4.9)")"
counts pass_host "who-has for what somebody has announced" "$(who_has_frame "$HOST" "$HOST_IP" "$DARK")"

check_eq "none of all these has bound anything" '0 ' "$(counter bound) $(leased)"
check_eq "or asked for it" '0 0' "$(contacts arp) $(contacts ip)"

# What is only unusual does bind.
answered() { wait_until 5 seen lan "Reply ${1//./\\.} is-at .*"; }
sniff lan router "$LAB_LAN" 'arp[6:2] == 2'
send_lan "$(who_has_frame "$HOST" "$HOST_IP" 10.66.4.3)$(zeros 18)"
check "a who-has that is padded to the least length is answered" answered 10.66.4.3
send_lan "$(who_has_frame "$HOST" "$HOST_IP" 10.66.4.4 81000000)"
check "one with the tag of no VLAN, a priority only, too" answered 10.66.4.4
check "a third container is ready" wait_until 10 pool_has idle 2
send_lan "$(who_has_frame "$HOST" "$HOST_IP" 10.66.4.5)$(zeros 1400)"
check "one with a long trailer, too" answered 10.66.4.5
check_eq "three binds in all" 3 "$(comes_to bound 3)"
check_eq "each was answered to the one who asked, and never to all" '3 0' \
	"$(how_many lan "> $HOST, .*Reply") $(how_many lan "> $BROADCAST, .*Reply")"

# Once it is leased, the address is a machine's, which gives way to whoever wants it.
counts drop_wrong_mac "IPv4 to a leased address, but another link address" \
	"$(packet "$(echo_request "$HOST_IP" 10.66.4.3)")"
counts pass_ip_group "IPv4 to a leased address in a broadcast frame" \
	"$(ethernet "$BROADCAST" "$HOST" 0800 "$(echo_request "$HOST_IP" 10.66.4.3)")"
counts conflict "a probe for a leased address" \
	"$(broadcast "$(arp 1 "$HOST" 0.0.0.0 "$NOBODY" 10.66.4.3)")"
check "which ends the lease" wait_until 5 is_dark 10.66.4.3
check_eq "and only that one" '10.66.4.4 10.66.4.5 ' "$(leased | tr '\n' ' ')"

# Too long to be held, when no container is to be had at once; jumbo frames must fit the link first.
for address in 10.66.4.6 10.66.4.7; do
	check "$address is bound" wait_until 10 who_has "$address"
done
check "then all containers there may be are bound" wait_until 10 pool_has bound "$MAX"
router ip link set "$LAB_LAN" mtu 3000
box ip link set "$LAB_UPLINK" mtu 3000
counts drop_ask_too_long "a jumbo who-has for a dark address" \
	"$(who_has_frame "$HOST" "$HOST_IP" 10.66.4.9)$(zeros 2500)"

done_testing
