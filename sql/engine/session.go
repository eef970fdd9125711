//go:build duckdb_arrow

package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// session is one statement on its way: its connection, and what it has leased and bound
// there. One goroutine uses it.
type session struct {
	gate      *Gate
	who       guard.Principal
	source    string // the statement as the principal wrote it
	conn      *duck.Conn
	secret    string // before every variable and temporary table; nobody can guess it
	count     int
	variables []string
	loaded    []string // temporary tables
	given     string   // that of them which loadRows fills; "" before the first
	scans     map[scanKey]*catalog.Scan
	relations map[scanKey]sqltext.Relation
	snapshots map[string]int64
	views     []table.Ident // being expanded, for cycles
	viewed    speech        // of the innermost of them
	policies  []string      // filters and masks in use: no error may show them
	dialect   *Dialect
	schemasOf []string  // searched for bare names; nil: the Gate's
	temps     *Session  // nil where the door has none
	turn      bool      // it has its turn
	zone      string    // "" = UTC
	rows      int64     // about so many that it asks of tables of the lake
	names     int       // of tables that it has resolved
	changes   *changing // of whose table the statement changes rows; nil for no such one
	written   *written  // rows of the statement's own; nil for none
	listing   *Listing  // nil until a table of the dialect asks for it
	warm      bool      // it may read hot files
	hot       []*hotFile
}

type scanKey struct {
	table.Ident
	at catalog.At
}

func (g *Gate) open(ctx context.Context, who guard.Principal, source string) (*session, error) {
	conn, err := g.instance.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return &session{
		gate: g, who: who, source: source, conn: conn, secret: "v" + hex.EncodeToString(b[:]) + "_",
		scans: map[scanKey]*catalog.Scan{}, relations: map[scanKey]sqltext.Relation{}, snapshots: map[string]int64{},
	}, nil
}

// asking is a session without a connection: nothing is run in it.
func (g *Gate) asking(r Request) *session {
	return &session{gate: g, who: r.Principal, dialect: r.Dialect, schemasOf: r.Schemas}
}

// close frees all that the statement held. The connection goes back to the instance, so nothing may stay on it: one that
// cannot be cleaned ends.
func (s *session) close() {
	for _, scan := range s.scans {
		if scan.Release != nil {
			scan.Release()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
	defer cancel()
	err := s.conn.Unset(ctx, s.variables...)
	for _, t := range s.loaded {
		if dropErr := s.conn.Exec(ctx, "DROP TABLE IF EXISTS temp."+duck.Ident(t)); err == nil {
			err = dropErr
		}
	}
	if err != nil {
		s.gate.o.Log.Warn("connection not clean, and ended", "error", err)
		s.conn.Discard()
	} else {
		_ = s.conn.Close()
	}
	s.gate.hot.give(s.hot)
}

const cleanTimeout = 10 * time.Second

func (s *session) name(kind string) string {
	s.count++
	return fmt.Sprintf("%s%s%d", s.secret, kind, s.count)
}

// query runs a SELECT.
func (g *Gate) query(ctx context.Context, r Request, source string) (*Result, error) {
	s, err := g.open(ctx, r.Principal, source)
	if err != nil {
		return nil, err
	}
	var result *Result
	defer func() {
		if result == nil {
			s.close()
		}
	}()
	if err = s.speak(ctx, r); err == nil {
		result, err = s.run(ctx, r)
	}
	if err != nil && !lacksMemory(err) { // which run looks for
		err = s.translate(err)
	}
	return result, err
}

func (s *session) run(ctx context.Context, r Request) (*Result, error) {
	s.warm = true
	out, err := s.rewrite(ctx, s.source, 0) // without a LIMIT, which DuckDB would fill before the first row is there
	if err != nil {
		return nil, err
	}
	text := out.Text
	if s.fewRows() {
		result, err := s.quickly(ctx, r, text, out.Kinds)
		if !lacksMemory(err) {
			return result, err
		}
	}
	if len(s.hot) > 0 {
		if text, err = s.cold(ctx); err != nil {
			return nil, err
		}
	}
	return s.answer(ctx, r, text, out.Kinds)
}

// answer runs a statement whose text is DuckDB's. kinds are those of its columns that are the dialect's own, or none.
func (s *session) answer(ctx context.Context, r Request, text string, kinds []string) (*Result, error) {
	types, err := s.types(ctx, text, r.Typed || r.UUIDs && (len(kinds) > 0 || s.uuids(text)))
	if err != nil {
		return nil, err
	}
	if len(types) == len(kinds) {
		for i := range types {
			types[i] = s.owned(types[i], kinds[i])
		}
	}
	reader, err := s.conn.Follow(ctx, text, noted(ctx).progress())
	if err != nil {
		return nil, err
	}
	in := &limited{RecordReader: reader, max: r.RowsMax, translate: s.translate}
	closed := func() {
		reader.Release()
		s.close()
	}
	return &Result{Schema: reader.Schema(), Types: types, Reader: in, Snapshots: s.snapshots, Tag: "SELECT", close: closed}, nil
}

// types are those of a query's columns, where they are asked for.
func (s *session) types(ctx context.Context, text string, asked bool) (out []string, _ error) {
	if !asked {
		return nil, nil
	}
	columns, err := s.describe(ctx, text)
	for _, c := range columns {
		out = append(out, c.typ)
	}
	return out, err
}

// uuids tells whether a query may answer UUIDs or JSON: it reads such a column, or says the word.
func (s *session) uuids(text string) bool {
	is := func(t string) bool { return strings.Contains(t, "UUID") || strings.Contains(t, "JSON") }
	for _, r := range s.relations {
		if slices.ContainsFunc(r.Types, is) {
			return true
		}
	}
	text = strings.ToLower(text)
	return strings.Contains(text, "uuid") || strings.Contains(text, "json") || s.temps.anyOf(is)
}

// speak takes the dialect, the zone and the session of a request, and whether it has its turn.
func (s *session) speak(ctx context.Context, r Request) error {
	s.dialect, s.schemasOf, s.temps, s.turn, s.zone = r.Dialect, r.Schemas, r.Session, r.turn, r.Zone
	return s.zoned(ctx, s.conn)
}

// zoned gives a connection the zone of the session.
func (s *session) zoned(ctx context.Context, conn *duck.Conn) error {
	if s.zone == "" {
		return nil
	}
	return conn.Zone(ctx, s.zone)
}

func (s *session) rewrite(ctx context.Context, source string, rowsMax int64) (sqltext.Rewritten, error) {
	source, err := s.pivoted(ctx, source)
	if err != nil {
		return sqltext.Rewritten{}, err
	}
	return s.walk(ctx, source, rowsMax)
}

// walk is rewrite of what has no PIVOT that leaves its values to what is there.
func (s *session) walk(ctx context.Context, source string, rowsMax int64) (sqltext.Rewritten, error) {
	return s.gate.parser.RewriteAs(ctx, s.words(), source, rowsMax, func(t sqltext.Table) (sqltext.Relation, error) { return s.resolve(ctx, t) }, s.typesOf)
}

// typesOf are the types of a query's parameters, on a connection that has the hot files which it reads.
func (s *session) typesOf(ctx context.Context, query string) ([]string, error) {
	if !s.warm || len(s.hot) == 0 {
		return s.conn.ParameterTypes(ctx, query)
	}
	conn, err := s.gate.quick.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return conn.ParameterTypes(ctx, query)
}

// speech is how the text of a view is read, whoever asks.
type speech struct {
	words   *sqltext.Dialect // nil: DuckDB's
	schemas []string         // in which bare names are looked for; nil: the Gate's
}

// words are those of the dialect; a view has its own.
func (s *session) words() *sqltext.Dialect {
	switch {
	case len(s.views) > 0:
		return s.viewed.words
	case s.dialect == nil:
		return nil
	}
	return s.dialect.Words
}

// pivoted writes the values into each PIVOT that leaves them to what is in the table: those that this statement sees.
func (s *session) pivoted(ctx context.Context, source string) (string, error) {
	for n := 0; ; n++ {
		at, found, err := sqltext.Pivots(source)
		if !found || err != nil {
			return source, err
		}
		if n == sqltext.PivotFindsMax {
			return "", fault.Newf(fault.TooLarge, "name those that you want: ON … IN ('a', 'b')", "the statement leaves the values of more than %d expressions of PIVOT to what is there", n)
		}
		if err := ctx.Err(); err != nil {
			return "", err
		}
		values, err := s.values(ctx, at.Query)
		switch {
		case err != nil:
			return "", err
		case len(values) == 0:
			return "", fault.New(fault.Invalid, "PIVOT found no values of which to make columns", "write them behind the expression: IN ('a', 'b')")
		case len(values) > sqltext.PivotValuesMax:
			return "", fault.Newf(fault.TooLarge, "name those that you want: ON … IN ('a', 'b')", "PIVOT would make more than %d columns", sqltext.PivotValuesMax)
		}
		for i, v := range values {
			values[i] = duck.Quote(v)
		}
		source = source[:at.At] + " IN (" + strings.Join(values, ", ") + ")" + source[at.At:]
		if len(source) > sqltext.TextBytesMax {
			return "", fault.Newf(fault.TooLarge, "name the values that you want: ON … IN ('a', 'b')", "the statement with what PIVOT found has more than %d bytes", sqltext.TextBytesMax)
		}
	}
}

// values runs a query for what a PIVOT finds, in a turn: also what only explains or describes a statement runs it.
func (s *session) values(ctx context.Context, query string) ([]string, error) {
	if !s.turn {
		leave, err := s.gate.enter(ctx, s.gate.queries, s.who.User)
		if err != nil {
			return nil, err
		}
		s.turn = true
		defer func() {
			s.turn = false
			leave()
		}()
	}
	warm := s.warm
	s.warm = false
	defer func() { s.warm = warm }()
	out, err := s.walk(ctx, query, 0)
	if err != nil {
		return nil, err
	}
	return s.conn.Texts(ctx, out.Text)
}

// secretWords are what an error's text must not hold.
func (s *session) secretWords() []string {
	words := []string{s.secret, "getvariable", "read_parquet", "parquet_scan", "tarn_arrow", "file_row_number", hotTable}
	words = append(words, s.gate.o.Folders...)
	if s.gate.o.TempDir != "" {
		words = append(words, s.gate.o.TempDir)
	}
	return append(words, s.policies...)
}

func mentions(text string, words []string) bool {
	for _, w := range words {
		if w != "" && strings.Contains(text, w) {
			return true
		}
	}
	return false
}
