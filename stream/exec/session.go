//go:build duckdb_arrow

package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/bus"
	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/own"
	"tarn/stream/pipeline"
	"tarn/stream/plan"
	"tarn/stream/reader"
	"tarn/stream/state"
)

// session is a run between two errors: the open state, the table, and the tick in hand.
type session struct {
	*Run
	plan   *plan.Plan
	table  table.Table
	state  *state.State
	memory int64 // that the state was opened with, be the share of now what it is

	scans    []*scan
	next     state.Progress // after the tick in hand
	rows     int
	bytes    int
	mayLate  bool
	sweeps   map[string]int64 // the tick is a snapshot's end
	moved    bool             // offsets moved, with or without rows
	lastTick time.Time
	interval time.Duration // between two ticks, as long as they cost
	fulls    int           // ticks that had all that one may have, up to the last
	times    int           // how often tickRowsMax and tickBytesMax the tick in hand takes
	wide     bool          // the rows of scans have so many columns that blocks of them all would be most of the memory

	committed   int64 // the epoch that the table has
	unpublished int64 // rows in the outbox that the table has not
	published   time.Time
	letters     map[int][]own.Letter // by scan
	counts      counts               // of what is read again, were the session to end now
	pasts       map[int]*reader.Past // by scan: what its log has no more; nil where that has all
}

// counts are what a pipeline counts of records.
type counts struct{ rows, emitted, late, dead, ahead int64 }

// count tells of what is durable now.
func (s *session) count(st *pipeline.Status) {
	st.Rows += s.counts.rows
	st.Emitted += s.counts.emitted
	st.Late += s.counts.late
	st.Dead += s.counts.dead
	st.Ahead += s.counts.ahead
	s.counts = counts{}
}

// Holder is the name by which retention knows what a scan of a pipeline has read.
func Holder(id string, scan int) string { return fmt.Sprintf("pipeline:%s:%d", id, scan) }

// StartKey names a partition in Definition.Starts: where its end was, or its beginning.
func StartKey(topic string, partition int32, latest bool) string {
	key := fmt.Sprintf("%s/%d", topic, partition)
	if !latest {
		key += "/earliest"
	}
	return key
}

// epochProperty is the table's property that holds the epoch of its last commit.
func (r *Run) epochProperty() string { return table.PropEpoch + r.ID + ".table" }

// openTable opens the pipeline's table or makes it, and takes it.
func (r *Run) openTable(ctx context.Context) (table.Table, error) {
	spec := table.Spec{Ident: r.Into, Properties: map[string]string{table.PropOwner: r.ID}}
	keys := map[string]bool{}
	for _, k := range r.job.Plan.Key {
		keys[k] = true
	}
	for _, c := range r.job.Plan.Columns {
		spec.Columns = append(spec.Columns, table.Column{Name: c.Name, Type: c.Type, Key: keys[c.Name]})
	}
	t, err := r.o.Tables.Ensure(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", spec.Ident, err)
	}
	if owner, _ := t.Property(table.PropOwner); owner != r.ID {
		return nil, failure{fault.Newf(fault.Exists, "name another table, or drop that one", "%s is filled by somebody else", spec.Ident)}
	}
	for i, c := range spec.Columns {
		at := columnNamed(t.Columns(), c.Name)
		if at < 0 || t.Columns()[at].Type != c.Type {
			return nil, failure{fault.Newf(fault.Invalid, fmt.Sprintf("say ALTER PIPELINE %s REBUILD, or ALTER PIPELINE %s AS SELECT … with others", r.Name, r.Name),
				"%s has no column %s of type %s", spec.Ident, spec.Columns[i].Name, c.Type)}
		}
	}
	return t, nil
}

func columnNamed(columns []table.Column, name string) int {
	for i, c := range columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// recover compares the state with the table and commits what a crash left in the outbox.
func (s *session) recover(ctx context.Context) error {
	if text, ok := s.table.Property(s.epochProperty()); ok {
		if _, err := fmt.Sscan(text, &s.committed); err != nil {
			return failure{fault.Wrap(err, fault.Damaged, "read the epoch of "+s.Into.String(), "put the table's property "+s.epochProperty()+" back")}
		}
	}
	if !s.keeps() {
		return s.recoverOffsets()
	}
	p := &s.state.Progress
	switch {
	case s.committed > p.Epoch:
		return failure{fault.Newf(fault.Damaged, fmt.Sprintf("put back both from one backup, or say ALTER PIPELINE %s REBUILD", s.Name),
			"%s has epoch %d of pipeline %s, its state only %d: the state was put back from an older copy", s.Into, s.committed, s.Name, p.Epoch)}
	case s.committed < p.Published:
		return failure{fault.Newf(fault.Damaged, fmt.Sprintf("put back both from one backup, or say ALTER PIPELINE %s REBUILD", s.Name),
			"pipeline %s has committed epoch %d to %s, which has only %d: the table was dropped or put back from an older copy", s.Name, p.Published, s.Into, s.committed)}
	}
	s.next = p.Clone()
	s.unpublished = math.MaxInt64 / 2 // nobody knows how many
	if fault.Planted("epoch") {
		s.committed--
	}
	return s.publish(ctx)
}

// recoverOffsets goes on where the table of a pipeline without state says.
func (s *session) recoverOffsets() error {
	p := &s.state.Progress
	p.Epoch, p.Published = s.committed, s.committed
	if text, ok := s.table.Property(table.PropOffsets + s.ID); ok {
		o := record.Offsets{}
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return failure{fault.Wrap(err, fault.Damaged, "read the offsets of "+s.Into.String(), "put the table's property "+table.PropOffsets+s.ID+" back")}
		}
		for i, input := range s.job.Inputs {
			for text, at := range o[input.Topic] {
				p.Parts[strconv.Itoa(i)+"/"+text] = &state.Part{Next: at.Next, Flushed: state.None}
			}
		}
	}
	s.next = p.Clone()
	return nil
}

// offsets are those of the last tick, as a table keeps them.
func (s *session) offsets() record.Offsets {
	o := record.Offsets{}
	for _, c := range s.scans {
		for _, p := range c.topic.Partitions() {
			if part := s.state.Progress.Parts[state.Key(c.number, p.Number())]; part != nil {
				o.Set(c.topic.Name(), p.Number(), record.PartitionOffsets{Next: part.Next})
			}
		}
	}
	return o
}

// topic finds a topic of the log, which may not be there yet.
func (s *session) topic(name string) (*bus.Topic, error) {
	t, err := s.o.Bus.Topic(name)
	if errors.Is(err, bus.ErrNoTopic) {
		err = fault.Wrap(err, fault.NotFound, "read topic "+name, "it is waited for")
	}
	return t, err
}

// grown tells whether a topic has got more partitions since the session began.
func (s *session) grown() bool {
	for _, c := range s.scans {
		if t, err := s.o.Bus.Topic(c.topic.Name()); err == nil && t.Config().ID == c.topic.Config().ID && len(t.Partitions()) > len(c.topic.Partitions()) {
			return true
		}
	}
	return false
}

// open begins to read each partition where the state stands.
func (s *session) open(ctx context.Context) (*reader.Reader, error) {
	s.letters, s.interval = map[int][]own.Letter{}, tickMin
	columns := 0
	for _, scan := range s.plan.Scans {
		columns += len(scan.Columns) + len(scan.Hidden())
	}
	s.wide = 2*int64(columns)*duck.BlockBytes > s.memory/4*3 // those of the tick before are there until it is done
	var feeds []reader.Feed
	var pasts []reader.Past
	for i := range s.job.Inputs {
		topic, parts, err := s.parts(ctx, i)
		if err != nil {
			return nil, err
		}
		s.scans = append(s.scans, newScan(s, i, topic))
		for n, p := range topic.Partitions() {
			p.Hold(Holder(s.ID, i), parts[n].Next)
			if !s.historic(i, p, parts[n]) {
				feeds = append(feeds, reader.Feed{Scan: int32(i), Partition: p, Next: parts[n].Next}) //nolint:gosec // a plan has few scans
			}
		}
		if past := s.pasts[i]; past != nil {
			pasts = append(pasts, *past)
		}
	}
	return reader.Open(ctx, feeds, pasts), nil
}

// parts are where a scan's partitions stand. What their log has no more is found then.
func (s *session) parts(ctx context.Context, scan int) (*bus.Topic, []*state.Part, error) {
	topic, err := s.topic(s.job.Inputs[scan].Topic)
	if err != nil {
		return nil, nil, err
	}
	var parts []*state.Part
	for _, p := range topic.Partitions() {
		part, err := s.part(scan, topic, p)
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, part)
	}
	return topic, parts, s.past(ctx, scan, topic, parts)
}

// part is where a partition stands; a new one begins where the pipeline did, and one that came later at the log's start.
func (s *session) part(scan int, topic *bus.Topic, p *bus.Partition) (*state.Part, error) {
	key := state.Key(scan, p.Number())
	part := s.next.Parts[key]
	if part == nil {
		start, known := s.Starts[StartKey(topic.Name(), p.Number(), s.job.Inputs[scan].Latest)]
		if !known {
			start = p.LogStart()
		}
		part = &state.Part{Topic: topic.Config().ID, Next: start, Flushed: state.None}
		s.next.Parts[key] = part
	}
	switch {
	case part.Topic != "" && part.Topic != topic.Config().ID:
		return nil, failure{fault.Newf(fault.Damaged, fmt.Sprintf("say ALTER PIPELINE %s REBUILD to begin with the new topic", s.Name),
			"topic %s was deleted and made again since pipeline %s read it", topic.Name(), s.Name)}
	case part.Next > p.Next():
		return nil, failure{fault.Newf(fault.Damaged, "put back the data folder from one backup",
			"pipeline %s has read topic %s partition %d up to offset %d, but its log ends at %d", s.Name, topic.Name(), p.Number(), part.Next, p.Next())}
	}
	return part, nil
}

// due is how long the tick in hand may still wait; nothing when it is full.
func (s *session) due() time.Duration {
	if s.full() {
		return 0
	}
	interval := max(s.interval, time.Duration(s.share())*time.Second/stateCommits)
	if s.filling() {
		interval = max(interval, tickBehind)
	}
	return max(interval-time.Since(s.lastTick), interval/10, s.early())
}

// early is how long a commit is not due yet. What a tick brought before that, nobody could see: one tick just before the
// commit costs less than many.
func (s *session) early() time.Duration {
	return min(s.o.CommitInterval, tickBehind) - time.Since(s.published)
}

// filling tells whether there is enough to read for the tick in hand to be full soon.
func (s *session) filling() bool {
	return s.behind() > tickRowsMax && time.Since(s.lastTick) < tickBehind
}

// full tells whether the tick in hand takes no more.
func (s *session) full() bool { return s.has(1) }

// has tells whether the tick in hand has so many times what one may have.
func (s *session) has(times int) bool {
	less := max(0, s.scarce-1)
	return s.rows >= times*s.rowsMax()>>less || s.bytes >= times*tickBytesMax*s.times>>less
}

// more is how often tickRowsMax and tickBytesMax the next tick takes: more than once only where there is much to read, and
// where there is memory for it.
func (s *session) more() int {
	if s.fulls < tickFulls || s.scarce > 0 {
		return 1
	}
	return max(1, min(tickTimes, tickTimesAll/max(1, s.share()), int(s.memory/tickMemory)))
}

// waiting tells whether there is something to tick or to commit.
func (s *session) waiting() bool { return s.moved || s.unpublished > 0 }

// tick applies what was collected.
func (s *session) tick(ctx context.Context) error {
	if !s.moved {
		return nil
	}
	began := time.Now()
	if err := s.tellDead(ctx); err != nil {
		return err
	}
	t := state.Tick{Rows: map[string]state.Rows{}, Sweeps: s.sweeps, MayLate: s.mayLate, Late: func(rows []state.LateRow) error { return s.tellLate(ctx, rows) }}
	defer func() {
		for _, rows := range t.Rows {
			for _, b := range rows.Batches {
				b.Release()
			}
		}
	}()
	for _, scan := range s.scans {
		if b := scan.batch(); b != nil {
			t.Rows[scan.relation()] = state.Rows{Schema: b.Schema(), Batches: []arrow.RecordBatch{b}}
		}
	}
	closed, err := s.closing(ctx)
	if err != nil {
		return err
	}
	s.next.Closed = closed
	s.next.Published = s.committed
	t.Pruned = s.committed
	t.Progress = s.next.Clone()
	emitted, err := s.state.Apply(ctx, t)
	if duck.Refused(err) {
		if err = s.sift(ctx, &t, err); err == nil {
			emitted, err = s.state.Apply(ctx, t)
		}
	}
	if err != nil {
		return err
	}
	s.next.Epoch = s.state.Progress.Epoch
	s.ticked(emitted, time.Since(began))
	return nil
}

// ticked begins the next tick, which comes the later the more the last one cost.
func (s *session) ticked(emitted int64, took time.Duration) {
	rows, full := s.rows, s.full()
	s.rows, s.bytes, s.mayLate, s.moved, s.sweeps = 0, 0, false, false, nil
	for _, c := range s.scans {
		clear(c.kept)
		c.origins = nil
	}
	s.lastTick = time.Now()
	s.unpublished += emitted
	if s.fulls++; !full && rows < tickRowsMax {
		s.fulls = 0
	}
	if s.scarce > 1 && s.fulls > 0 && s.fulls%easedFulls == 0 {
		s.scarce-- // what lacked may be there by now
	}
	s.times = s.more()
	switch cost := took * 100 / tickCPUPercent; {
	case full: // a full tick waits for nothing
		s.interval = tickMin
	case cost > s.interval:
		s.interval = min(2*s.interval, tickMax)
	default:
		s.interval = max(s.interval/2, tickMin)
	}
	s.counts.rows += int64(rows)
	s.counts.emitted += emitted
	mark, holder := s.watermark()
	s.update(func(st *pipeline.Status) {
		if s.keeps() {
			s.count(st)
		}
		st.Ticks++
		st.TicksTime += took
		st.Epoch, st.TickTime, st.Holder = s.state.Progress.Epoch, took, holder
		if mark != state.None {
			st.Watermark = time.UnixMicro(mark).UTC()
		}
	})
}

// publish commits what the outbox has and the table has not.
func (s *session) publish(ctx context.Context) error {
	for s.unpublished > 0 || !s.keeps() && s.state.Progress.Epoch > s.committed {
		rowsMax := int64(commitRowsMax)
		if !s.keeps() {
			rowsMax = 1 << 62 // its offsets are those of the last tick
		}
		to, err := s.state.Outbox(ctx, s.committed, rowsMax)
		if err != nil {
			return err
		}
		if !s.keeps() {
			to = s.state.Progress.Epoch
		}
		if to == 0 {
			s.unpublished = 0
			break
		}
		if err := s.commit(ctx, to); err != nil {
			return err
		}
	}
	s.published = time.Now()
	for _, scan := range s.scans {
		scan.hold()
	}
	s.tell(false)
	return nil
}

// errCommit begins the errors of the lake, whose memory is not that of pipelines.
var errCommit = errors.New("commit")

// commit puts the epochs up to one into the table.
func (s *session) commit(ctx context.Context, to int64) error {
	change := table.Change{Owner: s.ID, Properties: map[string]string{s.epochProperty(): fmt.Sprint(to)}}
	defer func() {
		for _, b := range append(change.Rows, change.Keys...) {
			b.Release()
		}
	}()
	columns := s.table.Columns()
	err := s.state.Rows(ctx, s.committed, to, func(b arrow.RecordBatch) error {
		shaped, err := shape(b, columns, false)
		if err == nil {
			change.Rows = append(change.Rows, shaped)
		}
		return err
	}, func(b arrow.RecordBatch) error {
		shaped, err := shape(b, columns, true)
		if err == nil {
			change.Keys = append(change.Keys, shaped)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !s.keeps() {
		offsets, err := json.Marshal(s.offsets())
		if err != nil {
			return err
		}
		change.Properties[table.PropOffsets+s.ID] = string(offsets)
	}
	fault.PointOf("pipeline.publishing", s.Name)
	if _, err := s.table.Commit(ctx, change); err != nil {
		return fmt.Errorf("%w %s: %w", errCommit, s.Into, err)
	}
	fault.PointOf("pipeline.published", s.Name)
	s.committed = to
	if !s.keeps() || to < s.state.Progress.Epoch {
		err = s.state.Prune(ctx, to)
	}
	if to >= s.state.Progress.Epoch {
		s.unpublished = 0
	}
	s.update(func(st *pipeline.Status) {
		if !s.keeps() {
			s.count(st)
		}
		st.CommittedAt = s.o.Clock.Now()
	})
	return err
}
