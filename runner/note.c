// SPDX-License-Identifier: MIT
/*
 * note.c - reads a note: its front matter with libyaml, its claims with
 * cmark.
 */
#include "runner/note.h"

#include <cmark.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { NOTE_MAX = 1 << 20 };

struct reader {
	struct note *note;
	const char *path;
	int first_line; /* of the Markdown, below the front matter */
	struct error *error;
};

bool claim_id_valid(const char *id)
{
	size_t len = strlen(id);
	char before = '-';

	for (const char *c = id; *c; before = *c++)
		if (!islower((unsigned char)*c) &&
		    !isdigit((unsigned char)*c) && (*c != '-' || before == '-'))
			return false;
	return len > 0 && len <= CLAIM_ID_MAX && before != '-';
}

const struct claim *note_claim(const struct note *note, const char *id)
{
	for (size_t i = 0; i < note->n_claims; i++)
		if (!strcmp(note->claims[i].id, id))
			return &note->claims[i];
	return NULL;
}

/* "a, b" as an element each. */
static void add_notes(struct note *note, const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ", \n");

		if (len)
			*push(note->notes, note->n_notes) = xstrndup(list, len);
		list += len;
		list += strspn(list, ", \n");
	}
}

static int front_matter_line(const yaml_node_t *node)
{
	/* libyaml counts from 0, and the note has "---" above. */
	return node->start_mark.line + 2;
}

static int set_key(struct reader *r, yaml_document_t *yaml,
		   const yaml_node_t *key, const yaml_node_t *value)
{
	const char *name = (const char *)key->data.scalar.value;
	struct note *note = r->note;
	char **text = !strcmp(name, "title")	 ? &note->title
		      : !strcmp(name, "topic")	 ? &note->topic
		      : !strcmp(name, "sources") ? &note->sources
						 : NULL;
	bool is_notes = !strcmp(name, "notes");

	if (!text && !is_notes)
		return fail(r->error,
			    "%s:%d: unknown key \"%s\"; expected title, topic, "
			    "notes or sources",
			    r->path, front_matter_line(key), name);
	if (value->type == YAML_SCALAR_NODE) {
		const char *scalar = (const char *)value->data.scalar.value;

		if (is_notes)
			add_notes(note, scalar);
		else if (!*text)
			*text = xstrdup(scalar);
		else
			return fail(r->error, "%s:%d: a second \"%s\"", r->path,
				    front_matter_line(key), name);
		return 0;
	}
	if (!is_notes || value->type != YAML_SEQUENCE_NODE)
		return fail(r->error, "%s:%d: expected text behind \"%s:\"",
			    r->path, front_matter_line(key), name);
	for (yaml_node_item_t *i = value->data.sequence.items.start;
	     i < value->data.sequence.items.top; i++) {
		yaml_node_t *item = yaml_document_get_node(yaml, *i);

		if (item->type != YAML_SCALAR_NODE)
			return fail(r->error, "%s:%d: expected a note's id",
				    r->path, front_matter_line(item));
		add_notes(note, (const char *)item->data.scalar.value);
	}
	return 0;
}

static int set_keys(struct reader *r, yaml_document_t *yaml)
{
	yaml_node_t *root = yaml_document_get_root_node(yaml);

	if (!root || root->type != YAML_MAPPING_NODE)
		return fail(
			r->error,
			"%s:2: expected front matter such as \"title: ...\"",
			r->path);
	for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
	     pair < root->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(yaml, pair->key);
		yaml_node_t *value = yaml_document_get_node(yaml, pair->value);

		if (key->type != YAML_SCALAR_NODE)
			return fail(r->error, "%s:%d: expected a key", r->path,
				    front_matter_line(key));
		if (set_key(r, yaml, key, value) == -1)
			return -1;
	}
	if (!r->note->title || !*r->note->title)
		return fail(r->error, "%s:2: expected a line \"title: ...\"",
			    r->path);
	if (!r->note->topic || !*r->note->topic)
		return fail(r->error, "%s:2: expected a line \"topic: ...\"",
			    r->path);
	return 0;
}

static int read_front_matter(struct reader *r, const char *text, size_t len)
{
	yaml_parser_t parser;
	yaml_document_t yaml;
	int ret;

	yaml_parser_initialize(&parser);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &yaml)) {
		fail(r->error, "%s:%zu: front matter is not YAML: %s", r->path,
		     parser.problem_mark.line + 2, parser.problem);
		yaml_parser_delete(&parser);
		return -1;
	}
	ret = set_keys(r, &yaml);
	yaml_document_delete(&yaml);
	yaml_parser_delete(&parser);
	return ret;
}

/* The text of @node and all below it, as one line. */
static char *plain_text(cmark_node *node)
{
	cmark_iter *iter = cmark_iter_new(node);
	cmark_event_type event;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
		cmark_node *at = cmark_iter_get_node(iter);

		if (event != CMARK_EVENT_ENTER)
			continue;
		switch (cmark_node_get_type(at)) {
		case CMARK_NODE_TEXT:
		case CMARK_NODE_CODE:
		case CMARK_NODE_HTML_INLINE:
			fputs(cmark_node_get_literal(at), out);
			break;
		case CMARK_NODE_SOFTBREAK:
		case CMARK_NODE_LINEBREAK:
			fputc(' ', out);
			break;
		default:
			break;
		}
	}
	cmark_iter_free(iter);
	fclose(out);
	return text;
}

static int line_of(const struct reader *r, cmark_node *node)
{
	return r->first_line + cmark_node_get_start_line(node) - 1;
}

static bool is_type(cmark_node *node, cmark_node_type type)
{
	return node && cmark_node_get_type(node) == type;
}

/* One item: "`id`: Sentence.", and under Refuted what is really so. */
static int read_item(struct reader *r, cmark_node *item, bool is_refuted)
{
	cmark_node *paragraph = cmark_node_first_child(item);
	cmark_node *code = paragraph ? cmark_node_first_child(paragraph) : NULL;
	cmark_node *really = paragraph ? cmark_node_next(paragraph) : NULL;
	int line = line_of(r, item);
	const struct claim *twin;
	const char *id, *sentence;
	char *text;

	if (!is_type(paragraph, CMARK_NODE_PARAGRAPH) ||
	    !is_type(code, CMARK_NODE_CODE))
		return fail(r->error,
			    "%s:%d: expected an item such as \"- `id`: "
			    "Sentence.\"",
			    r->path, line);
	id = cmark_node_get_literal(code);
	if (!claim_id_valid(id))
		return fail(r->error,
			    "%s:%d: ill-formed claim id \"%s\"; expected lower "
			    "case words and digits with hyphens between, %d "
			    "characters at most",
			    r->path, line, id, CLAIM_ID_MAX);
	twin = note_claim(r->note, id);
	if (twin)
		return fail(r->error,
			    "%s:%d: duplicate claim id \"%s\"; line %d has it",
			    r->path, line, id, twin->line);
	if (is_refuted && !is_type(really, CMARK_NODE_PARAGRAPH))
		return fail(r->error,
			    "%s:%d: expected a second paragraph under `%s` "
			    "that says what is really so",
			    r->path, line, id);

	text = plain_text(paragraph);
	sentence = text + strlen(id);
	if (strncmp(sentence, ": ", 2) != 0 || !sentence[2]) {
		free(text);
		return fail(r->error,
			    "%s:%d: expected \": \" and a sentence behind "
			    "`%s`",
			    r->path, line, id);
	}
	*push(r->note->claims, r->note->n_claims) = (struct claim){
		.id = xstrdup(id),
		.sentence = xstrdup(sentence + 2),
		.really = is_refuted ? plain_text(really) : NULL,
		.refuted = is_refuted,
		.line = line,
	};
	free(text);
	return 0;
}

static int read_claims(struct reader *r, cmark_node *document)
{
	enum { CLAIMS, REFUTED, OTHER } section = OTHER;
	bool seen[2] = { false };

	for (cmark_node *node = cmark_node_first_child(document); node;
	     node = cmark_node_next(node)) {
		if (is_type(node, CMARK_NODE_HEADING) &&
		    cmark_node_get_heading_level(node) <= 2) {
			char *heading = plain_text(node);

			section = !strcmp(heading, "Claims")	? CLAIMS
				  : !strcmp(heading, "Refuted") ? REFUTED
								: OTHER;
			free(heading);
			if (section == OTHER)
				continue;
			if (seen[section])
				return fail(r->error,
					    "%s:%d: a second list of this name",
					    r->path, line_of(r, node));
			seen[section] = true;
		}
		if (section == OTHER || !is_type(node, CMARK_NODE_LIST))
			continue;
		for (cmark_node *item = cmark_node_first_child(node); item;
		     item = cmark_node_next(item))
			if (read_item(r, item, section == REFUTED) == -1)
				return -1;
	}
	if (r->note->n_claims == 0)
		return fail(
			r->error,
			"%s:%d: expected claims, as a list under \"## Claims\" "
			"or \"## Refuted\"",
			r->path,
			r->first_line + cmark_node_get_end_line(document) - 1);
	return 0;
}

/* The line behind the front matter, or NULL if nothing ends it. */
static const char *front_matter_end(const char *text)
{
	for (const char *line = strchr(text, '\n'); line;
	     line = strchr(line + 1, '\n'))
		if (!strncmp(line, "\n---\n", 5) || !strcmp(line, "\n---"))
			return line + 1;
	return NULL;
}

/* Sentences go to terminals, logs and JSON as they are. */
static int check_bytes(struct reader *r, const char *text, size_t len)
{
	size_t good = safe_span(text, len), n = 1;
	int line = 1, ret;
	char *found;

	if (good == len)
		return 0;
	for (size_t i = 0; i < good; i++)
		line += text[i] == '\n';
	/* All of a character that is well-formed, but not printable. */
	while (good + n < len && (text[good + n] & 0xc0) == 0x80)
		n++;
	found = safe_text(text + good, n);
	ret = fail(r->error,
		   "%s:%d: expected printable UTF-8 with Unix line ends; "
		   "found %s",
		   r->path, line, found);
	free(found);
	return ret;
}

int note_read(struct note *note, const char *path, struct error *error)
{
	struct reader r = { .note = note, .path = path, .error = error };
	cmark_node *document;
	const char *end;
	size_t len;
	char *text;
	int ret;

	*note = (struct note){ 0 };
	text = read_file(path, NOTE_MAX, &len, error);
	if (!text)
		return -1;
	ret = check_bytes(&r, text, len);
	if (ret == -1)
		goto out;
	if (strncmp(text, "---\n", 4) != 0) {
		ret = fail(error,
			   "%s:1: expected front matter that begins with "
			   "\"---\"",
			   path);
		goto out;
	}
	end = front_matter_end(text);
	if (!end) {
		ret = fail(error,
			   "%s:1: expected \"---\" after the front matter",
			   path);
		goto out;
	}
	ret = read_front_matter(&r, text + 4, end - text - 4);
	if (ret == 0) {
		r.first_line = 1;
		for (const char *c = text; c < end; c++)
			r.first_line += *c == '\n';
		document = cmark_parse_document(end + 3, strlen(end + 3),
						CMARK_OPT_DEFAULT);
		ret = read_claims(&r, document);
		cmark_node_free(document);
	}
out:
	free(text);
	if (ret == -1)
		note_free(note);
	return ret;
}

void note_free(struct note *note)
{
	free(note->title);
	free(note->topic);
	free(note->sources);
	for (size_t i = 0; i < note->n_notes; i++)
		free(note->notes[i]);
	free(note->notes);
	for (size_t i = 0; i < note->n_claims; i++) {
		free(note->claims[i].id);
		free(note->claims[i].sentence);
		free(note->claims[i].really);
	}
	free(note->claims);
	*note = (struct note){ 0 };
}
