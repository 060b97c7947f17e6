// SPDX-License-Identifier: MIT
/* report_table.c - many labs on many kernels, at a glance. */
#include "runner/report.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH = 28, CELL_WIDTH = 11 };

struct table {
	struct run *const *runs;
	size_t n;
	const char **places; /* the columns */
	size_t n_places;
	char **footnotes;
	size_t n_footnotes;
};

static void find_columns(struct table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		bool known = false;

		for (size_t j = 0; j < table->n_places; j++)
			known = known || !strcmp(table->places[j],
						 table->runs[i]->place);
		if (!known)
			*push(table->places, table->n_places) =
				table->runs[i]->place;
	}
}

static const struct run *run_at(const struct table *table, const char *lab,
				const char *place)
{
	for (size_t i = 0; i < table->n; i++)
		if (!strcmp(table->runs[i]->lab.path, lab) &&
		    !strcmp(table->runs[i]->place, place))
			return table->runs[i];
	return NULL;
}

/* The same reason on many kernels is one footnote. */
static size_t footnote(struct table *table, const char *text)
{
	for (size_t i = 0; i < table->n_footnotes; i++)
		if (!strcmp(table->footnotes[i], text))
			return i + 1;
	*push(table->footnotes, table->n_footnotes) = xstrdup(text);
	return table->n_footnotes;
}

static void put_cell(FILE *out, const char *word, size_t note, bool last)
{
	char cell[64];

	if (note)
		snprintf(cell, sizeof(cell), "%s [%zu]", word, note);
	else
		snprintf(cell, sizeof(cell), "%s", word);
	fprintf(out, "  %-*s", last ? 0 : CELL_WIDTH, cell);
}

static void put_lab_row(FILE *out, struct table *table, const char *lab)
{
	fprintf(out, "%-*s", NAME_WIDTH, lab);
	for (size_t i = 0; i < table->n_places; i++) {
		const struct run *run = run_at(table, lab, table->places[i]);
		bool note = run && run->status != STATUS_PASS;

		put_cell(out, run ? status_words[run->status] : "",
			 note ? footnote(table, run->reasons[0]) : 0,
			 i + 1 == table->n_places);
	}
	fputc('\n', out);
}

static const struct result *result_at(const struct run *run, const char *id)
{
	for (size_t i = 0; run && i < run->n_results; i++)
		if (!strcmp(run->results[i].id, id))
			return &run->results[i];
	return NULL;
}

static void put_claim_row(FILE *out, struct table *table, const char *lab,
			  const char *id)
{
	fprintf(out, "  %-*s", NAME_WIDTH - 2, id);
	for (size_t i = 0; i < table->n_places; i++) {
		const struct run *run = run_at(table, lab, table->places[i]);
		const struct result *result = result_at(run, id);
		const char *why = !result		 ? NULL
				  : !result->expected	 ? result->reason
				  : result->report->skip ? result->report->skip
							 : NULL;

		put_cell(out, result ? verdict_words[result->verdict] : "-",
			 why ? footnote(table, why) : 0,
			 i + 1 == table->n_places);
	}
	fputc('\n', out);
}

void report_table(FILE *out, struct run *const *runs, size_t n)
{
	struct table table = { .runs = runs, .n = n };

	find_columns(&table);
	fprintf(out, "\n%*s", NAME_WIDTH, "");
	for (size_t i = 0; i < table.n_places; i++)
		put_cell(out, table.places[i], 0, i + 1 == table.n_places);
	fputc('\n', out);
	for (size_t i = 0; i < n; i++) {
		const struct run *run = runs[i];

		if (strcmp(run->place, table.places[0]) != 0)
			continue;
		put_lab_row(out, &table, run->lab.path);
		for (size_t j = 0; j < run->note.n_claims; j++)
			put_claim_row(out, &table, run->lab.path,
				      run->note.claims[j].id);
	}
	for (size_t i = 0; i < table.n_footnotes; i++) {
		int column = fprintf(out, "[%zu] ", i + 1);

		put_folded(out, table.footnotes[i], column, 4);
		free(table.footnotes[i]);
	}
	free(table.footnotes);
	free(table.places);
}
