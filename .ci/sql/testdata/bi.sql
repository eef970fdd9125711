-- What tools say to PostgreSQL when they start and when somebody browses, in our own words: each asks for the same tables, columns,
-- functions and operators as the tool's own statement. A statement ends with ; at the end of a line. Where the line before it
-- ends with "same", the rows are to be the same as PostgreSQL's, too, and not only the columns.

-- Grafana: version; same
SELECT current_setting('server_version_num')::int/100 >= 1500 AS version;
-- Grafana: is TimescaleDB there; same
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';
-- Grafana: schemas that are offered; same
SELECT quote_ident(table_schema) AS "schema" FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache', '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', 'timescaledb_experimental', 'system', 'silver', 'gold', 'bronze') AND table_type IN ('BASE TABLE', 'VIEW') GROUP BY quote_ident(table_schema);
-- Grafana: tables of the search path; same
SELECT CASE WHEN quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array('sales', ','), 1), array_upper(string_to_array('sales', ','), 1)) AS i, string_to_array('sales', ',') s) THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table" FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', 'system') ORDER BY 1;
-- Grafana: columns of a table; same
SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE quote_ident(table_schema) = 'sales' AND quote_ident(table_name) = 'orders' AND column_name <> 'tags' ORDER BY ordinal_position;
-- Grafana: $__timeFilter; same
SELECT ts AS "time", amt FROM sales.orders WHERE ts BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-31T00:00:00Z' ORDER BY 1;
-- Grafana: $__timeGroup(ts, '5m'); same
SELECT floor(extract(epoch from ts)/300)*300 AS "time", count(*) AS value FROM sales.orders WHERE id < 3 GROUP BY 1 ORDER BY 1;
-- Grafana: $__timeGroupAlias with a name; same
SELECT floor(extract(epoch from ts)/86400)*86400 AS "time", name AS metric, count(id) AS value FROM sales.orders WHERE ts BETWEEN '2026-01-01T00:00:00Z' AND '2026-12-31T00:00:00Z' GROUP BY "time", name ORDER BY "time", name;
-- Grafana: $__unixEpochFilter, $__unixEpochGroup; same
SELECT floor((id)/60)*60 AS "time", count(*) AS n FROM sales.orders WHERE id >= 1 AND id <= 1767323045 GROUP BY 1 ORDER BY 1;
-- Grafana: $__timeEpoch; same
SELECT extract(epoch from ts) AS "time" FROM sales.orders WHERE id = 1;
-- Grafana: the health check; same
SELECT 1;

-- Metabase: version
SELECT version() AS version;
-- Metabase: the zone of the database; same
SHOW timezone;
-- Metabase: the zone and the clock
SELECT to_char(current_timestamp, 'YYYY-MM-DD HH24:MI:SS.MS TZ') AS "now";
-- Metabase: is it read only; same
SHOW transaction_read_only;
-- Metabase: schemas; same
SELECT nspname AS "schema" FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'system', 'silver', 'gold', 'bronze', 'public') ORDER BY nspname;
-- Metabase: tables and views with their sizes
SELECT n.nspname AS "schema", c.relname AS "name", CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE NULL END AS "type", d.description AS "description", stat.n_live_tup AS "estimated_row_count" FROM pg_catalog.pg_class AS c INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid LEFT JOIN pg_catalog.pg_description AS d ON (c.oid = d.objoid) AND (d.objsubid = 0) AND (d.classoid = 'pg_class'::regclass) LEFT JOIN pg_stat_user_tables AS stat ON (n.nspname = stat.schemaname) AND (c.relname = stat.relname) WHERE (c.relnamespace = n.oid) AND (n.nspname !~ '^pg_') AND (n.nspname <> 'information_schema') AND c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname IN ('sales') ORDER BY "type" ASC, "schema" ASC, "name" ASC;
-- Metabase: what may be read; same
SELECT NULL AS "role", t.schemaname AS "schema", t.objectname AS "table", has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'update') AND false AS "update", has_table_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'SELECT') AS "select" FROM (SELECT schemaname, tablename AS objectname FROM pg_catalog.pg_tables UNION SELECT schemaname, viewname AS objectname FROM pg_views UNION SELECT schemaname, matviewname AS objectname FROM pg_matviews) t WHERE t.schemaname !~ '^pg_' AND t.schemaname = 'sales' AND pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage') ORDER BY t.objectname;
-- Metabase: describe-fields, without tags and name, whose types have other names; same
SELECT c.column_name AS "name", CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN format('%s', c.udt_name) ELSE format('"%s"."%s"', c.udt_schema, c.udt_name) END AS "database-type", c.ordinal_position - 1 AS "database-position", c.table_schema AS "table-schema", c.table_name AS "table-name", pk.column_name IS NOT NULL AS "pk?", col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text)) AS regclass) AS oid), c.ordinal_position) AS "field-comment", ((column_default IS NULL) OR (lower(column_default) = 'null')) AND (is_nullable = 'NO') AND NOT (((column_default IS NOT NULL) AND (column_default LIKE '%nextval(%')) OR (is_identity <> 'NO')) AS "database-required", column_default AS "database-default", ((column_default IS NOT NULL) AND (column_default LIKE '%nextval(%')) OR (is_identity <> 'NO') AS "database-is-auto-increment", is_generated = 'ALWAYS' AS "database-is-generated", is_nullable = 'YES' AS "database-is-nullable" FROM information_schema.columns AS c LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints AS tc INNER JOIN information_schema.key_column_usage AS kc ON (tc.constraint_name = kc.constraint_name) AND (tc.table_schema = kc.table_schema) AND (tc.table_name = kc.table_name) WHERE tc.constraint_type = 'PRIMARY KEY') AS pk ON (c.table_schema = pk.table_schema) AND (c.table_name = pk.table_name) AND (c.column_name = pk.column_name) WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema = 'sales' AND c.table_name = 'orders' AND c.column_name NOT IN ('tags', 'name') ORDER BY "table-schema" ASC, "table-name" ASC, "database-position" ASC;
-- Metabase: describe-fks; same
SELECT fk_ns.nspname AS "fk-table-schema", fk_table.relname AS "fk-table-name", fk_column.attname AS "fk-column-name", pk_ns.nspname AS "pk-table-schema", pk_table.relname AS "pk-table-name", pk_column.attname AS "pk-column-name" FROM pg_constraint AS c INNER JOIN pg_class AS fk_table ON c.conrelid = fk_table.oid INNER JOIN pg_namespace AS fk_ns ON c.connamespace = fk_ns.oid INNER JOIN pg_attribute AS fk_column ON c.conrelid = fk_column.attrelid INNER JOIN pg_class AS pk_table ON c.confrelid = pk_table.oid INNER JOIN pg_namespace AS pk_ns ON pk_table.relnamespace = pk_ns.oid INNER JOIN pg_attribute AS pk_column ON c.confrelid = pk_column.attrelid WHERE fk_ns.nspname !~ '^information_schema|catalog_history|pg_' AND c.contype = 'f' AND fk_column.attnum = ANY(c.conkey) AND pk_column.attnum = ANY(c.confkey) ORDER BY "fk-table-schema" ASC, "fk-table-name" ASC;
-- Metabase: describe-indexes; same
SELECT tmp."table-schema" AS "table-schema", tmp."table-name" AS "table-name", trim(both '"' from pg_catalog.pg_get_indexdef(tmp.ci_oid, tmp.pos, false)) AS "field-name" FROM (SELECT n.nspname AS "table-schema", ct.relname AS "table-name", ci.oid AS ci_oid, (information_schema._pg_expandarray(i.indkey)).n AS pos FROM pg_catalog.pg_class AS ct INNER JOIN pg_catalog.pg_namespace AS n ON ct.relnamespace = n.oid INNER JOIN pg_catalog.pg_index AS i ON ct.oid = i.indrelid INNER JOIN pg_catalog.pg_class AS ci ON ci.oid = i.indexrelid WHERE pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NULL AND n.nspname !~ '^information_schema|pg_') AS tmp WHERE tmp.pos = 1;
-- Metabase: enums; same
SELECT nspname, typname FROM pg_type AS t INNER JOIN pg_namespace AS n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum AS e);
-- Metabase: a question by months; same
SELECT CAST(date_trunc('month', "sales"."orders"."ts") AS date) AS "ts", count(*) AS "count", sum("sales"."orders"."amt") AS "sum" FROM "sales"."orders" GROUP BY CAST(date_trunc('month', "sales"."orders"."ts") AS date) ORDER BY CAST(date_trunc('month', "sales"."orders"."ts") AS date) ASC;
-- Metabase: a question by weeks that begin on Sunday; same
SELECT CAST(CAST(date_trunc('week', ("ts" + INTERVAL '1 day')) AS timestamp) + INTERVAL '-1 day' AS timestamp) AS w, count(*) AS n FROM "sales"."orders" WHERE id = 1 GROUP BY 1;
-- Metabase: a fingerprint; same
SELECT count(distinct substring("orders"."name", 1, 1234)) AS n FROM (SELECT * FROM "sales"."orders" LIMIT 1048575) AS "orders";

-- Npgsql (Power BI): what a new connection asks first
SELECT version();
-- Npgsql (Power BI): the types with their elements, ranges and arrays
SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname, elemcls.relkind AS elemrelkind, CASE WHEN elemproc.proname = 'array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype FROM (SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid, CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype, CASE WHEN proc.proname = 'array_recv' THEN typ.typelem WHEN typ.typtype = 'r' THEN rngsubtype WHEN typ.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = typ.oid) WHEN typ.typtype = 'd' THEN typ.typbasetype END AS elemtypoid FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)) AS typ LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid LEFT JOIN pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid) LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive) AS t JOIN pg_namespace AS ns ON (ns.oid = typnamespace) WHERE typtype IN ('b', 'r', 'm', 'e', 'd') OR (typtype = 'c' AND relkind = 'c') OR (typtype = 'p' AND typname IN ('record', 'void', 'unknown')) OR (typtype = 'a' AND (elemtyptype IN ('b', 'r', 'm', 'e', 'd') OR (elemtyptype = 'p' AND elemtypname IN ('record', 'void', 'unknown')) OR (elemtyptype = 'c' AND elemrelkind = 'c'))) ORDER BY CASE WHEN typtype IN ('b', 'e', 'p') THEN 0 WHEN typtype = 'c' THEN 1 WHEN typtype = 'r' THEN 2 WHEN typtype = 'm' THEN 3 WHEN typtype = 'd' AND elemtyptype <> 'a' THEN 4 WHEN typtype = 'a' THEN 5 WHEN typtype = 'd' AND elemtyptype = 'a' THEN 6 END;
-- Npgsql (Power BI): composites; same
SELECT typ.oid, att.attname, att.atttypid FROM pg_type AS typ JOIN pg_namespace AS ns ON (ns.oid = typ.typnamespace) JOIN pg_class AS cls ON (cls.oid = typ.typrelid) JOIN pg_attribute AS att ON (att.attrelid = typ.typrelid) WHERE (typ.typtype = 'c' AND cls.relkind = 'c') AND attnum > 0 AND NOT attisdropped ORDER BY typ.oid, att.attnum;
-- Npgsql (Power BI): labels of enums; same
SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid ORDER BY oid, enumsortorder;
-- Npgsql: a connection goes back to its pool; same
DISCARD ALL;
-- Power BI: the tables; same
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.tables WHERE TABLE_SCHEMA NOT IN ('information_schema', 'pg_catalog', 'system') ORDER BY TABLE_SCHEMA, TABLE_NAME;
-- Power BI: the columns; same
SELECT COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, CASE WHEN (data_type LIKE '%unsigned%') THEN DATA_TYPE || ' unsigned' ELSE DATA_TYPE END AS DATA_TYPE FROM INFORMATION_SCHEMA.columns WHERE TABLE_SCHEMA = 'sales' AND TABLE_NAME = 'orders' AND COLUMN_NAME <> 'tags' ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION;
-- Power BI: keys that point to a table; same
SELECT pkcol.COLUMN_NAME AS PK_COLUMN_NAME, fkcol.TABLE_SCHEMA AS FK_TABLE_SCHEMA, fkcol.TABLE_NAME AS FK_TABLE_NAME, fkcol.COLUMN_NAME AS FK_COLUMN_NAME, fkcol.ORDINAL_POSITION AS ORDINAL, fkcon.CONSTRAINT_SCHEMA || '_' || fkcol.TABLE_NAME || '_' || 'orders' || '_' || fkcon.CONSTRAINT_NAME AS FK_NAME FROM (SELECT DISTINCT CONSTRAINT_CATALOG, CONSTRAINT_SCHEMA, UNIQUE_CONSTRAINT_SCHEMA, CONSTRAINT_NAME, UNIQUE_CONSTRAINT_NAME FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS) fkcon INNER JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE fkcol ON fkcon.CONSTRAINT_SCHEMA = fkcol.CONSTRAINT_SCHEMA AND fkcon.CONSTRAINT_NAME = fkcol.CONSTRAINT_NAME INNER JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE pkcol ON fkcon.UNIQUE_CONSTRAINT_SCHEMA = pkcol.CONSTRAINT_SCHEMA AND fkcon.UNIQUE_CONSTRAINT_NAME = pkcol.CONSTRAINT_NAME WHERE pkcol.TABLE_SCHEMA = 'sales' AND pkcol.TABLE_NAME = 'orders' AND pkcol.ORDINAL_POSITION = fkcol.ORDINAL_POSITION ORDER BY FK_NAME, fkcol.ORDINAL_POSITION;
-- Power BI: a preview; same
SELECT "$Table"."id" AS "id", "$Table"."name" AS "name", "$Table"."amt" AS "amt" FROM "sales"."orders" "$Table" ORDER BY 1 LIMIT 1000;
-- Power BI: a folded sum; same
SELECT "rows"."b" AS "b", sum("rows"."amt") AS "total", count(1) AS "n" FROM (SELECT "b", "amt" FROM "sales"."orders" "$Table") "rows" GROUP BY "b" ORDER BY "b" LIMIT 1000001;

-- DBeaver: start
SELECT current_schema(), session_user;
-- DBeaver: databases
SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate OR db.datname = 'lake' ORDER BY db.datname;
-- DBeaver: schemas with their comments
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname;
-- DBeaver: settings
SELECT * FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings';
-- DBeaver: types
SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C');
-- DBeaver: tables of a schema
SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'sales') AND c.relkind NOT IN ('i', 'I', 'c');
-- DBeaver: columns of a table
SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') AND c.oid = 'sales.orders'::regclass AND a.attnum > 0 ORDER BY a.attnum;
-- DBeaver: constraints
SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description, CASE WHEN c.contype = 'c' THEN "substring"(pg_get_constraintdef(c.oid), 7) ELSE NULL END consrc_copy FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass WHERE c.conrelid = 'sales.orders'::regclass ORDER BY c.oid;
-- DBeaver: indexes
SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname AS tabrelname, dsc.description, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr, pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, pg_catalog.pg_relation_size(i.indexrelid) AS index_rel_size, pg_catalog.pg_stat_get_numscans(i.indexrelid) AS index_num_scans FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid WHERE i.indrelid = 'sales.orders'::regclass ORDER BY tabrelname, c.relname;
-- DBeaver: functions
SELECT p.oid, p.*, CASE WHEN p.proretset THEN 'SETOF ' ELSE '' END || format_type(p.prorettype, NULL) AS ret FROM pg_catalog.pg_proc p LEFT OUTER JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'sales' ORDER BY p.proname;
-- DBeaver: sequences; same
SELECT c.oid, c.relname FROM pg_catalog.pg_class c WHERE c.relkind = 'S';
-- DBeaver: triggers; same
SELECT x.oid, x.tgname FROM pg_catalog.pg_trigger x WHERE x.tgrelid = 'sales.orders'::regclass AND NOT x.tgisinternal;
-- DBeaver: rules; same
SELECT r.oid, r.rulename FROM pg_catalog.pg_rewrite r WHERE r.ev_class = 'sales.orders'::regclass;
-- DBeaver: sizes of tables
SELECT relname, pg_catalog.pg_total_relation_size(oid) AS total_rel_size, pg_catalog.pg_relation_size(oid) AS rel_size FROM pg_catalog.pg_class WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'sales') AND relkind = 'r' ORDER BY 1;
-- DBeaver: roles
SELECT a.oid, a.rolname, pd.description FROM pg_catalog.pg_roles a LEFT JOIN pg_catalog.pg_shdescription pd ON a.oid = pd.objoid ORDER BY a.rolname;
-- DBeaver: extensions; same
SELECT e.oid, e.extname FROM pg_catalog.pg_extension e WHERE e.extname <> 'plpgsql' ORDER BY e.oid;
-- DBeaver: tablespaces
SELECT t.oid, t.spcname, pg_tablespace_location(t.oid) AS loc FROM pg_catalog.pg_tablespace t ORDER BY t.oid;
-- DBeaver: what of a view
SELECT pg_catalog.pg_get_viewdef('sales.v'::regclass, true) AS definition;

-- Tableau: start; same
SET DateStyle = 'ISO';
-- Tableau: tables; same
SELECT n.nspname, c.relname, c.relkind::text FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE relkind IN ('r', 'v', 'm', 'f', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1', 'system') AND n.oid = relnamespace ORDER BY nspname, relname;
-- Tableau: columns by psqlODBC
SELECT n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid, pg_get_expr(d.adbin, d.adrelid), CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE 0 END, t.typtypmod, c.relhassubclass FROM (((pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND c.relname = 'orders' AND n.nspname = 'sales') INNER JOIN pg_catalog.pg_attribute a ON (NOT a.attisdropped) AND a.attnum > 0 AND a.attrelid = c.oid) INNER JOIN pg_catalog.pg_type t ON t.oid = a.atttypid) LEFT OUTER JOIN pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum ORDER BY n.nspname, c.relname, attnum;
-- Tableau: primary key by psqlODBC; same
SELECT ta.attname, ia.attnum, ic.relname, n.nspname, tc.relname FROM pg_catalog.pg_attribute ta, pg_catalog.pg_attribute ia, pg_catalog.pg_class tc, pg_catalog.pg_index i, pg_catalog.pg_namespace n, pg_catalog.pg_class ic WHERE tc.relname = 'orders' AND n.nspname = 'sales' AND tc.oid = i.indrelid AND n.oid = tc.relnamespace AND i.indisprimary = 't' AND ia.attrelid = i.indexrelid AND ta.attrelid = i.indrelid AND ta.attnum = i.indkey[ia.attnum-1] AND (NOT ta.attisdropped) AND (NOT ia.attisdropped) AND ic.oid = i.indexrelid ORDER BY ia.attnum;
-- Tableau: what the server can; same
SELECT 1 AS "x" FROM (SELECT 1 AS "one") "t" HAVING count(1) > 0;
-- Tableau: a view by month; same
SELECT date_trunc('MONTH', CAST("orders"."ts" AS timestamp)) AS "tmn", sum("orders"."amt") AS "sum" FROM "sales"."orders" "orders" WHERE id = 1 GROUP BY 1;
-- Tableau: a view by parts; same
SELECT CAST(TRUNC(EXTRACT(YEAR FROM "orders"."ts")) AS integer) AS "yr", CAST(TRUNC(EXTRACT(QUARTER FROM "orders"."ts")) AS integer) AS "qr", sum(1) AS "n" FROM "sales"."orders" "orders" WHERE id = 1 GROUP BY 1, 2;

-- HeidiSQL: databases
SELECT "datname" FROM "pg_catalog"."pg_database" WHERE datistemplate = FALSE ORDER BY 1;
-- HeidiSQL: schemas; same
SELECT "nspname" FROM "pg_catalog"."pg_namespace" WHERE nspname = 'sales' ORDER BY "nspname";
-- HeidiSQL: tables with sizes
SELECT *, pg_table_size(QUOTE_IDENT(t.TABLE_SCHEMA) || '.' || QUOTE_IDENT(t.TABLE_NAME))::bigint AS data_length, pg_relation_size(QUOTE_IDENT(t.TABLE_SCHEMA) || '.' || QUOTE_IDENT(t.TABLE_NAME))::bigint AS index_length, c.reltuples, obj_description(c.oid) AS comment FROM "information_schema"."tables" AS t LEFT JOIN "pg_namespace" n ON t.table_schema = n.nspname LEFT JOIN "pg_class" c ON n.oid = c.relnamespace AND c.relname = t.table_name WHERE t."table_schema" = 'sales';
-- HeidiSQL: columns; same
SELECT DISTINCT a.attname AS column_name, a.attnum, a.atttypid, FORMAT_TYPE(a.atttypid, a.atttypmod) AS data_type, CASE a.attnotnull WHEN false THEN 'YES' ELSE 'NO' END AS IS_NULLABLE, com.description AS column_comment, pg_get_expr(def.adbin, def.adrelid) AS column_default, NULL AS character_maximum_length FROM pg_attribute AS a JOIN pg_class AS pgc ON pgc.oid = a.attrelid LEFT JOIN pg_description AS com ON (pgc.oid = com.objoid AND a.attnum = com.objsubid) LEFT JOIN pg_attrdef AS def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum) WHERE a.attnum > 0 AND pgc.oid = a.attrelid AND pg_table_is_visible(pgc.oid) IS NOT NULL AND NOT a.attisdropped AND pgc.relname = 'orders' AND a.attname <> 'tags' ORDER BY a.attnum;
-- HeidiSQL: what runs
SELECT pid, usename, state FROM pg_stat_activity WHERE pid = pg_backend_pid();

-- Django: keys and indexes of a table, with the order of their columns; same
SELECT indexname, array_agg(attname ORDER BY arridx), indisunique, indisprimary, array_agg(ordering ORDER BY arridx), amname, exprdef, s2.attoptions FROM (SELECT c2.relname AS indexname, idx.*, attr.attname, am.amname, CASE WHEN idx.indexprs IS NOT NULL THEN pg_get_indexdef(idx.indexrelid) END AS exprdef, CASE am.amname WHEN 'btree' THEN CASE (option & 1) WHEN 1 THEN 'DESC' ELSE 'ASC' END END AS ordering, c2.reloptions AS attoptions FROM (SELECT * FROM pg_index i, unnest(i.indkey, i.indoption) WITH ORDINALITY koi(key, option, arridx)) idx LEFT JOIN pg_class c ON idx.indrelid = c.oid LEFT JOIN pg_class c2 ON idx.indexrelid = c2.oid LEFT JOIN pg_am am ON c2.relam = am.oid LEFT JOIN pg_attribute attr ON attr.attrelid = c.oid AND attr.attnum = idx.key WHERE c.relname = 'orders') s2 GROUP BY indexname, indisunique, indisprimary, amname, exprdef, attoptions;
