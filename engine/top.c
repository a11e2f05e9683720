/* top.c - what keys do, and which feeds are shown in which order. */
#include "engine/top.h"
#include "engine/screen.h"

#include <string.h>

static bool
passes(const md_top_t *top, const md_status_feed_t *f) {
  return top->filter[0] == 0 || strcasestr(f->feed.name, top->filter) ||
         strcasestr(md_status_health(f), top->filter);
}

static bool
comes_before(const md_top_t *top, const md_status_view_t *view, uint32_t a, uint32_t b) {
  const md_status_feed_t *x = &view->feed[a], *y = &view->feed[b];
  double                  difference;
  if (top->sort == MD_TOP_NAME)
    difference = strcmp(x->feed.name, y->feed.name);
  else if (top->sort == MD_TOP_STATE)
    difference = strcmp(md_status_health(x), md_status_health(y));
  else
    difference = md_top_value(top, view, x, top->sort) - md_top_value(top, view, y, top->sort);
  if (difference < 0 || difference > 0) return top->is_descending ? difference > 0 : difference < 0;
  return strcmp(x->feed.name, y->feed.name) < 0;
}

uint32_t
md_top_order(const md_top_t *top, const md_status_view_t *view, uint32_t order[MD_FEED_CNT_MAX]) {
  uint32_t cnt = 0;
  for (uint32_t i = 0; i < view->feed_cnt; i++) {
    if (!passes(top, &view->feed[i])) continue;
    uint32_t at = cnt++;
    for (; at > 0 && comes_before(top, view, i, order[at - 1]); at--)
      order[at] = order[at - 1];
    order[at] = i;
  }
  return cnt;
}

uint32_t
md_top_place(const md_top_t *top, const md_status_view_t *view, const uint32_t *order,
             uint32_t cnt) {
  for (uint32_t i = 0; i < cnt; i++)
    if (strcmp(view->feed[order[i]].feed.name, top->chosen) == 0) return i;
  return 0;
}

const md_status_feed_t *
md_top_feed(const md_top_t *top, const md_status_view_t *view) {
  uint32_t order[MD_FEED_CNT_MAX], cnt = md_top_order(top, view, order);
  return cnt ? &view->feed[order[md_top_place(top, view, order, cnt)]] : NULL;
}

void
md_top_init(md_top_t *top) {
  memset(top, 0, sizeof *top);
}

static void
choose(md_top_t *top, const md_status_view_t *view, int step) {
  uint32_t order[MD_FEED_CNT_MAX], cnt = md_top_order(top, view, order);
  if (cnt == 0) return;
  uint32_t at = md_top_place(top, view, order, cnt);
  if (step < 0 && at > 0) at--;
  if (step > 0 && at + 1 < cnt) at++;
  memcpy(top->chosen, view->feed[order[at]].feed.name, sizeof top->chosen);
}

static void
type_filter(md_top_t *top, int key) {
  size_t len = strlen(top->filter);
  if (key == MD_KEY_ENTER || key == MD_KEY_ESCAPE || key == MD_KEY_CTRL_C) {
    top->is_typing = false;
    if (key != MD_KEY_ENTER) top->filter[0] = 0;
  } else if (key == MD_KEY_ERASE && len > 0) {
    top->filter[len - 1] = 0;
  } else if (key > ' ' && key <= '~' && len + 1 < sizeof top->filter) {
    top->filter[len]     = (char)key;
    top->filter[len + 1] = 0;
  }
}

bool
md_top_key(md_top_t *top, const md_status_view_t *view, int key) {
  if (key == MD_KEY_CLOSED) return false;
  if (top->is_typing) {
    type_filter(top, key);
    return true;
  }
  switch (key) {
  case 'q':
  case MD_KEY_CTRL_C:
    return false;
  case 'p':
  case ' ':
    top->is_paused = !top->is_paused;
    return true;
  case '?':
  case 'h':
    top->screen = top->screen == MD_TOP_HELP ? MD_TOP_FEEDS : MD_TOP_HELP;
    return true;
  case MD_KEY_ESCAPE:
  case MD_KEY_ERASE:
    if (top->screen == MD_TOP_FEEDS) top->filter[0] = 0;
    top->screen = MD_TOP_FEEDS;
    return true;
  case MD_KEY_ENTER:
    choose(top, view, 0);
    top->screen = MD_TOP_FEED;
    return true;
  case MD_KEY_UP:
  case 'k':
    choose(top, view, -1);
    return true;
  case MD_KEY_DOWN:
  case 'j':
    choose(top, view, 1);
    return true;
  case '/':
    top->is_typing = true;
    top->screen    = MD_TOP_FEEDS;
    top->filter[0] = 0;
    return true;
  case 's':
  case '>':
  case MD_KEY_RIGHT:
    top->sort          = (top->sort + 1) % MD_TOP_COLUMN_CNT;
    top->is_descending = top->sort > MD_TOP_STATE;
    return true;
  case '<':
  case MD_KEY_LEFT:
    top->sort          = (top->sort + MD_TOP_COLUMN_CNT - 1) % MD_TOP_COLUMN_CNT;
    top->is_descending = top->sort > MD_TOP_STATE;
    return true;
  case 'w':
    top->is_since_start = !top->is_since_start;
    return true;
  case 'r':
    top->is_descending = !top->is_descending;
    return true;
  default:
    return true;
  }
}
