#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A bind that fails half-way leaves nothing half bound: the address is dark, no map holds it, the
# container is quarantined with the reason and replaced, and the next who-has succeeds. The failures are
# real: the kernel refuses the address, or the map `ports` has an entry already. (A map that refuses a
# lease is in test_faults.sh: 262,144 entries are not filled up in a test.) All of it is of skepd's own
# binds; how settling fails, where the uplink program binds, is in test_faults.sh and test_quarantine.sh.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"

BIND=daemon WARM=1 MAX=4

# bytes NUMBER SIZE: in the machine's order, as bpftool wants them
bytes() {
	local i
	for ((i = 0; i < $2; i++)); do
		printf '%d ' $((($1 >> (8 * i)) & 255))
	done
}

map() { bpftool map "$1" pinned "$bpf_dir/$2" "${@:3}"; }
addresses() { in_net "$1" ip -4 -o address show dev eth0; }

# The one idle container: its name, its init, and the number of its port.
idle() {
	wait_until 10 pool_has idle 1
	name=$(containers idle container) pid=$(containers idle pid)
	port=$(links | jq --arg name "$(containers idle port)" '.[] | select(.ifname == $name).ifindex')
}

# refused TEXT ADDRESS REASON: asks for the address, and looks at what the failed bind has left
refused() {
	check_status "$1: the who-has is not answered" 1 who_has "$2"
	check "$1: the address has no lease" is_dark "$2"
	check_eq "$1: the container has not kept the address" '' "$(addresses "$pid")"
	check_eq "$1: the container is quarantined" "$name $pid did not take its address: $3" \
		"$(ctl --json containers | jq -r --arg name "$name" '.containers[] | select(.container == $name and
			.state == "failed") | "\(.container) \(.pid) \(.reason)"')"
	check "$1: another one gets warm" wait_until 10 pool_has idle 1
	check_eq "$1: none is bound" 0 "$(pool bound)"
	check_eq "$1: no map holds it" 0 "$(map_len leases)"
}

lab_up
skepd_start

# The kernel refuses the address, because the container has it already.
idle
in_net "$pid" ip address add 10.66.8.1/16 dev eth0
refused "plumbing" 10.66.8.1 "File exists"
check_eq "plumbing: counted once" 1 "$(counter no_bind_plumb)"
check "plumbing: logged" logged 'warning: a container refused its address; .*File exists'
check_eq "plumbing: the port is shut" 0 "$(map_len ports)"
check "plumbing: the next who-has is answered" who_has 10.66.8.1
check_eq "plumbing: by another container" different \
	"$([[ $(lease 10.66.8.1 pid) == "$pid" ]] && echo same || echo different)"
ctl release 10.66.8.1 >"$tmp/output"
wait_until 10 farm_settled

# The map of ports has an entry for this port.
idle
# shellcheck disable=SC2046 # bytes
map update ports key $(bytes "$port" 4) value $(bytes 0 24)
refused "port entry" 10.66.8.2 "File exists"
check_eq "port entry: counted once" 1 "$(counter no_bind_map)"
check "port entry: logged" logged 'warning: a map refused a lease; .*File exists'
check_eq "port entry: the port is shut" 0 "$(map_len ports)"
check "port entry: the next who-has is answered" who_has 10.66.8.2

check_eq "two binds succeeded" 2 "$(counter bound)"
check_eq "each failure was counted once" '1 1' "$(counter no_bind_plumb) $(counter no_bind_map)"
check_farm "with both in quarantine"
check_eq "that is where they are" 2 "$(pool failed)"

done_testing
