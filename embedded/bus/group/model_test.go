package group_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tarn/embedded/bus/group"
)

// walk is a random life of a group against what must hold of it: of each generation one leader, everybody's
// assignment the one that leader gave, only members of the generation commit, and what was committed is there.
type walk struct {
	*house
	rt         *rapid.T
	clients    []*client
	leaders    map[int32]string // generation -> who assigned
	generation int32            // the highest that was seen
	assigned   int32            // the highest of which somebody has an assignment
	acked      map[string]int64 // topic -> offset; what must be read
	pending    map[int64]map[string]int64
	value      int64
}

// client is a member as a program has it: what it believes may be long over.
type client struct {
	n        int
	instance string
	id       string
	now      group.Joined
	joining  *call[group.Joined]
	syncing  *call[group.Synced]
	settled  bool // it has its assignment
}

func TestAGroupAgainstItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failed any // is carried out of the bubble, which is no place to fail in
		synctest.Test(t, func(t *testing.T) {
			defer func() { failed = recover() }()
			live(t, rt)
		})
		if failed != nil {
			if fmt.Sprintf("%T", failed) == "rapid.invalidData" {
				panic(failed) // on a line of its own, for rapid tells failures apart by their lines
			}
			panic(failed)
		}
	})
}

// live is one life.
func live(t *testing.T, rt *rapid.T) {
	o := group.Options{InitialDelay: rapid.SampledFrom([]time.Duration{0, 3 * time.Second}).Draw(rt, "delay")}
	w := &walk{house: open(t, o), rt: rt, leaders: map[int32]string{}, acked: map[string]int64{}, pending: map[int64]map[string]int64{}}
	for n := range 4 {
		c := &client{n: n}
		if n%2 == 1 {
			c.instance = fmt.Sprint("i", n)
		}
		w.clients = append(w.clients, c)
	}
	rt.Repeat(map[string]func(*rapid.T){
		"join": w.join, "sync": w.sync, "beat": w.beat, "leave": w.leave, "commit": w.commit, "simple": w.simple,
		"pend": w.pend, "finish": w.finish, "pass": w.pass, "restart": w.again, "lose": w.lose, "good": w.good, "better": w.good, "": w.check,
	})
	w.revive()
	_ = w.Close(context.Background())
	settle()
	for _, c := range w.clients {
		if w.harvest(c); c.joining != nil || c.syncing != nil {
			rt.Fatalf("client %d is left hanging", c.n)
		}
	}
}

func (w *walk) any(rt *rapid.T) *client { return rapid.SampledFrom(w.clients).Draw(rt, "client") }

// harvest takes what was answered.
func (w *walk) harvest(c *client) {
	if c.joining != nil && c.joining.done.Load() {
		w.joinedBy(c, c.joining.out, c.joining.err)
		c.joining = nil
	}
	if c.syncing != nil && c.syncing.done.Load() {
		if got, err := c.syncing.out, c.syncing.err; err == nil {
			if want := fmt.Sprintf("%d/%d", c.now.Generation, c.n); string(got.Assignment) != want {
				w.rt.Fatalf("client %d is assigned %q, want %q", c.n, got.Assignment, want)
			}
			c.settled, w.assigned = true, max(w.assigned, c.now.Generation)
		} else if errors.Is(err, group.ErrUnknownMember) || errors.Is(err, group.ErrFenced) {
			c.id = ""
		}
		c.syncing = nil
	}
}

func (w *walk) joinedBy(c *client, j group.Joined, err error) {
	c.settled = false
	switch {
	case errors.Is(err, group.ErrMemberIDRequired):
		c.id = j.Member
	case errors.Is(err, group.ErrUnknownMember), errors.Is(err, group.ErrFenced):
		c.id = ""
	case err == nil:
		c.id, c.now = j.Member, j
		if j.Generation < w.generation {
			w.rt.Fatalf("generation %d after %d", j.Generation, w.generation)
		}
		w.generation = j.Generation
		if j.Leader == j.Member && !j.Skip {
			if was, ok := w.leaders[j.Generation]; ok && was != j.Member {
				w.rt.Fatalf("generation %d is led by %s and %s", j.Generation, was, j.Member)
			}
			w.leaders[j.Generation] = j.Member
			if len(j.Members) == 0 {
				w.rt.Fatal("a leader without members")
			}
		}
	case !errors.Is(err, group.ErrRebalance) && !errors.Is(err, group.ErrUnavailable) && !errors.Is(err, context.Canceled):
		w.rt.Fatalf("join: %v", err)
	}
}

func (w *walk) request(c *client) {
	r := joining(c.id, "range", fmt.Sprint("own", c.n))
	r.Instance = c.instance
	c.settled = false
	c.joining = w.house.join(r)
}

func (w *walk) join(rt *rapid.T) {
	c := w.any(rt)
	if c.joining == nil && c.syncing == nil {
		w.request(c)
	}
}

func (w *walk) sync(rt *rapid.T) {
	if c := w.any(rt); c.joining == nil && c.syncing == nil && c.now.Generation > 0 && c.now.Member == c.id {
		w.assign(c)
	}
}

// assign asks for an assignment; who leads says who gets which. Its members are known by the clients' ids
// at that time.
func (w *walk) assign(c *client) {
	var assignment []string
	for _, m := range c.now.Members {
		for _, other := range w.clients {
			if other.instance != "" && other.instance == m.Instance || m.Instance == "" && other.id == m.ID {
				assignment = append(assignment, m.ID, fmt.Sprintf("%d/%d", c.now.Generation, other.n))
			}
		}
	}
	c.syncing = w.house.sync(c.now, assignment...)
}

func (w *walk) beat(rt *rapid.T) { w.beatOf(w.any(rt)) }

func (w *walk) beatOf(c *client) {
	if err := w.house.beat(c.now); errors.Is(err, group.ErrUnknownMember) && c.id == c.now.Member && c.joining == nil {
		c.id = ""
	}
}

func (w *walk) leave(rt *rapid.T) {
	c := w.any(rt)
	who := group.Leaving{Member: c.id, Instance: c.instance}
	if c.instance != "" && rapid.Bool().Draw(rt, "by an administrator") {
		who.Member = ""
	}
	if _, err := w.Leave("g", []group.Leaving{who}); err != nil {
		rt.Fatal(err)
	}
}

// commit is one of a client that may be fenced; whether it had to be is known from what the group is.
func (w *walk) commit(rt *rapid.T) {
	c := w.any(rt)
	w.value++
	err := w.house.commit(of(c.now), "t", w.value)
	d, absent := w.Describe("g")
	in := absent == nil && slices.ContainsFunc(d.Members, func(m group.Member) bool { return m.ID == c.now.Member })
	switch {
	case err == nil && (!in || d.Generation != c.now.Generation || d.State == group.Awaiting):
		rt.Fatalf("a commit of %+v got into %+v", c.now, d)
	case err == nil:
		w.acked["t"] = w.value
	case in && d.Generation == c.now.Generation && d.State != group.Awaiting:
		rt.Fatalf("a commit of %+v is refused by %+v: %v", c.now, d, err)
	}
}

func (w *walk) simple(rt *rapid.T) {
	w.value++
	err := w.house.simple("s", w.value)
	if d, absent := w.Describe("g"); absent == nil && (err == nil) != (d.State == group.Empty) {
		rt.Fatalf("%v of a group that is %s", err, d.State)
	}
	if err == nil {
		w.acked["s"] = w.value
	}
}

func (w *walk) pend(rt *rapid.T) {
	w.value++
	producer, topic := int64(rapid.IntRange(1, 2).Draw(rt, "producer")), rapid.SampledFrom([]string{"s", "t"}).Draw(rt, "topic")
	_, err := w.CommitPending(context.Background(), producer, group.Commit{Beat: group.Beat{Group: "g", Generation: -1}, Offsets: []group.Offset{{Partition: group.Partition{Topic: topic}, At: w.value}}})
	if err != nil {
		rt.Fatal(err)
	}
	if w.pending[producer] == nil {
		w.pending[producer] = map[string]int64{}
	}
	w.pending[producer][topic] = w.value
}

// finish ends a transaction: values grow with each commit, so the larger is the later.
func (w *walk) finish(rt *rapid.T) {
	producer, commit := int64(rapid.IntRange(1, 2).Draw(rt, "producer")), rapid.Bool().Draw(rt, "commit")
	if err := w.Finish(context.Background(), producer, commit); err != nil {
		rt.Fatal(err)
	}
	for topic, value := range w.pending[producer] {
		if commit {
			w.acked[topic] = max(w.acked[topic], value)
		}
	}
	delete(w.pending, producer)
}

func (w *walk) pass(rt *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 70).Draw(rt, "seconds")) * time.Second)
}

// lose is a connection that ends under way: the client starts again without what it knew.
func (w *walk) lose(rt *rapid.T) {
	c := w.any(rt)
	*c = client{n: c.n, instance: c.instance}
}

// again is a restart. A generation that was not assigned is forgotten; another one may have its number, but no
// member of it is known.
func (w *walk) again(rt *rapid.T) {
	w.restart()
	d, err := w.Describe("g")
	if err == nil && d.Generation < w.assigned {
		rt.Fatalf("%+v after generation %d", d, w.assigned)
	}
	w.forget(d.Generation)
}

// forget is told that generations above one may be numbered anew.
func (w *walk) forget(above int32) {
	w.generation, w.assigned = above, min(w.assigned, above)
	maps.DeleteFunc(w.leaders, func(n int32, _ string) bool { return n > above })
}

func (w *walk) check(rt *rapid.T) {
	settle()
	for _, c := range w.clients {
		w.harvest(c)
	}
	if _, err := w.Describe("g"); err != nil {
		w.forget(0) // it had nothing for long
	}
	for _, topic := range []string{"s", "t"} {
		got, err := w.Fetch("g", []group.Partition{{Topic: topic}}, true)
		if err != nil {
			rt.Fatal(err)
		}
		open := false
		for _, offsets := range w.pending {
			_, has := offsets[topic]
			open = open || has
		}
		if open != errors.Is(got[0].Err, group.ErrUnstable) {
			rt.Fatalf("%s: pending %v, answered %v", topic, open, got[0].Err)
		}
		want, ok := w.acked[topic]
		if !ok {
			want = -1
		}
		if got := w.offset(topic); got != want {
			rt.Fatalf("%s is at %d, want %d", topic, got, want)
		}
	}
	if got := w.Pending(); !slices.Equal(got, slices.Sorted(maps.Keys(w.pending))) {
		rt.Fatalf("pending %v, want %v", got, w.pending)
	}
}

// round lets every client do what a good one does next, and tells whether all have their assignments.
func (w *walk) round(rt *rapid.T) bool {
	settled := true
	for _, c := range w.clients {
		switch {
		case c.joining != nil || c.syncing != nil:
		case c.settled:
			if err := w.house.beat(c.now); err != nil {
				w.beatOf(c)
				w.request(c)
			}
		case c.id != "" && c.now.Member == c.id && w.house.beat(c.now) == nil:
			w.assign(c)
		default:
			w.request(c)
		}
		settled = settled && c.settled
	}
	w.check(rt)
	return settled
}

func (w *walk) good(rt *rapid.T) { w.round(rt) }

// revive ends a walk: soon all clients, being good, have their assignments.
func (w *walk) revive() {
	for range 200 {
		settled := w.round(w.rt)
		if d, err := w.Describe("g"); err == nil && settled && d.State == group.Stable && len(d.Members) == len(w.clients) {
			return
		}
		time.Sleep(3 * time.Second)
	}
	d, _ := w.Describe("g")
	w.rt.Fatalf("the group does not get stable: %+v", d)
}
