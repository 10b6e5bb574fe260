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
#include "gateway/probe.h"
#include "gateway/removal.h"

enum { SHOWN_MAX = 2048 };

struct probe_job {
	const struct upstream *upstream;
	const struct credentials *credentials;
	struct probe_result *result;
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
	    "The password is right, but this user may not log in by IMAP. Ask who runs the "
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
	    "tls = implicit, 143 for starttls." },
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
	{ ERR_PROTOCOL, PROBE_CONNECT, PROBE_DONE, EX_PROTOCOL,
	    "What answers there is no IMAP server that popgate understands. Check \"port\" and "
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

/* What QUIT will do here, by the same decision that QUIT goes by. */
static void
print_deletion(const struct upstream *u, const struct probe_result *r)
{
	const struct deletion_terms terms = removal_terms(u, r->capability_bits);

	if (!removal_possible(u, &r->mailbox)) {
		print_line("deletion", "refused: the mailbox is read-only, so DELE answers -ERR");
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

static void
print_result(const struct upstream *u, const struct probe_result *r)
{
	char number[16];

	if (r->reached == PROBE_CONNECT)
		return;
	print_tls(u, r);
	if (r->server[0] != '\0')
		print_line("server", r->server);
	print_line("capabilities", r->capabilities_before != NULL ? r->capabilities_before : "");
	if (r->reached == PROBE_LOGIN)
		return;
	print_line("login", r->mechanism);
	print_line("capabilities then", r->capabilities != NULL ? r->capabilities : "");
	print_line("mailbox", u->mailboxes.items[0]);
	if (r->reached == PROBE_SELECT)
		return;
	snprintf(number, sizeof(number), "%" PRIu32, r->mailbox.uidvalidity);
	print_line("UIDVALIDITY", number);
	if (r->reached != PROBE_DONE)
		return;
	print_amount(r);
	for (size_t i = 1; i < u->mailboxes.count; i++)
		print_line(r->there[i] ? "and behind it" : "not there, left out",
		    u->mailboxes.items[i]);
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

static void
probe_fiber(void *arg)
{
	struct probe_job *job = arg;
	uv_loop_t *loop = fiber_loop(fiber_self_runtime());

	probe_run(job->upstream, job->credentials, job->result);
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

static int
probe_upstream(const struct upstream *u, const struct credentials *c)
{
	struct probe_result result = { 0 };
	struct probe_job job = { u, c, &result };
	int status;

	if ((status = print_addresses(u)) != 0)
		return status;
	if (run_job(&job) != 0)
		return EX_OSERR;
	print_result(u, &result);
	if (result.reached != PROBE_DONE)
		status = print_failure(u, &result);
	probe_clear(&result);
	return status;
}

/* Probes the first upstream that speaks IMAP. */
static int
probe_config(const struct config *config, const struct credentials *c)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (config->upstreams[i].protocol == UPSTREAM_IMAP)
			return probe_upstream(&config->upstreams[i], c);
	fprintf(stderr, "popgate probe: there is no upstream with protocol = imap\n");
	return EX_CONFIG;
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
	if (rc == 0 && (status = get_password(line, &c)) == 0)
		status = probe_config(config, &c);
	credentials_clear(&c);
	config_unref(config);
	return status;
}
