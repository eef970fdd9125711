package sqltext_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

func options(all map[string]sqltext.Option) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+"="+all[name].Value)
	}
	return strings.Join(out, " ")
}

const nexmarkBid = "CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP_LTZ(3), extra STRING,\n" +
	"WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) WITH ('connector'='kafka','topic'='bid','properties.bootstrap.servers'='x:9092',\n" +
	"'scan.startup.mode'='earliest-offset','format'='json','json.timestamp-format.standard'='ISO-8601','json.ignore-parse-errors'='true')"

func TestParseStream(t *testing.T) {
	for _, c := range []struct{ statement, want string }{
		{
			"CREATE SOURCE bids (auction BIGINT, bidder BIGINT, price BIGINT, ts TIMESTAMP(3),\n WATERMARK FOR ts AS ts - INTERVAL '4' SECOND)\n" +
				"WITH (connector='kafka', topic='bids', 'scan.startup.mode'='earliest', idle_timeout='10s', on_error='dead_letter');",
			"bids auction:BIGINT bidder:BIGINT price:BIGINT ts:TIMESTAMP key= wm=ts-4s connector=kafka idle_timeout=10s on_error=dead_letter scan.startup.mode=earliest topic=bids",
		},
		{nexmarkBid, "bid auction:BIGINT bidder:BIGINT price:BIGINT channel:VARCHAR url:VARCHAR dateTime:TIMESTAMPTZ extra:VARCHAR key= wm=dateTime-4s connector=kafka format=json on_error=skip scan.startup.mode=earliest topic=bid"},
		{
			"create source if not exists s.orders (id int primary key, amt decimal(10,2) not null comment 'x', at timestamp with time zone, b bytes, watermark for at as at)\n" +
				"with (connector = 'kafka', topic = orders, properties.bootstrap.server = 'h:1', scan.startup.mode = 'latest') FORMAT DEBEZIUM ENCODE JSON",
			"s.orders? id:INTEGER amt:DECIMAL(10,2) at:TIMESTAMPTZ b:BLOB key=id wm=at-0s connector=kafka format=debezium-json scan.startup.mode=latest topic=orders",
		},
		{
			"CREATE TABLE o (a STRING, `B` INT, c DOUBLE PRECISION, d CHARACTER VARYING(3), e TIME(0), f JSONB, CONSTRAINT pk PRIMARY KEY (`b`, A) NOT ENFORCED,\n" +
				"g TIMESTAMP(6) WITHOUT TIME ZONE, h TIMESTAMP(3) WITH LOCAL TIME ZONE, WATERMARK FOR g AS g - INTERVAL '1 minute 30 seconds')\n" +
				"WITH ('connector'='kafka','topic'='t','value.format'='debezium-json','scan.watermark.idle-timeout'='1 min')",
			"o a:VARCHAR B:INTEGER c:DOUBLE d:VARCHAR e:TIME f:VARCHAR g:TIMESTAMP h:TIMESTAMPTZ key=B,a wm=g-1m30s connector=kafka format=debezium-json idle_timeout=1m0s topic=t",
		},
		{"CREATE SOURCE s (a INT) WITH (topic='t', flush_timeout='off', late_policy='Global')", "s a:INTEGER key= wm= flush_timeout=off late_policy=global topic=t"},
	} {
		s, err := sqltext.ParseStream(c.statement)
		if err != nil {
			t.Errorf("%s: %v", c.statement, err)
			continue
		}
		got := s.Name.String()
		if s.IfNotExists {
			got += "?"
		}
		for _, column := range s.Columns {
			got += " " + column.Name + ":" + column.Type
		}
		got += " key=" + strings.Join(s.Key, ",") + " wm="
		if s.Watermark != nil {
			got += s.Watermark.Column + "-" + s.Watermark.Delay.String()
		}
		if got += " " + options(s.Options); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.statement, got, c.want)
		}
	}
}

// refusal is a statement with «» around the place where it is refused, what is said and what
// is hinted at.
type refusal struct{ statement, message, hint string }

func (r refusal) check(t *testing.T, parse func(string) error) {
	t.Helper()
	before, after, marked := strings.Cut(r.statement, "«»")
	err := parse(before + after)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Errorf("%s: %v", r.statement, err)
		return
	}
	line, column := sqltext.Place(before, len(before))
	if marked && (f.Line != line || f.Column != column) {
		t.Errorf("%s: said at %d:%d: %s", r.statement, f.Line, f.Column, f.Message)
	}
	if !strings.Contains(f.Message, r.message) || !strings.Contains(f.Hint, r.hint) || f.Hint == "" && r.hint != "" {
		t.Errorf("%s: %s; hint: %s", r.statement, f.Message, f.Hint)
	}
}

func TestParseStreamRefuses(t *testing.T) {
	for _, r := range []refusal{
		{"CREATE SOURCE s (a INT)«»", "no topic", "topic"},
		{"CREATE TABLE s (a INT) WITH (topic='t')«»", "no connector", "kafka"},
		{"CREATE SOURCE s (a INT) WITH (topic='t', connector=«»'kinesis')", "connector cannot be", "kafka"},
		{"CREATE SOURCE s (a INT)\nWITH (topic='t', «»tpic='x')", "no option tpic", "did you mean topic"},
		{"CREATE SOURCE s (a INT) WITH (topic='t', on_error=«»'skp')", "on_error cannot be", "skip"},
		{"CREATE SOURCE s (a INT) WITH (topic='t', idle_timeout=«»'soon')", "no time", "10s"},
		{"CREATE SOURCE s (a INT) WITH (topic='t', 'scan.startup.mode'=«»'timestamp')", "cannot be", "earliest"},
		{"CREATE SOURCE s (a INT) WITH (topic='t', «»topic='u')", "is t and u", "one"},
		{"CREATE SOURCE s (a INT) WITH (topic='t', on_error='stop', «»'json.ignore-parse-errors'='true')", "is stop and skip", "one"},
		{"CREATE SOURCE s (a INT) WITH (topic='t', json.fail-on-missing-field=«»'true')", "cannot be", "null"},
		{"CREATE SOURCE s (a «»BIGIN) WITH (topic='t')", "no type", "BIGINT"},
		{"CREATE SOURCE s (a «»ROW<b INT>) WITH (topic='t')", "ROW", "JSON"},
		{"CREATE SOURCE s (a INT«»[]) WITH (topic='t')", "list", "JSON"},
		{"CREATE SOURCE s (a «»DECIMAL) WITH (topic='t')", "digits", "DECIMAL(18"},
		{"CREATE SOURCE s (a «»TIMESTAMP(9)) WITH (topic='t')", "microseconds", "(6)"},
		{"CREATE SOURCE s (a INT, «»A INT) WITH (topic='t')", "twice", "name"},
		{"CREATE SOURCE s (a INT, b «»AS a + 1) WITH (topic='t')", "computed", "SELECT"},
		{"CREATE SOURCE s (a INT, b BIGINT «»METADATA FROM 'offset') WITH (topic='t')", "METADATA", "SELECT"},
		{"CREATE SOURCE s (a INT, «»*) WITH (topic='t')", "all columns", "declare"},
		{"CREATE SOURCE s (a INT, PRIMARY KEY («»b)) WITH (topic='t')", "no column b", "a"},
		{"CREATE SOURCE s (ts TIMESTAMP, WATERMARK FOR «»tz AS tz) WITH (topic='t')", "no column tz", "ts"},
		{"CREATE SOURCE s (a INT, WATERMARK FOR «»a AS a) WITH (topic='t')", "INTEGER", "TIMESTAMP"},
		{"CREATE SOURCE s (a TIMESTAMP, WATERMARK FOR a AS «»now()) WITH (topic='t')", "nothing else", "INTERVAL"},
		{"CREATE SOURCE s (a TIMESTAMP, WATERMARK FOR a AS a - «»INTERVAL '1' MONTH) WITH (topic='t')", "fixed length", "INTERVAL"},
		{"CREATE SOURCE s (a TIMESTAMP, WATERMARK FOR a AS a «»+ INTERVAL '1' DAY) WITH (topic='t')", "nothing else", "INTERVAL"},
		{"CREATE SOURCE s (a INT) WITH (topic='t') FORMAT «»UPSERT ENCODE JSON", "UPSERT", "PLAIN"},
		{"CREATE SOURCE s (a INT) WITH (topic='t') FORMAT PLAIN ENCODE «»AVRO", "AVRO", "JSON"},
		{"CREATE SOURCE s (a INT) WITH (topic='t') «»AS SELECT 1", "go on", "leave"},
		{"CREATE SOURCE s «»WITH (topic='t')", "columns", "columns"},
		{"CREATE SOURCE s (a INT) WITH (topic='t', format=«»'avro')", "format cannot", "json"},
		{"«»SELECT 1", "CREATE SOURCE", "CREATE SOURCE"},
	} {
		r.check(t, func(s string) error { _, err := sqltext.ParseStream(s); return err })
	}
}

func TestParseContinuous(t *testing.T) {
	for _, c := range []struct{ statement, want string }{
		{
			"CREATE MATERIALIZED VIEW hot AS SELECT auction, count(*) n, window_start FROM HOP(bids, ts, INTERVAL '2 SECONDS', INTERVAL '10 SECONDS') GROUP BY ALL EMIT ON WINDOW CLOSE;",
			"CREATE MATERIALIZED VIEW hot>hot cols= key= [] close SELECT auction, count(*) n, window_start FROM HOP(bids, ts, INTERVAL '2 SECONDS', INTERVAL '10 SECONDS') GROUP BY ALL",
		},
		{
			"INSERT INTO silver.bid_10s SELECT auction, max(price) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end",
			"INSERT silver.bid_10s>silver.bid_10s cols= key= [] SELECT auction, max(price) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end",
		},
		{"insert into t (a, `b`) with x as (select 1) select * from x", "INSERT t>t cols=a,b key= [] with x as (select 1) select * from x"},
		{"INSERT INTO t (SELECT 1)", "INSERT t>t cols= key= [] (SELECT 1)"},
		{
			"CREATE PIPELINE enrich INTO silver.orders KEY (id, \"n o\") WITH (retention = '7d', on_error = skip) AS SELECT o.*, c.region FROM orders o JOIN customers c ON o.cust = c.id",
			"CREATE PIPELINE enrich>silver.orders cols= key=id,n o [on_error=skip retention=168h0m0s] SELECT o.*, c.region FROM orders o JOIN customers c ON o.cust = c.id",
		},
		{"CREATE MATERIALIZED VIEW IF NOT EXISTS gold.x (a, b) WITH (late_policy='global') AS FROM t SELECT 1 -- end\n", "CREATE MATERIALIZED VIEW gold.x>gold.x? cols=a,b key= [late_policy=global] FROM t SELECT 1"},
		{"ALTER PIPELINE gold.paid AS SELECT 2 EMIT ON WINDOW CLOSE", "ALTER PIPELINE gold.paid>gold.paid cols= key= [] close SELECT 2"},
	} {
		got, err := sqltext.ParseContinuous(c.statement)
		if err != nil {
			t.Errorf("%s: %v", c.statement, err)
			continue
		}
		quiet, onClose := "", ""
		if got.IfNotExists {
			quiet = "?"
		}
		if got.OnClose {
			onClose = "close "
		}
		said := fmt.Sprintf("%s %s>%s%s cols=%s key=%s [%s] %s%s", got.Verb, got.Name, got.Into, quiet, strings.Join(got.Columns, ","), strings.Join(got.Key, ","), options(got.Options), onClose, got.Body)
		if said != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.statement, said, c.want)
		}
		if !strings.HasPrefix(c.statement[got.Offset:], got.Body) {
			t.Errorf("%s: the body is not at %d", c.statement, got.Offset)
		}
	}
	for _, r := range []refusal{
		{"«»CREATE OR REPLACE MATERIALIZED VIEW x AS SELECT 1", "CREATE OR REPLACE", "ALTER PIPELINE"},
		{"«»CREATE SINK x INTO t AS SELECT 1", "CREATE SINK", "gold is the sink"},
		{"«»SELECT 1", "INSERT INTO", "INSERT INTO"},
		{"INSERT INTO t «»VALUES (1)", "VALUES", "SELECT"},
		{"INSERT INTO t«»", "SELECT", "SELECT"},
		{"CREATE PIPELINE p «»AS SELECT 1", "INTO", "INTO"},
		{"CREATE PIPELINE p INTO t KEY (a, «»A) AS SELECT 1", "twice", "once"},
		{"CREATE PIPELINE p INTO t WITH («»retension='1d') AS SELECT 1", "no option", "retention"},
		{"CREATE PIPELINE p INTO t WITH («»topic='1d') AS SELECT 1", "no option", "retention"},
		{"CREATE PIPELINE p INTO t WITH («»properties.x='1d') AS SELECT 1", "no option", "retention"},
		{"CREATE MATERIALIZED VIEW x AS «»UPDATE t", "SELECT", "SELECT"},
	} {
		r.check(t, func(s string) error { _, err := sqltext.ParseContinuous(s); return err })
	}
}

func TestParsePipelineCommand(t *testing.T) {
	for statement, want := range map[string]string{
		"SHOW PIPELINES;": "SHOW PIPELINE  false", "show sources": "SHOW SOURCE  false", "PAUSE PIPELINE gold.x": "PAUSE PIPELINE gold.x false",
		"RESUME PIPELINE x": "RESUME PIPELINE x false", "DROP PIPELINE IF EXISTS x": "DROP PIPELINE x true", "DROP MATERIALIZED VIEW x": "DROP MATERIALIZED VIEW x false",
		"DROP SOURCE IF EXISTS `x`": "DROP SOURCE x true", "DESCRIBE PIPELINE x": "DESCRIBE PIPELINE x false", "DESC SOURCE a.b": "DESCRIBE SOURCE a.b false",
	} {
		c, err := sqltext.ParsePipelineCommand(statement)
		if got := fmt.Sprintf("%s %s %s %v", c.Verb, c.Kind, c.Name, c.IfExists); err != nil || got != want {
			t.Errorf("%s: %s, %v", statement, got, err)
		}
	}
	for _, r := range []refusal{
		{"PAUSE PIPELINE IF «»EXISTS x", "", ""}, {"DROP PIPELINE x «»CASCADE", "go on", "leave"}, {"«»DROP TABLE x", "SHOW PIPELINES", "PIPELINE"}, {"DROP SOURCE«»", "name", "name"},
	} {
		r.check(t, func(s string) error { _, err := sqltext.ParsePipelineCommand(s); return err })
	}
}

// FuzzParse: any text is read or refused, and a body lies where it is said to be.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		nexmarkBid, "INSERT INTO t (a) SELECT 1 EMIT ON WINDOW CLOSE", "CREATE PIPELINE p INTO t KEY (a) WITH (retention='7d') AS SELECT 1",
		"CREATE SOURCE s (a DECIMAL(3,1) PRIMARY KEY, t TIMESTAMP, WATERMARK FOR t AS t - INTERVAL 5 SECOND) WITH (topic=t, idle_timeout=10s) FORMAT PLAIN ENCODE JSON",
		"CREATE MATERIALIZED VIEW x(a) AS FROM t", "DROP PIPELINE IF EXISTS a.b.c", "ALTER PIPELINE x AS SELECT `a`",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, statement string) {
		if c, err := sqltext.ParseContinuous(statement); err == nil && (c.Body == "" || !strings.HasPrefix(statement[c.Offset:], c.Body)) {
			t.Fatalf("%q: %+v", statement, c)
		} else if err != nil && fault.CodeOf(err) == fault.Internal {
			t.Fatalf("%q: %v", statement, err)
		}
		if s, err := sqltext.ParseStream(statement); err == nil && (len(s.Columns) == 0 || s.Options["topic"].Value == "") {
			t.Fatalf("%q: %+v", statement, s)
		} else if err != nil && fault.CodeOf(err) == fault.Internal {
			t.Fatalf("%q: %v", statement, err)
		}
		_, _ = sqltext.ParsePipelineCommand(statement)
	})
}
