/* utf8.h - whether bytes are UTF-8, as RFC 3629 has it: no overlong forms, no surrogates, nothing
 * above U+10FFFF. Pure; text that is all ASCII is looked at 64 bytes at a time. */
#ifndef FEEDS_UTF8_H
#define FEEDS_UTF8_H

#include "shm/base.h"

/* md_utf8_is_valid reads exactly the len bytes at p. */
bool md_utf8_is_valid(const uint8_t *p, size_t len);

#endif
