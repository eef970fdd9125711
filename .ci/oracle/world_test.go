//go:build duckdb_arrow

// Package oracle_test holds pipelines against DuckDB: random statements over random logs, cut into
// random ticks and killed at random points, must give what one batch query over the same log gives.
//
// A world is one log with some pipelines over it, which one process runs; a case is one pipeline of it. What a
// log holds is known where it is made, so nothing of Tarn decodes it a second time, and lateness is computed
// here, record by record. Of Tarn's decisions alone, in tarn.clock, is read back what was decided.
package oracle_test

import (
	"encoding/json"
	"os"
	"time"
)

// World is a log with pipelines over it. It is kept as JSON: for the process that runs it, and as a fixture.
type World struct {
	Seed    uint64
	Sources []*Source
	Cases   []*Case
	Steps   []Step
	Kills   []Kill
}

// Source is a topic with the statement that declares it.
type Source struct {
	Name, Declared string
	Partitions     int32
	Key            []string // of a changelog of change events
	Delay          time.Duration
	Columns        []Column
	Records        [][]Rec // by partition, in order of offsets
}

// Column has DuckDB's type.
type Column struct{ Name, Type string }

// Rec is a record and what it means.
type Rec struct {
	Stamp int64 // of the record itself, milliseconds
	Key   *string
	Value *string
	Junk  bool            // it is no record of the format at all
	None  bool            // it has no row
	Gone  bool            // it takes the row of its key out
	Cells map[string]Cell `json:",omitempty"` // what is not here is null
}

// Cell is a value as SQL; one that its column does not take is Bad.
type Cell struct {
	SQL    string
	Bad    bool  `json:",omitempty"`
	Micros int64 `json:",omitempty"` // of a time
}

// Step appends the next records of a partition as one batch, then waits.
type Step struct {
	Source, Count int
	Partition     int32
	Pause         time.Duration
}

// Kill ends the process at a point: the nth time that the pipeline reaches it, in that run of the process.
type Kill struct {
	Point string
	Nth   int
}

func (w *World) write(path string) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func readWorld(path string) (*World, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	w := &World{}
	return w, json.Unmarshal(text, w)
}
