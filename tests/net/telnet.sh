# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# telnet.sh: an attacker who logs in, for the net tests and the demo; they say what `client` is.

# read_to TEXT: what telnet prints until TEXT has come
read_to() {
	local char seen=''
	while [[ $seen != *"$1" ]]; do
		IFS= read -r -d '' -n 1 -t 10 -u "$from" char || return 1
		seen+=$char
	done
	printf '%s' "$seen"
}

# log_in ADDRESS COMMAND: as root, by telnet from the client; prints all that comes back. Bash closes
# its ends when the client has ended, read or not: hence the copies of them.
log_in() {
	local from to
	coproc telnet { client telnet "$1" 2>&1; }
	exec {from}<&"${telnet[0]}" {to}>&"${telnet[1]}"
	read_to 'login: '
	echo root >&"$to"
	read_to 'Password: '
	echo admin >&"$to"
	read_to '# '
	echo "$2; exit" >&"$to"
	timeout 20 cat <&"$from"
	exec {from}<&- {to}>&-
}
