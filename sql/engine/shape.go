//go:build duckdb_arrow

package engine

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// Shape is what a statement takes and gives. Types are in SQL's words.
type Shape struct {
	Parameters []string // of $1, $2 …
	Columns    []ShapeColumn
	// Verb is of a statement that is no query: its columns are known when it has run. "" for a query.
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
	if c := g.command(one.Text); c.Run != nil {
		return Shape{Verb: sqltext.Verbs(one.Text, 1)[0]}, nil
	}
	within, cancel := context.WithTimeout(ctx, g.o.Timeout)
	defer cancel()
	s, err := g.open(within, r.Principal, r.Text)
	if err != nil {
		return Shape{}, g.presentable(ctx, within, r, err)
	}
	defer s.close()
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
	out := Shape{Parameters: make([]string, max(n, len(types)))}
	copy(out.Parameters, types)
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
	columns, err := s.describe(ctx, rewritten.Text)
	for _, c := range columns {
		out.Columns = append(out.Columns, ShapeColumn{c.name, c.typ})
	}
	return out, err
}

// parameters fills in the types that are "". The walk takes no parameters: it is shown texts that nobody can guess
// in their place, and in what it has made of the statement those become parameters.
func (s *session) parameters(ctx context.Context, text string, types []string) error {
	open := false
	marks := make([]string, len(types))
	for i := range types {
		if types[i] == "" {
			var err error
			if types[i], err = s.castOf(ctx, text, i+1); err != nil {
				return err
			}
		}
		marks[i] = duck.Quote(fmt.Sprintf("%sp%d", s.secret, i+1))
		if types[i] != "" {
			marks[i] = "CAST(" + marks[i] + " AS " + types[i] + ")"
		}
		open = open || types[i] == ""
	}
	if !open {
		return nil
	}
	shown, err := sqltext.Substitute(text, func(n int) string { return marks[n-1] })
	if err != nil {
		return err
	}
	rewritten, err := s.rewrite(ctx, shown, 0)
	if err != nil {
		return err
	}
	prepared := rewritten.Text
	for i := len(types); i > 0; i-- {
		prepared = strings.ReplaceAll(prepared, duck.Quote(fmt.Sprintf("%sp%d", s.secret, i)), fmt.Sprintf("$%d", i))
	}
	found, err := s.conn.ParameterTypes(ctx, prepared)
	if err != nil {
		return err
	}
	for i := range types {
		if types[i] == "" {
			types[i] = "VARCHAR"
			if i < len(found) && found[i] != "" {
				types[i] = found[i]
			}
		}
	}
	return nil
}

// castOf is the type that a parameter is cast to where it stands, as in $1::INTEGER[] or CAST($1 AS DECIMAL(10, 2)):
// DuckDB tells it of few types alone. "" for none.
func (s *session) castOf(ctx context.Context, text string, n int) (string, error) {
	cast := regexp.MustCompile(fmt.Sprintf(`(?i)(?:\$%[1]d\s*::\s*|CAST\s*\(\s*\$%[1]d\s+AS\s+)([a-z][a-z0-9_]*(?:\s*\([0-9, ]+\))?(?:\[\])?)`, n)).FindStringSubmatch(text)
	if cast == nil {
		return "", nil
	}
	rewritten, err := s.rewrite(ctx, "SELECT CAST(NULL AS "+cast[1]+")", 0)
	if err != nil {
		return "", nil //nolint:nilerr // it is the name of a column, or what is wrong with it is told where it stands
	}
	columns, err := s.describe(ctx, rewritten.Text)
	if err != nil || len(columns) != 1 {
		return "", nil //nolint:nilerr // likewise
	}
	return columns[0].typ, nil
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
	return sqltext.Substitute(text, func(n int) string {
		switch value := values[n-1]; {
		case value == nil:
			return "CAST(NULL AS " + types[n-1] + ")"
		case strings.HasPrefix(types[n-1], "DECIMAL") && number.MatchString(*value):
			return "(" + *value + ")" // all its digits: DECIMAL alone has three behind the point
		default:
			return "CAST(" + duck.Quote(*value) + " AS " + types[n-1] + ")"
		}
	})
}

var number = regexp.MustCompile(`^-?[0-9]{1,30}(\.[0-9]{1,30})?$`)
