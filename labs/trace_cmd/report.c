// SPDX-License-Identifier: MIT
#include "labs/trace_cmd/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_parse(const char *text, struct report *report)
{
	const char *line = text;

	for (report->n = 0; line && report->n < EVENTS_MAX;) {
		struct event *event = &report->list[report->n];

		/* "  task-93   [001]   3.426123: kvm_entry:   vcpu 0, ..." */
		if (sscanf(line, "%*[^[\n][%*d] %lf: %47[^:\n]: %255[^\n]",
			   &event->time, event->name, event->text) == 3)
			report->n++;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
}

size_t report_find(const struct report *report, size_t from, const char *name,
		   const char *part)
{
	for (; from < report->n; from++)
		if (!strcmp(report->list[from].name, name) &&
		    strstr(report->list[from].text, part))
			break;
	return from;
}

bool change_parse(const struct event *event, struct change *change)
{
	return !strcmp(event->name, SPTE_EVENT) &&
	       sscanf(event->text,
		      "as id %*d gfn %lx level %d old_spte %lx new_spte %lx",
		      &change->gfn, &change->level, &change->old_spte,
		      &change->new_spte) == 4;
}

uint64_t gfn_at_level(uint64_t gfn, int level)
{
	return gfn >> 9 * (level - 1) << 9 * (level - 1);
}

static bool is_fault_of(const struct event *event, uint64_t gfn)
{
	const char *address = strstr(event->text, " address ");

	return !strcmp(event->name, "kvm_page_fault") && address &&
	       strtoull(address + strlen(" address "), NULL, 16) / PAGE == gfn;
}

bool fault_find(const struct report *report, uint64_t gfn, struct fault *fault)
{
	size_t last_exit = report->n;

	fault->exit = fault->entry = report->n;
	for (size_t i = 0; i < report->n; i++) {
		if (!strcmp(report->list[i].name, "kvm_exit"))
			last_exit = i;
		if (!is_fault_of(&report->list[i], gfn))
			continue;
		if (fault->exit == report->n)
			fault->exit = last_exit;
		fault->entry = report_find(report, i, "kvm_entry", "");
	}
	return fault->exit < report->n && fault->entry < report->n;
}
