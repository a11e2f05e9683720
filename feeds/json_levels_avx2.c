/* Levels on x86-64 with AVX2 and BMI: one comparison finds every byte that is not a digit, so all
 * ends of both numbers are known at once, and both are converted side by side in the two halves of
 * a register, sixteen digits each. Chosen at run time. */
#include "feeds/json_levels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt")))

bool
md_levels_has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}

/* Constants of one array: which digit of a number goes where. */
typedef struct shape {
  __m256i place;  /* place of each of 16 digits when the point stands behind digit 16 - scale */
  __m256i spread; /* takes the shift of each half out of the ends */
  __m256i limit;  /* and the last digit's place */
} shape_t;

/* What a level looks like: where its parts end, as offsets from the first digit of the price, and
 * what follows from that. Levels of one array mostly look alike, so this is kept from one to the
 * next. */
typedef struct look {
  uint32_t other; /* bytes that are no digits */
  uint32_t seen;  /* bytes of the level */
  uint32_t drop;  /* digits that the scales do not keep: must be zeros */
  unsigned px_point, px_end, qty, qty_point, qty_end;
  __m256i  pick; /* moves the digits that count to their places */
} look_t;

AVX2 static inline __m256i
load(const uint8_t *p) {
  return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Bit i tells that byte i of 32 satisfies the comparison. */
AVX2 static inline uint32_t
equal_mask(__m256i v, char c) {
  return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(c)));
}

AVX2 static inline uint32_t
digit_mask(__m256i v) {
  v = _mm256_sub_epi8(v, _mm256_set1_epi8('0'));
  return (uint32_t)_mm256_movemask_epi8(
      _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(9)), v));
}

/* Bits from (included) to end (excluded), both at most 32. */
AVX2 static inline uint32_t
bits(unsigned from, unsigned end) {
  return (uint32_t)(_bzhi_u64(UINT32_MAX, end) >> from << from);
}

/* Learns the look of a level from its bytes that are no digits; false when one of the numbers has
 * no digit before or behind its point, or does not fit. Which bytes they are is checked for each
 * level. */
AVX2 static bool
learn(uint32_t other, const shape_t *shape, const md_levels_job_t *job, look_t *k) {
  k->other     = other;
  k->px_point  = _tzcnt_u32(other);
  other        = _blsr_u32(other);
  k->px_end    = _tzcnt_u32(other);
  other        = _blsr_u32(_blsr_u32(_blsr_u32(other)));
  k->qty       = k->px_end + 3;
  k->qty_point = _tzcnt_u32(other);
  other        = _blsr_u32(other);
  k->qty_end   = _tzcnt_u32(other);
  if (k->qty_end > 30)
    return false; /* the quote and the bracket behind it are within the 32 bytes */
  unsigned px_int = k->px_point, qty_int = k->qty_point - k->qty;
  if (px_int == 0 || px_int > 15 - job->px_scale || k->px_end == k->px_point + 1) return false;
  if (qty_int == 0 || qty_int > 15 - job->qty_scale || k->qty_end == k->qty_point + 1) return false;
  k->seen         = bits(0, k->qty_end + 1);
  unsigned px_cut = k->px_point + 1 + job->px_scale, qty_cut = k->qty_point + 1 + job->qty_scale;
  k->drop = (px_cut < k->px_end ? bits(px_cut, k->px_end) : 0) |
            (qty_cut < k->qty_end ? bits(qty_cut, k->qty_end) : 0);
  uint32_t four = (uint8_t)(px_int + job->px_scale - 16) | (k->px_end - 1) << 8 |
                  (uint32_t)(uint8_t)(qty_int + job->qty_scale - 16) << 16 |
                  (k->qty_end - 1 - k->qty) << 24;
  __m256i all  = _mm256_set1_epi32((int)four);
  __m256i from = _mm256_add_epi8(shape->place, _mm256_shuffle_epi8(all, shape->spread));
  k->pick = _mm256_or_si256(from, _mm256_cmpgt_epi8(from, _mm256_shuffle_epi8(all, shape->limit)));
  return true;
}

/* Both mantissas: the digits before the point and as many behind it as the scale keeps are moved to
 * the right end of their half, then added up in pairs, fours and eights. */
AVX2 static inline void
convert(const uint8_t *s, const look_t *k, md_level_t *out) {
  __m128i px     = _mm_loadu_si128((const __m128i *)(const void *)s);
  __m128i qty    = _mm_loadu_si128((const __m128i *)(const void *)(s + k->qty));
  __m256i digits = _mm256_inserti128_si256(_mm256_castsi128_si256(px), qty, 1);
  digits         = _mm256_sub_epi8(digits, _mm256_set1_epi8('0'));
  digits         = _mm256_shuffle_epi8(digits, k->pick);
  __m256i v      = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
  v              = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00010064));
  v              = _mm256_packus_epi32(v, v);
  v              = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00012710));
  uint64_t a     = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(v));
  uint64_t b     = (uint64_t)_mm_cvtsi128_si64(_mm256_extracti128_si256(v, 1));
  out->px        = (int64_t)((a & 0xffffffffu) * 100000000u + (a >> 32));
  out->qty       = (int64_t)((b & 0xffffffffu) * 100000000u + (b >> 32));
}

AVX2 static inline shape_t
make_shape(const md_levels_job_t *job) {
  const __m128i k   = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m128i px  = _mm_cmpgt_epi8(k, _mm_set1_epi8((char)(15 - job->px_scale)));
  const __m128i qty = _mm_cmpgt_epi8(k, _mm_set1_epi8((char)(15 - job->qty_scale)));
  return (shape_t){
      .place  = _mm256_set_m128i(_mm_sub_epi8(k, qty), _mm_sub_epi8(k, px)),
      .spread = _mm256_set_m128i(_mm_set1_epi8(2), _mm_setzero_si128()),
      .limit  = _mm256_set_m128i(_mm_set1_epi8(3), _mm_set1_epi8(1)),
  };
}

/* 0 when every byte around the digits is the one that must stand there, and no digit would be lost.
 */
AVX2 static inline uint32_t
differences(const uint8_t *p, __m256i v, const look_t *k) {
  const uint8_t *s     = p + 2;
  uint32_t       wrong = (md_swar_load4(p) ^ 0x225b) & 0xffff;   /* [" */
  wrong |= (md_swar_load4(s + k->px_end) ^ 0x222c22) & 0xffffff; /* "," */
  wrong |= (md_swar_load4(s + k->qty_end) ^ 0x5d22) & 0xffff;    /* "] */
  wrong |= (uint32_t)(s[k->px_point] ^ '.') | (uint32_t)(s[k->qty_point] ^ '.');
  return wrong | (~equal_mask(v, '0') & k->drop);
}

AVX2 const uint8_t *
md_levels_avx2(const uint8_t *p, const uint8_t *end, md_levels_job_t *job) {
  const shape_t shape = make_shape(job);
  look_t        look  = {.seen = UINT32_MAX}; /* of nothing: no level passes its checks */
  uint32_t      n     = 0;
  while (n < job->max) {
    const __m256i  v     = load(p + 2);
    const uint32_t other = ~digit_mask(v);
    const uint8_t *next;
    bool           known = ((other ^ look.other) & look.seen) == 0;
    if (MD_UNLIKELY(!known)) {
      known = learn(other, &shape, job, &look);
      if (!known) look = (look_t){.seen = UINT32_MAX};
    }
    next = p + 2 + look.qty_end + 2;
    if (MD_LIKELY(known && next < end && differences(p, v, &look) == 0)) {
      convert(p + 2, &look, &job->out[n]);
    } else {
      next = md_levels_read_one(p, end, job, &job->out[n]);
      if (next == NULL) break;
    }
    if (MD_UNLIKELY(*next != ',')) {
      if (*next != ']') break;
      job->closed = true;
    }
    p = next + 1;
    n++;
    if (MD_UNLIKELY(job->closed || p >= end)) break;
  }
  job->cnt = n;
  return p;
}

#else

bool
md_levels_has_avx2(void) {
  return false;
}

const uint8_t *
md_levels_avx2(const uint8_t *p, const uint8_t *end, md_levels_job_t *job) {
  return md_levels_swar(p, end, job);
}
#endif
