//go:build duckdb_arrow

package provenance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// depthMax is how deep views and pipelines may stand upon each other.
const depthMax = 16

// scope is whose SELECT is walked.
type scope struct {
	table    func(ctx context.Context, t sqltext.Table) (*relation, error)
	pipeline string // whose late rows are in no window; "" for none
}

// lost says at which shape the walk ends.
func lost(format string, args ...any) error { return fault.Newf(fault.Invalid, "", format, args...) }

// walk makes a relation of a SELECT.
func (t *tracer) walk(ctx context.Context, s scope, q *sqltext.Query) (*relation, error) {
	if len(q.Union) > 0 {
		sides := make([]*relation, len(q.Union))
		for i, part := range q.Union {
			var err error
			if sides[i], err = t.walk(ctx, s, part); err != nil {
				return nil, err
			}
		}
		return t.union(sides), nil
	}
	if q.From == nil {
		return nil, lost("it reads no table")
	}
	one := &selection{t: t, q: q}
	var err error
	if one.source, err = t.sources(ctx, s, q.From, one); err != nil {
		return nil, err
	}
	if err := one.render(ctx); err != nil {
		return nil, err
	}
	for _, item := range q.Items {
		if item.Expr != nil && len(item.Expr.Calls()) > 0 || len(q.Group) > 0 || q.Having != nil {
			return one.groups(), nil
		}
	}
	return one.linear(), nil
}

// from makes a relation of what a SELECT reads.
func (t *tracer) from(ctx context.Context, s scope, f *sqltext.From) (r *relation, err error) {
	switch {
	case f.Table != nil:
		r, err = s.table(ctx, *f.Table)
	case f.Sub != nil:
		r, err = t.walk(ctx, s, f.Sub)
	case f.Window != nil:
		r, err = t.windowed(ctx, s, f.Window)
	default:
		return nil, lost("it reads what is no table")
	}
	if err != nil {
		return nil, err
	}
	return t.renamed(r, f.Columns), nil
}

// windowed is TUMBLE or HOP. Rows that came too late for a window are in its trace, marked, and not among its rows.
func (t *tracer) windowed(ctx context.Context, s scope, w *sqltext.Window) (*relation, error) {
	of, err := t.from(ctx, s, w.Of)
	if err != nil {
		return nil, err
	}
	mine := *w
	if mine.Column = of.column(w.Column); mine.Column == "" {
		return nil, lost("%s is of a column %s that is not there", w.Kind, w.Column)
	}
	out := *of
	out.columns, out.key, out.single = append(slices.Clone(of.columns), "window_start", "window_end"), nil, false
	text := func(of string) string { return sqltext.WindowSQL(mine, "(SELECT * FROM "+of+")") }
	late := ""
	if !of.grouped && s.pipeline != "" {
		if late, err = t.late(ctx, s.pipeline, of.leaves); err != nil {
			return nil, err
		}
	}
	if late == "" {
		out.rows, out.trace = t.with(text(of.rows)), t.with(text(of.trace))
		return &out, nil
	}
	carried := slices.DeleteFunc(slices.Clone(hidden), func(h string) bool { return h == lateColumn })
	items := "w." + strings.Join(duck.Idents(append(carried, out.columns...)), ", w.")
	out.trace = t.with(fmt.Sprintf(`SELECT %s, l."_o" IS NOT NULL AS %s FROM (%s) AS w LEFT JOIN %s AS l ON w."_s" = l."_s" AND w."_p" = l."_p" AND w."_o" = l."_o"`+
		` AND epoch_us(w."window_start") = l."_ws" AND epoch_us(w."window_end") = l."_we"`, items, duck.Ident(lateColumn), text(of.trace), late))
	out.rows = t.with("SELECT " + duck.List(out.columns) + " FROM " + out.trace + " WHERE NOT " + duck.Ident(lateColumn))
	return &out, nil
}
