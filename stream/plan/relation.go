package plan

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"tarn/embedded/sqltext"
	"tarn/stream/operator"
)

// relation is a delta as a query, and what is known of it.
type relation struct {
	text    string   // a query, without parentheses
	reads   []string // the tick's relations that it reads
	columns []string // visible ones, in order
	changes bool     // it has Weight: rows come and go
	hidden  bool     // it has operator.Scanned, operator.Partition, operator.Offset, Mark and Flushed
	time    string   // the column that has the watermark; "" for none
	window  *window  // where its rows are in windows
	panes   string   // text with the panes in the place of windows that overlap, which have whole ones; "" for none
	whole   bool     // all rows of a window come in one tick, when it closes
	key     []string // columns that tell its rows apart; nil for none
	single  bool     // it has one row at most, which needs no key
	final   bool     // each row comes once, when its window closes
}

// window names the columns that hold a row's window; "" where one is gone.
type window struct {
	begin, end         string
	size, slide, shift time.Duration
}

func (w *window) has(column string) bool {
	return w != nil && column != "" && (strings.EqualFold(column, w.begin) || strings.EqualFold(column, w.end))
}

// carried are the hidden columns that every linear step hands on.
func (r *relation) carried() []string {
	var out []string
	if r.changes {
		out = append(out, operator.Weight)
	}
	if r.hidden {
		out = append(out, hiddenColumns...)
	}
	return out
}

var hiddenColumns = []string{operator.Scanned, operator.Partition, operator.Offset, operator.Mark, operator.Flushed}

// own are the names that pipelines give to columns beside those of the statement, and rowid, by which DuckDB knows
// the rows of a table.
var own = regexp.MustCompile(`^(rowid|_(w|s|p|o|wm|fl|d|g|r|n|ws|we|epoch|last|[kxaq]\d+|p\d+_\d+))$`)

const reservedText = "the column name %s is one of Tarn's own"

// Reserved tells whether no column of a pipeline may have a name.
func Reserved(name string) bool { return own.MatchString(strings.ToLower(name)) }

// column finds a visible column in any case of letters.
func (r *relation) column(name string) (string, bool) {
	i := slices.IndexFunc(r.columns, func(c string) bool { return strings.EqualFold(c, name) })
	if i < 0 {
		return "", false
	}
	return r.columns[i], true
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, name := range b {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// plainColumn is the column that an expression is, if it is one and nothing more.
func plainColumn(e *sqltext.Expr) (string, bool) {
	if e == nil {
		return "", false
	}
	ref, ok := e.Column()
	return ref.Name, ok
}
