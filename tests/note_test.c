// SPDX-License-Identifier: MIT
#include "runner/note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define FRONT  "---\ntitle: T\ntopic: memory\n---\n"
#define CLAIMS "\n## Claims\n\n- `a`: One.\n"

static int read_bytes(struct note *note, const void *text, size_t len,
		      struct error *error)
{
	char *dir = scratch(), *path;
	int ret;

	put_bytes(dir, "note.md", text, len);
	must(asprintf(&path, "%s/note.md", dir));
	ret = note_read(note, path, error);
	free(path);
	free(dir);
	return ret;
}

/* A note that must be well-formed. */
static struct note good(const char *text)
{
	struct note note;
	struct error error;

	ck_assert_msg(read_bytes(&note, text, strlen(text), &error) == 0, "%s",
		      error.text);
	return note;
}

START_TEST(claims_and_refuted_come_with_their_sentences)
{
	struct note note =
		good("---\n"
		     "title: A title\n"
		     "topic: memory\n"
		     "notes: 2023-10/a, 2023-10/b\n"
		     "sources: mmap(2)\n"
		     "---\n"
		     "\n"
		     "Text with a list:\n"
		     "\n"
		     "- `no-claim`: of this section.\n"
		     "\n"
		     "## Claims\n"
		     "\n"
		     "- `first-2`: A sentence with *stress*, `code` and a\n"
		     "  second line.\n"
		     "\n"
		     "### On the side\n"
		     "\n"
		     "- `still-a-claim`: Below a deeper heading.\n"
		     "\n"
		     "## Refuted\n"
		     "\n"
		     "- `third`: Not so.\n"
		     "\n"
		     "  But *so*.\n"
		     "\n"
		     "## Not tested\n"
		     "\n"
		     "- What no program can tell.\n");

	ck_assert_str_eq(note.title, "A title");
	ck_assert_str_eq(note.topic, "memory");
	ck_assert_str_eq(note.sources, "mmap(2)");
	ck_assert_uint_eq(note.n_notes, 2);
	ck_assert_str_eq(note.notes[1], "2023-10/b");
	ck_assert_uint_eq(note.n_claims, 3);
	ck_assert_str_eq(note.claims[0].id, "first-2");
	ck_assert_str_eq(note.claims[0].sentence,
			 "A sentence with stress, code and a second line.");
	ck_assert_ptr_null(note.claims[0].really);
	ck_assert_int_eq(note.claims[0].line, 14);
	ck_assert(!note.claims[1].refuted);
	ck_assert(note.claims[2].refuted);
	ck_assert_str_eq(note.claims[2].really, "But so.");
	ck_assert_int_eq(note.claims[2].line, 23);
	ck_assert_ptr_eq(note_claim(&note, "third"), &note.claims[2]);
	ck_assert_ptr_null(note_claim(&note, "thir"));
	ck_assert_ptr_null(note_claim(&note, "no-claim"));
	note_free(&note);
}
END_TEST

START_TEST(note_in_chinese_stays_as_it_is)
{
	struct note note = good(
		"---\ntitle: 内存映射\ntopic: 内存\n---\n"
		"\n正文。\n\n## Refuted\n\n- `a`: 句子一。\n\n  其实不然。\n");

	ck_assert_str_eq(note.title, "内存映射");
	ck_assert_str_eq(note.topic, "内存");
	ck_assert_str_eq(note.claims[0].sentence, "句子一。");
	ck_assert_str_eq(note.claims[0].really, "其实不然。");
	note_free(&note);
}
END_TEST

static const char *const lists[] = {
	"notes: 2023-10/a, 2023-10/b",
	"notes: 2023-10/a ,2023-10/b,",
	"notes: \"2023-10/a, 2023-10/b\"",
	"notes: [2023-10/a, '2023-10/b']",
	"notes:\n- 2023-10/a\n- 2023-10/b",
	"notes: >\n  2023-10/a,\n  2023-10/b",
};

START_TEST(notes_can_be_written_as_any_list)
{
	struct note note;
	char *text;

	must(asprintf(&text, "---\ntitle: T\ntopic: m\n%s\n---\n" CLAIMS,
		      lists[_i]));
	note = good(text);
	ck_assert_uint_eq(note.n_notes, 2);
	ck_assert_str_eq(note.notes[0], "2023-10/a");
	ck_assert_str_eq(note.notes[1], "2023-10/b");
	note_free(&note);
	free(text);
}
END_TEST

START_TEST(quotes_and_colons_of_the_front_matter_are_yaml)
{
	struct note note =
		good("---\n"
		     "title: \"A colon: and a \\\"quote\\\"\"\n"
		     "topic: 'it''s'\n"
		     "sources: memfd_create(2), fcntl(2) \"File Sealing\"\n"
		     "---\n" CLAIMS);

	ck_assert_str_eq(note.title, "A colon: and a \"quote\"");
	ck_assert_str_eq(note.topic, "it's");
	ck_assert_str_eq(note.sources,
			 "memfd_create(2), fcntl(2) \"File Sealing\"");
	note_free(&note);
}
END_TEST

#define TEXT(text) text, sizeof(text) - 1

static const struct {
	const char *text;
	size_t len;
	int line;
	const char *expected;
} malformed[] = {
	/* The front matter. */
	{ TEXT(""), 1, "expected front matter that begins with \"---\"" },
	{ TEXT("# Heading\n"), 1, "expected front matter" },
	{ TEXT("---\ntitle: T\n"), 1, "expected \"---\" after" },
	{ TEXT("---\n---\n" CLAIMS), 2, "expected front matter such as" },
	{ TEXT("---\njust text\n---\n" CLAIMS), 2, "such as \"title: ...\"" },
	{ TEXT("---\ntopic: m\n---\n" CLAIMS), 2, "a line \"title: ...\"" },
	{ TEXT("---\ntitle:\ntopic: m\n---\n" CLAIMS), 2, "\"title: ...\"" },
	{ TEXT("---\ntitle: T\n---\n" CLAIMS), 2, "a line \"topic: ...\"" },
	{ TEXT("---\ntitle: T\ntopic: m\nnots: a\n---\n" CLAIMS), 4,
	  "unknown key \"nots\"; expected title, topic, notes or sources" },
	{ TEXT("---\ntitle: T\ntitle: U\ntopic: m\n---\n" CLAIMS), 3,
	  "a second \"title\"" },
	{ TEXT("---\ntitle: T\ntopic: [m]\n---\n" CLAIMS), 3,
	  "expected text behind \"topic:\"" },
	{ TEXT("---\ntitle: T\nnotes:\n- a\n- [b]\n---\n" CLAIMS), 5,
	  "expected a note's id" },
	{ TEXT("---\ntitle: T\n[a]: b\n---\n" CLAIMS), 3, "expected a key" },
	{ TEXT("---\ntitle: T\ntopic: \"m\n---\n" CLAIMS), 4, "not YAML" },
	{ TEXT("---\ntitle: T\ntopic: m: n\n---\n" CLAIMS), 3, "not YAML" },
	/* The bytes. */
	{ TEXT("---\r\ntitle: T\r\ntopic: m\r\n---\r\n"), 1,
	  "expected printable UTF-8 with Unix line ends; found \\x0d" },
	{ TEXT("---\ntitle: T\ntopic: m\n---\n\nx\0y\n"), 6, "found \\x00" },
	{ TEXT("---\ntitle: T\ntopic: m\xff\n---\n"), 3, "found \\xff" },
	{ TEXT(FRONT "\n## Claims\n\n- `a`: \xe4\xb8.\n"), 8, "found \\xe4" },
	{ TEXT(FRONT "\n## Claims\n\n- `a`: \x1b[31m.\n"), 8, "found \\x1b" },
	{ TEXT(FRONT "\n## Claims\n\n- `a`: \xe2\x80\xae.\n"), 8,
	  "found \\xe2\\x80\\xae" },
	/* The claims. */
	{ TEXT(FRONT), 4, "expected claims, as a list under \"## Claims\"" },
	{ TEXT(FRONT "\n## Claims\n\nNone.\n"), 8, "expected claims" },
	{ TEXT(FRONT "\n## claims\n\n- `a`: One.\n"), 8, "expected claims" },
	{ TEXT(FRONT CLAIMS "- no id\n"), 9, "expected an item such as" },
	{ TEXT(FRONT CLAIMS "-\n"), 9, "expected an item such as" },
	{ TEXT(FRONT CLAIMS "- # `b`: Two.\n"), 9, "expected an item" },
	{ TEXT(FRONT CLAIMS "- `b` Two.\n"), 9, "\": \" and a sentence" },
	{ TEXT(FRONT CLAIMS "- `b`:Two.\n"), 9, "\": \" and a sentence" },
	{ TEXT(FRONT CLAIMS "- `b`: \n"), 9, "\": \" and a sentence" },
	{ TEXT(FRONT CLAIMS "- `Bad_Id`: Two.\n"), 9,
	  "ill-formed claim id \"Bad_Id\"; expected lower case" },
	{ TEXT(FRONT CLAIMS "- `双`: Two.\n"), 9, "ill-formed claim id" },
	{ TEXT(FRONT CLAIMS "- `b`: Two.\n- `a`: Again.\n"), 10,
	  "duplicate claim id \"a\"; line 8 has it" },
	{ TEXT(FRONT CLAIMS "\n## Refuted\n\n- `a`: So.\n\n  Not so.\n"), 12,
	  "duplicate claim id \"a\"; line 8 has it" },
	{ TEXT(FRONT CLAIMS "\n## Claims\n\n- `b`: Two.\n"), 10,
	  "a second list of this name" },
	{ TEXT(FRONT "\n## Refuted\n\n- `a`: So.\n- `b`: So.\n"), 8,
	  "a second paragraph under `a` that says what is really so" },
	{ TEXT(FRONT "\n## Refuted\n\n- `a`: So.\n\nNot indented.\n"), 8,
	  "a second paragraph under `a`" },
	{ TEXT(FRONT "\n## Refuted\n\n- `a`: So.\n\n  - a list\n"), 8,
	  "a second paragraph under `a`" },
};

START_TEST(malformed_note_is_told_with_file_line_and_what_was_expected)
{
	struct note note;
	struct error error = { "" };
	char *place;

	ck_assert_int_eq(read_bytes(&note, malformed[_i].text,
				    malformed[_i].len, &error),
			 -1);
	must(asprintf(&place, "/note.md:%d: ", malformed[_i].line));
	ck_assert_contains(error.text, place);
	ck_assert_contains(error.text, malformed[_i].expected);
	/* Nothing of it is left over. */
	ck_assert_uint_eq(note.n_claims, 0);
	ck_assert_ptr_null(note.title);
	free(place);
}
END_TEST

START_TEST(missing_and_huge_notes_are_told)
{
	struct note note;
	struct error error = { "" };
	char *huge = must_ptr(calloc(1, (1 << 20) + 1));

	ck_assert_int_eq(note_read(&note, "/nonexistent/note.md", &error), -1);
	ck_assert_contains(error.text, "/nonexistent/note.md: No such file");
	memset(huge, 'x', (1 << 20) + 1);
	ck_assert_int_eq(read_bytes(&note, huge, (1 << 20) + 1, &error), -1);
	ck_assert_contains(error.text, "is larger than 1048576 bytes");
	free(huge);
}
END_TEST

START_TEST(claim_ids_are_words_joined_by_single_hyphens)
{
	static const char *const fine[] = { "a", "a-b", "42", "fd-3-x" };
	static const char *const ill[] = { "",	   "-", "-a",  "a-",
					   "a--b", "A", "a_b", "a b",
					   "a.b",  "é", "a\n", "a/b" };
	char longest[CLAIM_ID_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		ck_assert_msg(claim_id_valid(fine[i]), "%s", fine[i]);
	for (size_t i = 0; i < ARRAY_SIZE(ill); i++)
		ck_assert_msg(!claim_id_valid(ill[i]), "%s", ill[i]);
	memset(longest, 'a', sizeof(longest));
	longest[CLAIM_ID_MAX] = '\0';
	ck_assert(claim_id_valid(longest));
	longest[CLAIM_ID_MAX] = 'a';
	longest[CLAIM_ID_MAX + 1] = '\0';
	ck_assert(!claim_id_valid(longest));
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_test(tests, claims_and_refuted_come_with_their_sentences);
	tcase_add_test(tests, note_in_chinese_stays_as_it_is);
	tcase_add_loop_test(tests, notes_can_be_written_as_any_list, 0,
			    ARRAY_SIZE(lists));
	tcase_add_test(tests, quotes_and_colons_of_the_front_matter_are_yaml);
	tcase_add_loop_test(
		tests,
		malformed_note_is_told_with_file_line_and_what_was_expected, 0,
		ARRAY_SIZE(malformed));
	tcase_add_test(tests, missing_and_huge_notes_are_told);
	tcase_add_test(tests, claim_ids_are_words_joined_by_single_hyphens);
}
