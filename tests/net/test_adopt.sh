#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Adoption: skepd is killed and started again under traffic. Not a packet is lost and no TCP connection
# breaks; the next skepd has the same containers, leases and counters, puts its own programs in the place
# of the former ones, gives the idle containers it found to the next who ask, and can do with the bound
# ones all that the first could.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"
. "$(dirname "$0")/chat.sh"

WARM=3 MAX=10

# What identifies a life: each container with its init, and all that a lease has for good.
lives() {
	ctl --json containers | jq -r --arg state "$1" \
		'.containers[] | select(.state == $state) | "\(.container) \(.pid) \(.port)"' | sort
}
identities() {
	dump_map leases | jq -c 'sort_by(.key.ip.addr)[] |
		[.key, (.value | del(.last_in_ns, .packets_in, .last_out_ns, .packets_out))]'
}
last_serial() { dump_map containers | jq '[.[].value.serial] | max'; }
traffic() { # LAST_OCTET
	dump_map leases | jq --argjson octet "$1" \
		'.[] | select(.key.ip.octet[3] == $octet).value | .packets_in + .packets_out'
}
still_loaded() { # ID...
	local id
	for id; do
		! bpftool prog show id "$id" >/dev/null 2>&1 || echo "$id"
	done
}

lab_up
skepd_start
for i in 2 3; do
	who_has "10.66.4.$i"
done
check "a lease is released" ctl release 10.66.4.3
who_has 10.66.4.3
check_farm "before"
idle=$(lives idle) bound=$(lives bound) leases=$(identities) before=$(ctl --json counters)
programs=$(own_programs)

# Every hundredth of a second, both ways, and a TCP connection; three times over.
spawn client ping -q -i 0.01 -W 5 10.66.4.2 >"$tmp/pings" 2>&1
pings=$spawned
chat 10.66.4.3
check "a connection is there" wait_until 5 has_grown 10
seen=$(traffic 2)
for life in second third fourth; do
	lines=$(wc -l <"$tmp/chat")
	skepd_kill
	check "killed: the connection goes on" wait_until 5 has_grown $((lines + 10))
	: >"$log"
	log_shown=0
	skepd_start
	check_eq "$life: the idle containers are the same" "$idle" "$(lives idle)"
	check_eq "$life: so are the bound ones" "$bound" "$(lives bound)"
	check_eq "$life: so are the leases, with their ids and times" "$leases" "$(identities)"
	check "$life: it says what it took over" \
		logged "taken over from an earlier skepd: $WARM idle containers, 2 bound ones; 0 are recycled"
	check "$life: and the uplink's link too" logged "$LAB_UPLINK: watching, native XDP \(taken over\)"
	# shellcheck disable=SC2086 # one word a program
	check_eq "$life: nothing runs the former programs, no uplink and no port" '' "$(still_loaded $programs)"
	programs=$(own_programs)
	check_eq "$life: it has one for the uplink, and one for all ports" 2 "$(wc -w <<<"$programs")"
	check_farm "$life"
done
check "packets of a lease are counted on" test "$(traffic 2)" -gt $((seen + 100))
: >"$tmp/enough"
check "the connection has outlived them all" wait "$chat"
kill -INT "$pings"
wait "$pings" || true
check_match "and not one ping was lost" ' 0% packet loss' "$(cat "$tmp/pings")"
check_match "of many" '[0-9]{3,} packets transmitted' "$(cat "$tmp/pings")"
check_eq "counters go on: what happened before stays counted" '[]' \
	"$(jq -c --argjson before "$before" '[.counters | to_entries[] | select(.value < $before.counters[.key]).key]' <<<"$(ctl --json counters)")"
check_eq "nothing was bound, released, started or removed for it" \
	"$(jq -c '.counters | [.bound, .released_command, .container_started, .container_recycled]' <<<"$before")" \
	"$(ctl --json counters | jq -c '.counters | [.bound, .released_command, .container_started, .container_recycled]')"
check_eq "what was taken over is counted: leases and containers, each time" "6 $((3 * (WARM + 2)))" \
	"$(counter adopted) $(counter container_adopted)"

# What was found idle serves: nobody waits for a start.
signal_keepers STOP
for ((i = 1; i <= WARM; i++)); do
	check "an adopted idle container takes an address ($i)" who_has "10.66.5.$i"
done
check_eq "all of them, and no other" "$(awk '{print $2}' <<<"$idle" | sort)" \
	"$(for ((i = 1; i <= WARM; i++)); do lease "10.66.5.$i" pid; done | sort)"
signal_keepers CONT
check_farm "after its binds"

# And what was found bound is released, dies and expires as always.
pid=$(lease 10.66.4.2 pid)
check "an adopted lease is released" ctl release 10.66.4.2
check "its container goes" wait_until 10 is_gone "$pid"
died=$(counter container_died)
kill -KILL "$(lease 10.66.4.3 pid)"
check "an adopted container that dies is noticed" wait_until 10 counted container_died $((died + 1))
check "and its lease ends" wait_until 5 is_dark 10.66.4.3
check_farm "after its releases"
serial=$(last_serial)
skepd_kill

# While nobody looked: a bound container's init dies, and an idle one's.
kill -KILL "$(jq -r '.containers[] | select(.state == "bound").pid' "$tmp/facts/skepctl" | head -n 1)" \
	"$(jq -r '.containers[] | select(.state == "idle").pid' "$tmp/facts/skepctl" | head -n 1)"
skepd_start
check_farm "with two that died meanwhile"
check_eq "the lease of one has ended" 1 "$(counter released_orphan)"
check "slots' lives are told apart: serial numbers go on" test "$(last_serial)" -gt "$serial"

# A configuration that is another one by now: what it does not cover ends.
who_has 10.66.4.2
who_has 10.66.6.1
check_farm "before the change"
pid=$(lease 10.66.4.2 pid)
skepd_kill
EXCLUDE='10.66.6.0/24' skepd_start
check_eq "a lease that is covered stays" "$pid" "$(lease 10.66.4.2 pid)"
check "one that is excluded by now ends" is_dark 10.66.6.1
check_farm "after the change"

# Targets that are lower by now: idle ones go, bound ones stay.
bound=$(lives bound)
skepd_kill
WARM=1 MAX=5 skepd_start
check "fewer idle ones" wait_until 10 pool_has idle 1
check_eq "the bound ones stay" "$bound" "$(lives bound)"
WARM=1 MAX=5 check_farm "with lower targets"

check "SIGTERM ends it" skepd_stop
check_eq "and nothing of any of them is left" '' "$(leftovers)"

done_testing
