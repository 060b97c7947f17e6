# SPDX-License-Identifier: MIT
# A hole that grows: what reads as zero, and what storage is freed.
set encoding utf8
set terminal svg size 720,420 font "sans,13" background "white"
set title "Zeros come byte by byte, storage goes page by page"
set xlabel "length of the hole (bytes)"
set ylabel "bytes"
set xrange [0:16384]
set yrange [0:16384]
set xtics 4096
set ytics 4096
set grid
set key left top

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

plot series("zeros") with lines lw 2 title "reads as zero", \
     series("freed") with steps lw 2 title "storage freed"
