# SPDX-License-Identifier: GPL-2.0
#
# Prints /var/log/wtmp: who logged in on which day; see utmp(5). Run by the perl of the tree.
use strict;
use warnings;

# type (2 boot, 7 user, 8 dead), pid, line, id, user, host, seconds since 1970
sub record {
	my ($type, $pid, $line, $id, $user, $host, $time) = @_;

	print pack('s x2 l a32 a4 a32 a256 s2 l3 a16 x20', $type, $pid, $line, $id, $user, $host, 0, 0, 0, $time, 0,
		$host =~ /^\d+(\.\d+){3}$/ ? pack('C4', split(/\./, $host)) : '');
}

sub session {
	my ($user, $pid, $host, $from, $minutes) = @_;

	record(7, $pid, 'pts/0', 'ts/0', $user, $host, $from);
	record(8, $pid, 'pts/0', '', '', '', $from + 60 * $minutes);
}

record(2, 0, '~', '~~', 'reboot', '6.1.0-39-amd64', 1789205402);
session('karin', 2871, '10.20.30.14', 1789499524, 17);
session('karin', 3340, '10.20.30.14', 1789588984, 24);
session('root', 4127, '10.20.30.14', 1789756804, 11);
