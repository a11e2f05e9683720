/* page.h - a screen of text in memory: rows and columns of plain characters, each with a style.
 *
 * What is drawn is made here, without a terminal, so that tests read it and `--once` prints it;
 * screen.h puts it on a terminal. Nothing is ever written outside of rows and cols: text that is
 * too long is cut, and what is no printable ASCII becomes '?'. Large: not for the stack. */
#ifndef ENGINE_PAGE_H
#define ENGINE_PAGE_H

#include "shm/base.h"

#include <stdio.h>

#define MD_PAGE_ROWS_MAX 256u
#define MD_PAGE_COLS_MAX 256u

typedef enum md_style {
  MD_STYLE_PLAIN,
  MD_STYLE_BOLD,
  MD_STYLE_HEAD, /* the heading of a table */
  MD_STYLE_MARK, /* the row that is chosen */
  MD_STYLE_GOOD,
  MD_STYLE_BAD,
  MD_STYLE_CNT
} md_style_t;

typedef struct md_page {
  uint32_t rows, cols;
  char     text[MD_PAGE_ROWS_MAX][MD_PAGE_COLS_MAX + 1];
  uint8_t  style[MD_PAGE_ROWS_MAX][MD_PAGE_COLS_MAX];
} md_page_t;

/* md_page_begin makes a page blank; rows and cols are cut to what there is room for. */
void md_page_begin(md_page_t *p, uint32_t rows, uint32_t cols);

/* md_page_put writes like printf at row and col; what lies outside is left out. */
void md_page_put(md_page_t *p, uint32_t row, uint32_t col, md_style_t style, const char *format,
                 ...) MD_PRINTF(5, 6);

/* md_page_right does so with the last character in the last column. */
void md_page_right(md_page_t *p, uint32_t row, md_style_t style, const char *format, ...)
    MD_PRINTF(4, 5);

/* md_page_mark gives a whole row a style. */
void md_page_mark(md_page_t *p, uint32_t row, md_style_t style);

/* md_page_print writes the page as lines without trailing blanks, up to the last that has text. */
void md_page_print(const md_page_t *p, FILE *out);

#endif
