# SPDX-License-Identifier: GPL-2.0
# first.gp: draws the files `steps`NAME, made by first.jq; `other` says whether there is one of another run.

set terminal svg size 900,560 enhanced background rgb 'white' font 'sans,13'
set title 'who-has to is-at'
set xlabel 'microseconds'
set ylabel 'of all, not later'
set logscale x
set xrange [5:500]
set yrange [0:1]
set xtics (5, 10, 20, 50, 100, 200, 500)
set grid lc rgb '#dddddd'
set key right bottom

dots = other ? "'".steps."other' with steps lw 1 lc rgb '#999999' title 'first contact, bound by the daemon', " : ''
eval "plot ".dots. \
	"'".steps."machine' with steps lw 1 dt 3 lc rgb '#009e73' title 'ordinary machine', ". \
	"'".steps."box' with steps lw 1 dt 2 lc rgb '#009e73' title 'the box itself', ". \
	"'".steps."container' with steps lw 2 lc rgb '#009e73' title 'ordinary container', ". \
	"'".steps."again' with steps lw 2 lc rgb '#0072b2' title 'the same address again', ". \
	"'".steps."first' with steps lw 2 lc rgb '#d55e00' title 'first contact'"
