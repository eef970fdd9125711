package landing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// The namespaces that landing writes.
const (
	bronzeNamespace = "bronze"
	silverNamespace = "silver"
)

// columnRunesMax bounds a column's name.
const columnRunesMax = 255

// MirrorName is the mirror of a source table: the table's name, with the schema before
// it unless that is a database's usual one or the only one.
func MirrorName(schema, name string, onlySchema bool) string {
	switch strings.ToLower(schema) {
	case "", "public", "main", "dbo":
		return table.NameOf(name)
	}
	if onlySchema {
		return table.NameOf(name)
	}
	return table.NameOf(schema + "_" + name)
}

// ColumnName makes a source column's name one that Iceberg and every reader of it can
// take, and that no taken one equals in any case of letters.
func ColumnName(source string, taken func(lower string) bool) string {
	name := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r == '.' || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(source, "_"))
	if runes := []rune(name); len(runes) > columnRunesMax {
		name = string(runes[:columnRunesMax])
	}
	if strings.TrimSpace(name) == "" {
		name = "column"
	}
	free := name
	for n := 2; taken(strings.ToLower(free)); n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	return free
}

// sourceDoc is the Doc of a column whose name is not the source's; sourceName reads it,
// so that a column finds its table column again whatever else came and went.
func sourceDoc(source, name string) string {
	if source == name {
		return ""
	}
	return "source column " + strconv.Quote(source)
}

// SourceName is what a source calls a column of its mirror.
func SourceName(c table.Column) string {
	if rest, ok := strings.CutPrefix(c.Doc, "source column "); ok {
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			if s, err := strconv.Unquote(quoted); err == nil {
				return s
			}
		}
	}
	return c.Name
}

// claim opens or makes the table of spec for a topic. A table that another topic
// fills is a fault that names the setting which frees the name.
func claim(ctx context.Context, tables table.Tables, spec table.Spec, topic, setting string) (table.Table, error) {
	if spec.Properties == nil {
		spec.Properties = map[string]string{}
	}
	spec.Properties[table.PropOwner], spec.Properties[table.PropTopic] = Reader, topic
	t, err := tables.Ensure(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", spec.Ident, err)
	}
	if by, _ := t.Property(table.PropTopic); by != topic {
		if by == "" {
			by = "somebody else"
		}
		return nil, quarantine{fault.Newf(fault.Exists,
			fmt.Sprintf("give topic %s another name by the setting %s", topic, setting),
			"topic %s cannot land in %s, which is filled by %s", topic, spec.Ident, by)}
	}
	return t, nil
}

// Bronze names the table of a topic, by its setting tarn.table if that is set.
func Bronze(topic string, c bus.TopicConfig) table.Ident {
	if c.Table != "" {
		return table.Ident{Namespace: bronzeNamespace, Name: table.NameOf(c.Table)}
	}
	return table.Ident{Namespace: bronzeNamespace, Name: table.NameOf(topic)}
}

// mirrors knows which topic has which mirror. Only landing makes mirrors, so the lake is
// asked once.
type mirrors struct {
	tables table.Tables

	mu    sync.Mutex
	known map[string]table.Ident // by topic; nil before the lake was asked
}

// find opens the mirror that a topic has already; nil where it has none.
func (m *mirrors) find(ctx context.Context, topic string) (table.Table, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		if err := m.load(ctx); err != nil {
			return nil, err
		}
	}
	id, ok := m.known[topic]
	if !ok {
		return nil, nil //nolint:nilnil // no mirror is no error
	}
	t, err := m.tables.Open(ctx, id)
	if errors.Is(err, table.ErrNotFound) {
		delete(m.known, topic)
		return nil, nil //nolint:nilnil // dropped
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", id, err)
	}
	return t, nil
}

// load asks the lake. mu is held.
func (m *mirrors) load(ctx context.Context) error {
	idents, err := m.tables.List(ctx, silverNamespace)
	if err != nil && !errors.Is(err, table.ErrNotFound) {
		return fmt.Errorf("list %s: %w", silverNamespace, err)
	}
	known := map[string]table.Ident{}
	for _, id := range idents {
		t, err := m.tables.Open(ctx, id)
		if errors.Is(err, table.ErrNotFound) {
			continue // a view, or dropped meanwhile
		}
		if err != nil {
			return fmt.Errorf("open %s: %w", id, err)
		}
		owner, _ := t.Property(table.PropOwner)
		if topic, _ := t.Property(table.PropTopic); topic != "" && owner == Reader {
			known[topic] = id
		}
	}
	m.known = known
	return nil
}

// MirrorOf opens the mirror of a topic; nil where it has none.
func MirrorOf(ctx context.Context, tables table.Tables, topic string) (table.Table, error) {
	m := &mirrors{tables: tables}
	return m.find(ctx, topic)
}

func (m *mirrors) add(topic string, id table.Ident) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[topic] = id
}

// onlySchema tells whether all topics of the source are of one schema. Topics of a
// source are <prefix>.<schema>.<table>.
func onlySchema(topics []*bus.Topic, source string) bool {
	seen := map[string]bool{}
	for _, t := range topics {
		if t.Config().Source != source {
			continue
		}
		if parts := strings.Split(t.Name(), "."); len(parts) >= 3 {
			seen[parts[len(parts)-2]] = true
		}
	}
	return len(seen) <= 1
}

// sourceOf is the value of PropSource for a schema's table.
func sourceOf(s *record.Schema) string { return s.Source + "/" + s.Schema + "." + s.Table }
