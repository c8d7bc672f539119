# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# trace.sh: strace on skepd, to kill it or to let a system call fail at a certain step. Sourced after
# lib.sh and invariants.sh. A step is a system call, told from others by what it is done to.
# shellcheck disable=SC2154 # they are lib.sh's

# Waiting is no step, and setting the clock for it changes nothing.
readonly STEPS='!epoll_wait,timerfd_settime,clock_gettime,gettimeofday,rt_sigprocmask,rt_sigaction,getpid,brk,mmap,munmap,mprotect'

# descriptors PID: "FD MAP" of each of its maps; pinned maps keep their numbers over restarts
declare -A map_names=()
learn_maps() {
	local pin
	for pin in "$bpf_dir"/*; do
		[[ $pin == */link_* ]] || map_names[$(bpftool -j map show pinned "$pin" | jq .id)]=${pin##*/}
	done
}
descriptors() {
	local file id
	for file in "/proc/$1/fdinfo"/*; do
		id=$(sed -n 's/^map_id:[[:space:]]*//p' "$file" 2>/dev/null) || true
		[[ -z $id ]] || echo "${file##*/} ${map_names[$id]:-other}"
	done
}

# steps_in TRACE DESCRIPTORS: one line for each system call: NAME, the how-manieth of this name, and
# what it does, so that one step can be told from another. A lease that is settled is written twice,
# and one that a command releases is looked up twice.
steps_in() {
	awk 'FILENAME == ARGV[1] { map[$1] = $2; next }
		/^[a-z_0-9]+\(/ {
			name = $0; sub(/\(.*/, "", name)
			what = name
			if (match($0, /BPF_MAP_[A-Z]+/)) what = tolower(substr($0, RSTART + 8, RLENGTH - 8))
			if (match($0, /map_fd=[0-9]+/)) what = what "_" map[substr($0, RSTART + 7, RLENGTH - 7)]
			if (what == "update_leases" && leases++) what = "update_leases_again"
			if (what == "recvmsg") told = 1
			if (what == "lookup_leases" && told) what = what "_" ++looks
			if (/^sendmsg/ && match($0, /iov_base="\\[0-9]/)) what = what "_message_" substr($0, RSTART + 11, 1)
			if (/AF_PACKET/) what = "send_frame"
			print name, ++count[name], what
		}' "$2" "$1"
}

# Or it has ended by what was done to it already.
is_traced() { [[ ! -e /proc/$1/status ]] || grep -q '^TracerPid:[[:space:]]*[1-9]\|^State:[[:space:]]*Z' "/proc/$1/status"; }

# trace PID OPTION...: until end_trace; begins right after a tick of the clock, so that what is done next
# makes the same system calls each time, as far as it is done before the next tick
tracer=''
trace() {
	local pid=$1
	shift
	: >"$tmp/trace"
	strace -q -o "$tmp/trace" -e trace="$STEPS" "$@" -p "$pid" 2>>"$tmp/strace" &
	tracer=$!
	wait_until 20 is_traced "$pid" || fail "strace can be attached" "$(cat "$tmp/strace")"
	wait_until 1 grep -q bpf "$tmp/trace" || true
}
end_trace() {
	kill "$tracer" 2>/dev/null || true
	wait "$tracer" 2>/dev/null || true
}

trace_keepers() { # OPTION...
	local pid pids options=()
	mapfile -t pids < <(keepers) # one that comes meanwhile is not traced
	for pid in "${pids[@]}"; do
		options+=(-p "$pid")
	done
	: >"$tmp/trace"
	strace -q -o "$tmp/trace" "$@" "${options[@]}" 2>>"$tmp/strace" &
	tracer=$!
	for pid in "${pids[@]}"; do
		wait_until 20 is_traced "$pid" || diag "the keeper $pid is not traced: $(cat "$tmp/strace")"
	done
}

# --- a bind with the refill that follows, and a release with the recycling ---

address=''
next_address() { address=10.66.5.$((++addresses)); }
addresses=0

bind_begin() {
	next_address
	spawn router arping -q -c 1 -C 1 -w 1 -I "$LAB_LAN" "$address" 2>/dev/null
	# shellcheck disable=SC2034 # for the test to wait for
	asking=$spawned
}
bind_end() { is_settled "$address" && farm_settled; }
release_begin() { ctl release "$address" >"$tmp/released" 2>&1 || true; }
release_end() { is_dark "$address" && farm_settled; }

# record WHAT: the steps that it takes, to $tmp/steps.WHAT; again, where they have come to be others
record() {
	descriptors "$skepd_pid" >"$tmp/descriptors"
	trace "$skepd_pid"
	"$1_begin"
	wait_until 5 "$1_end" || fail "$1 comes to its end"
	end_trace
	steps_in "$tmp/trace" "$tmp/descriptors" | grep -v lookup_counters >"$tmp/steps.$1" # of the clock's
	: >>"$tmp/covered.$1"
}

# The first of each kind of step.
kinds() { sort -k 3,3 -u "$tmp/steps.$1" | sort -k 1,1 -k 2,2n; }
missed() { kinds "$1" | awk 'FILENAME == ARGV[1] { done[$1] = 1; next } !done[$3]' "$tmp/covered.$1" -; }
