/* rule.h - the rules that keep a wrong book from being called right, each of which can be removed.
 *
 * A test that cannot fail proves nothing, so every rule that stands here can be taken out, and
 * tests/cases/cases.py demands that some numbered case notices each of them. The product is built
 * without MD_BROKEN_RULE: then MD_RULE(NAME) is the constant true and nothing of this is left in
 * the machine code. -DMD_BROKEN_RULE=MD_RULE_NAME removes one rule for good;
 * -DMD_BROKEN_RULE=md_broken_rule lets a variable say which, so that one build stands for all.
 *
 * X(NAME, whose tests must notice it, what happens without it) */
#ifndef FEEDS_RULE_H
#define FEEDS_RULE_H

// clang-format off
#define MD_RULES(X) \
  X(SPOT_FIRST,       "spot",    "a snapshot older than all that waits is taken") \
  X(SPOT_BEHIND,      "spot",    "the first update may not begin right behind the snapshot") \
  X(SPOT_CHAIN,       "spot",    "U and u unchecked: an update behind a hole is applied") \
  X(SPOT_REPEAT,      "spot",    "an update that is not newer is applied again") \
  X(SPOT_ROUTE,       "spot",    "a message without event and stream name is guessed to be best prices") \
  X(FUTURES_FIRST,    "futures", "a snapshot older than all that waits is taken") \
  X(FUTURES_NAMED,    "futures", "pu equal to the snapshot's id is no beginning") \
  X(FUTURES_CHAIN,    "futures", "pu unchecked: an update behind a hole is applied") \
  X(FUTURES_MASK,     "futures", "U..u over our id stands for pu") \
  X(FUTURES_PARTIAL,  "futures", "a part of a book is taken for an update") \
  X(FUTURES_FAMILY,   "futures", "rows of the other family of contracts are ours") \
  X(OKX_CHAIN,        "okx",     "prevSeqId unchecked") \
  X(OKX_RESET,        "okx",     "a seqId below the last one is no reset") \
  X(OKX_HEARTBEAT,    "okx",     "an update that changes nothing is a message of its own") \
  X(OKX_CHECKSUM,     "okx",     "checksums unchecked") \
  X(OKX_SNAPSHOT,     "okx",     "a snapshot is taken for an update") \
  X(DERIBIT_CHAIN,    "deribit", "prev_change_id unchecked") \
  X(DERIBIT_SNAPSHOT, "deribit", "a snapshot is taken for an update") \
  X(DERIBIT_NAMED,    "deribit", "a change without prev_change_id is a snapshot") \
  X(SNAPSHOT,         "books",   "a book is VALID without a snapshot") \
  X(DISCONNECT,       "books",   "a book outlives its connection") \
  X(BAD_MESSAGE,      "books",   "a book outlives a message of its own that cannot be read") \
  X(MISSED,           "books",   "updates that found no room are not told") \
  X(CROSSED,          "books",   "a book may be crossed for ever") \
  X(CANARY,           "books",   "best prices of the venue contradict in vain") \
  X(DEPTH,            "books",   "levels that a cut snapshot did not show may be missing at the top") \
  X(TRADE_REPEAT,     "trades",  "a trade that was sent again is kept") \
  X(OFF_BOOK,         "trades",  "prints off the book count as trades") \
  X(BAR_REPEAT,       "trades",  "a final bar may come twice") \
  X(SILENCE,          "live",    "a message that is repeated is a sign of life")
// clang-format on

typedef enum md_rule {
  MD_RULE_NONE,
#define MD_RULE_ENUM(name, whose, without) MD_RULE_##name,
  MD_RULES(MD_RULE_ENUM)
#undef MD_RULE_ENUM
      MD_RULE_CNT
} md_rule_t;

#ifdef MD_BROKEN_RULE
extern md_rule_t md_broken_rule; /* only where MD_BROKEN_RULE is its name */
#define MD_RULE(name) (MD_RULE_##name != (MD_BROKEN_RULE))
#else
#define MD_RULE(name) true
#endif

#endif
