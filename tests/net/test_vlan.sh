#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A range may name a VLAN: only frames with its tag ask for its addresses, the container sees them
# without the tag, and what it answers has the tag again. The same addresses on another VLAN are others.
# Frames are built by hand: the kernel that runs the tests may have no VLAN devices.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=2 MAX=6
readonly HOST=02:00:00:00:00:01 HOST_IP=10.66.3.1 TAG7=81000007 TAG8=81000008
readonly TAGGED='ethertype 802\.1Q \(0x8100\), length [0-9]+: vlan'

# refused TEXT FRAME: it is left to the box, as one for no range
refused() {
	local before
	before=$(counter pass_no_range)
	send_lan "$2"
	check "$1 is for no range" wait_until 5 counted pass_no_range $((before + 1))
	check_eq "$1 binds nothing" 0 "$(counter bound)"
}

lab_up
skepd_start 'range: vlan = 7' \
	'uplink: range "10.66.128.0/17" { template = "basic" vlan = 8 verify = "off" }'

refused "an untagged who-has" "$(who_has_frame "$HOST" "$HOST_IP" 10.66.200.2)"
refused "a who-has with another tag" "$(who_has_frame "$HOST" "$HOST_IP" 10.66.200.2 81000009)"
refused "a who-has with the tag of no VLAN" "$(who_has_frame "$HOST" "$HOST_IP" 10.66.200.2 8100e000)"
refused "a who-has for the range of VLAN 7, with the tag of VLAN 8" \
	"$(who_has_frame "$HOST" "$HOST_IP" 10.66.4.2 "$TAG8")"

# Both idle containers are looked into: one of them will be the one.
sniff lan router "$LAB_LAN" ether dst "$HOST"
for pid in $(containers idle pid); do
	sniff "inside-$pid" "$pid" eth0 ether src "$HOST"
done
send_lan "$(who_has_frame "$HOST" "$HOST_IP" 10.66.200.2 "$TAG7")"
check "a who-has with tag 7 is answered, with tag 7" \
	wait_until 5 seen lan "$TAGGED 7, .*Reply 10\.66\.200\.2 is-at "
check_eq "the lease says so" '7 eth0' "$(lease 10.66.200.2 vlan) $(lease 10.66.200.2 uplink)"
inside=inside-$(lease 10.66.200.2 pid) mac=$(lease 10.66.200.2 mac)
check "the container has seen the who-has" wait_until 5 seen "$inside" 'who-has 10\.66\.200\.2 '

# Later frames go through XDP alone: another machine on the VLAN, ARP and IP.
send_lan "$(ethernet "$mac" "$HOST" "${TAG7}0800" "$(echo_request "$HOST_IP" 10.66.200.2)")"
check "a ping with tag 7 is answered, with tag 7" \
	wait_until 5 seen lan "^$mac > $HOST, $TAGGED 7, .*10\.66\.200\.2 > 10\.66\.3\.1: ICMP echo reply"
check "the container has seen the ping" wait_until 5 seen "$inside" 'ICMP echo request'
check_eq "all that the container has seen is without a tag" 0 "$(how_many "$inside" '802\.1Q')"
check_eq "all that has come back from it has the tag" 0 "$(grep -Evc "$TAGGED 7, " "$tmp/lan" || true)"
check "the ping went past skepd" counted leased_ip 1
before=$(counter pass_no_range)
send_lan "$(ethernet "$mac" "$HOST" 0800 "$(echo_request "$HOST_IP" 10.66.200.2)")"
check "the same ping without the tag is not for the container" \
	wait_until 5 counted pass_no_range $((before + 1))

# The same address on another VLAN
send_lan "$(who_has_frame "$HOST" "$HOST_IP" 10.66.200.2 "$TAG8")"
check "the same address is asked for on VLAN 8: answered there" \
	wait_until 5 seen lan "$TAGGED 8, .*Reply 10\.66\.200\.2 is-at "
check_eq "that is another lease" '7 8' \
	"$(ctl --json leases | jq -r '[.leases[] | select(.address == "10.66.200.2").vlan] | sort | join(" ")')"
check_eq "with a container and a link address of its own" '2 2' \
	"$(ctl --json leases | jq -r '"\([.leases[].pid] | unique | length) \([.leases[].mac] | unique | length)"')"
check_status "a release must say which of the two" 1 ctl release 10.66.200.2
check_match "and is told how" 'name uplink and vlan' "$(cat "$tmp/output")"
check "it does" ctl release 10.66.200.2%eth0.7
check_eq "the other one stays" 8 "$(lease 10.66.200.2 vlan)"

# A router that still knows the link address, on the VLAN
check "another container waits" wait_until 10 pool_has idle "$WARM"
sniff asked router "$LAB_LAN" arp
ip_asked() { (($(contacts ip) == 1)); }
send_lan "$(ethernet "$mac" "$HOST" "${TAG7}0800" "$(echo_request "$HOST_IP" 10.66.200.2)")"
check "IP with the tag binds anew, without ARP" wait_until 5 ip_asked
check "the container gets it: it asks for the sender's link address, with the tag" \
	wait_until 5 seen asked "$TAGGED 7, .*who-has 10\.66\.3\.1 .*tell 10\.66\.200\.2"
send_lan "$(ethernet "$mac" "$HOST" "${TAG7}0806" "$(arp 2 "$HOST" "$HOST_IP" "$mac" 10.66.200.2)")"
second_reply() { (($(how_many lan "^$mac > $HOST, $TAGGED 7, .*ICMP echo reply") == 2)); }
check "and when it knows that, answers the packet" wait_until 5 second_reply

done_testing
