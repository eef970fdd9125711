//go:build duckdb_arrow

package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

func ident(s string) string { return duck.Ident(s) }

func timeOfMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// hiddenColumns are those that read_parquet has beside the file's own. hiddenOfAny has that of tables, too.
var (
	hiddenColumns = []string{"filename", "file_row_number", "file_index"}
	hiddenOfAny   = append(slices.Clone(hiddenColumns), "rowid")
)

// wordsOf are the types of columns in DuckDB's words. unread is the place of the first that it has no word for; -1 for none.
func wordsOf(columns []table.Column) (types []string, unread int) {
	types, unread = make([]string, len(columns)), -1
	for i, c := range columns {
		var ok bool
		if types[i], ok = duck.TypeOf(c.Type); !ok && unread < 0 {
			unread = i
		}
	}
	return types, unread
}

func namesOfColumns(columns []table.Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return out
}

// numbered are the names c0, c1 and so on.
func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "c" + strconv.Itoa(i)
	}
	return out
}

// defaultsOf are the defaults of columns; "" for null.
func defaultsOf(columns []table.Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Default
	}
	return out
}

// castItems make values of columns that have such names and types: of numbered ones behind of, those that places tell, and all others have their default,
// which is null where there are none.
func castItems(names, types, defaults []string, places []int, of string) []string {
	items := make([]string, len(names))
	for i, name := range names {
		value := "NULL"
		if i < len(defaults) && defaults[i] != "" {
			value = defaults[i]
		}
		if at := slices.Index(places, i); at >= 0 {
			value = of + "c" + strconv.Itoa(at)
		}
		items[i] = "CAST(" + value + " AS " + types[i] + ") AS " + ident(name)
	}
	return items
}

// fileColumns are the names that a scan has for columns within read_parquet: their own, but where one of them would stand
// before a hidden one, by which rows are told apart, all go by their field ids. items selects them by their own.
func fileColumns(columns []table.Column) (names, items []string, own bool) {
	own = !slices.ContainsFunc(columns, func(c table.Column) bool { return slices.Contains(hiddenColumns, strings.ToLower(c.Name)) })
	for _, c := range columns {
		name, item := c.Name, "f."+ident(c.Name)
		if !own {
			name = "c" + strconv.Itoa(c.ID)
			item = "f." + name + " AS " + ident(c.Name)
		}
		names, items = append(names, name), append(items, item)
	}
	return names, items, own
}

// beyondBounds has DuckDB not go by the bounds of columns of floats in which there may be NaN: it is the greatest value and in no bound.
// Of an expression DuckDB knows none. True where there are such columns.
func beyondBounds(columns []table.Column, names, items []string, files []catalog.File) (any bool) {
	for i, c := range columns {
		if mayHaveNaN(c, files) {
			any = true
			items[i] = "-(-f." + ident(names[i]) + ") AS " + ident(c.Name)
		}
	}
	return any
}

func mayHaveNaN(c table.Column, files []catalog.File) bool {
	return (c.Type == record.Double || c.Type == record.Float) && slices.ContainsFunc(files, func(f catalog.File) bool { return !slices.Contains(f.NoNaN, c.ID) })
}

// scanText reads files of one snapshot: its columns by field id, whose types are in DuckDB's words, its file names as bind has them,
// and what its delete files name left out. Files without deletes are read plainly, for a
// join costs twice and more; call is the same as one function's call where no file has any, nor NaN.
func (s *session) scanText(ctx context.Context, scan *catalog.Scan, types []string, files []catalog.File) (query, call string, err error) {
	if len(files) == 0 || len(scan.Columns) == 0 {
		return emptyText(scan.Columns, types), "", nil
	}
	var clean, dirty []catalog.File
	for _, f := range files {
		if f.Dirty && len(scan.Deletes) > 0 {
			dirty = append(dirty, f)
		} else {
			clean = append(clean, f)
		}
	}
	hot, clean := s.takeHot(scan, clean)
	hotDirty, dirty := s.takeHotDirty(scan, dirty)
	parts, call, err := s.hotText(ctx, scan, hot, hotDirty)
	if err == nil && len(clean)+len(dirty) > 0 {
		var of []string
		of, call, err = s.filesText(ctx, scan, types, clean, dirty)
		parts = append(parts, of...)
	}
	if len(parts) > 1 {
		call = ""
	}
	return strings.Join(parts, " UNION ALL "), call, err
}

// filesText is scanText of files that are not hot, in parts.
func (s *session) filesText(ctx context.Context, scan *catalog.Scan, types []string, clean, dirty []catalog.File) (parts []string, call string, err error) {
	names, columns, own := fileColumns(scan.Columns)
	plain := len(clean) == 1 && len(dirty) == 0 && own && s.plain(ctx, clean[0].Path, scan.Columns, types)
	bare := !beyondBounds(scan.Columns, names, columns, slices.Concat(clean, dirty)) && own
	schema := schemaMap(scan.Columns, names, types)
	if len(schema) > inlineBytesMax && !plain {
		v := s.name("s")
		s.variables = append(s.variables, v)
		if err := s.conn.Set(ctx, v, schema); err != nil {
			return nil, "", err
		}
		schema = "getvariable('" + v + "')"
	}
	reads := func(list string, files []catalog.File) string {
		if plain {
			return "read_parquet(" + list + duck.NoPartitions + estimate(files) + ")"
		}
		return "read_parquet(" + list + ", schema=" + schema + estimate(files) + ")"
	}
	selects := func(list string, files []catalog.File) string {
		return "SELECT " + strings.Join(columns, ", ") + " FROM " + reads(list, files) + " f"
	}
	if len(clean) > 0 {
		paths := []string{clean[0].Path}
		if !plain {
			paths = s.gate.beside(clean)
		}
		v, err := s.bind(ctx, paths)
		if err != nil {
			return nil, "", err
		}
		parts = append(parts, selects(v, clean))
		if len(dirty) == 0 && bare {
			call = reads(v, clean)
		}
	}
	if len(dirty) > 0 {
		v, err := s.bind(ctx, s.gate.beside(dirty))
		if err != nil {
			return nil, "", err
		}
		d, err := s.bind(ctx, scan.Deletes)
		if err != nil {
			return nil, "", err
		}
		parts = append(parts, selects(v, dirty)+" ANTI JOIN ("+placesGone(scan, d)+") d ON f.filename = d.path AND f.file_row_number = d.pos")
	}
	return parts, call, nil
}

// placesGone reads the delete files of a list: the places of rows that are gone, with paths as scans have them.
func placesGone(scan *catalog.Scan, list string) string {
	return "SELECT substr(file_path, " + strconv.Itoa(len([]rune(scan.PathPrefix))+1) + ") AS path, pos FROM read_parquet(" + list + duck.NoPartitions + ")"
}

// estimate tells DuckDB's planner how many rows there are: of a file that is given with a schema it takes none for granted, and
// orders joins by that.
func estimate(files []catalog.File) string {
	var rows int64
	for _, f := range files {
		rows += f.Rows
	}
	if rows <= 0 {
		return ""
	}
	return ", explicit_cardinality=" + strconv.FormatInt(rows, 10)
}

// inlineBytesMax bounds what of a table stands in a statement's text. What is larger is bound to a variable of the connection,
// which costs a statement of its own.
const inlineBytesMax = 4 << 10

// bind answers an expression of file names.
func (s *session) bind(ctx context.Context, paths []string) (string, error) {
	bytes := 0
	quoted := make([]string, len(paths))
	for i, p := range paths {
		if strings.ContainsAny(p, "*?[") {
			return "", fault.New(fault.Invalid, "a file of the table has one of * ? [ in its name", "rewrite the table with other file names")
		}
		quoted[i] = duck.Quote(p)
		bytes += len(quoted[i]) + 1
	}
	if bytes <= inlineBytesMax {
		return "[" + strings.Join(quoted, ",") + "]", nil
	}
	v := s.name("f")
	s.variables = append(s.variables, v)
	return "getvariable('" + v + "')", s.conn.SetList(ctx, v, paths)
}

// schemaMap is DuckDB's map from field ids to columns, which have the names there.
func schemaMap(columns []table.Column, names, types []string) string {
	var b strings.Builder
	b.WriteString("MAP{")
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d:{name:%s,type:%s,default_value:NULL}", c.ID, duck.Quote(names[i]), duck.Quote(types[i]))
	}
	return b.String() + "}"
}

// emptyText is a relation of the columns without a row.
func emptyText(columns []table.Column, types []string) string {
	items := make([]string, len(columns))
	for i, c := range columns {
		items[i] = "NULL::" + types[i] + " AS " + ident(c.Name)
	}
	if len(items) == 0 {
		items = []string{"NULL AS empty"}
	}
	return "SELECT " + strings.Join(items, ", ") + " LIMIT 0"
}
