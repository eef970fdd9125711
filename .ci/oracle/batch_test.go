//go:build duckdb_arrow

package oracle_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/record"
)

// never is a time before all others.
const never = math.MinInt64

// clocked is what tarn.clock says of a source: by partition, in order.
type clocked map[int32][]Decision

// Those of a source alone, or together with another one.
func (a *Answer) clock(source string, together bool) clocked {
	out := clocked{}
	for _, d := range a.Clock {
		if d.Topic == source && strings.Contains(d.Source, "+") == together {
			out[d.Partition] = append(out[d.Partition], d)
		}
	}
	return out
}

// flushed is up to where all of a source's partitions were flushed in the end.
func (c clocked) flushed(partitions int32) int64 {
	out := int64(math.MaxInt64)
	for p := range partitions {
		mark := int64(never)
		for _, d := range c[p] {
			if d.Kind == "flush" {
				mark = max(mark, d.Watermark.UnixMicro())
			}
		}
		out = min(out, mark)
	}
	return out
}

// bad tells that a pipeline that needs these columns cannot read the record.
func (r *Rec) bad(used []string) bool {
	if r.Junk {
		return true
	}
	return !r.None && slices.ContainsFunc(used, func(name string) bool { return r.Cells[name].Bad })
}

func (r *Rec) sql(c Column) string {
	if cell, ok := r.Cells[c.Name]; ok && !cell.Bad {
		return cell.SQL
	}
	return "NULL"
}

// seen is a row with its place in the log.
type seen struct {
	rec       *Rec
	partition int32
	offset    int64
}

// inWindow is a row in one of its windows.
type inWindow struct {
	seen
	begin, end int64
	late       bool
}

// rows are those that a pipeline reads of a source: of a changelog the last of each key.
func (s *Source) rows(used []string) (out []seen) {
	last := map[string]int{}
	for p := range s.Records {
		for o := range s.Records[p] {
			r := &s.Records[p][o]
			if r.Mark == record.SnapshotEnd { // what is of before goes
				for i := range out {
					if out[i].rec != nil && out[i].rec.Gen < r.Gen {
						out[i].rec = nil
					}
				}
			}
			if r.None || r.bad(append(used, s.Key...)) {
				continue
			}
			one := seen{r, int32(p), int64(o)} //nolint:gosec // few
			if s.Key == nil {
				out = append(out, one)
				continue
			}
			if r.Was != nil {
				if at, ok := last[*r.Was]; ok {
					out[at].rec = nil
				}
			}
			key := s.key(r.Cells)
			if at, ok := last[key]; ok {
				out[at].rec = nil
			}
			last[key] = len(out)
			out = append(out, one)
			if r.Gone {
				out[len(out)-1].rec = nil
			}
		}
	}
	return slices.DeleteFunc(out, func(r seen) bool { return r.rec == nil })
}

// alike tells whether nothing but a mirror's own column tells some rows apart.
func (s *Source) alike(rows []seen) bool {
	met := map[string]bool{}
	return s.Loose && slices.ContainsFunc(rows, func(r seen) bool {
		cells := maps.Clone(r.rec.Cells)
		delete(cells, rowKey.Name)
		key := s.key(cells)
		again := met[key]
		met[key] = true
		return again
	})
}

// windowed puts the rows into windows. highest is the highest time that was believed.
func (s *Source) windowed(w *Window, rows []seen, c clocked) (out []inWindow, highest int64) {
	slide, size, shift := w.Slide.Microseconds(), w.Size.Microseconds(), w.Shift.Microseconds()
	if slide == 0 {
		slide = size
	}
	highest = never
	top, told, flushed, at := map[int32]int64{}, map[int32]int64{}, map[int32]int64{}, map[int32]int{}
	for p := range s.Partitions {
		top[p], told[p], flushed[p] = never, never, never
	}
	delay := s.Delay.Microseconds()
	for _, r := range rows {
		p := r.partition
		for list := c[p]; at[p] < len(list) && list[at[p]].Offset <= r.offset; at[p]++ {
			mark := list[at[p]].Watermark.UnixMicro()
			switch list[at[p]].Kind {
			case "active":
				top[p] = max(top[p], mark+delay)
			case "flush":
				flushed[p] = max(flushed[p], mark)
			case "mark":
				told[p] = max(told[p], mark)
			}
		}
		passed := told[p] // by the watermark of which it is late
		if !s.Global {
			if passed = top[p]; passed != never {
				passed -= delay
			}
		}
		cell := r.rec.Cells["ts"]
		if cell.SQL == "" || cell.SQL == "NULL" || cell.Bad {
			continue
		}
		first := (cell.Micros-shift)/slide*slide + shift
		if first > cell.Micros {
			first -= slide
		}
		for begin := first; begin+size > cell.Micros; begin -= slide {
			late := passed != never && begin+size <= passed || flushed[p] != never && begin <= flushed[p]
			out = append(out, inWindow{r, begin, begin + size, late})
		}
		if cell.Micros <= r.rec.Stamp*1000+time.Hour.Microseconds() {
			top[p] = max(top[p], cell.Micros)
			highest = max(highest, cell.Micros)
		}
	}
	return out, highest
}

// wanted is what a case must have come to.
type wanted struct {
	refused   string // why DuckDB has no answer
	unsettled string // the last windows were not flushed yet
	rows      [][]*string
	late      map[string]int // "topic partition offset begin end"
	dead      map[string]int // "topic partition offset"
	nulls     bool
	deletes   bool
	alike     bool // rows of a mirror have one key, in which there is a null
	poisoned  bool // some record could not be computed with
	text      string
}

// want computes it.
func (w *World) want(ctx context.Context, conn *duck.Conn, c *Case, a *Answer) (*wanted, error) {
	out := &wanted{late: map[string]int{}, dead: map[string]int{}}
	if err := w.tables(ctx, conn, c, a, out); err != nil {
		return nil, err
	}
	result, late := c.batch()
	if late != "" {
		rows, err := texts(ctx, conn, "SELECT DISTINCT _source || ' ' || _p || ' ' || _o || ' ' || epoch_us(window_start) || ' ' || epoch_us(window_end) FROM ("+late+")")
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			out.late[*row[0]]++
		}
	}
	columns := a.Tables[c.Name].Columns
	names := casts(columns)
	out.text = "SELECT " + names + " FROM (" + result + ")"
	var err error
	if out.rows, err = texts(ctx, conn, out.text); duck.Refused(err) && w.huge(c) {
		out.refused, err = err.Error(), nil
	}
	return out, err
}

// huge tells whether a case may meet values with which nothing can be computed.
func (w *World) huge(c *Case) bool {
	return slices.ContainsFunc(c.parts(), func(part *Case) bool {
		return slices.ContainsFunc(part.Legs, func(l Leg) bool { return w.Sources[l.Source].Huge })
	})
}

// tables are those that a case's batch query reads.
func (w *World) tables(ctx context.Context, conn *duck.Conn, c *Case, a *Answer, out *wanted) error {
	used, told := c.used(), map[string]bool{}
	flushed := int64(math.MaxInt64)
	together := slices.ContainsFunc(c.Legs, func(l Leg) bool { return l.Source != c.Legs[0].Source })
	var windows [][]inWindow
	var sources []*Source
	for _, part := range c.parts() {
		for _, l := range part.Legs {
			s := w.Sources[l.Source]
			rows := s.rows(used)
			out.note(s, used, told)
			out.alike = out.alike || s.alike(rows)
			if sources = append(sources, s); c.Window == nil {
				name := fmt.Sprintf("src%d", len(sources)-1)
				if err := s.load(ctx, conn, name, rows); err != nil {
					return err
				}
				if err := out.poison(ctx, conn, c, s, name); err != nil {
					return err
				}
				continue
			}
			clock := clocked{}
			if s.Key == nil {
				clock = a.clock(s.Name, together)
			}
			in, highest := s.windowed(part.Window, rows, clock)
			windows = append(windows, in)
			mark := clock.flushed(s.Partitions)
			if c.Close && mark < highest {
				out.unsettled = fmt.Sprintf("%s was flushed up to %s, and has times up to %s", s.Name, stamp(mark), stamp(highest))
			}
			flushed = min(flushed, mark)
		}
	}
	for i, in := range windows {
		if err := sources[i].loadWindows(ctx, conn, fmt.Sprintf("win%d", i), in, flushed); err != nil {
			return err
		}
	}
	return nil
}

func stamp(micros int64) string {
	if micros == never {
		return "never"
	}
	return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
}

// casts gives the columns the types that the table has.
func casts(columns []Column) string {
	var out []string
	for _, c := range columns {
		cast := fmt.Sprintf("CAST(%s AS %s)", duck.Ident(c.Name), c.Type)
		if strings.HasPrefix(c.Type, "DECIMAL(38,") {
			cast += " + 0::" + c.Type // a sum may have 39 digits, which no table keeps; an addition is refused
		}
		out = append(out, "CAST("+cast+" AS VARCHAR)")
	}
	if len(out) == 0 {
		return "*"
	}
	return strings.Join(out, ", ")
}

// note finds the dead letters, and what the log had in store for the case.
func (w *wanted) note(s *Source, used []string, told map[string]bool) {
	if told[s.Name] {
		return
	}
	told[s.Name] = true
	for p := range s.Records {
		for o := range s.Records[p] {
			r := &s.Records[p][o]
			w.deletes = w.deletes || r.Gone
			switch {
			case r.bad(append(used, s.Key...)):
				if s.Skip {
					continue
				}
				w.dead[fmt.Sprintf("%s %d %d", s.Name, p, o)]++
			case !r.None:
				for _, name := range used {
					if cell := r.Cells[name]; cell.SQL == "" || cell.SQL == "NULL" {
						w.nulls = true
					}
				}
			}
		}
	}
}

// insertMax is how many rows one INSERT takes.
const insertMax = 500

func fill(ctx context.Context, conn *duck.Conn, name, columns string, rows []string) error {
	if err := conn.Exec(ctx, "CREATE OR REPLACE TEMP TABLE "+name+" ("+columns+")"); err != nil {
		return err
	}
	for chunk := range slices.Chunk(rows, insertMax) {
		if err := conn.Exec(ctx, "INSERT INTO "+name+" VALUES "+strings.Join(chunk, ", ")); err != nil {
			return fmt.Errorf("%w in %s", err, strings.Join(chunk, ", "))
		}
	}
	return nil
}

// read are the columns that a SELECT may name.
func (s *Source) read() []Column {
	if s.Loose {
		return append(slices.Clone(s.Columns), rowKey)
	}
	return s.Columns
}

func (s *Source) declaredColumns() (out []string) {
	for _, c := range s.read() {
		out = append(out, c.Name+" "+c.Type)
	}
	return out
}

func (s *Source) values(r *Rec) (out []string) {
	for _, c := range s.read() {
		out = append(out, r.sql(c))
	}
	return out
}

func (s *Source) load(ctx context.Context, conn *duck.Conn, name string, rows []seen) error {
	var list []string
	for _, r := range rows {
		list = append(list, fmt.Sprintf("(%s, %d, %d)", strings.Join(s.values(r.rec), ", "), r.partition, r.offset))
	}
	return fill(ctx, conn, name, strings.Join(append(s.declaredColumns(), "_p INTEGER", "_o BIGINT"), ", "), list)
}

// poison takes the rows out with which the case cannot compute.
func (w *wanted) poison(ctx context.Context, conn *duck.Conn, c *Case, s *Source, name string) error {
	if c.Poison == "" {
		return nil
	}
	where := fmt.Sprintf(" FROM %s WHERE TRY(%s) IS NULL", name, bare(c.Poison))
	for _, column := range columnsOf(c.Poison) {
		where += " AND " + column + " IS NOT NULL"
	}
	if c.Where != "" {
		where += " AND (" + bare(c.Where) + ")"
	}
	rows, err := texts(ctx, conn, "SELECT _p, _o"+where)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if w.poisoned = true; !s.Skip {
			w.dead[fmt.Sprintf("%s %s %s", s.Name, *row[0], *row[1])]++
		}
	}
	return conn.Exec(ctx, "DELETE"+where)
}

func (s *Source) loadWindows(ctx context.Context, conn *duck.Conn, name string, rows []inWindow, flushed int64) error {
	typ, made := s.Columns[len(s.Columns)-1].Type, "make_timestamp"
	if typ != "TIMESTAMP" {
		made = "make_timestamptz"
	}
	columns := append(s.declaredColumns(), "window_start "+typ, "window_end "+typ, "_late BOOLEAN", "_closed BOOLEAN", "_source VARCHAR", "_p INTEGER", "_o BIGINT")
	var list []string
	for _, r := range rows {
		values := append(s.values(r.rec), fmt.Sprintf("%s(%d)", made, r.begin), fmt.Sprintf("%s(%d)", made, r.end), fmt.Sprint(r.late),
			fmt.Sprint(r.begin <= flushed), duck.Quote(s.Name), fmt.Sprint(r.partition), fmt.Sprint(r.offset))
		list = append(list, "("+strings.Join(values, ", ")+")")
	}
	return fill(ctx, conn, name, strings.Join(columns, ", "), list)
}

// nearly is how far DOUBLEs may be apart, relative; of those below 1, absolute.
const nearly = 1e-9

// differ compares two bags of rows; "" where they are equal.
func differ(columns []Column, got, want [][]*string) string {
	sortRows(columns, got)
	sortRows(columns, want)
	var out []string
	for i, j := 0, 0; (i < len(got) || j < len(want)) && len(out) < 6; {
		switch {
		case i == len(got):
			out = append(out, "missing "+show(want[j]))
			j++
		case j == len(want):
			out = append(out, "too much "+show(got[i]))
			i++
		case alike(columns, got[i], want[j]):
			i++
			j++
		default:
			out = append(out, "got  "+show(got[i])+"\n  want "+show(want[j]))
			i++
			j++
		}
	}
	if len(out) == 0 {
		return ""
	}
	return fmt.Sprintf("%d rows, and not %d:\n  %s", len(got), len(want), strings.Join(out, "\n  "))
}

func show(row []*string) string {
	var out []string
	for _, v := range row {
		if v == nil {
			out = append(out, "NULL")
		} else {
			out = append(out, strconv.Quote(*v))
		}
	}
	return strings.Join(out, " | ")
}

// sortRows puts what is exact first.
func sortRows(columns []Column, rows [][]*string) {
	compare := func(a, b *string, double bool) int {
		switch {
		case a == nil && b == nil:
			return 0
		case a == nil:
			return -1
		case b == nil:
			return 1
		case double:
			return cmp.Compare(number(*a), number(*b))
		}
		return strings.Compare(*a, *b)
	}
	sort.SliceStable(rows, func(i, j int) bool {
		for _, double := range []bool{false, true} {
			for c := range columns {
				if (columns[c].Type == "DOUBLE") != double {
					continue
				}
				if n := compare(rows[i][c], rows[j][c], double); n != 0 {
					return n < 0
				}
			}
		}
		return false
	})
}

func number(s string) float64 {
	f, err := strconv.ParseFloat(strings.TrimPrefix(s, "-"), 64)
	switch {
	case err != nil || math.IsNaN(f):
		return f
	case strings.HasPrefix(s, "-"):
		return -f
	}
	return f
}

// near tells whether two DOUBLEs may be one answer: a sum depends on the order of its rows.
func near(x, y float64) bool {
	if math.IsNaN(x) || math.IsNaN(y) || math.IsInf(x, 0) || math.IsInf(y, 0) {
		return cmp.Compare(x, y) == 0
	}
	return math.Abs(x-y) <= nearly*max(math.Abs(x), math.Abs(y), 1)
}

func alike(columns []Column, a, b []*string) bool {
	for i, c := range columns {
		switch {
		case a[i] == nil || b[i] == nil:
			if a[i] != b[i] {
				return false
			}
		case c.Type == "DOUBLE":
			if !near(number(*a[i]), number(*b[i])) {
				return false
			}
		case *a[i] != *b[i]:
			return false
		}
	}
	return true
}
