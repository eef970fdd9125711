package sqlite

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/source"
)

// The bounds of one drain of one table.
const (
	drainRowsMax  = 10_000
	drainBytesMax = 4 << 20
	// lookBytesMax bounds what one look drains of all tables, give or take one of them.
	lookBytesMax = 16 << 20
	lineBytes    = 128 // of a line beside its cells
	// conflictsMax bounds the undecided conflicts of one statement, beside drainBytesMax:
	// INSERT OR IGNORE leaves one for each row that it ignores, while a row that is replaced
	// waits only for what the triggers of its own replacement do.
	conflictsMax = 1_000
)

// logRow is one line of a shadow table.
type logRow struct {
	seq           int64
	op            string
	unique        int
	ts            float64
	before, after []any
	beforeID      any // the rowid where the table logs it
	afterID       any
	size          int
	renewed       int64 // of a conflict: the line that updated its row last, which is not who replaced it
}

// drained is what one drain of one table read.
type drained struct {
	changes []source.Change
	seq     int64 // of the last line read; 0 when there was none
	stamp   string
	bytes   int  // about what the changes take
	cut     bool // there is more
	misfit  bool // a cell is null or a misfit where its declaration allows none
	// undecided are the conflicts that the next line may still decide, of the statement in
	// the middle of which the drain was cut.
	undecided []logRow
}

// drainer reads a shadow table from a number on and decides conflicts from the log alone:
// the table itself may have gone on.
type drainer struct {
	c         *capture
	rowsMax   int
	schema    *record.Schema
	numeric   []bool
	conflicts []logRow // undecided ones of one statement
	held      int      // about what they take, in bytes
	out       drained
	rows      int
	line      logRow
	dest      []any
}

func newDrainer(c *capture, schema *record.Schema, rowsMax int) *drainer {
	n := len(c.Def.Columns)
	d := &drainer{c: c, rowsMax: rowsMax, schema: schema, numeric: c.Def.numericColumns()}
	d.line.before, d.line.after = make([]any, n), make([]any, n)
	var unique dbsql.NullInt64
	d.dest = []any{&d.line.seq, &d.line.op, &unique, &d.line.ts, &d.line.beforeID, &d.line.afterID}
	d.dest[2] = scanUnique{&d.line.unique}
	for i := range d.line.before {
		d.dest = append(d.dest, &d.line.before[i])
	}
	for i := range d.line.after {
		d.dest = append(d.dest, &d.line.after[i])
	}
	return d
}

// scanUnique reads a number that is null in most lines.
type scanUnique struct{ to *int }

// Scan is database/sql's.
func (s scanUnique) Scan(v any) error {
	n, _ := v.(int64)
	*s.to = int(n)
	return nil
}

// drain reads what the shadow table holds behind a standing, within the bounds. The conflicts
// that the drain before it left undecided come with it, or are read once more. The caller
// holds a read transaction.
func (d *drainer) drain(ctx context.Context, q querier, st *standing, undecided []logRow) (drained, error) {
	after, from := st.Seq, st.Seq
	if st.Open > 0 && undecided == nil {
		from = st.Open - 1
	}
	for i := range undecided {
		d.conflicts = append(d.conflicts, undecided[i])
		d.held += undecided[i].size
	}
	var columns strings.Builder
	for _, side := range []string{"b", "a"} {
		for i := range d.c.Def.Columns {
			fmt.Fprintf(&columns, ", %s%d", side, i)
		}
	}
	rows, err := q.QueryContext(ctx, fmt.Sprintf("SELECT seq, op, u, ts, br, ar%s FROM %s WHERE seq > ? ORDER BY seq", columns.String(), quote(d.c.Log)), from)
	if err != nil {
		return drained{}, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if d.full() {
			d.out.cut = true
			if len(d.conflicts) > 0 && d.conflicts[0].ts == d.line.ts {
				d.out.undecided = d.conflicts
			}
			return d.out, nil
		}
		if err := rows.Scan(d.dest...); err != nil {
			return drained{}, err
		}
		if err := d.sound(); err != nil {
			return drained{}, err
		}
		d.line.size = lineBytes
		for i := range d.line.before {
			d.line.size += sizeOf(d.line.before[i]) + sizeOf(d.line.after[i])
		}
		if d.line.seq <= after {
			d.settle()
		} else {
			d.take()
		}
	}
	// What is visible is whole transactions, so conflicts left now came to nothing.
	return d.out, rows.Err()
}

func (d *drainer) full() bool { return d.rows >= d.rowsMax || d.out.bytes >= drainBytesMax }

// sound proves that a line is one that Tarn's triggers write: anybody may write to the
// shadow table.
func (d *drainer) sound() error {
	l := &d.line
	bad := l.op != opCreate && l.op != opUpdate && l.op != opDelete && l.op != opConflict ||
		l.op == opConflict && (l.unique < 0 || l.unique >= len(d.c.Def.Uniques))
	if bad {
		return &source.NeedsResnapshot{Tables: []string{d.c.Def.Table}, Reason: fmt.Sprintf("line %d of Tarn's shadow table was changed", l.seq)}
	}
	return nil
}

// take handles the line just read.
func (d *drainer) take() {
	l := &d.line
	d.out.seq, d.out.stamp = l.seq, stamp(l.ts)
	d.rows++
	d.out.bytes += l.size
	for n, c := range d.settle() {
		d.out.changes = append(d.out.changes, source.Change{
			Op: source.Delete, Before: d.row(c.before), BeforeID: id(c.beforeID),
			Place: replacedPlace(l.seq, n, d.out.stamp), Seq: c.seq, TS: julian(c.ts),
		})
	}
	if l.op == opConflict {
		return
	}
	change := source.Change{Op: source.Op(l.op[0]), Place: linePlace(l.seq, d.out.stamp), Seq: l.seq, TS: julian(l.ts)}
	if l.op != opCreate {
		change.Before, change.BeforeID = d.row(l.before), id(l.beforeID)
	}
	if l.op != opDelete {
		change.After, change.AfterID = d.row(l.after), id(l.afterID)
	}
	d.out.changes = append(d.out.changes, change)
}

// settle keeps the undecided conflicts as the line just read leaves them, and returns those
// that it has decided: rows that were replaced.
func (d *drainer) settle() []logRow {
	l := &d.line
	if l.op == opConflict {
		d.remember()
		return nil
	}
	switch l.op {
	case opDelete:
		d.forget(l.before, l.beforeID)
		return nil
	case opUpdate:
		d.renew()
	}
	return d.decide()
}

// remember keeps a conflict. Those of an earlier statement have come to nothing: within one,
// SQLite's clock stands still (since 3.8).
func (d *drainer) remember() {
	l := d.line
	if len(d.conflicts) > 0 && d.conflicts[0].ts != l.ts {
		d.conflicts, d.held = nil, 0
	}
	d.held += l.size
	// A row that is written may be in conflict once by each way to be unique.
	for len(d.conflicts) >= len(d.c.Def.Uniques) && (len(d.conflicts) == conflictsMax || d.held > drainBytesMax) {
		d.held -= d.conflicts[0].size
		d.conflicts = d.conflicts[1:]
	}
	l.before, l.after = append([]any(nil), l.before...), append([]any(nil), l.after...)
	d.conflicts = append(d.conflicts, l)
}

// renew keeps the conflicts over the row that was updated just now, as it is since: a trigger of the application may have
// done that before the row is replaced. Where it may be in nobody's way any more it has not been, and the conflict goes.
func (d *drainer) renew() {
	l := &d.line
	d.conflicts = slices.DeleteFunc(d.conflicts, func(c logRow) bool {
		gone := d.sameRow(c.before, c.beforeID, l.before, l.beforeID) && !d.stands(&c)
		if gone {
			d.held -= c.size
		}
		return gone
	})
	for i := range d.conflicts {
		if c := &d.conflicts[i]; d.sameRow(c.before, c.beforeID, l.before, l.beforeID) {
			c.before, c.beforeID, c.renewed = append([]any(nil), l.after...), l.afterID, l.seq
		}
	}
}

// stands tells whether the line just read, which updated a conflict's row, has left what it is unique by as it was. Of an index
// on expressions, or on some rows, cells do not tell.
func (d *drainer) stands(c *logRow) bool {
	u, l := &d.c.Def.Uniques[c.unique], &d.line
	switch {
	case u.RowID:
		return same(l.beforeID, l.afterID)
	case u.Where != "" || len(u.Terms) > 0:
		return false
	}
	for _, i := range u.Columns {
		if !same(l.before[i], l.after[i]) {
			return false
		}
	}
	return true
}

// forget drops the conflicts over a row that has an event of its own: it was deleted, or is
// known to be replaced.
func (d *drainer) forget(row []any, rowID any) {
	d.conflicts = slices.DeleteFunc(d.conflicts, func(c logRow) bool {
		same := d.sameRow(c.before, c.beforeID, row, rowID)
		if same {
			d.held -= c.size
		}
		return same
	})
}

// decide finds the conflicts that the line just read has won: it wrote the row that the
// conflict announced, so the row in its way is gone.
func (d *drainer) decide() (won []logRow) {
	for {
		at := slices.IndexFunc(d.conflicts, func(c logRow) bool { return c.renewed != d.line.seq && d.announced(&c, &d.line) })
		if at < 0 {
			return won
		}
		c := d.conflicts[at]
		won = append(won, c)
		d.forget(c.before, c.beforeID)
	}
}

// announced tells whether a line wrote the row of a conflict: it has the same unique cells.
// The row's number is not known before it is inserted, so it counts only when it is the conflict.
func (d *drainer) announced(c, l *logRow) bool {
	u := &d.c.Def.Uniques[c.unique]
	if u.RowID {
		return same(c.afterID, l.afterID)
	}
	columns := u.Columns
	if columns == nil { // an index on expressions: the whole row
		for i := range l.after {
			if i != d.c.Def.Alias && !same(c.after[i], l.after[i]) {
				return false
			}
		}
		return true
	}
	for _, i := range columns {
		if !same(c.after[i], l.after[i]) {
			return false
		}
	}
	return true
}

func (d *drainer) sameRow(a []any, aID any, b []any, bID any) bool {
	if d.c.Def.logsRowID() {
		return same(aID, bID)
	}
	for _, i := range d.c.Def.keyColumns() {
		if !same(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (d *drainer) row(cells []any) record.Row {
	row, misfit := makeRow(d.schema, d.numeric, cells)
	d.out.misfit = d.out.misfit || misfit
	return row
}

// makeRow makes a record's row of what the driver read; misfit tells that the row needs the
// loose schema.
func makeRow(s *record.Schema, numeric []bool, cells []any) (row record.Row, misfit bool) {
	row = make(record.Row, len(cells))
	for i, v := range cells {
		row[i] = value(v, numeric[i])
		c := &s.Columns[i]
		misfit = misfit || !c.Nullable && (row[i].Kind == record.Null || !envelope.Fits(s, c, row[i]))
	}
	return row, misfit
}

func id(v any) int64 {
	n, _ := v.(int64)
	return n
}

// stamp is a line's time to the bit.
func stamp(ts float64) string { return record.Hex16(int64(math.Float64bits(ts))) } //nolint:gosec // bits

// The Julian day of the year 1970, and a day.
const (
	julian1970 = 2440587.5
	dayMillis  = 86_400_000
)

func julian(ts float64) time.Time {
	return time.UnixMilli(int64(math.Round((ts - julian1970) * dayMillis))).UTC()
}
