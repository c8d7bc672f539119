#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What fails below skepd: system calls of the allocator and of keepers (strace lets them fail), no more
# descriptors, a full state_dir, a read-only run_dir. skepd goes on, or says one clear error; what failed
# is tried again; nothing leaks; an address is dark or somebody's. A bound address is pinged all the time.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"
. "$(dirname "$0")/trace.sh"

WARM=2 MAX=8

# recovered TEXT: skepd is the same process, and everything holds. A template that was switched off
# meanwhile comes back by a reload.
recovered() {
	check_eq "$1: skepd goes on" "$pid" "$(pgrep --full --oldest -- "skepd -c $conf" || true)"
	if [[ $(ctl --json status | jq -r '.templates[0].state') == off ]]; then
		check "$1: that the template is switched off is said" logged 'the template is switched off'
		check "$1: a reload switches it on" ctl reload
	fi
	check_farm "$1" 30
	[[ -z $(lease "$address" pid) ]] || ctl release "$address" >"$tmp/output" 2>&1 || true
}

# fail_step WHAT STEP ERROR: this step of a bind or of a release fails once
fail_step() {
	local name n
	read -r name n _ < <(awk -v step="$2" '$3 == step' "$tmp/steps.$1") || true
	if [[ -z $name ]]; then
		fail "a $1 has a step $2" "$(cat "$tmp/steps.$1")"
		return
	fi
	[[ $1 == bind ]] || prepare_release
	trace "$skepd_pid" -e inject="$name:error=$3:when=$n"
	"$1_begin"
	wait_until 2 "$1_end" || true
	end_trace
	check "$2 fails with $3: it did" grep -q "INJECTED" "$tmp/trace"
	recovered "$2 fails with $3"
}

prepare_release() {
	next_address
	who_has "$address" || diag "$address: no answer"
	wait_until 10 farm_settled || true
}

# fail_all WHO ERROR SYSCALLS UNTIL...: all of these fail, during a bind and its release, until something
# is seen
fail_all() {
	local who=$1 text="$3 of $1 fail with $2"
	if [[ $who == keepers ]]; then
		trace_keepers -e trace="$3" -e inject="$3:error=$2"
	else
		trace "$skepd_pid" -e inject="$3:error=$2"
	fi
	bind_begin
	wait_until 2 "${@:4}" || diag "$text: not seen: ${*:4}"
	release_begin
	sleep 0.2
	end_trace
	check "$text: they did" grep -q "INJECTED" "$tmp/trace"
	recovered "$text"
}
more() { counted "$1" $(($2 + 1)); }

lab_up
skepd_start
pid=$skepd_pid
learn_maps
who_has 10.66.4.2
check_farm "before"
record bind
record release
spawn client ping -q -i 0.01 -W 5 10.66.4.2 >"$tmp/pings" 2>&1
pings=$spawned

# --- single steps of the allocator ---

fail_step bind sendto ENOBUFS
check_eq "a container that could not be told its address is shown with the reason" \
	'did not take its address: No buffer space available' "$(containers failed reason | sort -u)"
fail_step bind recvfrom ENOMEM
fail_step bind update_leases E2BIG
if [[ $BIND == daemon ]]; then
	fail_step bind update_ports ENOMEM
	fail_step bind send_frame ENOBUFS
	check "a held frame that could not be sent is counted" counted send_failed 1
else
	fail_step bind update_leases_again ENOMEM
fi
fail_step bind sendmsg_message_0 ENOBUFS # a job for a keeper
fail_step bind sendmsg_message_4 ENOBUFS # an event
fail_step bind recvmsg ENOMEM # what a keeper has done
fail_step bind epoll_ctl ENOMEM
fail_step release lookup_leases_1 ENOMEM
fail_step release lookup_leases_2 ENOMEM
fail_step release delete_leases ENOMEM
fail_step release delete_ports ENOMEM
fail_step release recvmsg ENOMEM # a command
check "skepctl still works" ctl status
fail_step release sendmsg_message_6 ENOBUFS # its result

# --- keepers ---

for fault in "ENOMEM mount" "ENOSPC mkdir" "EMFILE openat" "EAGAIN clone,clone3,vfork,fork" "EMFILE socket" \
	"EMFILE pidfd_open" "EPERM setns"; do
	read -r error calls <<<"$fault"
	fail_all keepers "$error" "$calls" more start_failed "$(counter start_failed)"
done
fail_all keepers ENOBUFS sendto,sendmsg more keeper_died "$(counter keeper_died)" # whose results cannot be sent
fail_all keepers EIO write,writev true
ctl release 10.66.4.2 >"$tmp/output" 2>&1 || true
kill -INT "$pings"
wait "$pings" || true
check_match "through all of this, not one ping to the bound address was lost" ' 0% packet loss' "$(cat "$tmp/pings")"
check_farm "released"

# Removing: rmdir of cgroups.
who_has 10.66.6.1
wait_until 5 farm_settled
trace_keepers -e trace=rmdir -e inject=rmdir:error=EIO
failures=$(counter recycle_failed)
ctl release 10.66.6.1 >"$tmp/output"
check "a removal that fails is counted" wait_until 10 counted recycle_failed $((failures + 1))
check "and logged" logged 'error: container c[0-9]+ could not be removed: .*; trying again'
end_trace
recovered "rmdir of keepers fails with EIO"

# No new keepers for a while.
trace "$skepd_pid" -e inject=clone,clone3,vfork,fork:error=EAGAIN
signal_keepers KILL
check "keepers that cannot be forked are counted" wait_until 10 counted keeper_failed 1
check "meanwhile idle containers are bound" who_has 10.66.6.2
end_trace
check "later they are there again" wait_until 10 keepers
recovered "no keepers for a while"

# --- descriptors ---

# Of the numbers below the limit, only one is not in use.
for ((free = 0; ; free++)); do
	[[ -L /proc/$skepd_pid/fd/$free ]] || break
done
limit=$(prlimit --pid "$skepd_pid" --nofile --output SOFT --noheadings | tr -d ' ')
failures=$(counter start_failed)
prlimit --pid "$skepd_pid" --nofile="$((free + 1)):"
who_has 10.66.6.3
check "a started container whose descriptors find no room is a failure" \
	wait_until 10 counted start_failed $((failures + 1))
check_match "with its reason" 'Too many open files' "$(containers failed reason)"
prlimit --pid "$skepd_pid" --nofile="$limit:"
recovered "no descriptors for a while"
ctl release 10.66.6.2 >"$tmp/output"
ctl release 10.66.6.3 >"$tmp/output"
check_farm "after the releases"
check "skepd stops" skepd_stop
check_eq "and leaves nothing" '' "$(leftovers)"

# As from the start, where root may not raise it.
real_skepd=$SKEPD
cat >"$tmp/limited" <<-EOT
	#!/bin/sh
	exec prlimit --nofile=120:120 setpriv --bounding-set=-sys_resource '$real_skepd' "\$@"
EOT
chmod +x "$tmp/limited"
SKEPD=$tmp/limited
skepd_start 'template: files = 64'
check "a low limit of open files is said at the start" \
	logged 'warning: open files are limited to 120, and pool.max = 8 needs [0-9]+: run skepd with a higher limit'
check "and as long as it is enough, all is well" who_has 10.66.6.1
pid=$skepd_pid
check_farm "a low limit of open files"
check "skepd stops" skepd_stop
SKEPD=$real_skepd

# --- files ---

mount -t tmpfs -o size=64k,nr_inodes=64,mode=0711 tmpfs "$state_dir"
fill() { head -c 1M /dev/zero >"$1/full" 2>/dev/null || true; }
fill "$state_dir"
: >"$log"
log_shown=0
status=0
skepd_start >"$tmp/output" 2>&1 || status=$?
check_eq "a full state_dir at the first start: status 1" 1 "$status"
check "and it says so" logged "error: cannot read or make the secret $state_dir/secret: No space left on device"
check_eq "in one line" 1 "$(grep -c 'error: ' "$log")"
rm "$state_dir/full"
skepd_start
pid=$skepd_pid
fill "$state_dir"
check "a state_dir that fills up later: addresses are bound" who_has 10.66.6.1
recovered "a full state_dir"
wait_until 10 mount -o remount,ro "$state_dir" # when nothing is being written
check "read-only: addresses are bound" who_has 10.66.6.2
recovered "a read-only state_dir"
check "skepd stops" skepd_stop
umount "$state_dir"

mkdir -p "$run_dir"
mount -t tmpfs -o size=1m,mode=0711 tmpfs "$run_dir"
skepd_start
pid=$skepd_pid
who_has 10.66.4.2
recovered "before"
fill "$run_dir"
check "a full run_dir: addresses are bound" who_has 10.66.6.1
signal_keepers KILL
recovered "a full run_dir, with new keepers"
wait_until 10 pool_has idle "$WARM" # so that none is being started
wait_until 10 mount -o remount,ro "$run_dir"
check "a read-only run_dir: addresses are bound" who_has 10.66.6.2
signal_keepers KILL
recovered "a read-only run_dir, with new keepers"
check_status "what needs it is refused" 1 ctl reload
check_match "with the reason" 'Read-only file system|cannot' "$(cat "$tmp/output")"
recovered "a read-only run_dir, and a reload"
leases=$(leased)
skepd_kill
: >"$log"
log_shown=0
status=0
skepd_start >"$tmp/output" 2>&1 || status=$?
check_eq "a read-only run_dir at the start: status 1" 1 "$status"
check "and it says so" logged "error: .*$run_dir.*: Read-only file system"
check_eq "in one line" 1 "$(grep -c 'error: ' "$log")"
check "the bound addresses go on answering" who_has 10.66.4.2
mount -o remount,rw "$run_dir"
rm "$run_dir/full"
skepd_start
pid=$skepd_pid
check_eq "and are there when it is mended" "$leases" "$(leased)"
recovered "a run_dir that was mended"
check "skepd stops" skepd_stop
umount "$run_dir"

done_testing
