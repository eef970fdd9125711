// DuckDB's words, as its duckdb_keywords() and duckdb_types() have them: those that stand for
// something in a statement that Tarn answers, and Tarn's own of pipelines. Of the others a name may be made.

/** What is coloured and completed as a keyword. */
export const keywords = "all alter analyze and anti any as asc asof at begin between both by case cast coalesce collate column columns compact create cross cube " +
  "current default desc describe distinct drop dry else emit end error escape except exclude execute exists expire_snapshots explain extract false fetch filter first following from full " +
  "generated glob group grouping having if ilike in inner insert intersect interval into is isnull join key lag lambda last lateral leading left like limit map materialized " +
  "natural not notnull null nulls offset on only or order outer over overlaps partition pause pipeline pipelines pivot positional preceding primary qualify range rebuild recursive " +
  "remove_orphan_files rename replace resume returning right rollup row rows run sample schema schemas select semi set sets show similar sources struct summarize symmetric table tables tablesample " +
  "then ties to trailing true try_cast unbounded union unique unnest unpivot use using values version view views watermark when where window with within without";

/** The names of types. */
export const types = "bigint bignum bit blob bool boolean char date decimal double enum float hugeint integer int json numeric real smallint text time timestamp " +
  "timestamptz timetz tinyint ubigint uhugeint uinteger usmallint utinyint uuid varchar variant";
