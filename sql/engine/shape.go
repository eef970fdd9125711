//go:build duckdb_arrow

package engine

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// Shape is what a statement takes and gives. Types are in SQL's words.
type Shape struct {
	Parameters []string // of $1, $2 …
	Columns    []ShapeColumn
	// Verb is of a statement that is no query: its columns are known when it has run, but those of RETURNING. "" for a query.
	Verb string
}

// ShapeColumn is a column of an answer.
type ShapeColumn struct{ Name, Type string }

// Shape tells what a statement takes and gives, without running it. types are those of the first parameters,
// "" where the asker leaves it to the statement; a parameter that nothing tells the type of is text. Its
// errors are those of Run.
func (g *Gate) Shape(ctx context.Context, r Request, types []string) (Shape, error) {
	one, err := sqltext.One(r.Text)
	if err != nil {
		return Shape{}, err
	}
	insert, inserts, err := g.insertOf(ctx, r, one.Text)
	if err != nil {
		return Shape{}, err
	}
	verbs := sqltext.Verbs(one.Text, 1)
	_, _, ofTemp := r.Session.meant(one.Text)
	changes := (g.o.Tables != nil || ofTemp) && len(verbs) > 0 && slices.Contains([]string{"DELETE", "UPDATE", "MERGE"}, verbs[0])
	if len(verbs) > 0 && !inserts && !changes {
		if c := g.command(one.Text); c.Run != nil || c.asked != nil || writing[verbs[0]] && g.o.Tables != nil || r.Session != nil && (verbs[0] == "CREATE" || verbs[0] == "DROP") {
			return Shape{Verb: verbs[0]}, nil
		}
	}
	within, cancel := context.WithTimeout(ctx, g.o.Timeout)
	defer cancel()
	leave, err := g.enter(within, g.queries, r.Principal.User)
	if err != nil {
		return Shape{}, g.presentable(ctx, within, r, err)
	}
	defer leave()
	r.turn = true
	s, err := g.open(within, r.Principal, r.Text)
	if err != nil {
		return Shape{}, g.presentable(ctx, within, r, err)
	}
	defer s.close()
	if err := s.speak(within, r); err != nil {
		return Shape{}, g.presentable(ctx, within, r, err)
	}
	if inserts || changes {
		var shape Shape
		switch {
		case inserts && insert.Conflict != nil:
			shape, err = s.shapeOfChange(within, r, one.Text, &insert.Insert, types)
		case inserts:
			shape, err = s.shapeOfInsert(within, insert, types)
		default:
			shape, err = s.shapeOfChange(within, r, one.Text, nil, types)
		}
		if err != nil {
			err = g.presentable(ctx, within, r, s.translate(err))
		}
		return shape, err
	}
	shape, err := s.shape(within, r.Text[:one.Offset+len(one.Text)], types)
	if err != nil {
		return Shape{}, g.presentable(ctx, within, r, s.translate(err))
	}
	return shape, nil
}

func (s *session) shape(ctx context.Context, text string, types []string) (Shape, error) {
	n, err := sqltext.Parameters(text)
	if err != nil {
		return Shape{}, err
	}
	out := Shape{Parameters: told(n, types, nil)}
	if err := s.parameters(ctx, text, out.Parameters[:n]); err != nil {
		return Shape{}, err
	}
	typed, err := sqltext.Substitute(text, func(n int) string { return sample(out.Parameters[n-1]) })
	if err != nil {
		return Shape{}, err
	}
	rewritten, err := s.rewrite(ctx, typed, 0)
	if err != nil {
		return Shape{}, err
	}
	if out.Columns, err = s.answers(ctx, rewritten.Text); len(rewritten.Kinds) == len(out.Columns) {
		for i, kind := range rewritten.Kinds {
			out.Columns[i].Type = s.owned(out.Columns[i].Type, kind)
		}
	}
	return out, err
}

// owned is a type of DuckDB's as the dialect has it, where the statement tells that it is the dialect's own.
func (s *session) owned(typ, kind string) string {
	if words := s.words(); kind != "" && words != nil && words.OwnKinds[kind] == typ {
		return kind
	}
	return typ
}

// told are the types of n parameters, as far as the asker says them, or the columns for which they are a value by themselves.
func told(n int, types []string, lone map[int]string) []string {
	out := make([]string, max(n, len(types)))
	copy(out, types)
	for i, t := range lone {
		if i <= n && out[i-1] == "" {
			out[i-1] = t
		}
	}
	return out
}

// answers are the columns that a query of DuckDB's answers.
func (s *session) answers(ctx context.Context, text string) (out []ShapeColumn, _ error) {
	columns, err := s.describe(ctx, text)
	for _, c := range columns {
		out = append(out, ShapeColumn{c.name, c.typ})
	}
	return out, err
}

// parameters fills in the types that are "". The walk takes no parameters: it is shown texts that nobody can guess
// in their place, and in what it has made of the statement those become parameters.
func (s *session) parameters(ctx context.Context, text string, types []string) error {
	if err := s.casts(ctx, text, types); err != nil {
		return err
	}
	open := false
	marks := make([]string, len(types))
	for i := range types {
		marks[i] = duck.Quote(fmt.Sprintf("%sp%d", s.secret, i+1))
		if types[i] != "" {
			marks[i] = "CAST(" + marks[i] + " AS " + types[i] + ")"
		}
		open = open || types[i] == ""
	}
	if !open {
		return nil
	}
	lists := make([]bool, len(types))
	text = ofList.ReplaceAllStringFunc(text, func(said string) string {
		number := ofList.FindStringSubmatch(said)[1]
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(types) || types[n-1] != "" {
			return said
		}
		lists[n-1] = true
		return "$" + number
	})
	shown, err := sqltext.Substitute(text, func(n int) string { return marks[n-1] })
	if err != nil {
		return err
	}
	rewritten, err := s.rewrite(ctx, shown, 0)
	if err != nil {
		return err
	}
	mark := regexp.MustCompile("'" + s.secret + "p([0-9]+)'")
	found, err := s.conn.ParameterTypes(ctx, mark.ReplaceAllString(rewritten.Text, "$$$1"))
	if err != nil {
		return err
	}
	for i := range types {
		if types[i] == "" {
			types[i] = "VARCHAR"
			if i < len(found) && found[i] != "" {
				types[i] = found[i]
			}
			if lists[i] {
				types[i] += "[]"
			}
		}
	}
	return nil
}

// ofList is ANY($1) or ALL($1): the parameter is a list of what stands on the other side, which DuckDB does not find out.
var ofList = regexp.MustCompile(`(?i)\b(?:ANY|SOME|ALL)\s*\(\s*\$([0-9]+)\s*\)`)

var cast = regexp.MustCompile(`(?i)(?:\$([0-9]+)\s*::\s*|CAST\s*\(\s*\$([0-9]+)\s+AS\s+)([a-z][a-z0-9_]*(?:\s*\([0-9, ]+\))?(?:\[\])?)`)

// casts fills in the types of parameters that are cast where they stand, as in $1::INTEGER[] or CAST($1 AS DECIMAL(10, 2)):
// DuckDB tells it of few types alone.
func (s *session) casts(ctx context.Context, text string, types []string) error {
	known := map[string]string{} // by the words of the cast
	for _, m := range cast.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1] + m[2])
		if err != nil || n < 1 || n > len(types) || types[n-1] != "" {
			continue
		}
		name, seen := known[m[3]]
		if !seen {
			if name, err = s.typeNamed(ctx, m[3]); err != nil {
				return err
			}
			known[m[3]] = name
		}
		types[n-1] = name
	}
	return nil
}

// typeNamed is DuckDB's name of a type; "" where it is none, of which the statement itself will tell.
func (s *session) typeNamed(ctx context.Context, words string) (string, error) {
	rewritten, err := s.rewrite(ctx, "SELECT CAST(NULL AS "+words+")", 0)
	if err == nil {
		var columns []column
		if columns, err = s.describe(ctx, rewritten.Text); err == nil && len(columns) == 1 {
			if len(rewritten.Kinds) == 1 {
				return s.owned(columns[0].typ, rewritten.Kinds[0]), nil
			}
			return columns[0].typ, nil
		}
	}
	return "", ctx.Err()
}

// sample is some value of a parameter's type: of null DuckDB makes a type of its own.
func sample(t string) string {
	switch t {
	case "VARCHAR":
		return "''"
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL":
		return "CAST(0 AS " + t + ")"
	}
	return "CAST(NULL AS " + t + ")"
}

// Arguments puts values in the place of a statement's parameters. types are those of its Shape; a value that is nil
// is null. It is a fault with code Invalid when their numbers differ.
func Arguments(text string, types []string, values []*string) (string, error) {
	n, err := sqltext.Parameters(text)
	if err != nil {
		return "", err
	}
	if n > len(values) || len(types) < n {
		return "", fault.Newf(fault.Invalid, "send a value for each", "the statement has %d parameters, not %d", n, len(values))
	}
	of := slices.Clone(types)
	for i, value := range values {
		if value == nil || i >= len(of) || !strings.HasPrefix(of[i], "DECIMAL") {
			continue
		}
		if of[i], err = exact(of[i], *value); err != nil {
			return "", err
		}
	}
	return sqltext.Substitute(text, func(n int) string {
		if values[n-1] == nil {
			return "CAST(NULL AS " + of[n-1] + ")"
		}
		return "CAST(" + duck.Quote(*values[n-1]) + " AS " + of[n-1] + ")"
	})
}

// exact is the type that keeps all digits of a number, or of a list of them: DECIMAL alone has three behind the point.
func exact(name, value string) (string, error) {
	whole, scale := 1, 0
	for _, m := range number.FindAllStringSubmatch(value, -1) {
		digits, fraction := len(m[1]), len(m[2])
		if m[3] != "" {
			shift, err := strconv.Atoi(m[3])
			if err != nil {
				return "", errDigits(value)
			}
			digits, fraction = digits+shift, fraction-shift
		}
		whole, scale = max(whole, digits), max(scale, fraction)
	}
	if whole+scale > decimalDigits {
		return "", errDigits(value)
	}
	list := ""
	if strings.HasSuffix(name, "[]") {
		list = "[]"
	}
	return fmt.Sprintf("DECIMAL(%d,%d)%s", whole+scale, scale, list), nil
}

// decimalDigits are the most that DuckDB's DECIMAL has.
const decimalDigits = 38

func errDigits(value string) error {
	if len(value) > 60 {
		value = value[:60] + "…"
	}
	return fault.Newf(fault.Invalid, "a number has at most 38 digits; send it as a double", "the value %s is too long a number", value)
}

// number has the digits before and behind the point, and the exponent.
var number = regexp.MustCompile(`([0-9]+)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?`)

// writing are the verbs of statements that change tables of the lake.
var writing = map[string]bool{"INSERT": true, "UPDATE": true, "DELETE": true, "MERGE": true, "TRUNCATE": true, "CREATE": true, "DROP": true, "ALTER": true, "COMMENT": true}

// shapedInsert is an INSERT whose parameters are asked for.
type shapedInsert struct {
	sqltext.Insert
	lone map[int]string // the types of those that are a value by themselves
	asks returning
}

// insertOf reads an INSERT into a table of statements; false for any other statement.
func (g *Gate) insertOf(ctx context.Context, r Request, stmt string) (shapedInsert, bool, error) {
	var out shapedInsert
	_, made, ofTemp := r.Session.meant(stmt)
	if verbs := sqltext.Verbs(stmt, 1); g.o.Tables == nil && !ofTemp || len(verbs) == 0 || verbs[0] != "INSERT" {
		return out, false, nil
	}
	x, err := sqltext.ParseInsert(stmt)
	if err != nil {
		return out, false, err
	}
	s := g.asking(r)
	id, all, types := made.ident(x.Table), made.listed(), made.types
	if !ofTemp {
		t, err := s.inserted(ctx, r, x)
		if t == nil || err != nil {
			return out, false, placed(err, stmt, x.Table.Offset)
		}
		id, all = t.Ident(), t.Columns()
		types, _ = wordsOf(all)
	}
	places, err := s.named(id, all, x.Columns, stmt)
	if err != nil {
		return out, false, err
	}
	out = shapedInsert{x, map[int]string{}, returningOf(x, stmt, id, all, types)}
	for n, column := range x.Lone() {
		if column < len(places) {
			out.lone[n] = types[places[column]]
		}
	}
	return out, true, nil
}

// shapeOfInsert tells the types of an INSERT's parameters. One that is a value by itself has its column's.
func (s *session) shapeOfInsert(ctx context.Context, x shapedInsert, types []string) (Shape, error) {
	n, err := sqltext.Parameters(x.asks.stmt)
	if err != nil {
		return Shape{}, err
	}
	columns, err := x.asks.shape(ctx, s)
	if err != nil {
		return Shape{}, err
	}
	out := Shape{Verb: "INSERT", Columns: columns, Parameters: told(n, types, x.lone)}
	return out, s.parameters(ctx, x.Body, out.Parameters[:n])
}
