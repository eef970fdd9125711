//go:build duckdb_arrow

package postgres_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"tarn/embedded/leaktest"
	"tarn/embedded/record"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
	"tarn/sql/postgres"
)

// changing is a table whose column and value a test sets.
type changing struct {
	gate *engine.Gate
}

func (c *changing) answer(column engine.SystemColumn, value any) {
	c.gate.RegisterSystem(engine.SystemTable{Name: "changing", Columns: []engine.SystemColumn{column}, Rows: func(context.Context) ([][]any, error) { return [][]any{{value}}, nil }})
}

// open starts a Gate with its door and returns the door's address.
func open(t testing.TB) string {
	t.Helper()
	addr, _ := openOver(t)
	return addr
}

func openOver(t testing.TB) (string, *changing) {
	t.Helper()
	gate, addr := enginetest.Serve(t, 5_000_000, func(l net.Listener, gate *engine.Gate) enginetest.Door {
		return postgres.New(postgres.Options{Listener: l, Gate: gate})
	})
	return addr, &changing{gate}
}

func connect(t testing.TB, addr string, options string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), "postgres://me@"+addr+"/lake?sslmode=disable"+options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := leaktest.Find(); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// values are expressions with their text as PostgreSQL writes it.
var values = []struct{ expression, text string }{
	{"true", "t"},
	{"(-5)::TINYINT", "-5"},
	{"(-32768)::SMALLINT", "-32768"},
	{"2147483647", "2147483647"},
	{"(-9223372036854775808)::BIGINT", "-9223372036854775808"},
	{"18446744073709551615::UBIGINT", "18446744073709551615"},
	{"170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727"},
	{"12.30::DECIMAL(10,2)", "12.30"},
	{"(-0.001)::DECIMAL(10,3)", "-0.001"},
	{"10000.0001::DECIMAL(20,4)", "10000.0001"},
	{"100000000::DECIMAL(18,0)", "100000000"},
	{"1.5::FLOAT", "1.5"},
	{"1e20::DOUBLE", "1e+20"},
	{"1e14::DOUBLE", "100000000000000"},
	{"0.00001::DOUBLE", "1e-05"},
	{"'NaN'::DOUBLE", "NaN"},
	{"'-inf'::DOUBLE", "-Infinity"},
	{"'a\"b,é'", `a"b,é`},
	{`'\x00\xFF'::BLOB`, `\x00ff`},
	{"DATE '2026-01-02'", "2026-01-02"},
	{"DATE '0001-01-01'", "0001-01-01"},
	{"TIME '03:04:05.5'", "03:04:05.5"},
	{"TIMESTAMP '1969-12-31 23:59:59.000001'", "1969-12-31 23:59:59.000001"},
	{"TIMESTAMP 'infinity'", "infinity"},
	{"TIMESTAMPTZ '2026-01-02 03:04:05+02'", "2026-01-02 01:04:05+00"},
	{"INTERVAL '14 months 3 days 04:05:06.789'", "1 year 2 mons 3 days 04:05:06.789"},
	{"INTERVAL '-1 second'", "-00:00:01"},
	{"INTERVAL '0'", "00:00:00"},
	{"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	{"[1, NULL, 3]", "{1,NULL,3}"},
	{"['a', 'b c', '', 'NULL', '\"\\']", `{a,"b c","","NULL","\"\\"}`},
	{"[]::INTEGER[]", "{}"},
	{"{'k': [1, 2]}", `{"k":[1,2]}`},
	{"[[1], [2, 3]]", "[[1],[2,3]]"},
}

// TestUUIDs: a UUID is one by its OID in the simple protocol too, as psycopg speaks without parameters, and so is a list of them.
func TestUUIDs(t *testing.T) {
	c := connect(t, open(t), "").PgConn()
	const id = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
	if _, err := c.Exec(t.Context(), "CREATE TEMP TABLE ids AS SELECT '"+id+"'::uuid AS u").ReadAll(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"SELECT u, [u] AS l, 'x' AS t FROM ids", "SELECT '" + id + "'::uuid AS u, ['" + id + "'::uuid] AS l, 'x' AS t", "WITH v AS (SELECT uuid '" + id + "' AS u) SELECT u, [u] AS l, 'x' AS t FROM v"} {
		results, err := c.Exec(t.Context(), text).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var oids []uint32
		for _, f := range results[0].FieldDescriptions {
			oids = append(oids, f.DataTypeOID)
		}
		if !slices.Equal(oids, []uint32{pgtype.UUIDOID, pgtype.UUIDArrayOID, pgtype.TextOID}) || string(results[0].Rows[0][0]) != id || string(results[0].Rows[0][1]) != "{"+id+"}" {
			t.Errorf("%s: %d, %q", text, oids, results[0].Rows)
		}
	}
}

// TestValues reads each value as text and in binary. The binary form is read by pgx and written by it as text again.
func TestValues(t *testing.T) {
	addr := open(t)
	c := connect(t, addr, "")
	for _, v := range values {
		var forms []string
		for _, format := range []int16{pgx.TextFormatCode, pgx.BinaryFormatCode} {
			r := c.PgConn().ExecParams(t.Context(), "SELECT "+v.expression, nil, nil, nil, []int16{format}).Read()
			if r.Err != nil || len(r.Rows) != 1 {
				t.Fatalf("%s: %v", v.expression, r.Err)
			}
			raw := r.Rows[0][0]
			if format == pgx.BinaryFormatCode {
				raw = asText(t, c, r.FieldDescriptions[0].DataTypeOID, raw)
			}
			forms = append(forms, string(raw))
		}
		if forms[0] != v.text {
			t.Errorf("%s: text %s, want %s", v.expression, forms[0], v.text)
		}
		// pgx writes times, intervals and floats in its own way: the first form is read and written by it, too.
		oid := c.PgConn().ExecParams(t.Context(), "SELECT "+v.expression, nil, nil, nil, nil).Read().FieldDescriptions[0].DataTypeOID
		if again := rewritten(t, c, oid, forms[0]); again != forms[1] {
			t.Errorf("%s: as text %s, in binary %s", v.expression, again, forms[1])
		}
	}
}

func asText(t *testing.T, c *pgx.Conn, oid uint32, raw []byte) []byte {
	t.Helper()
	of, ok := c.TypeMap().TypeForOID(oid)
	if !ok {
		t.Fatalf("pgx knows no type %d", oid)
	}
	v, err := of.Codec.DecodeValue(c.TypeMap(), oid, pgx.BinaryFormatCode, raw)
	if err != nil {
		t.Fatalf("binary of type %d: %v", oid, err)
	}
	out, err := c.TypeMap().Encode(oid, pgx.TextFormatCode, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func rewritten(t *testing.T, c *pgx.Conn, oid uint32, text string) string {
	t.Helper()
	of, _ := c.TypeMap().TypeForOID(oid)
	v, err := of.Codec.DecodeValue(c.TypeMap(), oid, pgx.TextFormatCode, []byte(text))
	if err != nil {
		t.Fatalf("text %q of type %d: %v", text, oid, err)
	}
	out, err := c.TypeMap().Encode(oid, pgx.TextFormatCode, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestParameters(t *testing.T) {
	c := connect(t, open(t), "")
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	var (
		n     int64
		text  string
		date  time.Time
		id    pgtype.UUID
		list  []int32
		exact pgtype.Numeric
		data  []byte
		none  *string
	)
	for range 7 { // pgx prepares it once and then runs it again and again
		err := c.QueryRow(t.Context(), "SELECT $1::BIGINT + 1, $2 || '!', $3::DATE, $4::UUID, $5::INTEGER[], $6::DECIMAL(38,10), $7::BLOB, $8::VARCHAR, $2",
			int64(41), "it's $1 \\ é", day, pgtype.UUID{Bytes: [16]byte{15: 5}, Valid: true}, []int32{1, -2},
			pgtype.Numeric{Int: big.NewInt(123456789), Exp: -8, Valid: true}, []byte{0, 0xff, '\''}, nil,
		).Scan(&n, &text, &date, &id, &list, &exact, &data, &none, new(string))
		if err != nil {
			t.Fatal(err)
		}
	}
	if f, err := exact.Float64Value(); n != 42 || text != "it's $1 \\ é!" || !date.Equal(day) || id.Bytes[15] != 5 || !slices.Equal(list, []int32{1, -2}) || err != nil || f.Float64 != 1.23456789 || !bytes.Equal(data, []byte{0, 0xff, '\''}) || none != nil {
		t.Fatal(n, text, date, id, list, exact, data, none)
	}
	var name string
	if err := c.QueryRow(t.Context(), "SELECT name FROM system.ports WHERE berths = $1", 8).Scan(&name); err != nil || name != "Tanger Med" {
		t.Fatalf("a parameter takes the type of the column that it is compared with: %q, %v", name, err)
	}
	s, err := c.Prepare(t.Context(), "p", "SELECT name, berths FROM system.ports WHERE name LIKE $1 LIMIT $2")
	if err != nil || !slices.Equal(s.ParamOIDs, []uint32{pgtype.TextOID, pgtype.Int8OID}) || len(s.Fields) != 2 || s.Fields[1].DataTypeOID != pgtype.Int8OID {
		t.Fatalf("%+v, %v", s, err)
	}
}

// TestErrors holds codes, places and what a failed transaction does.
func TestErrors(t *testing.T) {
	c := connect(t, open(t), "&default_query_exec_mode=simple_protocol")
	for statement, want := range map[string]string{
		"SELECT": "42601", "SELECT nope FROM system.ports": "42703", "SELECT * FROM nothing": "42P01", "COPY t TO '/tmp/x'": "42501", "SET nonsense = 1": "42704",
		"SET server_version = '9'": "55P02", "SELECT 'x'::INTEGER": "22P02", "COPY system.ports FROM STDIN": "53300", "FETCH 1 FROM c": "34000",
	} {
		_, err := c.Exec(t.Context(), statement)
		shown, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || shown.Code != want {
			t.Errorf("%s: %v, want %s", statement, err, want)
		}
	}
	_, err := c.Exec(t.Context(), "SELECT name,\n nope FROM system.ports")
	if shown, ok := errors.AsType[*pgconn.PgError](err); !ok || shown.Position != 15 || shown.Hint == "" {
		t.Errorf("%+v", err)
	}
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = tx.Exec(t.Context(), "SELECT nope")
	_, err = tx.Exec(t.Context(), "SELECT 1")
	if shown, ok := errors.AsType[*pgconn.PgError](err); !ok || shown.Code != "25P02" {
		t.Errorf("%v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := c.PgConn().Exec(t.Context(), "SELECT 1; SELECT 2; SELECT nope; SELECT 3"); true {
		all, err := r.ReadAll()
		if len(all) < 2 || err == nil {
			t.Errorf("%d answers, %v", len(all), err)
		}
	}
	if r, err := c.PgConn().Exec(t.Context(), " ; -- nothing\n").ReadAll(); err != nil || len(r) != 1 || r[0].CommandTag.String() != "" {
		t.Errorf("%v, %v", r, err)
	}
}

func TestSession(t *testing.T) {
	c := connect(t, open(t), "&application_name=crane")
	one := func(statement string) (out string) {
		t.Helper()
		if err := c.QueryRow(t.Context(), statement).Scan(&out); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		return out
	}
	exec := func(statement, tag string) {
		t.Helper()
		if got, err := c.Exec(t.Context(), statement); err != nil || got.String() != tag {
			t.Fatalf("%s: %s, %v", statement, got, err)
		}
	}
	if got := one("SHOW application_name"); got != "crane" {
		t.Error(got)
	}
	exec("SET application_name TO 'gate'", "SET")
	if got := one("SHOW application_name"); got != "gate" || c.PgConn().ParameterStatus("application_name") != "gate" {
		t.Error(got)
	}
	exec("RESET ALL", "RESET") // to what the log-in said
	if got := one("SHOW application_name"); got != "crane" {
		t.Error(got)
	}
	if got := one("SELECT current_user || pg_catalog.version() || current_database()"); !strings.HasPrefix(got, "mePostgreSQL ") || !strings.HasSuffix(got, "lake") {
		t.Error(got)
	}
	rows, err := c.Query(t.Context(), "SELECT current_schema(), 1 AS one")
	if err != nil || rows.FieldDescriptions()[0].Name != "current_schema" {
		t.Errorf("%v, %v", rows.FieldDescriptions(), err)
	}
	rows.Close()
	exec("SET statement_timeout = '1ms'", "SET")
	_, err = c.Exec(t.Context(), "SELECT count(*) FROM range(10000000000) t(i) WHERE sqrt(i) < 0")
	if shown, ok := errors.AsType[*pgconn.PgError](err); !ok || shown.Code != "57014" {
		t.Errorf("%v", err)
	}
	if _, err := pgx.Connect(t.Context(), strings.Replace(c.Config().ConnString(), "/lake", "/other", 1)); err == nil {
		t.Error("another database is there")
	}
}

func TestCursors(t *testing.T) {
	c := connect(t, open(t), "")
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "DECLARE far NO SCROLL CURSOR FOR SELECT range FROM range(10)"); err != nil {
		t.Fatal(err)
	}
	var all []int64
	for range 4 {
		rows, err := tx.Query(t.Context(), "FETCH FORWARD 4 FROM far")
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got...)
	}
	if !slices.Equal(all, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Error(all)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), "FETCH 1 FROM far"); err == nil {
		t.Error("a cursor outlives its transaction")
	}
}

func TestCopy(t *testing.T) {
	c := connect(t, open(t), "")
	for statement, want := range map[string]string{
		"COPY system.ports TO STDOUT": "Tanger Med\t8\nRotterdam\t\\N\n",
		"COPY (SELECT 'a,\"b' AS x, NULL AS y, '' AS z) TO STDOUT (FORMAT csv, HEADER)": "x,y,z\n\"a,\"\"b\",,\"\"\n",
		"COPY system.ports (berths, name) TO STDOUT WITH CSV DELIMITER ';' NULL 'none'": "8;Tanger Med\nnone;Rotterdam\n",
		`COPY (SELECT E'a\tb\\\n') TO STDOUT`:                                           "a\\tb\\\\\\n\n",
	} {
		var b bytes.Buffer
		tag, err := c.PgConn().CopyTo(t.Context(), &b, statement)
		if err != nil || b.String() != want {
			t.Errorf("%s: %s %q, %v", statement, tag, b.String(), err)
		}
	}
	var b bytes.Buffer
	if _, err := c.PgConn().CopyTo(t.Context(), &b, "COPY (SELECT 258 AS n) TO STDOUT (FORMAT binary)"); err != nil {
		t.Fatal(err)
	}
	want := append([]byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0, 1, 0, 0, 0, 4, 0, 0, 1, 2, 0xff, 0xff)
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%x, want %x", b.Bytes(), want)
	}
}

// TestChangedColumns holds that a prepared statement never answers in types that its client was not told of.
func TestChangedColumns(t *testing.T) {
	addr, shelf := openOver(t)
	c := connect(t, addr, "")
	shelf.answer(engine.SystemColumn{Name: "n", Type: record.Int}, int64(7))
	var n int64
	if err := c.QueryRow(t.Context(), "SELECT n FROM system.changing").Scan(&n); err != nil || n != 7 {
		t.Fatal(n, err)
	}
	shelf.answer(engine.SystemColumn{Name: "n", Type: record.Long}, int64(1)<<40)
	err := c.QueryRow(t.Context(), "SELECT n FROM system.changing").Scan(&n)
	if shown, ok := errors.AsType[*pgconn.PgError](err); !ok || shown.Code != "0A000" {
		t.Fatalf("%d, %v", n, err)
	}
	if err := c.QueryRow(t.Context(), "SELECT n FROM system.changing").Scan(&n); err != nil || n != 1<<40 {
		t.Fatal(n, err)
	}
}

// TestNumbers holds that a parameter keeps all its digits.
func TestNumbers(t *testing.T) {
	c := connect(t, open(t), "")
	for value, want := range map[string]string{
		"1E-7": "0.0000001", "1.2345e2": "123.45", "-12345678901234567890.123456789": "-12345678901234567890.123456789", "7": "7", "{1.2345,NULL,3}": "{1.2345,NULL,3.0000}",
	} {
		oid := uint32(pgtype.NumericOID)
		if strings.HasPrefix(value, "{") {
			oid = pgtype.NumericArrayOID
		}
		r := c.PgConn().ExecParams(t.Context(), "SELECT $1", [][]byte{[]byte(value)}, []uint32{oid}, nil, nil).Read()
		if r.Err != nil || string(r.Rows[0][0]) != want {
			t.Errorf("%s: %s, %v", value, r.Rows, r.Err)
		}
	}
	if r := c.PgConn().ExecParams(t.Context(), "SELECT $1", [][]byte{[]byte("1e40")}, []uint32{pgtype.NumericOID}, nil, nil).Read(); r.Err == nil {
		t.Error("a number of more than 38 digits is taken")
	}
}

// TestIdleCursors holds that what a client leaves open keeps nobody out for longer than a statement may take.
func TestIdleCursors(t *testing.T) {
	addr := open(t)
	for range 3 {
		c := connect(t, addr, "")
		if _, err := c.Exec(t.Context(), "SET statement_timeout = '2s'"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(t.Context(), "BEGIN"); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			_, err := c.Exec(t.Context(), fmt.Sprintf("DECLARE c%d CURSOR FOR SELECT range FROM range(1000000)", i))
			if shown, ok := errors.AsType[*pgconn.PgError](err); err != nil && (!ok || shown.Code != "53000" && shown.Code != "57014") {
				t.Fatal(err)
			}
			if err != nil {
				break
			}
		}
	}
	c := connect(t, addr, "")
	if _, err := c.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

// TestLargeBind holds that values do not make a statement of any size.
func TestLargeBind(t *testing.T) {
	c := connect(t, open(t), "")
	text := "SELECT length($1)" + strings.Repeat("+length($1)", 1000)
	r := c.PgConn().ExecParams(t.Context(), text, [][]byte{bytes.Repeat([]byte("x"), 1<<20)}, []uint32{pgtype.TextOID}, nil, nil).Read()
	if shown, ok := errors.AsType[*pgconn.PgError](r.Err); !ok || shown.Code != "54000" {
		t.Fatal(r.Err)
	}
}

// TestCancel ends a statement from another connection.
func TestCancel(t *testing.T) {
	c := connect(t, open(t), "")
	ended := make(chan error, 1)
	go func() {
		_, err := c.Exec(t.Context(), "SELECT count(*) FROM range(100000000000) t(i) WHERE sqrt(i) < 0")
		ended <- err
	}()
	for {
		if err := c.PgConn().CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if shown, ok := errors.AsType[*pgconn.PgError](err); !ok || shown.Code != "57014" {
				t.Fatal(err)
			}
			if _, err := c.Exec(t.Context(), "SELECT 1"); err != nil {
				t.Fatal(err)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestMany rows come whole, and a client that goes in the midst of them is forgotten.
func TestMany(t *testing.T) {
	addr := open(t)
	c := connect(t, addr, "")
	rows, err := c.Query(t.Context(), "SELECT range, 'row ' || range FROM range(300000)")
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for rows.Next() {
		var i int64
		var s string
		if err := rows.Scan(&i, &s); err != nil || i != n || s != fmt.Sprint("row ", n) {
			t.Fatal(i, s, err)
		}
		n++
	}
	if rows.Err() != nil || n != 300000 {
		t.Fatal(n, rows.Err())
	}
	for range 20 { // more than may run at once
		gone := connect(t, addr, "")
		if r := gone.PgConn().ExecParams(t.Context(), "SELECT range FROM range(4000000)", nil, nil, nil, nil); !r.NextRow() {
			t.Fatal("no row comes")
		}
		_ = gone.PgConn().Conn().Close()
	}
	if _, err := c.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

// FuzzMessages sends what is no conversation: the door closes that connection or answers, and goes on.
func FuzzMessages(f *testing.F) {
	addr := open(f)
	message := func(kind byte, body string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...) //nolint:gosec // short
	}
	f.Add(message('Q', "SELECT 1;\x00"))
	f.Add(slices.Concat(message('P', "s\x00SELECT $1\x00\x00\x00"), message('B', "\x00s\x00\x00\x00\x00\x01\x00\x00\x00\x01x\x00\x00"), message('D', "P\x00"), message('E', "\x00\x00\x00\x00\x01"), message('S', "")))
	f.Add(message('B', "\x00\x00\xff\xff"))
	f.Add([]byte{'Q', 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{'Q', 0x7f, 0xff, 0xff, 0xff, 'x'})
	start := []byte{0, 0, 0, 18, 0, 3, 0, 0}
	start = append(start, "user\x00me\x00\x00\x00"...)
	start[3] = byte(len(start))
	f.Fuzz(func(t *testing.T, in []byte) {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		_ = nc.SetDeadline(time.Now().Add(time.Minute))
		_, _ = nc.Write(slices.Concat(start, in, message('X', "")))
		if _, err := io.Copy(io.Discard, io.LimitReader(nc, math.MaxInt32)); err != nil && errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("the door neither answers nor closes")
		}
	})
}

// In binary, COPY writes a UUID as the sixteen bytes that its clients are told of.
func TestCopyBinaryUUID(t *testing.T) {
	c := connect(t, open(t), "")
	var out bytes.Buffer
	if _, err := c.PgConn().CopyTo(t.Context(), &out, "COPY (SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID AS id) TO STDOUT (FORMAT binary)"); err != nil {
		t.Fatal(err)
	}
	want := "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x10\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11\xff\xff"
	if out.String() != want {
		t.Errorf("it is %q", out.String())
	}
}
