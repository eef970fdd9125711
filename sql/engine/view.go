//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// viewDepthMax is how deep views may stand upon views.
const viewDepthMax = 16

// dialect of the texts of views that are made in the Gate's own words.
const dialect = "duckdb"

// speechOf is how the text of a view is read; false for another engine's.
func (g *Gate) speechOf(v catalog.View) (speech, bool) {
	words, known := g.o.Views[v.Dialect]
	return speech{words, v.Schemas}, known || v.Dialect == dialect
}

// view expands a view: its text passes the walk again, as the principal who asks, so that
// the filters and masks of the tables below apply to each reader.
func (s *session) view(ctx context.Context, id table.Ident, at catalog.At) (sqltext.Relation, error) {
	v, err := s.gate.o.Catalog.View(ctx, id)
	if err != nil {
		return sqltext.Relation{}, err
	}
	said, known := s.gate.speechOf(v)
	switch {
	case at != (catalog.At{}):
		return sqltext.Relation{}, fault.Newf(fault.Invalid, "name a table of the lake", "AT cannot be used on %s, which is a view", id)
	case !known:
		return sqltext.Relation{}, fault.Newf(fault.Invalid, "make it again with CREATE OR REPLACE VIEW", "the view %s is written in the dialect %s", id, v.Dialect)
	case slices.Contains(s.views, id):
		return sqltext.Relation{}, fault.Newf(fault.Invalid, "change one of the views", "the view %s reads itself", id)
	case len(s.views) >= viewDepthMax:
		return sqltext.Relation{}, fault.Newf(fault.TooLarge, "put less upon each other", "views stand more than %d deep", viewDepthMax)
	}
	s.views = append(s.views, id)
	above := s.viewed
	s.viewed = said
	out, err := s.rewrite(ctx, v.Text, 0)
	s.views, s.viewed = s.views[:len(s.views)-1], above
	if err != nil {
		return sqltext.Relation{}, within(id, err)
	}
	d := s.may(guard.Read, id, "")
	r := s.guarded(id, namesOfColumns(v.Columns), out.Text, d)
	r.Form = out.Form(v.Dialect, v.Text, fmt.Sprintf("%q", d.Masks))
	return r, nil
}

// within tells an error of a view's text without its place, which is one in another text.
func within(id table.Ident, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	told := *f
	told.Line, told.Column = 0, 0
	if !strings.HasPrefix(told.Message, "view ") {
		told.Message = "view " + id.String() + ": " + told.Message
	}
	return &told
}

// createView is CREATE [OR REPLACE] VIEW name [SECURITY …] AS SELECT ….
func (g *Gate) createView(ctx context.Context, r Request, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Take("CREATE")
	replace := in.Take("OR", "REPLACE")
	in.Take("VIEW")
	quiet := in.Take("IF", "NOT", "EXISTS")
	id, err := viewName(in, r)
	if err != nil {
		return nil, err
	}
	if in.Take("(") {
		return nil, in.Fault("AS SELECT …; name the columns in the SELECT")
	}
	if in.Take("SECURITY") && !in.Take("DEFINER") && !in.Take("INVOKER") { // a view is read as who asks in any case
		return nil, in.Fault("DEFINER or INVOKER")
	}
	if !in.Take("AS") {
		return nil, in.Fault("AS SELECT …")
	}
	body, offset := in.Rest(), in.Offset()
	if d := g.o.Guard.Decide(r.Principal, guard.Create, resource(id)); !d.Allow {
		return nil, fault.Newf(fault.Denied, "ask for a grant", "you may not create %s", id)
	}
	s, err := g.open(ctx, r.Principal, stmt)
	if err != nil {
		return nil, err
	}
	defer s.close()
	v := catalog.View{Ident: id, Text: body, Dialect: dialect}
	if r.Dialect != nil && g.o.Views[r.Dialect.Name] != nil {
		v.Dialect, v.Schemas = r.Dialect.Name, r.Schemas
	}
	v, err = s.describeView(ctx, v, offset)
	if err != nil {
		return nil, s.translate(err)
	}
	err = g.o.Catalog.CreateView(ctx, v, replace)
	switch {
	case errors.Is(err, table.ErrExists) && quiet:
	case errors.Is(err, table.ErrExists):
		return nil, fault.Newf(fault.Exists, "write CREATE OR REPLACE VIEW, or take another name", "%s exists already", id)
	case err != nil:
		return nil, err
	}
	return Status("CREATE VIEW"), nil
}

func resource(id table.Ident) guard.Resource {
	return guard.Resource{Kind: guard.Table, Path: []string{id.Namespace, id.Name}}
}

// viewName reads [lake.][schema.]name. A name without a schema is of the first that the connection has chosen, or of gold.
func viewName(in *sqltext.Reader, r Request) (table.Ident, error) {
	parts, err := in.Name()
	if err != nil {
		return table.Ident{}, err
	}
	if len(parts) == 1 {
		schema := home
		for _, one := range slices.Backward(r.Schemas) {
			if !slices.Contains(layers, strings.ToLower(one)) {
				schema = one
			}
		}
		parts = []string{schema, parts[0]}
	}
	if len(parts) == 3 && strings.EqualFold(parts[0], catalog.Name) {
		parts = parts[1:]
	}
	if len(parts) != 2 {
		return table.Ident{}, in.Fault("a name such as gold.name")
	}
	id := table.Ident{Namespace: strings.ToLower(parts[0]), Name: strings.ToLower(parts[1])}
	for _, part := range []string{id.Namespace, id.Name} {
		if strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || part == "" {
			return table.Ident{}, fault.Newf(fault.Invalid, "use letters, digits and _", "%q is no name for a view", part)
		}
	}
	if id.Namespace == systemSchema || id.Namespace == informationSchema {
		return table.Ident{}, fault.New(fault.Denied, "views cannot be made in "+id.Namespace, "make it in gold")
	}
	return id, nil
}

// describeView walks a body as its maker and asks for its columns without running it.
func (s *session) describeView(ctx context.Context, v catalog.View, offset int) (catalog.View, error) {
	s.views = append(s.views, v.Ident) // so that it cannot read what it replaces
	s.viewed, _ = s.gate.speechOf(v)
	s.source = blanked(s.source, offset)
	out, err := s.rewrite(ctx, s.source, 0)
	if err != nil {
		return catalog.View{}, err
	}
	columns, err := s.describe(ctx, out.Text)
	if err != nil {
		return catalog.View{}, err
	}
	v.Inputs = inputs(out.Tables)
	known := map[string]bool{}
	for i, c := range columns {
		lower := strings.ToLower(c.name)
		if known[lower] {
			return catalog.View{}, fault.Newf(fault.Invalid, "give one of them another name with AS", "the view has two columns %s", c.name)
		}
		known[lower] = true
		v.Columns = append(v.Columns, table.Column{ID: i + 1, Name: c.name, Type: recordType(c.typ)})
		v.Lineage = append(v.Lineage, lineage(out, i, len(columns)))
	}
	return v, nil
}

// lineage is what column i of n is computed from.
func lineage(out sqltext.Rewritten, i, n int) []string {
	if len(out.Outputs) == n {
		return out.Outputs[i].Inputs
	}
	all := make([]string, len(out.Tables))
	for t, name := range out.Tables {
		all[t] = name + ".*"
	}
	return all
}

// blanked is a text with blanks up to an offset, so that places in its rest stay what they are.
func blanked(text string, offset int) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, text[:offset]) + text[offset:]
}

func inputs(tables []string) []string {
	out := make([]string, len(tables))
	for i, t := range tables {
		out[i] = catalog.Name + "." + t
	}
	return out
}

// describe returns the columns of a rewritten query without running it.
func (s *session) describe(ctx context.Context, text string) (out []column, err error) {
	if known := s.gate.described.get(text); known != nil {
		return known, nil
	}
	rows, err := s.conn.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE "+text+")")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		c := column{nullable: true}
		if err := rows.Scan(&c.name, &c.typ); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if !strings.Contains(text, s.secret) { // which no other statement has
		s.gate.described.put(text, out)
	}
	return out, nil
}

// described keeps the columns of texts as DuckDB runs them, which name the files that they read: what a text describes to
// does not change. Safe for concurrent use.
type described struct {
	mu    sync.Mutex
	bytes int
	known map[string][]column
}

// describedBytesMax bounds it; what it has is forgotten then.
const describedBytesMax = 4 << 20

func (d *described) get(text string) []column {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.known[text])
}

func (d *described) put(text string, columns []column) {
	size := len(text) + 128*(len(columns)+1)
	if size > describedBytesMax/8 || len(columns) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bytes += size; d.known == nil || d.bytes > describedBytesMax {
		d.known, d.bytes = map[string][]column{}, size
	}
	d.known[text] = slices.Clone(columns)
}

// recordType is the nearest type of the lake for one of DuckDB's; what it does not have is text.
func recordType(t string) record.Type {
	switch t {
	case "BOOLEAN", "DATE", "TIME", "UUID", "DOUBLE", "FLOAT", "TIMESTAMP":
		return record.Type(strings.ToLower(t))
	case "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT":
		return record.Int
	case "BIGINT", "UINTEGER":
		return record.Long
	case "HUGEINT", "UHUGEINT":
		return table.DecimalType(38, 0)
	case "UBIGINT":
		return table.DecimalType(20, 0)
	case "TIMESTAMP WITH TIME ZONE":
		return record.TimestampTZ
	case "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return record.Timestamp
	case "BLOB":
		return record.Binary
	}
	if lower := record.Type(strings.ToLower(t)); strings.HasPrefix(t, "DECIMAL(") && !strings.HasSuffix(t, "]") {
		return lower
	}
	return record.String
}

// dropView is DROP VIEW [IF EXISTS] name [CASCADE]. Views that read it fail from then on, or go too.
func (g *Gate) dropView(ctx context.Context, r Request, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Take("DROP", "VIEW")
	quiet := in.Take("IF", "EXISTS")
	id, err := viewName(in, r)
	cascade := false
	if err == nil {
		cascade = in.Take("CASCADE")
		in.Take("RESTRICT")
		err = in.Done()
	}
	if err != nil {
		return nil, err
	}
	if d := g.o.Guard.Decide(r.Principal, guard.Drop, resource(id)); !d.Allow {
		return nil, fault.Newf(fault.Denied, "ask for a grant", "you may not drop %s", id)
	}
	var views []table.Ident
	if cascade {
		if views, err = g.unread(ctx, r.Principal, id, true); err != nil {
			return nil, err
		}
	}
	if err = g.o.Catalog.DropView(ctx, id); err == nil {
		err = g.dropViews(ctx, views)
	}
	switch {
	case errors.Is(err, table.ErrNotFound) && quiet:
	case errors.Is(err, table.ErrNotFound):
		return nil, fault.Newf(fault.NotFound, "see SHOW TABLES FROM "+id.Namespace, "there is no view %s", id)
	case err != nil:
		return nil, err
	}
	return Status("DROP VIEW"), nil
}
