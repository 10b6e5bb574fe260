/* ledger.c - how large the state store becomes, and how long a login waits for it.
 *
 * usage: bench_ledger FOLDER MAILDROPS MESSAGES
 *
 * Imports MESSAGES UIDLs for each of MAILDROPS, lets a tenth of the accounts log in, and then measures
 * what logins do, at maildrops chosen by a fixed sequence: those with a row for each message, and those
 * with an unchanged template and none. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/error.h"
#include "gateway/database_place.h"
#include "gateway/ledger_file.h"
#include "gateway/ledger_write.h"
#include "mapping/uidl_book.h"

enum { LOOKS = 5000, PATIENCE_MS = 60000, UIDVALIDITY = 1700000000 };

struct bench {
	const char *folder;
	uint64_t maildrops, messages;
	struct ledger_file *file;
	struct snapshot_message *shown;
};

static void
must(int rc, const struct error *e, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, e->text);
	exit(1);
}

static uint64_t
deadline(void)
{
	return database_clock() + PATIENCE_MS;
}

static double
cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Of the file, with all in it that was written. */
static double
octets(struct bench *b)
{
	char path[512];
	struct stat st;

	ledger_file_free(b->file); /* the last one to close it empties its log */
	if (ledger_file_new(b->folder, &b->file) != 0)
		exit(1);
	snprintf(path, sizeof(path), "%s/state.db", b->folder);
	return stat(path, &st) == 0 ? (double) st.st_size : 0;
}

static struct maildrop_key
key_of(uint64_t maildrop, char user[48])
{
	snprintf(user, 48, "user%" PRIu64 "@example.org", maildrop);
	return (struct maildrop_key){ "new", user, "INBOX" };
}

/* UIDLs as qmail-pop3d has them: names of files. */
static void
import(struct bench *b, uint64_t maildrop)
{
	char(*texts)[40] = calloc(b->messages, sizeof(*texts)), user[48];
	struct ledger_row *rows = calloc(b->messages, sizeof(*rows));
	struct maildrop_key key = key_of(maildrop, user);
	struct ledger_imported got;
	struct error e = { 0 };

	if (texts == NULL || rows == NULL)
		exit(1);
	for (uint32_t i = 0; i < b->messages; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%010u.%06u.mail.example", 1300000000 + i * 7,
		    (unsigned) (maildrop % 1000000));
		rows[i] = (struct ledger_row){ i + 1, texts[i] };
	}
	must(ledger_file_import(b->file, deadline(),
		 &(struct ledger_rows){ key, UIDVALIDITY, rows, b->messages }, 1,
		 LEDGER_FROM_IMPORT, &got, &e),
	    &e, "import");
	free(rows);
	free(texts);
}

/* A login to MAILDROP under UIDVALIDITY; whether it wrote. */
static bool
login(struct bench *b, uint64_t maildrop, uint32_t uidvalidity, const struct uidl_template *t)
{
	struct ledger_writing *writing;
	struct ledger_part part = { 0 };
	struct uidl_book *book;
	struct error e = { 0 };
	uint32_t first;
	char user[48];
	bool wrote;

	part.key = key_of(maildrop, user);
	if (uidl_book_new(&book) != 0)
		exit(1);
	must(ledger_file_load(b->file, deadline(), &part.key, uidvalidity, user, book, &part.found,
		 &e),
	    &e, "load");
	if (uidl_book_last(book, &first) == NULL)
		uidl_book_add_template(book, 1, t);
	part.book = book;
	part.messages = b->shown;
	part.count = b->messages;
	if (ledger_writing_new(user, &part, 1, false, &writing) != 0)
		exit(1);
	wrote = writing != NULL;
	if (wrote)
		must(ledger_file_write(b->file, deadline(), writing, &e), &e, "write");
	ledger_writing_free(writing);
	uidl_book_free(book);
	return wrote;
}

static int
compare_times(const void *a, const void *b)
{
	double left = *(const double *) a, right = *(const double *) b;

	return (left > right) - (left < right);
}

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

/* Logins of accounts that have logged in before. */
static void
measure(struct bench *b, const char *what, uint32_t uidvalidity, const struct uidl_template *t)
{
	static double times[LOOKS];
	uint64_t at = 1;
	double cpu;

	cpu = cpu_seconds();
	for (int i = 0; i < LOOKS; i++) {
		double begun = now_ms();

		at = at * 6364136223846793005u + 1442695040888963407u;
		if (login(b, (at >> 33) % (b->maildrops / 10) * 10, uidvalidity, t))
			fprintf(stderr, "a login wrote that should not\n");
		times[i] = now_ms() - begun;
	}
	cpu = cpu_seconds() - cpu;
	qsort(times, LOOKS, sizeof(times[0]), compare_times);
	printf("%-34s median %.3f ms, 99 of 100 below %.3f ms, CPU %.3f ms\n", what,
	    times[LOOKS / 2], times[LOOKS * 99 / 100], cpu * 1e3 / LOOKS);
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct uidl_template *t;
	double begun, size, before;
	size_t where;

	if (argc != 4) {
		fprintf(stderr, "usage: bench_ledger FOLDER MAILDROPS MESSAGES\n");
		return 64;
	}
	b.folder = argv[1];
	b.maildrops = strtoull(argv[2], NULL, 10);
	b.messages = strtoull(argv[3], NULL, 10);
	if (b.maildrops < 10 || b.messages < 1) {
		fprintf(stderr, "bench_ledger: 10 maildrops of 1 message at least\n");
		return 64;
	}
	if (ledger_file_new(b.folder, &b.file) != 0 ||
	    (b.shown = calloc(b.messages, sizeof(*b.shown))) == NULL ||
	    uidl_template_parse("dovecot", &t, &where) != 0)
		return 1;
	for (uint32_t i = 0; i < b.messages; i++)
		b.shown[i] = (struct snapshot_message){ .uid = i + 1, .size = 2000 + i * 31 };

	begun = now_ms();
	for (uint64_t i = 0; i < b.maildrops; i++)
		import(&b, i);
	size = octets(&b);
	printf("%" PRIu64 " rows, imported in %.1f s; %.1f octets a row (UIDLs of 30)\n",
	    b.maildrops * b.messages, (now_ms() - begun) / 1e3,
	    size / (double) (b.maildrops * b.messages));
	for (uint64_t i = 0; i < b.maildrops; i += 10)
		login(&b, i, UIDVALIDITY, t);
	before = octets(&b);
	for (uint64_t i = 0; i < b.maildrops; i += 10)
		login(&b, i, UIDVALIDITY + 1, t);
	size = octets(&b) - before;
	printf("a maildrop with a template and no rows takes %.0f octets, %.2f a message\n",
	    size / (double) (b.maildrops / 10), size / (double) (b.maildrops / 10 * b.messages));
	measure(&b, "login, unchanged template:", UIDVALIDITY + 1, t);
	for (uint64_t i = 0; i < b.maildrops; i += 10)
		login(&b, i, UIDVALIDITY, t);
	measure(&b, "login, a row for each message:", UIDVALIDITY, t);
	uidl_template_free(t);
	free(b.shown);
	ledger_file_free(b.file);
	return 0;
}
