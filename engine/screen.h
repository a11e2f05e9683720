/* screen.h - the terminal: draws a page, gives keys. The only file that includes ncurses is
 * screen.c. One thread, one terminal; Ctrl-C is a key here, and an end by a signal leaves the
 * terminal as it was. */
#ifndef ENGINE_SCREEN_H
#define ENGINE_SCREEN_H

#include "engine/page.h"
#include "shm/err.h"

/* Characters are themselves. */
typedef enum md_key {
  MD_KEY_NONE    = 0, /* none came in time */
  MD_KEY_CTRL_C  = 3,
  MD_KEY_ENTER   = 10,
  MD_KEY_ESCAPE  = 27,
  MD_KEY_UP      = 1000,
  MD_KEY_DOWN    = 1001,
  MD_KEY_LEFT    = 1002,
  MD_KEY_RIGHT   = 1003,
  MD_KEY_ERASE   = 1004,
  MD_KEY_RESIZED = 1005, /* the terminal has another size: draw again */
  MD_KEY_CLOSED  = 1006  /* the terminal is gone */
} md_key_t;

/* md_screen_open takes the terminal of stdin and stdout: MD_ERR_USAGE with what to do where there
 * is none or its TERM is unknown. md_screen_close gives it back. */
MD_MUST_USE md_err_t md_screen_open(md_msg_t *msg);
void                 md_screen_close(void);

/* md_screen_size returns the size of the terminal now. */
void md_screen_size(uint32_t *rows, uint32_t *cols);

/* md_screen_draw shows a page that md_page_begin made with this size. */
void md_screen_draw(const md_page_t *page);

/* md_screen_key waits at most timeout_ms for a key: a character or a md_key_t. */
int md_screen_key(int timeout_ms);

#endif
