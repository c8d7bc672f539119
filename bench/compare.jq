# SPDX-License-Identifier: GPL-2.0
# compare.jq: two results of bench/latency or bench/first side by side, figure by figure: how much later,
# and whether the samples could be of one distribution (Kolmogorov-Smirnov, at 1 %).
include "statistics";

def times($a; $b): if $a == null or $b == null or $a == 0 then null else $b / $a | to(2) end;

def row($containers; $name; $a; $b):
	($a | summary) as $f | ($b | summary) as $g | ks($a; $b; 0.01) as $ks
	| [$containers, $name, $f.n, $g.n, $f.p50_us, $g.p50_us, times($f.p50_us; $g.p50_us),
	   $f.p99_us, $g.p99_us, times($f.p99_us; $g.p99_us), $ks.d, $ks.critical,
	   if $ks == null then null elif $ks.rejected then "differ" else "not told apart" end];

def compare($from; $to):
	(["containers", "figure", "n A", "n B", "p50 A", "p50 B", "B / A", "p99 A", "p99 B", "B / A", "KS D", "critical", "at 1 %"],
	 ($from.runs[] as $x | $to.runs[] | select(.containers == $x.containers) as $y
	  | $x.samples | keys_unsorted[] | select($y.samples[.])
	  | row($x.containers; .; $x.samples[.]; $y.samples[.]))
	 | map(. // "-" | tostring) | @tsv);
