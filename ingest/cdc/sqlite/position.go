package sqlite

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"tarn/embedded/record"
	"tarn/ingest/source"
)

// position is where the source stands in each table.
type position struct {
	Tables map[string]standing `json:"tables"`
}

// standing is how far one table has been read.
type standing struct {
	Incarnation string `json:"incarnation"`
	Seq         int64  `json:"seq"` // the last row of the shadow table that was read
	// Stamp is that row's time to the bit. It tells a shadow table that was put back from a
	// backup and has grown past Seq since from the one that was read.
	Stamp string `json:"stamp,omitempty"`
	// Open is the number of the line from which on conflicts are undecided at Seq, where a
	// drain was cut in the middle of a statement; 0 for none.
	Open       int64 `json:"open,omitempty"`
	Generation int64 `json:"generation"`
	Chunk      int64 `json:"chunk"` // the number of the next snapshot chunk; grows within an incarnation
	// Topic is where the table's changes go; "" in a position that was saved before it was kept.
	Topic string `json:"topic,omitempty"`
	// Sent is the place of the last change or chunk that was appended in this incarnation, and
	// Chunked that of the last chunk. A log that ends before Sent has lost its end.
	Sent    string `json:"sent,omitempty"`
	Chunked string `json:"chunked,omitempty"`
	// Snapshot is nil when there is none to go on with.
	Snapshot *progress `json:"snapshot,omitempty"`
	// Gap: changes may have been missed, and the mode makes no snapshot that would tell.
	Gap bool `json:"gap,omitempty"`
	// Loose: a cell was null or a misfit where the declaration allows none.
	Loose bool `json:"loose,omitempty"`
}

// progress is how far a snapshot has come. The end of a chunk is saved before the chunk is
// appended, so that a crash in between leaves no doubt where the next one begins.
type progress struct {
	Begun   bool     `json:"begun,omitempty"`
	After   []string `json:"after,omitempty"` // the key of the last row appended
	Planned bool     `json:"planned,omitempty"`
	Upto    []string `json:"upto,omitempty"` // the key of the last row of the planned chunk
	Last    bool     `json:"last,omitempty"` // it is the last chunk
	// Version is the schema version under which keys of this snapshot keep their order:
	// VACUUM may renumber the rows of a table without a key.
	Version int64 `json:"version,omitempty"`
}

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
func (p position) render() (source.Position, error) { return json.Marshal(p) }

// copied is a position that later changes do not touch.
func (p position) copied() position { return position{Tables: maps.Clone(p.Tables)} }

// next returns the progress after the planned chunk; nil when that was the last one.
func (p *progress) next() *progress {
	if p.Last {
		return nil
	}
	return &progress{Begun: true, After: p.Upto, Version: p.Version}
}

// linePlace is the place of a line's change. With the stamp in it the log tells whether the
// line is still the one that was appended, also before the position is saved.
func linePlace(seq int64, stamp string) string { return record.Hex16(seq) + "!" + stamp }

// chunkPlace sorts behind the changes that a chunk saw and before the next one.
func chunkPlace(seq, chunk int64) string { return record.Hex16(seq) + "." + record.Hex16(chunk) }

// replacedPlace is the place of a row that the change of number seq replaced: before that
// change, behind the one before it.
func replacedPlace(seq int64, n int, stamp string) string {
	return record.Hex16(seq-1) + "~" + record.Hex16(int64(n)) + "!" + stamp
}

// placeSeq is the number of the line up to which a place has everything.
func placeSeq(place string) int64 {
	const digits = 16
	if len(place) < digits {
		return 0
	}
	n, err := strconv.ParseInt(place[:digits], 16, 64)
	if err != nil {
		return 0
	}
	return n
}

// placeLine is the line of which a place tells, with its stamp; 0 for a chunk's.
func placeLine(place string) (seq int64, stamp string) {
	head, rest, ok := strings.Cut(place, "!")
	if !ok {
		return 0, ""
	}
	seq = placeSeq(place)
	if strings.Contains(head, "~") {
		seq++
	}
	return seq, strings.TrimRight(rest, "+-")
}

// appendedChunk returns the number of the chunk at the end of a topic; -1 when something
// else is there.
func appendedChunk(place string) int64 {
	_, chunk, ok := strings.Cut(place, ".")
	if !ok {
		return -1
	}
	n, err := strconv.ParseInt(chunk, 16, 64)
	if err != nil {
		return -1
	}
	return n
}

// settle takes a chunk that was appended, but not saved as such, as done, and tells whether
// it did. Only the last place of the topic tells, so the position must be saved before a
// change is appended behind the chunk.
func (st *standing) settle(place record.Pos) bool {
	if st.Snapshot == nil || !st.Snapshot.Planned || place.Incarnation != st.Incarnation || place.Place != chunkPlace(st.Seq, st.Chunk) {
		return false
	}
	st.chunked()
	return true
}

// chunked notes that the planned chunk was appended.
func (st *standing) chunked() {
	st.Sent = chunkPlace(st.Seq, st.Chunk)
	st.Chunked = st.Sent
	st.Snapshot = st.Snapshot.next()
	st.Chunk++
}

// behind tells whether a topic ends before what was acknowledged of it.
func (st *standing) behind(place record.Pos) bool {
	if st.Sent == "" {
		return st.Chunk > 0 && place == record.Pos{}
	}
	return place.Incarnation != st.Incarnation || place.Place < st.Sent
}

// overtaken returns the number of a chunk at the end of a topic of which the position does
// not know: the position is older than the log. -1 for none.
func (st *standing) overtaken(place record.Pos) int64 {
	if n := appendedChunk(place.Place); place.Incarnation == st.Incarnation && n >= st.Chunk {
		return n
	}
	return -1
}

// elsewhere tells whether the table's changes went to another topic than they are to go to.
func (st *standing) elsewhere(topic string) bool { return st.Topic != "" && st.Topic != topic }

func (st *standing) String() string {
	s := fmt.Sprintf("%s/%d", st.Incarnation, st.Seq)
	if st.Snapshot != nil {
		s += fmt.Sprintf(" snapshot chunk %d", st.Chunk)
	}
	return s
}
