-- Rows by hand for the views: one instrument of each kind, two days.
INSERT INTO md.journals (id, uuid) VALUES (1, '00000000-0000-0000-0000-000000000001');
INSERT INTO md.streams VALUES (1, 1, 'binance_spot'), (1, 2, 'okx_derivatives');
INSERT INTO md.instruments (journal, id, feed, symbol, normalised, base, kind, trading, option_type, inverse, epoch, seq)
  VALUES (1, 1, 'binance_spot', 'BTCUSDT', 'BTC-USDT', 'BTC', 0, 1, 0, false, 1, 1),
         (1, 2, 'okx_derivatives', 'BTC-USDT-SWAP', 'BTC-USDT', 'BTC', 1, 1, 0, false, 1, 1);
DO $$ DECLARE t text; d date; BEGIN
  FOREACH t IN ARRAY ARRAY['trades', 'book_ladders', 'klines'] LOOP
    FOREACH d IN ARRAY ARRAY['2024-05-01'::date, '2024-05-02'] LOOP
      EXECUTE format('CREATE TABLE md.%I PARTITION OF md.%I FOR VALUES FROM (%L) TO (%L)',
        t || '_' || to_char(d, 'YYYYMMDD'), t, d || ' 00:00+00', d + 1 || ' 00:00+00');
    END LOOP;
  END LOOP;
END $$;
CREATE FUNCTION pg_temp.ns(t timestamptz) RETURNS bigint LANGUAGE sql AS
  $$ SELECT (extract(epoch FROM t) * 1000000)::bigint * 1000 $$;
CREATE TEMP TABLE trade (seq bigint, at timestamptz, px numeric, qty numeric, side "char", flags smallint, instrument integer);
INSERT INTO trade VALUES
  (1, '2024-05-01 23:59:59+00',     99, 1, 'B', 1,  1),
  (2, '2024-05-02 00:00:01.5+00',  100, 1, 'B', 1,  1),
  (3, '2024-05-02 00:00:30+00',    110, 2, 'S', 1,  1),
  (4, '2024-05-02 00:00:40+00',   1000, 9, 'B', 33, 1),
  (5, '2024-05-02 00:00:59.999+00', 90, 1, 'B', 1,  1),
  (6, '2024-05-02 00:01:00+00',     95, 4, 'S', 1,  1),
  (7, '2024-05-02 00:01:30+00',  12345678901234.000000001, 0.5, 'S', 1, 2);
INSERT INTO md.trades SELECT at, 1, instrument, 1, seq, instrument, 1000 + seq, pg_temp.ns(at), pg_temp.ns(at) + 7,
  pg_temp.ns(at) + 1999999, flags, px, qty, 1000 + seq, pg_temp.ns(at), side, 0, 0, 0 FROM trade;
-- The open bar, its last word, and an older word that came later from a former epoch's number: the newest counts.
INSERT INTO md.klines SELECT '2024-05-02 00:01:30+00', 1, 1, 1, seq, 1, NULL, NULL, 1, 1, 1,
  pg_temp.ns('2024-05-02 00:01:00+00'), pg_temp.ns('2024-05-02 00:02:00+00') - 1000000, 95, high, 94, 95, 5, 1, 475, 95,
  1, 2, 2, 60, closed FROM (VALUES (10, 95.5, false), (11, 96, true)) v (seq, high, closed);
INSERT INTO md.book_ladders SELECT at, 1, 1, 1, 20 + row_number() OVER (), 1, 4711, NULL, pg_temp.ns(at), pg_temp.ns(at), 1,
  1000000000, 1, 2, 1, 2, 1, ARRAY[10.5, 10.4], ARRAY[1, 2.50], ARRAY[10.6], ARRAY[3]
  FROM (VALUES ('2024-05-01 12:00:00+00'::timestamptz), ('2024-05-02 12:00:00+00')) v (at);
-- The rest belongs to the perpetual; its days have no partition, which is no matter here.
CREATE TEMP TABLE head AS SELECT '2024-05-03 08:00:00.123456+00'::timestamptz AS at, 1 AS journal, 2::smallint AS stream,
  1 AS epoch, 100::bigint AS seq, 2 AS instrument, NULL::bigint AS exch_seq,
  pg_temp.ns('2024-05-03 08:00:00.1+00') AS ts_exch_ns, 1714723200123456789 AS recv, 1714723200123999999 AS pub, 1::smallint AS flags;
INSERT INTO md.marks SELECT h.*, 60000.5, NULL FROM head h;
INSERT INTO md.indices SELECT h.*, 60001.25 FROM head h;
UPDATE head SET seq = 102;
INSERT INTO md.funding SELECT h.*, 0.0001, 0.00012, pg_temp.ns('2024-05-03 16:00:00+00'), 28800, NULL, NULL, NULL, NULL, NULL,
  -0.0005 FROM head h;
INSERT INTO md.open_interest SELECT h.*, 1234567890123456789012, 12.5, 750000.25 FROM head h;
INSERT INTO md.liquidations SELECT h.*, 59000, 58999.5, 3, 2, pg_temp.ns('2024-05-03 07:59:59.5+00'), 'S', 1, NULL, NULL,
  'LIMIT', 'IOC', 'FILLED' FROM head h;
INSERT INTO md.long_short_ratios SELECT h.*, 1.5, 0.6, 0.4, 300, basis FROM head h, (VALUES (0), (1), (2)) v (basis);
INSERT INTO md.volatility_indices SELECT h.*, 50, 52, 49, 51.5 FROM head h;
