//go:build duckdb_arrow

package engine

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
)

// What RETURNING may answer: it is made before the commit, and is in memory until it is read.
const (
	returningRowsMax  = 100_000
	returningBytesMax = 16 << 20
	userReturningMax  = 64 << 20  // of all statements of one principal
	allReturningMax   = 128 << 20 // of all statements
)

// returnedUse counts the bytes of the answers of RETURNING that wait to be read.
type returnedUse struct {
	mu    sync.Mutex
	users map[string]int64
	all   int64
}

// add counts more of a user, or less, and tells whether both bounds are kept.
func (u *returnedUse) add(user string, bytes int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all += bytes
	if u.users[user] += bytes; u.users[user] == 0 {
		delete(u.users, user)
	}
	return u.users[user] <= userReturningMax && u.all <= allReturningMax
}

// returning is what a statement asks for of the rows that it writes, or takes out.
type returning struct {
	list, called, stmt string // called is the table's name there
	id                 table.Ident
	names, words       []string // of the table's columns
}

// written is a table that a statement of Tarn's own reads by a name that nobody can mean.
type written struct {
	name string
	is   sqltext.Relation
}

// asked is the query of what is asked for, of rows.
func (q returning) asked(ctx context.Context, s *session, rows string) (string, error) {
	source := s.source
	defer func() { s.source = source }()
	s.source = q.stmt // in which the names of errors are found
	s.written = &written{s.name("w"), sqltext.Relation{Text: rows, Name: q.id.String(), Columns: q.names, Types: q.words}}
	out, err := s.rewrite(ctx, "SELECT "+q.list+" FROM "+ident(s.written.name)+" AS "+q.called, 0)
	return out.Text, elsewhere(err)
}

// shape are the columns of the answer.
func (q returning) shape(ctx context.Context, s *session) (_ []ShapeColumn, err error) {
	if q.list == "" {
		return nil, nil
	}
	if q.list, err = sqltext.Substitute(q.list, func(int) string { return "NULL" }); err != nil {
		return nil, err
	}
	text, err := q.asked(ctx, s, "SELECT "+strings.Join(castItems(q.names, q.words, nil, nil, ""), ", ")+" LIMIT 0")
	if err != nil {
		return nil, err
	}
	return s.answers(ctx, text)
}

// answer is what is asked for of rows that are held, whole and in memory.
func (q returning) answer(ctx context.Context, s *session, r Request, rows string) (_ *Result, err error) {
	text, err := q.asked(ctx, s, rows)
	if err != nil {
		return nil, err
	}
	types, err := s.types(ctx, text, r.Typed || r.UUIDs)
	if err != nil {
		return nil, elsewhere(s.translate(err))
	}
	reader, err := s.conn.Arrow(ctx, text)
	if err != nil {
		return nil, elsewhere(s.translate(err))
	}
	defer reader.Release()
	if r.Fits != nil {
		if err := r.Fits(reader.Schema()); err != nil {
			return nil, err
		}
	}
	kept := kept{of: &s.gate.returned, user: r.Principal.User}
	defer func() {
		if err != nil {
			kept.free()
		}
	}()
	if err := Merge(reader, kept.take); err != nil {
		return nil, s.translate(err)
	}
	all, err := array.NewRecordReader(reader.Schema(), kept.batches)
	if err != nil {
		return nil, err
	}
	return &Result{Schema: all.Schema(), Types: types, Reader: all, Returned: true, close: func() {
		all.Release()
		kept.free()
	}}, nil
}

// kept are batches in memory.
type kept struct {
	of          *returnedUse
	user        string
	batches     []arrow.RecordBatch
	rows, bytes int64
}

func (k *kept) take(b arrow.RecordBatch) error {
	bytes := duck.Bytes(b)
	k.rows, k.bytes = k.rows+b.NumRows(), k.bytes+bytes
	b.Retain()
	k.batches = append(k.batches, b)
	switch room := k.of.add(k.user, bytes); {
	case k.rows > returningRowsMax:
		return errReturning("rows", returningRowsMax)
	case k.bytes > returningBytesMax:
		return errReturning("bytes", returningBytesMax)
	case !room:
		return fault.New(fault.TooLarge, "the answers of RETURNING that wait to be read have no more room", "read them, or send the statement again in a moment")
	}
	return nil
}

func (k *kept) free() {
	for _, b := range k.batches {
		b.Release()
	}
	k.of.add(k.user, -k.bytes)
	k.batches, k.bytes = nil, 0
}

func errReturning(what string, most int) error {
	return fault.Newf(fault.TooLarge, "write fewer rows at once, or leave RETURNING out", "RETURNING would answer more than %d %s: nothing was written", most, what)
}

// hold keeps an answer on the connection, under names for its columns where they are told. An answer of more than most rows has one more.
func (s *session) hold(ctx context.Context, query, names string, most int64) (place string, err error) {
	name := s.name("h")
	s.loaded = append(s.loaded, name)
	place = "temp." + ident(name)
	return place, s.conn.Exec(ctx, "CREATE TEMP TABLE "+ident(name)+" AS SELECT * FROM ("+query+") q"+names+" LIMIT "+strconv.FormatInt(most+1, 10))
}

// holdReturning is hold of what is to be answered.
func (s *session) holdReturning(ctx context.Context, query, names string) (place string, err error) {
	var rows int64
	if place, err = s.hold(ctx, query, names, returningRowsMax); err == nil {
		err = s.conn.QueryRowContext(ctx, "SELECT count(*) FROM "+place).Scan(&rows)
	}
	if err == nil && rows > returningRowsMax {
		err = errReturning("rows", returningRowsMax)
	}
	return place, err
}

// with gives an answer of RETURNING its tag, or makes one of the tag alone.
func (r *Result) with(tag string, rows int64) *Result {
	if r == nil {
		return Changed(tag, rows)
	}
	r.Tag, r.Changed = tag, &rows
	return r
}

// unless ends a result where there is an error.
func (r *Result) unless(err error) *Result {
	if err == nil || r == nil {
		return r
	}
	r.Close()
	return nil
}

// returningOf is what an INSERT asks for.
func returningOf(in sqltext.Insert, stmt string, id table.Ident, columns []table.Column, words []string) returning {
	return returning{list: in.Returning, called: called(in.Alias, in.Table), stmt: stmt, id: id, names: namesOfColumns(columns), words: words}
}

// returning is what a change asks for.
func (x *changing) returning(stmt string) returning {
	return returning{list: x.c.Returning, called: x.called(), stmt: stmt, id: x.id, names: namesOfColumns(x.columns), words: x.words}
}

// called is the table's name in the statement.
func (x *changing) called() string { return called(x.c.Alias, x.c.Table) }

func called(alias string, t sqltext.Table) string { return cmp.Or(alias, ident(t.Name)) }

// returnable are the rows of a held change that RETURNING is of: those that came, and of a DELETE, or MERGE's, those that went.
func (x *changing) returnable(held string) string {
	items := make([]string, len(x.columns))
	for i, c := range x.columns {
		items[i] = "c" + strconv.Itoa(i) + " AS " + ident(c.Name)
	}
	text := "SELECT " + strings.Join(items, ", ") + " FROM " + held
	if x.c.Verb == "DELETE" {
		text += " QUALIFY row_number() OVER (PARTITION BY p, n) = 1" // USING may name one twice
	}
	return text
}

// heldNames are those of the columns of a held change.
func (x *changing) heldNames() string {
	return "(" + strings.Join(append([]string{"p", "n", "a"}, numbered(len(x.columns))...), ", ") + ")"
}
