#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What an intruder finds: a machine with a name of its own and nothing that says LXC; and how far he
# gets: mapped to an unprivileged user, few capabilities, system calls filtered, memory and processes
# limited. Looked at from outside, from inside, and by somebody who has logged in.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/telnet.sh"

WARM=5 MAX=8
readonly A=10.66.4.2 B=10.66.4.3

status_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"; }

# cgroup_file CONTROLLER FILE_OF_V1 FILE_OF_V2: what it says of the container
cgroup_file() {
	local path
	path=$(sed -nE "s/^[0-9]+:([^:]*,)?$1(,[^:]*)?://p" "/proc/$pid/cgroup")
	if [[ -n $path ]]; then
		cat "/sys/fs/cgroup/$1$path/$2"
	else
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/$3"
	fi
}

# CapBnd is what anything inside could ever get. Numbers are those of linux/capability.h.
has_capability() { ((16#$(status_of CapBnd) >> $1 & 1)); }

lab_up
skepd_start
mapfile -t idle < <(containers idle pid)
pid=${idle[0]}

# Nothing that says LXC
check_eq "no 'container' in the environment of PID 1" '' \
	"$(tr '\0' '\n' <"/proc/$pid/environ" | grep -i '^container' || true)"
check_match "but what a machine's init has" $'(^|\n)PATH=/' "$(tr '\0' '\n' <"/proc/$pid/environ")"
check_status "no /dev/.lxc-boot-id" 1 in_container "$pid" test -e /dev/.lxc-boot-id
for file in environ cmdline cgroup mountinfo mounts sched comm; do
	check_eq "no 'lxc' in /proc/1/$file" 0 "$(in_container "$pid" grep -ci lxc "/proc/1/$file" || true)"
done
check_eq "nor in any name in /dev, /run or /" '' \
	"$(in_container "$pid" find / /dev /run -maxdepth 2 -iname '*lxc*' -not -path '/proc/*')"
check_eq "its cgroup seems to be the root" '/' \
	"$(in_container "$pid" cat /proc/1/cgroup | cut -d: -f3- | sort -u)"

# Names
names=$(for pid in "${idle[@]}"; do in_container "$pid" hostname; done)
check_eq "all host names look like a machine's" '' "$(grep -Ev '^[a-z][a-z0-9-]{1,30}$' <<<"$names" || true)"
check_eq "none is the name of its container or of the host" '' \
	"$(grep -Ex -e 'c[0-9]+' -e "$(hostname)" -e '.*(skep|lxc|container|localhost).*' <<<"$names" || true)"
check "they differ" test "$(sort -u <<<"$names" | wc -l)" -gt 1

# Link addresses
who_has "$A"
who_has "$B"
check_eq "no link address is Xen's or LXC's" '' \
	"$(ctl --json leases | jq -r '.leases[].mac' | grep -Ei '^(00:16:3e|10:66:6a)' || true)"
check_eq "inside, it is the same as outside" "$(mac_in_answer "$A")" \
	"$(in_container "$(lease "$A" pid)" cat /sys/class/net/eth0/address 2>"$tmp/err" ||
		in_net "$(lease "$A" pid)" ip -j link show eth0 | jq -r '.[0].address')"

# Privileges
pid=$(lease "$A" pid)
name=$(ctl --json containers | jq -r --argjson pid "$pid" '.containers[] | select(.pid == $pid).container')
id=$((1000000 + ${name#c} * 65536))
check_eq "root inside is an unprivileged user outside" "$id $id $id $id" "$(status_of Uid | tr '\t' ' ')"
check_eq "of a group that is nobody's" "$id $id $id $id" "$(status_of Gid | tr '\t' ' ')"
check_match "65536 users are mapped, and root of the host is none of them" "^ *0 +$id +65536\$" \
	"$(cat "/proc/$pid/uid_map")"
check_eq "none of its processes is the host's root" '' \
	"$(for p in $(cgroup_file pids cgroup.procs cgroup.procs); do
		awk -v p="$p" '/^[UG]id:/ { for (i = 2; i <= 5; i++) if ($i < 1000000) print p, $0 }' "/proc/$p/status"
	done)"
check_eq "system calls are filtered" 2 "$(status_of Seccomp)"
while read -r number name; do
	check_status "it can never get cap_$name" 1 has_capability "$number"
done <<-EOT
	2 dac_read_search
	12 net_admin
	16 sys_module
	17 sys_rawio
	19 sys_ptrace
	21 sys_admin
	22 sys_boot
	24 sys_resource
	25 sys_time
	27 mknod
	34 syslog
	39 bpf
EOT
check "it can bind the ports of services (cap_net_bind_service)" has_capability 10

# Somebody logs in, and tries.
mac=$(lease "$A" mac)
tries='hostname; id -u; env'
tries+='; mount -t tmpfs none /mnt && echo mounted'
tries+='; ifconfig eth0 10.66.4.77 && echo renumbered'
tries+='; ifconfig eth0 hw ether 02:00:00:00:00:01 && echo renamed'
tries+='; mknod /tmp/disk b 8 0 && echo made'
# shellcheck disable=SC2016 # for the shell inside
tries+='; date -s 2001-01-01; [ "$(date +%Y)" = 2001 ] && echo backdated'
tries+='; reboot -f && echo rebooted'
session=$(log_in "$A" "echo; echo begin; $tries; echo end" 2>&1 | tr -d '\r' | sed -n '/^begin$/,$p')
check_match "a login works to its end" $'\nend\n' "$session"
check_match "on a machine with the name that it was given" $'^begin\n'"$(in_container "$pid" hostname)"$'\n' "$session"
check_match "as root" $'\n0\n' "$session"
check_eq "his environment does not say where he is" '' "$(grep -iE '^container=|lxc|skep' <<<"$session" || true)"
check_eq "he can neither mount, nor change the network, nor make devices, nor set the clock, nor reboot" '' \
	"$(grep -Ex 'mounted|renumbered|renamed|made|backdated|rebooted' <<<"$session" || true)"
check_eq "the container is as it was" "$pid $mac" "$(lease "$A" pid) $(lease "$A" mac)"

# Limits, as configured: 64 MiB and as much for the writable layer, 128 processes
check_eq "memory is limited" $((128 << 20)) "$(cgroup_file memory memory.limit_in_bytes memory.max)"
check_eq "processes are limited" 128 "$(cgroup_file pids pids.max pids.max)"
log_in "$A" 'dd if=/dev/zero of=/dev/null bs=200M count=1; echo over' >"$tmp/hog" 2>&1 || true
full() { [[ $(cgroup_file memory memory.failcnt memory.events | sed -n 's/^\(max \)\?\([0-9]*\)$/\2/p') != 0 ]]; }
check "a program that wants more memory runs into the limit" full
check_match "and the login survives it" $'\nover' "$(cat "$tmp/hog")"
# shellcheck disable=SC2016 # for the shell inside
bomb='trap "" HUP; for i in $(seq 400); do sleep 600 </dev/null >/dev/null 2>&1 & done'
log_in "$A" "sh -c '$bomb'" >"$tmp/bomb" 2>&1 || true
check_match "a fork bomb fails to fork" "can't fork" "$(cat "$tmp/bomb")"
processes=$(cgroup_file pids pids.current pids.current)
check "it got to the limit, and not beyond ($processes processes)" test "$processes" -gt 100 -a "$processes" -le 128
check "the other containers do not notice" client curl -sSf -m 5 -o "$tmp/page" "http://$B/"
check "nor does skepd" who_has 10.66.4.4
check "a container full of processes can be released" ctl release "$A"
check "and is gone with all of them" wait_until 10 counted container_recycled 1

done_testing
