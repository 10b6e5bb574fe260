/* load.c - the load generator's options and main loop. See load.h. */
#include "load.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

static const char *const modes[] = { "login", "drain", "open", "hold", "work" };

static const char usage_text[] =
    "usage: bench_load login|drain|open|hold|work [option...]\n"
    "  --proto pop3|imap   what to speak (pop3)\n"
    "  --host A --port P   where (127.0.0.1)\n"
    "  --tls none|tls|stls --ca FILE\n"
    "  --user NAME --users N --first K --pass P\n"
    "        with N > 1, session i is user NAME%04d of number K + i mod N\n"
    "  --count N           sessions in all (1)\n"
    "  --conc C            sessions at once (1)\n"
    "  --manifest FILE     check sizes and octets against it\n"
    "  --retr N            drain: only the first N messages (all)\n"
    "  --pipeline K        drain: RETR or DELE in flight (1)\n"
    "  --delete            drain: DELE all in the end\n"
    "  --noops N           hold: NOOPs after the pause\n"
    "  --rate R            hold: NOOPs a second, in all; work: messages a second, in all\n"
    "  --timeout S         give up after S seconds (600)\n"
    "hold and work print {\"ready\": N} when all are logged in, then read a line and go on; hold\n"
    "does so again after the NOOPs, work goes on until it reads another line.\n";

double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

void
die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("bench_load: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

void *
grown(void *old, size_t octets)
{
	void *p = realloc(old, octets);

	if (p == NULL)
		die("out of memory");
	return p;
}

static _Noreturn void
usage(void)
{
	fputs(usage_text, stderr);
	exit(64);
}

static unsigned
number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n > INT_MAX)
		usage();
	return (unsigned) n;
}

static void
take_option(struct options *o, const char *name, const char *value)
{
	struct {
		const char *name;
		const char **text;
		unsigned *number;
	} rows[] = {
		{ "--host", &o->host, NULL },
		{ "--ca", &o->ca, NULL },
		{ "--user", &o->user, NULL },
		{ "--pass", &o->password, NULL },
		{ "--manifest", &o->manifest, NULL },
		{ "--port", NULL, &o->port },
		{ "--users", NULL, &o->users },
		{ "--first", NULL, &o->first },
		{ "--count", NULL, &o->count },
		{ "--conc", NULL, &o->at_once },
		{ "--pipeline", NULL, &o->pipeline },
		{ "--noops", NULL, &o->noops },
		{ "--rate", NULL, &o->rate },
		{ "--timeout", NULL, &o->timeout },
	};

	if (strcmp(name, "--proto") == 0) {
		o->imap = strcmp(value, "imap") == 0;
		return;
	}
	if (strcmp(name, "--tls") == 0) {
		o->tls = strcmp(value, "tls") == 0;
		o->stls = strcmp(value, "stls") == 0;
		return;
	}
	if (strcmp(name, "--retr") == 0) {
		o->retr = number(value);
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(name, rows[i].name) != 0)
			continue;
		if (rows[i].text != NULL)
			*rows[i].text = value;
		else
			*rows[i].number = number(value);
		return;
	}
	usage();
}

static void
take_options(struct options *o, int argc, char **argv)
{
	size_t mode = 0, known = sizeof(modes) / sizeof(modes[0]);

	while (mode < known && (argc < 2 || strcmp(argv[1], modes[mode]) != 0))
		mode++;
	if (mode == known)
		usage();
	o->mode = (enum mode) mode;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--delete") == 0) {
			o->delete = true;
			continue;
		}
		if (i + 1 == argc)
			usage();
		take_option(o, argv[i], argv[i + 1]);
		i++;
	}
	if (o->port == 0 || o->port > 65535 || o->at_once == 0 || o->count == 0 || o->users == 0 ||
	    o->pipeline == 0 || o->pipeline > IN_FLIGHT_MAX / 2 || o->rate == 0)
		usage();
}

static void
load_manifest(struct load *l)
{
	FILE *f = fopen(l->o.manifest, "r");
	unsigned long long size, hash;
	size_t room = 0;

	if (f == NULL)
		die("%s: %s", l->o.manifest, strerror(errno));
	while (fscanf(f, "%llu %llx", &size, &hash) == 2) {
		if (l->manifest_count == room) {
			room = room ? room * 2 : 4096;
			l->manifest = grown(l->manifest, room * sizeof(*l->manifest));
		}
		l->manifest[l->manifest_count++] = (struct message){ size, hash };
	}
	fclose(f);
	if (l->manifest_count == 0)
		die("%s: no message in it", l->o.manifest);
}

static void
prepare_tls(struct load *l)
{
	if ((l->tls = SSL_CTX_new(TLS_client_method())) == NULL)
		die("no TLS");
	if (l->o.ca != NULL) {
		if (SSL_CTX_load_verify_locations(l->tls, l->o.ca, NULL) != 1)
			die("%s: no certificate in it", l->o.ca);
		SSL_CTX_set_verify(l->tls, SSL_VERIFY_PEER, NULL);
	}
	SSL_CTX_set_mode(l->tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				     SSL_MODE_RELEASE_BUFFERS);
	/* Every session is one of a new client. */
	SSL_CTX_set_session_cache_mode(l->tls, SSL_SESS_CACHE_OFF);
}

static void
release(struct load *l)
{
	SSL_CTX_free(l->tls);
	for (int kind = 0; kind < SAMPLE_KINDS; kind++)
		free(l->t.samples[kind].v);
	free(l->t.uidls);
	free(l->manifest);
	free(l->held);
}

int
main(int argc, char **argv)
{
	struct load l = {
		.o = { .host = "127.0.0.1",
		    .user = "small",
		    .password = "secret",
		    .users = 1,
		    .at_once = 1,
		    .pipeline = 1,
		    .count = 1,
		    .retr = SIZE_MAX,
		    .timeout = 600,
		    .noops = 2000,
		    .rate = 500 },
	};
	double deadline;
	int status;

	/* OpenSSL writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	take_options(&l.o, argc, argv);
	if (l.o.manifest != NULL)
		load_manifest(&l);
	if (l.o.tls || l.o.stls)
		prepare_tls(&l);
	l.in_room = l.o.mode == MODE_DRAIN || l.o.mode == MODE_OPEN ? 256 << 10 : 8 << 10;
	xxh64_begin(&l.t.uidl_hash);
	l.held = calloc(l.o.count, sizeof(struct conn *));
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l.epoll < 0 || l.held == NULL)
		die("epoll: %s", strerror(errno));
	l.t.begin = now();
	deadline = l.t.begin + l.o.timeout;
	for (unsigned i = 0; i < l.o.at_once; i++)
		conn_start(&l);
	if (l.o.mode == MODE_HOLD)
		hold_run(&l, deadline);
	else if (l.o.mode == MODE_WORK)
		work_run(&l, deadline);
	while (l.live > 0 && now() < deadline)
		conn_wait(&l, 500);
	status = report(&l);
	release(&l);
	return status;
}
