#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a container sends leaves as what its lease says, or not at all: no frame with another's link
# address, IP address, ARP sender, with a tag, or of another protocol reaches the wire; one without a
# lease can send nothing. The frames are sent from inside, past the container's own kernel.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=2 MAX=6
readonly OTHER=02:00:00:00:00:66 # a link address that nobody has

# dropped COUNTER TEXT FRAME: the container sends it, and it is counted so
dropped() {
	local before
	before=$(counter "$1")
	in_net "$pid" "$SEND_FRAME" eth0 "$3"
	check_eq "$2: $1" $((before + 1)) "$(counter "$1")"
}

lab_up
skepd_start 'policy "open" { verdict = "allow" }' 'range: policy = "open"'
who_has 10.66.4.2
who_has 10.66.4.3
pid=$(lease 10.66.4.2 pid) mac=$(lease 10.66.4.2 mac) neighbour=$(lease 10.66.4.3 mac)
gateway=$(router ip -j link show "$LAB_LAN" | jq -r '.[0].address')
idle=$(containers idle pid | head -n 1)

sniff lan router "$LAB_LAN"
sniff neighbour "$(lease 10.66.4.3 pid)" eth0
sniff box box "$LAB_UPLINK" -Q in
packet=$(echo_request 10.66.4.2 10.66.0.1)
outside=$(counter port_out_arp)+$(counter port_out_ip)

dropped port_drop_mac "IP from another link address" "$(ethernet "$gateway" "$OTHER" 0800 "$packet")"
dropped port_drop_mac "IP from a neighbour's link address" "$(ethernet "$gateway" "$neighbour" 0800 "$packet")"
dropped port_drop_mac "ARP from another link address" \
	"$(ethernet "$BROADCAST" "$OTHER" 0806 "$(arp 1 "$mac" 10.66.4.2 "$NOBODY" 10.66.0.1)")"
dropped port_drop_addr "IP from a dark address" \
	"$(ethernet "$gateway" "$mac" 0800 "$(echo_request 10.66.4.99 10.66.0.1)")"
dropped port_drop_addr "IP from a neighbour's address" \
	"$(ethernet "$gateway" "$mac" 0800 "$(echo_request 10.66.4.3 10.66.0.1)")"
dropped port_drop_addr "IP from a neighbour's address and link address" \
	"$(ethernet "$gateway" "$neighbour" 0800 "$(echo_request 10.66.4.3 10.66.0.1)")"
dropped port_drop_addr "IP from an address out of range" \
	"$(ethernet "$gateway" "$mac" 0800 "$(echo_request 192.0.2.1 10.66.0.1)")"
dropped port_drop_arp "is-at for the gateway" \
	"$(ethernet "$BROADCAST" "$mac" 0806 "$(arp 2 "$mac" 10.66.0.1 "$gateway" 10.66.0.2)")"
dropped port_drop_arp "is-at for a neighbour" \
	"$(ethernet "$gateway" "$mac" 0806 "$(arp 2 "$mac" 10.66.4.3 "$gateway" 10.66.0.1)")"
dropped port_drop_arp "is-at that names another link address" \
	"$(ethernet "$gateway" "$mac" 0806 "$(arp 2 "$OTHER" 10.66.4.2 "$gateway" 10.66.0.1)")"
dropped port_drop_arp "gratuitous ARP for another address" \
	"$(ethernet "$BROADCAST" "$mac" 0806 "$(arp 1 "$mac" 10.66.4.99 "$NOBODY" 10.66.4.99)")"
dropped port_drop_arp "probe for another address" \
	"$(ethernet "$BROADCAST" "$mac" 0806 "$(arp 1 "$mac" 0.0.0.0 "$NOBODY" 10.66.4.99)")"
dropped port_drop_tagged "IP with a tag" "$(ethernet "$gateway" "$mac" 810000070800 "$packet")"
dropped port_drop_tagged "ARP with a tag" "$(who_has_frame "$mac" 10.66.4.2 10.66.0.1 81000007)"
dropped port_drop_tagged "IP with the tag of no VLAN" "$(ethernet "$gateway" "$mac" 810000000800 "$packet")"
dropped port_drop_tagged "IP with a provider's tag" "$(ethernet "$gateway" "$mac" 88a800070800 "$packet")"
dropped port_drop_other "IPv6" "$(ethernet 33:33:00:00:00:01 "$mac" 86dd \
	"6000000000083aff$(printf 'fe80%028x' 1)$(printf 'ff02%028x' 1)8500000000000000")"
dropped port_drop_other "LLDP" "$(ethernet 01:80:c2:00:00:0e "$mac" 88cc 0207046655443322110403303030060200780000)"
dropped port_drop_other "spanning tree" "$(ethernet 01:80:c2:00:00:00 "$mac" 0026 "424203$(printf '%070d' 0)")"
dropped port_drop_malformed "IP that ends inside its header" "$(ethernet "$gateway" "$mac" 0800 "${packet:0:20}")"
dropped port_drop_malformed "IP of version 6" "$(ethernet "$gateway" "$mac" 0800 "6${packet:1}")"
dropped port_drop_malformed "ARP of another hardware" \
	"$(ethernet "$BROADCAST" "$mac" 0806 "0006$(arp 1 "$mac" 10.66.4.2 "$NOBODY" 10.66.0.1 | tail -c +5)")"
check_eq "none of these counts as sent" "$outside" "$(counter port_out_arp)+$(counter port_out_ip)"

# An idle container: not even a frame that would be right if it had the address.
pid=$idle
dropped port_drop_unbound "a who-has without a lease" "$(who_has_frame "$mac" 10.66.4.2 10.66.0.1)"
dropped port_drop_unbound "IP without a lease" "$(ethernet "$gateway" "$mac" 0800 "$packet")"
dropped port_drop_unbound "a tag without a lease" "$(who_has_frame "$mac" 10.66.4.2 10.66.0.1 81000007)"
check_eq "nothing of that binds anything" "$(printf '10.66.4.%d\n' 2 3)" "$(leased)"

# What is right does pass; it comes last, so that all before it has arrived if it ever will.
pid=$(lease 10.66.4.2 pid)
check "its own IP, from its own link address, does leave" \
	in_net "$pid" "$SEND_FRAME" eth0 "$(ethernet "$gateway" "$mac" 0800 "$packet")"
check "and its own ARP" in_net "$pid" "$SEND_FRAME" eth0 "$(who_has_frame "$mac" 10.66.4.2 10.66.0.1)"
packet="^$mac > $gateway, .* 10\.66\.4\.2 > 10\.66\.0\.1: ICMP echo request"
who_has="^$mac > $BROADCAST, .* who-has 10\.66\.0\.1 .*tell 10\.66\.4\.2"
check "the router gets the packet" wait_until 5 seen lan "$packet"
check "the router gets the who-has" wait_until 5 seen lan "$who_has"
check "the router answers the one" wait_until 5 seen lan "^$gateway > $mac, .* ICMP echo reply"
check "the router answers the other" wait_until 5 seen lan "^$gateway > $mac, .* is-at"
check_eq "each came once" '1 1' "$(how_many lan "$packet") $(how_many lan "$who_has")"
is_at="^$mac > $gateway, .* Reply 10\.66\.4\.2 is-at $mac" # the router may ask whether it is still there
check_eq "nothing else has come out of the farm" '' \
	"$(grep -Ev -e "^$gateway " -e "$packet" -e "$who_has" -e "$is_at" "$tmp/lan" || true)"

# Containers and the box are on the wire, each for itself: what one sends goes out, not across.
check_status "a container does not reach its neighbour past the wire" 1 \
	in_net "$pid" arping -q -c 1 -w 1 -I eth0 10.66.4.3
check_eq "its who-has does not even go out" 0 "$(how_many lan 'who-has 10\.66\.4\.3 .*tell 10\.66\.4\.2')"
check_eq "the neighbour has seen nothing from it" 0 "$(how_many neighbour "$mac")"
check_status "nor does it reach the box" 1 in_net "$pid" arping -q -c 1 -w 1 -I eth0 "$LAB_BOX"
check_eq "its who-has does not go out either" 0 "$(how_many lan "who-has ${LAB_BOX//./\\.} .*tell 10\.66\.4\.2")"
check_eq "the box has received nothing from it" 0 "$(how_many box "$mac")"

done_testing
