SET timezone = 'UTC';
\echo trades
SELECT timestamp, exchange, market_type, symbol, trade_id, price, quantity, side, is_maker, trade_time, data_source, created_at, ts_recv_ns FROM marketprism.trades ORDER BY trade_id::bigint;
\echo orderbooks
SELECT * FROM marketprism.orderbooks ORDER BY timestamp;
\echo klines
SELECT * FROM marketprism.klines ORDER BY time, symbol, market_type;
\echo bars
SELECT * FROM md.bars('2024-05-02', '2024-05-03', 300) ORDER BY instrument, ts_open_ns;
\echo funding_rates
SELECT * FROM marketprism.funding_rates;
\echo open_interests
SELECT * FROM marketprism.open_interests;
\echo liquidations
SELECT * FROM marketprism.liquidations;
\echo lsr_top_positions
SELECT * FROM marketprism.lsr_top_positions;
\echo lsr_all_accounts
SELECT * FROM marketprism.lsr_all_accounts;
\echo volatility_indices
SELECT * FROM marketprism.volatility_indices;
\echo columns
SELECT table_name, string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_schema = 'marketprism' GROUP BY 1 ORDER BY 1;
