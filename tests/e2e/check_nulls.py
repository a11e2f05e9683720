"""check_nulls.py MDENGINE CONNINFO: every column that is NULL in a row of the database says why in its meaning."""
import json
import re
import subprocess
import sys


def sql(conninfo, query):
    out = subprocess.run(["psql", "-X", "-A", "-t", "-F", "\t", "-d", conninfo, "-c", query], check=True,
                         capture_output=True, text=True).stdout
    return [line.split("\t") for line in out.splitlines()]


def main():
    rows = json.loads(subprocess.run([sys.argv[1], "db", "columns", "--json"], check=True, capture_output=True).stdout)
    comments = {(t, c): text for t, c, text in sql(sys.argv[2], (
        "SELECT k.relname, a.attname, coalesce(col_description(k.oid, a.attnum), '') FROM pg_class k JOIN pg_attribute a "
        "ON a.attrelid = k.oid AND attnum > 0 WHERE k.relnamespace = 'md'::regnamespace AND k.relkind IN ('r', 'p')"))}
    wrong, with_null = 0, []
    for row in rows:
        said = comments.get((row["table"], row["column"]))
        if said != row["meaning"]:
            wrong += 1
            print(f"the comment of {row['table']}.{row['column']} is another: {said}")
    records = {table for table, column in comments if column == "recv_ts"}
    for table in sorted({row["table"] for row in rows} & records):
        columns = [row for row in rows if row["table"] == table and row["null"]]
        counts = ", ".join(f'count(*) - count("{row["column"]}")' for row in columns)
        for row, cnt in zip(columns, sql(sys.argv[2], f"SELECT {counts} FROM md.{table}")[0]):
            if cnt != "0":
                with_null.append(row)
    for row in with_null:
        if not re.search(r"(NULL: |; )binance(_spot)?: ", row["meaning"]):
            wrong += 1
            print(f"{row['table']}.{row['column']} is NULL in some rows and no reason is documented: {row['meaning']}")
    print(f"{len(rows)} columns, {len(with_null)} with NULL in some row, {wrong} without a reason or comment")
    return 1 if wrong or not with_null else 0


sys.exit(main())
