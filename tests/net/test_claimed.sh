#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A claimed lease: bound by the uplink program, and skepd has not told the container. With skepd standing
# still, or dead, first contacts of every kind are answered as long as there are idle containers. Until
# they are settled, containers begin nothing outside, answer for nothing but their address, and show
# nothing but its link address. Then skepd settles them all, oldest first: the same containers, the
# same link addresses, and not a packet of what goes on is lost.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/outbound.sh"
. "$(dirname "$0")/chat.sh"

BIND=kernel WARM=9 MAX=9 # none is started while some are claimed
readonly HOST=06:a1:b2:c3:d4:e5 HOST_IP=10.66.3.1 SERVICE=5000
readonly NEAR=10.66.3.9 # of the router's, too; in the range
readonly ASKED=10.66.4.2 PINGED=10.66.4.3 FETCHED=10.66.4.4 REMEMBERED=10.66.4.5 TOLD=10.66.4.6 CALLED=10.66.4.7
readonly ALL="$ASKED $PINGED $FETCHED $REMEMBERED $TOLD $CALLED 10.66.4.8 10.66.4.9 10.66.4.10"
readonly DARK=10.66.4.20

page() { client curl -sSf -m 5 -o "$tmp/page" "http://$1/"; }
unsettled() { ctl --json status | jq .unsettled; }
unsettled_are() { (($(unsettled) == $1)); }
states() { dump_map leases | jq -r '.[].value.state' | sort | uniq -c | xargs; }
lives() { ctl --json leases | jq -r '.leases[] | "\(.address) \(.mac) \(.container) \(.pid)"' | sort; }
refused() { echo $(($(counter no_bind_pool_empty) + $(counter no_bind_late))); }
macs() { ctl --json leases | jq -r '.leases[] | "\(.address) \(.mac)"' | sort; }
eth0_of() { in_net "$1" ip -j link show eth0 | jq -r '.[0].address'; }

# In the order of the binds: when each was settled.
settled_at() { dump_map leases | jq -c '[sort_by(.value.bound_ns)[].value | .bound_ns + .settle_ns]'; }

# remember ADDRESS...: the router knows their link addresses for good; they are dark
remember() {
	local address
	for address; do
		who_has "$address"
		router ip neigh replace "$address" lladdr "$(lease "$address" mac)" dev "$LAB_LAN" nud permanent
		ctl release "$address" >"$tmp/output"
		wait_until 20 pool_has idle "$WARM"
	done
}

# Whoever gets the address has the service.
serve_inside() {
	local pid
	servers=()
	for pid in $(containers idle pid); do
		spawn box nsenter --target "$pid" --net -- "$REPLY" udp 0.0.0.0 "$SERVICE" hello
		servers+=("$spawned")
	done
}

# capture NAME: all that comes to the router's LAN, byte by byte
capture() {
	spawn router tcpdump -U -n --immediate-mode -Q in -i "$LAB_LAN" -w "$tmp/$1.pcap" 2>"$tmp/$1.err"
	capturing=$spawned
	wait_until 10 grep -q listening "$tmp/$1.err"
}
bytes_of() { od -An -v -tx1 "$tmp/$1.pcap" | tr -d ' \n'; }
# shown NAME FILE: those link addresses of the list that are anywhere in the capture
shown() {
	local mac
	bytes_of "$1" >"$tmp/$1.hex"
	while read -r mac; do
		! grep -qF "$(hex_mac "$mac")" "$tmp/$1.hex" || echo "$mac"
	done <"$2"
}

# first_contacts TEXT: of every kind, while skepd does nothing
first_contacts() {
	check "$1: one who-has is answered" is_answered "$ASKED"
	check "$1: a ping from behind the router" client ping -q -c 1 -W 5 "$PINGED"
	check "$1: a page comes" page "$FETCHED"
	before=$(counter bound_ip)
	check "$1: IP without ARP" client ping -q -c 1 -W 5 "$REMEMBERED"
	check_eq "$1: by that packet" $((before + 1)) "$(counter bound_ip)"
	check "$1: another page, without ARP" page "$TOLD"
}

# dropped COUNTER TEXT PID FRAME: the container sends it, and it is counted so
dropped() {
	local before
	before=$(counter "$1")
	in_net "$3" "$SEND_FRAME" eth0 "$4"
	check_eq "$2: $1" $((before + 1)) "$(counter "$1")"
}
# ignored COUNTER TEXT FRAME: somebody outside sends it, and it is counted so
ignored() {
	local before
	before=$(counter "$1")
	send_lan "$3"
	check "$2: $1" wait_until 5 counted "$1" $((before + 1))
}

# By ARP, which it goes on asking; ip(8) shows the awaited gateway whatever its state.
has_no_questions() { ! in_net "$1" ip neigh show | grep -E 'INCOMPLETE|PROBE'; }

# What the container of ASKED tries; it does not know its own address.
prisoner() {
	local pid mac eth0 out
	pid=$(lease "$ASKED" pid) mac=$(lease "$ASKED" mac) eth0=$(eth0_of "$(lease "$ASKED" pid)")
	check_eq "$1: it does not have the address" '' "$(in_net "$pid" ip -4 -o address show dev eth0)"
	check "$1: nor its link address" test "$eth0" != "$mac"
	sniff "out.$1" router "$LAB_LAN" "ether src $mac or ether src $eth0"
	sniff "in.$1" "$pid" eth0 -Q in
	out=$(counter port_out_ip)+$(counter port_out_allowed)
	check_status "$1: it pings nobody outside" 1 in_net "$pid" ping -q -c 1 -W 1 "$LAB_CLIENT"
	check_status "$1: nor from the address" 1 in_net "$pid" ping -q -c 1 -W 1 -I "$ASKED" "$LAB_CLIENT"
	check_status "$1: nor the router" 1 in_net "$pid" ping -q -c 1 -W 1 -I "$ASKED" "$LAB_GATEWAY"
	check_status "$1: it gets no page" 28 in_net "$pid" curl -s -m 1 "http://$LAB_CLIENT:8080/"
	check_status "$1: nor from the address" 28 in_net "$pid" curl -s -m 1 --interface "$ASKED" "http://$LAB_CLIENT:8080/"
	check_silence "$1: nor an answer by UDP" udp "$LAB_CLIENT" 53
	in_net "$pid" ping -q -c 1 -W 1 -I "$ASKED" "$PINGED" >"$tmp/output" 2>&1 || true # itself, if anybody
	check "$1: it has given up to look for anybody" wait_until 10 has_no_questions "$pid"
	dropped port_drop_addr "$1: IP from a dark address" "$pid" \
		"$(ethernet "$gateway" "$eth0" 0800 "$(echo_request "$DARK" "$LAB_GATEWAY")")"
	dropped port_drop_addr "$1: IP from a neighbour's" "$pid" \
		"$(ethernet "$gateway" "$eth0" 0800 "$(echo_request "$PINGED" "$LAB_GATEWAY")")"
	dropped port_drop_arp "$1: is-at for a dark address" "$pid" \
		"$(ethernet "$BROADCAST" "$eth0" 0806 "$(arp 2 "$eth0" "$DARK" "$gateway" "$LAB_GATEWAY")")"
	dropped port_drop_arp "$1: is-at for the gateway" "$pid" \
		"$(ethernet "$BROADCAST" "$eth0" 0806 "$(arp 2 "$eth0" "$LAB_GATEWAY" "$HOST" "$HOST_IP")")"
	dropped port_drop_mac "$1: IP from another link address" "$pid" \
		"$(ethernet "$gateway" "$HOST" 0800 "$(echo_request "$ASKED" "$LAB_GATEWAY")")"
	dropped port_drop_rule "$1: IP from its own, to somebody who has not asked" "$pid" \
		"$(ethernet "$gateway" "$eth0" 0800 "$(echo_request "$ASKED" "$LAB_CLIENT")")"
	ignored drop_wrong_mac "$1: IP to its link address, and another address" \
		"$(ethernet "$mac" "$HOST" 0800 "$(echo_request "$HOST_IP" "$DARK")")"
	ignored drop_wrong_mac "$1: a who-has to its link address, for another address" \
		"$(ethernet "$mac" "$HOST" 0806 "$(arp 1 "$HOST" "$HOST_IP" "$NOBODY" "$DARK")")"
	ignored drop_wrong_mac "$1: IP to its address, and the link address that it has inside" \
		"$(ethernet "$eth0" "$HOST" 0800 "$(echo_request "$HOST_IP" "$ASKED")")"
	ignored pass_no_range "$1: IP to its link address, and nobody's address" \
		"$(ethernet "$mac" "$HOST" 0800 "$(echo_request "$HOST_IP" 10.99.1.1)")"
	ignored pass_ip_group "$1: IP to its address, for all" \
		"$(ethernet "$BROADCAST" "$HOST" 0800 "$(echo_request "$HOST_IP" "$ASKED")")"
	check_eq "$1: none of this has got out" "$out" "$(counter port_out_ip)+$(counter port_out_allowed)"
	# What is right comes last: everything before it has arrived if it ever will.
	check "$1: it answers whoever asks" router ping -q -c 1 -W 5 "$ASKED"
	check "$1: which is seen" wait_until 5 seen "out.$1" "^$mac .* ${ASKED//./\\.} > .*ICMP echo reply"
	check_eq "$1: and is all that is, but ARP of its own" '' \
		"$(grep -Ev -e "^$mac .*(ICMP echo reply|Reply ${ASKED//./\\.} is-at $mac)" \
			-e "^$mac .*who-has ${LAB_GATEWAY//./\\.} .*tell ${ASKED//./\\.}" "$tmp/out.$1" || true)"
	check_eq "$1: nothing of the rest has come in" 0 "$(how_many "in.$1" "$DARK|10\\.99\\.1\\.1")"
}

servers=()
lab_up
serve web tcp "$LAB_CLIENT" 8080
serve resolver udp "$LAB_CLIENT" 53
gateway=$(router ip -j link show "$LAB_LAN" | jq -r '.[0].address')
ip -n "$LAB_ROUTER_NS" address add "$NEAR/32" dev "$LAB_LAN"
skepd_start
router arping -q -c 1 -w 1 -I "$LAB_LAN" -S "$NEAR" "$LAB_BOX" || true # so that it is known to be a host's
remember "$REMEMBERED" "$TOLD"
check_farm "before"

for how in "stopped" "dead"; do
	for pid in $(containers idle pid); do eth0_of "$pid"; done >"$tmp/waiting"
	check_eq "$how: link addresses of idle containers are all different" "$WARM" "$(sort -u "$tmp/waiting" | wc -l)"
	serve_inside
	capture "$how"
	bound=$(counter bound) settled=$(counter settled) held=$(counter held_settling) resent=$(counter resent) late=$(counter no_bind_late)
	if [[ $how == stopped ]]; then
		kill -STOP "$skepd_pid"
		first_contacts "$how"
		prisoner "$how"
		check_eq "$how: skepctl says how they are" claimed "$(ctl --json leases | jq -r '.leases[].state' | sort -u)"
		check_eq "$how: and how many" 5 "$(unsettled)"
	else
		# skepctl needs a skepd; what it would say of the leases is in the map.
		macs >"$tmp/none"
		skepd_kill
		check "$how: one who-has is answered" is_answered "$ASKED"
		check "$how: a ping from behind the router" client ping -q -c 1 -W 5 "$PINGED"
		check "$how: a page comes" page "$FETCHED"
		check "$how: IP without ARP" client ping -q -c 1 -W 5 "$REMEMBERED"
		check "$how: another page, without ARP" page "$TOLD"
	fi

	# What goes on all the time.
	spawn client ping -q -i 0.01 -W 5 "$PINGED" >"$tmp/pings" 2>&1
	pings=$spawned
	rm -f "$tmp/enough"
	chat "$FETCHED"
	check "$how: a connection is there" wait_until 5 has_grown 10
	mac=$(mac_in_answer "$ASKED")

	check_eq "$how: all are claimed" '5 1' "$(states)"

	# To the range itself a container does not find its way yet: whoever is there waits. UDP waits for its
	# source address; by ARP first, and as the very first.
	spawn router ping -q -c 1 -W 20 -I "$NEAR" "$PINGED" >"$tmp/near" 2>&1
	near=$spawned
	spawn client "$REPLY" ask-udp "$ASKED" "$SERVICE" >"$tmp/asked"
	asker=$spawned
	spawn client "$REPLY" ask-udp "$CALLED" "$SERVICE" >"$tmp/called"
	caller=$spawned
	is_called() { [[ $(lease_state "$CALLED") == 1 ]]; }
	check "$how: UDP binds as well" wait_until 2 is_called
	if [[ $how == stopped ]]; then
		check "$how: both datagrams are held, and the ping" wait_until 2 counted held_settling $((held + 3))
		kill -CONT "$skepd_pid"
	else
		skepd_start
	fi
	check "$how: then all are settled" wait_until 10 unsettled_are 0
	check_eq "$how: every one of them" '6 3' "$(states)"
	order=$(settled_at)
	check_eq "$how: oldest first" "$(jq -c sort <<<"$order")" "$order"
	wait "$asker" || true
	wait "$caller" || true
	# To start a skepd may take longer than this client waits, or than a frame is held for.
	if [[ $how == stopped ]]; then
		check_eq "$how: UDP is answered" 'hello hello' "$(cat "$tmp/asked") $(cat "$tmp/called")"
		check "$how: so is the machine in the range" wait "$near"
		check_eq "$how: nothing that was held was too late" "$late" "$(counter no_bind_late)"
	fi
	all_sent() { (($(counter resent) - resent + $(counter no_bind_late) - late == $(counter held_settling) - held)); }
	check "$how: what was held was sent, unless it was too late" wait_until 5 all_sent
	check_eq "$how: UDP is answered from now on" hello "$(client "$REPLY" ask-udp "$CALLED" "$SERVICE")"
	lines=$(wc -l <"$tmp/chat")
	check "$how: the connection goes on" wait_until 5 has_grown $((lines + 10))
	: >"$tmp/enough"
	check "$how: to its end" wait "$chat"
	kill -INT "$pings"
	wait "$pings" || true
	check_match "$how: not one ping is lost" ' 0% packet loss' "$(cat "$tmp/pings")"
	check_match "$how: of many" '[0-9]{2,} packets transmitted' "$(cat "$tmp/pings")"
	check_eq "$how: the link address is the same" "$mac" "$(mac_in_answer "$ASKED")"
	check_eq "$how: as inside" "$mac" "$(eth0_of "$(lease "$ASKED" pid)")"
	check_eq "$how: each is counted" "$((bound + 6)) $((settled + 6))" "$(counter bound) $(counter settled)"

	# The rest of the containers, and then none is left.
	kill -STOP "$skepd_pid"
	for address in $ALL; do
		[[ -n $(lease_state "$address") ]] || check "$how: $address is answered" is_answered "$address"
	done
	lives >"$tmp/lives"
	asked=$(counter ask_arp) refused=$(refused)
	check_status "$how: with no container left, an address stays dark" 1 is_answered "$DARK"
	check_eq "$how: it is asked for" $((asked + 1)) "$(counter ask_arp)"
	if [[ $how == dead ]]; then
		skepd_kill
		skepd_start
	else
		kill -CONT "$skepd_pid"
	fi
	is_refused() { (($(refused) > refused)); }
	check "$how: in vain" wait_until 5 is_refused
	check "$how: the rest is settled, too" wait_until 10 unsettled_are 0
	check_eq "$how: with the same containers" "$(cat "$tmp/lives")" "$(lives)"
	kill "$capturing" "${servers[@]}"
	wait "$capturing" || true
	check_eq "$how: on the wire was no link address of an idle container" '' "$(shown "$how" "$tmp/waiting")"
	macs | awk '{print $2}' >"$tmp/known"
	check_eq "$how: but those of the addresses were" "$WARM" "$(shown "$how" "$tmp/known" | wc -l)"
	check_farm "$how: settled"
	router ip neigh flush dev "$LAB_LAN" # or it asks whether they are still there
	for address in $ALL; do
		ctl release "$address" >"$tmp/output"
	done
	check_farm "$how: released"
	check_eq "$how: all of them" '' "$(leased)"
done

done_testing
