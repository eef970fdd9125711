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
	"time"

	"tarn/embedded/life"
	"tarn/ingest/source"
)

// sent is a signal as the channels file and kafka have it (Debezium's documentation, "Sending signals to a Debezium connector").
type sent struct {
	ID   string          `json:"id"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// signalFileMax bounds the file of signals, in bytes.
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

// attend waits, when nothing is read any more, until signals are to be looked for.
func (r *reader) attend(ctx context.Context) error {
	closeConn(r.spare)
	r.spare = nil
	if r.s.signalFile == "" && r.s.signalTopic == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	return life.Wait(ctx, max(r.s.signalPoll-r.env.Now().Sub(r.polled), time.Millisecond))
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

const (
	takenSuffix   = ".taken"
	refusedSuffix = ".refused"
)

// pollFile does the signals of the file. It takes the file by giving it another name, so that what is written meanwhile is another file's,
// and removes it when what they asked for is saved: after a crash they may be done again, which changes nothing.
func (r *reader) pollFile(ctx context.Context) error {
	path := r.s.signalFile + takenSuffix
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.lines, r.half = 0, 0
		text, err = readFile(r.s.signalFile)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (len(text) == 0 || halved(text[bytes.LastIndexByte(text, '\n')+1:])) {
			return nil
		}
		if err == nil {
			if err = os.Rename(r.s.signalFile, path); err == nil {
				text, err = readFile(path)
			}
		} else {
			path = r.s.signalFile
		}
	}
	if errors.Is(err, errLarge) {
		aside := r.s.signalFile + refusedSuffix
		if err = os.Rename(path, aside); err == nil {
			r.happened(signalEvent, source.Finding{
				Key: keySignalFile, Message: fmt.Sprintf("the file of signals has more than %d KB and was set aside as %s", signalFileMax>>10, aside), Hint: "write its signals again, fewer at once",
			})
			return nil
		}
	}
	if err != nil {
		r.happened(signalEvent, source.Finding{Key: keySignalFile, Message: fmt.Sprintf("the file of signals is not read: %v", err), Hint: "check the rights of the file and of its folder"})
		return nil
	}
	begin := r.lines
	for r.lines < len(text) {
		line, _, _ := bytes.Cut(text[r.lines:], []byte{'\n'})
		if r.lines+len(line) == len(text) && halved(line) && r.half != len(text) { // somebody may have it open still
			r.half = len(text)
			return nil
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if err := r.received(ctx, line); err != nil {
				return err
			}
		}
		r.lines = min(r.lines+len(line)+1, len(text))
	}
	if begin < len(text) || r.changed {
		return nil
	}
	if err := r.settled(); err != nil {
		return err
	}
	return os.Remove(path)
}

// halved tells whether a last line is still to be written to its end.
func halved(line []byte) bool { return len(bytes.TrimSpace(line)) > 0 && !json.Valid(line) }

var errLarge = errors.New("it is too large")

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, signalFileMax+1))
	if err == nil && len(text) > signalFileMax {
		err = errLarge
	}
	return text, err
}
