//go:build duckdb_arrow

package iceberg

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/record"
	"tarn/lake/table"
)

// state is one committed state of a table, named by its metadata file. It never
// changes, so readers share it; what needs further files is read when first asked for.
type state struct {
	location string
	meta     icetable.Metadata
	columns  []table.Column
	props    map[string]string
	offsets  record.Offsets // the highest of all readers
	// manifests counts those of the current snapshot, as far as our own commits know; 0 is unknown.
	manifests int

	mu    sync.Mutex
	files *fileSet // of the current snapshot; nil until asked for
}

func newState(location string, meta icetable.Metadata) *state {
	s := &state{location: location, meta: meta, props: meta.Properties(), offsets: record.Offsets{}}
	s.columns = columns(meta.CurrentSchema(), s.props)
	for key, value := range s.props {
		var o record.Offsets
		if strings.HasPrefix(key, table.PropOffsets) && json.Unmarshal([]byte(value), &o) == nil {
			s.offsets.Raise(o)
		}
	}
	return s
}

func (s *state) id() string { return s.meta.TableUUID().String() }

func (s *state) snapshotID() int64 {
	if snap := s.meta.CurrentSnapshot(); snap != nil {
		return snap.SnapshotID
	}
	return 0
}

// fileSet reads the files of the current snapshot once.
func (s *state) fileSet(ctx context.Context, st *Store) (*fileSet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files != nil {
		return s.files, nil
	}
	files, err := st.readFiles(ctx, s.meta.CurrentSnapshot())
	if err != nil {
		return nil, err
	}
	s.files = files
	return files, nil
}

// known returns the files if they have been read already.
func (s *state) known() *fileSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files
}

// snapshot is the current one as the contract tells of it.
func (s *state) snapshot() table.Snapshot {
	snap := s.meta.CurrentSnapshot()
	if snap == nil {
		return table.Snapshot{}
	}
	return table.Snapshot{
		ID:          snap.SnapshotID,
		CommittedAt: time.UnixMilli(snap.TimestampMs).UTC(),
		Rows:        s.liveRows(),
	}
}

// liveRows counts the rows of the current snapshot; -1 where its files would have to be
// read for it: the count of position deletes in a summary goes on counting those of files
// that somebody has dropped.
func (s *state) liveRows() int64 {
	if files := s.known(); files != nil {
		return files.liveRows()
	}
	snap := s.meta.CurrentSnapshot()
	if snap == nil {
		return 0
	}
	if total(snap, "total-delete-files") != 0 {
		return -1
	}
	return total(snap, "total-records")
}

// total reads a number of a snapshot's summary; -1 where it has none.
func total(snap *icetable.Snapshot, key string) int64 {
	if snap == nil || snap.Summary == nil {
		return -1
	}
	n, err := strconv.ParseInt(snap.Summary.Properties[key], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
