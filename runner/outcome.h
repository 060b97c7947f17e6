/* SPDX-License-Identifier: MIT */
/* outcome.h - how one run of a lab ended, on the host or in a guest. */
#pragma once

enum end {
	END_EXIT,	  /* by itself; value is the exit status */
	END_SIGNAL,	  /* value is the signal */
	END_TIMEOUT,	  /* killed at the deadline; value is the limit in s */
	END_PANIC,	  /* the guest's kernel panicked */
	END_BOOT_FAILURE, /* the guest never reached the lab */
	END_LOST,	  /* the status never arrived */
};

struct outcome {
	enum end end;
	int value;
	double wall_ms, user_ms, sys_ms;
	long max_rss_kib;
	char reason[256]; /* more in words: "Kernel panic - ...", or "" */
};
