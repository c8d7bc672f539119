#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A bind that fails half-way leaves nothing half bound: the address is dark, no map holds it, the
# container is recycled, and the next who-has succeeds. The failures are real: the kernel refuses the
# address, the map `ports` has an entry already, the map `leases` is full.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=1 MAX=4

# bytes NUMBER SIZE: in the machine's order, as bpftool wants them
bytes() {
	local i
	for ((i = 0; i < $2; i++)); do
		printf '%d ' $((($1 >> (8 * i)) & 255))
	done
}

map() { bpftool map "$1" pinned "$bpf_dir/$2" "${@:3}"; }
dump() { bpftool -j map dump pinned "$bpf_dir/$1"; }
map_size() { dump "$1" | jq length; }
addresses() { in_net "$1" ip -4 -o address show dev eth0; }

# The one idle container: its init, and the number of its port.
idle() {
	wait_until 10 pool_has idle 1
	pid=$(containers idle pid)
	port=$(dump containers | jq --argjson pid "$pid" '.[].formatted.value | select(.pid == $pid).port')
}

# refused TEXT ADDRESS PID: asks for the address, and looks at what the failed bind has left
refused() {
	signal_keepers STOP # so that a container that is given up stays as it is
	check_status "$1: the who-has is not answered" 1 who_has "$2"
	check "$1: the address has no lease" is_dark "$2"
	check_eq "$1: the container has not kept the address" '' "$(addresses "$3")"
	check_eq "$1: the container is to be recycled" "$3" "$(containers recycling pid)"
	signal_keepers CONT
	check "$1: which then happens" wait_until 10 is_gone "$3"
	check "$1: another one gets warm" wait_until 10 pool_has idle 1
	check_eq "$1: none is bound" 0 "$(pool bound)"
}

lab_up
skepd_start

# The kernel refuses the address, because the container has it already.
idle
in_net "$pid" ip address add 10.66.8.1/16 dev eth0
refused "plumbing" 10.66.8.1 "$pid"
check_eq "plumbing: counted once" 1 "$(counter no_bind_plumb)"
check "plumbing: logged" logged 'warning: a container refused its address; rolled back, .*File exists'
check_eq "plumbing: no map holds it" '0 0' "$(map_size leases) $(map_size ports)"
check "plumbing: the next who-has is answered" who_has 10.66.8.1
check_eq "plumbing: by the next container" different \
	"$([[ $(lease 10.66.8.1 pid) == "$pid" ]] && echo same || echo different)"
ctl release 10.66.8.1 >"$tmp/output"

# The map of ports has an entry for this port.
idle
# shellcheck disable=SC2046 # bytes
map update ports key $(bytes "$port" 4) value $(bytes 0 8)
refused "port entry" 10.66.8.2 "$pid"
check_eq "port entry: counted once" 1 "$(counter no_bind_map)"
check "port entry: logged" logged 'warning: a map refused a lease; rolled back, .*File exists'
check_eq "port entry: there is no lease in the map" 0 "$(map_size leases)"
check "port entry: the next who-has is answered" who_has 10.66.8.2
ctl release 10.66.8.2 >"$tmp/output"
# shellcheck disable=SC2046 # bytes
map delete ports key $(bytes "$port" 4)

# The map of leases is full.
idle
for ((i = 1; i <= MAX; i++)); do
	# shellcheck disable=SC2046 # bytes
	map update leases key 10 66 7 "$i" 0 0 0 0 value $(bytes 0 72)
done
ports=$(map_size ports)
refused "full map" 10.66.8.3 "$pid"
check_eq "full map: counted" 2 "$(counter no_bind_map)"
check_eq "full map: the port is shut again" "$ports" "$(map_size ports)"
for ((i = 1; i <= MAX; i++)); do
	map delete leases key 10 66 7 "$i" 0 0 0 0
done
check "full map: once there is room, the next who-has is answered" who_has 10.66.8.3
check_eq "full map: there is its lease alone" 10.66.8.3 "$(leased)"
check_eq "full map: and its port alone" 1 "$(map_size ports)"

check_eq "three binds succeeded" 3 "$(counter bound)"
check_eq "each failure was counted once" '1 2' "$(counter no_bind_plumb) $(counter no_bind_map)"

done_testing
