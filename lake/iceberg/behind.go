//go:build duckdb_arrow

package iceberg

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	icetable "github.com/apache/iceberg-go/table"
)

// The format wants times that go up, and the library refuses a commit whose clock is more than a
// minute behind the last one's: after somebody has set the clock back no table would take rows
// until it had caught up. Then a commit is worked out on a copy of its base whose times are cut
// to the clock's (ground), and what is written has the base's own times again, and that of its
// last change for what is new (forward).

// ground is the metadata that a commit is worked out on.
func (w *work) ground() (icetable.Metadata, error) {
	now := time.Now().UnixMilli() // as the library asks
	if w.cut == nil && w.base.meta.LastUpdatedMillis() > now {
		content, err := json.Marshal(w.base.meta)
		if err == nil {
			content, err = retimed(content, func(_ string, at int64) int64 { return min(at, now) })
		}
		if err == nil {
			w.cut, err = icetable.ParseMetadataBytes(content)
		}
		if err != nil {
			return nil, fmt.Errorf("cut the table's times to the clock's: %w", err)
		}
	}
	if w.cut != nil {
		return w.cut, nil
	}
	return w.base.meta, nil
}

// forward gives metadata that was worked out on a cut base its times.
func (w *work) forward(content []byte) ([]byte, error) {
	if w.cut == nil {
		return content, nil
	}
	base, err := json.Marshal(w.base.meta)
	if err != nil {
		return nil, err
	}
	own := map[string]int64{}
	if _, err := retimed(base, func(what string, at int64) int64 { own[what] = at; return at }); err != nil {
		return nil, err
	}
	last := w.base.meta.LastUpdatedMillis()
	return retimed(content, func(what string, at int64) int64 {
		if was, ok := own[what]; ok && what != lastUpdated {
			return was
		}
		return max(at, last)
	})
}

const lastUpdated = "last-updated-ms"

// retimed changes each time in a table's metadata; what names what it is of.
func retimed(content []byte, change func(what string, at int64) int64) ([]byte, error) {
	in := json.NewDecoder(bytes.NewReader(content))
	in.UseNumber()
	var meta map[string]any
	if err := in.Decode(&meta); err != nil {
		return nil, err
	}
	set := func(of map[string]any, key, what string) {
		if number, ok := of[key].(json.Number); ok {
			if at, err := number.Int64(); err == nil {
				of[key] = json.Number(strconv.FormatInt(change(what, at), 10))
			}
		}
	}
	set(meta, lastUpdated, lastUpdated)
	for list, name := range map[string]string{"snapshots": "snapshot-id", "snapshot-log": "snapshot-id", "metadata-log": "metadata-file"} {
		entries, _ := meta[list].([]any)
		for _, e := range entries {
			if entry, ok := e.(map[string]any); ok {
				set(entry, "timestamp-ms", fmt.Sprint(list, " ", entry[name]))
			}
		}
	}
	return json.Marshal(meta)
}
