//go:build duckdb_arrow

package engine

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
)

// The bounds of statements that find few rows.
const (
	quickRows  = smallRows // that one may find, about
	quickShare = 16        // of the Gate's memory they have 1/n; one that needs more has that of all others
)

// openQuick takes a share of the memory for a DuckDB of one thread, which is that of who asks: it wakes no other one to hand over
// work that takes less time than that, and does not turn in a loop until it is done.
func openQuick(ctx context.Context, rest *duck.Options) (*duck.Instance, error) {
	o := duck.Options{MemoryBytes: rest.MemoryBytes / quickShare, Threads: 1, Sandbox: true, Folders: rest.Folders, Files: rest.Files}
	rest.MemoryBytes -= o.MemoryBytes
	return duck.Open(ctx, o)
}

// fewRows tells whether a statement reads one table of the lake, and there few rows, and nothing that lies on its connection.
func (s *session) fewRows() bool {
	return s.names == 1 && len(s.scans) == 1 && len(s.loaded) == 0 && len(s.variables) == 0 && s.rows <= quickRows
}

// stream runs a statement whose text is DuckDB's. free is to be called behind the reader's Release.
func (s *session) stream(ctx context.Context, text string) (_ array.RecordReader, free func(), _ error) {
	if s.fewRows() {
		conn, err := s.gate.quick.Conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		free := func() { _ = conn.Close() }
		reader, err := conn.Stream(ctx, text)
		if err == nil {
			return reader, free, nil
		}
		free()
		if !lacksMemory(err) {
			return nil, nil, err
		}
	}
	reader, err := s.conn.Follow(ctx, text, noted(ctx).progress())
	return reader, func() {}, err
}
