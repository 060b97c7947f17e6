/* SPDX-License-Identifier: MIT */
/*
 * lab.h - what every lab includes: the lab's own declaration, the verdicts
 * that it reports, and calls that must not fail.
 *
 * A lab's stdout is text for people with TAP 14 lines among it:
 *
 *	ok 1 - write-refused
 *	ok 2 - control of write-refused
 *	not ok 3 - takes-a-size # TODO refuted
 *	ok 4 - read-only-map # SKIP Linux 6.7: found EPERM; remedy: upgrade
 *	# no control of names-are-free: no call makes them unique
 *	# metric pages 256 pages
 *	# point mmap 16 64
 *	1..4
 *
 * Exit status: 0 all came out as the note says, LAB_FAIL one did not,
 * LAB_SKIP a need is unmet, LAB_BROKEN the set-up failed.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAB_FAIL = 1, LAB_SKIP = 77, LAB_BROKEN = 99 };

/* Each lab defines one; the mains of its demo and its test start from it. */
struct lab {
	const char *name;	  /* the folder's name */
	const char *const *needs; /* NEEDS("root", "tool:gdb"), see probe.h */
	void (*demo)(void);	  /* reports every claim of the note */
};
extern const struct lab lab;

#define NEEDS(...)    ((const char *const[]){ __VA_ARGS__, NULL })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Where a verdict was reached, and by which condition. */
struct evidence {
	const char *file;
	int line;
	const char *condition;
};
#define EVIDENCE(cond) (&(const struct evidence){ __FILE__, __LINE__, cond })

/*
 * Report whether the sentence of claim @id is true here. @cond is true when
 * the sentence is. The note lists @id under "Claims".
 */
#define claim(id, cond) claim_at(EVIDENCE(#cond), (id), (cond))
void claim_at(const struct evidence *at, const char *id, bool holds);

/*
 * The same for a sentence that the kernel contradicts: the note lists @id
 * under "Refuted", and @cond, still the sentence's own, is expected false.
 */
#define refuted(id, cond) refuted_at(EVIDENCE(#cond), (id), (cond))
void refuted_at(const struct evidence *at, const char *id, bool holds);

/*
 * The same act as claim @id's, without the mechanism: @cond states that it
 * comes out the other way. A claim whose control fails proves nothing.
 */
#define control(id, cond) control_at(EVIDENCE(#cond), (id), (cond))
void control_at(const struct evidence *at, const char *id, bool holds);

/* Why claim @id has no control: @reason completes "no control, because". */
void no_control(const char *id, const char *reason);

/*
 * Claim @id cannot be settled here: what it needs ("Linux 6.7"), what was
 * found instead ("mmap: EPERM"), and what to do about it.
 */
void claim_skip(const char *id, const char *need, const char *found,
		const char *remedy);

/* One measured number; @unit is a word such as "ns", "pages", "kB". */
void metric(const char *name, double value, const char *unit);

/* One point of a plotted series. */
void point(const char *series, double x, double y);

/*
 * The kernel's log will tell of a fault in a line with @text in it, and that
 * is what the lab wants: in a guest, any other WARNING, BUG or Oops turns a
 * pass into a failure.
 */
void expect_in_kernel_log(const char *text);

/*
 * Set up the reporting, and with @verbose say after each verdict where and
 * by which condition it was reached. Called by the main of demos.
 */
void claim_start(bool verbose);

/* Print the plan and return the exit status. Called by the main of demos. */
int claim_summary(void);

/*
 * The value of a call that must not return -1 or MAP_FAILED. If it does,
 * the call, its place and errno are printed, and the lab ends, LAB_BROKEN.
 */
#define must(call)                                                             \
	({                                                                     \
		__auto_type must_ret = (call);                                 \
		if ((intptr_t)must_ret == -1)                                  \
			die_errno(EVIDENCE(#call), errno);                     \
		must_ret;                                                      \
	})

/* The same for a call that returns NULL on failure. */
#define must_ptr(call)                                                         \
	({                                                                     \
		__auto_type must_ret = (call);                                 \
		if (!must_ret)                                                 \
			die_errno(EVIDENCE(#call), errno);                     \
		must_ret;                                                      \
	})

/* The same for a call that returns a negative errno, as liburing's do. */
#define must_neg(call)                                                         \
	({                                                                     \
		__auto_type must_ret = (call);                                 \
		if (must_ret < 0)                                              \
			die_errno(EVIDENCE(#call), -(int)must_ret);            \
		must_ret;                                                      \
	})

/* The same for a call that returns 0 or an errno, as pthread's do. */
#define must_zero(call)                                                        \
	({                                                                     \
		__auto_type must_ret = (call);                                 \
		if (must_ret)                                                  \
			die_errno(EVIDENCE(#call), must_ret);                  \
	})

#ifdef __cppcheck__ /* it cannot read a statement in an expression */
#undef must
#undef must_ptr
#undef must_neg
#undef must_zero
#define must(call)	((void)0, (call))
#define must_ptr(call)	((void)0, (call))
#define must_neg(call)	((void)0, (call))
#define must_zero(call) ((void)(call))
#endif

_Noreturn void die_errno(const struct evidence *at, int error);

/* End the lab, LAB_BROKEN, with the printf @format. */
#define die(...) die_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void die_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The errno that a call fails with, or 0. */
#define errno_of(call) ((intptr_t)(call) == -1 ? errno : 0)

/* "EPERM" for EPERM, "0" for 0. */
const char *errno_name(int error);
