package files

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/ingest/source"
)

const (
	// quietTimes as long as quiet.ms, and the last line of a file counts without its end.
	quietTimes = 10
	// goneWait is how long a planned piece that is not there any more is waited for: an append of it may be on its way.
	goneWait = 10 * time.Second
	// findingsMax bounds what is remembered of what happened.
	findingsMax = 20
)

// reader is an open source.
type reader struct {
	s   settings
	env source.Env
	p   *position
	// schema has the declared columns; its id is 0 without such.
	schema *record.Schema

	pending []target // of the last look, what is not read yet
	calm    map[int64]calm
	turn    int64        // the file that was read last
	ready   *step        // the plan, read
	parquet *parquetFile // that is read in steps
	gone    time.Time
	logged  bool // the topic holds records of this source
	told    bool // that there is nothing to read
	closed  bool

	mu       sync.Mutex
	findings []source.Finding
	trouble  []source.Finding // of the last look
}

// target is a file with something to read.
type target struct {
	e         *entry
	last      bool // nothing more will come
	succeeded bool // a log that was rotated
}

func open(ctx context.Context, c source.Config, env source.Env, saved source.Position) (*reader, error) {
	s, err := readSettings(c)
	if err != nil {
		return nil, err
	}
	if len(env.Skip) > 0 {
		return nil, fault.Newf(fault.Conflict, "see to the finding, and start Tarn again", "topic %s takes nothing of this connector", s.topic)
	}
	logged := env.Place(s.topic)
	p, err := load(saved, logged, s.topic)
	if err != nil {
		return nil, err
	}
	switch place := p.place(); {
	case logged.Place == "":
	case logged.Incarnation != p.Incarnation || logged.Place > place || logged.Place == place && p.Plan == nil:
		return nil, lostFault(s.topic)
	case logged.Place == place:
		p.apply()
	}
	schema := s.schema(env.SourceID)
	if len(schema.Columns) > 0 {
		if schema.ID, err = env.Schema(ctx, *schema); err != nil {
			return nil, err
		}
	}
	return &reader{s: s, env: env, p: p, schema: schema, calm: map[int64]calm{}, logged: logged.Place != ""}, nil
}

// Next returns the records of the plan with the next plan; while there is no plan it looks for one.
func (r *reader) Next(ctx context.Context) (source.Batch, error) {
	for {
		switch {
		case r.closed:
			return source.Batch{}, source.ErrStopped
		case ctx.Err() != nil:
			return source.Batch{}, ctx.Err()
		case r.ready == nil && r.p.Plan != nil:
			if err := r.again(ctx); err != nil {
				return source.Batch{}, err
			}
		case r.ready != nil:
			return r.give(ctx), nil
		default:
			if err := r.plan(ctx); err != nil {
				return source.Batch{}, err
			}
			if r.ready != nil {
				return source.Batch{Mark: r.p.save()}, nil
			}
			if !r.told {
				return r.nothing(), nil
			}
			if err := life.Wait(ctx, r.s.poll); err != nil {
				return source.Batch{}, err
			}
		}
	}
}

// nothing is a batch without records: whoever waits for files does no longer start.
func (r *reader) nothing() source.Batch {
	r.told = true
	b := source.Batch{Mark: r.p.save()}
	if r.logged {
		b.Topics = []source.TopicBatch{{Topic: r.s.topic, Schema: r.schema, Incarnation: r.p.Incarnation, PlainPlace: r.p.place()}}
	}
	return b
}

// give hands the plan's records out, and plans on.
func (r *reader) give(ctx context.Context) source.Batch {
	r.told = true
	step := r.ready
	var b source.Batch
	schema := r.schema
	if step.schema != nil {
		schema = step.schema
	}
	if len(step.records)+len(step.dead) > 0 {
		b.Topics = []source.TopicBatch{{
			Topic: r.s.topic, Schema: schema, Incarnation: r.p.Incarnation,
			Plain: step.records, PlainPlace: r.p.place(), Dead: step.dead,
		}}
	}
	r.ready = nil
	r.p.apply()
	_ = r.plan(ctx) // what is wrong comes again at the next call
	b.Mark = r.p.save()
	return b
}

// plan reads the next step, if there is something to read.
func (r *reader) plan(ctx context.Context) error {
	root, err := os.OpenRoot(r.s.dir)
	if err != nil {
		return unread(err, r.s.dir)
	}
	defer func() { _ = root.Close() }()
	if len(r.pending) == 0 {
		if err := r.look(root); err != nil {
			return err
		}
	}
	step := &step{}
	var plan []piece
	for len(r.pending) > 0 && !step.full() && len(plan) < piecesMax {
		t := &r.pending[0]
		piece, more, err := r.take(ctx, root, t, step)
		if err != nil {
			r.cannotRead(t.e.name, err)
		}
		if piece != nil {
			plan = append(plan, *piece)
			r.turn = piece.File
		}
		if !more {
			r.pending = r.pending[1:]
		}
	}
	if len(plan) > 0 {
		r.p.Plan, r.ready = plan, step
	}
	return nil
}

// look finds the files with something to read.
func (r *reader) look(root *os.Root) error {
	entries, err := list(root, r.s.wanted)
	if err != nil {
		return unread(err, r.s.dir)
	}
	r.clearTrouble()
	m := matcher{root: root, p: r.p, tail: r.s.tail, tell: r.happened, trouble: r.cannotRead}
	m.match(entries, r.s.wanted)
	if !m.forget() {
		return fault.Newf(fault.Unavailable, "move files that were read to another directory", "directory %s holds more than %d files", r.s.dir, filesMax)
	}
	now := time.Now()
	seen := map[int64]calm{}
	numbers := map[string]int64{}
	for _, e := range entries {
		if e.file != nil {
			numbers[e.name] = e.file.Number
		}
	}
	for _, e := range entries {
		f := e.file
		if f == nil || e.size == f.Bytes && f.Line >= f.Rows {
			continue
		}
		c, ok := r.calm[f.Number]
		if !ok || c.size != e.size || c.modified != e.modified {
			c = calm{e.size, e.modified, now}
			if age := r.env.Now().Sub(time.Unix(0, e.modified)); age > quietTimes*r.s.quiet {
				c.since = now.Add(-age) // nobody has written to it for long
			}
		}
		seen[f.Number] = c
		quiet := now.Sub(c.since)
		if r.s.tail || quiet >= r.s.quiet {
			r.pending = append(r.pending, target{e, quiet >= quietTimes*r.s.quiet, r.s.tail && succeeded(e, numbers)})
		}
	}
	r.calm = seen
	r.order()
	return nil
}

// succeeded tells whether a log was rotated: a newer file has the name that its own begins with. What is left of it
// was written before all that the newer one has.
func succeeded(e *entry, numbers map[string]int64) bool {
	for i, c := range e.name {
		if (c == '.' || c == '-') && numbers[e.name[:i]] > e.file.Number {
			return true
		}
	}
	return false
}

// order puts the targets in the order of their files; in a directory of logs that grow, those that were rotated
// come first, then those behind the one that was read last.
func (r *reader) order() {
	slices.SortFunc(r.pending, func(a, b target) int {
		if a.succeeded != b.succeeded {
			if a.succeeded {
				return -1
			}
			return 1
		}
		first, second := a.e.file.Number, b.e.file.Number
		if r.s.tail && !a.succeeded && first > r.turn != (second > r.turn) {
			first, second = second, first
		}
		return cmp.Compare(first, second)
	})
}

func (r *reader) happened(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, source.Finding{Message: fmt.Sprintf(format, args...)})
	if len(r.findings) > findingsMax {
		r.findings = r.findings[1:]
	}
}

// cannotRead tells of a file that is tried again at the next look.
func (r *reader) cannotRead(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.trouble) < findingsMax {
		r.trouble = append(r.trouble, source.Finding{Message: fmt.Sprintf("file %s is not read: %v", name, err), Hint: "check the rights on it, and the disk; it is tried again"})
	}
}

func (r *reader) clearTrouble() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = nil
}

// Findings tells of files that were truncated or went.
func (r *reader) Findings() []source.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Concat(r.findings, r.trouble)
}

// Ack does nothing: the files stay as they are.
func (r *reader) Ack(context.Context, source.Position) error { return nil }

// Close ends Next.
func (r *reader) Close() error {
	r.closed = true
	r.parquet.close()
	r.parquet = nil
	return nil
}
