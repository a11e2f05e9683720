/* sim_okx_request.h - what a client of OKX says, read, and what it is answered, written.
 *
 * Pure functions over texts: {"id","op","args"} in, acknowledgements, errors and notices out.
 * Which channels there are, on which path, and what their arguments are is a table here. Who
 * subscribed what is the exchange's (sim_okx.c). */
#ifndef FEEDS_SIM_SIM_OKX_REQUEST_H
#define FEEDS_SIM_SIM_OKX_REQUEST_H

#include "feeds/sim/sim_text.h"

#define MD_SIM_OKX_ARGS_MAX 2048u

/* A text inside a request; p NULL: it was not there. */
typedef struct md_sim_okx_slice {
  const char *p;
  size_t      len;
} md_sim_okx_slice_t;

typedef enum md_sim_okx_op {
  MD_SIM_OKX_UNREADABLE, /* no JSON object, or without a known op and args */
  MD_SIM_OKX_SUBSCRIBE,
  MD_SIM_OKX_UNSUBSCRIBE,
  MD_SIM_OKX_LOGIN
} md_sim_okx_op_t;

/* The insides of strings. An arg that is no object with a channel has no channel. */
typedef struct md_sim_okx_arg {
  md_sim_okx_slice_t channel, symbol, type, family;
} md_sim_okx_arg_t;

typedef struct md_sim_okx_request {
  md_sim_okx_op_t         op;
  md_sim_okx_slice_t      id;   /* inside of the string */
  const md_sim_okx_arg_t *args; /* until the next request is read */
  uint32_t                arg_cnt;
} md_sim_okx_request_t;

/* md_sim_okx_read reads a message (MD_FRAME_PAD_BYTES readable behind it). */
void md_sim_okx_read(const char *text, size_t len, md_sim_okx_request_t *out);

/* ---- channels ---- */

typedef enum md_sim_okx_scope {
  MD_SIM_OKX_BY_SYMBOL,  /* instId of an instrument */
  MD_SIM_OKX_BY_PAIR,    /* instId of an index: BTC-USDT */
  MD_SIM_OKX_BY_TYPE,    /* instType */
  MD_SIM_OKX_BY_ACCOUNT, /* after a login only, which nobody has here */
  MD_SIM_OKX_BY_TIER     /* instId, for accounts that trade much, which nobody has here */
} md_sim_okx_scope_t;

typedef struct md_sim_okx_channel {
  const char        *name;
  bool               is_business; /* path /ws/v5/business, else /ws/v5/public */
  md_sim_okx_scope_t scope;
} md_sim_okx_channel_t;

/* md_sim_okx_channel finds a channel; NULL: there is none of that name. */
const md_sim_okx_channel_t *md_sim_okx_channel(md_sim_okx_slice_t name);

/* md_sim_okx_channel_idx numbers the channels from 0, below 32. */
uint32_t md_sim_okx_channel_idx(const md_sim_okx_channel_t *channel);

bool md_sim_okx_is(md_sim_okx_slice_t s, const char *word);

/* ---- answers: each clears out and writes one frame ---- */

/* md_sim_okx_ack acknowledges one arg; event is "subscribe" or "unsubscribe". */
void md_sim_okx_ack(md_sim_text_t *out, const md_sim_okx_request_t *r, const char *event,
                    const md_sim_okx_arg_t *arg, uint32_t conn_id);

/* md_sim_okx_error writes an error; id without p is left out. */
void md_sim_okx_error(md_sim_text_t *out, md_sim_okx_slice_t id, unsigned code, const char *msg,
                      size_t msg_len, uint32_t conn_id);

/* md_sim_okx_absent: error 60018 for a channel or an instrument that this path does not have. */
void md_sim_okx_absent(md_sim_text_t *out, md_sim_okx_slice_t id, const md_sim_okx_arg_t *arg,
                       uint32_t conn_id);

/* md_sim_okx_illegal: error 60012, which repeats the message. */
void md_sim_okx_illegal(md_sim_text_t *out, md_sim_okx_slice_t id, const char *text, size_t len,
                        uint32_t conn_id);

/* md_sim_okx_conn_count tells how many connections have a channel. */
void md_sim_okx_conn_count(md_sim_text_t *out, const char *channel, uint32_t cnt, uint32_t conn_id);

/* md_sim_okx_notice: 64008, the connection will be closed. */
void md_sim_okx_notice(md_sim_text_t *out, uint32_t conn_id);

#endif
