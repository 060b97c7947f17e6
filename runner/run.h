/* SPDX-License-Identifier: MIT */
/*
 * run.h - one lab in one place: what came out, judged against its note and
 * compared with its record. Reports print it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runner/capture.h"
#include "runner/note.h"
#include "runner/outcome.h"
#include "runner/project.h"
#include "runner/tap.h"

/* From good to bad; a run has the worst that was found. */
enum status {
	STATUS_PASS,
	STATUS_SKIP,  /* a need is unmet */
	STATUS_DRIFT, /* as the note says, yet unlike the record */
	STATUS_FAIL,
	STATUS_ERROR, /* the lab or the runner could not do its work */
};

enum verdict {
	VERDICT_HOLDS,
	VERDICT_REFUTED,
	VERDICT_SKIPPED,
	VERDICT_MISSING,    /* in the note, but never reported */
	VERDICT_UNDECLARED, /* reported, but not in the note */
	VERDICT_VACUOUS,    /* its control failed: it proves nothing */
};

enum record_state {
	RECORD_NONE,	/* there is none, and none was written */
	RECORD_CURRENT, /* the same verdicts */
	RECORD_NEW,	/* written by this run */
	RECORD_DRIFT,	/* another verdict; see the .new file */
};

/* One claim of the note, or one that the lab made up. */
struct result {
	const char *id;
	const struct claim *claim;   /* NULL if undeclared */
	const struct report *report; /* NULL if missing */
	enum verdict verdict;
	bool expected; /* the verdict is the note's, or a skip */
	char *reason;  /* why not expected; NULL */
	int recorded;  /* enum verdict of the record, -1 without */
};

struct run {
	struct lab_dir lab;
	struct note note;
	bool has_note;
	char *place;  /* "host", or the kernel's name */
	char *kernel; /* "6.18.44" ... uname's release */
	char *series; /* "6.18", "6.1-rt" */
	char *accel;  /* "kvm", "tcg", or NULL on the host */

	struct outcome outcome;
	bool ran;
	struct capture out, err; /* of a guest, err is the console */
	bool show_err;		 /* even if it passes */
	struct tap tap;

	struct result *results;
	size_t n_results;
	enum status status;
	char **reasons; /* why not passed, each in words */
	size_t n_reasons;
	enum record_state record;
	char *record_path; /* below the source, if there is one */
	bool could_not_record;
};

/* The words of the enums, as JSON and people read them. */
extern const char *const status_words[];
extern const char *const verdict_words[];
extern const char *const control_words[];
extern const char *const record_words[];
extern const char *const end_words[];

/* Begin a run of @lab, which it takes over; reads the note. */
struct run *run_new(struct lab_dir lab);
void run_free(struct run *run);

/* One more reason why the run has not passed. */
void run_reason(struct run *run, enum status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Judge a run whose outcome and output are complete: fills results, status
 * and reasons.
 */
void run_judge(struct run *run, int left_behind);

/* "exit status 3", "SIGSEGV", "no end within 10 s"; free() it. */
char *outcome_text(const struct outcome *outcome);

/* The series of a kernel: "6.1-rt" of release and version (uname(2)). */
char *kernel_series(const char *release, const char *version);
