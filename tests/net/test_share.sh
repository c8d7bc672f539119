#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# when_exhausted = "share": once no container is left, an address goes to one that is bound in the same
# range, up to addresses_per_container. Each address is a machine of its own to everybody outside, with
# its own link address, and ends by itself; the container ends with its last one.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

readonly OTHER_RANGE=10.67.0.0/16 OTHER=02:00:00:00:00:66

of() { lease "10.66.4.$1" "$2"; }
leases_of() { ctl --json containers | jq -r --arg name "$1" '.containers[] | select(.container == $name).leases'; }
inside() { in_net "$1" ip -j -4 address show dev eth0 | jq -r '.[0].addr_info[].local' | sort -V | tr '\n' ' '; }
ends() { local a && for a; do ctl release "10.66.4.$a" >"$tmp/output"; done; }
page() { "$1" curl -sSf -m 5 -o /dev/null "http://10.66.4.$2/"; }

# at_once COMMAND...: runs it for every shared address at the same time, with the last number of the
# address for its last argument; prints the addresses for which it failed
at_once() {
	local a
	local -A pid_of=()
	for a in $shared; do
		"$@" "$a" >"$tmp/at_once.$a" 2>&1 &
		pid_of[$a]=$!
	done
	for a in $shared; do
		wait "${pid_of[$a]}" || echo "$a"
	done
}
pings() { "$1" ping -q -c 10 -i 0.05 -W 5 "10.66.4.$2"; }

# impostors: frames in the capture whose link and IP address are not those of one lease
impostors() {
	ctl --json leases | jq -r '.leases[] | "\(.mac) \(.address)"' >"$tmp/known"
	awk -v gateway="$gateway" '
		NR == FNR { known[$0] = 1; next }
		$1 == gateway { next }
		{
			match($0, /(Reply |tell |[0-9]: )[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/)
			address = substr($0, RSTART, RLENGTH)
			sub(/.* /, "", address)
		}
		!(($1 " " address) in known)' "$tmp/known" "$tmp/wire"
}

lab_up
ip -n "$LAB_ROUTER_NS" route add "$OTHER_RANGE" dev "$LAB_LAN"
gateway=$(router ip -j link show "$LAB_LAN" | jq -r '.[0].address')
WARM=2 MAX=2
skepd_start 'pool: when_exhausted = "share" addresses_per_container = 3' \
	'policy "open" { verdict = "allow" }' 'template: policy = "open"' \
	"uplink: range \"$OTHER_RANGE\" { template = \"basic\" verify = \"off\" }"

# Six addresses on two containers
shared='2 3 4 5 6 7'
sniff wire router "$LAB_LAN" 'arp or icmp or tcp'
for a in $shared; do
	check "10.66.4.$a is answered at once" who_has "10.66.4.$a"
done
check_eq "two containers have all of them" '3 3' "$(containers bound leases | tr '\n' ' ' | sed 's/ $//')"
check_eq "they were given in turn" "$(of 2 container) $(of 3 container) $(of 2 container) $(of 3 container)" \
	"$(of 4 container) $(of 5 container) $(of 6 container) $(of 7 container)"
check_eq "six binds, four of them shared" '6 4' "$(comes_to bound 6) $(counter shared)"
check_eq "each has a link address of its own" 6 "$(ctl --json leases | jq '[.leases[].mac] | unique | length')"
for a in $shared; do
	check_eq "10.66.4.$a answers with its own" "$(of "$a" mac)" "$(mac_in_answer "10.66.4.$a")"
done
check_eq "pings from the client, to all at once" '' "$(at_once pings client)"
check_eq "pings from the router, who is on the link" '' "$(at_once pings router)"
check_eq "none was lost" 6 "$(cat "$tmp"/at_once.* | grep -c ' 0% packet loss')"
for a in $shared; do
	check_eq "the router's kernel has learnt 10.66.4.$a's own" "$(of "$a" mac)" \
		"$(router ip -j neigh show "10.66.4.$a" dev "$LAB_LAN" | jq -r '.[0].lladdr')"
done
check_eq "pages from all at once" '' "$(at_once page client)"
check_eq "pages for the router" '' "$(at_once page router)"
check_eq "on the wire, each of them is one machine" '' "$(impostors)"
check "of which there was something to see" test "$(wc -l <"$tmp/wire")" -gt 200

# One link address, another's IP address: nobody's.
dropped() {
	local before
	before=$(counter "$1")
	"${@:3}"
	check "$2: $1" wait_until 5 counted "$1" $((before + 1))
}
from_inside() { in_net "$(of 4 pid)" "$SEND_FRAME" eth0 "$1"; }
dropped drop_wrong_mac "IP to one address and the link address of another one in the same container" \
	send_lan "$(ethernet "$(of 2 mac)" "$gateway" 0800 "$(echo_request 10.66.0.1 10.66.4.4)")"
dropped drop_wrong_mac "a who-has for one, sent to the other's link address" \
	send_lan "$(ethernet "$(of 2 mac)" "$gateway" 0806 "$(arp 1 "$gateway" 10.66.0.1 "$NOBODY" 10.66.4.4)")"
eth0=$(in_net "$(of 4 pid)" ip -j link show eth0 | jq -r '.[0].address')
check_eq "inside, the link address is that of the first" "$(of 2 mac)" "$eth0"
dropped port_drop_mac "IP from inside with the link address that is known outside" \
	from_inside "$(ethernet "$gateway" "$(of 4 mac)" 0800 "$(echo_request 10.66.4.4 10.66.0.1)")"
dropped port_drop_arp "ARP from inside that names it" \
	from_inside "$(ethernet "$gateway" "$eth0" 0806 "$(arp 2 "$(of 4 mac)" 10.66.4.4 "$gateway" 10.66.0.1)")"
dropped port_drop_addr "IP from an address of the other container" \
	from_inside "$(ethernet "$gateway" "$eth0" 0800 "$(echo_request 10.66.4.3 10.66.0.1)")"
dropped port_drop_mac "IP from a strange link address" \
	from_inside "$(ethernet "$gateway" "$OTHER" 0800 "$(echo_request 10.66.4.4 10.66.0.1)")"

# No room left
waited=$(counter waited) empty=$(counter no_bind_pool_empty)
check_status "a seventh address stays dark: both containers have three" 1 who_has 10.66.4.8
check_status "so does one of another range, which has no container" 1 who_has 10.67.4.2
check_eq "both waited for a container" $((waited + 2)) "$(counter waited)"
check "in vain" wait_until 5 counted no_bind_pool_empty $((empty + 2))

# A further address ends.
a=$(of 2 container) pid=$(of 2 pid)
ends 6
check "the released one is dark" is_dark 10.66.4.6
check_eq "it is gone inside" '10.66.4.2 10.66.4.4 ' "$(inside "$pid")"
check_eq "its container goes on with two" '2 bound' "$(leases_of "$a") $(containers bound container | grep -Fxq "$a" && echo bound)"
shared='2 4'
check_eq "which answer" '' "$(at_once pings client)"
check "there is room for the seventh" who_has 10.66.4.8
check_eq "there" "$a" "$(of 8 container)"

# The first address ends.
ends 2
shared='4 8'
check "the first one is released, too" is_dark 10.66.4.2
check_eq "and is gone inside" '10.66.4.4 10.66.4.8 ' "$(inside "$pid")"
check_eq "its container goes on" "$pid" "$(of 4 pid)"
check_eq "the others answer" '' "$(at_once pings client)"
check_eq "on the link as well" '' "$(at_once pings router)"
check "what the container sends by itself comes from an address that it has" \
	in_net "$pid" ping -q -c 1 -W 5 "$LAB_GATEWAY"
check "also what goes further" in_net "$pid" ping -q -c 1 -W 5 "$LAB_CLIENT"
check "it is answered again" who_has 10.66.4.2
check_eq "by the same container, which has room" "$a" "$(of 2 container)"
shared='2 4 8'
check_eq "all three answer" '' "$(at_once pings client)"
check_eq "nothing went wrong" '0 0' "$(counter no_bind_plumb) $(counter no_bind_map)"

# A shared container is adopted with all that it has.
mapfile -t before < <(ctl --json leases | jq -r '.leases[] | "\(.address) \(.mac) \(.container) \(.pid) \(.bind_us)"' | sort -V)
bound=$(counter bound)
pids=()
for a in 2 3 4 5 7 8; do
	spawn client ping -q -c 400 -i 0.01 -W 5 "10.66.4.$a" >"$tmp/pings.$a"
	pids+=("$spawned")
done
skepd_kill
wait_until 1 false || true
skepd_start 'pool: when_exhausted = "share" addresses_per_container = 3' \
	'policy "open" { verdict = "allow" }' 'template: policy = "open"' \
	"uplink: range \"$OTHER_RANGE\" { template = \"basic\" verify = \"off\" }"
for pid in "${pids[@]}"; do
	wait "$pid" || true
done
check_eq "no ping was lost to the death of skepd" 6 "$(cat "$tmp"/pings.* | grep -c ' 0% packet loss')"
mapfile -t after < <(ctl --json leases | jq -r '.leases[] | "\(.address) \(.mac) \(.container) \(.pid) \(.bind_us)"' | sort -V)
check_eq "every lease is what it was" "$(printf '%s\n' "${before[@]}")" "$(printf '%s\n' "${after[@]}")"
check_eq "taken over, six of them in two containers" '6 2' "$(counter adopted) $(counter container_adopted)"
check_eq "nothing was bound for that" "$bound" "$(counter bound)"
check_status "the limit holds" 1 who_has 10.66.4.9
ends 4 2
check "two are released, there is room" who_has 10.66.4.9
check "for two" who_has 10.66.4.10
shared='3 5 7 8 9 10'
check_eq "pings, to all at once" '' "$(at_once pings client)"
check_eq "what is inside is what is leased" '10.66.4.8 10.66.4.9 10.66.4.10 ' "$(inside "$(of 8 pid)")"
check "the container can still be the one that speaks first" in_net "$(of 8 pid)" ping -q -c 1 -W 5 "$LAB_CLIENT"

# The last one ends.
pid=$(of 3 pid) recycled=$(counter container_recycled)
ends 3 5
check_eq "with two of three gone, the container is the same" "$pid" "$(of 7 pid)"
ends 7
check "with the last one it goes" wait_until 10 is_gone "$pid"
check "and is recycled" wait_until 10 counted container_recycled $((recycled + 1))
check "another is warm in its place" wait_until 10 pool_has idle 1
check "and is taken first" who_has 10.66.4.11
check_eq "for itself" 1 "$(leases_of "$(of 11 container)")"
check "skepd stops" skepd_stop
check_eq "nothing is left" '' "$(leftovers)"

# Each is idle for itself.
WARM=1 MAX=1 IDLE_TIMEOUT=2
skepd_start 'pool: when_exhausted = "share" addresses_per_container = 3'
for a in 2 3 4; do
	who_has "10.66.4.$a"
done
pid=$(of 2 pid)
spawn client ping -q -i 0.2 10.66.4.3 >"$tmp/output"
check "those without frames are released" wait_until 10 counted released_idle 2
check_eq "the one with frames is not, nor is its container" "10.66.4.3 $pid" "$(leased) $(of 3 pid)"
kill "$spawned"
check "when they stop, it is" wait_until 10 counted released_idle 3
check "and its container goes" wait_until 10 is_gone "$pid"

check "skepd stops" skepd_stop
check_eq "nothing is left" '' "$(leftovers)"

# A sweep from the router finds every address alive; one with budgets meets those first.
WARM=64 MAX=64 IDLE_TIMEOUT=600
skepd_start 'pool: when_exhausted = "share" addresses_per_container = 64 binds_per_second = 0 binds_per_requester = 0'
check "a sweep of a /20" router nmap -n -sn -oG "$tmp/nmap" 10.66.16.0/20
check_eq "finds all its 4,096 addresses" 4096 "$(grep -c 'Status: Up' "$tmp/nmap")"
check_eq "each is leased, and by one bind" '4096 4096' "$(leased | wc -l) $(counter bound)"
check_eq "all there may be on every container" 64 "$(containers bound leases | sort | uniq -c | awk '$2 == 64 { print $1 }')"
check_eq "a second sweep" 4096 "$(router nmap -n -sn -oG - 10.66.16.0/20 | grep -c 'Status: Up')"
check_eq "binds nothing more" 4096 "$(counter bound)"

done_testing
