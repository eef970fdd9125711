//go:build duckdb_arrow

package engine

import (
	"context"
	"slices"
	"strings"

	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// scannable tells whether the statement's table can be a scan of files: nothing stands before its rows, and no column, nor a word of the
// statement, is called as what the scan hides.
func (x *changing) scannable(scan *catalog.Scan, d guard.Decision, stmt string) bool {
	_, _, own := fileColumns(scan.Columns)
	lower := strings.ToLower(stmt)
	return own && len(scan.Files) > 0 && !slices.ContainsFunc(scan.Columns, func(c table.Column) bool { return mayHaveNaN(c, scan.Files) }) && d.Filter == "" && !strings.Contains(lower, "u&") && !slices.ContainsFunc(hiddenColumns, func(hidden string) bool {
		return strings.Contains(lower, hidden)
	})
}

// relation is the table with the places of its rows, or those that are gone.
func (x *changing) relation(ctx context.Context, name string) (sqltext.Relation, error) {
	if x.temp != nil {
		return x.temp.places(x), nil
	}
	scan, d, err := x.read(ctx)
	if err != nil {
		return sqltext.Relation{}, err
	}
	if x.deletes != "" && name == x.deletes {
		text, err := x.s.deletesText(ctx, scan)
		return sqltext.Relation{Text: text, Name: x.table.Ident().String(), Columns: []string{"path", "pos"}}, err
	}
	names := namesOfColumns(scan.Columns)
	if x.plain {
		call, err := x.s.filesCall(ctx, scan)
		return sqltext.Relation{Call: call, Name: x.table.Ident().String(), Columns: append(names, x.path, x.pos)}, err
	}
	text, err := x.s.placesText(ctx, scan, x.path, x.pos)
	if err != nil {
		return sqltext.Relation{}, err
	}
	return x.s.guarded(x.table.Ident(), append(names, x.path, x.pos), text, d), nil
}

// filesCall is the scan of all files of a snapshot, also of rows that are gone.
func (s *session) filesCall(ctx context.Context, scan *catalog.Scan) (string, error) {
	types, _ := wordsOf(scan.Columns)
	names, _, _ := fileColumns(scan.Columns)
	files := make([]string, len(scan.Files))
	for i, f := range scan.Files {
		files[i] = f.Path
	}
	list, err := s.bind(ctx, files)
	return "read_parquet(" + list + ", schema=" + schemaMap(scan.Columns, names, types) + ")", err
}

// deletesText reads the places of the rows that are gone, with the paths that scans have.
func (s *session) deletesText(ctx context.Context, scan *catalog.Scan) (string, error) {
	deletes, err := s.bind(ctx, scan.Deletes)
	return placesGone(scan, deletes), err
}

// placesText reads one snapshot as scanText does, with the path of each row's file and its position there.
func (s *session) placesText(ctx context.Context, scan *catalog.Scan, path, pos string) (string, error) {
	names, items, _ := fileColumns(scan.Columns)
	if len(scan.Files) == 0 {
		types, _ := wordsOf(scan.Columns)
		return "SELECT *, NULL::VARCHAR AS " + ident(path) + ", NULL::BIGINT AS " + ident(pos) + " FROM (" + emptyText(scan.Columns, types) + ")", nil
	}
	call, err := s.filesCall(ctx, scan)
	if err != nil {
		return "", err
	}
	beyondBounds(scan.Columns, names, items, scan.Files)
	text := "SELECT " + strings.Join(items, ", ") + ", f.filename AS " + ident(path) + ", f.file_row_number AS " + ident(pos) + " FROM " + call + " f"
	if len(scan.Deletes) == 0 {
		return text, nil
	}
	deletes, err := s.deletesText(ctx, scan)
	return text + " ANTI JOIN (" + deletes + ") d ON f.filename = d.path AND f.file_row_number = d.pos", err
}
