#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An intruder who is root in a container tries each way out of it: devices, mounts, /proc/sys, other
# namespaces, the box's processes and sockets, the kernel's rarer calls, forged frames. Each is refused
# with the error that an ordinary machine would give, and what the box's root gets for the same shows that
# the try is one. Then: ids of its own for each container, nothing of what it writes is the box's, and what
# skepd's own processes have given up.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/telnet.sh"
. "$(dirname "$0")/wire.sh"

WARM=3 MAX=8
readonly ESCAPE=$BUILD/tests/escape NAME=skep-test-$LAB_PREFIX SHM_KEY=0x736b6570 ID_BASE=1000000 IDS=65536
[[ -x $ESCAPE ]] || bail "no $ESCAPE: run 'make $BUILD/tests/escape' first"

# put PID FILE: into the container's /tmp; typed COMMAND...: what the intruder gets to see of it
put() { install -m 755 "$2" "/proc/$1/root/tmp/${2##*/}"; }
typed() { log_in 10.66.4.2 "$*" | tr -d '\r'; }

# What is tried, and the error it is refused with (an extended regular expression).
declare -A refused=(
	# devices and files
	[mknod_disk]=EPERM [mknod_mem]=EPERM [open_dev_mem]=ENOENT [open_dev_kmsg]=ENOENT
	[open_kcore]='ENOENT|EACCES|EPERM' [open_sysrq]='ENOENT|EACCES' [open_core_pattern]=EACCES
	[open_modprobe_path]='ENOENT|EACCES' [open_uevent_helper]='ENOENT|EACCES|EROFS'
	[open_oom_score]=EACCES [read_kernel_addresses]='EACCES|ENOENT' [open_by_handle]=EPERM
	[name_to_handle]=EOPNOTSUPP [leave_chroot]=EXDEV [chown_foreign]=EINVAL
	# mounts and namespaces
	[mount_tmpfs]=EPERM [mount_proc]=EPERM [mount_cgroup]=EPERM [mount_overlay]=EPERM [mount_bind]=EPERM
	[remount_root]=EPERM [unmount_proc]=EPERM [call_fsopen]=EPERM [call_open_tree]=EPERM
	[call_pivot_root]=EPERM [enter_namespace]=EPERM [unshare_user]=EPERM [unshare_mounts]=EPERM
	[unshare_net]=EPERM [clone_user]=EPERM [clone_pid]=EPERM [clone3_user]=ENOSYS [set_host_name]=EPERM
	# what is the box's
	[kill_outside]=ESRCH [trace_outside]=ESRCH [hold_outside]=ESRCH [read_outside]=ENOENT
	[shared_memory]=ENOENT [abstract_socket]=ECONNREFUSED [take_foreign_id]=EINVAL [real_time]=EPERM
	[lower_core_limit]=EPERM [raise_core_limit]=EPERM
	# the kernel's surface
	[bpf_map]=EPERM [perf_event]=EACCES [keyrings]=ENOSYS [add_key]=ENOSYS [io_uring]=ENOSYS
	[fault_handler]=EPERM [load_module]=EPERM [load_module_file]=EPERM [unload_module]=EPERM
	[load_kernel]=EPERM [restart]=EPERM [set_clock]=EPERM [adjust_clock]=EPERM [swap]=EPERM
	[accounting]=EPERM [port_access]=EPERM [kernel_log]=EPERM [hang_up]=EPERM [fixed_addresses]=ENOSYS
	[ask_audit]=ECONNREFUSED
	# sockets
	[socket_vsock]=EAFNOSUPPORT [socket_alg]=EAFNOSUPPORT [socket_key]=EAFNOSUPPORT
	[socket_high_bits]=EAFNOSUPPORT [netlink_netfilter]=EPROTONOSUPPORT [netlink_xfrm]=EPROTONOSUPPORT
	[netlink_generic]=EPROTONOSUPPORT [netlink_uevent]=EPROTONOSUPPORT [socket_sctp]=EPROTONOSUPPORT
	[socket_mptcp]=EPROTONOSUPPORT [packet_ring]=ENOPROTOOPT [socket_filter]=ENOPROTOOPT
	[netlink_move_link]=EPERM [set_link_flags]=EPERM
)
[[ $(uname -m) != x86_64 ]] || refused+=([abi_32]=ENOSYS [abi_x32]=ENOSYS)

# Those that need nothing of the box but its root: there the try must be seen to work. What the others
# need is a matter of the kernel's configuration; where they are refused to root too, that is told.
readonly work_outside='mknod_disk mknod_mem name_to_handle chown_foreign mount_tmpfs mount_proc mount_bind
	remount_root call_fsopen call_open_tree call_pivot_root enter_namespace unshare_user unshare_mounts
	unshare_net clone_user clone_pid clone3_user set_host_name kill_outside trace_outside hold_outside
	read_outside shared_memory abstract_socket take_foreign_id lower_core_limit keyrings add_key restart
	set_clock adjust_clock swap accounting kernel_log hang_up fixed_addresses netlink_generic packet_ring socket_filter
	set_link_flags'

outcome() { sed -n "s/^$1 //p" "$tmp/$2"; } # TRY inside|outside

try_all() {
	put "$pid" "$ESCAPE"
	typed "/tmp/escape $skepd_pid $NAME" >"$tmp/inside"
	check "the intruder has tried all" grep -qx 'all tried' "$tmp/inside"
}

all_refused() {
	local try
	for try in $(printf '%s\n' "${!refused[@]}" | sort); do
		check_match "$try" "^(${refused[$try]})\$" "$(outcome "$try" inside)"
	done
}

still_his() { [[ $(lease 10.66.4.2 pid) == "$pid" ]]; }

# Slots by name; the ids that are root's and everybody's in there.
first_id() { awk '{print $2}' "/proc/$1/uid_map"; }
first_ids() { ctl --json containers | jq -r '.containers[] | "\(.container) \(.pid)"' | while read -r name p; do echo "$((ID_BASE + ${name#c} * IDS)) $(cat "/proc/$p/uid_map" "/proc/$p/gid_map" | tr -s ' \n' ' ')"; done; }
as_promised() { awk -v n="$IDS" '$2 || $3 != $1 || $4 != n || $5 || $6 != $1 || $7 != n'; }

# The template as it lies on the box's disk.
template_now() { (cd "$SKEP_TEMPLATE" && find . -printf '%p %m %U %G %s %C@ %l\n' | sort | sha256sum); }

# setpriv itself keeps capabilities up to the moment it executes something; the shell has none.
# shellcheck disable=SC2016 # for the inner shell
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups -- sh -c '"$0" "$@"' "$@"; }

# Where set-user-ID counts: /tmp may be mounted without.
# shellcheck disable=SC2016 # for the inner shells
nobody_by_suid() {
	mkdir "$tmp/box"
	unshare --mount sh -c 'mount -t tmpfs -o mode=0755 tmpfs "$1" && install -m 755 "$2" "$1/suid" &&
		chown "$3:$3" "$1/suid" && chmod 6755 "$1/suid" &&
		setpriv --reuid 65534 --regid 65534 --clear-groups -- sh -c '\''"$0" whoami'\'' "$1/suid"' \
		sh "$tmp/box" "$ESCAPE" "$mine"
}

status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; } # PID FIELD
# has_no_more PID MASK: of capabilities, in any set
has_no_more() {
	local set
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		((!(16#$(status_of "$1" "$set") & ~$2))) || return 1
	done
}

lab_up
skepd_start
who_has 10.66.4.2
who_has 10.66.4.3
pid=$(lease 10.66.4.2 pid) mac=$(lease 10.66.4.2 mac) other=$(lease 10.66.4.3 pid)
gateway=$(router ip -j link show "$LAB_LAN" | jq -r '.[0].address')
untouched=$(template_now)

# --- each way out ---

spawn box "$ESCAPE" listen "$NAME" >"$tmp/listening"
wait_until 5 grep -q listening "$tmp/listening" || bail "the box's process does not listen"
try_all
box unshare --mount --uts "$ESCAPE" "$$" "$NAME" >"$tmp/outside"
rm -rf /tmp/escape.d
ipcrm -M "$SHM_KEY"
all_refused
for try in $work_outside; do
	check_eq "$try works for the box's root" open "$(outcome "$try" outside)"
done
for try in "${!refused[@]}"; do
	[[ $(outcome "$try" outside) == open ]] || diag "$try: to the box's root it is $(outcome "$try" outside) here"
done

typed '/tmp/escape writable /proc/sys; /tmp/escape writable /sys' >"$tmp/writable"
check_eq "of /proc/sys and /sys nothing can be written but what is of its own IPC and process namespace" '' \
	"$(grep -E '^/(proc|sys)/' "$tmp/writable" |
		grep -vE '^/proc/sys/(fs/mqueue/|kernel/(auto_msgmni|msgm[a-z]+|ns_last_pid|pid_max|sem|shm[a-z_]+)$|net/)' || true)"
check_eq "both were looked through" 2 "$(grep -cx 'all seen' "$tmp/writable")"
check_eq "inotify instances, which are the box's root's, are limited" 16 \
	"$(in_container "$pid" cat /proc/sys/user/max_inotify_instances)"
check "and in the box there is more that its root could write" \
	test "$("$ESCAPE" writable /proc/sys/kernel | wc -l)" -gt 20
typed 'cat /proc/keys; echo read' >"$tmp/keys"
check_eq "none of the box's keys is seen" read "$(sed -n '/^[0-9a-f]\{8\} \|^read$/p' "$tmp/keys")"
check_eq "no devices but the harmless" \
	"$(printf '%s\n' full:1:7 null:1:3 ptmx:5:2 random:1:8 tty:5:0 urandom:1:9 zero:1:5)" \
	"$(in_container "$pid" find /dev -xdev '(' -type c -o -type b ')' -exec stat -c '%n:%t:%T' {} + | sed 's|/dev/||' | sort)"
typed 'cd /; sh -c "kill -SEGV \$\$"; find / -xdev -name "core*" -size +1k; echo looked' >"$tmp/cores"
check_eq "a process that crashes leaves no core" looked "$(grep -xE '/.*core.*|looked' "$tmp/cores")"

# --- what it sends ---

put "$pid" "$SEND_FRAME"
sniff lan router "$LAB_LAN" ether src not "$gateway"
packet=$(echo_request 10.66.4.3 10.66.0.1)
frames=(
	"$(ethernet "$gateway" 02:00:00:00:00:66 0800 "$packet")"
	"$(ethernet "$gateway" "$mac" 0800 "$packet")"
	"$(ethernet "$BROADCAST" "$mac" 0806 "$(arp 2 "$mac" 10.66.0.1 "$gateway" 10.66.0.2)")"
	"$(ethernet "$gateway" "$mac" 810000070800 "$packet")"
	"$(ethernet 01:80:c2:00:00:0e "$mac" 88cc 0207046655443322110403303030060200780000)"
	"$(who_has_frame "$mac" 10.66.4.2 10.66.0.1)"
)
for frame in "${frames[@]}"; do
	typed "/tmp/send_frame eth0 $frame && echo sent" >"$tmp/sent"
	check "he can send a frame of his own making" grep -qx sent "$tmp/sent"
done
check "a true one gets to the peer of the uplink" wait_until 5 seen lan "who-has 10.66.0.1 tell 10.66.4.2"
check_eq "and none of the forged ones" 0 \
	"$(how_many lan '02:00:00:00:00:66|10\.66\.4\.3|10\.66\.0\.1 is-at|vlan|LLDP')"

# --- what he leaves ---

check_eq "each container has ids of its own" '' "$(first_ids | as_promised)"
check_eq "which are nobody else's: of all containers there are as many" \
	"$(ctl --json containers | jq '.containers | length')" "$(first_ids | sort -u | wc -l)"
mine=$(first_id "$pid")
typed 'echo x >>/etc/passwd; chmod 6755 /bin/busybox; chown 33 /etc/hosts; ln /etc/hosts /tmp/hosts; echo x >>/tmp/hosts;
	rm /etc/motd; cp /tmp/escape /tmp/suid; chmod 6755 /tmp/suid; ln -s ../../../../../../../etc/shadow /tmp/shadow; echo done' >"$tmp/left"
check "he has changed files, and left some with set-user-ID" test -u "/proc/$pid/root/tmp/suid"
check_eq "on the box their owner is nobody" "$mine $mine" "$(stat -c '%u %g' "/proc/$pid/root/tmp/suid")"
check_status "no user of the box gets to them" 126 nobody "/proc/$pid/root/tmp/suid" whoami
exec 9<"/proc/$pid/root/tmp/suid"
check_eq "and who is given one does not become its owner" 65534 "$(nobody /proc/self/fd/9 whoami)"
exec 9<&-
check_eq "as he would of a file of the box" "$mine" "$(nobody_by_suid)"
check_eq "the template is what it was" "$untouched" "$(template_now)"
check_match "the other container, too" '^[^x]' "$(in_container "$other" tail -n 1 /etc/passwd)"
check_eq "nothing of it is mounted in the box" '' "$(findmnt -rno TARGET,FSTYPE | grep -E 'overlay|udev' | grep -F "$tmp" || true)"

# --- what skepd has given up ---

readonly KEEPER_MAY=0x892411fb SKEPD_MAY=0xc089a431fb
control=$(pgrep --parent "$skepd_pid" --exact skepd-control)
check "skepd has the capabilities that its work takes, and no other" has_no_more "$skepd_pid" "$SKEPD_MAY"
for p in $(pgrep --parent "$skepd_pid"); do
	check "$(cat "/proc/$p/comm"): no more than skepd" has_no_more "$p" "$SKEPD_MAY"
done
for p in $(keepers); do
	check "keeper: no more than starting containers takes" has_no_more "$p" "$KEEPER_MAY"
	check_eq "keeper: its system calls are filtered" 2 "$(status_of "$p" Seccomp)"
done
preparer=$(pgrep --parent "$control" --exact skepd-preparer)
check "preparer: no more than a keeper" has_no_more "$preparer" "$KEEPER_MAY"
check_eq "preparer: its system calls are filtered" 2 "$(status_of "$preparer" Seccomp)"
check "control: none at all" has_no_more "$control" 0
check_eq "control: nor can it get any, and its system calls are filtered" '1 2' \
	"$(status_of "$control" NoNewPrivs) $(status_of "$control" Seccomp)"
check "a handover works" ctl handover
check "and the container is still his" wait_until 20 still_his
check "the next skepd has no more either" has_no_more "$skepd_pid" "$SKEPD_MAY"

# --- where skepd itself is started under a filter, as by a unit with SystemCallFilter=; and the last ids ---

printf '#!/bin/sh\nexec %q confined %q "$@"\n' "$ESCAPE" "$SKEPD" >"$tmp/confined"
chmod 755 "$tmp/confined"
SKEPD=$tmp/confined
check_eq "set-user-ID files did give privileges inside" 0 "$(status_of "$pid" NoNewPrivs)"
check "skepd stops" skepd_stop
skepd_start 'id_base = 4290000000' 'template: no_new_privs = on'
who_has 10.66.4.2
pid=$(lease 10.66.4.2 pid)
check_eq "with no_new_privs they do not" 1 "$(status_of "$pid" NoNewPrivs)"
check_eq "a container has that, its keeper's, and its own" 3 "$(status_of "$pid" Seccomp_filters)"
try_all
all_refused
check "there may be as many containers as there are ids for" ctl pool resize 3 59
check_status "and no more" 1 ctl pool resize 3 60
check_match "which is told" 'not enough ids for max 60' "$(cat "$tmp/output")"

done_testing
