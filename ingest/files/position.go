package files

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/ingest/source"
)

// filesMax bounds the files that are known; those that are gone are forgotten first, the oldest ahead.
const filesMax = 10_000

// position is what the runner saves: the files that are known, how far each is read, and the
// step that comes next.
type position struct {
	Incarnation string  `json:"incarnation"`
	Step        int64   `json:"step"` // of the plan
	Plan        []piece `json:"plan,omitempty"`
	Files       []*file `json:"files"`
	Last        int64   `json:"last"` // the number of the file that came last
}

// file is one file. What identifies it is its inode, or else its name, and in either case the bytes up to where it is read.
type file struct {
	Number int64  `json:"n"`
	Name   string `json:"name"`
	Device uint64 `json:"dev"`
	Inode  uint64 `json:"ino"`
	at
	Modified int64 `json:"mtime"` // when it was read to its end last, in nanoseconds
}

// at is how far a file is read.
type at struct {
	Bytes int64  `json:"at"`
	Line  int64  `json:"line"`           // lines up to there
	Sum   string `json:"sum,omitempty"`  // of the beginning, and of the end, of what is read
	Skip  bool   `json:"skip,omitempty"` // a line that is too long goes on there
	// Rows are those of a Parquet file, of which the first Line are read.
	Rows int64 `json:"rows,omitempty"`
	// Kinds are what the columns of CSV hold, a letter for each, as the first rows told.
	Kinds string `json:"kinds,omitempty"`
}

// piece is a part of a file that a step reads.
type piece struct {
	File int64  `json:"file"`
	From at     `json:"from"`
	To   at     `json:"to"`
	Sum  string `json:"sum"` // of the bytes between
	Last bool   `json:"last,omitempty"`
	// Modified is when the file was written to last, where the piece goes to its end.
	Modified int64 `json:"mtime,omitempty"`
}

// load reads a saved position; none is a new incarnation.
func load(saved source.Position, logged record.Pos, topic string) (*position, error) {
	if saved == nil {
		if logged.Place != "" {
			return nil, lostFault(topic)
		}
		return &position{Incarnation: uuid.NewString(), Step: 1, Files: []*file{}}, nil
	}
	p := &position{}
	if err := json.Unmarshal(saved, p); err != nil {
		return nil, fmt.Errorf("read the position: %w", err)
	}
	return p, nil
}

// lostFault is that of a log which knows more than the position: who went on might double records.
func lostFault(topic string) error {
	return fault.Newf(fault.Conflict, "nobody can tell which files it has already: name another topic in the connector's file, and leave in the directory what is to be read",
		"topic %s has records of this connector that its list of read files does not know", topic)
}

// save renders it.
func (p *position) save() source.Position {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // plain numbers and texts always marshal
	}
	return text
}

// place is that of the step's records.
func (p *position) place() string { return record.Hex16(p.Step) }

// numbered is the file of a number.
func (p *position) numbered(n int64) *file {
	i := slices.IndexFunc(p.Files, func(f *file) bool { return f.Number == n })
	if i < 0 {
		return nil
	}
	return p.Files[i]
}

// apply moves the files to the end of the plan, whose step is in the log.
func (p *position) apply() {
	for i := range p.Plan {
		if f := p.numbered(p.Plan[i].File); f != nil {
			f.at, f.Modified = p.Plan[i].To, p.Plan[i].Modified
		}
	}
	p.Plan = nil
	p.Step++
}
