package proof

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Event is the birth or the death of one version of a row. An update is a death and a
// birth, and so is what REPLACE does to each row in its way.
type Event struct {
	Table    string `json:"t"`
	Key      string `json:"k,omitempty"`
	Token    int64  `json:"v"`
	Born     bool   `json:"b,omitempty"`
	Sum      string `json:"s,omitempty"` // of a born version's cells
	Captured bool   `json:"c,omitempty"` // the table had Tarn's triggers in this transaction
}

// entry is one line of the list: what a transaction is about to commit, or that it has.
type entry struct {
	Txn     int64   `json:"n"`
	Events  []Event `json:"e,omitempty"`
	Settled string  `json:"settled,omitempty"` // "committed" or "rolled back"
}

// List is a writer's list of what the database acknowledged, in a file that is not on the
// disk under test. A transaction is written before its commit and settled after it, so
// that one whose writer was killed in between is known as one that may be there.
type List struct{ f *os.File }

// NewList opens a list for appending.
func NewList(path string) (*List, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &List{f}, err
}

// Close closes the file.
func (l *List) Close() error { return l.f.Close() }

func (l *List) put(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = l.f.Write(append(line, '\n'))
	return err
}

// Txn is one transaction of a list.
type Txn struct {
	Events []Event
	Acked  bool // its commit returned; without it the transaction may be there or not
}

// ReadList reads the first size bytes of a list, or all of it where size is negative, and
// leaves out what was rolled back. A torn last line is left out: it was never acted on.
func ReadList(path string, size int64) (txns []*Txn, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if size >= 0 {
		r = io.LimitReader(f, size)
	}
	open := map[int64]*Txn{}
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		switch e.Settled {
		case "":
			t := &Txn{Events: e.Events}
			open[e.Txn], txns = t, append(txns, t)
		case "committed":
			open[e.Txn].Acked = true
			delete(open, e.Txn)
		default:
			open[e.Txn].Events = nil
			delete(open, e.Txn)
		}
	}
	return txns, nil
}
