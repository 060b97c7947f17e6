// SPDX-License-Identifier: MIT
/* guest_hangs - leaves no CPU to anybody else in its guest. */
#include <sched.h>
#include <stdio.h>

#include "common/proc.h"
#include "tests/labs/guest_only.h"

static void spin_on(int cpu)
{
	const struct sched_param first = { .sched_priority = 99 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set));
	must(sched_setscheduler(0, SCHED_FIFO, &first));
	for (;;)
		;
}

static void demo(void)
{
	int last = must(sysconf(_SC_NPROCESSORS_ONLN)) - 1;

	say_before_in_guest();
	fflush(stdout);
	/* By default realtime tasks leave a twentieth to the others. */
	proc_set("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	for (int cpu = 0; cpu < last; cpu++)
		if (must(fork()) == 0)
			spin_on(cpu);
	spin_on(last);
}

const struct lab lab = {
	.name = "guest_hangs",
	.demo = demo,
};
