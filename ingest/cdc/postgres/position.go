package postgres

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tarn/embedded/record"
	"tarn/ingest/cdc/postgres/pgoutput"
	"tarn/ingest/source"
)

// position is where the source stands.
type position struct {
	// System and Timeline are the server's: of another one, nothing here means anything.
	System   string `json:"system"`
	Timeline string `json:"timeline"`
	Slot     string `json:"slot"`
	// Incarnation is of the places: the system and a number of chance.
	Incarnation string `json:"incarnation"`
	// LSN is up to where all transactions are in the log, by the place of their commits.
	LSN string `json:"lsn"`
	// Commit is where the last one's commit ends, which events show.
	Commit int64 `json:"commit,omitempty"`
	// Signal is the place of the last signal that was done.
	Signal string `json:"signal,omitempty"`
	// SignalNext is one more than the offset in the topic of signals from which on they are to be read; 0 where that is not known yet.
	SignalNext int64 `json:"signal_next,omitempty"`
	// Held: rows that signals ask for are read again after resume-snapshot.
	Held   bool                `json:"held,omitempty"`
	Tables map[string]standing `json:"tables"`
	// Notified is the number of the last notification; Initial and Incremental are what was told of snapshots under way.
	Notified    int64 `json:"notified,omitempty"`
	Initial     *told `json:"initial,omitempty"`
	Incremental *told `json:"incremental,omitempty"`
}

// standing is how far one table is.
type standing struct {
	OID        uint32 `json:"oid"`
	Topic      string `json:"topic"`
	Generation int64  `json:"generation"`
	// Schema is the id of the columns as they were known last.
	Schema int64 `json:"schema,omitempty"`
	// Sent is the place of the last change or chunk that was appended, of an older snapshot where
	// this one has none yet. A topic that ends before it has lost its end.
	Sent string `json:"sent,omitempty"`
	// Keyless: the topic's last records have no key, and so no place in a mirror.
	Keyless bool `json:"keyless,omitempty"`
	// Snapshot is nil when there is none to go on with.
	Snapshot *progress `json:"snapshot,omitempty"`
}

// progress is how far a table's snapshot is.
type progress struct {
	Begun bool `json:"begun,omitempty"`
	// After is where the last chunk in the topic ends, as in its place.
	After string `json:"after,omitempty"`
	// Cut is the place of the first cut that it was read at, from which on the table's changes are streamed. It tells its dead letters
	// apart from those of other snapshots.
	Cut string `json:"cut,omitempty"`
	// Nodes are the files that it was read from.
	Nodes string `json:"nodes,omitempty"`
	// Torn: since the last cut there was a change without a value that this snapshot may never
	// read. It begins again.
	Torn bool `json:"torn,omitempty"`
	// Asked: a signal asked for it, and its events say so. Signal is its id.
	Asked  bool   `json:"asked,omitempty"`
	Signal string `json:"signal,omitempty"`
	// Owed: columns have changed, so that no signal stops or holds it.
	Owed bool `json:"owed,omitempty"`
	// Where is the condition on the rows that are read again, of the table's own generation: its changes go on being written
	// meanwhile, and what is read is written over what was. "" for a whole snapshot of a new generation.
	Where string `json:"where,omitempty"`
	// Parts are the conditions that Where joins; none where it is one.
	Parts []string `json:"parts,omitempty"`
}

// whereMax bounds the conditions that wait together, in bytes: beyond it all rows are read.
const whereMax = 16 << 10

// join has the rows of another's condition read too.
func (p *progress) join(old *progress) {
	p.Owed = p.Owed || old.Owed
	parts := old.Parts
	if len(parts) == 0 {
		parts = []string{old.Where}
	}
	if p.Where == allRows || slices.Contains(parts, allRows) {
		p.Where = allRows
		return
	}
	if !slices.Contains(parts, p.Where) {
		parts = append(slices.Clone(parts), p.Where)
	}
	if len(parts) == 1 {
		return
	}
	list := make([]string, len(parts))
	for i, part := range parts {
		list[i] = condition(part)
	}
	if p.Where, p.Parts = strings.Join(list, " OR "), parts; len(p.Where) > whereMax {
		p.Where, p.Parts = allRows, nil
	}
}

// again tells whether rows are only read again, so that nothing hangs on it.
func (p *progress) again() bool { return p != nil && p.Where != "" }

func parsePosition(at source.Position) (position, error) {
	p := position{}
	if err := at.Read(&p); err != nil {
		return p, err
	}
	if p.Tables == nil {
		p.Tables = map[string]standing{}
	}
	return p, nil
}

// render is the position as the runner saves it.
func (p *position) render() (source.Position, error) { return json.Marshal(p) }

func (p *position) copied() position {
	q := *p
	q.Tables = maps.Clone(p.Tables)
	q.Initial, q.Incremental = p.Initial.copied(), p.Incremental.copied()
	for name, st := range q.Tables {
		if st.Snapshot != nil {
			s := *st.Snapshot
			st.Snapshot = &s
			q.Tables[name] = st
		}
	}
	return q
}

func (p *position) lsn() pgoutput.LSN { return parseLSN(p.LSN) }

// parseLSN reads a place that a position has; 0 for none.
func parseLSN(text string) pgoutput.LSN {
	lsn, _ := pgoutput.ParseLSN(text)
	return lsn
}

// reach moves the position up, never down.
func (p *position) reach(lsn pgoutput.LSN) {
	if lsn > p.lsn() {
		p.LSN = lsn.String()
	}
}

// changePlace is the place of the nth change at an LSN, of a transaction that commits at one.
// Several rows at one LSN are always of one table, so n does not depend on what is captured.
func changePlace(commit, at pgoutput.LSN, n int) string {
	b := appendHex(appendHex(make([]byte, 0, 40), uint64(commit), 16), uint64(at), 16)
	return string(appendHex(b, uint64(n), 4)) //nolint:gosec // not negative
}

// appendHex is fmt's %016x and the like, which every change pays for.
func appendHex(dst []byte, n uint64, digits int) []byte {
	for ; digits < 16 && n>>(4*digits) > 0; digits++ {
	}
	for digits--; digits >= 0; digits-- {
		dst = append(dst, "0123456789abcdef"[n>>(4*digits)&15])
	}
	return dst
}

// chunkPlace is the place of a chunk of a snapshot that was cut at an LSN: before the changes
// that commit there, behind those that commit before. after says where the chunk ends.
func chunkPlace(cut pgoutput.LSN, after string) string {
	return fmt.Sprintf("%016x.%s", uint64(cut), after)
}

// afterRow is where a chunk ends that ends with a row: its heap and its ctid.
func afterRow(leaf, block uint32, offset uint16) string {
	return fmt.Sprintf("%08x%08x%04x", leaf, block, offset)
}

// afterNone is before a table's first row, afterAll the end of its last chunk.
const (
	afterNone = "00000000000000000000"
	afterAll  = "ffffffffffffffffffff"
)

// parseAfter reads what afterRow wrote.
func parseAfter(s string) (leaf, block uint32, offset uint16) {
	_, _ = fmt.Sscanf(s, "%08x%08x%04x", &leaf, &block, &offset)
	return leaf, block, offset
}

// settle takes chunks as done that are in the topic, though the position does not know of them:
// Tarn went down between. Those up to Sent are known, or of an older snapshot.
func (st *standing) settle(place record.Pos, incarnation string) {
	_, after, chunk := strings.Cut(place.Place, ".")
	if st.Snapshot == nil || place.Incarnation != incarnation || !chunk || after <= st.Snapshot.After || place.Place <= st.Sent {
		return
	}
	st.Sent = place.Place
	if after == afterAll {
		st.Snapshot = nil
		return
	}
	st.Snapshot.Begun, st.Snapshot.After = true, after
}
