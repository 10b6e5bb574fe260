/* curl_library.h - libcurl, loaded where an auth_http service is configured and nowhere else.
 *
 * With all the libraries that it needs, it would cost each process a quarter of a megabyte of its own, and
 * all together another one and a half, from the linker's work at the start on; few use it. It has to be loaded
 * before a worker locks itself in. Members are named as libcurl's functions, less "curl_". */
#pragma once
#include <curl/curl.h>

#include "base/error.h"

/* clang-format off */
#define CURL_LIBRARY_FUNCTIONS(X) \
	X(easy_cleanup) X(easy_getinfo) X(easy_init) X(easy_setopt) X(easy_strerror) \
	X(free) X(global_init) \
	X(multi_add_handle) X(multi_assign) X(multi_cleanup) X(multi_info_read) X(multi_init) \
	X(multi_remove_handle) X(multi_setopt) X(multi_socket_action) \
	X(slist_append) X(slist_free_all) \
	X(url) X(url_cleanup) X(url_get) X(url_set)
/* clang-format on */

#define CURL_LIBRARY_MEMBER(name) __typeof__(curl_##name) *name;

struct curl_library {
	CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_MEMBER)
};

/* Loads libcurl, or finds it loaded: it stays for the life of the process. Returns 0, or ERR_TEMPORARY with E:
 * why it cannot be had. */
int curl_library_load(struct curl_library *out, struct error *e);
