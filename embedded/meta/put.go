package meta

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// entriesMax is how many entries of several Puts share one transaction.
const entriesMax = 10_000

// puts are those that wait for the disk. Whoever has the turn writes for all that wait.
type puts struct {
	turn chan struct{}

	mu      sync.Mutex
	waiting []*put
}

type put struct {
	entries []Entry
	done    chan error
}

// Put writes all entries in one synced transaction: all or none. Puts that wait while another is written share the next one.
// When ctx ends first, nothing of it is written.
func (s *Store) Put(ctx context.Context, entries ...Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &put{entries: entries, done: make(chan error, 1)}
	s.puts.mu.Lock()
	s.puts.waiting = append(s.puts.waiting, p)
	s.puts.mu.Unlock()
	select {
	case s.puts.turn <- struct{}{}:
		s.writeAll(s.puts.take())
		<-s.puts.turn
	case err := <-p.done:
		return err
	case <-ctx.Done():
		if s.puts.leave(p) {
			return ctx.Err()
		}
	}
	return <-p.done
}

// take takes those that wait, in their order.
func (p *puts) take() []*put {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.waiting
	p.waiting = nil
	return all
}

// leave takes one back; false when it is being written.
func (p *puts) leave(one *put) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, one)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	return i >= 0
}

// writeAll writes all of several Puts together. Where that fails each is tried alone, for its error may be that of one; when one
// fails alone, too, it is the store's trouble, such as another program's lock that is waited for, and all behind it get that error.
func (s *Store) writeAll(all []*put) {
	for len(all) > 0 {
		n, entries := 0, []Entry(nil)
		for n < len(all) && (n == 0 || len(entries)+len(all[n].entries) <= entriesMax) {
			entries = append(entries, all[n].entries...)
			n++
		}
		err := s.write(entries)
		alone := err != nil && n > 1
		for _, p := range all[:n] {
			if alone {
				err = s.write(p.entries)
				alone = err == nil
			}
			p.done <- err
		}
		all = all[n:]
	}
}

func (s *Store) write(entries []Entry) error {
	ctx := context.Background() // which of those that wait ends first says nothing of the others
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, e := range entries {
		if e.Value == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM kv WHERE bucket=? AND key=?", string(e.Bucket), e.Key)
		} else {
			_, err = tx.ExecContext(ctx, "INSERT INTO kv VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET value=excluded.value, sum=excluded.sum", string(e.Bucket), e.Key, e.Value, e.sum())
		}
		if err != nil {
			return fmt.Errorf("write %s/%s: %w", e.Bucket, e.Key, err)
		}
	}
	return tx.Commit()
}
