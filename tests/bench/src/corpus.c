/* corpus.c - writes Maildir mailboxes that are the same on every machine, and their manifests.
 *
 *   bench_corpus MAIL_FOLDER MANIFEST_FOLDER KIND USER USERS MESSAGES
 *
 * KIND is small (4 kB of text), huge (1 kB), or big (25 MiB of base64; the last one 100 MiB). Each
 * user gets MAIL_FOLDER/USER/Maildir with a dovecot-uidlist, so that UIDs are 1, 2, ... With USERS
 * over 1 they are USER0000, USER0001, ..., whose messages are hard links to those of the first. The
 * manifest has a line for each message: size and XXH64 of what a POP3 client must end up with, that
 * is with CRLF and without dot-stuffing. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"
#include "xxh64.h"

static const struct kind {
	const char *name;
	size_t size, last_size; /* octets */
} kinds[] = {
	{ "small", 4050, 4050 },
	{ "huge", 1000, 1000 },
	{ "big", 25 << 20, 100 << 20 },
};

static uint64_t random_state;

static uint64_t
draw(void)
{
	uint64_t z = (random_state += 0x9E3779B97F4A7C15ULL);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

static void
put_words(struct text *t)
{
	static const char *const words[] = { "mail", "server", "the", "moved", "to", "a", "new",
		"place", "please", "read", "report", "figures", "for", "quarter", "and", "reply",
		"before", "friday", "invoice", "number", "is", "attached", "thanks", "meeting",
		"at", "noon." };
	size_t begin = t->len;

	while (t->len - begin < 60) {
		const char *word = words[draw() % (sizeof(words) / sizeof(words[0]))];

		text_put(t, word, strlen(word));
		text_put(t, " ", 1);
	}
	t->p[t->len - 1] = '\n';
}

static void
put_base64(struct text *t)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789+/";
	char line[77];
	uint64_t r = 0;

	for (int i = 0; i < 76; i++) {
		if (i % 10 == 0)
			r = draw();
		line[i] = abc[r & 63];
		r >>= 6;
	}
	line[76] = '\n';
	text_put(t, line, sizeof(line));
}

/* Message I of its mailbox, from 1, with LF line ends. */
static void
write_message(struct text *t, const struct kind *kind, unsigned i, size_t size)
{
	int is_big = strcmp(kind->name, "big") == 0;
	char date[60];

	t->len = 0;
	random_state = i;
	for (const char *p = kind->name; *p != '\0'; p++)
		random_state = random_state * 1000003 + (unsigned char) *p;
	snprintf(date, sizeof(date), "%02u Oct 2024 %02u:%02u:%02u +0000", i % 28 + 1, i % 24,
	    i % 60, i % 59);
	text_putf(t, "Return-Path: <sender%u@example.org>\n", i % 97);
	text_putf(t,
	    "Received: from mx%u.example.org (mx%u.example.org [192.0.2.%u])\n"
	    "\tby mail.example.com with ESMTP id %016llx; %s\n",
	    i % 7, i % 7, i % 250, (unsigned long long) draw(), date);
	text_putf(t, "From: Sender %u <sender%u@example.org>\nTo: user@example.com\n", i % 97, i % 97);
	text_putf(t, "Subject: %s message %u\nDate: %s\n", kind->name, i, date);
	text_putf(t, "Message-ID: <%s.%u.%016llx@example.org>\nMIME-Version: 1.0\n", kind->name, i,
	    (unsigned long long) draw());
	text_putf(t, is_big ? "Content-Type: application/octet-stream\n"
			      "Content-Transfer-Encoding: base64\n\n"
			    : "Content-Type: text/plain; charset=us-ascii\n\n");
	/* What dot-stuffing is about, here and there. */
	if (!is_big && i % 10 == 3)
		text_putf(t, ".\n..\n.dots at the beginning of a line\n. \n");
	while (t->len < size) {
		if (is_big)
			put_base64(t);
		else
			put_words(t);
	}
	if (!is_big && i % 10 == 7)
		text_putf(t, ".\n");
}

static void
to_crlf(const struct text *from, struct text *to)
{
	const char *p = from->p, *end = p + from->len;

	to->len = 0;
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t) (end - p));

		if (lf == NULL)
			lf = end;
		text_put(to, p, (size_t) (lf - p));
		text_put(to, "\r\n", 2);
		p = lf + 1;
	}
}

static void
make_folders(const char *path)
{
	char part[PATH_MAX + 16];

	snprintf(part, sizeof(part), "%s/", path);
	for (char *p = part + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			die(part);
		*p = '/';
	}
}

static void
write_file(const char *path, const char *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		die(path);
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w <= 0)
			die(path);
		p += w;
		n -= (size_t) w;
	}
	if (close(fd) < 0)
		die(path);
}

/* Where user U of USERS has mail. */
static void
maildir_of(const char *folder, const char *user, unsigned u, unsigned users, char path[PATH_MAX])
{
	if (users > 1)
		snprintf(path, PATH_MAX, "%s/%s%04u/Maildir", folder, user, u);
	else
		snprintf(path, PATH_MAX, "%s/%s/Maildir", folder, user);
}

static void
make_maildir(const char *maildir)
{
	static const char *const parts[] = { "cur", "new", "tmp" };
	char path[PATH_MAX + 8];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", maildir, parts[i]);
		make_folders(path);
	}
}

/* The file name of a message, without its flags: Dovecot takes both sizes from it. */
static void
name_of(unsigned i, size_t lf_size, size_t crlf_size, char name[100])
{
	snprintf(name, 100, "%u.M%uP1.bench,S=%zu,W=%zu", 1700000000 + i, i, lf_size, crlf_size);
}

/* Makes the first user's messages and the manifest. NAMES gets the name of each. */
static void
make_first(const char *maildir, const char *manifest, const struct kind *kind, unsigned messages,
    char (*names)[100])
{
	struct text lf = { 0 }, crlf = { 0 };
	char path[PATH_MAX + 120];
	FILE *f = fopen(manifest, "w");

	if (f == NULL)
		die(manifest);
	make_maildir(maildir);
	for (unsigned i = 1; i <= messages; i++) {
		struct xxh64 h;

		write_message(&lf, kind, i, i == messages ? kind->last_size : kind->size);
		to_crlf(&lf, &crlf);
		xxh64_begin(&h);
		xxh64_add(&h, crlf.p, crlf.len);
		fprintf(f, "%zu %016llx\n", crlf.len, (unsigned long long) xxh64_value(&h));
		name_of(i, lf.len, crlf.len, names[i - 1]);
		snprintf(path, sizeof(path), "%s/cur/%s:2,S", maildir, names[i - 1]);
		write_file(path, lf.p, lf.len);
	}
	if (fclose(f) != 0)
		die(manifest);
	free(lf.p);
	free(crlf.p);
}

static void
make_uidlist(const char *maildir, unsigned u, unsigned messages, char (*names)[100])
{
	char path[PATH_MAX + 20];
	FILE *f;

	snprintf(path, sizeof(path), "%s/dovecot-uidlist", maildir);
	if ((f = fopen(path, "w")) == NULL)
		die(path);
	fprintf(f, "3 V1700000000 N%u G%032x\n", messages + 1, 0xb000 + u);
	for (unsigned i = 1; i <= messages; i++)
		fprintf(f, "%u :%s\n", i, names[i - 1]);
	if (fclose(f) != 0)
		die(path);
}

static void
link_messages(const char *from, const char *to, unsigned messages, char (*names)[100])
{
	char old[PATH_MAX + 120], new[PATH_MAX + 120];

	make_maildir(to);
	for (unsigned i = 0; i < messages; i++) {
		snprintf(old, sizeof(old), "%s/cur/%s:2,S", from, names[i]);
		snprintf(new, sizeof(new), "%s/cur/%s:2,S", to, names[i]);
		if (link(old, new) < 0 && errno != EEXIST)
			die(new);
	}
}

static const struct kind *
kind_named(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	char first[PATH_MAX], maildir[PATH_MAX], manifest[PATH_MAX], (*names)[100];
	const struct kind *kind = argc == 7 ? kind_named(argv[3]) : NULL;
	unsigned long users = argc == 7 ? strtoul(argv[5], NULL, 10) : 0;
	unsigned long messages = argc == 7 ? strtoul(argv[6], NULL, 10) : 0;

	if (kind == NULL || users < 1 || users > 100000 || messages < 1 || messages > 10000000) {
		fputs("usage: bench_corpus MAIL MANIFESTS small|huge|big USER USERS MESSAGES\n",
		    stderr);
		return 64;
	}
	if ((names = calloc(messages, sizeof(*names))) == NULL)
		die("memory");
	make_folders(argv[2]);
	snprintf(manifest, sizeof(manifest), "%s/%s.manifest", argv[2], argv[4]);
	for (unsigned u = 0; u < users; u++) {
		maildir_of(argv[1], argv[4], u, (unsigned) users, maildir);
		if (u == 0) {
			memcpy(first, maildir, sizeof(first));
			make_first(first, manifest, kind, (unsigned) messages, names);
		} else {
			link_messages(first, maildir, (unsigned) messages, names);
		}
		make_uidlist(maildir, u, (unsigned) messages, names);
	}
	free(names);
	return 0;
}
