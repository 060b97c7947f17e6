# SPDX-License-Identifier: MIT
# What a write barrier costs while a program writes to 1024 pages at random.
set encoding utf8
set terminal svg size 720,640 font "sans,13" background "white"
set multiplot layout 2,1 title "Noticing the first write to each page"
set xlabel "pages written so far (of 1024, in random order)"
set xrange [0:1024]
set xtics 128
set grid
set key center center
set lmargin 9

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

set ylabel "time of a first write (µs)"
set yrange [0:*]
plot series("cost-uffd") using 1:($2 / 1000) with linespoints pt 6 \
	title "userfaultfd", \
     series("cost-mprotect") using 1:($2 / 1000) with linespoints pt 4 \
	title "mprotect", \
     series("cost-none") using 1:($2 / 1000) with linespoints pt 2 \
	title "no barrier"

set ylabel "mappings"
set yrange [0:*]
plot series("vmas-uffd") with linespoints pt 6 title "userfaultfd", \
     series("vmas-mprotect") with linespoints pt 4 title "mprotect"
