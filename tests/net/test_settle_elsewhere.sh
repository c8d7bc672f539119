#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A container that answers for the first time need not share its CPU with skepd, which settles its lease:
# skepd goes to another one for that, if it is on the same, and may go anywhere afterwards. What shows it is
# that where skepd may work has been set anew. Who sends on a CPU has the program run on it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

BIND=kernel WARM=3 MAX=6
readonly HERE=0 ELSEWHERE=1 # CPUs

cpus_of() { taskset --pid --cpu-list "$1" | sed 's/.*: //'; }
put_on() { taskset --pid --cpu-list "$1" "${2:-$skepd_pid}" >"$tmp/output"; } # CPUS [PID]
ask_from() { # CPU ADDRESS
	router taskset --cpu-list "$1" arping -q -c 1 -C 1 -w 1 -I "$LAB_LAN" "$2" && wait_until 5 is_settled "$2"
}

[[ $(nproc) -ge 2 ]] || bail "two CPUs are needed"
lab_up
skepd_start
all=$(cpus_of "$skepd_pid")

put_on "$HERE"
check "somebody asks on the CPU that skepd is on" ask_from "$HERE" 10.66.4.2
check_eq "skepd has left it, and may go anywhere again" "$all" "$(cpus_of "$skepd_pid")"

put_on "$HERE"
check "somebody asks on another CPU" ask_from "$ELSEWHERE" 10.66.4.3
check_eq "skepd has stayed" "$HERE" "$(cpus_of "$skepd_pid")"
put_on "$all"

# Where it may not go anywhere else, it settles where it is.
check "skepd stops" skepd_stop
put_on "$HERE" "$$" # and what it starts
skepd_start
check "somebody asks for an address when skepd has one CPU" ask_from "$HERE" 10.66.4.4
check_eq "which it keeps to" "$HERE" "$(cpus_of "$skepd_pid")"

done_testing
