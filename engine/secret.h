/* secret.h - the secret of a feed's client_id and the token of the HTTP port: from a file or the
 * environment, never from the configuration.
 *
 * Read once when a feed or the monitor is opened, on the main thread. What reads it wipes it;
 * nothing logs or records it. */
#ifndef ENGINE_SECRET_H
#define ENGINE_SECRET_H

#include "engine/config.h"

/* md_secret_check says what is wrong with the keys of a feed that has to do with its secret: the
 * key in *key, MD_ERR_CONFIG with msg. */
MD_MUST_USE md_err_t md_secret_check(const md_config_feed_t *f, const char **key, md_msg_t *msg);

/* md_secret_read gives the secret with its NUL; empty where the feed has no client_id. */
MD_MUST_USE md_err_t md_secret_read(const md_config_feed_t *f, char *out, size_t bytes,
                                    md_msg_t *msg);

/* md_secret_token reads the first line of a file; MD_ERR_CONFIG when it is empty or holds a blank.
 */
MD_MUST_USE md_err_t md_secret_token(const char *path, char *out, size_t bytes, md_msg_t *msg);

#endif
