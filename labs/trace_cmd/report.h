/* SPDX-License-Identifier: MIT */
/* report.h - the text of "trace-cmd report", read back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EVENTS_MAX = 512, PAGE = 4096 };

#define SPTE_EVENT "kvm_tdp_mmu_spte_changed"

/* One line of "trace-cmd report". */
struct event {
	double time;   /* in seconds */
	char name[48]; /* "kvm_exit" */
	char text[256];
};

struct report {
	size_t n;
	struct event list[EVENTS_MAX];
};

/* Events beyond EVENTS_MAX, and lines that are none, are left out. */
void report_parse(const char *text, struct report *report);

/*
 * The first event at @from or later called @name with @part in its text;
 * report->n without one.
 */
size_t report_find(const struct report *report, size_t from, const char *name,
		   const char *part);

/* What kvm_tdp_mmu_spte_changed tells. */
struct change {
	uint64_t gfn, old_spte, new_spte;
	int level;
};

/* False if @event is another one. */
bool change_parse(const struct event *event, struct change *change);

/* The first gfn that the entry for @gfn at @level stands for. */
uint64_t gfn_at_level(uint64_t gfn, int level);

/*
 * The events from the exit to the entry around all page faults of one guest
 * page: KVM may have to try again, and takes another fault then.
 */
struct fault {
	size_t exit, entry;
};

/* False unless all of it is there. */
bool fault_find(const struct report *report, uint64_t gfn, struct fault *fault);
