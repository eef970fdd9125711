//go:build duckdb_arrow

package oracle_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// begin is when the logs' time begins, microseconds.
var begin = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC).UnixMicro()

// valueColumns are what every source has; its key, where it has one, stands before them.
var valueColumns = []Column{
	{"k", "VARCHAR"},
	{"g", "BIGINT"},
	{"h", "DECIMAL(8,2)"},
	{"e", "DOUBLE"},
	{"a", "INTEGER"},
	{"b", "BIGINT"},
	{"d", "DECIMAL(12,3)"},
	{"m", "DECIMAL(38,4)"},
	{"f", "DOUBLE"},
	{"s", "VARCHAR"},
	{"t", "BOOLEAN"},
}

// keyColumns are those of changelogs.
var keyColumns = []Column{{"id", "BIGINT"}, {"sub", "VARCHAR"}}

// rowKey is a mirror's column that tells rows apart where their key is null.
var rowKey = Column{"_key", "VARCHAR"}

// chance is a source of randomness with what is asked of it often.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 15))} }

func (r chance) percent(n int) bool { return r.IntN(100) < n }

func pick[T any](r chance, of ...T) T { return of[r.IntN(len(of))] }

// strange are floats that are no numbers; in JSON they are texts.
var strange = []string{"NaN", "Infinity", "-Infinity"}

// cell makes a value of a column: how it stands in the JSON, and what it is. Of a huge source some are at the ends of
// their type.
func (r chance) cell(c Column, huge bool) (text string, out Cell) {
	if r.percent(8) {
		return "null", Cell{SQL: "NULL"}
	}
	if r.percent(1) && c.Type != "VARCHAR" {
		return pick(r, `"noon"`, `{"x":1}`, `[1]`, `1e400`), Cell{Bad: true}
	}
	switch c.Name {
	case "k":
		if r.percent(50) {
			return `"hot"`, sqlText("hot")
		}
		return r.text(pick(r, "a", "b", "", "ä€😀", "A", `q"'\`, "hot "))
	case "s":
		if r.percent(3) { // a value of another type is its JSON text
			v := pick(r, "5", "true", `{"x":[1, 2]}`, "1.50")
			return v, sqlText(v)
		}
		return r.text(pick(r, "x", "yy", "Zebra", "", "o'clock", "日本", "a%b_c", "tab\tnew\nline"))
	case "g":
		return r.whole(r.IntN(6) - 2)
	case "a":
		return r.whole(r.IntN(200) - 50)
	case "b":
		n := r.IntN(2000) - 700
		if huge && r.percent(8) {
			n = pick(r, math.MaxInt64, math.MinInt64, math.MaxInt64-1)
		}
		if r.percent(5) && !huge {
			return fmt.Sprint(n * 1_000_000_007), Cell{SQL: fmt.Sprintf("%d::BIGINT", n*1_000_000_007)}
		}
		return r.whole(n)
	case "h":
		return r.decimal(r.IntN(4)*25-25, 2, c.Type)
	case "d":
		return r.decimal(r.IntN(20000)-5000, 3, c.Type)
	case "m":
		whole, rest := r.IntN(100)-30, r.IntN(10_000)
		if text = fmt.Sprintf("%d.%04d", whole, rest); huge && r.percent(8) {
			text = pick(r, "", "-") + pick(r, "9999999999999999999999999999999999.9999", "6000000000000000000000000000000000.0001", "1000000000000000000000000000000000.0")
		}
		return pick(r, `"`+text+`"`, text), Cell{SQL: "'" + text + "'::DECIMAL(38,4)"}
	case "e":
		if r.percent(12) {
			v := pick(r, strange...)
			return `"` + v + `"`, Cell{SQL: fmt.Sprintf("'%s'::DOUBLE", v)}
		}
		v := pick(r, "0.5", "-1.25", "3", "0", "-0.0", "1e300", "0.1")
		return v, Cell{SQL: fmt.Sprintf("'%s'::DOUBLE", v)}
	case "f":
		if r.percent(2) {
			v := pick(r, strange...)
			return `"` + v + `"`, Cell{SQL: fmt.Sprintf("'%s'::DOUBLE", v)}
		}
		v := fmt.Sprint(float64(r.IntN(4000)-1000) / 8)
		if r.percent(10) {
			v = fmt.Sprintf("%d.%03d", r.IntN(50), r.IntN(1000))
		}
		return v, Cell{SQL: fmt.Sprintf("'%s'::DOUBLE", v)}
	case "t":
		v := pick(r, "true", "false")
		return v, Cell{SQL: v}
	}
	panic(c.Name)
}

func sqlText(s string) Cell { return Cell{SQL: "'" + strings.ReplaceAll(s, "'", "''") + "'"} }

func (r chance) text(s string) (string, Cell) { return quote(s, r.percent(20)), sqlText(s) }

// quote makes a JSON text, with more escapes than it needs.
func quote(s string, escaped bool) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || escaped && c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (r chance) whole(n int) (string, Cell) {
	text := fmt.Sprint(n)
	switch r.IntN(12) {
	case 0:
		text += ".0"
	case 1:
		text = `"` + text + `"`
	case 2:
		text += "e0"
	}
	return text, Cell{SQL: fmt.Sprintf("%d", n)}
}

func (r chance) decimal(n, scale int, typ string) (string, Cell) {
	sign, m := "", n
	if n < 0 {
		sign, m = "-", -n
	}
	unit := 1
	for range scale {
		unit *= 10
	}
	text := fmt.Sprintf("%s%d.%0*d", sign, m/unit, scale, m%unit)
	sql := Cell{SQL: fmt.Sprintf("'%s'::%s", text, typ)}
	if r.percent(15) {
		text = `"` + text + `"`
	}
	return text, sql
}

// time makes a value of the column with the watermark.
func (r chance) time(micros int64, typ string, keyed bool) (string, Cell) {
	made := "make_timestamp"
	if typ != "TIMESTAMP" {
		made = "make_timestamptz"
	}
	out := Cell{SQL: fmt.Sprintf("%s(%d)", made, micros), Micros: micros}
	at := time.UnixMicro(micros).UTC()
	switch r.IntN(4) {
	case 0:
		if keyed {
			return fmt.Sprint(micros), out
		}
		if micros%1000 == 0 {
			return fmt.Sprint(micros / 1000), out
		}
	case 1:
		return `"` + at.In(time.FixedZone("", 2*3600)).Format("2006-01-02T15:04:05.999999Z07:00") + `"`, out
	case 2:
		return `"` + at.Format("2006-01-02 15:04:05.999999") + `"`, out
	}
	return `"` + at.Format("2006-01-02T15:04:05.999999Z") + `"`, out
}

// source makes a source with its log.
func (r chance) source(name, timeType string, keyed bool, records int) *Source {
	s := &Source{Name: name, Huge: r.percent(15), Partitions: int32(1 + r.IntN(3)), Columns: append(append([]Column{}, valueColumns...), Column{"ts", timeType})} //nolint:gosec // few
	if keyed {
		s.Columns = append(append([]Column{}, keyColumns...), s.Columns...)
		if s.Key = []string{"id"}; r.percent(50) {
			s.Key = append(s.Key, "sub")
		}
	} else {
		s.Delay = pick(r, 0, time.Second, 4*time.Second, 10*time.Second)
		s.Global, s.Skip = r.percent(35), r.percent(15)
	}
	s.Declared = r.declared(s)
	s.Records = make([][]Rec, s.Partitions)
	l := &log{r, s, begin, int(s.Partitions), 0, map[string]bool{}}
	if r.percent(25) {
		l.live = 1 + r.IntN(l.live) // partitions without data
	}
	stops := r.IntN(2 * records)
	for i := range records {
		if i == stops && l.live > 1 {
			l.from = 1 // partition 0 stops
		}
		l.step()
	}
	return s
}

// landed has retention take the beginning of a source's log before there are pipelines, which find it in bronze. What bronze
// has not as it was is not in such a log: objects that are read as texts, and records without a value.
func (r chance) landed(s *Source) {
	for p := range s.Records {
		for i := range s.Records[p] {
			one := &s.Records[p][i]
			if one.Junk && *one.Value == "" || !one.Junk && strings.HasPrefix(one.Cells["s"].SQL, "'{") {
				value := "[]"
				*one = Rec{Stamp: one.Stamp, Value: &value, Junk: true}
			}
		}
		s.Cut = append(s.Cut, r.IntN(1+len(s.Records[p])*2/3))
	}
}

// log is a log in the making.
type log struct {
	chance
	s      *Source
	now    int64 // of events
	live   int
	from   int
	exists map[string]bool // rows of a changelog
}

func (l *log) step() {
	l.now += int64(l.IntN(1500)) * 1000
	if l.percent(2) {
		l.now += int64(l.IntN(90)) * 1_000_000
	}
	at := l.now
	switch {
	case l.percent(25):
		at -= int64(l.IntN(12_000)) * 1000 // out of order
	case l.percent(6):
		at -= int64(l.IntN(120_000)) * 1000 // late
	case l.percent(5):
		at = at / 10_000_000 * 10_000_000 // at the very edge of a window
	}
	rec := Rec{Stamp: l.now / 1000, Cells: map[string]Cell{}}
	if l.percent(2) { // its clock is ahead
		at = rec.Stamp*1000 + pick(l.chance, int64(3600_000_000), 3600_000_001, 7200_000_000)
	}
	if len(l.s.Key) > 0 {
		l.change(rec, at)
		return
	}
	p := l.from + l.IntN(l.live-min(l.from, l.live-1))
	if p >= l.live {
		p = l.live - 1
	}
	if l.percent(30) {
		p = l.live - 1 // skew
	}
	value := l.object(&rec, l.s.Columns, at, false)
	if l.percent(2) {
		value = pick(l.chance, "", "{", `[1]`, `{"k":"a"`, "\xff\xfe", `null`)
		rec.Junk = true
	}
	rec.Value = &value
	l.s.Records[p] = append(l.s.Records[p], rec)
	if l.percent(5) {
		l.s.Records[p] = append(l.s.Records[p], rec) // said twice
	}
}

// object renders the members of a row.
func (l *log) object(rec *Rec, columns []Column, at int64, keyed bool) string {
	var members []string
	for _, c := range columns {
		if l.percent(4) {
			continue // missing
		}
		var text string
		var cell Cell
		switch {
		case c.Name == "ts" && l.percent(95):
			text, cell = l.time(at, c.Type, keyed)
		case c.Name == "ts":
			if text, cell = "null", (Cell{SQL: "NULL"}); l.percent(20) {
				text, cell = `"noon"`, Cell{Bad: true}
			}
		default:
			text, cell = l.cell(c, l.s.Huge)
		}
		members = append(members, quote(c.Name, l.percent(2))+":"+text)
		rec.Cells[c.Name] = cell
	}
	if l.percent(10) { // what nobody declared
		members = append(members, pick(l.chance, `"extra":{"deep":[1,{"a":null}]}`, `"K":"other"`, `"n":12345678901234567890`))
	}
	l.Shuffle(len(members), func(i, j int) {
		if l.percent(20) {
			members[i], members[j] = members[j], members[i]
		}
	})
	return "{" + strings.Join(members, pick(l.chance, ",", ", ")) + "}"
}

// change makes a change event of a keyed row.
func (l *log) change(rec Rec, at int64) {
	id, sub := fmt.Sprint(l.IntN(25)), fmt.Sprintf("%q", pick(l.chance, "x", "ü", ""))
	switch {
	case l.percent(30):
		id = "7" // the hot key
	case l.percent(6): // a null key is a key like another
		id = "null"
	}
	if l.percent(10) {
		sub = "null"
	}
	key := fmt.Sprintf(`{"id":%s}`, id)
	text := fmt.Sprintf(`"id":%s,"sub":%s`, id, sub)
	if len(l.s.Key) == 2 {
		key = fmt.Sprintf(`{"id":%s,"sub":%s}`, id, sub)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	p := int(h.Sum32()) % l.live
	rec.Key = &key
	before := "null"
	if l.live == 1 && l.percent(8) { // an update of the key, which moves the row
		was := fmt.Sprint(l.IntN(25))
		before = fmt.Sprintf(`{"id":%s,"sub":%s}`, pick(l.chance, was, `"`+was+`"`), sub)
		key := l.s.key(map[string]Cell{"id": {SQL: was}, "sub": {SQL: strings.ReplaceAll(sub, `"`, "'")}})
		rec.Was = &key
	}
	body := l.object(&rec, l.s.Columns[2:], at, true)
	row := "{" + text
	if body != "{}" {
		row += ","
	}
	row += body[1:]
	rec.Cells["id"], rec.Cells["sub"] = Cell{SQL: id}, Cell{SQL: strings.ReplaceAll(sub, `"`, "'")}
	op, value := pick(l.chance, "c", "u", "r"), ""
	if rec.Was != nil {
		op = "u"
	}
	switch gone := l.exists[key] && l.percent(30) && rec.Was == nil; {
	case gone:
		rec.Gone = true
		delete(l.exists, key)
		value = fmt.Sprintf(`{"op":"d","before":%s,"after":null}`, row)
	default:
		l.exists[key] = true
		value = fmt.Sprintf(`{"before":%s,"after":%s,"op":%q,"source":{"table":"x"}}`, before, row, op)
	}
	if l.percent(20) {
		value = `{"schema":null,"payload":` + value + "}"
	}
	if l.percent(2) {
		value = pick(l.chance, "{", `{"op":"u","after":null}`, `{"op":"x","after":{}}`, `{"op":"c"}`, `{"op":"t","before":null,"after":null}`)
		rec.Junk, rec.Gone = true, false
	}
	rec.Value = &value
	l.s.Records[p] = append(l.s.Records[p], rec)
	if rec.Gone {
		l.s.Records[p] = append(l.s.Records[p], Rec{Stamp: rec.Stamp, Key: &key, None: true})
	}
}

// declared is the statement in one of the spellings.
func (r chance) declared(s *Source) string {
	flink := r.percent(50)
	var parts []string
	for _, c := range s.Columns {
		typ := c.Type
		if flink {
			switch typ {
			case "VARCHAR":
				typ = "STRING"
			case "INTEGER":
				typ = "INT"
			case "TIMESTAMP":
				typ = "TIMESTAMP(3)"
			case "TIMESTAMPTZ":
				typ = "TIMESTAMP_LTZ(3)"
			}
		}
		parts = append(parts, c.Name+" "+typ)
	}
	if len(s.Key) > 0 {
		parts = append(parts, "PRIMARY KEY ("+strings.Join(s.Key, ", ")+") NOT ENFORCED")
		if !flink {
			parts[len(parts)-1] = "PRIMARY KEY (" + strings.Join(s.Key, ", ") + ")"
		}
	} else {
		mark := "WATERMARK FOR ts AS ts"
		if s.Delay > 0 {
			mark += fmt.Sprintf(" - INTERVAL '%d' SECOND", int(s.Delay.Seconds()))
		}
		parts = append(parts, mark)
	}
	wait, policy := fmt.Sprintf("%dms", timeout.Milliseconds()), ""
	if s.Global {
		policy = "late_policy = 'global', "
	} else if r.percent(20) {
		policy = "late_policy = 'partition', "
	}
	if s.Skip {
		policy += "on_error = 'skip', "
	}
	if flink {
		format := "json"
		if len(s.Key) > 0 {
			format = "debezium-json"
		}
		return fmt.Sprintf("CREATE TABLE %s (%s) WITH ('connector' = 'kafka', 'topic' = '%s', 'format' = '%s', 'scan.startup.mode' = 'earliest-offset', 'scan.watermark.idle-timeout' = '%s', %s'flush_timeout' = '%s')",
			s.Name, strings.Join(parts, ", "), s.Name, format, wait, strings.NewReplacer("late_policy", "'late_policy'", "on_error = 'skip'", "'json.ignore-parse-errors' = 'true'").Replace(policy), wait)
	}
	format := "PLAIN"
	if len(s.Key) > 0 {
		format = "DEBEZIUM"
	}
	return fmt.Sprintf("CREATE SOURCE %s (%s) WITH (connector = 'kafka', topic = '%s', %sidle_timeout = '%s', flush_timeout = '%s') FORMAT %s ENCODE JSON",
		s.Name, strings.Join(parts, ", "), s.Name, policy, wait, wait, format)
}
