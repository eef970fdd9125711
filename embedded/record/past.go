package record

// Past tells which records a mirror's rows come from, so that they can be made again of those
// that bronze keeps when the log has them no more.
type Past struct {
	// Whole is since when records make the mirror of an empty table; nil where nobody knows.
	Whole *Since `json:"whole,omitempty"`
	// Begun is a snapshot of the source that has not ended. With its end it becomes Whole.
	Begun *Since `json:"begun,omitempty"`
	// Again is there while the mirror is made again: it lacks what is yet to be read.
	Again *Again `json:"again,omitempty"`
}

// Since is where records begin to count, and how many have come up to the reader's next
// offset: all that bronze has of them, marks and what bronze refused left out.
type Since struct {
	Generation int64 `json:"generation,omitempty"` // of the snapshot that began there
	Offset     int64 `json:"offset"`
	Records    int64 `json:"records"`
}

// Again is how far a mirror has been made again. It ends at the reader's next offset, and
// with as many records as Whole has.
type Again struct {
	Table   string `json:"table"` // the bronze table that is read: bronze.port_main_calls
	Next    int64  `json:"next"`
	Records int64  `json:"records"`
}

// Add counts a record.
func (p *Past) Add() {
	for _, s := range []*Since{p.Whole, p.Begun} {
		if s != nil {
			s.Records++
		}
	}
}

// Begin notes a snapshot's begin at an offset. One that is told again, or is older than the
// one in hand, changes nothing.
func (p *Past) Begin(generation, offset int64) {
	if !p.ended(generation) && (p.Begun == nil || p.Begun.Generation < generation) {
		p.Begun = &Since{Generation: generation, Offset: offset}
	}
}

// ended tells whether this snapshot or a later one has ended already.
func (p *Past) ended(generation int64) bool {
	return p.Whole != nil && p.Whole.Generation >= generation
}

// End notes that a snapshot has ended, and has taken out what was there before it. One that is
// told again changes nothing.
func (p *Past) End(generation int64) {
	if p.ended(generation) {
		return
	}
	if p.Begun == nil || p.Begun.Generation != generation {
		p.Whole = nil // its begin was not seen
		return
	}
	p.Whole, p.Begun = p.Begun, nil
}

// Empty tells whether nothing is known.
func (p *Past) Empty() bool { return p == nil || *p == Past{} }

// Restart returns offsets as they are of a mirror that has been emptied to be made again of a
// bronze table; false where its past is not known.
func (o PartitionOffsets) Restart(table string) (PartitionOffsets, bool) {
	if o.Past.Empty() || o.Past.Whole == nil {
		return o, false
	}
	past := *o.Past
	past.Again = &Again{Table: table, Next: past.Whole.Offset}
	o.Past = &past
	return o, true
}
