-- Functions of the names and parameters that TimescaleDB 2 documents, which note that they were called, and a
-- row in pg_extension as if the extension were made. Private clusters only: it writes to a system table.
SET allow_system_table_mods = on;
CREATE SCHEMA ts;
CREATE TABLE ts.calls (what text, relation text);
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
  VALUES (99999, 'timescaledb', 10, 'ts'::regnamespace, false, '2.stand-in');
CREATE FUNCTION ts.create_hypertable(relation regclass, time_column_name name, chunk_time_interval anyelement,
  create_default_indexes boolean DEFAULT true, if_not_exists boolean DEFAULT false) RETURNS void LANGUAGE sql AS
  $$ INSERT INTO ts.calls VALUES ('create_hypertable ' || time_column_name || ' ' || chunk_time_interval::text, relation::text) $$;
CREATE FUNCTION ts.drop_chunks(relation regclass, older_than timestamptz) RETURNS SETOF text LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO ts.calls VALUES ('drop_chunks ' || older_than, relation::text);
    EXECUTE format('DELETE FROM %s WHERE recv_ts < %L', relation, older_than);
    RETURN NEXT relation::text;
  END $$;
