# SPDX-License-Identifier: GPL-2.0
# statistics.jq: what is said of samples. Samples are numbers; what brought none ("lost", "refused") is
# counted apart and is in no figure. bench/test_statistics checks it against known values.

# Nearest rank of a sorted array.
def percentile($p): .[([length * $p / 100 | ceil, 1] | max) - 1];

def to($digits): if . == null then null else pow(10; $digits) as $p | . * $p | round / $p end;

def tenth: to(1);

def numbers_of: map(select(type == "number"));

def summary:
	(numbers_of | sort) as $s | ($s | length) as $n
	| if $n == 0 then {n: 0, lost: length} else
		(($s | add) / $n) as $mean
		| {n: $n, lost: (length - $n), mean_us: ($mean | tenth),
		   sd_us: ((($s | map((. - $mean) * (. - $mean)) | add) / ([$n - 1, 1] | max)) | sqrt | tenth),
		   p50_us: ($s | percentile(50) | tenth), p99_us: ($s | percentile(99) | tenth),
		   min_us: ($s[0] | tenth), max_us: ($s[-1] | tenth)}
	  end;

# --- are two samples of one distribution? the two-sample test of Kolmogorov and Smirnov ---

# The largest distance between the two empirical distributions.
def ks_distance($a; $b):
	([($a[] | [., 1 / ($a | length)]), ($b[] | [., -1 / ($b | length)])] | group_by(.[0])) as $steps
	| reduce $steps[] as $step ({at: 0, d: 0};
		.at += ($step | map(.[1]) | add) | .d = ([.d, (.at | fabs)] | max))
	| .d;

# What it may be by chance, with a probability of $alpha (for samples that are not small).
def ks_critical($n; $m; $alpha): ((($alpha / 2) | log) / -2 | sqrt) * (($n + $m) / ($n * $m) | sqrt);

# How probable a distance of $d or more is by chance: Kolmogorov's distribution.
def ks_probability($n; $m; $d):
	(($n * $m / ($n + $m) | sqrt) * $d) as $x
	| if $x < 0.2 then 1 else
		[range(1; 101) | . as $k | (if $k % 2 == 1 then 2 else -2 end) * (-2 * $k * $k * $x * $x | exp)]
		| add | [., 1] | min | [., 0] | max
	  end;

def ks($a; $b; $alpha):
	($a | numbers_of) as $a | ($b | numbers_of) as $b | ($a | length) as $n | ($b | length) as $m
	| if $n == 0 or $m == 0 then null else
		ks_distance($a; $b) as $d | ks_critical($n; $m; $alpha) as $c
		| {n: $n, m: $m, d: ($d | to(4)), alpha: $alpha, critical: ($c | to(4)),
		   p: (ks_probability($n; $m; $d) | to(4)), rejected: ($d > $c)}
	  end;
