/* command_probe.c - "popgate probe": logs in as a user and says, in words, what is there and what
 * popgate would do.
 *
 * The way to find out whether a server, its certificate and the settings fit together before a
 * single client tries. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "fiberio/fiber.h"
#include "gateway/command.h"
#include "gateway/config.h"
#include "gateway/password_input.h"
#include "gateway/pop3_response.h"
#include "gateway/probe.h"
#include "gateway/removal.h"
#include "gateway/way.h"

enum { SHOWN_MAX = 2048 };

struct probe_job {
	const struct config *config;
	const char *label; /* of the upstream; NULL: by the user's route */
	const struct credentials *credentials;
	int status; /* for the shell */
};

/* What to do next, and the exit status; the first row that fits counts. */
static const struct advice {
	int code; /* of enum error_code */
	enum probe_step from_step, to_step;
	int status;
	const char *text;
} advices[] = {
	{ ERR_AUTH, PROBE_LOGIN, PROBE_LOGIN, EX_NOPERM,
	    "The server rejected user name or password. Some services want the full address as "
	    "user\n"
	    "name, or a password made for one application only." },
	{ ERR_AUTH_DENIED, PROBE_LOGIN, PROBE_LOGIN, EX_NOPERM,
	    "The password is right, but this user may not log in by this protocol. Ask who runs the "
	    "server." },
	{ ERR_AUTH_EXPIRED, PROBE_LOGIN, PROBE_LOGIN, EX_NOPERM,
	    "The password has expired and must be changed at the server." },
	{ ERR_AUTH_PRIVACY, PROBE_LOGIN, PROBE_LOGIN, EX_NOPERM,
	    "The server wants an encrypted connection: set \"tls\" to implicit or starttls." },
	{ ERR_TLS, PROBE_CONNECT, PROBE_DONE, EX_UNAVAILABLE,
	    "If the certificate comes from an authority of your own, set \"ca_file\"; if it bears "
	    "another\n"
	    "name than \"host\", set \"verify_name\"; on a port without TLS, set \"tls = "
	    "starttls\"." },
	{ ERR_CLOSED, PROBE_CONNECT, PROBE_CONNECT, EX_UNAVAILABLE,
	    "Check \"host\", \"port\" and \"tls\", and that no firewall is in between: 993 is the "
	    "port for\n"
	    "tls = implicit, 143 for starttls; of an old POP3 server, 995 and 110." },
	{ ERR_TIMEOUT, PROBE_CONNECT, PROBE_CONNECT, EX_TEMPFAIL,
	    "Nothing answered in time. Check \"host\", \"port\" and \"tls\", and that no firewall "
	    "is in\n"
	    "between." },
	{ ERR_PERMANENT, PROBE_LOGIN, PROBE_LOGIN, EX_UNAVAILABLE,
	    "The server offers no way to log in that popgate knows. If it does so on connections "
	    "with TLS\n"
	    "only, set \"tls\" to implicit or starttls." },
	{ ERR_PERMANENT, PROBE_SELECT, PROBE_SELECT, EX_UNAVAILABLE,
	    "Check \"mailbox\": it must exist, and the user must be allowed to read it." },
	{ ERR_TEMPORARY, PROBE_SELECT, PROBE_SELECT, EX_TEMPFAIL,
	    "Check \"mailbox\": it must exist, and the user must be allowed to read it. Else try "
	    "again\n"
	    "later." },
	{ ERR_PROTOCOL, PROBE_CONNECT, PROBE_DONE, EX_PROTOCOL,
	    "What answers there is no server that popgate understands. Check \"protocol\", "
	    "\"port\" and\n"
	    "\"tls\"." },
	{ ERR_LIMIT, PROBE_CONNECT, PROBE_DONE, EX_PROTOCOL,
	    "The server's answer is larger than popgate accepts." },
	{ ERR_NO_MEMORY, PROBE_CONNECT, PROBE_DONE, EX_OSERR, "There is not enough memory." },
	{ ERR_TEMPORARY, PROBE_CONNECT, PROBE_DONE, EX_TEMPFAIL, "Try again later." },
	{ ERR_TIMEOUT, PROBE_CONNECT, PROBE_DONE, EX_TEMPFAIL,
	    "The server is slow or stuck. Try again later." },
	{ ERR_CLOSED, PROBE_CONNECT, PROBE_DONE, EX_TEMPFAIL,
	    "The server hung up. Try again later; its log may say why." },
};

static const char *const steps[] = {
	[PROBE_CONNECT] = "cannot connect",
	[PROBE_LOGIN] = "cannot log in",
	[PROBE_SELECT] = "cannot open the mailbox",
	[PROBE_LIST] = "cannot list the mailbox",
	[PROBE_DONE] = "done",
};

static void
print_line(const char *label, const char *value)
{
	char shown[SHOWN_MAX];

	text_escape(value, strlen(value), shown, sizeof(shown));
	printf("%-22s %s\n", label, shown[0] != '\0' ? shown : "-");
}

static void
print_tls(const struct upstream *u, const struct probe_result *r)
{
	if (r->tls_version[0] == '\0')
		print_line("TLS", "none");
	else
		printf("%-22s %s, %s\n", "TLS", r->tls_version, r->tls_cipher);
	if (r->tls_version[0] != '\0' && u->insecure)
		print_line("", "NOT VERIFIED (tls_insecure): this may be anybody's server");
}

static void
print_amount(const struct probe_result *r)
{
	printf("%-22s %" PRIu64 " messages, %" PRIu64 " octets (%.1f MiB)\n", "content",
	    r->messages, r->octets, (double) r->octets / (1024 * 1024));
	if (r->deleted > 0)
		printf("%-22s %" PRIu64 " of them are flagged \\Deleted by other clients\n", "",
		    r->deleted);
}

/* Why DELE will be refused here. */
static const char *
refusal(const struct upstream *u, const struct imap_mailbox *mailbox)
{
	if (mailbox->read_only)
		return "refused: the mailbox is read-only, so DELE answers -ERR";
	if (u->delete == DELETION_MARK && u->mark_keyword[0] != '\0')
		return "refused: the server keeps no keywords (mark_keyword), so DELE answers -ERR";
	return "refused: the server keeps no flag \\Deleted, so DELE answers -ERR";
}

/* What QUIT will do here, by the same decision that QUIT goes by. */
static void
print_deletion(const struct upstream *u, const struct probe_result *r)
{
	const struct deletion_terms terms = removal_terms(u, r->capability_bits);

	if (!removal_possible(u, &r->mailbox)) {
		printf("%-22s %s\n", "deletion", refusal(u, &r->mailbox));
		return;
	}
	if (deletion_copies(&terms))
		print_line("deletion", "UID COPY to the trash mailbox (no MOVE here), then");
	switch (deletion_choose(&terms)) {
	case DELETION_UID_EXPUNGE:
		print_line("deletion", "UID EXPUNGE: QUIT removes exactly what the client deleted");
		break;
	case DELETION_MOVE:
		print_line("deletion", "UID MOVE: QUIT moves what the client deleted to");
		print_line("", u->trash_mailbox);
		break;
	case DELETION_EXPUNGE:
		print_line("deletion",
		    "EXPUNGE, when nobody else has flagged messages (no UIDPLUS here);");
		print_line("",
		    u->without_uidplus == DELETION_LIFT
			? "otherwise their flags are lifted, EXPUNGE runs, and the flags are put "
			  "back"
			: "otherwise the client's stay flagged and hidden, and QUIT answers -ERR");
		break;
	case DELETION_SET_MARK:
		print_line("deletion",
		    u->mark_keyword[0] != '\0'
			? "none: what the client deletes gets a keyword and is hidden from then on"
			: "none: what the client deletes is flagged \\Deleted and hidden from then "
			  "on");
		break;
	case DELETION_NOTHING:
		print_line("deletion", "none: what the client deletes is hidden until it logs out");
		break;
	}
}

static void
print_times(const struct probe_result *r)
{
	printf("%-22s connect %" PRIu64 " ms, login %" PRIu64 " ms, select %" PRIu64
	       " ms, list %" PRIu64 " ms\n",
	    "time", r->took_ms[PROBE_CONNECT], r->took_ms[PROBE_LOGIN], r->took_ms[PROBE_SELECT],
	    r->took_ms[PROBE_LIST]);
}

/* What CAPA said, as far as popgate cares. */
static void
print_pop3_capabilities(unsigned bits)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ POP3_CAP_STLS, "STLS" },
		{ POP3_CAP_USER, "USER" },
		{ POP3_CAP_TOP, "TOP" },
		{ POP3_CAP_UIDL, "UIDL" },
		{ POP3_CAP_PIPELINING, "PIPELINING" },
		{ POP3_CAP_RESP_CODES, "RESP-CODES" },
		{ POP3_CAP_AUTH_RESP_CODE, "AUTH-RESP-CODE" },
		{ POP3_CAP_SASL_PLAIN, "SASL-PLAIN" },
		{ POP3_CAP_SASL_XOAUTH2, "SASL-XOAUTH2" },
		{ POP3_CAP_SASL_OAUTHBEARER, "SASL-OAUTHBEARER" },
	};
	char text[160] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((bits & names[i].bit) != 0)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			    text[0] != '\0' ? " " : "", names[i].name);
	print_line("capabilities", text);
}

/* Of an old server. */
static void
print_old(const struct target *t, const struct probe_result *r)
{
	print_tls(t->upstream, r);
	print_pop3_capabilities(r->pop3_capabilities);
	if (r->reached == PROBE_LOGIN)
		return;
	print_line("login", t->login);
	if (r->reached != PROBE_DONE)
		return;
	print_amount(r);
	print_line("first UIDL", r->uidl);
	print_line("deletion", "as the old server does it: sessions are passed on as they are");
	print_times(r);
}

static void
print_result(const struct target *t, const struct probe_result *r)
{
	const struct upstream *u = t->upstream;
	char number[16];

	if (r->reached == PROBE_CONNECT)
		return;
	if (u->protocol == UPSTREAM_POP3) {
		print_old(t, r);
		return;
	}
	print_tls(u, r);
	if (r->server[0] != '\0')
		print_line("server", r->server);
	print_line("capabilities", r->capabilities_before != NULL ? r->capabilities_before : "");
	if (r->reached == PROBE_LOGIN)
		return;
	print_line("login", r->mechanism);
	print_line("as", t->login);
	print_line("capabilities then", r->capabilities != NULL ? r->capabilities : "");
	print_line("mailbox", t->mailboxes.items[0]);
	if (r->reached == PROBE_SELECT)
		return;
	snprintf(number, sizeof(number), "%" PRIu32, r->mailbox.uidvalidity);
	print_line("UIDVALIDITY", number);
	if (r->reached != PROBE_DONE)
		return;
	print_amount(r);
	for (size_t i = 1; i < t->mailboxes.count; i++)
		print_line(r->there[i] ? "and behind it" : "not there, left out",
		    t->mailboxes.items[i]);
	print_deletion(u, r);
	print_times(r);
}

static int
print_failure(const struct upstream *u, const struct probe_result *r)
{
	char shown[ERROR_TEXT_MAX * 4];
	const struct advice *a;

	text_escape(r->error.text, strlen(r->error.text), shown, sizeof(shown));
	fflush(stdout);
	fprintf(stderr, "popgate probe: %s at %s: %s%s%s\n", steps[r->reached], u->name,
	    error_name(r->error.code), shown[0] != '\0' ? ": " : "", shown);
	for (a = advices; a < advices + sizeof(advices) / sizeof(advices[0]); a++) {
		if (a->code == r->error.code && r->reached >= a->from_step &&
		    r->reached <= a->to_step) {
			fprintf(stderr, "%s\n", a->text);
			return a->status;
		}
	}
	return EX_UNAVAILABLE;
}

static int
print_missing_trash(const struct upstream *u)
{
	char shown[SHOWN_MAX];

	text_escape(u->trash_mailbox, strlen(u->trash_mailbox), shown, sizeof(shown));
	fflush(stdout);
	fprintf(stderr,
	    "popgate probe: there is no mailbox %s at %s: QUIT will remove nothing and answer -ERR\n"
	    "Check \"trash_mailbox\": its name there, with the server's own separator, or make it.\n",
	    shown, u->name);
	return EX_UNAVAILABLE;
}

/* Says where the host is; a name that does not exist is the plainest of faults. */
static int
print_addresses(const struct upstream *u)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found, *a;
	char text[NI_MAXHOST];
	int rc;

	if ((rc = getaddrinfo(u->host, NULL, &hints, &found)) != 0) {
		fprintf(stderr,
		    "popgate probe: %s: %s\nCheck \"host\" and this machine's name service.\n",
		    u->host, gai_strerror(rc));
		return rc == EAI_AGAIN ? EX_TEMPFAIL : EX_NOHOST;
	}
	print_line("upstream", u->name);
	for (a = found; a != NULL; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0,
			NI_NUMERICHOST) == 0)
			print_line("address", text);
	freeaddrinfo(found);
	fflush(stdout);
	return 0;
}

static int
get_password(const struct command_line *line, struct credentials *c)
{
	char prompt[USER_NAME_MAX * 4 + 32], shown[USER_NAME_MAX * 4];
	struct error e = { 0 };
	int rc;

	text_escape(line->operand, strlen(line->operand), shown, sizeof(shown));
	snprintf(prompt, sizeof(prompt), "Password of %s: ", shown);
	if (line->password_fd >= 0)
		rc = password_from_descriptor(line->password_fd, c, &e);
	else
		rc = password_from_terminal(prompt, c, &e);
	if (rc != 0)
		fprintf(stderr, "popgate probe: %s\n", e.text);
	return rc == 0 ? 0 : EX_USAGE;
}

/* *CODE: how it went, of enum error_code. */
static int
probe_target(const struct target *t, const struct credentials *c, int *code)
{
	struct credentials there = *c; /* owns nothing */
	struct probe_result result = { 0 };
	int status;

	*code = 0;
	if ((status = print_addresses(t->upstream)) != 0)
		return status;
	there.user = t->login;
	probe_run(t, &there, &result);
	print_result(t, &result);
	*code = result.error.code;
	if (result.reached != PROBE_DONE)
		status = print_failure(t->upstream, &result);
	else if (result.trash_missing)
		status = print_missing_trash(t->upstream);
	probe_clear(&result);
	return status;
}

static int
complain(int rc, const struct error *e)
{
	fflush(stdout);
	fprintf(stderr, "popgate probe: %s\n", e->text);
	if (rc == ERR_NO_MEMORY)
		return EX_OSERR;
	return rc == ERR_TEMPORARY ? EX_TEMPFAIL : EX_CONFIG;
}

/* UPSTREAM, as a login by the way W would use it. */
static int
probe_on_way(
    const struct probe_job *job, const struct way *w, const struct upstream *upstream, int *code)
{
	struct target target = { 0 };
	struct error e = { 0 };
	int rc, status;

	*code = 0;
	if ((rc = way_aim(w, upstream, &target, &e)) != 0)
		status = complain(rc, &e);
	else
		status = probe_target(&target, job->credentials, code);
	target_clear(&target);
	return status;
}

static void
print_way(const struct way *w)
{
	const struct upstream *first = w->upstreams[0];

	if (w->route->label != NULL && w->route->label[0] != '\0')
		print_line("route", w->route->label);
	if (w->route->auth_http != NULL)
		print_line("", "its service (auth_http) is not asked; a login goes where that says");
	if (first->old == NULL)
		return;
	print_line("old server", first->old->name);
	print_line("", "serves the user instead if his state is old (popgate state show)");
}

/* The upstreams of the user's route, until one does not reject him. */
static int
probe_way(const struct probe_job *job, const struct way *w)
{
	int code = ERR_AUTH, status = EX_CONFIG;

	print_way(w);
	for (size_t i = 0; i < w->count && code == ERR_AUTH; i++)
		status = probe_on_way(job, w, w->upstreams[i], &code);
	return status;
}

/* The upstream that was asked for. Where no way leads there, the user has his own name there, as who is
 * passed on to an old server has. FOUND is what became of finding W. */
static int
probe_named(const struct probe_job *job, const struct way *w, int found)
{
	const struct upstream *u = config_upstream(job->config, job->label);
	struct target target = { 0 };
	int code, status;

	if (u == NULL) {
		fprintf(stderr, "popgate probe: there is no upstream %s\n", job->label);
		return EX_USAGE;
	}
	if (found == 0 && (u->protocol == UPSTREAM_IMAP || way_leads_to(w, u)))
		return probe_on_way(job, w, u, &code);
	if (target_set(&target, u, job->credentials->user, &u->mailboxes) != 0)
		status = EX_OSERR;
	else
		status = probe_target(&target, job->credentials, &code);
	target_clear(&target);
	return status;
}

static int
probe_user(const struct probe_job *job)
{
	struct error e = { 0 };
	struct way way;
	int rc = way_find(job->config, job->credentials->user, &way, &e);

	if (job->label != NULL)
		return probe_named(job, &way, rc);
	return rc == 0 ? probe_way(job, &way) : complain(rc, &e);
}

static void
probe_fiber(void *arg)
{
	struct probe_job *job = arg;
	uv_loop_t *loop = fiber_loop(fiber_self_runtime());

	job->status = probe_user(job);
	uv_stop(loop);
}

/* Runs JOB on a loop of its own. */
static int
run_job(struct probe_job *job)
{
	struct fiber_runtime *fibers;
	uv_loop_t loop;
	int rc;

	if (uv_loop_init(&loop) != 0)
		return ERR_NO_MEMORY;
	if ((rc = fiber_runtime_new(&loop, &fibers)) == 0) {
		if ((rc = fiber_spawn(fibers, probe_fiber, job, NULL)) == 0)
			uv_run(&loop, UV_RUN_DEFAULT);
		fiber_runtime_free(fibers);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return rc;
}

int
command_probe(const struct command_line *line)
{
	struct config_report report = { 0 };
	struct credentials c = { 0 };
	struct config *config = NULL;
	int rc, status = EX_CONFIG;

	signal(SIGPIPE, SIG_IGN);
	if (credentials_set_user(&c, line->operand, strlen(line->operand)) != 0) {
		fprintf(stderr, "popgate probe: this cannot be a user name\n");
		return EX_USAGE;
	}
	rc = config_load(line->config, &config, &report);
	config_report_print(&report, line->config, stderr);
	config_report_clear(&report);
	if (rc == 0 && (status = get_password(line, &c)) == 0) {
		struct probe_job job = { config, line->upstream, &c, EX_OSERR };

		status = run_job(&job) == 0 ? job.status : EX_OSERR;
	}
	credentials_clear(&c);
	config_unref(config);
	return status;
}
