#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Limits hold: seven intruders, each root in a container of his own, at the same time run a fork bomb,
# a memory hog, a disk filler, an inode hog, a socket hog, a busy loop, and a flood of packets outward.
# Each is seen to hit his limit; meanwhile another container's pages all come, first contacts are all
# answered, and the box has its memory and its processes. How long that took before and meanwhile is
# printed, not judged.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/telnet.sh"

WARM=16 MAX=120 START_TIMEOUT=60
readonly NEIGHBOUR=10.66.4.100 PAGES=60 PAGE_RATE=10 CONTACTS=40
readonly LIMIT_KIB=$(((64 + 64) * 1024)) PROCESSES=128 INODES=16384 # of one container, see lib.sh and skep.conf(5)

declare -A address pid name

# --- what they do; one line of sh each, for they type it ---

# shellcheck disable=SC2016
declare -A attack=(
	[fork bomb]='b() { b | b & }; b; sleep 600 | b'
	[memory hog]="while :; do awk 'BEGIN { s = \"x\"; for (;;) s = s s }'; done"
	[disk filler]='while :; do cat /dev/zero >/var/fill; cat /dev/zero >/tmp/fill; sleep 1; done'
	[inode hog]='i=0; while :; do : >/tmp/i.$i || sleep 0.1; i=$((i + 1)); done'
	[socket hog]='p=2000; while [ $p -lt 2400 ]; do nc -l -p $p </dev/null & nc 127.0.0.1 80 </dev/zero & p=$((p + 1)); done; sleep 600'
	[busy loop]='for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; wait'
	[packet flood]='for i in 1 2 3 4 5 6 7 8 9 10; do while :; do ping -A -q -s 1400 198.51.100.2; done & done; wait'
)

begin() {
	log_in "${address[$1]}" "setsid sh -c '${attack[$1]//\'/\'\\\'\'}' </dev/null >/dev/null 2>&1 & sleep 1; echo begun" >"$tmp/begun" || return 1
	grep -q 'begun' "$tmp/begun"
}

# --- what is seen of it from outside ---

# cgroup_value CONTAINER CONTROLLER FILE...: the first of these files that there is; v1 or v2
cgroup_value() {
	local container=$1 controller=$2 file
	for file in "${@:3}"; do
		cat "/sys/fs/cgroup/$controller/$farm_cgroup/$container/$file" 2>/dev/null ||
			cat "/sys/fs/cgroup/$farm_cgroup/$container/$file" 2>/dev/null || continue
		return
	done
	return 1
}

cpu_us() { cat /sys/fs/cgroup{,/unified}/"$farm_cgroup/$1/cpu.stat" 2>/dev/null | awk '/^usage_usec/ {print $2; exit}'; }
inside() { in_container "${pid[$1]}" "${@:2}"; }
full() { [[ $(inside "$1" df "${@:2}" / | awk 'END {sub("%", "", $5); print $5}') -ge 99 ]]; }
sent() { box ip -s -j link show "$1" | jq '.[0].stats64.rx.packets'; }

hits_fork_bomb() { (($(cgroup_value "${name[$1]}" pids pids.events | awk '/^max/ {print $2}') > 0)); }
hits_memory_hog() { (($(cgroup_value "${name[$1]}" memory memory.oom_control memory.events | awk '/^oom_kill / {print $2}') > 0)); }
hits_disk_filler() { full "$1" -k; }
hits_inode_hog() { full "$1" -i; }
hits_socket_hog() { (($(in_net "${pid[$1]}" ss -Hta | wc -l) >= 60)); }
hits_busy_loop() {
	local before
	before=$(cpu_us "${name[$1]}")
	sleep 1
	(($(cpu_us "${name[$1]}") - before > 20000))
}
hits_packet_flood() {
	local before
	before=$(sent "$(port_of "${name[$1]}")")
	sleep 1
	(($(sent "$(port_of "${name[$1]}")") - before > 500))
}

port_of() { ctl --json containers | jq -r --arg name "$1" '.containers[] | select(.container == $name).port'; }

# --- the neighbour, and those who come anew ---

fetch() { # NAME: "STATUS SECONDS" of each page
	client curl -s -o /dev/null -m 20 --rate "$PAGE_RATE/s" -H 'Connection: close' \
		-w '%{http_code} %{time_total}\n' "http://$NEIGHBOUR/?[1-$PAGES]" >"$tmp/pages.$1" || true
}

pages_failed() { grep -vc '^200 ' "$tmp/pages.$1" || true; }
p99() { sort -n | awk '{v[NR] = $1} END {i = int(NR * 0.99); print v[i < 1 ? 1 : i]}'; }
page_p99() { awk '{print $2 * 1000}' "$tmp/pages.$1" | p99; }

first_contacts() { # NAME THIRD_OCTET: those that got no answer are left in a file
	local i
	: >"$tmp/dark.$1"
	for ((i = 1; i <= CONTACTS; i++)); do
		router arping -q -c 3 -C 1 -w 5 -I "$LAB_LAN" "10.66.$2.$i" || echo "10.66.$2.$i" >>"$tmp/dark.$1"
		sleep 0.1
	done
}

bind_p99() { ctl --json leases | jq --arg net "10.66.$1." '.leases[] | select(.address | startswith($net)).bind_us' | p99; }

measure() { # NAME THIRD_OCTET
	local fetching
	fetch "$1" &
	fetching=$!
	first_contacts "$1" "$2"
	wait "$fetching"
	check_eq "$1: all pages come" "$PAGES 0" "$(wc -l <"$tmp/pages.$1") $(pages_failed "$1")"
	check_eq "$1: all first contacts are answered" '' "$(cat "$tmp/dark.$1")"
	diag "$1: p99 of a page $(page_p99 "$1") ms, of a bind $(bind_p99 "$2") us (load $(cut -d' ' -f1 /proc/loadavg))"
	for ((i = 1; i <= CONTACTS; i++)); do ctl release "10.66.$2.$i" >/dev/null 2>&1 || true; done
}

available_kib() { awk '/^MemAvailable/ {print $2}' /proc/meminfo; }
processes_of() { cgroup_value "${name[$1]}" pids pids.current; }
memory_kib_of() { echo $(($(cgroup_value "${name[$1]}" memory memory.usage_in_bytes memory.current) / 1024)); }
warm_again() { pool_has recycling 0 && pool_has failed 0 && (($(pool idle) >= WARM)); }

lab_up
skepd_start 'policy "open" { verdict = "allow" }' 'range: policy = "open"' # or the flood would end at its port
who_has "$NEIGHBOUR"
i=0
for what in "${!attack[@]}"; do
	address[$what]=10.66.4.$((++i))
	who_has "${address[$what]}"
	pid[$what]=$(lease "${address[$what]}" pid)
	name[$what]=$(ctl --json containers | jq -r --argjson pid "${pid[$what]}" '.containers[] | select(.pid == $pid).container')
done
wait_until 30 warm_again || true
measure before 100

memory=$(available_kib)
for what in "${!attack[@]}"; do
	check "$what: begins" begin "$what"
done
for what in "${!attack[@]}"; do
	check "$what: hits his limit" wait_until 60 "hits_${what// /_}" "$what"
done
measure during 101
for what in "${!attack[@]}"; do
	check "$what: has no more processes than he may" test "$(processes_of "$what")" -le $((PROCESSES + 1))
	check "$what: nor more memory" test "$(memory_kib_of "$what")" -le "$LIMIT_KIB"
done
check "the disk filler has got what a layer holds, and no more" \
	test "$(inside 'disk filler' df -k / | awk 'END {print $2}')" -le $((64 * 1024))
check "the inode hog has got what a layer holds, and no more" \
	test "$(inside 'inode hog' df -i / | awk 'END {print $2}')" -le "$INODES"
check "the box has its memory: less is gone than the seven may have" \
	test $((memory - $(available_kib))) -lt $((7 * LIMIT_KIB + 256 * 1024))
check "and processes" bash -c 'for i in {1..200}; do /bin/true || exit; done'
check "their own pages still come, from those who have CPU and memory left" \
	client curl -sf -m 20 -o "$tmp/page" "http://${address[packet flood]}/"

for what in "${!attack[@]}"; do
	check "$what: is released" ctl release "${address[$what]}"
done
check "afterwards the pool is warm" wait_until 60 warm_again
for what in "${!attack[@]}"; do
	check "$what: none of his processes is left" wait_until 20 is_gone "${pid[$what]}"
done
check_eq "no container had to be given up" '0 0' "$(counter start_failed) $(counter recycle_failed)"
who_has 10.66.4.1
check "and the next guest of an address finds a clean house" client curl -sf -m 5 -o "$tmp/page" http://10.66.4.1/

done_testing
