# SPDX-License-Identifier: MIT
# What Rss makes of the same pages, by how they were touched.
set encoding utf8
set terminal svg size 720,420 font "sans,13" background "white"
set title "The same pages touched, three answers from Rss"
set xlabel "pages touched (4 KiB each)"
set ylabel "Rss (kB)"
set xrange [0:1024]
set yrange [-100:4300]
set xtics 128
set grid
set key left top

series(name) = sprintf("< sed -n 's/^# point %s //p' '%s'", name, ARG1)

plot series("huge") with linespoints pt 4 title "written, huge pages", \
     series("write") with linespoints pt 6 title "written, 4 KiB pages", \
     series("read") with linespoints pt 2 title "read"
