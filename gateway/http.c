/* http.c - see http.h. */
#include "gateway/http.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "fiberio/fiber.h"
#include "gateway/curl_library.h"

enum {
	REPLY_MAX = 64 * 1024, /* octets of a header and of a body */
	CONNECTIONS_MAX = 64,  /* at a time; others wait */
	ADDRESSES_MAX = 8,     /* of a host */
	RESOLVE_MAX = 1024,    /* octets of "host:port:address,address" */
	PATIENCE_MS = 100,     /* with libcurl, which knows better what it waited for */
};

struct http {
	struct curl_library curl;
	CURLM *multi; /* NULL: libcurl is not loaded */
	uv_loop_t *loop;
	uv_timer_t timer;
};

/* A socket that libcurl wants watched. */
struct watch {
	uv_poll_t poll;
	struct http *http;
	curl_socket_t fd;
};

/* A request under way; on the heap, for libcurl has its address. */
struct call {
	const struct curl_library *curl;
	const struct http_request *request;
	struct fiber *fiber;
	CURL *easy;
	struct curl_slist *fields;
	struct curl_slist *addresses;
	size_t header_octets, body_octets;
	bool done;
	CURLcode result;
	char message[CURL_ERROR_SIZE];
};

/* ---- libcurl on the loop ---- */

/* Wakes whose request is over. */
static void
note_results(struct http *http)
{
	struct call *call;
	CURLMsg *message;
	int left;

	while ((message = http->curl.multi_info_read(http->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE ||
		    http->curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call) !=
			CURLE_OK)
			continue;
		call->done = true;
		call->result = message->data.result;
		fiber_wake(call->fiber);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct http *http = timer->data;
	int running;

	http->curl.multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	note_results(http);
}

/* libcurl must not be called from here, so even what is due at once waits for the loop. */
static int
set_timer(CURLM *multi, long ms, void *ctx)
{
	struct http *http = ctx;

	(void) multi;
	if (ms < 0)
		uv_timer_stop(&http->timer);
	else
		uv_timer_start(&http->timer, on_timer, (uint64_t) ms, 0);
	return 0;
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	struct http *http = watch->http;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;

	if ((events & UV_READABLE) != 0)
		flags |= CURL_CSELECT_IN;
	if ((events & UV_WRITABLE) != 0)
		flags |= CURL_CSELECT_OUT;
	http->curl.multi_socket_action(http->multi, watch->fd, flags, &running); /* may free WATCH */
	note_results(http);
}

static void
free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watch *
new_watch(struct http *http, curl_socket_t fd)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	watch->http = http;
	watch->fd = fd;
	if (uv_poll_init_socket(http->loop, &watch->poll, fd) != 0) {
		free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	http->curl.multi_assign(http->multi, fd, watch);
	return watch;
}

static int
set_watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct watch *watch = socket_ctx;
	struct http *http = ctx;
	int events = (what & CURL_POLL_IN) != 0 ? UV_READABLE : 0;

	(void) easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch != NULL)
			uv_close((uv_handle_t *) &watch->poll, free_watch);
		http->curl.multi_assign(http->multi, fd, NULL);
		return 0;
	}
	if (watch == NULL && (watch = new_watch(http, fd)) == NULL)
		return -1;
	if ((what & CURL_POLL_OUT) != 0)
		events |= UV_WRITABLE;
	return uv_poll_start(&watch->poll, events, on_ready) == 0 ? 0 : -1;
}

int
http_new(uv_loop_t *loop, struct http **out)
{
	struct http *http = calloc(1, sizeof(*http));

	if (http == NULL)
		return ERR_NO_MEMORY;
	http->loop = loop;
	uv_timer_init(loop, &http->timer);
	uv_unref((uv_handle_t *) &http->timer);
	http->timer.data = http;
	*out = http;
	return 0;
}

int
http_prepare(struct http *http, struct error *e)
{
	int rc;

	if (http->multi != NULL)
		return 0;
	if ((rc = curl_library_load(&http->curl, e)) != 0)
		return rc;
	if (http->curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (http->multi = http->curl.multi_init()) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	http->curl.multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, set_watch);
	http->curl.multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	http->curl.multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	http->curl.multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	http->curl.multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) CONNECTIONS_MAX);
	return 0;
}

static void
free_http(uv_handle_t *handle)
{
	free(handle->data);
}

void
http_free(struct http *http)
{
	if (http == NULL)
		return;
	if (http->multi != NULL)
		http->curl.multi_cleanup(http->multi);
	uv_close((uv_handle_t *) &http->timer, free_http);
}

/* ---- names ---- */

/* libcurl would look names up on threads of its own, which a locked-in process cannot start. */
struct lookup {
	char host[256];
	uint16_t port;
	char entry[RESOLVE_MAX]; /* as CURLOPT_RESOLVE wants it; "": not found */
};

/* On a thread of the pool. */
static void
look_up(void *arg)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found, *a;
	struct lookup *l = arg;
	char address[NI_MAXHOST];
	size_t at, count = 0;

	if (getaddrinfo(l->host, NULL, &hints, &found) != 0)
		return;
	at = (size_t) snprintf(l->entry, sizeof(l->entry), "%s:%u:", l->host, (unsigned) l->port);
	for (a = found; a != NULL && count < ADDRESSES_MAX; a = a->ai_next) {
		if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof(address), NULL, 0,
			NI_NUMERICHOST) != 0 ||
		    strlen(address) + 4 > sizeof(l->entry) - at)
			continue;
		at += (size_t) snprintf(l->entry + at, sizeof(l->entry) - at,
		    strchr(address, ':') != NULL ? "%s[%s]" : "%s%s", count > 0 ? "," : "", address);
		count++;
	}
	if (count == 0)
		l->entry[0] = '\0';
	freeaddrinfo(found);
}

static int
find_addresses(struct call *call, uint64_t deadline, struct error *e)
{
	const struct http_request *q = call->request;
	unsigned char address[16];
	struct lookup *l;
	int rc;

	if (inet_pton(AF_INET, q->host, address) == 1 || inet_pton(AF_INET6, q->host, address) == 1)
		return 0;
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	snprintf(l->host, sizeof(l->host), "%s", q->host);
	l->port = q->port;
	if ((rc = fiber_offload_by(look_up, free, l, deadline)) == ERR_CANCELLED)
		return error_set(e, rc, "the session is ended");
	if (rc == ERR_TIMEOUT)
		return error_set(e, ERR_TEMPORARY, "%s: looking up the host takes too long", q->host);
	if (rc != 0)
		error_set(e, rc, "out of memory");
	else if (l->entry[0] == '\0')
		rc = error_set(e, ERR_TEMPORARY, "%s: the host is not found", q->host);
	else if ((call->addresses = call->curl->slist_append(NULL, l->entry)) == NULL)
		rc = error_set(e, ERR_NO_MEMORY, "out of memory");
	free(l);
	return rc;
}

/* ---- a request ---- */

static size_t
on_header(char *line, size_t size, size_t count, void *ctx)
{
	struct call *call = ctx;

	call->header_octets += size * count;
	if (call->header_octets > REPLY_MAX)
		return 0;
	call->request->on_line(call->request->ctx, line, size * count);
	return size * count;
}

/* Nothing in a body is of interest. */
static size_t
on_body(char *octets, size_t size, size_t count, void *ctx)
{
	struct call *call = ctx;

	(void) octets;
	call->body_octets += size * count;
	return call->body_octets > REPLY_MAX ? 0 : size * count;
}

/* libcurl copies the fields; its copies of ours are cleansed. */
static void
free_fields(struct call *call)
{
	for (struct curl_slist *f = call->fields; f != NULL; f = f->next)
		OPENSSL_cleanse(f->data, strlen(f->data));
	call->curl->slist_free_all(call->fields);
}

/* libcurl takes a name without a value for a field that is not to be sent, unless a semicolon stands for
 * the colon. */
static struct curl_slist *
append_field(const struct curl_library *curl, struct curl_slist *fields, const char *field)
{
	const char *colon = strchr(field, ':');
	struct curl_slist *more;
	char *name;

	if (colon == NULL || colon[1 + strspn(colon + 1, " \t")] != '\0')
		return curl->slist_append(fields, field);
	if ((name = strdup(field)) == NULL)
		return NULL;
	memcpy(name + (colon - field), ";", 2);
	more = curl->slist_append(fields, name);
	free(name);
	return more;
}

static int
prepare(struct call *call)
{
	const struct http_request *q = call->request;
	const struct curl_library *curl = call->curl;
	struct curl_slist *more;
	CURL *easy = curl->easy_init();

	if ((call->easy = easy) == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < q->field_count; i++) {
		if ((more = append_field(curl, call->fields, q->fields[i])) == NULL)
			return ERR_NO_MEMORY;
		call->fields = more;
	}
	curl->easy_setopt(easy, CURLOPT_HTTPHEADER, call->fields);
	curl->easy_setopt(easy, CURLOPT_RESOLVE, call->addresses);
	curl->easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, call->message);
	curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl->easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl->easy_setopt(easy, CURLOPT_PROXY, "");
	curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) q->timeout_ms);
	if (q->ca_file != NULL)
		curl->easy_setopt(easy, CURLOPT_CAINFO, q->ca_file);
	return curl->easy_setopt(easy, CURLOPT_URL, q->url) == CURLE_OK ? 0 : ERR_NO_MEMORY;
}

static int
perform(struct http *http, struct call *call, uint64_t deadline, struct error *e)
{
	int rc = 0;

	if (http->curl.multi_add_handle(http->multi, call->easy) != CURLM_OK)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	/* libcurl keeps the time, but not while all connections are in use. */
	while (!call->done && rc == 0)
		rc = fiber_park(deadline);
	http->curl.multi_remove_handle(http->multi, call->easy);
	if (rc == ERR_TIMEOUT)
		return error_set(e, ERR_TEMPORARY, "timed out before a connection was free");
	if (rc != 0)
		return error_set(e, rc, "the session is ended");
	if (call->result == CURLE_OK)
		return 0;
	return error_set(e, ERR_TEMPORARY, "%s",
	    call->message[0] != '\0' ? call->message : http->curl.easy_strerror(call->result));
}

int
http_get(struct http *http, const struct http_request *q, struct error *e)
{
	uint64_t deadline = fiber_deadline(q->timeout_ms + PATIENCE_MS);
	struct call *call = calloc(1, sizeof(*call));
	int rc;

	if (call == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	call->curl = &http->curl;
	call->request = q;
	call->fiber = fiber_self();
	if ((rc = find_addresses(call, deadline, e)) == 0) {
		if ((rc = prepare(call)) != 0)
			error_set(e, rc, "out of memory");
		else
			rc = perform(http, call, deadline, e);
	}
	http->curl.easy_cleanup(call->easy);
	free_fields(call);
	http->curl.slist_free_all(call->addresses);
	free(call);
	return rc;
}
