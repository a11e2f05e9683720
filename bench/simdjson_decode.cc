// The baseline of `bench decode`: Debian's simdjson as a program would use it, read in the order in
// which the fields stand, with decimals turned into integers by a plain loop.
#include <simdjson.h>

#include <new>
#include <string_view>

#include "bench/message.h"

using simdjson::ondemand::array;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

struct md_bench_simdjson {
  simdjson::ondemand::parser on_demand;
  simdjson::dom::parser      dom;
};

namespace {

// Exact, or false: digits behind `digits` places must be zero.
bool
to_integer(std::string_view s, unsigned digits, int64_t *out) {
  int64_t  v        = 0;
  unsigned behind   = 0;
  bool     point    = false;
  bool     negative = !s.empty() && s[0] == '-';
  if (s.size() > 18 + 1 || s.size() == size_t{negative}) return false;
  for (char c : s.substr(negative)) {
    if (c == '.' && !point) {
      point = true;
    } else if (c < '0' || c > '9') {
      return false;
    } else if (point && behind == digits) {
      if (c != '0') return false;
    } else {
      v = v * 10 + (c - '0');
      behind += point;
    }
  }
  for (; behind < digits; behind++)
    v *= 10;
  *out = negative ? -v : v;
  return true;
}

bool
read_decimal(simdjson::simdjson_result<value> v, unsigned digits, int64_t *out) {
  std::string_view s;
  return v.get_string().get(s) == simdjson::SUCCESS && to_integer(s, digits, out);
}

bool
read_side(simdjson::simdjson_result<value> v, md_bench_level_t *out, uint32_t *cnt) {
  array    levels;
  uint32_t n = 0;
  if (v.get_array().get(levels)) return false;
  for (auto level : levels) {
    array    pair;
    unsigned i = 0;
    if (n == MD_BENCH_LEVEL_MAX || level.get_array().get(pair)) return false;
    for (auto element : pair) {
      if (i == 0 && !read_decimal(element, MD_BENCH_PX_DIGITS, &out[n].px)) return false;
      if (i == 1 && !read_decimal(element, MD_BENCH_QTY_DIGITS, &out[n].qty)) return false;
      i++;
    }
    if (i < 2) return false;
    n++;
  }
  *cnt = n;
  return true;
}

bool
read_symbol(object &data, md_bench_message_t *out) {
  std::string_view s;
  if (data["s"].get_string().get(s)) return false;
  out->symbol     = s.data();
  out->symbol_len = static_cast<uint32_t>(s.size());
  return true;
}

bool
read_agg_trade(object &data, md_bench_message_t *out) {
  bool ignored;
  return !data["E"].get_uint64().get(out->event_ms) && read_symbol(data, out) &&
         !data["a"].get_uint64().get(out->id) &&
         read_decimal(data["p"], MD_BENCH_PX_DIGITS, &out->px) &&
         read_decimal(data["q"], MD_BENCH_QTY_DIGITS, &out->qty) &&
         !data["f"].get_uint64().get(out->first_id) && !data["l"].get_uint64().get(out->last_id) &&
         !data["T"].get_uint64().get(out->trade_ms) && !data["m"].get_bool().get(out->is_maker) &&
         !data["M"].get_bool().get(ignored);
}

bool
read_depth(object &data, md_bench_message_t *out) {
  return !data["E"].get_uint64().get(out->event_ms) && read_symbol(data, out) &&
         !data["U"].get_uint64().get(out->first_id) && !data["u"].get_uint64().get(out->last_id) &&
         read_side(data["b"], out->bids, &out->bid_cnt) &&
         read_side(data["a"], out->asks, &out->ask_cnt);
}

} // namespace

md_bench_simdjson_t *
md_bench_simdjson_new(void) {
  return new (std::nothrow) md_bench_simdjson;
}

void
md_bench_simdjson_delete(md_bench_simdjson_t *s) {
  delete s;
}

bool
md_bench_simdjson_on_demand(md_bench_simdjson_t *s, md_bench_kind_t kind, const uint8_t *text,
                            size_t len, md_bench_message_t *out) {
  simdjson::ondemand::document doc;
  object                       data;
  std::string_view             stream, event;
  simdjson::padded_string_view view(text, len, len + simdjson::SIMDJSON_PADDING);
  if (s->on_demand.iterate(view).get(doc)) return false;
  if (doc["stream"].get_string().get(stream) || doc["data"].get_object().get(data)) return false;
  if (data["e"].get_string().get(event)) return false;
  if (kind == MD_BENCH_AGG_TRADE) return event == "aggTrade" && read_agg_trade(data, out);
  return event == "depthUpdate" && read_depth(data, out);
}

bool
md_bench_simdjson_dom(md_bench_simdjson_t *s, const uint8_t *text, size_t len) {
  simdjson::dom::element doc;
  return s->dom.parse(text, len, false).get(doc) == simdjson::SUCCESS;
}
