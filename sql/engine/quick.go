//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"

	"tarn/embedded/duck"
)

// The bounds of statements that find few rows.
const (
	quickRows  = smallRows // that one may find, about
	quickShare = 16        // of the Gate's memory they have 1/n; one that needs more has that of all others
)

// openQuick takes a share of the memory, and that of hot files, for a DuckDB of one thread, which is that of who asks: it wakes no other one to hand over
// work that takes less time than that, and does not turn in a loop until it is done.
func openQuick(ctx context.Context, rest *duck.Options) (*duck.Instance, error) {
	o := duck.Options{MemoryBytes: rest.MemoryBytes/quickShare + hotBytes(rest.MemoryBytes), Threads: 1, Sandbox: true, Folders: rest.Folders, Files: rest.Files}
	rest.MemoryBytes -= o.MemoryBytes
	return duck.Open(ctx, o)
}

// fewRows tells whether a statement reads one table of the lake, and there few rows, and nothing that lies on its connection.
func (s *session) fewRows() bool {
	return s.names == 1 && len(s.scans) == 1 && len(s.loaded) == 0 && len(s.variables) == 0 && s.rows <= quickRows
}

// quickly answers a statement on a connection of the quick instance. Where that lacks memory, the statement has its own again.
func (s *session) quickly(ctx context.Context, r Request, text string, kinds []string) (*Result, error) {
	conn, err := s.gate.quick.Conn(ctx)
	if err != nil {
		return nil, err
	}
	own := s.conn
	s.conn = conn
	var result *Result
	if err = s.zoned(ctx, conn); err == nil {
		result, err = s.answer(ctx, r, text, kinds)
	}
	if lacksMemory(err) {
		s.conn = own
		return nil, errors.Join(err, conn.Close())
	}
	if err == nil && len(s.hot) > 0 {
		s.gate.metrics.hot.Inc()
	}
	_ = own.Close()
	return result, err
}
