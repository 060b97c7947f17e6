# SPDX-License-Identifier: MIT
# What files of the same size occupy.
set encoding utf8
set terminal svg size 720,420 font "sans,13" background "white"
set title "The size of a file says little about its storage"
set xlabel "size, st\\_size (KiB)"
set ylabel "occupied, st\\_blocks (KiB)"
set xrange [0:1024]
set yrange [0:1100]
set xtics 128
set grid
set key left top

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

plot series("written") with linespoints pt 4 title "all pages written", \
     series("punched") with linespoints pt 6 \
	title "then every other page punched", \
     series("sought") with linespoints pt 2 title "only the last byte written"
