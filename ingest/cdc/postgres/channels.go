package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"tarn/ingest/source"
)

// sent is a signal as the channels file and kafka have it (Debezium's documentation, "Sending signals to a Debezium connector").
type sent struct {
	ID   string          `json:"id"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// signalFileMax bounds the file of signals.
const signalFileMax = 1 << 20

// poll does the signals that do not come through the server's log. It is for moments between transactions.
func (r *reader) poll(ctx context.Context) error {
	if r.s.signalFile == "" && r.s.signalTopic == "" || r.tx != nil || r.env.Now().Sub(r.polled) < r.s.signalPoll {
		return nil
	}
	r.polled = r.env.Now()
	if r.s.signalFile != "" {
		if err := r.pollFile(ctx); err != nil {
			return err
		}
	}
	if r.s.signalTopic == "" || r.env.Records == nil {
		return nil
	}
	list, next, err := r.env.Records(ctx, r.s.signalTopic, r.pos.SignalNext-1)
	if err != nil {
		return err
	}
	for i := range list {
		if string(list[i].Key) != r.s.prefix {
			continue
		}
		if err := r.received(ctx, list[i].Value); err != nil {
			return err
		}
	}
	if next+1 != r.pos.SignalNext {
		r.pos.SignalNext, r.changed = next+1, true
	}
	return nil
}

// received does what a signal asks for that came by itself.
func (r *reader) received(ctx context.Context, text []byte) error {
	var one sent
	if err := json.Unmarshal(text, &one); err != nil {
		r.signalled("", "unknown", fmt.Sprintf("it is no JSON: %v", err), `write {"id": "1", "type": "execute-snapshot", "data": {"data-collections": ["public.orders"]}}`)
		return nil
	}
	return r.obey(ctx, one.ID, one.Type, one.Data)
}

// pollFile does the signals of the file's new lines, and empties it when what they asked for is saved: after a crash they may be done
// again, which changes nothing.
func (r *reader) pollFile(ctx context.Context) error {
	text, err := readFile(r.s.signalFile)
	if errors.Is(err, fs.ErrNotExist) {
		r.lines = 0
		return nil
	}
	if err == nil && int64(len(text)) == r.lines && r.lines > 0 && !r.changed {
		if err = os.Truncate(r.s.signalFile, 0); err == nil {
			r.lines = 0
			return nil
		}
	}
	if err != nil {
		r.happened(signalEvent, source.Finding{Key: keySignalFile, Message: fmt.Sprintf("the file of signals is not read: %v", err), Hint: "check its rights"})
		return nil
	}
	if int64(len(text)) < r.lines { // it was written anew
		r.lines = 0
	}
	for {
		line, _, whole := bytes.Cut(text[r.lines:], []byte{'\n'})
		if !whole && !json.Valid(line) { // the rest is still to come
			return nil
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if err := r.received(ctx, line); err != nil {
				return err
			}
		}
		r.lines = min(r.lines+int64(len(line))+1, int64(len(text)))
	}
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, signalFileMax))
}
