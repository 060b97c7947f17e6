/* SPDX-License-Identifier: MIT */
/*
 * kmemleak_leaks.h - what /dev/kmemleak_leaks does on ioctl(2). The function
 * of each command bears its name in small letters; kmemleak reports it.
 */
#pragma once

#include <linux/ioctl.h>

enum {
	/* Lost for good: no pointer is left. */
	LEAK_WRITTEN = _IO('k', 0), /* 100 bytes by kmalloc, not zero */
	LEAK_ZEROED = _IO('k', 1),  /* 100 bytes of zeros, never written */
	LEAK_VMALLOC = _IO('k', 2), /* 5000 bytes by vmalloc */
	LEAK_PAGES = _IO('k', 3),   /* two pages by alloc_pages */

	/* In use: */
	KEEP = _IO('k', 4),  /* by a pointer in the module's data */
	DROP = _IO('k', 5),  /* ... which is forgotten */
	HIDE = _IO('k', 6),  /* by a pointer that is stored inverted */
	TOUCH = _IO('k', 7), /* ... and written through */
	SHOW = _IO('k', 8),  /* ... and stored plain as well */
	HOLD = _IO('k', 9),  /* by one on the stack; lost when killed */

	/*
	 * Take as many free pages as the argument says, or all there are, make
	 * kmemleak record each, give them back. Returns how many it were.
	 */
	RECORD_PAGES = _IO('k', 10),
};
