/* settings.h - the one table of all settings: what they are called, may hold and mean, and where
 * they are kept.
 *
 * The loader, the list that "popgate settings" prints and the manual's test all go by it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum setting_block {	  /* where a setting stands; says what it is kept in */
	SETTING_GLOBAL,	  /* outside of blocks; struct config */
	SETTING_LISTENER, /* struct config_listener */
	SETTING_UPSTREAM, /* struct upstream */
	SETTING_ROUTE,	  /* struct route */
	SETTING_BLOCKS
};

enum setting_type {
	SETTING_TEXT,	   /* char *; MIN to MAX octets */
	SETTING_TEXTS,	   /* struct text_list; the same for each */
	SETTING_PATH,	   /* char *; relative to the configuration file's folder */
	SETTING_PATHS,	   /* struct text_list; the same. An item may be "" where MIN is 0 */
	SETTING_HOST,	   /* char *; host name or address */
	SETTING_NUMBER,	   /* uint16_t to uint64_t, MIN to MAX; or a word of CHOICES */
	SETTING_DURATION,  /* uint64_t, MIN to MAX milliseconds */
	SETTING_CHOICE,	   /* an enum */
	SETTING_CHOICES,   /* unsigned; bits of an enum */
	SETTING_YES_NO,	   /* bool */
	SETTING_ENDPOINTS, /* struct text_list */
	SETTING_NETWORKS,  /* struct network_list */
	SETTING_DATE,	   /* uint64_t, days since 1970 */
	SETTING_PINS,	   /* struct pin_list */
};

struct setting_choice {
	const char *word; /* NULL ends a list */
	int value;
};

struct setting {
	const char *name;
	const char *default_text; /* as it would be written; NULL: none */
	const char *help;	  /* one line */
	const struct setting_choice *choices;
	uint64_t min;
	uint64_t max;
	size_t offset; /* in the struct of its block */
	size_t size;   /* of the field */
	enum setting_block block;
	enum setting_type type;
};

enum { SETTINGS_MAX = 128 };

extern const struct setting settings[];
extern const size_t settings_count; /* at most SETTINGS_MAX */

/* "global", "listener", "upstream" or "route". */
const char *setting_block_name(enum setting_block block);

/* The setting NAME of BLOCK, or NULL. */
const struct setting *setting_find(enum setting_block block, const char *name);

enum { SETTING_MESSAGE_MAX = 256 }; /* octets of a message, with NUL */

/* Sets the field of S in TARGET (the struct of its block) to ITEMS (COUNT, at least 1); what it
 * held is freed. A relative path is taken from FOLDER. Returns 0; ERR_INVALID with what is wrong in
 * MESSAGE ("NAME: expected ..."); or ERR_NO_MEMORY. */
int setting_assign(const struct setting *s, void *target, const char *const *items, size_t count,
    const char *folder, char message[SETTING_MESSAGE_MAX]);

/* Sets all fields of BLOCK in TARGET (zeroed before) to their defaults. Returns 0 or ERR_NO_MEMORY.
 */
int settings_assign_defaults(enum setting_block block, void *target);

/* Frees what the fields of BLOCK in TARGET own. */
void settings_clear(enum setting_block block, void *target);

/* Writes what S may hold, e.g. "stderr | syslog" or "duration, 1s to 1h". */
void setting_describe(const struct setting *s, char *out, size_t room);

/* Writes MS as it would stand in a file: "10m", "1500ms". */
void setting_format_duration(uint64_t ms, char *out, size_t room);
