-- What SELECT can say. A statement a line; it runs, and equals what DuckDB alone answers over the same rows, names and types of columns
-- included. Rows are compared in order where the statement has ORDER BY. Those behind a line "refused: words" are refused, by an error
-- with these words. The list may only grow.
--
-- silver.calls(id INT, berth VARCHAR, ship VARCHAR, arrived TIMESTAMP, tons DOUBLE) has 12 rows; silver.ships(ship VARCHAR, built INT, flag VARCHAR)
-- has 4; silver.tides(at TIMESTAMP, height DOUBLE) has 8.

-- queries and their clauses
SELECT * FROM calls ORDER BY id
SELECT id, berth AS b, tons * 2 AS twice FROM silver.calls WHERE tons > 100 ORDER BY 1
FROM calls
FROM calls SELECT berth, count(*) GROUP BY berth
FROM calls WHERE id > 3 ORDER BY id LIMIT 2 OFFSET 1
SELECT DISTINCT berth FROM calls
SELECT DISTINCT ON (berth) berth, id FROM calls ORDER BY berth, id
SELECT id FROM calls ORDER BY tons DESC NULLS LAST, id LIMIT 3
SELECT id FROM calls ORDER BY ALL DESC LIMIT 4
SELECT id FROM calls ORDER BY id LIMIT 50%
SELECT berth, count(*) AS n FROM calls GROUP BY ALL HAVING n > 2
SELECT berth, sum(tons) FROM calls GROUP BY 1 ORDER BY 1
SELECT upper(berth) AS b, count(*) FROM calls GROUP BY b ORDER BY b
VALUES (1, 'a'), (2, 'b'), (3, NULL)
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(n, s) WHERE n > 1
SELECT 1 AS one, 'x' AS s, NULL AS nothing, true AS yes
SELECT calls.id, silver.calls.berth, lake.silver.calls.tons FROM lake.silver.calls ORDER BY id
SELECT c.id FROM calls AS c(id, place) WHERE c.place = 'A1' ORDER BY 1
SELECT id AS "Odd Name", berth AS "select" FROM calls ORDER BY 1
SELECT berth FROM calls WHERE berth LIKE 'A%' AND ship NOT ILIKE '%x%' AND id BETWEEN 2 AND 9 ORDER BY id
SELECT id FROM calls WHERE ship SIMILAR TO 'M.*' OR berth IN ('B1', 'C1') ORDER BY id
SELECT id FROM calls WHERE tons IS NULL OR berth IS DISTINCT FROM 'A1' ORDER BY id
SELECT id, CASE WHEN tons > 300 THEN 'large' WHEN tons IS NULL THEN 'unknown' ELSE 'small' END AS size FROM calls ORDER BY id
SELECT CASE berth WHEN 'A1' THEN 1 ELSE 0 END AS first, count(*) FROM calls GROUP BY 1 ORDER BY 1
SELECT coalesce(tons, 0), nullif(berth, 'A1'), ifnull(tons, -1), if(id > 3, 'late', 'early') FROM calls ORDER BY id
TABLE ships

-- subqueries
SELECT (SELECT max(built) FROM ships) AS newest
SELECT id, (SELECT flag FROM ships s WHERE s.ship = c.ship) AS flag FROM calls c ORDER BY id
SELECT id FROM calls WHERE ship IN (SELECT ship FROM ships WHERE built > 2000) ORDER BY id
SELECT id FROM calls WHERE ship NOT IN (SELECT ship FROM ships WHERE built > 2000) ORDER BY id
SELECT ship FROM ships s WHERE EXISTS (SELECT 1 FROM calls c WHERE c.ship = s.ship AND tons > 400) ORDER BY 1
SELECT ship FROM ships s WHERE NOT EXISTS (FROM calls c WHERE c.ship = s.ship) ORDER BY 1
SELECT id FROM calls WHERE tons > ALL (SELECT tons FROM calls WHERE berth = 'A1' AND tons IS NOT NULL) ORDER BY 1
SELECT id FROM calls WHERE tons = ANY (SELECT max(tons) FROM calls GROUP BY berth) ORDER BY 1
SELECT id FROM calls WHERE (berth, ship) IN (SELECT berth, ship FROM calls WHERE id < 3) ORDER BY 1
SELECT * FROM (SELECT berth, max(tons) AS m FROM calls GROUP BY berth) WHERE m > 200 ORDER BY 1
SELECT berth, count(*) FROM calls GROUP BY berth HAVING count(*) > (SELECT min(n) FROM (SELECT count(*) AS n FROM calls GROUP BY berth)) ORDER BY 1
SELECT id FROM calls ORDER BY (SELECT built FROM ships s WHERE s.ship = calls.ship) NULLS LAST, id
SELECT id FROM calls ORDER BY id LIMIT (SELECT count(*) FROM ships) OFFSET (SELECT 1)
SELECT ARRAY(SELECT id FROM calls WHERE berth = 'A1' ORDER BY id) AS ids
SELECT x, (SELECT sum(y) FROM (SELECT x * z AS y FROM range(3) t(z))) AS s FROM range(4) r(x) ORDER BY x

-- WITH
WITH a AS (SELECT id, tons FROM calls), b AS (SELECT max(tons) AS m FROM a) SELECT id FROM a, b WHERE a.tons = b.m
WITH a(n) AS (SELECT id FROM calls) SELECT sum(n) FROM a
WITH a AS MATERIALIZED (SELECT * FROM calls) SELECT count(*) FROM a x JOIN a y USING (id)
WITH a AS NOT MATERIALIZED (SELECT * FROM calls) SELECT count(*) FROM a
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT sum(n), count(*) FROM r
WITH RECURSIVE r(n, p) AS (SELECT 1, [1] UNION ALL SELECT n * 2, list_append(p, n * 2) FROM r WHERE n < 50) SELECT * FROM r ORDER BY n
WITH RECURSIVE r AS (SELECT 0 AS n UNION SELECT (n + 3) % 10 FROM r) SELECT n FROM r ORDER BY n
WITH RECURSIVE r(k, v) USING KEY (k) AS (SELECT 1, 1 UNION SELECT k, v + 1 FROM r WHERE v < 5) SELECT * FROM r
WITH calls AS (SELECT 99 AS id) SELECT id FROM calls
SELECT * FROM (WITH a AS (SELECT 7 AS n) SELECT n FROM a) q
WITH a AS (SELECT 1 AS n), b AS (WITH a AS (SELECT 2 AS n) SELECT n FROM a) SELECT a.n, b.n FROM a, b
WITH RECURSIVE far(a, b) AS (SELECT id, id + 1 FROM calls UNION SELECT x.a, y.b FROM recurring.far x, recurring.far y WHERE x.b = y.a) SELECT count(*) AS n, max(b - a) AS most FROM far
WITH RECURSIVE r(k, n) USING KEY (k) AS (SELECT 1, 1 UNION SELECT k % 3 + 1, n + 1 FROM (FROM r) WHERE n + (SELECT count(*) FROM recurring.r) < 12) SELECT * FROM r ORDER BY k

-- joins
SELECT c.id, s.flag FROM calls c JOIN ships s ON c.ship = s.ship ORDER BY 1
SELECT c.id, s.flag FROM calls c LEFT JOIN ships s USING (ship) ORDER BY 1
SELECT s.ship, count(c.id) FROM calls c RIGHT JOIN ships s ON c.ship = s.ship GROUP BY 1 ORDER BY 1
SELECT c.ship, s.ship FROM (SELECT DISTINCT ship FROM calls) c FULL JOIN ships s ON c.ship = s.ship ORDER BY ALL
SELECT count(*) FROM calls CROSS JOIN ships
SELECT count(*) FROM calls, ships WHERE tons > built / 10
SELECT id, flag FROM calls NATURAL JOIN ships ORDER BY id
SELECT id FROM calls SEMI JOIN ships USING (ship) ORDER BY 1
SELECT id FROM calls ANTI JOIN ships USING (ship) ORDER BY 1
SELECT c.id, t.height FROM calls c ASOF JOIN tides t ON c.arrived >= t.at ORDER BY 1
SELECT c.id, t.height FROM calls c ASOF LEFT JOIN tides t ON c.arrived >= t.at ORDER BY 1
SELECT a.n, b.m FROM (SELECT unnest([1, 2, 3]) AS n) a POSITIONAL JOIN (SELECT unnest([7, 8]) AS m) b ORDER BY 1
SELECT a.id, b.id FROM calls a JOIN calls b ON a.ship = b.ship AND a.id < b.id ORDER BY ALL
SELECT c.id, l.m FROM calls c, LATERAL (SELECT max(height) AS m FROM tides t WHERE t.at <= c.arrived) l ORDER BY 1
SELECT c.id, l.v FROM calls c, (SELECT c.id * 10 AS v) l ORDER BY 1
SELECT s.ship, l.id FROM ships s LEFT JOIN LATERAL (SELECT id FROM calls c WHERE c.ship = s.ship ORDER BY tons DESC NULLS LAST LIMIT 1) l ON true ORDER BY 1
SELECT r, u FROM range(3) t(r), unnest([r, r * 10]) v(u) ORDER BY ALL
SELECT * FROM calls c JOIN ships s ON c.ship = s.ship AND s.built BETWEEN 1990 AND 2010 ORDER BY id

-- set operations
SELECT id FROM calls WHERE id < 3 UNION SELECT id FROM calls WHERE id < 5 ORDER BY 1
SELECT 1 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 ORDER BY n
SELECT ship FROM calls INTERSECT SELECT ship FROM ships ORDER BY 1
SELECT ship FROM ships EXCEPT SELECT ship FROM calls ORDER BY 1
SELECT ship FROM calls INTERSECT ALL SELECT ship FROM calls WHERE id < 4 ORDER BY 1
SELECT ship FROM calls EXCEPT ALL SELECT ship FROM ships ORDER BY 1
SELECT id, berth FROM calls WHERE id < 2 UNION BY NAME SELECT ship, id FROM calls WHERE id = 2 ORDER BY id
SELECT 1 AS a, 2 AS b UNION ALL BY NAME SELECT 3 AS b, 4 AS c ORDER BY ALL
(SELECT 1 AS n UNION SELECT 2) EXCEPT (SELECT 2) ORDER BY n
(SELECT id FROM calls ORDER BY id LIMIT 1) UNION ALL (SELECT id FROM calls ORDER BY id DESC LIMIT 1) ORDER BY 1

-- grouping
SELECT berth, ship, count(*) FROM calls GROUP BY GROUPING SETS ((berth), (ship), ()) ORDER BY ALL
SELECT berth, ship, sum(tons) FROM calls GROUP BY ROLLUP (berth, ship) ORDER BY ALL
SELECT berth, ship, count(*), grouping(berth, ship) FROM calls GROUP BY CUBE (berth, ship) ORDER BY ALL
SELECT count(DISTINCT berth), sum(tons) FILTER (WHERE id > 4), count_if(tons > 100) FROM calls
SELECT string_agg(berth, ',' ORDER BY id DESC), list(id ORDER BY tons NULLS LAST, id), array_agg(DISTINCT berth ORDER BY berth) FROM calls
SELECT any_value(berth), first(id ORDER BY id), last(id ORDER BY id), arg_max(ship, tons), max_by(id, tons), min(tons, 2) FROM calls
SELECT median(tons), mode(berth), quantile_cont(tons, 0.9), quantile_disc(id, [0.25, 0.5]), stddev(tons), var_pop(tons) FROM calls
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY tons) FROM calls
SELECT approx_count_distinct(berth) > 0, histogram(berth), bool_and(id > 0), bit_or(id), corr(id, tons), entropy(berth) FROM calls
SELECT listagg(ship, '; ') FROM (SELECT DISTINCT ship FROM calls ORDER BY ship)
SELECT sum(id), typeof(sum(id)), avg(id), typeof(avg(id)) FROM calls
SELECT berth, COLUMNS(c -> c IN ('id', 'tons')) FROM calls ORDER BY id

-- windows
SELECT id, row_number() OVER (ORDER BY tons DESC NULLS LAST, id) AS r FROM calls ORDER BY id
SELECT id, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w, ntile(3) OVER w FROM calls WINDOW w AS (ORDER BY berth) ORDER BY id
SELECT id, lag(id) OVER (ORDER BY id), lead(id, 2, -1) OVER (ORDER BY id), first_value(ship) OVER (PARTITION BY berth ORDER BY id), last_value(ship) OVER (PARTITION BY berth ORDER BY id), nth_value(id, 2) OVER (ORDER BY id) FROM calls ORDER BY id
SELECT id, sum(tons) OVER (PARTITION BY berth ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM calls ORDER BY id
SELECT id, avg(tons) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM calls ORDER BY id
SELECT id, count(*) OVER (ORDER BY arrived RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW) FROM calls ORDER BY id
SELECT id, count(*) OVER (ORDER BY berth GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM calls ORDER BY id
SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW) FROM calls ORDER BY id
SELECT id, sum(id) OVER (ORDER BY berth RANGE UNBOUNDED PRECEDING EXCLUDE TIES) FROM calls ORDER BY id
SELECT id, count(*) FILTER (WHERE tons > 100) OVER (PARTITION BY berth) FROM calls ORDER BY id
SELECT id, lag(tons IGNORE NULLS) OVER (ORDER BY id), last_value(tons IGNORE NULLS) OVER (ORDER BY id) FROM calls ORDER BY id
SELECT id, count(DISTINCT berth) OVER (ORDER BY id) FROM calls ORDER BY id
SELECT id, rank(ORDER BY tons DESC NULLS LAST) OVER (ORDER BY id) FROM calls ORDER BY id
SELECT id, fill(tons) OVER (ORDER BY id) FROM calls ORDER BY id
SELECT id FROM calls QUALIFY row_number() OVER (PARTITION BY berth ORDER BY tons DESC NULLS LAST, id) = 1 ORDER BY id
SELECT id, sum(tons) OVER w AS s FROM calls WINDOW w AS (PARTITION BY berth) QUALIFY s > 500 ORDER BY id
SELECT id, list(id) OVER (ORDER BY id ROWS 1 PRECEDING) FROM calls ORDER BY id

-- pivots
SELECT * FROM calls PIVOT (sum(tons) FOR berth IN ('A1', 'B1')) ORDER BY id
SELECT * FROM (SELECT berth, ship, tons FROM calls) PIVOT (sum(tons) AS s, count(*) AS n FOR berth IN ('A1' AS a, 'B1' AS b) GROUP BY ship) ORDER BY ship
SELECT * FROM (SELECT id, tons, id * 2 AS twice FROM calls) UNPIVOT (value FOR name IN (tons, twice)) ORDER BY ALL
SELECT * FROM (SELECT id, tons, NULL::DOUBLE AS other FROM calls) UNPIVOT INCLUDE NULLS (value FOR name IN (tons, other)) ORDER BY ALL
SELECT * FROM (SELECT id, tons, id * 2 AS twice FROM calls) UNPIVOT (value FOR name IN (COLUMNS(* EXCLUDE (id)))) ORDER BY ALL
PIVOT calls ON berth USING sum(tons) GROUP BY ship ORDER BY ship
PIVOT calls ON berth USING count(*) GROUP BY ship ORDER BY ship
PIVOT calls ON berth IN ('A1', 'B1') USING sum(tons) AS s, max(id) AS m GROUP BY ship ORDER BY ship
PIVOT (SELECT berth, ship FROM calls) ON berth, ship USING count(*)
WITH p AS (PIVOT calls ON berth USING count(*) GROUP BY ship) SELECT * FROM p ORDER BY ship
SELECT * FROM (PIVOT calls ON berth USING count(*) GROUP BY ship) ORDER BY ship
UNPIVOT (SELECT id, tons, id * 2.0::DOUBLE AS twice FROM calls) ON tons, twice INTO NAME n VALUE v ORDER BY ALL
UNPIVOT (SELECT id, tons, id * 2.0::DOUBLE AS twice FROM calls) ON COLUMNS(* EXCLUDE (id)) ORDER BY ALL
SELECT * FROM (UNPIVOT (SELECT id, tons, id * 2.0::DOUBLE AS twice FROM calls) ON tons, twice) ORDER BY ALL
PIVOT calls ON id % 3 USING count(*)
PIVOT calls ON id USING sum(tons) GROUP BY berth ORDER BY berth LIMIT 2
PIVOT calls ON year(arrived), berth IN ('A1') USING count(*) AS n GROUP BY ship ORDER BY ship
PIVOT (FROM calls c JOIN ships s USING (ship)) ON flag USING count(*) GROUP BY berth ORDER BY berth
WITH a AS (SELECT * FROM calls WHERE id > 2) PIVOT a ON berth USING count(*) GROUP BY ship ORDER BY ship
WITH a AS (SELECT * FROM calls WHERE id > 2), p AS (PIVOT a ON berth USING count(*) GROUP BY ship) SELECT p.* FROM p, a WHERE a.id = 3 ORDER BY ship
SELECT * FROM (PIVOT (PIVOT calls ON berth USING count(*) GROUP BY ship) ON ship USING first(A1))
PIVOT calls ON berth ORDER BY ALL
PIVOT_WIDER calls ON berth USING count(*) GROUP BY ship ORDER BY ship

-- what describes
SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM calls)
DESCRIBE SELECT id, tons * 2 AS twice FROM calls
SUMMARIZE SELECT id, berth, tons FROM calls
SELECT column_name, min, max, count FROM (SUMMARIZE SELECT id, berth FROM calls) ORDER BY 1

-- stars
SELECT * EXCLUDE (tons, arrived) FROM calls ORDER BY id
SELECT * EXCLUDE tons FROM calls ORDER BY id
SELECT * REPLACE (upper(ship) AS ship) FROM calls ORDER BY id
SELECT * RENAME (ship AS vessel) FROM calls ORDER BY id
SELECT c.* EXCLUDE (arrived), s.* FROM calls c JOIN ships s USING (ship) ORDER BY id
SELECT * EXCLUDE (c.ship) FROM calls c JOIN ships s ON c.ship = s.ship ORDER BY id
SELECT COLUMNS('^(id|tons)$') FROM calls ORDER BY id
SELECT max(COLUMNS(*)) FROM (SELECT id, tons FROM calls)
SELECT COLUMNS(* EXCLUDE (arrived))::VARCHAR FROM calls ORDER BY 1
SELECT min(COLUMNS(*)), count(COLUMNS(*)) FROM (SELECT id, tons FROM calls)
SELECT * LIKE 't%' FROM calls ORDER BY 1
SELECT * SIMILAR TO '(id|ship)' FROM calls ORDER BY id
SELECT COLUMNS('(.)d') AS 'col_\1' FROM calls ORDER BY 1
SELECT coalesce(*COLUMNS(* EXCLUDE (id, arrived, tons))) FROM calls ORDER BY 1
SELECT struct_pack(*COLUMNS('^(id|tons)$')) FROM calls ORDER BY 1
SELECT id FROM calls WHERE COLUMNS(* EXCLUDE (arrived)) IS NOT NULL ORDER BY id
SELECT #1, #2 FROM calls ORDER BY #1
SELECT c FROM calls c ORDER BY c.id LIMIT 2

-- sampling: all of it, for nothing else is the same twice
SELECT count(*) FROM calls TABLESAMPLE 100%
SELECT count(*) FROM calls USING SAMPLE 100 PERCENT (bernoulli)
SELECT count(*) FROM (SELECT * FROM calls USING SAMPLE reservoir(5 ROWS) REPEATABLE (42))
SELECT count(*) FROM (SELECT * FROM calls USING SAMPLE 3)
SELECT count(*) FROM calls TABLESAMPLE system(100 PERCENT)

-- lists, structs, maps, unions, lambdas
SELECT [1, 2, 3], [], ['a', NULL], [1, 2, 3][2], [1, 2, 3][2:], [1, 2, 3, 4][1:4:2], [1, 2, 3][-1]
SELECT 'harbour'[2:4], 'harbour'[-3:], 'harbour'[1]
SELECT list_transform([1, 2, 3], x -> x + 1), list_filter([1, 2, 3], lambda x: x > 1), list_reduce([1, 2, 3], (a, b) -> a + b)
SELECT list_transform([10, 20], lambda x, i: x + i) AS l, list_transform([[1], [2, 3]], lambda l: list_sum(l))
SELECT [x * 2 FOR x IN [1, 2, 3] IF x > 1], [upper(b) FOR b IN list_sort(['x', 'a'])]
SELECT id, [t * id FOR t IN [1, 2]] AS l FROM calls ORDER BY id
SELECT {'a': 1, 'b': {'c': 'x'}}, struct_pack(k := id, v := berth).k, {'k': id}['k'] FROM calls ORDER BY id
SELECT row(1, 'a'), (1, 'a'), struct_extract({'a': 5}, 'a'), struct_insert({'a': 1}, b := 2), s.* FROM (SELECT {'p': 1, 'q': 2} AS s)
SELECT unnest({'a': 1, 'b': 2}), unnest([1, 2]) AS l ORDER BY l
SELECT unnest([{'a': 1, 'b': [3]}, {'a': 2, 'b': []}], recursive := true)
SELECT unnest([[1, 2], [3]], max_depth := 2) AS n ORDER BY n
SELECT MAP {'a': 1, 'b': 2}, MAP(['k'], [9])['k'], map_keys(MAP {'x': 1}), map_entries(MAP {'x': 1}), cardinality(MAP {'x': 1})
SELECT union_value(num := 2)::VARCHAR, union_tag(union_value(num := 2))::VARCHAR, union_extract(union_value(s := 'x'), 's')
SELECT [1, 2]::INTEGER[2], array_value(1.0, 2.0), array_distance([1, 2]::FLOAT[2], [3, 4]::FLOAT[2])
SELECT list_zip([1, 2], ['a', 'b']), flatten([[1], [2]]), list_distinct([1, 1]), list_aggregate([1, 2], 'sum'), array_to_string([1, 2], '-'), [1] || [2]
SELECT generate_series(1, 5, 2), range(3), list_contains([1, 2], 2), 2 IN [1, 2], list_slice([1, 2, 3], 1, 2), list_has_any([1], [1, 2]), [1, 2] && [2, 3], [1, 2] @> [1]
SELECT ('Mermaid').lower().reverse(), [3, 1].list_sort(), berth.lower() AS low FROM calls ORDER BY id
SELECT list_transform(list(id), x -> x + 1) FROM (SELECT id FROM calls ORDER BY id)
SELECT try(1 / 0), TRY(CAST('x' AS INTEGER))

-- values and types
SELECT DATE '2026-01-31' + INTERVAL 1 MONTH, TIMESTAMP '2026-01-02 03:04:05' - INTERVAL '2' HOUR, TIME '03:04:05', INTERVAL '1 day 2 hours'
SELECT TIMESTAMPTZ '2026-01-02 03:04:05+02' AT TIME ZONE 'Europe/Paris', TIMESTAMP '2026-07-02 03:04:05' AT TIME ZONE 'America/New_York'
SELECT 1::TINYINT, 2::SMALLINT, 3::BIGINT, 4::HUGEINT, 5::UTINYINT, 6::UBIGINT, 1.5::FLOAT, 2.5::DOUBLE, 1.25::DECIMAL(10, 3), '\xAB'::BLOB, '5b6a7a9e-0000-4000-8000-000000000001'::UUID
SELECT CAST('7' AS INTEGER), TRY_CAST('x' AS INTEGER), '1,2'::VARCHAR, 'true'::BOOLEAN, '{"a": 1}'::JSON, 'a'::ENUM('a', 'b')
SELECT 7 / 2, 7 // 2, 7 % 2, 7.0 / 2, -7 / 2, 2 ** 3, 2 ^ 3, 5 & 3, 5 | 3, xor(5, 3), ~5, 1 << 3, 10 >> 1, 5!, @(-3)
SELECT 1e300 * 1e10, 2.5e-3 + 1e0, -1e2, [1e3], 1e3 > 5, typeof(7e0 / 2) AS t FROM calls WHERE tons > 1e2 ORDER BY id + 1e0 LIMIT 2
SELECT 1_000_000, 1e3, 0xFF, 0b101, .5, 'it''s', E'a\tb', $$dollar$$, 'a' || 'b', 'a' < 'b'
SELECT extract(year FROM arrived), date_part('hour', arrived), date_trunc('day', arrived), strftime(arrived, '%d.%m.%Y'), dayname(arrived) FROM calls ORDER BY id
SELECT epoch(arrived), age(arrived, TIMESTAMP '2026-01-01'), date_diff('day', TIMESTAMP '2025-12-31', arrived), time_bucket(INTERVAL 1 WEEK, arrived), last_day(arrived) FROM calls ORDER BY id
SELECT regexp_matches(ship, '^M'), regexp_replace(ship, '[aeiou]', '', 'g'), regexp_extract(ship, '(.).', 1), split_part(ship, ' ', 1), ship ~ 'M.*' FROM calls ORDER BY id
SELECT substring('harbour' FROM 2 FOR 3), position('b' IN 'harbour'), trim(BOTH 'x' FROM 'xax'), lpad('7', 3, '0'), concat_ws('-', 1, NULL, 2), format('{:05.1f}', 3.14), printf('%d', 3)
SELECT json_extract('{"a": [1, 2]}', '$.a[1]'), '{"a": {"b": 3}}' -> 'a' ->> 'b', json_extract_string('{"x": "y"}', '$.x'), to_json({'k': 1}), json_array_length('[1, 2]'), json_type('1')
SELECT * FROM json_each('{"a": 1, "b": 2}')
SELECT key, value FROM json_tree('{"a": [1, 2]}') ORDER BY id
SELECT from_json('{"a": 1}', '{"a": "INTEGER"}'), json_transform('{"a": [1]}', '{"a": ["BIGINT"]}')
SELECT berth COLLATE NOCASE FROM calls WHERE berth COLLATE NOCASE = 'a1' ORDER BY id
SELECT id FROM calls ORDER BY ship COLLATE NOACCENT, id
SELECT a + 1 AS b, b * 2 AS c FROM (SELECT 1 AS a)
SELECT x: id, y: tons FROM calls ORDER BY x
SELECT sum(CASE WHEN berth = 'A1' THEN tons END), greatest(1, 3, 2), least('b', 'a'), sign(-2), round(2.567, 2), trunc(2.9), ceil(2.1) FROM calls
SELECT hash(1) = hash(1), md5('x'), sha256('x'), to_base64('x'::BLOB), url_encode('a b'), bar(3, 0, 10), levenshtein('ab', 'ac'), unicode('a'), chr(65)
SELECT NULL IS NULL, true AND NULL, NOT false, 1 IS NOT DISTINCT FROM 1
SELECT grouping_id(berth), berth FROM calls GROUP BY ROLLUP (berth) ORDER BY ALL
SELECT 'a' IN ('a', 'b'), 3 NOT IN (1, 2), (1, 2) = (1, 2), (1, 2) < (1, 3), [1, 2] < [1, 3]
SELECT 42. AS d, 42. / 4 AS q, -7. AS n, typeof(12345678901234567890.) AS t, [1., 2.5] AS l, id FROM calls WHERE id = 3. ORDER BY 1
SELECT calls.ship.upper() AS u, c.berth.lower().len() AS n FROM calls, calls c WHERE calls.id = c.id ORDER BY calls.id

-- types that no answer can have, within a query
SELECT id, (id::UHUGEINT * 340282366920938463463374607431768211455 // 7)::VARCHAR AS u FROM calls WHERE id = 1
SELECT id FROM calls WHERE id::UHUGEINT > 9::UHUGEINT ORDER BY id
SELECT '101'::BIT::VARCHAR AS b, bit_count('1011'::BIT) AS n, ('1100'::BIT & '0110'::BIT)::VARCHAR AS a
SELECT bitstring('0101', 8)::VARCHAR AS b, get_bit('0110'::BIT, 1) AS g, set_bit('0110'::BIT, 0, 1)::VARCHAR AS s, bit_position('010'::BIT, '1110101'::BIT) AS p
SELECT '01:02:03+02'::TIMETZ < '01:02:03+01'::TIMETZ AS earlier, extract(timezone_hour FROM TIMETZ '01:02:03+02') AS zone, (TIMETZ '01:02:03+02')::VARCHAR AS t
SELECT (123456789012345678901234567890::BIGNUM)::VARCHAR AS n
SELECT md5_number(ship)::VARCHAR AS h FROM ships ORDER BY 1
SELECT hash(md5_number('a')) = hash(md5_number('a')) AS same
SELECT enum_code('b'::ENUM('a', 'b')) AS code, constant_or_null(1, NULL) AS nothing, can_cast_implicitly(1, NULL::BIGINT) AS can
SELECT ship FROM ships ORDER BY create_sort_key(ship, 'DESC NULLS LAST')

-- functions in FROM
SELECT * FROM range(3)
SELECT * FROM range(10, 0, -3) t(n)
SELECT * FROM generate_series(1, 3) g(n) ORDER BY n
SELECT * FROM range(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-03', INTERVAL 1 DAY)
SELECT * FROM generate_series(DATE '2026-01-01', DATE '2026-01-03', INTERVAL 1 DAY)
SELECT * FROM unnest([1, 2]) u(n)
SELECT * FROM unnest(['a', 'b']) WITH ORDINALITY u(v, n)
SELECT n, i FROM unnest([7, 8]) WITH ORDINALITY AS u(n, i) ORDER BY i
SELECT * FROM repeat('x', 3)
SELECT * FROM repeat_row(1, 'a', num_rows := 2)
SELECT r.* FROM calls c, range(c.id) r WHERE c.id < 4 ORDER BY ALL

-- refused: the function query cannot be used here
SELECT * FROM query('SELECT 1')
-- refused: the function query_table cannot be used here
SELECT * FROM query_table('calls')
-- refused: the function getvariable cannot be used here
SELECT getvariable('x')
-- refused: the function current_setting cannot be used here
SELECT current_setting('threads')
-- refused: the function bitstring_agg cannot be used here
SELECT bitstring_agg(id, 1, 12)::VARCHAR FROM calls
-- refused: the function error cannot be used here
SELECT error('x')
-- refused: the function nextval cannot be used here
SELECT nextval('s')
-- refused: the function setseed cannot be used here
SELECT setseed(0.5)
-- refused: the function read_parquet cannot be used here
SELECT * FROM read_parquet('x.parquet')
-- refused: the function glob cannot be used here
SELECT * FROM glob('*')
-- refused: the function overlay cannot be used here
SELECT overlay('abcdef' PLACING 'X' FROM 2 FOR 3)
-- refused: a form of the statement cannot be used here: expression type
SELECT 3 BETWEEN SYMMETRIC 5 AND 1
-- refused: PIVOT found no values
PIVOT (SELECT * FROM calls WHERE false) ON berth USING count(*)
-- refused: PIVOT of a join cannot be used here
PIVOT calls JOIN ships USING (ship) ON flag USING count(*)
-- refused: PIVOT would make more than 1000 columns
PIVOT (SELECT * FROM range(1001)) ON range USING count(*)
-- refused: there is no table secret
PIVOT secret ON x USING count(*)
-- refused: the function getvariable cannot be used here
PIVOT calls ON getvariable('x') USING count(*)
-- refused: parameters cannot be used here
SELECT ?
SELECT $1
SELECT $name
-- refused: the type UHUGEINT cannot be used here
SELECT 1::UHUGEINT
SELECT 340282366920938463463374607431768211455
SELECT [{'n': 1::UHUGEINT}]
SELECT u FROM (SELECT id::UHUGEINT AS u FROM calls)
-- refused: the type BIT cannot be used here
SELECT '101'::BIT
-- refused: the type TIME WITH TIME ZONE cannot be used here
SELECT '01:02:03+02'::TIMETZ
-- refused: there is more than one statement
SELECT 1; SELECT 2
