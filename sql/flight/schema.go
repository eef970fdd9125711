//go:build duckdb_arrow

package flight

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"tarn/embedded/fault"
	"tarn/sql/cell"
	"tarn/sql/engine"
)

// typesMax bounds how many types' Arrow types are remembered.
const typesMax = 1000

// typeCache remembers the Arrow field that DuckDB makes of a type's name. Safe for concurrent use.
type typeCache struct {
	mu     sync.Mutex
	fields map[string]arrow.Field
}

func (c *typeCache) get(name string) (arrow.Field, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.fields[name]
	return f, ok
}

func (c *typeCache) put(name string, f arrow.Field) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.fields) >= typesMax || c.fields == nil {
		c.fields = map[string]arrow.Field{}
	}
	c.fields[name] = f
}

// schemaOf is the schema of a shape; nil for what only its answer tells.
func (d *Door) schemaOf(ctx context.Context, shape engine.Shape) (*arrow.Schema, error) {
	if shape.Verb != "" {
		return nil, nil //nolint:nilnil // as said
	}
	names, types := make([]string, len(shape.Columns)), make([]string, len(shape.Columns))
	for i, c := range shape.Columns {
		names[i], types[i] = c.Name, c.Type
	}
	return d.schema(ctx, names, types)
}

// schema is that of columns of DuckDB's types, exactly as DuckDB exports them: it is asked for nulls of those that are not known yet.
// nil when it cannot say.
func (d *Door) schema(ctx context.Context, names, types []string) (*arrow.Schema, error) {
	var unknown []string
	seen := map[string]bool{}
	for _, t := range types {
		if _, ok := d.types.get(t); !ok && !seen[t] {
			unknown, seen[t] = append(unknown, t), true
		}
	}
	found := map[string]arrow.Field{}
	if len(unknown) > 0 {
		fields, err := d.ask(ctx, unknown)
		if err != nil {
			return nil, err
		}
		for i, t := range unknown {
			found[t] = named(fields[i], t)
			d.types.put(t, found[t])
		}
	}
	fields := make([]arrow.Field, len(names))
	for i, name := range names {
		field, ok := found[types[i]]
		if !ok {
			if field, ok = d.types.get(types[i]); !ok { // made room for others a moment ago
				return nil, fault.New(fault.Unavailable, "too many types at once", "try again")
			}
		}
		field.Name = name
		fields[i] = field
	}
	return arrow.NewSchema(fields, nil), nil
}

// ask returns what DuckDB exports of types.
func (d *Door) ask(ctx context.Context, types []string) ([]arrow.Field, error) {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, t := range types {
		if i > 0 {
			b.WriteString(", ")
		}
		if strings.Trim(t, `"`) == "NULL" {
			fmt.Fprintf(&b, "NULL AS c%d", i)
			continue
		}
		fmt.Fprintf(&b, "CAST(NULL AS %s) AS c%d", t, i)
	}
	result, err := d.o.Gate.Run(ctx, engine.Request{Text: b.String(), Principal: whoOf(ctx)})
	if err != nil {
		return nil, err
	}
	defer result.Close()
	return result.Schema.Fields(), nil
}

// named puts SQL's name of a type on a field, for Arrow has none for some: a HUGEINT is a decimal(38,0), a UUID is text.
func named(f arrow.Field, name string) arrow.Field {
	keys, values := append([]string{}, f.Metadata.Keys()...), append([]string{}, f.Metadata.Values()...)
	f.Metadata = arrow.NewMetadata(append(keys, flightsql.TypeNameKey), append(values, name))
	return f
}

// agreed is the schema in which an answer is sent: what its client was told, which it is an error to differ from, with names also in those.
func agreed(result *engine.Result, told *arrow.Schema, names bool) (*arrow.Schema, error) {
	fields := result.Schema.Fields()
	if told == nil {
		out := make([]arrow.Field, len(fields))
		for i, f := range fields {
			out[i] = named(f, cell.TypeName(f))
		}
		return arrow.NewSchema(out, nil), nil
	}
	same := len(fields) == told.NumFields()
	for i := 0; same && i < len(fields); i++ {
		same = (!names || fields[i].Name == told.Field(i).Name) && arrow.TypeEqual(fields[i].Type, told.Field(i).Type)
	}
	if !same {
		return nil, fault.New(fault.Conflict, "the statement's columns have changed since it was asked for", "ask again")
	}
	return told, nil
}
