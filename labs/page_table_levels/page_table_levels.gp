# SPDX-License-Identifier: MIT
# What page tables cost when single bytes are touched, by the stride.
set encoding utf8
set terminal svg size 720,460 font "sans,13" background "white"
set title "The wider the stride, the more tables each byte needs"
set xlabel "bytes touched, one each stride"
set ylabel "page tables (kB)"
set logscale xy 2
set xrange [1:512]
set yrange [4:8192]
set grid
set key left top

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

plot series("512GiB") with linespoints pt 4 title "512 GiB: 12 kB each", \
     series("1GiB") with linespoints pt 6 title "1 GiB: 8 kB each", \
     series("2MiB") with linespoints pt 8 title "2 MiB: 4 kB each", \
     series("4KiB") with linespoints pt 2 title "4 KiB: all in one table"
