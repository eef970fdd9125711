SELECT 1/0
SELECT 7/2, 7/-2, -7 % 3, mod(7, 3), 1.5 / 0.5 > 2
SELECT 1 % 0
SELECT mod(5, 0)
SELECT 1.5/0
SELECT 1e0/0e0
SELECT div(7, 0)
SELECT 10/i FROM (VALUES (0)) t(i)
SELECT sum(i)/count(i)::numeric > 1 FROM (VALUES (1),(4)) t(i)
SELECT (((8/2)/2)/2)/2
SELECT CASE WHEN i = 0 THEN 0 ELSE 10/i END FROM (VALUES (0), (5)) t(i)
SELECT round(2.5e0::float8), round(0.5::float8), round(-2.5::float8), round(3.5::float8)
SELECT round(2.5), round(-2.5), round(2.567, 2)
SELECT extract(year from timestamp '2026-01-02 03:04:05.5')
SELECT extract(second from timestamp '2026-01-02 03:04:05.5')
SELECT extract(epoch from timestamp '2026-01-02 03:04:05.5')
SELECT extract(ms from timestamp '2026-01-02 03:04:05.5')
SELECT extract(hour from timestamp '2026-01-02 03:04:05.5') / 2 > 1.4
SELECT date_part('year', timestamp '2026-01-02 03:04:05.5')
SELECT date_part('second', timestamp '2026-01-02 03:04:05.5'), DATE_PART('dow', date '2026-01-02'), pg_catalog.date_part('epoch', timestamp '2026-01-02 03:04:05.5')
SELECT extract(dow from date '2026-01-04'), extract(isodow from date '2026-01-04'), extract(week from date '2026-01-04'), extract(quarter from date '2026-01-04')
SELECT regexp_matches('a1b2', '([a-z])([0-9])')
SELECT regexp_matches('a1b2', '([a-z])([0-9])', 'g')
SELECT * FROM regexp_matches('a1b2', '[a-z]', 'g')
SELECT regexp_matches('abc', 'z')
SELECT x FROM regexp_matches('a1B2', '([a-z])[0-9]', 'gi') x
SELECT pg_size_pretty(0::bigint), pg_size_pretty(10239::bigint), pg_size_pretty(10240::bigint), pg_size_pretty(1234567::bigint), pg_size_pretty(12345678901::bigint), pg_size_pretty(123456789012345::bigint)
SELECT count(*) FROM (VALUES (1),(2)) t(i)
SELECT date '2026-01-05' + 1
SELECT now() - now()
SELECT row_number() OVER (), rank() OVER (ORDER BY 1)
SELECT power(2, 3), sqrt(4), ceil(1.5), floor(-1.5::float8)
SELECT log(100), ln(1), exp(0)
SELECT 'a' || 1, concat('a', null, 1)
SELECT to_char(timestamp '2026-01-02 03:04:05', 'Month DD'), to_char(timestamp '2026-01-02 03:04:05', 'Day'), to_char(timestamp '2026-01-02 03:04:05', 'MON')
SELECT to_char(timestamp '2026-01-02 03:04:05', 'YYYY-"Q"Q')
SELECT coalesce(null, 1), nullif(1, 1), greatest(1, null, 2)
SELECT true::int AS a, 1::boolean, 'yes'::boolean
SELECT interval '1 month' , interval '36 hours', age(timestamp '2026-03-01', timestamp '2026-01-15')
SELECT cast(2.5 as integer), cast(2.5::float8 as integer) AS a, 3.5::float8::int AS b
SELECT array[1,2] , array_agg(i) FROM (VALUES (1)) t(i) GROUP BY 1
SELECT current_date IS NOT NULL, current_timestamp IS NOT NULL, localtime IS NOT NULL
SELECT string_agg(i::text, ',' ORDER BY i DESC) FROM (VALUES (1),(2)) t(i)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY i) AS p FROM (VALUES (1),(2)) t(i)
SELECT bool_and(i > 0), every(i > 0), bit_or(i) FROM (VALUES (1),(2)) t(i)
SELECT length('abc'), position('b' in 'abc'), strpos('abc', 'c'), char_length('abc')
SELECT to_char(timestamp '2026-01-02 03:04:05', 'FMMonth FMDD'), to_char(timestamp '2026-01-02 03:04:05', 'month|day|DY|dy|mon')
SELECT to_char(timestamp '2026-12-31 15:04:05', 'WW W D HH:MI am "of the day" DDD')
SELECT nope FROM pg_class
SELECT z.nope FROM pg_class t
SELECT * FROM nothing
SELECT * FROM no.nothing
SELECT 1 FROM
SELECT 1 +
SELECT 2147483647 + 1
SELECT 1/0
SELECT 1.5/0
SELECT 5 % 0
SELECT 1e0/0
SELECT abs('a', 'b')
SELECT 1::notype
SELECT 70000::smallint
SELECT (SELECT oid FROM pg_class)
SET TIME ZONE 'Europe/Paris'
SHOW TimeZone
SELECT timestamptz '2026-07-01 12:00', timestamptz '2026-01-01 12:00:00.5+00', '2026-07-01 23:30:00+00'::timestamptz::text AS t
SELECT timestamptz '2026-07-01 23:30:00+00' AS a, (timestamptz '2026-07-01 23:30:00+00')::date AS d, (timestamptz '2026-07-01 23:30:00+00')::timestamp AS b, timestamp '2026-07-01 12:00' AT TIME ZONE 'UTC'
SELECT date_trunc('day', timestamptz '2026-07-01 23:30:00+00'), extract(hour from timestamptz '2026-07-01 12:00:00+00'), date_part('day', timestamptz '2026-07-01 23:30:00+00')
SELECT timestamptz '2026-03-29 00:30:00+00' + interval '1 day', timestamptz '2026-07-02 00:00' - timestamptz '2026-07-01 00:00', timestamptz '2026-07-01' = date '2026-07-01'
SELECT to_char(timestamptz '2026-07-01 12:00:00+00', 'YYYY-MM-DD HH24:MI'), array[timestamptz '2026-07-01 12:00:00+00']
SELECT g FROM generate_series(timestamptz '2026-03-28', timestamptz '2026-03-30', interval '1 day') g
SELECT timestamptz '1900-01-01 00:00:00+00', timestamptz 'infinity'
SELECT (timestamptz '2026-07-01 12:00:00+00') AT TIME ZONE 'America/New_York', current_setting('TimeZone')
SELECT ts::timestamptz AS moment FROM sales.orders WHERE id = 1
CREATE TABLE sales.zoned AS SELECT id, ts::timestamptz AS moment FROM sales.orders WHERE id = 1
INSERT INTO sales.zoned VALUES (2, '2026-07-01 12:00'), (3, '2026-07-01 12:00:00+00')
UPDATE sales.zoned SET moment = moment + interval '1 day' WHERE moment = '2026-07-01 14:00'
SELECT * FROM sales.zoned ORDER BY id
SELECT id FROM sales.zoned WHERE moment < '2026-07-01 12:30' AND moment::date = '2026-07-01'
DROP TABLE sales.zoned
SET TimeZone = 'Asia/Kolkata'
SELECT timestamptz '2026-07-01 12:00:00+00', date_trunc('hour', timestamptz '2026-07-01 12:00:00+00')
SET TimeZone = 'Nowhere/Else'
SHOW TIME ZONE
SET TIME ZONE -3
SELECT timestamptz '2026-07-01 12:00:00+00', extract(hour from timestamptz '2026-07-01 12:00:00+00')
SET TimeZone = 'GMT-01:00'
SELECT timestamptz '2026-07-01 12:00:00+00'
SET TimeZone = 'UTC'
SELECT '2026-07-01 12:00:00+02'::timestamp, '2026-07-01 23:00:00-03'::date
RESET TimeZone
SELECT timestamptz '2026-07-01 12:00'
SELECT 1.23456789012::float, cast(1.23456789012 as float), 0.1::float8 = 0.1::float AS same, 1.23456789012::float(24) AS r, 1.23456789012::float(53) AS d, cast('{1.5}' as float[]) AS l
SELECT 1 AS float
SELECT float FROM (SELECT 2.5 AS float) t
SELECT x.float + 1 AS y FROM (SELECT 2.5e0::float AS "float") x
CREATE TABLE sales.floats (a float, b float(24), "c" float(53) NOT NULL, d real, e double precision)
INSERT INTO sales.floats VALUES (1.23456789012, 1.23456789012, 1.23456789012, 1.23456789012, 1.23456789012)
SELECT * FROM sales.floats
DROP TABLE sales.floats
SELECT 10::numeric/3, 1/3.0, 1000000/3.0, 2.5/1.5, 0/3.0, -7/2.0, 100.0*1/3, 123456789012.0/7
SELECT avg(x), avg(x) FILTER (WHERE x>1), avg(DISTINCT x) FROM (VALUES (1),(2),(2),(5)) t(x)
SELECT avg(x) FROM (VALUES (1.5),(2.25)) t(x)
SELECT avg(x)/2, round(avg(x),2), avg(x)*100 FROM (VALUES (1),(2),(2)) t(x)
SELECT sum(x), sum(x::bigint), sum(x::smallint), sum(x::real), sum(x::float8), sum(x::numeric) FROM (VALUES (1),(2),(2)) t(x)
SELECT sum(x::bigint)/count(*), sum(x)/count(*) FROM (VALUES (1),(2),(2)) t(x)
SELECT stddev(x), variance(x), stddev_pop(x), var_pop(x), stddev_samp(x), var_samp(x) FROM (VALUES (1),(2),(4)) t(x)
SELECT date '2026-03-01' - date '2026-01-15', date '2026-03-01' - '2026-01-15', timestamp '2026-03-01' - timestamp '2026-01-15 05:00'
SELECT date_trunc('month', date '2026-03-15'), date_trunc('month', timestamp '2026-03-15 10:00')
SELECT interval '1 day'/3, interval '1 month'/4, interval '1 year 2 mons 3 days 04:05:06'/7, interval '10 hours'/1.5
SELECT x/y, count(*) FROM (VALUES (1.0,3),(2.0,3),(1.0,3)) t(x,y) GROUP BY x/y ORDER BY x/y
SELECT avg(a/b) FROM (VALUES (1.0,3),(2.0,3)) t(a,b)
SELECT sum(x)/count(x) FROM (VALUES (1.0)) t(x) WHERE x > 5
SELECT sum(x)/count(x) FROM (VALUES (1)) t(x) WHERE x > 5
SELECT 1.0/0
SELECT avg(x) FROM (VALUES (1.0)) t(x) WHERE x > 5
SELECT sum(a)/sum(b) AS r FROM (VALUES (10.5, 3),(2.25, 4)) t(a,b) ORDER BY r
SELECT avg(i) FROM (VALUES (interval '1 day'),(interval '3 days')) t(i)
SELECT 7/2, -7/2, 7/2.0::float8, 7::smallint/2
SELECT CASE WHEN b = 0 THEN NULL ELSE a/b END FROM (VALUES (10.5, 3),(2.25, 0)) t(a,b)
SELECT rank() OVER (ORDER BY sum(x)/count(*)) FROM (VALUES (1),(2),(2)) t(x) GROUP BY x
SELECT '10'/2, 10/'4'
SELECT 5 - 3, -x, x - 1 FROM (VALUES (1)) t(x)
SELECT sum(x)/nullif(sum(y),0), coalesce(sum(x),0)/2 FROM (VALUES (1,2),(4,1)) t(x,y)
SELECT stddev(x) FROM (VALUES (1)) t(x)
SELECT variance(x::float8), avg(x::float8), avg(x::bigint), sum(x)/2 FROM (VALUES (1),(4)) t(x)
SELECT y, avg(x) FROM (VALUES (1,1),(2,1),(4,2)) t(x,y) GROUP BY y HAVING avg(x) > 1 ORDER BY avg(x) DESC
SELECT y, avg(x) FROM (VALUES (1,1),(2,1),(4,2)) t(x,y) GROUP BY ROLLUP (y) ORDER BY y
SELECT 1 AS numeric
SELECT count(*) FROM generate_series(1, 10, 3)
SELECT * FROM generate_series(timestamp '2026-01-01', timestamp '2026-01-03', interval '1 day')
SELECT generate_series(1, 3) AS x ORDER BY 1 LIMIT 0
SELECT count(*) FROM (SELECT generate_series(1, 3)) t
SELECT lpad('7', 3, '0'), rpad('7', 3, 'ab'), lpad('hello', 2), lpad('a', 3), rpad('a', 3)
SELECT sha256('abc'::bytea), md5('abc')
SELECT x FROM generate_series(1, 3) x WHERE x > 1 AND false
SELECT count(generate_series) FROM generate_series(1, 10)
SELECT cast(cast(1.5 as numeric) as decimal) AS n, (1.25::numeric)::numeric, 3::numeric::numeric
SELECT x / sum(x) OVER (), x / avg(x) OVER () > 1 FROM (VALUES (1.0),(3.0)) t(x) ORDER BY x
SELECT (SELECT sum(x) FROM (VALUES (1.5),(2)) t(x)) / (SELECT count(*) FROM (VALUES (1),(2),(3)) t(x)) AS r
SELECT CASE WHEN x > 1 THEN x ELSE 1.0 END / 3, count(*) FROM (VALUES (1.5),(4.5)) t(x) GROUP BY CASE WHEN x > 1 THEN x ELSE 1.0 END / 3 ORDER BY 1
SELECT coalesce(x, 2) / 3, x::numeric / 3 FROM (VALUES (1.5),(NULL)) t(x) WHERE coalesce(x, 2) / 3 > 0.1 ORDER BY coalesce(x, 2) / 3
SELECT 0.5/0.3, 7.5/7.1, 123456.7/120000.5, 75000/7.1, 0.75/0.71, 12345/1.1, 70000/7.1, 30000.0/4, -0.5/0.3
SELECT a/b, (a+0)/(b+0) FROM (VALUES (0.5,0.3),(123456.7,120000.5),(0,1.5),(75000,7.1),(0.3,0.30005)) t(a,b) ORDER BY a, b
SELECT * FROM unnest(ARRAY[1,2], ARRAY['a','b','c']) AS t(a,b)
SELECT t.a, t.b, t.n FROM unnest(ARRAY[1,2], NULL::text[]) WITH ORDINALITY AS t(a,b,n) WHERE t.n > 1
SELECT x.a, t.b, t.c, t.n FROM (VALUES (1, ARRAY[1,2], ARRAY['a']), (2, NULL, NULL)) AS x(a,l,m) LEFT JOIN LATERAL unnest(x.l, x.m) WITH ORDINALITY AS t(b,c,n) ON true ORDER BY 1, 2
SELECT count(*) FROM unnest(ARRAY[1,2], ARRAY[3]), unnest(ARRAY[4,5]) WITH ORDINALITY AS t(a,n)
