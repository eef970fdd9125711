//go:build duckdb_arrow

package iceberg

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	icetable "github.com/apache/iceberg-go/table"
)

// aheadMax is how far a table's last commit may lie in the future of the clock that the next one is
// stamped by; the library refuses a minute.
const aheadMax = 30 * time.Second

// base is the table's state as the catalog has it, to build a commit on.
func (h *handle) base(ctx context.Context) (*state, error) {
	st, err := h.refresh(ctx)
	if err != nil {
		return nil, err
	}
	return st.base()
}

// base is the state to build a commit on. Where the clock has been set back, or the one of the last
// commit ran ahead, the library would refuse every commit until time has caught up with it. So what the
// table's history says of the future is taken to be of now; the snapshots keep their own stamps.
func (s *state) base() (*state, error) {
	now := time.Now() // the library's clock
	if !s.ahead(now) {
		return s, nil
	}
	meta, err := notAfter(s.meta, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("take the history of the future to be of now: %w", err)
	}
	return &state{
		location: s.location, meta: meta, columns: s.columns, props: s.props, offsets: s.offsets,
		manifests: s.manifests, files: s.known(),
	}, nil
}

// ahead tells whether the table's history says so much of the future that the library refuses a commit.
func (s *state) ahead(now time.Time) bool {
	newest := s.meta.LastUpdatedMillis()
	for entry := range s.meta.SnapshotLogs() {
		newest = max(newest, entry.TimestampMs)
	}
	for entry := range s.meta.PreviousFiles() {
		newest = max(newest, entry.TimestampMs)
	}
	return time.UnixMilli(newest).Sub(now) >= aheadMax
}

// refused is why a commit was refused: errMoved, after which it is worked out again, also where the clock
// was set back in the midst of it.
func (w *work) refused(err error) error {
	if err != nil && w.landed == nil && !w.doubtful && w.base.ahead(time.Now()) {
		return fmt.Errorf("%w: %w", errMoved, err)
	}
	return err
}

// notAfter cuts the times of a table's history down to now.
func notAfter(meta icetable.Metadata, now int64) (icetable.Metadata, error) {
	content, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		return nil, err
	}
	cut := func(in map[string]any, key string) {
		if n, ok := in[key].(json.Number); ok {
			if at, err := n.Int64(); err == nil && at > now {
				in[key] = now
			}
		}
	}
	cut(fields, "last-updated-ms")
	for _, log := range []string{"snapshot-log", "metadata-log"} {
		entries, _ := fields[log].([]any)
		for _, e := range entries {
			if entry, ok := e.(map[string]any); ok {
				cut(entry, "timestamp-ms")
			}
		}
	}
	if content, err = json.Marshal(fields); err != nil {
		return nil, err
	}
	return icetable.ParseMetadataBytes(content)
}
