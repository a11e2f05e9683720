"""check_defects.py CONNINFO: what the replaced collector did wrong on the way to its tables, by the numbers of the list
of its defects, on the rows of test_fields.sh."""
import subprocess
import sys

CHECKS = [
    ("defect 2: open interest is what was sent, never 0",
     "SELECT count(*) = 5 AND bool_and(coalesce(open_interest, 0) > 0 OR coalesce(open_interest_value, 0) > 0) FROM marketprism.open_interests"),
    ("defect 2: the volatility index is what was sent, never 0", "SELECT count(*) = 1 AND min(index_value) = 38.2512345678901 FROM marketprism.volatility_indices"),
    ("defect 2: mark and index stand beside the funding rate",
     "SELECT count(*) >= 2 AND bool_and(mark_price IS NOT NULL AND index_price IS NOT NULL) FROM marketprism.funding_rates WHERE exchange = 'binance'"),
    ("defect 10: no column is a float",
     "SELECT count(*) = 0 FROM information_schema.columns WHERE table_schema IN ('md', 'marketprism') AND data_type IN ('real', 'double precision')"),
    ("defect 10: a message without a time gets none, and never the time of now",
     "SELECT count(*) > 0 AND bool_and(ts_exch_ns IS NULL) FROM md.v_bbo WHERE feed = 'binance_spot'"),
    ("defect 10: a quantity of 16 digits and a value of 22 are stored digit for digit",
     "SELECT count(*) = 1 FROM md.open_interest WHERE quote_qty::text = '2385812703.752047677463' AND contracts::text = '2874486.99000000925'"),
    ("defect 10: no row is there twice, though messages were sent again",
     "SELECT count(*) = count(DISTINCT (journal, stream, epoch, seq)) AND count(*) = count(DISTINCT (instrument, trade_id)) FROM md.trades"),
    ("defect 12: an instrument is its feed and the exchange's own symbol",
     "SELECT count(*) = count(DISTINCT (feed, symbol)) AND count(*) FILTER (WHERE symbol = 'BTCUSDT') = 2 FROM md.instruments"),
    ("defect 12: spot, perpetual, dated and option instruments keep apart",
     "SELECT array_agg(DISTINCT market_type ORDER BY market_type) = ARRAY['future', 'options', 'perpetual', 'spot'] FROM marketprism.trades"),
    ("defect 12: BTC-USDT of spot and BTC-USDT-SWAP have one name and are told apart",
     "SELECT count(DISTINCT price) = 2 AND count(DISTINCT market_type) = 2 FROM marketprism.trades WHERE exchange = 'okx' AND symbol = 'BTC-USDT'"),
    ("defect 12: a dated contract keeps its own name", "SELECT count(*) > 0 FROM marketprism.trades WHERE symbol = 'BTCUSD_261225' AND market_type = 'future'"),
]


def main():
    failed = 0
    for name, query in CHECKS:
        said = subprocess.run(["psql", "-X", "-A", "-t", "-d", sys.argv[1], "-c", query], check=True, capture_output=True, text=True).stdout.strip()
        print(f"{'holds' if said == 't' else 'FAILS'}  {name}")
        failed += said != "t"
    return 1 if failed else 0


sys.exit(main())
