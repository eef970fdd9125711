package proof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
)

// The orders that an Upkeep gives, by their actions. Where a scene sets no age, nothing may be kept longer
// because of it, so that there is always something to do; what must be kept all the same is Tarn's to know.
var orders = []struct{ Action, statement string }{
	{"compact", "ALTER TABLE t EXECUTE compact"},
	{"expire_snapshots", "ALTER TABLE t EXECUTE expire_snapshots(retention_threshold => 'AGE')"},
	{"remove_orphan_files", "ALTER TABLE t EXECUTE remove_orphan_files(retention_threshold => 'AGE')"},
}

// sweepEach is how many tables have their other orders from one sweep to the next.
const sweepEach = 4

// orderWithin bounds an order, which may wait for a sweep of all tables that is under way and rests a lot.
const orderWithin = 10 * time.Minute

// upkeepEvery is from the end of one order to the next one: Tarn has other work too.
const upkeepEvery = 20 * time.Millisecond

// Upkeep is somebody who orders upkeep of all tables, one after the other, without end. He makes
// sure that whatever happens to a Tarn happens in the midst of it.
type Upkeep struct {
	p      *Process
	tables []string
	age    string
	under  atomic.Pointer[string] // the action that is under way
	cancel context.CancelFunc
	done   chan struct{}

	// Read after Stop.
	Orders map[string]int   // that were carried out, by action
	Did    map[string]int64 // the sums of what they answered, by metric
	Wrong  error            // what they must not answer
}

// Upkeep begins to order upkeep of what p holds, once it is ready.
func (s *Scene) Upkeep(p *Process) *Upkeep {
	u := &Upkeep{p: p, age: cmp.Or(s.Age, "1s"), done: make(chan struct{}), Orders: map[string]int{}, Did: map[string]int64{}}
	for _, t := range s.Tables {
		u.tables = append(u.tables, "bronze."+Prefix+"_main_"+t.Name)
		if t.Keyed() {
			u.tables = append(u.tables, "silver."+t.Name)
		}
	}
	var ctx context.Context
	ctx, u.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(u.done)
		u.run(ctx)
	}()
	return u
}

// Under is the action that is under way, "" for none.
func (u *Upkeep) Under() string {
	if action := u.under.Load(); action != nil {
		return *action
	}
	return ""
}

// Stop ends the orders; one that is under way is given up.
func (u *Upkeep) Stop() {
	u.cancel()
	<-u.done
}

func (u *Upkeep) run(ctx context.Context) {
	if u.p.base == "" && u.p.Ready(ctx) != nil {
		return // killed before
	}
	for {
		for i, at := range rand.Perm(len(u.tables)) {
			table := u.tables[at]
			for n, o := range orders {
				// A sweep looks at all tables, whichever it is ordered for.
				if o.Action == "remove_orphan_files" && i%sweepEach != 0 {
					continue
				}
				u.under.Store(&orders[n].Action)
				err := u.order(ctx, o.Action, strings.NewReplacer("TABLE t", "TABLE "+table, "AGE", u.age).Replace(o.statement))
				if ctx.Err() != nil || u.p.Ended() {
					return
				}
				u.under.Store(nil)
				if err != nil {
					u.Wrong = errors.Join(u.Wrong, err)
					return
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(upkeepEvery):
			}
		}
	}
}

// order gives one order and counts what it did. That the table is not there yet, or that a Tarn on
// its way down takes no orders, is no error.
func (u *Upkeep) order(ctx context.Context, action, statement string) error {
	a, err := u.p.within(ctx, orderWithin, statement)
	if r := new(Refusal); errors.As(err, &r) && (r.Code == "not_found" || r.Code == "unavailable") {
		return nil
	}
	if err != nil {
		// The connection may break before its process is known to have ended.
		late, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		select {
		case <-u.p.Done():
			return nil
		case <-late.Done():
			return err
		}
	}
	u.Orders[action]++
	for _, row := range a.Rows {
		var n int64
		if _, err := fmt.Sscan(fmt.Sprint(row[1]), &n); err != nil {
			return fmt.Errorf("%s: %v: %w", statement, row, err)
		}
		u.Did[action+"."+fmt.Sprint(row[0])] += n
	}
	return nil
}
