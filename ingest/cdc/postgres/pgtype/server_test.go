package pgtype_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/cdc/postgres/pgtype"
)

// makers give random literals of a type, its limits among them.
var makers = []struct {
	column string // name and type
	value  func(r *rand.Rand) string
}{
	{"b boolean", func(r *rand.Rand) string { return strconv.FormatBool(r.IntN(2) == 0) }},
	{"i2 smallint", func(r *rand.Rand) string { return fmt.Sprint(int16(r.Uint32())) }}, //nolint:gosec // any bits
	{"i4 integer", func(r *rand.Rand) string { return fmt.Sprint(int32(r.Uint32())) }},  //nolint:gosec // any bits
	{"i8 bigint", func(r *rand.Rand) string { return fmt.Sprint(int64(r.Uint64())) }},   //nolint:gosec // any bits
	{"o oid", func(r *rand.Rand) string { return fmt.Sprint(r.Uint32()) }},
	{"f4 real", func(r *rand.Rand) string {
		return pick(r, "NaN", "-Infinity", fmt.Sprint(float32(r.NormFloat64())), "1e-40", "3.4e38")
	}},
	{"f8 double precision", func(r *rand.Rand) string {
		return pick(r, "NaN", "Infinity", fmt.Sprint(r.NormFloat64()), "5e-324", "0.1", "1e308")
	}},
	{"n numeric", func(r *rand.Rand) string { return digits(r, 60, 30) }},
	{"n102 numeric(10,2)", func(r *rand.Rand) string { return digits(r, 8, 2) }},
	{"n380 numeric(38,10)", func(r *rand.Rand) string { return digits(r, 28, 10) }},
	{"n50 numeric(50,5)", func(r *rand.Rand) string { return digits(r, 45, 5) }},
	{"nneg numeric(5,-2)", func(r *rand.Rand) string { return digits(r, 7, 0) }},
	{"m money", func(r *rand.Rand) string { return digits(r, 12, 2) }},
	{"t text", func(r *rand.Rand) string { return words(r) }},
	{"c character(7)", func(r *rand.Rand) string { return pick(r, "", "ab", "é") }},
	{"vc varchar(9)", func(r *rand.Rand) string { return pick(r, "", `a"b`, `\x`) }},
	{"by bytea", func(r *rand.Rand) string { return fmt.Sprintf(`\x%x`, []byte(words(r))) }},
	{"d date", func(r *rand.Rand) string {
		return pick(r, "infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "0001-01-01", "2024-02-29", "1999-12-31")
	}},
	{"ti time", func(r *rand.Rand) string { return pick(r, "24:00:00", "00:00:00", "23:59:59.999999", "12:30:00.5") }},
	{"t3 time(3)", func(r *rand.Rand) string { return pick(r, "00:00:00", "23:59:59.999", "12:30:00.5") }},
	{"tz timetz", func(r *rand.Rand) string { return pick(r, "00:00:00+14", "23:59:59.999999-12:30", "12:30:00.5+00") }},
	{"ts timestamp", moment},
	{"ts3 timestamp(3)", moment},
	{"tstz timestamptz", moment},
	{"tz0 timestamptz(0)", moment},
	{"iv interval", func(r *rand.Rand) string {
		return fmt.Sprintf("%d years %d mons %d days %d:%02d:%02d.%06d", r.IntN(40)-20, r.IntN(40)-20, r.IntN(400)-200, r.IntN(2000)-1000, r.IntN(60), r.IntN(60), r.IntN(1000000))
	}},
	{"u uuid", func(r *rand.Rand) string { return fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()) }},
	{"j json", func(r *rand.Rand) string { return pick(r, `{"a": [1, null]}`, `"x"`, `1.50`) }},
	{"jb jsonb", func(r *rand.Rand) string { return pick(r, `{"b":1,"a":2}`, `"x"`, `1.50`) }},
	{"x xml", func(r *rand.Rand) string { return pick(r, `<a/>`, `<a b="c">d</a>`) }},
	{"e mood", func(r *rand.Rand) string { return pick(r, "sad", "hap,py") }},
	{"bt bit(1)", func(r *rand.Rand) string { return pick(r, "0", "1") }},
	{"b13 bit(13)", func(r *rand.Rand) string { return fmt.Sprintf("%013b", r.IntN(1<<13)) }},
	{"pt point", func(r *rand.Rand) string { return fmt.Sprintf("(%v,%v)", r.NormFloat64(), r.IntN(9)) }},
	{"ip inet", func(r *rand.Rand) string { return pick(r, "10.0.0.1/24", "::1") }},
	{"ra tstzrange", func(r *rand.Rand) string { return pick(r, "empty", "[2026-01-01,)") }},
	{"ia integer[]", func(r *rand.Rand) string { return pick(r, "{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "[0:1]={5,6}") }},
	{"ta text[]", func(r *rand.Rand) string { return pick(r, `{"a\"b","c\\d",NULL,"NULL","","{x,y}"}`, `{é}`) }},
	{"na numeric[]", func(r *rand.Rand) string { return "{" + digits(r, 30, 9) + ",NULL}" }},
	{"da timestamptz[]", func(r *rand.Rand) string { return "{\"" + moment(r) + "\",NULL}" }},
	{"ba bytea[]", func(*rand.Rand) string { return `{"\\x00ff","\\x"}` }},
	{"ea mood[]", func(*rand.Rand) string { return `{sad,"hap,py"}` }},
	{"dm posint", func(r *rand.Rand) string { return fmt.Sprint(1 + r.IntN(1000)) }},
}

func pick(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

func moment(r *rand.Rand) string {
	return pick(r, "infinity", "-infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999", "0001-01-01 00:00:00", "1969-12-31 23:59:59.999999",
		"2026-11-23 13:14:15.123456", "2026-06-30 12:00:00")
}

func words(r *rand.Rand) string {
	return pick(r, "", "x", "tëxt \"q\"\\n\n", "\u0001", strings.Repeat("long ", r.IntN(1000)), envelope.Unavailable, "😀")
}

func digits(r *rand.Rand, whole, fraction int) string {
	out := pick(r, "", "-") + pick(r, "1", "9", "50")
	for range r.IntN(whole - 1) {
		out += strconv.Itoa(r.IntN(10))
	}
	for i := range r.IntN(fraction + 1) {
		if i == 0 {
			out += "."
		}
		out += strconv.Itoa(r.IntN(10))
	}
	return out
}

// TestWhatAServerHasIsReadBack fills a table with random values and reads it in both forms. The binary form comes to the value
// of the text form, and what events have of a value is read back as it, or stands in _extra in the server's words.
func TestWhatAServerHasIsReadBack(t *testing.T) {
	server := pgtest.Start(t)
	conn, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres", server.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	run := func(sql string) [][][]byte {
		t.Helper()
		results, err := conn.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			t.Fatalf("%.300s: %v", sql, err)
		}
		return results[len(results)-1].Rows
	}
	const seed = 11
	random := rand.New(rand.NewPCG(seed, seed))
	var columns []string
	for _, m := range makers {
		columns = append(columns, m.column)
	}
	run("create type mood as enum ('sad', 'hap,py'); create domain posint as integer check (value > 0); create table p (" + strings.Join(columns, ", ") + ")")
	for range 300 {
		var cells []string
		for _, m := range makers {
			if random.IntN(10) == 0 {
				cells = append(cells, "null")
				continue
			}
			cells = append(cells, "'"+strings.ReplaceAll(m.value(random), "'", "''")+"'")
		}
		run("insert into p values (" + strings.Join(cells, ", ") + ")")
	}
	types := pgtype.Catalog{}
	for _, row := range run(pgtype.CatalogQuery) {
		if err := types.Add(row); err != nil {
			t.Fatal(err)
		}
	}
	s := &record.Schema{Table: "p"}
	var codecs []*pgtype.Codec
	var selected []string
	for _, row := range run("select attname, atttypid::int8, atttypmod from pg_attribute where attrelid = 'p'::regclass and attnum > 0 order by attnum") {
		oid, _ := strconv.ParseUint(string(row[1]), 10, 32)
		typmod, _ := strconv.ParseInt(string(row[2]), 10, 32)
		c, ok := types.Codec(pgtype.Attr{Name: string(row[0]), OID: uint32(oid), Typmod: int32(typmod)}, pgtype.Modes{Special: "extra"})
		if !ok {
			t.Fatalf("column %s is not captured", row[0])
		}
		codecs, selected, s.Columns = append(codecs, c), append(selected, c.Select(string(row[0]))), append(s.Columns, c.Column)
	}
	texts := run("select * from p")
	var copied bytes.Buffer
	if _, err := conn.CopyTo(t.Context(), &copied, "copy (select "+strings.Join(selected, ", ")+" from p) to stdout binary"); err != nil {
		t.Fatal(err)
	}
	var arena pgtype.Arena
	for n, cells := range binaryRows(t, copied.Bytes(), len(codecs)) {
		row, other := make(record.Row, len(codecs)), make(record.Row, len(codecs))
		for i, c := range codecs {
			if texts[n][i] == nil {
				continue
			}
			row[i], other[i] = c.Text(&arena, texts[n][i]), c.Binary(&arena, cells[i])
		}
		for i, c := range codecs { // when the arena has given out all of the row's memory
			if !same(row[i], other[i]) {
				t.Errorf("%s: %q comes to %+v, and its binary form %x to %+v", c.Column.Name, texts[n][i], row[i], cells[i], other[i])
			}
		}
		e, err := envelope.Split(envelope.Append(nil, s, &envelope.Source{}, 'c', nil, row, 0))
		if err != nil {
			t.Fatal(err)
		}
		back, extra, err := envelope.Decode(s, e.After, nil)
		if err != nil {
			t.Fatalf("%v in %s", err, e.After)
		}
		for i := range row {
			if envelope.Fits(s, &s.Columns[i], row[i]) {
				if !same(row[i], back[i]) {
					t.Errorf("%s: %q comes to %+v, and is read back as %+v", s.Columns[i].Name, texts[n][i], row[i], back[i])
				}
				continue
			}
			if !bytes.Contains(extra, []byte(`"`+s.Columns[i].Name+`":`)) {
				t.Errorf("%s: %q is lost", s.Columns[i].Name, texts[n][i])
			}
		}
	}
}

// binaryRows takes COPY's binary format apart.
func binaryRows(t *testing.T, in []byte, columns int) (out [][][]byte) {
	t.Helper()
	in = in[19+binary.BigEndian.Uint32(in[15:]):]
	for {
		n := int16(binary.BigEndian.Uint16(in)) //nolint:gosec // two's complement
		if in = in[2:]; n < 0 {
			return out
		}
		if int(n) != columns {
			t.Fatalf("%d columns", n)
		}
		row := make([][]byte, n)
		for i := range row {
			size := int32(binary.BigEndian.Uint32(in)) //nolint:gosec // two's complement
			if in = in[4:]; size >= 0 {
				row[i], in = in[:size:size], in[size:]
			}
		}
		out = append(out, row)
	}
}
