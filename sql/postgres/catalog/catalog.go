//go:build duckdb_arrow

// Package catalog is what PostgreSQL's clients ask of a server about itself: the schemas pg_catalog and
// information_schema, made of what one principal may read, and the words of PostgreSQL that DuckDB has others for. It
// speaks no protocol and keeps nothing: OIDs are derived from what the things are.
package catalog

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// Type is a type of PostgreSQL, as a column has it. Mod is -1 for none.
type Type struct {
	OID uint32
	Mod int32
}

// Options of the catalog.
type Options struct {
	// TypeOf is the door's type for one of DuckDB's, in its words.
	TypeOf   func(name string) Type
	Database string
	Version  string // of the server, "16.0"
}

// Session is what a connection knows that its catalog shows.
type Session struct {
	PID      uint32
	Path     []string // the schemas that names without one are looked for in
	Settings func() [][2]string
	Backends func() []Backend // the door's connections; nil: that of PID alone
}

// Backend is a connection, as pg_stat_activity shows it. Times that are zero there are not.
type Backend struct {
	PID                       uint32
	User                      string
	Shown                     bool // what it does may be seen
	Client                    net.Addr
	Application, Query, State string
	Began, Transaction        time.Time
	Statement, Change         time.Time
}

type sessionKey struct{}

// With gives a statement's context the session that it is of.
func With(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

func sessionOf(ctx context.Context) *Session {
	if s, ok := ctx.Value(sessionKey{}).(*Session); ok {
		return s
	}
	return &Session{Settings: func() [][2]string { return nil }}
}

// The schemas.
const (
	pgCatalog         = "pg_catalog"
	informationSchema = "information_schema"
)

// New makes PostgreSQL's dialect. It panics where the files that it is made of are wrong, which a test would show.
func New(o Options) *engine.Dialect {
	c := &catalog{o: o, shapes: map[string]*shape{}}
	c.readShapes()
	c.readTypes()
	c.readFunctions()
	out := &engine.Dialect{
		Words: c.words(), First: []string{pgCatalog}, FewerValues: true, Lengths: true, Texts: map[string]string{"BLOB": bytesOf},
		Schemas: map[string]map[string]engine.DialectTable{pgCatalog: {}, informationSchema: {}},
	}
	for name, s := range c.shapes {
		schema, bare, ok := strings.Cut(name, ".")
		if !ok {
			schema, bare = pgCatalog, name
		}
		out.Schemas[schema][bare] = engine.DialectTable{Columns: s.columns, Rows: c.rows(s, name)}
	}
	return out
}

// catalog is what is the same for all statements.
type catalog struct {
	o         Options
	shapes    map[string]*shape
	types     []typeRow
	typeNames map[string]int64 // by every name that a type has
	functions []function
}

//go:embed tables.txt
var tablesText string

//go:embed types.txt
var typesText string

//go:embed functions.txt
var functionsText string

// shape is a table of the catalog as PostgreSQL has it.
type shape struct {
	oid      int64
	kind     string
	columns  []engine.DialectColumn
	required []bool
	place    map[string]int
	hidden   int // the place of tableoid; 0 for none
}

// letters are the types of tables.txt.
var letters = map[string]string{
	"l": "BIGINT", "i": "INTEGER", "b": "BOOLEAN", "d": "DOUBLE", "t": "VARCHAR", "z": "TIMESTAMP WITH TIME ZONE", "v": "INTERVAL", "y": "BLOB",
	"l[]": "BIGINT[]", "i[]": "INTEGER[]", "t[]": "VARCHAR[]", "b[]": "BOOLEAN[]", "d[]": "DOUBLE[]",
}

func (c *catalog) readShapes() {
	for line := range strings.Lines(tablesText + ownTables) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		oid, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			panic(fmt.Sprintf("the catalog's table %s: %v", fields[0], err))
		}
		s := &shape{oid: oid, kind: fields[2], place: map[string]int{}}
		for i, f := range fields[3:] {
			name, letter, _ := strings.Cut(f, ":")
			letter, required := strings.CutSuffix(letter, "!")
			t, known := letters[letter]
			if !known {
				panic(fmt.Sprintf("the catalog's table %s: no type %q", fields[0], letter))
			}
			s.columns = append(s.columns, engine.DialectColumn{Name: name, Type: t})
			s.required = append(s.required, required)
			s.place[name] = i
		}
		if s.kind == "r" && !strings.Contains(fields[0], ".") { // a column of each table, which * would not show
			s.hidden = len(s.columns)
			s.place["tableoid"] = s.hidden
			s.columns, s.required = append(s.columns, engine.DialectColumn{Name: "tableoid", Type: "BIGINT", Hidden: true}), append(s.required, true)
		}
		c.shapes[fields[0]] = s
	}
}

// row is a row of a table by the names of its columns: what is left out is null, or the zero of a column that must not be.
type row map[string]any

// rows makes those of a table.
func (c *catalog) rows(s *shape, name string) func(context.Context, *engine.Listing) ([][]any, error) {
	make1 := c.makers()[name]
	if make1 == nil {
		return nil
	}
	return func(ctx context.Context, l *engine.Listing) ([][]any, error) {
		m, err := c.model(ctx, l)
		if err != nil {
			return nil, err
		}
		var out [][]any
		for _, r := range make1(m) {
			values := make([]any, len(s.columns))
			for column, v := range r {
				at, known := s.place[column]
				if !known {
					return nil, fmt.Errorf("%s has no column %s", name, column)
				}
				values[at] = v
			}
			for i, v := range values {
				if i == s.hidden && i > 0 {
					values[i] = s.oid
				} else if v == nil && s.required[i] {
					values[i] = zero(s.columns[i].Type)
				}
			}
			out = append(out, values)
		}
		return out, nil
	}
}

func zero(t string) any {
	switch t {
	case "BOOLEAN":
		return false
	case "BIGINT", "INTEGER":
		return int64(0)
	case "DOUBLE":
		return float64(0)
	case "VARCHAR":
		return ""
	}
	return nil
}

// typeRow is a type that clients may be told of.
type typeRow struct {
	oid, elem, array, collation int64
	length                      int64
	name, shown                 string
	byValue, preferred          bool
	kind, category, delimiter   string
	input, align, storage       string
}

// shownNames are those of types whose names in SQL are others.
var shownNames = map[string]string{
	"bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision", "varchar": "character varying",
	"bpchar": "character", "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone", "time": "time without time zone",
	"timetz": "time with time zone", "char": `"char"`, "varbit": "bit varying",
}

func (c *catalog) readTypes() {
	c.typeNames = map[string]int64{}
	number := func(s string) int64 {
		n, _ := strconv.ParseInt(s, 10, 64) // the file is Tarn's own
		return n
	}
	for line := range strings.Lines(typesText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		t := typeRow{
			oid: number(f[0]), name: f[1], length: number(f[2]), byValue: f[3] == "t", kind: f[4], category: f[5], preferred: f[6] == "t", delimiter: f[7],
			elem: number(f[8]), array: number(f[9]), input: f[10], align: f[11], storage: f[12], collation: number(f[13]),
		}
		t.shown = t.name
		if s, ok := shownNames[t.name]; ok {
			t.shown = s
		} else if bare, list := strings.CutPrefix(t.name, "_"); list {
			t.shown = bare + "[]"
			if s, ok := shownNames[bare]; ok {
				t.shown = s + "[]"
			}
		}
		c.types = append(c.types, t)
		c.typeNames[t.name], c.typeNames[t.shown] = t.oid, t.oid
	}
	for alias, name := range map[string]string{"int": "int4", "decimal": "numeric", "float": "float8"} {
		c.typeNames[alias] = c.typeNames[name]
	}
}

func (c *catalog) typeNamed(oid int64) string {
	for _, t := range c.types {
		if t.oid == oid {
			return t.shown
		}
	}
	return "???"
}

// function is one of PostgreSQL's that can be called here, too.
type function struct {
	oid, result      int64
	name             string
	kind, volatility string
	set, strict      bool
	args             []int64
}

func (c *catalog) readFunctions() {
	words := c.words()
	for line := range strings.Lines(functionsText) {
		f := strings.Fields(line)
		ofDoor := slices.Contains([]string{"pg_cancel_backend", "pg_terminate_backend", "pg_notify", "pg_listening_channels"}, f[1])
		if words.Functions[f[1]] == nil && !ofDoor && !sqltext.Allowed(f[1]) {
			continue
		}
		var at [2]int64
		at[0], _ = strconv.ParseInt(f[0], 10, 64)
		at[1], _ = strconv.ParseInt(f[6], 10, 64)
		p := function{oid: at[0], result: at[1], name: f[1], kind: f[2], volatility: f[3], set: f[4] == "1", strict: f[5] == "1"}
		if len(f) > 7 {
			for arg := range strings.SplitSeq(f[7], ",") {
				n, _ := strconv.ParseInt(arg, 10, 64)
				p.args = append(p.args, n)
			}
		}
		c.functions = append(c.functions, p)
	}
}

// arguments are a function's in words.
func (c *catalog) arguments(f function) string {
	var words []string
	for _, a := range f.args {
		words = append(words, c.typeNamed(a))
	}
	return strings.Join(words, ", ")
}
