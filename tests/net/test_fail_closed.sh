#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fail closed: skepd is killed while containers send what is refused, what is limited, and what is
# allowed. Dead, it lets out what it let out alive and not one packet more; a container that has lost its
# lease sends nothing; a flow for which there is no room does not go; and the skepd that takes the farm
# over changes none of that.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/outbound.sh"

WARM=3 MAX=8
readonly OTHER=198.51.100.10
readonly CONF=('policy "web" {
	rule "resolver" { verdict = "allow" protocol = { udp } ports = { "53" } to = { "198.51.100.2" } }
	rule "slow" { verdict = "limit" protocol = { udp } ports = { "9999" } packets = 5 }
}' 'range: policy = "web"' 'pool: flows = 1024')

# sends PID PORT: a datagram every 10 ms, from now on
sends() { spawn box nsenter --target "$1" --net -- "$REPLY" keep-asking "${3:-$OTHER}" "$2"; }
to_port() { how_many wan " 10\.66\.4\.2\.[0-9]+ > 198\.51\.100\.(2|10)\.$1: "; }

# dropped NAME: as the pinned map says, which needs no skepd
dropped() {
	local slot
	slot=$(sed -n 's/^	X(\([A-Z_]*\), "\([a-z_]*\)".*/\2/p' "$ROOT/include/skep/verdict.h" |
		grep -nx "$1" | cut -d: -f1)
	bpftool -j map lookup pinned "$bpf_dir/counters" key $((slot - 1)) 0 0 0 |
		jq '[.formatted.values[].value] | add'
}
more_dropped() { (($(dropped "$1") > $2)); }

# For so many seconds nothing but the allowed gets out.
holds() {
	local text=$1 refused other
	refused=$(dropped port_drop_rule) other=$(to_port 7)
	check "$text: the refused goes on being refused" wait_until 5 more_dropped port_drop_rule $((refused + 100))
	check_eq "$text: not a packet of it got out" "$other" "$(to_port 7)"
	check "$text: the resolver is reached" test "$(ask udp "$LAB_CLIENT" 53)" = resolver
}

lab_up
client ip address add "$OTHER/24" dev eth0
serve resolver udp "$LAB_CLIENT" 53
sniff wan client eth0 udp
skepd_start "${CONF[@]}"
check "a container" who_has 10.66.4.2
check "and a second one" who_has 10.66.4.3
pid=$(lease 10.66.4.2 pid) second=$(lease 10.66.4.3 pid) mac=$(lease 10.66.4.3 mac)
gateway=$(router ip -j link show "$LAB_LAN" | jq -r '.[0].address') frames=()
# The counters are found by their names.
check_eq "the map says what skepctl says" "$(counter port_drop_rule)" "$(dropped port_drop_rule)"
sends "$pid" 7
sends "$pid" 9999
holds "alive"
check "limited is what shall be" wait_until 5 more_dropped port_drop_limit 10
alive=$(to_port 9999)
sleep 3 # the rate is looked at, over the same time as below
alive=$(($(to_port 9999) - alive))
check "skepd is killed meanwhile" skepd_kill
dead=$(to_port 9999)
sleep 3
dead=$(($(to_port 9999) - dead))
check "dead: as much is let through by the limit as before ($alive, $dead)" test "$dead" -le $((alive + 3))
holds "dead"
check_eq "of the refused, nothing got out at all" 0 "$(to_port 7)"

# A frame as it let out before: to the resolver.
frame=$(ethernet "$gateway" "$mac" 0800 "$(ipv4 10.66.4.3 "$LAB_CLIENT" 17 10000035000c00003f3f3f3f)")
in_net "$second" "$SEND_FRAME" eth0 "$frame"
check "the second container reaches the resolver, too" wait_until 5 seen wan ' 10\.66\.4\.3\.4096 > 198\.51\.100\.2\.53: '

# A port without a lease, while nobody is there to close it.
port=$(bpftool -j map dump pinned "$bpf_dir/leases" | jq '.[].formatted | select(.key.ip.octet == [10, 66, 4, 3]).value.port')
check "the lease of the second container is taken away" bpftool map delete pinned "$bpf_dir/leases" \
	key 10 66 4 3 0 0 0 0
before=$(how_many wan ' 10\.66\.4\.3\.')
for ((i = 0; i < 20; i++)); do
	frames+=("$frame")
done
in_net "$second" "$SEND_FRAME" eth0 "${frames[@]}"
check "it sends nothing more" test "$(dropped port_drop_addr)" -ge 20
# shellcheck disable=SC2046 # four bytes
check "nor without its port" bpftool map delete pinned "$bpf_dir/ports" \
	key $((port & 255)) $((port >> 8 & 255)) $((port >> 16 & 255)) $((port >> 24))
in_net "$second" "$SEND_FRAME" eth0 "${frames[@]}"
check "which is counted as it should be" test "$(dropped port_drop_unbound)" -ge 20
check_eq "nothing of both was on the wire" "$before" "$(how_many wan ' 10\.66\.4\.3\.')"

# Many more flows than there is room for: those that are forgotten let nothing out.
for ((i = 0; i < 4; i++)); do
	client nmap -n -Pn -sS --max-retries 0 --min-rate 2000 -p "$((1 + i * 1000))-$(((i + 1) * 1000))" 10.66.4.2 >/dev/null
done
check "there were more than 1024" test \
	"$(bpftool -j map dump pinned "$bpf_dir/flows" | jq length)" -le 1024
holds "map full"

# The next one takes over.
skepd_start "${CONF[@]}"
check_eq "taken over" 10.66.4.2 "$(leased)"
holds "taken over"
check_eq "all the time, nothing of the refused got out" 0 "$(to_port 7)"

done_testing
