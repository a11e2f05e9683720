#include "engine/page.h"

#include <stdarg.h>
#include <string.h>

void
md_page_begin(md_page_t *p, uint32_t rows, uint32_t cols) {
  p->rows = rows < MD_PAGE_ROWS_MAX ? rows : MD_PAGE_ROWS_MAX;
  p->cols = cols < MD_PAGE_COLS_MAX ? cols : MD_PAGE_COLS_MAX;
  memset(p->style, MD_STYLE_PLAIN, sizeof p->style);
  for (uint32_t i = 0; i < p->rows; i++) {
    memset(p->text[i], ' ', p->cols);
    p->text[i][p->cols] = 0;
  }
}

static void
put(md_page_t *p, uint32_t row, uint32_t col, md_style_t style, const char *text) {
  if (row >= p->rows) return;
  for (; *text && col < p->cols; text++, col++) {
    p->text[row][col]  = *text >= ' ' && *text <= '~' ? *text : '?';
    p->style[row][col] = (uint8_t)style;
  }
}

void
md_page_put(md_page_t *p, uint32_t row, uint32_t col, md_style_t style, const char *format, ...) {
  char    text[MD_PAGE_COLS_MAX + 1];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  put(p, row, col, style, text);
}

void
md_page_right(md_page_t *p, uint32_t row, md_style_t style, const char *format, ...) {
  char    text[MD_PAGE_COLS_MAX + 1];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  uint32_t len = (uint32_t)strlen(text);
  put(p, row, len < p->cols ? p->cols - len : 0, style, text);
}

void
md_page_mark(md_page_t *p, uint32_t row, md_style_t style) {
  if (row < p->rows) memset(p->style[row], (int)style, p->cols);
}

void
md_page_print(const md_page_t *p, FILE *out) {
  uint32_t last = 0;
  for (uint32_t i = 0; i < p->rows; i++)
    if (strspn(p->text[i], " ") < p->cols) last = i + 1;
  for (uint32_t i = 0; i < last; i++) {
    int len = (int)p->cols;
    while (len > 0 && p->text[i][len - 1] == ' ')
      len--;
    (void)fprintf(out, "%.*s\n", len, p->text[i]);
  }
}
