/* SPDX-License-Identifier: MIT */
/*
 * guest.h - one run of a lab in a QEMU guest: what to start, and what became
 * of it. Who starts and supervises QEMU is the caller, as with any lab:
 *
 *	guest_prepare(&guest, &kernel, argv, &options, error)
 *	... run guest.argv with stdin /dev/null; its stdout is the lab's ...
 *	guest_finish(&guest, &qemu, &lab)
 *	guest_remove(&guest)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runner/kernels.h"
#include "runner/outcome.h"

struct guest_options {
	unsigned int memory_mib;    /* 0: 512; more if the files need it */
	unsigned int cpus;	    /* 0: 2 */
	const char *accel;	    /* "kvm", "tcg"; NULL: what works here */
	bool svm;		    /* give the guest a /dev/kvm, by kvm-amd */
	bool npt;		    /* its nested paging; only with svm */
	const char *const *modules; /* "NAME[ PARAMETERS]", in order */
	const char *const *tools;   /* programs, by path or from PATH */
	const char *const *files;   /* plain files, kept at their paths */
	const char *const *env;	    /* "NAME=VALUE", more than PATH and HOME */
	const char *dir;	    /* where the lab starts; NULL: "/" */
	unsigned int log_kib;	    /* of the console at most; 0: 16 MiB */
	const char *const *qemu;    /* more arguments, such as "-s" */
	const char *append;	    /* more for the kernel's command line */
	const char *init;	    /* NULL: guest_init beside the runner */
	const char *snapshot;	    /* resume it instead of booting */
	bool wait;		    /* boot to where a snapshot is taken */
};

struct guest {
	char dir[512]; /* private; initramfs, console, status, qemu, monitor */
	char kernel[64];
	char accel[8]; /* "kvm" or "tcg" */
	bool resumes;  /* a snapshot, instead of booting */
	char **argv;   /* NULL-terminated; argv[0] is a full path */
};

/*
 * Make the private folder for a run of @lab, a program and its arguments
 * (only a boot if NULL), under @kernel. NULL @options are all zeros. On
 * errors nothing is left.
 */
int guest_prepare(struct guest *guest, const struct kernel *kernel,
		  const char *const *lab, const struct guest_options *options,
		  char *error);

/*
 * Whether the guest has said @word as its status's first: "started" for the
 * lab, "ready" for a snapshot.
 */
bool guest_has_said(const struct guest *guest, const char *word);

/*
 * Whether the lab has been started. A guest that has not within some seconds
 * is best killed: guest_finish then calls it END_BOOT_FAILURE.
 */
bool guest_has_started(const struct guest *guest);

/* From how QEMU ended, and what the guest wrote, to how the lab ended. */
void guest_finish(const struct guest *guest, const struct outcome *qemu,
		  struct outcome *lab);

/*
 * The last @lines lines of the console, printable, NUL-terminated; free() it.
 * NULL if there are none.
 */
char *guest_console_tail(const struct guest *guest, int lines);

/*
 * The first line of the kernel's log since the lab started that tells of a
 * fault: WARNING, BUG, Oops, a lock that may hang, a hung task. Lines with one
 * of the @n_expected texts in them do not count. Returns whether there is one.
 */
bool guest_trouble(const struct guest *guest, char *const *expected,
		   size_t n_expected, char *line, size_t size);

/*
 * What two guests must have in common for one to resume the other's snapshot,
 * as 16 hex digits: the kernel, QEMU and its machine, guest_init, and this
 * boot of the host, whose clock the guest's was measured by. Only for guests
 * that guest_prepare would start with @options.
 */
int guest_identity(const struct kernel *kernel,
		   const struct guest_options *options, char identity[17],
		   char *error);

/* Delete the folder and free what guest_prepare allocated. */
void guest_remove(struct guest *guest);

/*
 * "kvm" if a guest of @kernel booted with it here since the host was
 * started, else "tcg". The first call tries, for 10 s at most; the answer is
 * kept in the kernel's folder. @init as in struct guest_options.
 */
const char *guest_probe_accel(const struct kernel *kernel, const char *init);
