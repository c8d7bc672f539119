#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Reflection: an intruder whose container scans outward meets other containers, which have the addresses
# he asks for, for him alone. TCP, UDP and ping work, a worm spreads from one to the next and back, and
# not one frame of it is on the wire. Another intruder meets others at the same addresses. All of it is
# bounded, goes on while skepd is dead, is taken over, and ends with the intruder's lease.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"
. "$(dirname "$0")/wire.sh"

readonly FIRST=10.66.4.2 SECOND=10.66.4.3 FAR=8.8.8.8 FARTHER=9.9.9.9 NEAR=10.66.7.7
readonly PER_CONTAINER=6 IN_ALL=9

# on_wire ADDRESS KEY: what skepctl says of an intruder's own lease; in_world INTRUDER [ADDRESS] KEY: of
# his reflections, one a line
on_wire() {
	ctl --json leases | jq -r --arg address "$1" --arg key "$2" \
		'.leases[] | select(.uplink != "reflect" and .address == $address)[$key]'
}
slot_of() { on_wire "$1" container | tr -d c; }
in_world() {
	ctl --json leases | jq -r --argjson root "$(slot_of "$1")" --arg key "${*: -1}" --arg address "${3:+$2}" \
		'.leases[] | select(.uplink == "reflect" and .vlan == $root)
			| select($address == "" or .address == $address)[$key]'
}
addresses_in() { in_world "$1" address | sort -V | tr '\n' ' ' | sed 's/ $//'; }
worlds() { ctl --json leases | jq -c '[.leases[] | select(.uplink == "reflect") | [.address, .vlan, .container, .pid]] | sort'; }
reflections() { ctl --json status | jq ".reflections.$1"; }

# from PID COMMAND...: as the intruder in that container would
from() { in_net "$@"; }
page_from() { from "$1" curl -sSf -m 5 "http://$2/"; }
pings_from() { from "$1" ping -q -c 2 -i 0.1 -W 3 "${@:3}" "$2"; }
retransmitted() { from "$1" nstat -asz TcpRetransSegs | awk '$1 == "TcpRetransSegs" {print $2}'; }
not() { ! "$@"; }
dark_from() { ! from "$1" ping -q -c 1 -W 1 "$2" >/dev/null; }

# Something on a UDP port that says back what it hears, once: nobody but this test needs it.
udp_echo() { # PID PORT
	# shellcheck disable=SC2016 # perl's own
	spawn box nsenter --target "$1" --net -- perl -MIO::Socket::INET -e \
		'my $s = IO::Socket::INET->new(LocalPort => shift, Proto => "udp") or die; my $m;
		while ($s->recv($m, 999)) { $s->send("heard $m") }' "$2"
	servers+=("$spawned")
	wait_until 5 from "$1" bash -c "ss -Hlun sport = :$2 | grep -q ."
}
ask_udp() { # PID ADDRESS PORT
	# shellcheck disable=SC2016 # the inner shell's
	from "$1" bash -c 'exec 3<>"/dev/udp/$0/$1" && echo -n hello >&3 && timeout 3 head -c 11 <&3' "$2" "$3"
}

# No frame of a world on the wire: none has an address of one but the intruders' own.
strays() {
	grep -E -- "$(tr ' ' '|' <<<"$FAR $FARTHER $NEAR" | sed 's/\./\\./g')|10\\.66\\.9\\.|203\\.0\\.113\\." "$tmp/wire" || true
}

policy='verdict = "reflect"' # of all that a container begins

# start [LINE...]
# shellcheck disable=SC2120 # the lines are optional
start() {
	skepd_start "$@" "policy \"mirror\" { $policy }" 'template: policy = "mirror"' \
		"pool: reflections_per_container = $PER_CONTAINER reflections_max = $IN_ALL"
}

# Each start of skepd is told apart by its log.
handed_over() { logged "taken over from an earlier skepd" && skepd_running; }
hand_over() {
	: >"$log"
	log_shown=0
	ctl handover && wait_until 20 handed_over
}

servers=()
lab_up
WARM=6 MAX=30
start
sniff wire router "$LAB_LAN" ''
spawn box "$SKEPCTL" -s "$socket" --json watch >"$tmp/events" 2>/dev/null
check "an attacker comes in" client curl -sSf -m 5 -o /dev/null "http://$FIRST/"
first=$(on_wire "$FIRST" pid)

# TCP, ping and UDP, near and far
check "a page from an address far away" page_from "$first" "$FAR"
check_eq "the first packet was held, and was as good as any" 0 "$(retransmitted "$first")"
check "ping" pings_from "$first" "$FAR"
check "ping of several fragments" pings_from "$first" "$FAR" -s 4000
check "ping to a neighbour, who is asked for by ARP" pings_from "$first" "$NEAR"
check "a page from the neighbour" page_from "$first" "$NEAR"
far=$(in_world "$FIRST" "$FAR" pid)
near=$(in_world "$FIRST" "$NEAR" pid)
udp_echo "$far" 4000
check_eq "UDP, both ways" 'heard hello' "$(ask_udp "$first" "$FAR" 4000)"
check_status "UDP to a port where nobody listens is refused" 1 ask_udp "$first" "$FAR" 4001
check_status "so is TCP" 7 from "$first" curl -s -m 5 "http://$FAR:81/"
check_eq "two reflections, by name" "$FAR $NEAR" "$(addresses_in "$FIRST")"
check_eq "status says so" '2 1' "$(reflections containers) $(reflections worlds)"
check_eq "so do the counters" 2 "$(counter reflected)"
check_eq "and who watches" "$(slot_of "$FIRST") $FIRST" \
	"$(jq -r --arg far "$FAR" 'select(.event == "bind" and .uplink == "reflect" and .address == $far) | "\(.vlan) \(.requester)"' "$tmp/events")"
check_match "the list for people names the world" "$FAR +reflect +$(slot_of "$FIRST") " "$(ctl leases)"
check_eq "the far one is behind a gateway" 'default via 8.8.8.1 dev eth0' \
	"$(in_net "$far" ip route show default | sed 's/ *$//')"
check_eq "the near one behind that of the segment" "default via $LAB_GATEWAY dev eth0" \
	"$(in_net "$near" ip route show default | sed 's/ *$//')"
check "the attacker's own connection goes on meanwhile" client curl -sSf -m 5 -o /dev/null "http://$FIRST/"

# A worm: from the first to the next, from there to another, and back to where it came from
check_status "a reflection goes on: UDP, where nobody listens" 1 ask_udp "$far" "$FARTHER" 4001
check "and TCP" page_from "$far" "$FARTHER"
farther=$(in_world "$FIRST" "$FARTHER" pid)
check "and the next one on" page_from "$farther" "$NEAR"
check "back to the first container, by TCP" page_from "$farther" "$FIRST"
check "from a neighbour too" page_from "$near" "$FIRST"
check "by ping" pings_from "$far" "$FIRST"
check "in fragments" pings_from "$far" "$FIRST" -s 4000
udp_echo "$first" 4002
check_eq "by UDP" 'heard hello' "$(ask_udp "$near" "$FIRST" 4002)"
check_status "where nobody listens, the first one refuses" 7 from "$far" curl -s -m 5 "http://$FIRST:81/"
check_status "in UDP too" 1 ask_udp "$near" "$FIRST" 4003
check_eq "all in one world" "$FAR $FARTHER $NEAR" "$(addresses_in "$FIRST")"

# A world of one's own
check "another attacker comes in elsewhere" client curl -sSf -m 5 -o /dev/null "http://$SECOND/"
second=$(on_wire "$SECOND" pid)
check "the same address answers him" pings_from "$second" "$FAR"
check "with a page" page_from "$second" "$FAR"
far2=$(in_world "$SECOND" "$FAR" pid)
check "but it is another container" test "${far2:-$far}" != "$far"
check "what the first one has, he has not" test "$(addresses_in "$SECOND")" == "$FAR"
check_status "nor what runs there" 1 ask_udp "$second" "$FAR" 4000
check_eq "two worlds" '4 2' "$(reflections containers) $(reflections worlds)"
check "the first intruder's address, asked for by the second, is a reflection" pings_from "$second" "$FIRST"
check "in his world" test "$(in_world "$SECOND" "$FIRST" pid)" != "$first"
check_eq "the first intruder has got nothing of it" 0 \
	"$(in_net "$first" ss -Htn "dst $SECOND" | wc -l)"

# A scan outward meets reflections and nothing else, and no more than the bound
wait_until 20 farm_settled || true
from "$first" nmap -n -sn -PE --max-retries 2 -oG - 203.0.113.1-40 >"$tmp/scan" 2>&1 || true
check_eq "a scan of others finds as many as there may be" $((PER_CONTAINER - 3)) "$(grep -c 'Status: Up' "$tmp/scan")"
check_eq "the world is full" "$PER_CONTAINER" "$(in_world "$FIRST" address | wc -l)"
check "what is more was refused, and counted" counted no_bind_reflections 1
check "or not even asked for" counted reflect_drop_budget 1
check "those who are there still are" page_from "$first" "$FAR"
check "an ARP scan of the segment finds nobody then" dark_from "$first" 10.66.9.9
check "the other intruder may have one more, the ninth of all" pings_from "$second" 203.0.113.99
check "and then the bound for all holds" dark_from "$second" 203.0.113.98
from "$second" nmap -n -Pn -sS -p 23,80 --max-retries 1 --host-timeout 5s 203.0.113.100-110 >/dev/null 2>&1 || true
check_eq "nine in all" "$IN_ALL" "$(reflections containers)"
check_eq "ports of a reflection are those of a container" '21/open/tcp 23/open/tcp 80/open/tcp' \
	"$(from "$first" nmap -n -Pn -sS -p 21,22,23,80 -oG - "$FAR" | grep -o '[0-9]*/open/tcp' | tr '\n' ' ' | sed 's/ $//')"
check_farm "with two full worlds"

# One reflection is released; then its address is somebody new
slot=$(slot_of "$FIRST")
check_status "a reflection is not released by its address alone" 1 ctl release "$FARTHER"
check "but by that of its world" ctl release "$FARTHER%reflect.$slot"
check "it is gone" wait_until 5 is_gone "$farther"
wait_until 20 farm_settled || true
check "and there is room for another" pings_from "$first" "$FARTHER"

# skepd dies: those who are there go on, nobody new comes, and still nothing is on the wire
worlds=$(worlds)
spawn box nsenter --target "$first" --net -- ping -q -i 0.05 -W 5 "$FAR" >"$tmp/pings" 2>&1
pings=$spawned
skepd_kill
check "skepd is dead: a page from a reflection" page_from "$first" "$FAR"
check "its neighbours meet each other" page_from "$far" "$NEAR"
check "the worm still gets back" page_from "$near" "$FIRST"
check "the other world too" page_from "$second" "$FAR"
check "nobody new answers" dark_from "$first" 203.0.113.201
start
check_eq "the next skepd has the same worlds" "$worlds" \
	"$(worlds)"
check "they work" page_from "$first" "$FAR"
check_farm "after the death of skepd"
check "a handover takes them over as well" hand_over
check_eq "the same worlds" "$worlds" \
	"$(worlds)"
kill -INT "$pings"
wait "$pings" || true
check_match "not one ping was lost" ' 0% packet loss' "$(cat "$tmp/pings")"

kill "${servers[@]}" # their networks could not go
# The intruder's lease ends, and his world with it, not the other one
near_pids=$(in_world "$FIRST" pid)
check "the first lease is released" ctl release "$FIRST"
check_eq "with all its reflections" "$PER_CONTAINER" "$(counter released_root)"
# shellcheck disable=SC2086 # one word a process
check "their containers are gone" wait_until 10 are_gone $near_pids
check_eq "the other world is as it was" "$((IN_ALL - PER_CONTAINER)) 1" "$(reflections containers) $(reflections worlds)"
check "in it, everything goes on" page_from "$second" "$FAR"
check_eq "in the same container" "$far2" "$(in_world "$SECOND" "$FAR" pid)"
check_farm "with one world less"
kill -KILL "$second"
check "the second intruder's container dies" wait_until 10 counted container_died 1
check_eq "and his world ends" '0 0' "$(reflections containers) $(reflections worlds)"
check_eq "no lease is left" '' "$(leased)"
check_farm "without a world"

# He dies while nobody looks
check "a third attacker" client curl -sSf -m 5 -o /dev/null "http://$FIRST/"
first=$(on_wire "$FIRST" pid)
check "has a world" pings_from "$first" "$FAR"
far=$(in_world "$FIRST" "$FAR" pid)
skepd_kill
kill -KILL "$first"
start
check_eq "the next skepd ends both leases" '2 0' "$(counter released_orphan) $(reflections containers)"
check "and the reflection's container" wait_until 10 is_gone "$far"
check_farm "after an intruder's death that nobody saw"
check "skepd stops" skepd_stop

# By the rules of the intruder's range
IDLE_TIMEOUT=2
start
check "a fourth attacker" client curl -sSf -m 5 -o /dev/null "http://$FIRST/"
spawn client ping -q -i 0.2 "$FIRST" >/dev/null
check "has a world" pings_from "$(on_wire "$FIRST" pid)" "$FAR"
check "a reflection that hears nothing ends" wait_until 10 counted released_idle 1
check "its intruder is busy, and stays" test -n "$(on_wire "$FIRST" pid)"

check "skepd stops" skepd_stop

# Whoever comes from outside has the last idle containers: of four, one is his, and one is kept
IDLE_TIMEOUT=600 WARM=2 MAX=4
start 'pool: min_idle_warm = 1'
check "a fifth attacker" client curl -sSf -m 5 -o /dev/null "http://$FIRST/"
first=$(on_wire "$FIRST" pid)
check "meets one" pings_from "$first" "$FAR"
check "all there may be are there" wait_until 20 pool_has idle 2
check "and another" pings_from "$first" "$NEAR"
check "but no third" dark_from "$first" "$FARTHER"
check "which was counted" counted no_bind_pool_empty 1
check "one comes from outside, and is answered at once" who_has "$SECOND"
check "skepd stops" skepd_stop

# A policy that reflects some and drops the rest: answers into the world are no matter of rules
policy='rule "worm" { verdict = "reflect" protocol = { "tcp" } ports = { 80 } }' WARM=4 MAX=16
start
check "a sixth attacker" client curl -sSf -m 5 -o /dev/null "http://$FIRST/"
first=$(on_wire "$FIRST" pid)
check "what the rule says is reflected" page_from "$first" "$FAR"
check "and nothing else" dark_from "$first" "$FAR"
check "nor on another port" not from "$first" curl -s -m 1 -o /dev/null "http://$FAR:21/"
far=$(in_world "$FIRST" "$FAR" pid)
check "but what comes from his world is answered" pings_from "$far" "$FIRST"
check_status "also where nobody listens" 7 from "$far" curl -s -m 5 "http://$FIRST:81/"

check_eq "no frame of all that was on the wire" '' "$(strays)"
check "where there was something to see" test "$(how_many wire "$FIRST")" -gt 20

done_testing
