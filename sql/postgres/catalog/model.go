//go:build duckdb_arrow

package catalog

import (
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"tarn/sql/engine"
)

// The OIDs that PostgreSQL itself has fixed.
const (
	oidPgCatalog   = 11
	oidInformation = 13199
	oidOwner       = 10 // the one who asks
	oidDatabase    = 5
	oidHeap        = 2
	oidBtree       = 403
	oidCollation   = 100
	oidTablespace  = 1663
	classClass     = 1259
	// Those of Tarn's own things are between these.
	oidFirst = 16384
	oidSpan  = 1<<31 - 1 - oidFirst
)

// model is the lake as one statement's principal sees it, in PostgreSQL's terms.
type model struct {
	*catalog
	session    *Session
	user       string
	namespaces []namespace
	relations  []relation
	first      map[string]int // the first place in the search path with a relation of a name; nil until it is asked for
}

type namespace struct {
	oid  int64
	name string
}

// relation is a table, a view, or an index.
type relation struct {
	oid       int64
	namespace namespace
	name      string
	kind      string // r, v
	text      string // of a view
	comment   string
	columns   []attribute
	key       []int64 // the numbers of its columns
	keyOID    int64   // of its index; 0 without a key
	rule      int64   // of its constraint
	system    bool
	bytes     int64 // of its files
}

type attribute struct {
	name, doc string
	of        Type
	duck      string
	required  bool
	otherwise string // its default, as PostgreSQL has it; "" for null
}

// numbers gives things OIDs that follow from what they are. Where two would have one, that which is first by its
// words keeps it.
type numbers map[int64]bool

func (n numbers) of(words string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(words)) // never fails
	oid := oidFirst + int64(h.Sum32())%oidSpan
	for n[oid] {
		oid = oidFirst + (oid-oidFirst+1)%oidSpan
	}
	n[oid] = true
	return oid
}

func (c *catalog) model(ctx context.Context, l *engine.Listing) (*model, error) {
	entries, err := l.Entries(ctx)
	if err != nil {
		return nil, err
	}
	schemas, err := l.Schemas(ctx)
	if err != nil {
		return nil, err
	}
	m := &model{catalog: c, session: sessionOf(ctx), user: l.Who().User}
	used, by := numbers{}, map[string]namespace{}
	for _, s := range append([]string{pgCatalog}, schemas...) {
		n := namespace{name: s}
		switch s {
		case pgCatalog:
			n.oid = oidPgCatalog
		case informationSchema:
			n.oid = oidInformation
		default:
			n.oid = used.of("schema " + s)
		}
		by[s] = n
		m.namespaces = append(m.namespaces, n)
	}
	if temporary := l.Temporary(); len(temporary) > 0 {
		n := namespace{name: tempPrefix + strconv.FormatUint(uint64(m.session.PID), 10)}
		n.oid = used.of("schema " + n.name)
		m.namespaces = append(m.namespaces, n)
		for _, e := range temporary {
			m.relations = append(m.relations, c.relation(e, n, used))
		}
	}
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b engine.Entry) int { return strings.Compare(identity(a), identity(b)) })
	for _, e := range entries {
		m.relations = append(m.relations, c.relation(e, by[e.Namespace], used))
	}
	m.own(by)
	return m, nil
}

// identity is what the OID of a table follows from: its id, which outlives renames, or its name.
func identity(e engine.Entry) string {
	if e.ID != "" {
		return "table " + e.ID
	}
	return "name " + e.String()
}

func (c *catalog) relation(e engine.Entry, in namespace, used numbers) relation {
	r := relation{oid: used.of(identity(e)), namespace: in, name: e.Name, kind: "r", text: e.Text, comment: e.Comment, bytes: e.Bytes}
	if e.View {
		r.kind = "v"
	}
	for i, column := range e.Columns {
		a := attribute{column.Name, column.Doc, c.o.TypeOf(column.Type), column.Type, !column.Nullable, column.Default}
		if column.Length > 0 {
			a.of = Type{OID: pgtype.VarcharOID, Mod: int32(min(column.Length, 1<<30) + 4)} //nolint:gosec // it fits
		}
		if strings.HasPrefix(a.otherwise, "'") {
			for _, t := range c.types {
				if t.oid == int64(a.of.OID) {
					a.otherwise += "::" + t.shown
				}
			}
		}
		r.columns = append(r.columns, a)
		if column.Key {
			r.key = append(r.key, int64(i+1))
		}
	}
	if len(r.key) > 0 {
		r.keyOID, r.rule = used.of("key of "+identity(e)), used.of("rule of "+identity(e))
	}
	return r
}

// own adds the tables of the catalog itself.
func (m *model) own(by map[string]namespace) {
	for name, s := range m.shapes {
		if strings.HasPrefix(name, "tarn_") {
			continue
		}
		schema, bare, ok := strings.Cut(name, ".")
		if !ok {
			schema, bare = pgCatalog, name
		}
		r := relation{oid: s.oid, namespace: by[schema], name: bare, kind: s.kind, system: true}
		for i, column := range s.columns {
			if i == s.hidden && i > 0 {
				continue
			}
			r.columns = append(r.columns, attribute{name: column.Name, of: m.o.TypeOf(column.Type), duck: column.Type, required: s.required[i]})
		}
		m.relations = append(m.relations, r)
	}
	slices.SortFunc(m.relations, func(a, b relation) int {
		return strings.Compare(a.namespace.name+"."+a.name, b.namespace.name+"."+b.name)
	})
}

// tempPrefix begins the name of the schema of a session's temporary tables, before the session's number.
const tempPrefix = "pg_temp_"

// rank is the place of a schema in the search path, from 0; false where it is not in it.
func (m *model) rank(schema string) (int, bool) {
	if schema == pgCatalog {
		return 0, true
	}
	if strings.HasPrefix(schema, tempPrefix) {
		return -1, true
	}
	at := slices.Index(m.session.Path, schema)
	return at + 1, at >= 0
}

// visible tells whether a bare name means the relation.
func (m *model) visible(r *relation) bool {
	if m.first == nil {
		m.first = map[string]int{}
		for i := range m.relations {
			other := &m.relations[i]
			if at, in := m.rank(other.namespace.name); in {
				if known, ok := m.first[other.name]; !ok || at < known {
					m.first[other.name] = at
				}
			}
		}
	}
	at, in := m.rank(r.namespace.name)
	return in && m.first[r.name] == at
}

func (r *relation) keyName() string { return r.name + "_pkey" }

// keyColumns are the names of the columns of the key.
func (r *relation) keyColumns() (out []string) {
	for _, n := range r.key {
		out = append(out, r.columns[n-1].name)
	}
	return out
}
