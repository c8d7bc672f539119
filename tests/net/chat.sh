# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# chat.sh: a connection that goes on while skepd is killed or replaced. lib.sh comes first. It ends when
# the test makes $tmp/enough.
# shellcheck disable=SC2154 # tmp and spawned are lib.sh's

# chat ADDRESS: one FTP connection, a line a moment, until it is told to stop; counts the answers
chat() {
	# shellcheck disable=SC2016 # for the inner shell
	spawn client bash -c 'exec 3<>"/dev/tcp/$0/21" && read -r -t 5 <&3 || exit 1
		until [[ -e $1 ]]; do
			printf "NOOP\r\n" >&3 && read -r -t 5 <&3 || exit 2
			echo .
			sleep 0.02
		done' "$1" "$tmp/enough" >"$tmp/chat"
	# shellcheck disable=SC2034 # for the test to wait for
	chat=$spawned
}
has_grown() { (($(wc -l <"$tmp/chat") > $1)); }
