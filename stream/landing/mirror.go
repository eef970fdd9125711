package landing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
)

// mirrorSink keeps a silver table equal to a source's table. A collection is folded by
// key, the last record wins by offset: order in the log is authoritative, also between a
// snapshot's rows and changes, for a chunk is appended after the changes that it saw.
type mirrorSink struct {
	w     *way
	shape *shape // nil until the mirror or its first schema is known
	plans map[int64]*plan
	// passed are the schemas with which the mirror does not begin.
	passed map[int64]bool

	fold    map[string]int // canonical key -> entry
	entries []entry
	below   *table.Below
	refused int64 // the highest generation of which a record was refused, also before
	added   int
	asks    int // rows in hand that keep values of the mirror's
	row     record.Row
	keyBuf  []byte
	// moved is what the record before took out, for the second half of a change of key.
	moved moved
}

// entry is the last that the collection says of one key.
type entry struct {
	key        []record.Value // normalised key cells, then `_key`'s where the mirror has one
	plan       *plan
	object     []byte // the row as JSON; nil when the row is gone
	offset     int64
	generation int64
	unsent     *unsent // nil where the source sent all of the row
	before     *entry  // of a row that is gone: the row in hand that it was, nil where only the mirror had it
}

// propRefused is the mirror's property that holds what of `refused` a restart must know.
const propRefused = "tarn.refused-generation"

func refusedOf(t table.Table) (int64, error) {
	text, ok := t.Property(propRefused)
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, quarantine{fault.Wrap(err, fault.Damaged, fmt.Sprintf("read what was refused of %s", t.Ident()),
			"the table property "+propRefused+" was changed by hand: put back its old value")}
	}
	return n, nil
}

func newMirrorSink(w *way) sink {
	return &mirrorSink{w: w, plans: map[int64]*plan{}, passed: map[int64]bool{}, fold: map[string]int{}}
}

func (s *mirrorSink) open(ctx context.Context) (table.Table, error) {
	t, err := s.w.l.mirrors.find(ctx, s.w.key.topic)
	if m := s.w.config.Mirror; err == nil && t != nil && m != "" && t.Ident().Name != table.NameOf(m) {
		t, err = s.renamed(ctx, table.Ident{Namespace: silverNamespace, Name: table.NameOf(m)})
	}
	if err != nil || t == nil {
		return nil, err
	}
	s.shape = shapeOf(t)
	s.refused, err = refusedOf(t)
	return t, err
}

// plan returns how records of a schema go into the mirror, and makes the mirror at the
// first one.
func (s *mirrorSink) plan(ctx context.Context, id int64) (*plan, error) {
	if p, ok := s.plans[id]; ok {
		if !slices.Equal(p.tableKeys, s.shape.keys) && len(s.entries) > 0 {
			return nil, errCut // the keys of one commit are of the same columns
		}
		s.shape.keys = p.tableKeys
		return p, nil
	}
	if s.passed[id] && s.shape == nil {
		return nil, errSkip
	}
	schema, err := s.w.l.o.Schemas.Get(ctx, id)
	if errors.Is(err, schemas.ErrNotFound) {
		return nil, unknownSchema(id)
	}
	if err != nil {
		return nil, err
	}
	if len(schema.Keys()) == 0 {
		// A topic is keyed from the schema on that has a key, which begins with a snapshot.
		s.w.progress.finding(fmt.Sprintf("table %s had no key in schema %d: its records are in bronze, and the mirror passes them over", schema.Table, id))
		return nil, errSkip
	}
	if s.shape == nil {
		if newer, err := s.newer(ctx, schema); err != nil {
			return nil, err
		} else if newer {
			s.passed[id] = true
			s.w.progress.finding(fmt.Sprintf("table %s had another key in schema %d: its records are in bronze, and the mirror begins behind them", schema.Table, id))
			return nil, errSkip
		}
		t, err := s.make(ctx, schema)
		if err != nil {
			return nil, err
		}
		s.shape = shapeOf(t)
	}
	if len(s.entries) > 0 && !s.shape.sameKeys(schema) {
		return nil, errCut // as above
	}
	p, findings, err := s.shape.plan(schema)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		s.w.progress.finding(f)
	}
	s.plans[id] = p
	return p, nil
}

// unknownSchema is the error of a record whose schema is not stored.
type unknownSchema int64

func (e unknownSchema) Error() string { return fmt.Sprintf("schema %d is not known", int64(e)) }

// errLoose is the error of a key that only a mirror without required columns can hold.
var errLoose = errors.New("a key column is null, or of another type")

// make creates the mirror for its first schema.
func (s *mirrorSink) make(ctx context.Context, schema *record.Schema) (table.Table, error) {
	id := table.Ident{Namespace: silverNamespace, Name: MirrorName(schema.Schema, schema.Table, onlySchema(s.w.l.o.Bus.Topics(), s.w.config.Source))}
	if s.w.config.Mirror != "" {
		id.Name = table.NameOf(s.w.config.Mirror)
	}
	cols := mirrorColumns(schema) // those of the source first
	t, err := claim(ctx, s.w.l.o.Tables, table.Spec{
		Ident: id, Columns: cols,
		Properties: map[string]string{table.PropSource: sourceOf(schema), propKey: keyProperty(cols, slices.Sorted(slices.Values(schema.Keys())))},
	}, s.w.key.topic, "tarn.mirror")
	if err != nil {
		return nil, err
	}
	s.w.l.mirrors.add(s.w.key.topic, id)
	return t, nil
}

func (s *mirrorSink) add(ctx context.Context, f *feed, r *record.Record) error {
	e, err := inspect(r)
	if err != nil {
		if _, refused := errors.AsType[refusal](err); refused {
			return errSkip // bronze's to tell
		}
		return err
	}
	if bare := envelope.KeyPayload(r.Key); len(bare) != len(r.Key) {
		one := *r
		one.Key = bare
		r = &one
	}
	begun := s.shape != nil
	err = s.take(ctx, f, &e, r)
	if _, refused := errors.AsType[refusal](err); err == nil || refused || errors.Is(err, errSkip) {
		s.begins(f, begun, r.Offset)
		if f.past != nil {
			f.past.Add()
		}
	}
	return err
}

// begins notes where the mirror's rows begin, if what was taken last has made it.
func (s *mirrorSink) begins(f *feed, begun bool, at int64) {
	if !begun && s.shape != nil && f.past != nil {
		f.past.Whole = &record.Since{Offset: at}
	}
}

// take takes a record that bronze has too.
func (s *mirrorSink) take(ctx context.Context, f *feed, e *event, r *record.Record) error {
	if e.tombstone {
		return errSkip // the delete before it said it all
	}
	err := s.event(ctx, e, r)
	if unknown, is := errors.AsType[unknownSchema](err); is {
		err = s.unknown(unknown, f, e)
	}
	if _, refused := errors.AsType[refusal](err); refused {
		s.refused = max(s.refused, e.generation)
	}
	return err
}

// unknown tells what a record without a schema comes to. The topic's own source stores each
// schema before its first use, so its store was lost, and the source stores it again when it
// starts: the mirror waits, unless a person named it to get on. Anybody else's is refused. One
// that is made again always waits, for it had the record's row.
func (s *mirrorSink) unknown(id unknownSchema, f *feed, e *event) error {
	pos, err := record.ParsePos(string(e.pos))
	switch {
	case err != nil || pos.Source != s.w.config.Source:
		return refusal(id.Error())
	case f.replay:
		return quarantine{fault.Newf(fault.Damaged, "start the topic's source, which stores its schemas again: the rebuild goes on by itself. If it does not, the table has changed since: stop Tarn and say `tarn repair`, which asks for a new snapshot of the source",
			"the mirror is made again of bronze, and schema %d of its records is not in meta.db", int64(id))}
	case s.w.config.Mirror != "":
		return refusal(id.Error())
	}
	return lostSchema(id, s.w.key.topic)
}

func lostSchema(id unknownSchema, topic string) error {
	return quarantine{fault.Newf(fault.Damaged, "start the topic's source, which stores its schemas again, or put the data folder back from a backup: the mirror goes on by itself. Or name a new mirror by the setting tarn.mirror, to which such records are dead letters",
		"schema %d, of which topic %s has records, is not in meta.db", int64(id), topic)}
}

func (s *mirrorSink) event(ctx context.Context, e *event, r *record.Record) error {
	if s.full(e) {
		return errCut
	}
	p, err := s.plan(ctx, e.schema)
	if err != nil {
		return err
	}
	switch e.Op {
	case 'c', 'r', 'u':
		err = s.upsert(p, e, r)
	case 'd':
		err = s.remove(p, e, r)
	case 't': // its source's marks, which begin another generation, have emptied the mirror
	default:
		return refusal(fmt.Sprintf("a mirror knows no op %q", e.Op))
	}
	if !errors.Is(err, errLoose) {
		return err
	}
	if len(s.entries) > 0 {
		return errCut // the keys of one commit are of the same columns
	}
	s.w.progress.finding(fmt.Sprintf("a key of table %s is null or of another type: %s has no required key from now on, and tells such rows apart by %s",
		p.schema.Table, s.shape.table.Ident(), KeyColumn))
	s.shape.loosen()
	s.plans = map[int64]*plan{}
	return s.event(ctx, e, r)
}

func (s *mirrorSink) upsert(p *plan, e *event, r *record.Record) error {
	if e.After == nil {
		return refusal("no row in after")
	}
	key, err := s.keyOf(p, e.After, r.Key)
	if err != nil {
		return err
	}
	now := entry{key: key, plan: p, object: e.After, offset: r.Offset, generation: e.generation}
	if now.unsent, err = s.left(p, e, key); err != nil {
		return err
	}
	s.ask(&now)
	if e.Op == 'u' && e.Before != nil {
		if err := s.removeBefore(p, e, r, &now); err != nil {
			return err
		}
	}
	s.put(now)
	return nil
}

// removeBefore deletes the row under its old key. Sources send a changed key as a
// delete and a create; this holds the mirror right with one that does not.
func (s *mirrorSink) removeBefore(p *plan, e *event, r *record.Record, now *entry) error {
	old, err := s.keyOf(p, e.Before, r.Key)
	if _, refused := errors.AsType[refusal](err); refused || errors.Is(err, errLoose) {
		return nil // a before without its whole key names no row
	}
	if err != nil {
		return err
	}
	if !slices.EqualFunc(old, now.key, sameCell) {
		if now.unsent != nil {
			now.unsent = s.from(now.unsent.columns, old)
		}
		s.put(entry{key: old, plan: p, offset: r.Offset, generation: e.generation})
	}
	return nil
}

func (s *mirrorSink) remove(p *plan, e *event, r *record.Record) error {
	object := e.Before
	if object == nil {
		object = r.Key
	}
	if object == nil {
		return refusal("a delete without before and without key")
	}
	key, err := s.keyOf(p, object, r.Key)
	if err != nil {
		return err
	}
	gone := entry{key: key, plan: p, offset: r.Offset, generation: e.generation}
	if was := s.inHand(key); was != nil && was.object != nil {
		gone.before = was
	}
	s.moved = moved{pos: string(e.pos), entry: gone}
	s.put(gone)
	return nil
}

// keyOf decodes a row into s.row and returns its key cells, copied.
func (s *mirrorSink) keyOf(p *plan, object, recordKey []byte) ([]record.Value, error) {
	row, extra, err := envelope.Decode(p.schema, object, s.row)
	if err != nil {
		return nil, refusal(err.Error())
	}
	if extra != nil {
		if _, err := members(extra); err != nil {
			return nil, refusal(err.Error())
		}
	}
	s.row = row
	key := make([]record.Value, 0, len(p.keys)+1)
	whole := true
	for _, i := range p.keys {
		v, fits := normal(p.types[i], row[i])
		if v.Kind == record.Missing {
			return nil, refusal("the source left out key column " + p.schema.Columns[i].Name)
		}
		if !fits || v.Kind == record.Null {
			switch {
			case p.required[i] && p.schema.Columns[i].Nullable:
				return nil, errLoose
			case p.required[i]:
				return nil, refusal("a key column that may not be null is null, or of another type")
			}
			whole, v = false, record.Value{}
		}
		if v.Kind == record.FloatKind && v.F == 0 {
			v.F = 0 // one zero
		}
		v.B = slices.Clone(v.B)
		key = append(key, v)
	}
	switch {
	case p.keyText && whole:
		key = append(key, record.Value{})
	case p.keyText:
		key = append(key, text(slices.Clone(recordKey)))
	}
	return key, nil
}

// put makes an entry the last word on its key.
func (s *mirrorSink) put(e entry) {
	s.added++
	s.keyBuf = canonical(s.keyBuf[:0], e.key)
	if i, ok := s.fold[string(s.keyBuf)]; ok {
		s.entries[i] = e
		return
	}
	s.fold[string(s.keyBuf)] = len(s.entries)
	s.entries = append(s.entries, e)
}

// mark ends a snapshot: what is of a lower generation goes from the mirror, and from
// the rows in hand, which the table cannot know.
func (s *mirrorSink) mark(ctx context.Context, f *feed, at int64, m record.Mark) error {
	begun := s.shape != nil
	if _, err := s.plan(ctx, m.Schema); errors.Is(err, errSkip) {
		return nil
	} else if unknown, is := errors.AsType[unknownSchema](err); is && s.w.config.Mirror == "" {
		return lostSchema(unknown, s.w.key.topic)
	} else if is {
		s.w.progress.finding(fmt.Sprintf("a snapshot mark names a schema that is not known: %v", unknown))
		if s.shape == nil {
			return nil
		}
	} else if err != nil {
		return err
	}
	past := f.past
	if past == nil {
		past = &record.Past{}
	}
	s.begins(f, begun, at)
	if m.Kind == record.SnapshotBegin {
		past.Begin(m.Generation, at)
	}
	if m.Kind != record.SnapshotEnd {
		return nil
	}
	if s.refused == m.Generation {
		s.w.progress.finding(fmt.Sprintf("the snapshot of generation %d has rows that went to the dead letters, so rows of before stay in the mirror: mend them, and take a new snapshot", m.Generation))
		return nil
	}
	past.End(m.Generation)
	for i := range s.entries {
		if s.entries[i].generation < m.Generation {
			s.entries[i].object = nil
		}
	}
	if s.below == nil || s.below.Value < m.Generation {
		s.below = &table.Below{Column: generationColumn, Value: m.Generation}
	}
	return nil
}

func (s *mirrorSink) change(ctx context.Context) (table.Table, table.Change, error) {
	if s.shape == nil {
		return nil, table.Change{}, nil
	}
	if s.shape.changed() {
		if err := s.shape.evolve(ctx); err != nil {
			return nil, table.Change{}, err
		}
	}
	c := table.Change{DeleteBelow: s.below, Properties: map[string]string{}}
	if s.refused > 0 {
		c.Properties[propRefused] = itoa(s.refused)
	}
	if len(s.shape.keys) > 0 {
		c.Properties[propKey] = keyProperty(s.shape.cols, s.shape.keys)
	}
	if len(s.entries) > 0 {
		olds, err := s.olds(ctx)
		if err != nil {
			return nil, c, err
		}
		keys, rows, misfits, err := s.shape.build(s.entries, olds)
		if err != nil {
			return nil, c, err
		}
		c.Keys = []arrow.RecordBatch{keys}
		if rows != nil {
			c.Rows = []arrow.RecordBatch{rows}
		}
		s.w.progress.misfit(misfits)
	}
	s.w.progress.adding(s.added)
	return s.shape.table, c, nil
}

func (s *mirrorSink) committed() {
	if s.shape != nil && s.shape.changed() {
		s.shape = shapeOf(s.shape.table) // with the ids of new columns
		s.plans = map[int64]*plan{}
	}
	clear(s.fold)
	s.entries, s.below, s.added, s.asks = nil, nil, 0, 0
}
