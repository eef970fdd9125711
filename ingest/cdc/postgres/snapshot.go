package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/source"
)

const (
	// rangeBlocks is how many blocks of a heap one COPY reads, at 8 KB each.
	rangeBlocks = 4096
	pageBytes   = 8192
	// chunksAhead is how many chunks of one range may wait to be appended.
	chunksAhead = 2
	// piecesAhead is how many ranges are under way, or wait to be appended, for each connection that reads: tables of a few rows
	// are read whole long before their turn.
	piecesAhead = 2
	// chunksAtOnce is how many are handed to the runner together.
	chunksAtOnce = 8
)

// piece is a range of a heap that one COPY reads.
type piece struct {
	c      *captured
	leaf   leaf
	from   string // the condition on ctid where it begins; "" for none
	to     string
	where  string // the condition on the rows that are read again; "" for all
	query  string // that is read in the place of the heap, whose leaf is then a number alone; "" for none
	last   bool   // of its table
	chunks chan chunk
}

// chunk is one append's rows.
type chunk struct {
	rows  []source.Change
	dead  []badRow
	after string // where it ends
	last  bool   // of its piece
	end   bool   // of its table
	final bool   // its last row is that of all tables
	bytes int64
	err   error
}

// snapshot reads tables as they were at a cut, by several connections. Chunks come out in
// order of tables and of places in them.
type snapshot struct {
	s      *settings
	cut    *cut
	pieces []*piece
	at     int // the piece that chunks come from
	taken  atomic.Int64
	ahead  chan struct{} // has one for each piece that was taken, until its turn is over
	cancel context.CancelFunc
	ended  sync.WaitGroup
	failed chan error // a worker that could not begin
	held   []held     // a chunk with rows that may be the last, and ends of empty tables behind it
	back   []held     // what was read, and waits until its tables are begun
}

// badRow is a row for the dead letters, at is where it stands.
type badRow struct {
	row     record.Row
	at, why string
}

// held is a chunk with its piece.
type held struct {
	chunk
	of *piece
}

func (s *settings) startSnapshot(c *cut, tables []*captured, from func(*captured) *progress) *snapshot {
	ctx, cancel := context.WithCancel(context.Background())
	sn := &snapshot{s: s, cut: c, cancel: cancel, failed: make(chan error, threadsMax)}
	for _, t := range tables {
		sn.pieces = append(sn.pieces, piecesOf(t, from(t), s.selects[t.table.full()])...)
	}
	sn.ahead = make(chan struct{}, piecesAhead*s.threads)
	for range min(s.threads, len(sn.pieces)) {
		sn.ended.Go(func() {
			if err := sn.work(ctx); err != nil {
				sn.failed <- err
			}
		})
	}
	return sn
}

func (sn *snapshot) close() {
	if sn != nil {
		sn.cancel()
		sn.ended.Wait()
		sn.cut.close()
	}
}

// queryLeaf stands in places for the heap of rows that a query gives.
const queryLeaf = 1

// piecesOf cuts a table behind a place into ranges; one at least. The rows of a query are one piece, from the beginning.
func piecesOf(t *captured, from *progress, query string) []*piece {
	after, where := from.After, from.Where
	if query != "" {
		return []*piece{{c: t, leaf: leaf{oid: queryLeaf}, query: query, where: where, last: true, chunks: make(chan chunk, chunksAhead)}}
	}
	var out []*piece
	add := func(l leaf, from, to string) {
		out = append(out, &piece{c: t, leaf: l, from: from, to: to, where: where, chunks: make(chan chunk, chunksAhead)})
	}
	doneLeaf, doneBlock, doneOffset := parseAfter(after)
	for _, l := range t.table.leaves {
		if after != "" && l.oid < doneLeaf {
			continue
		}
		blocks := uint64(l.bytes+pageBytes-1) / pageBytes //nolint:gosec // not negative
		from, begin := "", uint64(0)
		if after != "" && l.oid == doneLeaf {
			from = fmt.Sprintf("ctid > '(%d,%d)'", doneBlock, doneOffset)
			begin = uint64(doneBlock)
		}
		for b := begin; ; {
			b += rangeBlocks
			if b >= blocks {
				break
			}
			add(l, from, fmt.Sprintf("ctid < '(%d,0)'", b))
			from = fmt.Sprintf("ctid >= '(%d,0)'", b)
		}
		add(l, from, "")
	}
	if len(out) == 0 { // a root without partitions
		add(leaf{}, "", "")
	}
	out[len(out)-1].last = true
	return out
}

// work reads pieces until there are none left.
func (sn *snapshot) work(ctx context.Context) error {
	c, err := sn.s.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(c)
	if _, err := query(ctx, c, snapshotSQL+literal(sn.cut.snapshot)); err != nil {
		return sn.s.fault(err, "begin to read a snapshot of")
	}
	for {
		select {
		case sn.ahead <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		n := int(sn.taken.Add(1)) - 1
		if n >= len(sn.pieces) {
			return nil
		}
		p := sn.pieces[n]
		err := p.read(ctx, c, sn.s)
		if err == nil {
			close(p.chunks)
			continue
		}
		if code := codeOf(err); p.where != "" && p.where != allRows && code != "" && !ofServer(code) {
			err = &badWhere{p.c, err}
		} else if ofTable(err) || p.query != "" && strings.HasPrefix(codeOf(err), "42") {
			err = source.Quarantine(p.c.table.full(), err)
		}
		select {
		case p.chunks <- chunk{err: err}:
		case <-ctx.Done():
		}
		return nil
	}
}

// done goes on with the next piece.
func (sn *snapshot) done() {
	sn.at++
	<-sn.ahead
}

// ofTable tells whether an error is one table's own, which no other has: a right that is
// missing, rows that the server itself cannot read, or that are larger than what it can send.
func ofTable(err error) bool {
	code := codeOf(err)
	return code == codeDenied || code == "XX001" || strings.HasPrefix(code, "22") || strings.HasPrefix(code, "54")
}

// ofServer tells whether an error says nothing of what was asked for, but of the server, of the connection, or of others who are at
// work (PostgreSQL documentation, appendix A).
func ofServer(code string) bool {
	return code == codeLocked || slices.ContainsFunc([]string{"08", "40", "53", "57P", "58", "XX"}, func(class string) bool { return strings.HasPrefix(code, class) })
}

// read copies the piece into chunks.
func (p *piece) read(ctx context.Context, c *pgconn.PgConn, s *settings) error {
	hand := func(ch chunk) error {
		select {
		case p.chunks <- ch:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if p.leaf.oid == 0 {
		return hand(chunk{last: true})
	}
	if p.query == "" {
		if err := p.lock(ctx, c); err != nil {
			return s.fault(err, "lock table "+p.c.table.full()+" of")
		}
	}
	schema := p.c.schema
	frame := envelope.Source{Name: s.prefix, Database: s.database, Table: p.c.table.name, Version: versionRoom}
	var now chunk
	var bad error // of a row, for which reading ends
	size, number := 0, uint32(0)
	var lastBlock uint32 // where the chunk in hand ends
	var lastOffset uint16
	in := &copied{codecs: p.c.codecs, each: func(block uint32, offset uint16, row record.Row) error {
		p.c.edit(row)
		if number++; p.query != "" {
			block, offset = number, 0
		}
		more := envelope.SizeMax(schema, &frame, nil, row) + sourceRoom
		if size += more; size > source.ChunkBytesMax && len(now.rows)+len(now.dead) > 0 {
			full := now
			full.after = afterRow(p.leaf.oid, lastBlock, lastOffset)
			now, size = chunk{rows: make([]source.Change, 0, len(full.rows))}, more
			if err := hand(full); err != nil {
				return err
			}
		}
		change := source.Change{Op: source.Read, After: row}
		if why, large := s.unfit(p.c, &change, more); why == "" {
			now.rows = append(now.rows, change)
		} else if bad = s.stops(p.c, why, large); bad != nil {
			return bad
		} else {
			now.dead = append(now.dead, badRow{row, afterRow(p.leaf.oid, block, offset), why})
		}
		lastBlock, lastOffset = block, offset
		now.bytes += int64(more)
		return nil
	}}
	if _, err := c.CopyTo(ctx, in, p.copySQL()); bad != nil {
		return bad
	} else if err != nil {
		return s.fault(err, "read table "+p.c.table.full()+" of")
	}
	if !in.done {
		return fmt.Errorf("read table %s: %w", p.c.table.full(), errCopy)
	}
	if now.last = true; len(now.rows)+len(now.dead) > 0 {
		now.after = afterRow(p.leaf.oid, lastBlock, lastOffset)
	}
	return hand(now)
}

// versionRoom stands for Tarn's version, sourceRoom for what an event says of the server's
// log, when sizes are bounded.
const (
	versionRoom = "0000000000000000"
	sourceRoom  = 128
)

func (p *piece) copySQL() string {
	if p.query != "" {
		text := "SELECT " + strings.Join(append([]string{"'(0,0)'::tid"}, p.c.selected()...), ", ") + " FROM (" + p.query + ") AS t"
		return "COPY (" + text + conditions(condition(p.where)) + ") TO STDOUT (FORMAT binary)"
	}
	cols := append([]string{"ctid"}, p.c.selected()...)
	text := "SELECT " + strings.Join(cols, ", ") + " FROM ONLY " + p.leaf.name
	return "COPY (" + text + conditions(p.from, p.to, condition(p.where)) + ") TO STDOUT (FORMAT binary)"
}

// conditions are a WHERE of those that are not "".
func conditions(texts ...string) string {
	if texts = slices.DeleteFunc(texts, func(t string) bool { return t == "" }); len(texts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(texts, " AND ")
}

// condition is somebody's own condition in brackets, whose comments end with it; "" for none.
func condition(where string) string {
	if where == "" {
		return ""
	}
	return "(\n" + where + "\n)"
}

// badWhere is the error of a condition that a signal came with, of which the table itself is not to suffer.
type badWhere struct {
	c   *captured
	err error
}

func (b *badWhere) Error() string { return b.err.Error() }
func (b *badWhere) Unwrap() error { return b.err }

// lock keeps the heap as it is, and makes sure that it is the one that was there at the cut:
// rows that ALTER TABLE or TRUNCATE wrote anew since are not in the snapshot.
func (p *piece) lock(ctx context.Context, c *pgconn.PgConn) error {
	if _, err := query(ctx, c, "LOCK TABLE ONLY "+p.leaf.name+" IN ACCESS SHARE MODE"); err != nil {
		return err
	}
	rows, err := query(ctx, c, fmt.Sprintf("SELECT pg_relation_filenode(%d)", p.leaf.oid))
	if err != nil {
		return err
	}
	if rows[0][0] != p.leaf.node {
		return fault.Newf(fault.Conflict, "nothing: the snapshot is cut again", "table %s was written anew while its snapshot began", p.leaf.name)
	}
	return nil
}

// read returns the next chunks, and of which piece each is; none at the end. It waits for the first alone. The last chunk with rows
// is held back until it is known whether more come, for its last row says that it is the last of all.
func (sn *snapshot) read(ctx context.Context) (chunks []chunk, of []*piece, err error) {
	hand := func(list ...held) {
		for _, h := range list {
			chunks, of = append(chunks, h.chunk), append(of, h.of)
		}
	}
	if hand(sn.back...); len(chunks) > 0 {
		sn.back = nil
		return chunks, of, nil
	}
	for sn.at < len(sn.pieces) && len(chunks) < chunksAtOnce {
		p := sn.pieces[sn.at]
		ch, ok, err := sn.receive(ctx, p, len(chunks) == 0)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			return chunks, of, nil
		}
		if ch.last {
			sn.done()
		}
		ch.end = ch.last && p.last
		switch {
		case len(ch.rows)+len(ch.dead) > 0:
			hand(sn.held...)
			sn.held = []held{{ch, p}}
		case !ch.end:
		case len(sn.held) == 0:
			hand(held{ch, p})
		case sn.held[0].of.c == p.c:
			sn.held[0].end = true
		default:
			sn.held = append(sn.held, held{ch, p})
		}
	}
	if sn.at == len(sn.pieces) && len(sn.held) > 0 {
		sn.held[0].final = true
		hand(sn.held...)
		sn.held = nil
	}
	return chunks, of, nil
}

// receive takes a piece's next chunk; ok is false where there is none yet and it is not waited for. A piece that has ended gives
// an empty one that is its last.
func (sn *snapshot) receive(ctx context.Context, p *piece, wait bool) (ch chunk, ok bool, err error) {
	var more bool
	if wait {
		select {
		case ch, more = <-p.chunks:
		case err := <-sn.failed:
			return ch, false, err
		case <-ctx.Done():
			return ch, false, ctx.Err()
		}
	} else {
		select {
		case ch, more = <-p.chunks:
		default:
			return ch, false, nil
		}
	}
	if !more {
		return chunk{last: true}, true, nil
	}
	return ch, ch.err == nil, ch.err
}
