#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Give way: a real host that takes a leased address has it from its first frame on, whatever that is:
# an announcement, a probe, an answer, plain traffic. The lease ends in the kernel, nothing of ours
# answers or defends the address any more, what still comes to our link address is handed on, and all
# that holds when skepd is dead, or has no time, too.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/segment.sh"

WARM=6 MAX=12
readonly FLOOD=700 # datagrams of 1,400 bytes; the ring holds about 500 of them

# take ADDRESS [HOST]: the host has it from now on, and says nothing
take() { ip -n "$LAB_PREFIX-${2:-host}" address add "$1/16" dev eth0; }

# bind ADDRESS: it is leased; OURS is its link address from then on
bind() {
	who_has "$1" || bail "$1 is not answered for"
	ours=$(lease "$1" mac)
}

# gave_way TEXT ADDRESS [HOST]: the lease ended by a conflict, and the farm keeps out of the address' way
gave_way() {
	check "$1: the lease has ended" wait_until 5 is_dark "$2"
	check "$1: by a conflict" wait_until 5 counted released_conflict $((++conflicts))
	check_eq "$1: seen in the kernel, once" "$conflicts" "$(counter conflict)"
	check_eq "$1: one host answers for the address" "$(host_mac "${3:-host}")" \
		"$(router arping -r -c 2 -w 2 -I "$LAB_LAN" "$2" | sort -u)"
	check_eq "$1: and nothing is bound to it again" "" "$(lease "$2" pid)"
}

# ours_after ADDRESS OURS: ARP frames of our link address for the address since the host's first one
ours_after() {
	awk -v ours="$2 >" -v host="$(host_mac host) >" -v ip="$1" '
		index($0, host) && index($0, ip) {taken = 1}
		taken && index($0, ours) && index($0, ip) && /Reply|Announcement|Request/ {n++}
		END {print n + 0}' "$tmp/wire"
}

conflicts=0 ours=''
lab_up
segment_up
host_up host 10.66.2.1
host_up other 10.66.2.2
host_up quiet
ip -n "$LAB_PREFIX-host" route add default via "$LAB_GATEWAY"
skepd_start 'pool: host_memory = 600'
sniff wire router "$LAB_LAN" arp
spawn box "$SKEPCTL" -s "$socket" --json watch >"$tmp/watch" 2>"$tmp/watch.err"

# Announcements.
bind 10.66.4.2
take 10.66.4.2
on_host host arping -U -S 10.66.4.2 -q -c 1 -w 1 -I eth0 10.66.4.2 || true # hears itself, or not
gave_way "arping -U" 10.66.4.2
check_eq "arping -U: nothing of ours answered after it" 0 "$(ours_after 10.66.4.2 "$ours")"
released() { jq -r 'select(.event == "release") | [.address, .reason, .mac, .host] | join(" ")' "$tmp/watch"; }
was_told() { [[ $(released) == *"$1"* ]]; }
check "the event tells of both link addresses" wait_until 5 was_told "10.66.4.2 conflict $ours $(host_mac host)"

bind 10.66.4.3
take 10.66.4.3
on_host host busybox arping -A -q -c 1 -w 1 -I eth0 10.66.4.3 || true
gave_way "arping -A" 10.66.4.3

# A probe: nothing of ours defends the address, so whoever probes finds it free.
bind 10.66.4.4
check "arping -D finds a leased address free" on_host host busybox arping -D -q -c 2 -w 2 -I eth0 10.66.4.4
take 10.66.4.4
gave_way "arping -D" 10.66.4.4
check_eq "arping -D: nothing of ours answered after it" 0 "$(ours_after 10.66.4.4 "$ours")"

# An answer to somebody else, which XDP sees only when it comes along: here to all.
bind 10.66.4.5
take 10.66.4.5
host=$(host_mac host)
on_host host "$SEND_FRAME" eth0 "$(ethernet "$BROADCAST" "$host" 0806 \
	"$(arp 2 "$host" 10.66.4.5 "$(mac_in "$LAB_PREFIX-other" eth0)" 10.66.2.2)")"
gave_way "an is-at" 10.66.4.5

# Plain traffic, without any ARP before it. Not from who has many addresses: he may be a router.
bind 10.66.4.6
take 10.66.4.6 quiet
on_host quiet "$SEND_FRAME" eth0 \
	"$(ethernet "$BROADCAST" "$(host_mac quiet)" 0800 "$(echo_request 10.66.4.6 10.66.2.2)")"
gave_way "a packet" 10.66.4.6 quiet

# Right behind the frame that shows the host, nobody of ours answers: both leave in one go.
check "containers are ready" wait_until 20 pool_has idle "$WARM"
bind 10.66.4.7
before=$(how_many wire 'Reply 10\.66\.4\.7 is-at')
on_host host "$SEND_FRAME" eth0 \
	"$(ethernet "$BROADCAST" "$host" 0806 "$(arp 1 "$host" 10.66.4.7 "$NOBODY" 10.66.4.7)")" \
	"$(who_has_frame "$host" 10.66.2.1 10.66.4.7)"
check "a host that announces itself and is asked for at once" wait_until 5 counted pass_host 1
check "has the address by then" wait_until 5 counted released_conflict $((++conflicts))
sleep 0.5
check_eq "and no answer came" "$before" "$(how_many wire 'Reply 10\.66\.4\.7 is-at')"

# Whoever still has our link address in his cache reaches the host nevertheless.
bind 10.66.4.8
router ip neigh replace 10.66.4.8 lladdr "$ours" dev "$LAB_LAN" nud permanent
take 10.66.4.8
on_host host arping -U -S 10.66.4.8 -q -c 1 -w 1 -I eth0 10.66.4.8 || true
gave_way "hand on" 10.66.4.8
check "what the router sends to our link address is answered" router ping -q -c 3 -i 0.2 -W 2 10.66.4.8
check "since it was handed on" counted pass_handed_on 3
check "a connection through the router too" client ping -q -c 1 -W 2 10.66.4.8
router ip neigh del 10.66.4.8 dev "$LAB_LAN"

# With skepd standing still, and no room in the ring to tell it: it finds the lease missing.
bind 10.66.5.1
router ip neigh replace 10.66.5.1 lladdr "$ours" dev "$LAB_LAN" nud permanent
ctl release 10.66.5.1 >"$tmp/output"
bind 10.66.4.9
kill -STOP "$skepd_pid"
# Whoever binds, UDP waits for skepd.
# shellcheck disable=SC2016 # for the inner shell
router bash -c 'exec 3<>"/dev/udp/$0/9" && for ((i = 0; i < $1; i++)); do printf "%01400d" 0 >&3; done' 10.66.5.1 "$FLOOD"
check "with skepd standing still, the ring gets full" wait_until 10 counted drop_ask_ring_full 1
take 10.66.4.9
on_host host arping -U -S 10.66.4.9 -q -c 1 -w 1 -I eth0 10.66.4.9 || true
check "the kernel sees the host nevertheless" counted conflict $((conflicts + 1))
check_eq "and nothing of ours answers" "$host" \
	"$(router arping -r -c 2 -w 2 -I "$LAB_LAN" 10.66.4.9 | sort -u)"
kill -CONT "$skepd_pid"
gave_way "a full ring" 10.66.4.9

# With skepd dead.
bind 10.66.4.10
pid=$(lease 10.66.4.10 pid)
skepd_kill
take 10.66.4.10
on_host host arping -U -S 10.66.4.10 -q -c 1 -w 1 -I eth0 10.66.4.10 || true
check_eq "with skepd dead: one host answers for the address" "$host" \
	"$(router arping -r -c 2 -w 2 -I "$LAB_LAN" 10.66.4.10 | sort -u)"
check_eq "with skepd dead: nothing of ours" 0 "$(ours_after 10.66.4.10 "$ours")"
skepd_start 'pool: host_memory = 600'
check "the next skepd does not take it back" is_dark 10.66.4.10
check "and removes the container" wait_until 10 is_gone "$pid"
check "the address stays the host's" test "$(mac_in_answer 10.66.4.10)" = "$host"

done_testing
