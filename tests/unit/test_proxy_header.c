/* Tests of gateway/proxy_header.c: the headers of tests/proxy/headers.txt, whole and through every cut. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "gateway/network.h"
#include "gateway/proxy_header.h"

enum { ROOM = 1024, BEHIND = 8 };

struct row {
	char answer[8];
	char client[ADDRESS_TEXT_MAX];
	char port[8];
	char name[128];
	char octets[ROOM];
	size_t len;
};

/* Reads a line of the file. Returns whether it has the right form. */
static int
read_row(const char *line, struct row *row)
{
	char hex[2 * ROOM + 1];
	unsigned octet;

	if (sscanf(line, "%7s %63s %7s %2048s %127[^\n]", row->answer, row->client, row->port, hex,
		row->name) != 5)
		return 0;
	row->len = 0;
	for (size_t i = 0; strcmp(hex, "-") != 0 && hex[i] != '\0'; i += 2) {
		if (sscanf(hex + i, "%2x", &octet) != 1)
			return 0;
		row->octets[row->len++] = (char) octet;
	}
	return 1;
}

static enum proxy_answer
answer_of(const struct row *row)
{
	return strcmp(row->answer, "done") == 0	  ? PROXY_DONE
	       : strcmp(row->answer, "more") == 0 ? PROXY_MORE
						  : PROXY_BAD;
}

/* Parses a copy that ends where the octets end, so that a sanitizer sees a step too far. */
static enum proxy_answer
parse(const char *octets, size_t len, struct proxy_header *out, size_t *more)
{
	char *copy = malloc(len == 0 ? 1 : len);
	enum proxy_answer answer;

	CU_ASSERT_FATAL(copy != NULL);
	memcpy(copy, octets, len);
	answer = proxy_header_parse(copy, len, out, more);
	free(copy);
	return answer;
}

static void
check_named(const struct row *row, const struct proxy_header *header)
{
	char client[ADDRESS_TEXT_MAX], port[16];

	if (strcmp(row->client, "-") == 0) {
		UNIT_CHECK(header->client.ss_family == AF_UNSPEC, row->name);
		UNIT_CHECK(header->server.ss_family == AF_UNSPEC, row->name);
		return;
	}
	network_peer_text(&header->client, client);
	snprintf(port, sizeof(port), "%u", network_peer_port(&header->client));
	UNIT_CHECK(strcmp(client, row->client) == 0, row->name);
	UNIT_CHECK(strcmp(port, row->port) == 0, row->name);
	UNIT_CHECK(header->server.ss_family != AF_UNSPEC, row->name);
}

/* As a connection is read: only what is surely the header's. Returns how much was read in the end. */
static size_t
read_exactly(const struct row *row, size_t piece, enum proxy_answer *answer)
{
	struct proxy_header header;
	size_t len = 0, more = 0;

	while ((*answer = parse(row->octets, len, &header, &more)) == PROXY_MORE &&
	       len < row->len) {
		UNIT_CHECK(more > 0 && len + more <= PROXY_HEADER_MAX, row->name);
		more = more < piece ? more : piece;
		len = len + more < row->len ? len + more : row->len;
	}
	return len;
}

static void
check_row(struct row *row)
{
	enum proxy_answer wanted = answer_of(row), answer;
	struct proxy_header header;
	size_t more = 0;

	UNIT_CHECK(parse(row->octets, row->len, &header, &more) == wanted, row->name);
	if (wanted == PROXY_DONE) {
		UNIT_CHECK(header.len == row->len, row->name);
		check_named(row, &header);
		for (size_t cut = 0; cut < row->len; cut++) {
			UNIT_CHECK(parse(row->octets, cut, &header, &more) == PROXY_MORE, row->name);
			UNIT_CHECK(more > 0 && cut + more <= row->len, row->name);
		}
		memcpy(row->octets + row->len, "QUIT\r\n\n\r", BEHIND);
		UNIT_CHECK(parse(row->octets, row->len + BEHIND, &header, &more) == PROXY_DONE &&
			       header.len == row->len, row->name);
	}
	for (size_t piece = 1; piece <= ROOM; piece = piece < 3 ? piece + 1 : piece * 7) {
		size_t taken = read_exactly(row, piece, &answer);

		UNIT_CHECK(answer == wanted, row->name);
		UNIT_CHECK(wanted == PROXY_BAD || taken == row->len, row->name);
	}
}

static void
headers_of_the_file(void)
{
	static char line[2 * ROOM + 512];
	static struct row row;
	FILE *file = fopen(PROXY_HEADERS, "re");
	unsigned rows = 0;

	CU_ASSERT_FATAL(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL) {
		rows++;
		if (UNIT_CHECK(read_row(line, &row), line))
			check_row(&row);
	}
	fclose(file);
	CU_ASSERT(rows >= 200);
}

static void
server_address(void)
{
	static const char line[] = "PROXY TCP4 192.0.2.7 198.51.100.1 40000 995\r\n";
	char server[ADDRESS_TEXT_MAX];
	struct proxy_header header;
	size_t more;

	CU_ASSERT_EQUAL(proxy_header_parse(line, sizeof(line) - 1, &header, &more), PROXY_DONE);
	network_peer_text(&header.server, server);
	CU_ASSERT_STRING_EQUAL(server, "198.51.100.1");
	CU_ASSERT_EQUAL(network_peer_port(&header.server), 995);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "headers of the file", headers_of_the_file },
		{ "server address", server_address },
	};

	return unit_run("proxy_header", tests, sizeof(tests) / sizeof(tests[0]));
}
