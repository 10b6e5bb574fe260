/* connection.c - accepted connections: each is a fiber that runs one POP3 session.
 *
 * Until it has logged in, a connection costs a stranger nothing. So when the house is full, the one
 * of this worker that has waited longest without a login makes room for a new one; who has logged
 * in stays. */
#include "gateway/connection.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway/client_address.h"
#include "gateway/dispatch.h"
#include "gateway/worker.h"
#include "pop3front/session.h"

enum {
	SESSION_ID_MAX = 13,   /* octets of a session id, with NUL */
	REFUSED_LOG_MS = 1000, /* at most one line about refused connections in this time */
};

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct worker *worker;
	struct config *config;	/* held */
	struct tls_server *tls; /* held; NULL: none */
	enum listener_protocol protocol;
	enum stream_peer_name certificate_user; /* what names the user in a client's certificate */
	struct stream *stream;			/* NULL once the session has freed it */
	struct fiber *fiber;
	struct client_address from;
	struct census_seat seat;
	bool address_counted; /* in the census, with the seat */
	char address[ADDRESS_TEXT_MAX];
	char id[SESSION_ID_MAX];
	char tls_version[16]; /* when TLS began or login was tried; "" without TLS */
	char tls_cipher[64];
	bool legacy; /* came to a listener for old devices */
	bool handshaking;     /* stream_interrupt does not reach it */
	bool evicted;	      /* it is ended to make room */
	bool logged_in;
	uint64_t began; /* loop time in milliseconds */
	struct dispatch dispatch;
};

void
connections_init(struct connections *connections)
{
	memset(connections, 0, sizeof(*connections));
	TAILQ_INIT(&connections->before_login);
	TAILQ_INIT(&connections->after_login);
}

bool
connections_none(const struct connections *connections)
{
	return TAILQ_EMPTY(&connections->before_login) && TAILQ_EMPTY(&connections->after_login);
}

/* Writes SYMBOLS characters of base 32, 5 bits of VALUE each. */
static void
base32(uint64_t value, int symbols, char *out)
{
	static const char alphabet[32] = "abcdefghijklmnopqrstuvwxyz234567";

	for (int i = symbols - 1; i >= 0; i--, value >>= 5)
		out[i] = alphabet[value & 31];
}

/* 30 bits of chance for the run, then 30 bits of a counter; all workers have both in common. */
static void
make_session_id(
    const struct census *census, const struct census_seat *seat, char id[SESSION_ID_MAX])
{
	base32(census_random(census), 6, id);
	base32(seat->serial, 6, id + 6);
	id[SESSION_ID_MAX - 1] = '\0';
}

static void
note_tls(struct connection *c)
{
	snprintf(c->tls_version, sizeof(c->tls_version), "%s", stream_tls_version(c->stream));
	snprintf(c->tls_cipher, sizeof(c->tls_cipher), "%s", stream_tls_cipher(c->stream));
}

/* Whether C has had TLS on a listener for old devices. */
static bool
is_legacy_use(const struct connection *c)
{
	return c->legacy && c->tls_version[0] != '\0';
}

/* The dispatcher's open, which besides tells us who has logged in, and whether STLS came before. CTX
 * is the connection's dispatch. */
static int
open_maildrop(
    void *ctx, const struct credentials *credentials, struct pop3_maildrop *out, struct error *e)
{
	struct dispatch *dispatch = ctx;
	struct connection *c =
	    (struct connection *) ((char *) dispatch - offsetof(struct connection, dispatch));
	struct connections *all = &c->worker->connections;
	int rc;

	note_tls(c);
	if ((rc = dispatch_backend.open(dispatch, credentials, out, e)) != 0)
		return rc;
	c->logged_in = true;
	TAILQ_REMOVE(&all->before_login, c, entry);
	census_log_in(c->worker->census, &c->seat);
	TAILQ_INSERT_TAIL(&all->after_login, c, entry);
	return 0;
}

/* Out of all lists and counts; frees C but not its stream. */
static void
connection_free(struct connection *c)
{
	struct connections *all = &c->worker->connections;

	if (c->logged_in)
		TAILQ_REMOVE(&all->after_login, c, entry);
	else
		TAILQ_REMOVE(&all->before_login, c, entry);
	census_leave(c->worker->census, &c->seat);
	tls_server_unref(c->tls);
	config_unref(c->config);
	free(c);
}

/* Who is evicted is cancelled like those whom the end of popgate ends. */
static const char *
end_of(const struct connection *c, const struct pop3_report *r)
{
	return c->evicted && r->end == POP3_END_SHUTDOWN ? "made room for others"
							 : pop3_end_name(r->end);
}

/* The one line that says what a session did. */
static void
log_summary(struct connection *c, const struct pop3_report *r)
{
	const struct deletion_result *deleted = &r->deleted;
	bool failed = r->error.code != ERR_OK;

	log_event(c->worker->log, LOG_LEVEL_INFO, c->id, "session ended",
	    LOG_FIELDS(LOG_TEXT("client", c->address),
		LOG_TEXT("user", r->user[0] != '\0' ? r->user : NULL),
		LOG_TEXT("logged_in", r->logged_in ? "yes" : "no"),
		LOG_TEXT("tls", c->tls_version[0] != '\0' ? c->tls_version : "none"),
		LOG_TEXT("legacy_cipher", is_legacy_use(c) ? c->tls_cipher : NULL),
		LOG_NUMBER("commands", r->commands), LOG_NUMBER("messages", r->retrieved),
		LOG_NUMBER("octets", r->octets),
		LOG_TEXT("passed_on", r->passed_on ? "yes" : NULL),
		LOG_NUMBER("deleted", deleted->marked - deleted->remaining),
		LOG_NUMBER("marked", deleted->marked), LOG_TEXT("reason", end_of(c, r)),
		LOG_NUMBER("duration_ms", uv_now(&c->worker->loop) - c->began),
		LOG_TEXT("code", failed ? error_name(r->error.code) : NULL),
		LOG_TEXT("error", failed && r->error.text[0] != '\0' ? r->error.text : NULL)));
}

static const char too_many[] = "-ERR [SYS/TEMP] too many connections\r\n";

/* Why a connection is refused, for the log. */
static const char address_full[] = "max_sessions_per_address is reached";
static const char too_often[] = "max_connections_per_minute_per_address is reached";

/* At most once in a while. */
static void
log_refused(struct worker *worker, const char *address, const char *reason)
{
	struct connections *all = &worker->connections;
	uint64_t now = uv_now(&worker->loop);

	all->refused++;
	if (all->refused_logged_at != 0 && now - all->refused_logged_at < REFUSED_LOG_MS)
		return;
	log_event(worker->log, LOG_LEVEL_WARNING, NULL, "connections refused",
	    LOG_FIELDS(LOG_TEXT("client", address), LOG_TEXT("reason", reason),
		LOG_NUMBER("refused", all->refused),
		LOG_NUMBER("sessions", census_count(worker->census))));
	all->refused = 0;
	all->refused_logged_at = now;
}

static void
log_connected(const struct connection *c)
{
	char proxy[ADDRESS_TEXT_MAX];

	network_peer_text(&c->from.hop, proxy);
	log_event(c->worker->log, LOG_LEVEL_DEBUG, c->id, "connected",
	    LOG_FIELDS(LOG_TEXT("client", c->address),
		LOG_TEXT("protocol", listener_protocol_name(c->protocol)),
		LOG_TEXT("proxy", c->from.proxied ? proxy : NULL)));
}

static void
evict(struct connection *c)
{
	log_event(c->worker->log, LOG_LEVEL_WARNING, c->id, "ended to make room",
	    LOG_FIELDS(LOG_TEXT("client", c->address)));
	c->evicted = true;
	fiber_cancel(c->fiber);
}

/* Where C is one more of its address than there may be before login, the oldest one of this worker goes. */
static void
limit_address_before_login(struct connection *c)
{
	struct census *census = c->worker->census;
	size_t most = c->config->before_login_per_address;
	struct connection *other;

	if (census_waiting(census) <= most || census_waiting_beside(census, &c->seat) <= most)
		return;
	TAILQ_FOREACH(other, &c->worker->connections.before_login, entry)
	{
		if (other == c || !other->address_counted ||
		    !network_same_client(&other->from.client, &c->from.client))
			continue;
		evict(other);
		return;
	}
}

/* Says so, where the client can understand it. */
static void
refuse_client(struct connection *c, const char *reason, uint64_t deadline)
{
	log_refused(c->worker, c->address, reason);
	if (c->protocol == LISTENER_POP3)
		(void) stream_write_by(c->stream, too_many, sizeof(too_many) - 1, deadline);
}

/* Learns from the proxy who the client is, and counts the connection as one of that address. Returns
 * 0, or an error that has been logged. */
static int
meet_client(struct connection *c)
{
	uint64_t deadline = fiber_deadline(c->config->pop3.login_ms);
	struct error e = { 0 };

	if (client_address_read(&c->from, c->stream, deadline, &e) != 0) {
		log_error(c->worker->log, LOG_LEVEL_INFO, c->id, "no PROXY header", &e,
		    LOG_FIELDS(LOG_TEXT("proxy", c->address)));
		return e.code;
	}
	network_peer_text(&c->from.client, c->address);
	log_connected(c);
	if (!census_arrive(c->worker->census, &c->from.client, uv_now(&c->worker->loop))) {
		refuse_client(c, too_often, deadline);
		return ERR_LIMIT;
	}
	if (census_name(c->worker->census, &c->seat, &c->from.client) == CENSUS_ADMITTED) {
		c->address_counted = true;
		limit_address_before_login(c);
		return 0;
	}
	refuse_client(c, address_full, deadline);
	return ERR_LIMIT;
}

/* TLS from the first octet. Returns 0, or an error that has been logged. */
static int
start_tls(struct connection *c)
{
	struct error e = { 0 };
	int rc;

	rc = stream_start_tls_server(
	    c->stream, c->tls, fiber_deadline(c->config->pop3.login_ms), &e);
	c->handshaking = false;
	if (rc != 0) {
		e.code = rc;
		log_error(c->worker->log, LOG_LEVEL_INFO, c->id, "TLS handshake failed", &e,
		    LOG_FIELDS(LOG_TEXT("client", c->address)));
		return rc;
	}
	note_tls(c);
	return 0;
}

static void
run_session(struct connection *c)
{
	struct pop3_settings settings = c->config->pop3;
	struct pop3_backend backend = dispatch_backend;
	struct pop3_report report = { 0 };
	struct stream *stream = c->stream;

	settings.tls = c->tls;
	settings.plaintext_login = client_address_allows_plaintext(&c->from, c->config);
	settings.certificate_user = c->certificate_user;
	dispatch_begin(&c->dispatch, stream, &settings);
	backend.open = open_maildrop;
	pop3_session_run(stream, &settings, &backend, &c->dispatch, &report);
	c->stream = NULL;
	dispatch_end(&c->dispatch);
	log_summary(c, &report);
}

/* The fiber of a connection. */
static void
connection_run(void *arg)
{
	struct connection *c = arg;
	struct worker *worker = c->worker;

	if ((c->from.proxied && meet_client(c) != 0) ||
	    (c->protocol == LISTENER_POP3S && start_tls(c) != 0))
		stream_abort(c->stream);
	else
		run_session(c);
	if (is_legacy_use(c))
		legacy_usage_add(&worker->upkeep.usage, c->address);
	connection_free(c);
	worker_connection_ended(worker);
}

static struct connection *
connection_new(struct worker *worker, const struct listener *listener, int fd,
    const struct sockaddr_storage *peer, const struct census_seat *seat, const char *address)
{
	struct connection *c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->worker = worker;
	c->config = config_ref(worker->config);
	c->tls = listener->tls != NULL ? tls_server_ref(listener->tls) : NULL;
	c->protocol = listener->protocol;
	c->certificate_user = listener->certificate_user;
	c->legacy = listener->config->legacy;
	c->handshaking = c->protocol == LISTENER_POP3S;
	client_address_begin(&c->from, fd, peer, listener->config->proxy_protocol);
	c->address_counted = !c->from.proxied;
	c->seat = *seat;
	c->began = uv_now(&worker->loop);
	memcpy(c->address, address, sizeof(c->address));
	make_session_id(worker->census, seat, c->id);
	c->dispatch.gatekeeper = worker->gatekeeper;
	c->dispatch.preference = (struct preference){ .winners = worker->winners,
		.ledger = worker->routing,
		.log = worker->log,
		.session_id = c->id };
	c->dispatch.auth_http = worker->auth_http;
	c->dispatch.maildrop = (struct maildrop_context){
		.config = c->config,
		.reuse = worker->reuse,
		.state_directory = c->config->state_directory,
		.ledger = worker->ledger,
		.journal = worker->journal,
		.pool = &worker->prefetch,
		.census = worker->census,
		.seat = &c->seat,
		.log = worker->log,
		.session_id = c->id,
		.client_address = c->address,
		.client = &c->from,
		.visit = &c->dispatch.visit,
	};
	TAILQ_INSERT_TAIL(&worker->connections.before_login, c, entry);
	return c;
}

/* Says so, where the client can understand it, and closes FD. */
static void
refuse(struct worker *worker, const struct listener *listener, int fd, const char *address,
    const char *reason)
{
	if (listener->protocol == LISTENER_POP3)
		(void) send(fd, too_many, sizeof(too_many) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
	log_refused(worker, address, reason);
}

/* Ends the connection that has been here longest without a login. Returns whether there was one. */
static bool
evict_oldest(struct worker *worker)
{
	struct connection *oldest = TAILQ_FIRST(&worker->connections.before_login);

	if (oldest == NULL)
		return false;
	evict(oldest);
	return true;
}

/* Closes FD, which came from behind the fence of a listener for old devices, without a word. */
static void
turn_away(struct worker *worker, int fd, const char *address)
{
	close(fd);
	worker->upkeep.usage.refused++;
	log_event(worker->log, LOG_LEVEL_DEBUG, NULL, "not in legacy_networks",
	    LOG_FIELDS(LOG_TEXT("client", address)));
}

static enum census_answer
admit(struct worker *worker, const struct sockaddr_storage *peer, struct census_seat *seat)
{
	enum census_answer answer = census_enter(worker->census, peer, seat);

	if (answer == CENSUS_FULL && evict_oldest(worker))
		answer = census_enter(worker->census, peer, seat);
	if (answer == CENSUS_ADMITTED &&
	    census_waiting(worker->census) > worker->config->before_login)
		evict_oldest(worker);
	return answer;
}

void
connection_accept(struct worker *worker, const struct listener *listener, int fd,
    const struct sockaddr_storage *peer)
{
	static const char *const reasons[] = {
		[CENSUS_FULL] = "max_sessions is reached",
		[CENSUS_ADDRESS_FULL] = address_full,
	};
	static const char no_memory[] = "out of memory";
	bool proxied = listener->config->proxy_protocol;
	struct census_seat seat;
	char address[ADDRESS_TEXT_MAX];
	enum census_answer answer;
	struct connection *c;

	network_peer_text(peer, address);
	if (listener->config->legacy &&
	    !legacy_admits(listener->config, peer, (int64_t) time(NULL))) {
		turn_away(worker, fd, address);
		return;
	}
	if (proxied && !network_list_contains(&listener->config->proxy_networks, peer)) {
		close(fd);
		log_refused(worker, address, "not in proxy_networks");
		return;
	}
	if (!proxied && !census_arrive(worker->census, peer, uv_now(&worker->loop))) {
		refuse(worker, listener, fd, address, too_often);
		return;
	}
	answer = admit(worker, proxied ? NULL : peer, &seat);
	if (answer != CENSUS_ADMITTED) {
		refuse(worker, listener, fd, address, reasons[answer]);
		return;
	}
	if ((c = connection_new(worker, listener, fd, peer, &seat, address)) == NULL) {
		census_leave(worker->census, &seat);
		refuse(worker, listener, fd, address, no_memory);
		return;
	}
	if (stream_adopt(worker->fibers, fd, &c->stream) != 0) {
		connection_free(c);
		refuse(worker, listener, fd, address, no_memory);
		return;
	}
	if (fiber_spawn(worker->fibers, connection_run, c, &c->fiber) != 0) {
		stream_abort(c->stream);
		connection_free(c);
		return;
	}
	if (!proxied) {
		log_connected(c);
		limit_address_before_login(c);
	}
}

static void
interrupt_list(struct connection_list *list)
{
	struct connection *c, *next;

	for (c = TAILQ_FIRST(list); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->handshaking)
			fiber_cancel(c->fiber);
		else if (c->stream != NULL)
			stream_interrupt(c->stream);
	}
}

void
connections_interrupt(struct connections *connections)
{
	interrupt_list(&connections->before_login);
	interrupt_list(&connections->after_login);
}

static uint64_t
cut_list(struct connection_list *list)
{
	struct connection *c;
	uint64_t count = 0;

	for (; (c = TAILQ_FIRST(list)) != NULL; count++)
		fiber_cancel(c->fiber);
	return count;
}

uint64_t
connections_cut(struct connections *connections)
{
	return cut_list(&connections->before_login) + cut_list(&connections->after_login);
}
