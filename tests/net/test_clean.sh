#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Clean means clean: everything in a container that can be dirtied is dirtied, by its root and with
# the host's powers too; after its release the next life of the same slot is compared, item by item,
# with a container that nobody ever used. Each item must have been dirty in between, or its
# comparison would prove nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/telnet.sh"

WARM=2 MAX=2 # so that the slot that was used is the next one to be filled
readonly A=10.66.4.2

slot_of() { ctl --json containers | jq -r --argjson pid "$1" '.containers[] | select(.pid == $pid).container'; }
pid_of() { ctl --json containers | jq -r --arg name "$1" '.containers[] | select(.container == $name).pid'; }
port_of() { ctl --json containers | jq -r --arg name "$1" '.containers[] | select(.container == $name).port'; }
is_idle_in() { [[ $(ctl --json containers | jq -r --arg name "$1" '.containers[] | select(.container == $name).state') == idle ]]; }

in_ipc() { nsenter --target "$1" --ipc -- "${@:2}"; }
queues() { in_ipc "$1" unshare --mount bash -c 'mount -t mqueue none /mnt && ls /mnt'; }

groups_of() { find /sys/fs/cgroup -maxdepth 3 -type d -path "*/$farm_cgroup/$1" | sort; }

# --- what a container is like: item_NAME CONTAINER PID ---

# Everything on the root and in /dev, with what stands in it; /etc/hostname is each one's own.
item_files() {
	# shellcheck disable=SC2016
	in_container "$2" sh -c '
		for top in / /dev /dev/pts; do find $top -xdev; done | sort -u |
			grep -vE "^/(proc|sys)/|^/dev/pts/" | tr "\n" "\0" | xargs -0 stat -c "%n %F %a %u:%g %t:%T"
		for top in / /dev; do find $top -xdev -type f; done | sort -u | grep -vx /etc/hostname |
			tr "\n" "\0" | xargs -0 md5sum'
}
item_room() { in_container "$2" df -k / /dev | awk '{print $1, $2, $6}'; }
item_processes() { in_container "$2" sh -c 'cat /proc/[0-9]*/comm' | grep -vxE 'sh|cat' | sort; }
item_shared_memory() { in_ipc "$2" cat /proc/sysvipc/shm | wc -l; }
item_semaphores() { in_ipc "$2" cat /proc/sysvipc/sem | wc -l; }
item_messages() { in_ipc "$2" cat /proc/sysvipc/msg | wc -l; }
item_message_queues() { queues "$2"; }
item_addresses() { in_net "$2" ip -o address | sed -E 's/^[0-9]+: //; s/ +/ /g'; }
item_routes() { in_net "$2" ip route show table all; }
item_rules() { in_net "$2" ip rule; }
item_neighbours() { in_net "$2" ip neighbour; }
item_links() { in_net "$2" ip -o link | sed -E 's/^[0-9]+: //; s/@if[0-9]+//; s#link/ether [0-9a-f:]+#link/ether X#; s/link-netnsid [0-9]+//'; }
item_sockets() { in_net "$2" ss -Htuanxw | awk '{print $1, $2, $5}' | grep -v '^u_' | sort; }
item_net_sysctls() {
	in_net "$2" bash -c 'cd /proc/sys/net && find . -type f -readable | grep -v "conf/[^/]*/stable_secret$" |
		sort | xargs grep -sH ""'
}
own_ids() { # PID: of each container others; root's, and those of terminals
	local first
	first=$(awk '{print $2}' "/proc/$1/uid_map")
	sed -E "s/\\b$first\\b/ROOT/g; s/\\b$((first + 5))\\b/TTY/g"
}
item_mounts() { sed -E 's/^[0-9]+ [0-9]+ [0-9]+:[0-9]+ //; s/shared:[0-9]+ //' "/proc/$2/mountinfo" | own_ids "$2"; }
item_limits() { cat "/proc/$2/limits" "/proc/$2/oom_score_adj"; }
item_scheduling() { chrt -p "$2" | sed 's/pid [0-9]*/pid/'; awk '{print $19}' "/proc/$2/stat"; taskset -p "$2" | sed 's/pid [0-9]*/pid/'; }
item_environment() { tr '\0' '\n' <"/proc/$2/environ"; }
item_identity() { { grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' "/proc/$2/status"; cat "/proc/$2/uid_map"; } | own_ids "$2"; }
item_cgroup() {
	local dir file
	for dir in $(groups_of "$1"); do
		for file in memory.limit_in_bytes memory.max pids.max cpu.shares cpu.weight cpu.cfs_quota_us cpu.max; do
			[[ ! -e $dir/$file ]] || echo "${dir#/sys/fs/cgroup/} $file $(cat "$dir/$file")"
		done
		find "$dir" -mindepth 1 -type d -printf 'below: %f\n'
	done | sed "s#/$1 #/ #"
}
item_port() { box ip -o link show "$(port_of "$1")" | sed -E 's/^[0-9]+: [^:]+: //; s#link/ether [0-9a-f:]+#link/ether X#; s/link-netnsid [0-9]+//; s/ +/ /g'; }
item_name() { [[ $(nsenter --target "$2" --uts hostname) != owned ]] && echo "a name of its own"; }

readonly ITEMS="files room processes shared_memory semaphores messages message_queues addresses routes rules
	neighbours links sockets net_sysctls mounts limits scheduling environment identity cgroup port name"
readonly UNCHANGEABLE="room environment identity" # compared, but there is no way to dirty them

look_at() { # NAME CONTAINER PID
	local item
	mkdir -p "$tmp/$1"
	for item in $ITEMS; do
		"item_$item" "$2" "$3" >"$tmp/$1/$item" 2>&1 || true
	done
}

namespaces_of() { find "/proc/$1/ns" -type l -printf '%l\n' | sort; }

# The kernel gives a number again once its namespace is gone: held open, they can be told apart. That of
# the network must go, as in real life.
hold_namespaces() {
	local name fd
	for name in cgroup ipc mnt pid user uts; do
		# shellcheck disable=SC2034 # that it is open is all that it is for
		exec {fd}<"/proc/$1/ns/$name"
	done
}

# --- dirt ---

# By the container's own root, who has logged in
# shellcheck disable=SC2016
inside='
for d in / /etc /bin /tmp /run /dev /var/www /var/spool/cron/crontabs /root /home/office; do
	echo left >$d/left; mkdir $d/.left; echo left >$d/.left/deep; mkfifo $d/left.pipe
done
rm -rf /srv/share /bin/ls; echo changed >>/etc/passwd; echo "* * * * * sh" >>/var/spool/cron/crontabs/root
chmod 777 /etc; chown 33:33 /root; ln -s / /tmp/link; cp /bin/busybox /bin/door; chmod 4755 /bin/door
mknod /tmp/nod p; touch "/tmp/a
b"; echo left >/dev/shm.left; head -c 3000000 /dev/zero >/var/big
for i in 1 2 3; do setsid sh -c "while :; do sleep 100; done" </dev/null >/dev/null 2>&1 & done
setsid nc -ll -p 4444 -e sh </dev/null >/dev/null 2>&1 &
setsid sh -c "sleep 99 | nc 127.0.0.1 80" </dev/null >/dev/null 2>&1 &
ping -c 1 -W 1 10.66.0.1 >/dev/null; grep -q "^10.66.0.1 " /proc/net/arp; echo done: $?'

# With more than he ever has: what of it is a container's goes with the container all the same.
from_outside() {
	local name=$1 pid=$2 dir root
	in_ipc "$pid" ipcmk -M 65536 -S 3 -Q
	# Only an owner that has a place in the container's user namespace can have a queue.
	root=$(awk '{print $2}' "/proc/$pid/uid_map")
	in_ipc "$pid" unshare --mount bash -c "mount -t mqueue none /mnt &&
		setpriv --reuid=$root --regid=$root --clear-groups touch /mnt/left"
	nsenter --target "$pid" --uts hostname owned
	in_net "$pid" bash -ec '
		ip address add 10.66.77.77/32 dev eth0; ip address add 192.0.2.1/24 dev lo
		ip route add 203.0.113.0/24 via 10.66.0.1; ip route add blackhole 198.18.0.0/15 table 77
		ip rule add from 192.0.2.1 table 77; ip neighbour add 10.66.9.9 lladdr 02:00:00:00:00:09 dev eth0
		ip link add left type veth peer name left2; ip link set eth0 mtu 1400
		echo 1 >/proc/sys/net/ipv4/ip_forward; echo 7 >/proc/sys/net/ipv4/ip_default_ttl
		echo 5 >/proc/sys/net/ipv4/conf/all/arp_announce || echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce'
	nsenter --target "$pid" --mount mount -t tmpfs none /mnt
	prlimit --pid "$pid" --nofile=77:77
	echo 500 >"/proc/$pid/oom_score_adj"
	renice -n 7 -p "$pid"
	taskset -p 1 "$pid"
	for dir in $(groups_of "$name"); do
		mkdir "$dir/left" || true
		[[ ! -e $dir/pids.max ]] || echo 99 >"$dir/pids.max"
		[[ ! -e $dir/cpu.shares ]] || echo 77 >"$dir/cpu.shares"
		[[ ! -e $dir/cpu.weight ]] || echo 77 >"$dir/cpu.weight"
	done
	box ip link set "$(port_of "$name")" mtu 1400 txqueuelen 77
}

settled() { (($(item_processes '' "$1" | wc -l) >= 2)); }

lab_up
skepd_start
who_has "$A"
used=$(lease "$A" pid) && name=$(slot_of "$used")
fresh=$(containers idle pid) && fresh_name=$(slot_of "$fresh")
wait_until 10 settled "$used"
check_match "what root inside dirties, he can" 'done: 0' "$(log_in "$A" "$(tr '\n' ';' <<<"$inside" | sed 's/do;/do /g; s/&;/\& /g; s/^;//; s/;$//')")"
check "and so does what only the host could" from_outside "$name" "$used"
look_at dirty "$name" "$used"
look_at fresh "$fresh_name" "$fresh"
dirty_namespaces=$(namespaces_of "$used")
hold_namespaces "$used"
for item in $ITEMS; do
	[[ " $UNCHANGEABLE " == *" $item "* ]] ||
		check_status "${item//_/ }: dirty now" 1 cmp -s "$tmp/dirty/$item" "$tmp/fresh/$item"
done

ctl release "$A" >"$tmp/output"
check "the slot is warm again" wait_until 20 is_idle_in "$name"
next=$(pid_of "$name")
check "with another life" test "$next" != "$used"
check "its services run" wait_until 10 settled "$next"
look_at next "$name" "$next"
look_at fresh "$fresh_name" "$fresh"
for item in $ITEMS; do
	check_eq "${item//_/ }: as of a container that nobody used" '' "$(diff "$tmp/fresh/$item" "$tmp/next/$item")"
done
check_eq "no namespace is one of its former life" '' "$(comm -12 <(echo "$dirty_namespaces") <(namespaces_of "$next") | grep -vE '^(net|time)' || true)"
check "no process of its former life is left" wait_until 10 is_gone "$used"
who_has "$A"
check_eq "whoever comes next is served by it or by the other" 0 "$(client curl -sf -m 5 -o "$tmp/page" "http://$A/"; echo $?)"
check "with the page as it was" grep -qi '<html' "$tmp/page"

done_testing
