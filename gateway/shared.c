/* shared.c - see shared.h. The lock is a robust mutex of pthreads: the kernel tells the next one
 * who wants it that its holder has died. */
#include "gateway/shared.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the memfd holds. */
struct content {
	pthread_mutex_t mutex;
	alignas(64) unsigned char memory[];
};

struct shared {
	struct content *content;
	size_t size; /* of the whole */
	int fd;
	shared_repair_fn *repair;
};

/* Takes FD over, also when it fails. */
static int
shared_map(int fd, size_t size, shared_repair_fn *repair, struct shared **out)
{
	struct shared *shared;

	if ((shared = calloc(1, sizeof(*shared))) == NULL)
		goto fail;
	shared->content =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (shared->content == MAP_FAILED)
		goto fail;
	shared->size = size;
	shared->fd = fd;
	shared->repair = repair;
	*out = shared;
	return 0;
fail:
	free(shared);
	close(fd);
	return ERR_NO_MEMORY;
}

static int
start_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	int rc;

	if (pthread_mutexattr_init(&attributes) != 0)
		return ERR_NO_MEMORY;
	rc = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (rc == 0)
		rc = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (rc == 0)
		rc = pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return rc == 0 ? 0 : ERR_NO_MEMORY;
}

int
shared_new(const char *name, size_t size, shared_repair_fn *repair, struct shared **out)
{
	struct shared *shared;
	int fd, rc;

	size += sizeof(struct content);
	if ((fd = memfd_create(name, MFD_CLOEXEC)) < 0)
		return ERR_NO_MEMORY;
	if (ftruncate(fd, (off_t) size) != 0) {
		close(fd);
		return ERR_NO_MEMORY;
	}
	if ((rc = shared_map(fd, size, repair, &shared)) != 0)
		return rc;
	if ((rc = start_mutex(&shared->content->mutex)) != 0) {
		shared_free(shared);
		return rc;
	}
	*out = shared;
	return 0;
}

int
shared_attach(int fd, size_t size, shared_repair_fn *repair, struct shared **out)
{
	struct stat st;

	size += sizeof(struct content);
	if (fstat(fd, &st) != 0 || st.st_size != (off_t) size) {
		close(fd);
		return ERR_INVALID;
	}
	return shared_map(fd, size, repair, out);
}

void
shared_free(struct shared *shared)
{
	if (shared == NULL)
		return;
	munmap(shared->content, shared->size);
	close(shared->fd);
	free(shared);
}

void *
shared_memory(const struct shared *shared)
{
	return shared->content->memory;
}

int
shared_descriptor(const struct shared *shared)
{
	return shared->fd;
}

void
shared_lock(struct shared *shared)
{
	int rc = pthread_mutex_lock(&shared->content->mutex);

	if (rc == EOWNERDEAD) {
		/* Only then consistent: who dies while repairing leaves it to the next one. */
		shared->repair(shared->content->memory);
		rc = pthread_mutex_consistent(&shared->content->mutex);
	}
	if (rc != 0)
		abort(); /* the mutex itself is no more; counts that nobody guards are worse */
}

void
shared_unlock(struct shared *shared)
{
	pthread_mutex_unlock(&shared->content->mutex);
}
