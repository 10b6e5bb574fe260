/* imap.h - one connection to an IMAP server, as the gateway needs it (RFC 3501, 9051).
 *
 * Every function but those that say otherwise suspends the calling fiber, sends one command (or a
 * few), and returns 0 or a code of base/error.h with a text for the log in E (may be NULL). A
 * connection belongs to one fiber at a time. After ERR_TIMEOUT, ERR_CLOSED, ERR_PROTOCOL,
 * ERR_LIMIT, ERR_TLS, ERR_CANCELLED or ERR_NO_MEMORY it is dead (imap_is_dead): all further calls
 * fail at once and only imap_close makes sense. libetpan does the parsing, behind the wire guard.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/credentials.h"
#include "base/error.h"
#include "base/sink.h"
#include "base/uidset.h"
#include "fiberio/tls.h"

struct imap;

enum imap_security {
	IMAP_TLS_IMPLICIT, /* TLS from the first octet (RFC 8314) */
	IMAP_TLS_STARTTLS, /* STARTTLS, or no session at all */
	IMAP_TLS_NONE,	   /* plain text; only where the administrator says so */
};

/* Where and how to connect. Strings and TLS must outlive the connection. Times in milliseconds. */
struct imap_options {
	const char *host;
	uint16_t port;
	enum imap_security security;
	struct tls_client *tls;	 /* needed unless IMAP_TLS_NONE */
	const char *verify_name; /* the name the certificate must bear; NULL: host */
	uint64_t connect_ms;	 /* to connect, look-up included */
	uint64_t tls_ms;	 /* for the handshake */
	uint64_t command_ms;	 /* without any octet from the server while a command runs, and for
				    a login in all; see judge_rate for a server that drips */
};

enum imap_capability { /* bits of imap_capabilities */
	IMAP_CAP_IMAP4REV2 = 1 << 0,
	IMAP_CAP_STARTTLS = 1 << 1,
	IMAP_CAP_LOGINDISABLED = 1 << 2,
	IMAP_CAP_AUTH_PLAIN = 1 << 3,
	IMAP_CAP_SASL_IR = 1 << 4,
	IMAP_CAP_ID = 1 << 5,
	IMAP_CAP_UIDPLUS = 1 << 6, /* also set by IMAP4rev2 */
	IMAP_CAP_MOVE = 1 << 7,	   /* also set by IMAP4rev2 */
	IMAP_CAP_UNSELECT = 1 << 8,
	IMAP_CAP_LITERAL_PLUS = 1 << 9,
	IMAP_CAP_QRESYNC = 1 << 10,
	IMAP_CAP_AUTH_XOAUTH2 = 1 << 11,
	IMAP_CAP_AUTH_OAUTHBEARER = 1 << 12,
	IMAP_CAP_OBJECTID = 1 << 13, /* RFC 8474 */
	IMAP_CAP_GMAIL = 1 << 14,    /* X-GM-EXT-1 */
};

/* Connects, does TLS, reads the greeting and learns the capabilities. PREAUTH is refused
 * (ERR_PERMANENT). On failure nothing remains. */
int imap_open(const struct imap_options *options, struct imap **out, struct error *e);

/* Logs in. A password: AUTHENTICATE PLAIN, with its master as the one who logs in for the user
 * where there is one; or LOGIN where the server has no AUTH=PLAIN and does not forbid it, and there
 * is no master. A token: AUTHENTICATE by its own mechanism, or not at all. Initial responses are
 * sent where offered. Capabilities are learned anew. ERR_AUTH and its kin only when the server
 * rejected the credentials; ERR_PERMANENT when there is no usable mechanism. */
int imap_login(struct imap *imap, const struct credentials *c, struct error *e);

/* Bits of enum imap_capability as last announced; the line itself as the server sent it, words
 * separated by spaces; the mechanism used by imap_login ("PLAIN", "LOGIN", ..., or "" before it).
 * These do not suspend. */
unsigned imap_capabilities(const struct imap *imap);
const char *imap_capability_line(const struct imap *imap);
const char *imap_mechanism(const struct imap *imap);
const char *imap_tls_version(const struct imap *imap); /* "" where there is no TLS */
const char *imap_tls_cipher(const struct imap *imap);
bool imap_is_dead(const struct imap *imap);

/* A field of ID. Neither may hold control characters, quotation marks, backslashes or 8-bit octets. */
struct imap_id_field {
	const char *name;
	const char *value;
};

enum { IMAP_ID_MAX = 1000 }; /* octets of all fields, roughly; more is ERR_LIMIT */

/* ID (RFC 2971): tells the server who we are, by FIELDS (COUNT). SERVER (ROOM octets, may be NULL)
 * gets "name version" as far as the server tells them. No error where the server has no ID. Suspends.
 */
int imap_id(struct imap *imap, const struct imap_id_field *fields, size_t count, char *server,
    size_t room, struct error *e);

/* What SELECT tells. */
struct imap_mailbox {
	uint32_t exists;
	uint32_t uidvalidity;
	uint32_t uidnext;	 /* 0: not told */
	uint64_t modseq;	 /* HIGHESTMODSEQ (RFC 7162); 0: not told */
	bool read_only;		 /* [READ-ONLY] */
	bool deleted_permanent;	 /* \Deleted can be stored */
	bool seen_permanent;	 /* \Seen can be stored */
	bool keywords_permanent; /* so can any keyword: \\* in PERMANENTFLAGS, or none told */
};

/* SELECT. NAME is UTF-8 (encoded as modified UTF-7 here), without CR, LF and NUL. ERR_PERMANENT: no
 * such mailbox, no permission. ERR_PROTOCOL: the server told no UIDVALIDITY. */
int imap_select(struct imap *imap, const char *name, struct imap_mailbox *out, struct error *e);

/* Whether there is a mailbox NAME, as far as LIST tells: servers do not always say why SELECT
 * failed. Errors as imap_noop. */
int imap_has_mailbox(struct imap *imap, const char *name, bool *there, struct error *e);

/* What will be asked next behind a SELECT that comes now. It is sent together with it, so that the
 * answers come in one round trip (RFC 3501 section 5.5, command pipelining). Whatever else is asked
 * instead first throws those answers away. To be called in the order of the later calls, and not for
 * two that bring data: a server may answer both at the same time. An empty mailbox is not asked by
 * imap_list. These do not suspend. */
void imap_foresee_list_from(struct imap *imap, uint32_t first);
void imap_foresee_search_deleted(struct imap *imap);
void imap_foresee_search_keyword(struct imap *imap, const char *keyword);

/* Lets the next SELECT be preceded by ENABLE QRESYNC, without a round trip of its own, where the
 * server has that. Does not suspend. */
void imap_want_qresync(struct imap *imap);

/* One message of a listing. Returning other than 0 ends the listing with that code, and the
 * connection. */
typedef int imap_list_fn(void *ctx, uint32_t uid, uint64_t size, bool deleted);

/* Lists the selected mailbox by UID FETCH 1:* (RFC822.SIZE FLAGS): calls EACH as the answers
 * arrive; nothing is held. */
int imap_list(struct imap *imap, imap_list_fn *each, void *ctx, struct error *e);

/* As imap_list for the messages from UID FIRST on. A server tells the last message in any case
 * (RFC 3501 section 6.4.8), also where its UID is lower. */
int imap_list_from(
    struct imap *imap, uint32_t first, imap_list_fn *each, void *ctx, struct error *e);

/* What a server can tell of a message, beside what is in RFC 3501. */
enum imap_attribute {
	IMAP_ATTRIBUTE_GMAIL_ID,   /* X-GM-MSGID of Gmail */
	IMAP_ATTRIBUTE_MESSAGE_ID, /* the header field, with its name, cut to a few hundred octets */
	IMAP_ATTRIBUTE_EMAILID,	   /* RFC 8474 */
	IMAP_ATTRIBUTE_GUID,	   /* X-GUID of Dovecot */
};

/* The value of one message, foreign octets; valid during the call. Returning other than 0 ends the command
 * with that code, and the connection. */
typedef int imap_attribute_fn(void *ctx, uint32_t uid, const char *value, size_t len);

/* UID FETCH of ATTRIBUTE for RANGES: calls EACH as the answers arrive, for whichever messages the server
 * tells it of, asked for or not. The caller keeps the set short (uidset_batch). ERR_PERMANENT: the server
 * does not offer it. A server that has never heard of it closes the matter by BAD: ERR_PROTOCOL, and
 * the connection is dead. */
int imap_list_attribute(struct imap *imap, const struct uid_range *ranges, size_t count,
    enum imap_attribute attribute, imap_attribute_fn *each, void *ctx, struct error *e);

/* Pours message UID into SINK by BODY.PEEK[], octets as they arrive. On 0 the server has confirmed
 * the command and the message was UID. ERR_GONE: no such message (nothing was poured).
 * ERR_TEMPORARY: the server said NO, or NIL. Once sink->begin was called, any error means the
 * octets are not the message. */
int imap_fetch(struct imap *imap, uint32_t uid, struct octet_sink *sink, struct error *e);

/* As imap_fetch, by BODY.PEEK[]<OFFSET.OCTETS>. */
int imap_fetch_part(struct imap *imap, uint32_t uid, uint64_t offset, uint32_t octets,
    struct octet_sink *sink, struct error *e);

/* Many messages by one command, of which each is taken or passed over as the answer comes. What has
 * not been taken stays with the server and in the socket. PART: only the first PART octets of each,
 * as imap_fetch_part; 0: all. Any other command first throws away what was not taken. */
int imap_batch_open(struct imap *imap, const struct uid_range *ranges, size_t count, uint32_t part,
    struct error *e);

/* As imap_batch_open for headers: BODY.PEEK[HEADER]. What is told and poured of each message is its
 * header, up to the empty line. */
int imap_batch_open_headers(
    struct imap *imap, const struct uid_range *ranges, size_t count, struct error *e);

/* The next message: *UID and its *OCTETS; passes over one that was not taken. *UID becomes 0 when
 * the answer is complete, which ends the batch: messages that did not come are to be fetched alone,
 * be they gone, or sent in another form than this takes. */
int imap_batch_next(struct imap *imap, uint32_t *uid, uint64_t *octets, struct error *e);

/* Pours the message that imap_batch_next has told of into SINK, as imap_fetch. */
int imap_batch_take(struct imap *imap, struct octet_sink *sink, struct error *e);

/* Whether a batch is open. Does not suspend. */
bool imap_in_batch(const struct imap *imap);

/* Throws away what was not taken. Nothing where no batch is open. */
int imap_batch_close(struct imap *imap, struct error *e);

enum imap_flag {
	IMAP_FLAG_DELETED = 1 << 0,
	IMAP_FLAG_SEEN = 1 << 1,
};
enum imap_flag_change {
	IMAP_FLAGS_ADD,
	IMAP_FLAGS_REMOVE,
};

/* UID STORE +FLAGS.SILENT or -FLAGS.SILENT of FLAGS (bits of enum imap_flag) on RANGES. The caller
 * keeps the set short (uidset_batch). ERR_TEMPORARY or ERR_PERMANENT where the server says NO. */
int imap_store(struct imap *imap, const struct uid_range *ranges, size_t count,
    enum imap_flag_change change, unsigned flags, struct error *e);

/* As imap_store for one keyword: an atom (RFC 3501 section 9), or ERR_INVALID. */
int imap_store_keyword(struct imap *imap, const struct uid_range *ranges, size_t count,
    enum imap_flag_change change, const char *keyword, struct error *e);

/* UID EXPUNGE (RFC 4315) of RANGES. */
int imap_uid_expunge(
    struct imap *imap, const struct uid_range *ranges, size_t count, struct error *e);

/* EXPUNGE: everything flagged \Deleted. */
int imap_expunge(struct imap *imap, struct error *e);

/* UID MOVE (RFC 6851) of RANGES to mailbox NAME (UTF-8). */
int imap_move(struct imap *imap, const struct uid_range *ranges, size_t count, const char *name,
    struct error *e);

/* UID COPY (RFC 3501 section 6.4.8) of RANGES to mailbox NAME (UTF-8): all or none. */
int imap_copy(struct imap *imap, const struct uid_range *ranges, size_t count, const char *name,
    struct error *e);

/* UID SEARCH UID <ranges>: which of them exist. Adds them to FOUND. */
int imap_search_uids(struct imap *imap, const struct uid_range *ranges, size_t count,
    struct uidset *found, struct error *e);

/* As imap_search_uids: which of them exist and bear KEYWORD (NULL: \Deleted), or exist and do not
 * (WITH false). */
int imap_search_marked(struct imap *imap, const struct uid_range *ranges, size_t count,
    const char *keyword, bool with, struct uidset *found, struct error *e);

/* UID SEARCH ALL: adds all messages of the mailbox to FOUND. */
int imap_search_all(struct imap *imap, struct uidset *found, struct error *e);

/* Adds to GONE (empty before) those UIDs below UIDNEXT whose messages went after the mailbox had
 * MODSEQ; others that went before may be among them (RFC 7162 section 3.2.6, UID FETCH with
 * VANISHED). At most MOST ranges are wanted. ERR_TEMPORARY: the server cannot say. */
int imap_list_vanished(struct imap *imap, uint32_t uidnext, uint64_t modseq, size_t most,
    struct uidset *gone, struct error *e);

/* UID SEARCH DELETED and UID SEARCH KEYWORD: adds the flagged messages of the mailbox to FOUND. */
int imap_search_deleted(struct imap *imap, struct uidset *found, struct error *e);
int imap_search_keyword(
    struct imap *imap, const char *keyword, struct uidset *found, struct error *e);

/* NOOP. */
int imap_noop(struct imap *imap, struct error *e);

/* ---- a connection that is kept without a use ---- */

/* Leaves the mailbox and removes nothing: UNSELECT (RFC 3691), whose answer is not waited for. A server
 * without it is told nothing: the next SELECT will do. An error where the server has said what it was
 * not asked for. */
int imap_unselect(struct imap *imap, struct error *e);

/* Waits for the answer to UNSELECT, if it has not come. An error where the server said more. */
int imap_settle(struct imap *imap, struct error *e);

/* Waits until the server says anything but the answer to UNSELECT. Returns 0 when it did, or has closed
 * the connection; ERR_TIMEOUT at DEADLINE; ERR_INTERRUPTED after imap_interrupt; ERR_CANCELLED. The
 * connection lives on but for 0, and but for a cancellation in the midst of that answer. */
int imap_listen(struct imap *imap, uint64_t deadline);

/* Makes the pending or next imap_listen return ERR_INTERRUPTED in the next turn of the loop. Only
 * imap_logout and imap_close are of use then. Does not suspend. */
void imap_interrupt(struct imap *imap);

/* Whether the connection works as far as anybody knows, and the server has said nothing unasked. Does
 * not suspend. */
bool imap_is_at_rest(struct imap *imap);

/* LOGOUT where the connection still works, without waiting for more than a moment; then closes and
 * frees (NULL is allowed). Suspends. */
void imap_logout(struct imap *imap);

/* Closes and frees at once, sending nothing (NULL is allowed). Does not suspend. */
void imap_close(struct imap *imap);
