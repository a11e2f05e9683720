#include "engine/screen.h"

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <unistd.h>

#define ESCAPE_WAIT_MS 25 /* what follows an escape sooner than this belongs to one key */
#define PAIR_GOOD      1
#define PAIR_BAD       2

static chtype attributes[MD_STYLE_CNT] = {
    [MD_STYLE_PLAIN] = A_NORMAL, [MD_STYLE_BOLD] = A_BOLD, [MD_STYLE_HEAD] = A_REVERSE,
    [MD_STYLE_MARK] = A_BOLD,    [MD_STYLE_GOOD] = A_BOLD, [MD_STYLE_BAD] = A_STANDOUT};

md_err_t
md_screen_open(md_msg_t *msg) {
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
    return md_fail(msg, MD_ERR_USAGE, "this needs a terminal; see --help for output without one");
  SCREEN *screen = newterm(NULL, stdout, stdin);
  if (!screen)
    return md_fail(msg, MD_ERR_USAGE,
                   "the terminal type is unknown here: set TERM (TERM=xterm), or see --help for "
                   "output without a terminal");
  (void)raw();
  (void)noecho();
  (void)nonl();
  (void)keypad(stdscr, TRUE);
  (void)set_escdelay(ESCAPE_WAIT_MS);
  (void)curs_set(0);
  if (has_colors() && start_color() == OK && use_default_colors() == OK &&
      init_pair(PAIR_GOOD, COLOR_GREEN, -1) == OK && init_pair(PAIR_BAD, COLOR_RED, -1) == OK) {
    attributes[MD_STYLE_GOOD] = COLOR_PAIR(PAIR_GOOD);
    attributes[MD_STYLE_BAD]  = COLOR_PAIR(PAIR_BAD) | A_BOLD;
  }
  return MD_OK;
}

void
md_screen_close(void) {
  (void)endwin();
}

void
md_screen_size(uint32_t *rows, uint32_t *cols) {
  *rows = LINES > 0 ? (uint32_t)LINES : 0;
  *cols = COLS > 0 ? (uint32_t)COLS : 0;
}

void
md_screen_draw(const md_page_t *page) {
  (void)erase();
  for (uint32_t row = 0; row < page->rows; row++)
    for (uint32_t col = 0; col < page->cols; col++) {
      chtype c = (chtype)(unsigned char)page->text[row][col];
      (void)mvaddch((int)row, (int)col, c | attributes[page->style[row][col]]);
    }
  (void)refresh();
}

int
md_screen_key(int timeout_ms) {
  timeout(timeout_ms);
  errno   = 0;
  int key = getch();
  switch (key) {
  case ERR:
    return errno == EIO || errno == EBADF ? MD_KEY_CLOSED : MD_KEY_NONE;
  case KEY_RESIZE:
    return MD_KEY_RESIZED;
  case KEY_UP:
    return MD_KEY_UP;
  case KEY_DOWN:
    return MD_KEY_DOWN;
  case KEY_LEFT:
    return MD_KEY_LEFT;
  case KEY_RIGHT:
    return MD_KEY_RIGHT;
  case KEY_BACKSPACE:
  case 127:
  case 8:
    return MD_KEY_ERASE;
  case KEY_ENTER:
  case '\r':
    return MD_KEY_ENTER;
  default:
    return key < 256 ? key : MD_KEY_NONE;
  }
}
