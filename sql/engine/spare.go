//go:build duckdb_arrow

package engine

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"tarn/lake/catalog"
)

// writeSpare makes a Parquet file without a row or a column that any table has. DuckDB reads one
// file that is given with a schema in a single thread, for it has not counted the file's row
// groups when it asks how many threads are of use; of two files it reads in all threads. So a
// table of one large file is read with this one beside it, in half the time.
func writeSpare(dir string) (path string, err error) {
	path = filepath.Join(dir, "spare.parquet")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // below Tarn's own folder
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	column := arrow.Field{Name: "spare", Type: arrow.PrimitiveTypes.Int32, Nullable: true}
	w, err := pqarrow.NewFileWriter(arrow.NewSchema([]arrow.Field{column}, nil), f, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Close() // closes the file, too
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return path, nil
}

// smallRows is a file that one thread reads as soon as two would.
const smallRows = 50_000

// beside puts the spare file beside one large file.
func (g *Gate) beside(files []catalog.File) []string {
	paths := make([]string, 0, len(files)+1)
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	if len(files) == 1 && g.spare != "" && (files[0].Rows <= 0 || files[0].Rows > smallRows) {
		paths = append(paths, g.spare)
	}
	return paths
}
