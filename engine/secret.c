#include "engine/secret.h"

#include "feeds/venue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
is_set(const char *text) {
  return text[0] != 0;
}

md_err_t
md_secret_check(const md_config_feed_t *f, const char **key, md_msg_t *msg) {
  const md_venue_t *venue   = md_venue_find(f->name);
  const bool        has_net = venue && venue->net && venue->net->auth;
  *key                      = "client_id";
  if (!is_set(f->client_id)) {
    if (is_set(f->client_secret_file) || is_set(f->client_secret_env))
      return md_fail(msg, MD_ERR_CONFIG, "is missing; a secret alone says nothing");
    *key = "stream_pace";
    if (f->stream_pace != 0 && !has_net)
      return md_fail(msg, MD_ERR_CONFIG, "has no meaning for %s; take it out", f->name);
    if (f->stream_pace == 1)
      return md_fail(msg, MD_ERR_CONFIG, "raw needs client_id and its secret; or write 100ms");
    return MD_OK;
  }
  if (!has_net) return md_fail(msg, MD_ERR_CONFIG, "%s wants none; take it out", f->name);
  *key = "client_secret_file";
  if (is_set(f->client_secret_file) == is_set(f->client_secret_env))
    return md_fail(msg, MD_ERR_CONFIG,
                   "the secret of client_id comes from here or from client_secret_env: name one");
  if (is_set(f->client_secret_file) && access(f->client_secret_file, R_OK) != 0)
    return md_fail(msg, MD_ERR_CONFIG, "cannot read %s: %s; give a readable file",
                   f->client_secret_file, strerrordesc_np(errno));
  return MD_OK;
}

static md_err_t
read_file(const char *path, char *out, size_t bytes, md_msg_t *msg) {
  FILE *in = fopen(path, "re");
  if (!in) return md_fail_errno(msg, errno, "cannot read %s, the file of a secret", path);
  (void)setvbuf(in, NULL, _IONBF, 0); /* no second copy of it in memory */
  bool is_read = fgets(out, (int)bytes, in) != NULL;
  bool is_cut  = is_read && !strchr(out, '\n') && fgetc(in) != EOF;
  (void)fclose(in);
  if (is_cut) return md_fail(msg, MD_ERR_CONFIG, "the first line of %s is too long", path);
  if (!is_read) out[0] = 0;
  out[strcspn(out, "\r\n")] = 0;
  return MD_OK;
}

md_err_t
md_secret_read(const md_config_feed_t *f, char *out, size_t bytes, md_msg_t *msg) {
  out[0] = 0;
  if (!is_set(f->client_id)) return MD_OK;
  if (is_set(f->client_secret_file)) {
    md_err_t err = read_file(f->client_secret_file, out, bytes, msg);
    if (err) return err;
  } else {
    const char *value = getenv(f->client_secret_env);
    if (value && strlen(value) < bytes) memcpy(out, value, strlen(value) + 1);
  }
  if (is_set(out)) return MD_OK;
  return md_fail(msg, MD_ERR_CONFIG, "feeds.%s.client_id: %s %s holds no secret", f->name,
                 is_set(f->client_secret_file) ? "file" : "environment variable",
                 is_set(f->client_secret_file) ? f->client_secret_file : f->client_secret_env);
}

md_err_t
md_secret_token(const char *path, char *out, size_t bytes, md_msg_t *msg) {
  md_err_t err = read_file(path, out, bytes, msg);
  if (err) return err;
  if (is_set(out) && !strpbrk(out, " \t,")) return MD_OK;
  return md_fail(msg, MD_ERR_CONFIG,
                 "monitoring.token_file: the first line of %s must be a token without blanks and "
                 "commas",
                 path);
}
