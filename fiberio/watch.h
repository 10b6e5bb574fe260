/* watch.h - watching a descriptor without libuv's last resort. Not for other layers.
 *
 * libuv allocates room for a descriptor, and tells the kernel of it, only after uv_poll_start has
 * returned 0, and calls abort(3) if either fails. Here both are done where they may fail. */
#pragma once
#include <uv.h>

/* As uv_poll_start for POLL, made for FD. Returns 0, ERR_NO_MEMORY, or ERR_CLOSED where the kernel
 * will not watch FD (too many watched files, see epoll(7)). */
int watch_start(uv_poll_t *poll, int fd, int events, uv_poll_cb callback);
