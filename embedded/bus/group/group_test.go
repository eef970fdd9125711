package group_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus/group"
	"tarn/embedded/meta"
)

// house is a coordinator over a meta.db that may be opened again. Its time is the bubble's.
type house struct {
	t      *testing.T
	o      group.Options
	path   string
	topics map[string]string // name -> id; nil: all are there
	change chan struct{}
	*group.Coordinator
}

func open(t *testing.T, o group.Options) *house {
	h := &house{t: t, o: o, path: filepath.Join(t.TempDir(), "meta.db"), change: make(chan struct{})}
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *house) open() {
	h.t.Helper()
	var err error
	if h.o.Meta, err = meta.Open(context.Background(), h.path); err != nil {
		h.t.Fatal(err)
	}
	if h.topics != nil {
		h.o.Topic = func(name string) (string, int32, bool) {
			id, ok := h.topics[name]
			return id, 8, ok
		}
		h.o.TopicsChanged = func() <-chan struct{} { return h.change }
	}
	if h.Coordinator, err = group.Open(context.Background(), h.o); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) close() {
	if err := errors.Join(h.Close(context.Background()), h.o.Meta.Close()); err != nil {
		h.t.Error(err)
	}
}

func (h *house) restart() {
	h.t.Helper()
	h.close()
	h.open()
}

// call is a request under way.
type call[T any] struct {
	done atomic.Bool // behind the rest
	out  T
	err  error
}

// start makes a request; look at it after settle.
func start[T any](f func() (T, error)) *call[T] {
	c := &call[T]{}
	go func() {
		c.out, c.err = f()
		c.done.Store(true)
	}()
	return c
}

// settle waits until nothing goes on any more but waiting for time or for others.
func settle() { synctest.Wait() }

func (c *call[T]) answered(t testing.TB, want error) T {
	t.Helper()
	settle()
	if !c.done.Load() {
		t.Fatal("no answer")
	}
	if !errors.Is(c.err, want) {
		t.Fatalf("answered %v, want %v", c.err, want)
	}
	return c.out
}

func (c *call[T]) waits(t testing.TB) {
	t.Helper()
	settle()
	if c.done.Load() {
		t.Fatalf("answered %+v, %v", c.out, c.err)
	}
}

const (
	session   = 10 * time.Second
	rebalance = 60 * time.Second
)

// joining is a member's request with some protocols, by their names.
func joining(id string, protocols ...string) group.Joining {
	r := group.Joining{
		Group: "g", Member: id, ClientID: "c", ClientHost: "/127.0.0.1", Session: session, Rebalance: rebalance,
		ProtocolType: "consumer", NeedsID: true, Skips: true,
	}
	if len(protocols) == 0 {
		protocols = []string{"range"}
	}
	for _, p := range protocols {
		r.Protocols = append(r.Protocols, group.Protocol{Name: p, Metadata: []byte("metadata of " + p)})
	}
	return r
}

func static(id, instance string, protocols ...string) group.Joining {
	r := joining(id, protocols...)
	r.Instance = instance
	return r
}

func (h *house) join(r group.Joining) *call[group.Joined] {
	return start(func() (group.Joined, error) { return h.Join(context.Background(), r) })
}

func (h *house) sync(j group.Joined, assignment ...string) *call[group.Synced] {
	r := group.Syncing{Group: "g", Member: j.Member, Generation: j.Generation, Assignment: map[string][]byte{}}
	for i := 0; i < len(assignment); i += 2 {
		r.Assignment[assignment[i]] = []byte(assignment[i+1])
	}
	return start(func() (group.Synced, error) { return h.Sync(context.Background(), r) })
}

func (h *house) beat(j group.Joined) error {
	return h.Heartbeat(group.Beat{Group: "g", Member: j.Member, Generation: j.Generation})
}

func (h *house) state() group.State {
	h.t.Helper()
	d, err := h.Describe("g")
	if err != nil {
		h.t.Fatal(err)
	}
	return d.State
}

// id gets a member id, as a dynamic member does.
func (h *house) id() string {
	h.t.Helper()
	return h.join(joining("")).answered(h.t, group.ErrMemberIDRequired).Member
}

// pair makes a stable group of two dynamic members, the leader first.
func (h *house) pair() (leader, follower group.Joined) {
	h.t.Helper()
	a, b := h.id(), h.id()
	first := h.join(joining(a)).answered(h.t, nil)
	second := h.join(joining(b))
	second.waits(h.t)
	if err := h.beat(first); !errors.Is(err, group.ErrRebalance) {
		h.t.Fatal(err)
	}
	leader = h.join(joining(a)).answered(h.t, nil)
	follower = second.answered(h.t, nil)
	waits := h.sync(follower)
	waits.waits(h.t)
	if got := h.sync(leader, a, "A", b, "B").answered(h.t, nil); string(got.Assignment) != "A" {
		h.t.Fatalf("leader has %q", got.Assignment)
	}
	if got := waits.answered(h.t, nil); string(got.Assignment) != "B" {
		h.t.Fatalf("follower has %q", got.Assignment)
	}
	return leader, follower
}

func (h *house) commit(b group.Beat, topic string, offset int64) error {
	b.Group = "g"
	errs, err := h.Commit(context.Background(), group.Commit{Beat: b, Offsets: []group.Offset{{Partition: group.Partition{Topic: topic}, At: offset, LeaderEpoch: -1}}})
	return errors.Join(append(errs, err)...)
}

// simple is a commit of somebody who is in no group.
func (h *house) simple(topic string, offset int64) error {
	return h.commit(group.Beat{Generation: -1}, topic, offset)
}

func of(j group.Joined) group.Beat { return group.Beat{Member: j.Member, Generation: j.Generation} }

func (h *house) offset(topic string) int64 {
	h.t.Helper()
	got, err := h.Fetch("g", []group.Partition{{Topic: topic}}, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return got[0].Offset
}

// in runs a test in a bubble.
func in(t *testing.T, o group.Options, f func(t *testing.T, h *house)) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, o)
		f(t, h)
	})
}

func TestMembersShareTheWork(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, follower := h.pair()
		if leader.Leader != leader.Member || follower.Leader != leader.Member || len(leader.Members) != 2 || len(follower.Members) != 0 ||
			leader.Protocol != "range" || leader.ProtocolType != "consumer" || leader.Generation != 2 || string(leader.Members[1].Metadata) != "metadata of range" {
			t.Fatalf("%+v %+v", leader, follower)
		}
		if h.state() != group.Stable {
			t.Fatal(h.state())
		}
		d, err := h.Describe("g")
		if err != nil || len(d.Members) != 2 || string(d.Members[1].Assignment) != "B" || d.Members[0].ClientID != "c" {
			t.Fatalf("%+v %v", d, err)
		}
		if list := h.List(); len(list) != 1 || list[0] != (group.Summary{Group: "g", ProtocolType: "consumer", State: group.Stable}) {
			t.Fatalf("%+v", list)
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, _ := h.pair()
		none := joining("")
		none.Group = ""
		short, long, alien, empty := joining(""), joining(""), joining(""), joining("")
		short.Session, long.Session, alien.ProtocolType, empty.Protocols = 5*time.Second, time.Hour, "connect", nil
		for name, c := range map[string]struct {
			r    group.Joining
			want error
		}{
			"no group":           {none, group.ErrInvalidGroup},
			"session too short":  {short, group.ErrInvalidSession},
			"session too long":   {long, group.ErrInvalidSession},
			"another type":       {alien, group.ErrProtocol},
			"no protocol":        {empty, group.ErrProtocol},
			"unknown protocol":   {joining("", "sticky"), group.ErrProtocol},
			"unknown member":     {joining("c-nobody"), group.ErrUnknownMember},
			"unknown instance":   {static(leader.Member, "i"), group.ErrUnknownMember},
			"a member id is due": {joining(""), group.ErrMemberIDRequired},
		} {
			t.Log(name)
			h.join(c.r).answered(t, c.want)
		}
		other := leader
		other.Generation--
		h.sync(other).answered(t, group.ErrGeneration)
		if err := h.beat(other); !errors.Is(err, group.ErrGeneration) {
			t.Fatal(err)
		}
		other.Member = "nobody"
		h.sync(other).answered(t, group.ErrUnknownMember)
		if err := h.beat(other); !errors.Is(err, group.ErrUnknownMember) {
			t.Fatal(err)
		}
		_, err := h.Sync(t.Context(), group.Syncing{Group: "g", Member: leader.Member, Generation: leader.Generation, Protocol: "sticky"})
		if !errors.Is(err, group.ErrProtocol) {
			t.Fatal(err)
		}
		if _, err := h.Sync(t.Context(), group.Syncing{Group: "other", Member: leader.Member}); !errors.Is(err, group.ErrUnknownMember) {
			t.Fatal(err)
		}
		if err := h.Delete(t.Context(), "g"); !errors.Is(err, group.ErrNotEmpty) {
			t.Fatal(err)
		}
		if err := h.Delete(t.Context(), "other"); !errors.Is(err, group.ErrNotFound) {
			t.Fatal(err)
		}
		if h.state() != group.Stable {
			t.Fatal(h.state())
		}
	})
}

func TestTheProtocolThatMostLikeIsTaken(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		a, b, c := h.id(), h.id(), h.id()
		h.join(joining(a, "x", "y", "z")).answered(t, nil)
		second, third := h.join(joining(b, "y", "x")), h.join(joining(c, "y", "x"))
		settle()
		if got := h.join(joining(a, "x", "y", "z")).answered(t, nil); got.Protocol != "y" {
			t.Fatalf("%+v", got)
		}
		second.answered(t, nil)
		third.answered(t, nil)
	})
}

func TestWhoJoinsAgain(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, follower := h.pair()
		// A follower that changes nothing hears what stands; with other metadata, or the leader, all join again.
		if got := h.join(joining(follower.Member)).answered(t, nil); got.Generation != follower.Generation || got.Leader != leader.Member {
			t.Fatalf("%+v", got)
		}
		first := h.join(joining(leader.Member))
		first.waits(t)
		if err := h.beat(follower); !errors.Is(err, group.ErrRebalance) {
			t.Fatal(err)
		}
		second := h.join(joining(follower.Member, "range", "sticky")).answered(t, nil)
		if got := first.answered(t, nil); got.Generation != 3 || second.Generation != 3 {
			t.Fatalf("%+v %+v", got, second)
		}
		// While the assignment is awaited: the same again for who lost the answer, a rebalance for other metadata.
		if got := h.join(joining(leader.Member)).answered(t, nil); got.Generation != 3 || len(got.Members) != 2 {
			t.Fatalf("%+v", got)
		}
		waits := h.sync(group.Joined{Member: leader.Member, Generation: 3}) // becomes stable with empty assignments
		if got := waits.answered(t, nil); got.Assignment != nil {
			t.Fatalf("%+v", got)
		}
		third := h.join(joining(follower.Member, "range"))
		third.waits(t)
		h.sync(group.Joined{Member: leader.Member, Generation: 3}).answered(t, group.ErrRebalance)
	})
}

func TestAFailedMemberIsReplacedByTheOthers(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, follower := h.pair()
		for range 3 {
			time.Sleep(session / 2)
			if err := h.beat(follower); err != nil && !errors.Is(err, group.ErrRebalance) {
				t.Fatal(err)
			}
		}
		got := h.join(joining(follower.Member)).answered(t, nil)
		if got.Leader != follower.Member || len(got.Members) != 1 || got.Generation != 3 {
			t.Fatalf("%+v", got)
		}
		if err := h.commit(of(leader), "t", 1); !errors.Is(err, group.ErrUnknownMember) {
			t.Fatal(err)
		}
		h.join(joining(leader.Member)).answered(t, group.ErrUnknownMember)
		time.Sleep(session + time.Second)
		settle()
		if h.state() != group.Empty {
			t.Fatal(h.state())
		}
	})
}

func TestWhoDoesNotJoinInTimeIsOut(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, follower := h.pair()
		waits := h.join(joining(leader.Member))
		for range int(rebalance/session) * 2 {
			waits.waits(t)
			time.Sleep(session / 2)
			_ = h.beat(follower) // it lives, and does not join
		}
		if got := waits.answered(t, nil); len(got.Members) != 1 {
			t.Fatalf("%+v", got)
		}
		if err := h.beat(follower); !errors.Is(err, group.ErrUnknownMember) {
			t.Fatal(err)
		}
	})
}

func TestWhoDoesNotAskForItsAssignmentIsOut(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, follower := h.pair()
		first := h.join(joining(leader.Member))
		first.waits(t)
		second := h.join(joining(follower.Member)).answered(t, nil)
		now := first.answered(t, nil)
		waits := h.sync(second) // the leader lives, and assigns nothing
		for range int(rebalance/session) * 2 {
			waits.waits(t)
			if err := h.beat(now); err != nil {
				t.Fatal(err)
			}
			time.Sleep(session / 2)
		}
		waits.answered(t, group.ErrRebalance)
		if got := h.join(joining(follower.Member)).answered(t, nil); got.Leader != follower.Member {
			t.Fatalf("%+v", got)
		}
		if err := h.beat(now); !errors.Is(err, group.ErrUnknownMember) {
			t.Fatal(err)
		}
	})
}

func TestMemberIDsThatAreNotUsedHoldUpNobodyForLong(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, follower := h.pair()
		h.id()
		first, second := h.join(joining(leader.Member)), h.join(joining(follower.Member, "range", "y"))
		first.waits(t)
		time.Sleep(session + time.Second)
		first.answered(t, nil)
		second.answered(t, nil)
		// One that is given back holds up nobody.
		id := h.id()
		if errs, err := h.Leave("g", []group.Leaving{{Member: id}}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
	})
}

func TestLeaving(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, follower := h.pair()
		// In mid-rebalance: it waits for one that then leaves.
		waits := h.join(joining(leader.Member))
		waits.waits(t)
		errs, err := h.Leave("g", []group.Leaving{{Member: follower.Member}, {Member: "nobody"}, {Instance: "i"}})
		if err != nil || errs[0] != nil || !errors.Is(errs[1], group.ErrUnknownMember) || !errors.Is(errs[2], group.ErrUnknownMember) {
			t.Fatal(errs, err)
		}
		now := waits.answered(t, nil)
		if len(now.Members) != 1 {
			t.Fatalf("%+v", now)
		}
		// One that waits for its assignment leaves.
		if _, err := h.Leave("g", []group.Leaving{{Member: now.Member}}); err != nil || h.state() != group.Empty {
			t.Fatal(err, h.state())
		}
		h.sync(now).answered(t, group.ErrUnknownMember)
		if errs, err := h.Leave("other", []group.Leaving{{Member: "x"}}); err != nil || !errors.Is(errs[0], group.ErrUnknownMember) {
			t.Fatal(errs, err)
		}
		if _, err := h.Leave("", nil); !errors.Is(err, group.ErrInvalidGroup) {
			t.Fatal(err)
		}
	})
}

func TestAStaticMemberComesBackToItsAssignment(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		a := h.join(static("", "one")).answered(t, nil)
		second := h.join(static("", "two"))
		second.waits(t)
		a = h.join(static(a.Member, "one")).answered(t, nil)
		b := second.answered(t, nil)
		waits := h.sync(b)
		h.sync(a, a.Member, "A", b.Member, "B").answered(t, nil)
		waits.answered(t, nil)

		back := h.join(static("", "two")).answered(t, nil)
		if back.Member == b.Member || back.Generation != b.Generation || back.Leader != a.Member || back.Skip {
			t.Fatalf("%+v", back)
		}
		if got := h.sync(back).answered(t, nil); string(got.Assignment) != "B" {
			t.Fatalf("%q", got.Assignment)
		}
		if err := h.Heartbeat(group.Beat{Group: "g", Member: b.Member, Instance: "two", Generation: b.Generation}); !errors.Is(err, group.ErrFenced) {
			t.Fatal(err)
		}
		if err := h.commit(group.Beat{Member: b.Member, Instance: "two", Generation: b.Generation}, "t", 1); !errors.Is(err, group.ErrFenced) {
			t.Fatal(err)
		}
		h.join(static(b.Member, "two")).answered(t, group.ErrFenced)

		// The leader: told to assign nothing, or, by a client that does not know that, not told that it leads.
		lead := h.join(static("", "one")).answered(t, nil)
		if !lead.Skip || lead.Leader != lead.Member || len(lead.Members) != 2 {
			t.Fatalf("%+v", lead)
		}
		old := static("", "one")
		old.Skips = false
		again := h.join(old).answered(t, nil)
		if again.Skip || again.Leader != lead.Member || len(again.Members) != 0 {
			t.Fatalf("%+v", again)
		}
		if got := h.sync(again).answered(t, nil); string(got.Assignment) != "A" {
			t.Fatalf("%q", got.Assignment)
		}

		// An administrator takes one out by its instance id.
		if errs, err := h.Leave("g", []group.Leaving{{Instance: "two"}}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
		if err := h.beat(again); !errors.Is(err, group.ErrRebalance) {
			t.Fatal(err)
		}
	})
}

// TestAStaticMemberLearnsItsNewIDWhenItIsOnDisk: after a kill an id that the disk does not know would be fenced.
func TestAStaticMemberLearnsItsNewIDWhenItIsOnDisk(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		a := h.join(static("", "one")).answered(t, nil)
		h.sync(a, a.Member, "A").answered(t, nil)
		back := h.join(static("", "one")).answered(t, nil)
		kept, err := h.o.Meta.Get(t.Context(), meta.Groups, "g")
		if err != nil || back.Member == a.Member || back.Generation != a.Generation || !strings.Contains(string(kept), back.Member) {
			t.Fatalf("%+v, on disk is %s, %v", back, kept, err)
		}
		// With somebody who joins meanwhile it is in the next generation, whichever is first.
		again, other := h.join(static("", "one")), h.join(static("", "two"))
		if settle(); again.done.Load() {
			again = h.join(static(again.answered(t, nil).Member, "one"))
		}
		one, two := again.answered(t, nil), other.answered(t, nil)
		if one.Generation != a.Generation+1 || two.Generation != one.Generation {
			t.Fatalf("%+v, %+v", one, two)
		}
		waits := h.sync(two)
		h.sync(one, one.Member, "A").answered(t, nil)
		waits.answered(t, nil)
		if err := h.o.Meta.Close(); err != nil {
			t.Fatal(err)
		}
		h.join(static("", "one")).answered(t, group.ErrUnavailable)
	})
}

// TestAStaticMembersNewIDIsNotFencedAfterAKill in a rebalance: the disk has the generation before, with the new id.
func TestAStaticMembersNewIDIsNotFencedAfterAKill(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		a := h.join(static("", "one")).answered(t, nil)
		h.sync(a, a.Member, "A").answered(t, nil)
		h.join(static("", "two")).waits(t)
		back := h.join(static("", "one")).answered(t, nil)
		if back.Member == a.Member || back.Generation != a.Generation+1 {
			t.Fatalf("%+v", back)
		}
		h.restart()
		sync := func(member string, generation int32) error {
			_, err := h.Sync(t.Context(), group.Syncing{Group: "g", Member: member, Instance: "one", Generation: generation})
			return err
		}
		if err := sync(back.Member, back.Generation); !errors.Is(err, group.ErrGeneration) {
			t.Fatalf("the new id: %v", err)
		}
		if err := sync(a.Member, a.Generation); !errors.Is(err, group.ErrFenced) {
			t.Fatalf("the old id: %v", err)
		}
		if err := sync(back.Member, a.Generation); err != nil {
			t.Fatal(err)
		}
		h.join(static(back.Member, "one")).answered(t, nil)
	})
}

func TestAStaticMemberThatJoinsTwiceIsFenced(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		a := h.join(static("", "one")).answered(t, nil)
		second := h.join(static("", "two")) // waits for the first
		second.waits(t)
		twin := h.join(static("", "two"))
		second.answered(t, group.ErrFenced)
		twin.waits(t)
		a = h.join(static(a.Member, "one")).answered(t, nil)
		b := twin.answered(t, nil)
		waits := h.sync(b)
		waits.waits(t)
		// While assignments are awaited the leader knows the old id: all join again.
		third := h.join(static("", "two"))
		waits.answered(t, group.ErrFenced)
		third.waits(t)
		if err := h.beat(a); !errors.Is(err, group.ErrRebalance) {
			t.Fatal(err)
		}
	})
}

func TestAGroupHasALimit(t *testing.T) {
	in(t, group.Options{MembersMax: 2}, func(t *testing.T, h *house) {
		h.pair()
		h.join(joining("")).answered(t, group.ErrFull)
	})
}

// TestMembersHoldSoMuchMemory and no more in all groups together; who is in stays in.
func TestMembersHoldSoMuchMemory(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		big := func(n int) group.Joining {
			r := joining("", "range")
			r.Group, r.NeedsID, r.Session, r.Protocols[0].Metadata = fmt.Sprint(n), false, 30*time.Minute, make([]byte, 1<<20-10)
			return r
		}
		first := h.join(big(0)).answered(t, nil)
		for n := 1; ; n++ {
			c := h.join(big(n))
			if settle(); c.err != nil {
				c.answered(t, group.ErrUnavailable)
				break
			}
			if n > 64 {
				t.Fatalf("%d members of 1 MiB", n)
			}
		}
		again := big(0)
		again.Member = first.Member
		h.join(again).answered(t, nil)
		if _, err := h.Leave("0", []group.Leaving{{Member: first.Member}}); err != nil {
			t.Fatal(err)
		}
		h.join(big(100)).answered(t, nil)
		h.join(big(101)).answered(t, group.ErrUnavailable)
	})
}

func TestANewGroupMayWaitForMore(t *testing.T) {
	in(t, group.Options{InitialDelay: 3 * time.Second}, func(t *testing.T, h *house) {
		a, b := h.id(), h.id()
		first := h.join(joining(a))
		time.Sleep(2 * time.Second)
		second := h.join(joining(b))
		time.Sleep(3 * time.Second)
		first.waits(t)
		time.Sleep(2 * time.Second)
		if got := first.answered(t, nil); got.Generation != 1 || len(got.Members) != 2 {
			t.Fatalf("%+v", got)
		}
		second.answered(t, nil)
	})
}

// A new member's client has gone while it waits: the others do not wait for it for ever.
func TestAConnectionThatIsLostInAJoin(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, _ := h.pair()
		ctx, cancel := context.WithCancel(t.Context())
		id := h.id()
		gone := start(func() (group.Joined, error) { return h.Join(ctx, joining(id)) })
		gone.waits(t)
		cancel()
		gone.answered(t, context.Canceled)
		for range 10 { // the follower is out in the first round, and the lost one when its session ends
			got := h.join(joining(leader.Member))
			time.Sleep(session)
			now := got.answered(t, nil)
			if len(now.Members) == 1 {
				return
			}
			h.sync(now).answered(t, nil)
			for h.beat(now) == nil {
				time.Sleep(session / 2)
			}
		}
		t.Fatal("the lost member is in the group still")
	})
}

func TestClosingAnswersEverybody(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, _ := h.pair()
		join := h.join(joining(leader.Member))
		join.waits(t)
		h.restart()
		join.answered(t, group.ErrUnavailable)
	})
}

func TestARestartDisturbsNoGroup(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		leader, follower := h.pair()
		if err := h.commit(of(follower), "t", 7); err != nil {
			t.Fatal(err)
		}
		h.restart()
		if err := errors.Join(h.beat(leader), h.beat(follower), h.commit(of(leader), "u", 8)); err != nil {
			t.Fatal(err)
		}
		if got := h.sync(follower).answered(t, nil); string(got.Assignment) != "B" || h.offset("t") != 7 || h.offset("u") != 8 {
			t.Fatalf("%q", got.Assignment)
		}
		if got := h.join(joining(follower.Member)).answered(t, nil); got.Generation != follower.Generation {
			t.Fatalf("%+v", got)
		}
		h.restart()
		time.Sleep(session + time.Second) // nobody comes back
		settle()
		if h.state() != group.Empty {
			t.Fatal(h.state())
		}
		h.restart()
		if d, err := h.Describe("g"); err != nil || d.State != group.Empty || d.Generation <= leader.Generation || h.offset("t") != 7 {
			t.Fatalf("%+v %v", d, err)
		}
	})
}

func TestCommitsAndWhoMayMakeThem(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		if err := h.simple("t", 3); err != nil {
			t.Fatal(err)
		}
		if err := h.commit(group.Beat{Group: "none", Generation: 3, Member: "m"}, "t", 1); !errors.Is(err, group.ErrUnknownMember) {
			t.Fatal(err) // the group is there
		}
		_, err := h.Commit(t.Context(), group.Commit{Beat: group.Beat{Group: "none", Generation: 3, Member: "m"}})
		if !errors.Is(err, group.ErrNotFound) {
			t.Fatal(err)
		}
		leader, follower := h.pair()
		stale := of(leader)
		stale.Generation--
		if err := h.commit(stale, "t", 99); !errors.Is(err, group.ErrGeneration) {
			t.Fatal(err)
		}
		if err := h.simple("t", 99); !errors.Is(err, group.ErrUnknownMember) {
			t.Fatal(err)
		}
		if err := h.commit(of(leader), "t", 4); err != nil {
			t.Fatal(err)
		}
		first := h.join(joining(leader.Member))
		first.waits(t)
		if err := h.commit(of(follower), "t", 5); err != nil { // its last work before it joins
			t.Fatal(err)
		}
		h.join(joining(follower.Member)).answered(t, nil)
		if err := h.commit(of(first.answered(t, nil)), "t", 99); !errors.Is(err, group.ErrRebalance) {
			t.Fatal(err)
		}
		if got := h.offset("t"); got != 5 {
			t.Fatal(got)
		}
		errs, err := h.Commit(t.Context(), group.Commit{Beat: group.Beat{Group: "big", Generation: -1}, Offsets: []group.Offset{
			{Partition: group.Partition{Topic: "t"}, At: 1, Metadata: string(make([]byte, 5000))}, {Partition: group.Partition{Topic: "t", Number: 1}, At: 2, Metadata: "m"},
		}})
		if err != nil || !errors.Is(errs[0], group.ErrMetadata) || errs[1] != nil {
			t.Fatal(errs, err)
		}
		got, err := h.Fetch("big", nil, false)
		if err != nil || len(got) != 1 || got[0].Number != 1 || got[0].Offset != 2 || got[0].Metadata != "m" {
			t.Fatalf("%+v %v", got, err)
		}
		if got, err := h.Fetch("nobody's", []group.Partition{{Topic: "t"}}, true); err != nil || got[0].Offset != -1 || got[0].LeaderEpoch != -1 {
			t.Fatalf("%+v %v", got, err)
		}
	})
}

// consumer is a join of a consumer that reads topics.
func consumer(id string, topics ...string) group.Joining {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = topics
	r := joining(id)
	r.Protocols[0].Metadata = m.AppendTo(nil)
	return r
}

// reader makes a stable group of one consumer.
func (h *house) reader(topics ...string) group.Joined {
	h.t.Helper()
	j := h.join(consumer(h.id(), topics...)).answered(h.t, nil)
	h.sync(j, j.Member, "all").answered(h.t, nil)
	return j
}

func TestDeletingOffsets(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		j := h.reader("read")
		if err := errors.Join(h.commit(of(j), "read", 1), h.commit(of(j), "other", 2)); err != nil {
			t.Fatal(err)
		}
		del := func(topics ...string) error {
			var of []group.Partition
			for _, topic := range topics {
				of = append(of, group.Partition{Topic: topic})
			}
			errs, err := h.DeleteOffsets(t.Context(), "g", of)
			return errors.Join(append(errs, err)...)
		}
		if err := del("read", "other"); !errors.Is(err, group.ErrSubscribed) || h.offset("read") != 1 || h.offset("other") != -1 {
			t.Fatal(err)
		}
		if _, err := h.Leave("g", []group.Leaving{{Member: j.Member}}); err != nil {
			t.Fatal(err)
		}
		if err := del("read"); err != nil || h.offset("read") != -1 {
			t.Fatal(err)
		}
		h.restart()
		if h.offset("read") != -1 || h.offset("other") != -1 {
			t.Fatal("they came back")
		}
		if err := h.simple("t", 1); err != nil {
			t.Fatal(err)
		}
		if err := h.Delete(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
		h.restart()
		if list := h.List(); len(list) != 0 || h.offset("t") != -1 {
			t.Fatalf("%+v", list)
		}
		if _, err := h.DeleteOffsets(t.Context(), "g", nil); !errors.Is(err, group.ErrNotFound) {
			t.Fatal(err)
		}
	})
}

func TestOffsetsOfAnEmptyGroupEnd(t *testing.T) {
	in(t, group.Options{OffsetsKept: 24 * time.Hour}, func(t *testing.T, h *house) {
		j := h.reader("read")
		if err := errors.Join(h.commit(of(j), "read", 1), h.commit(of(j), "other", 2)); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(25 * time.Hour); time.Now().Before(end); time.Sleep(session / 2) {
			if err := h.beat(j); err != nil {
				t.Fatal(err)
			}
		}
		if settle(); h.offset("read") != 1 || h.offset("other") != -1 {
			t.Fatal("what is read stays, what is not goes")
		}
		if _, err := h.Leave("g", []group.Leaving{{Member: j.Member}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(23 * time.Hour)
		if settle(); h.offset("read") != 1 {
			t.Fatal("gone early")
		}
		time.Sleep(2 * time.Hour)
		if settle(); len(h.List()) != 0 {
			t.Fatalf("%+v", h.List())
		}
	})
}

// behind is a clock that somebody sets.
type behind struct{ by atomic.Int64 }

func (b *behind) Now() time.Time { return time.Now().Add(-time.Duration(b.by.Load())) }

// TestAClockThatIsSetRightMakesNoOffsetOld in the next Tarn, which finds what was stamped while the clock was behind.
func TestAClockThatIsSetRightMakesNoOffsetOld(t *testing.T) {
	clock := &behind{}
	clock.by.Store(int64(30 * 24 * time.Hour))
	in(t, group.Options{OffsetsKept: 24 * time.Hour, Clock: clock}, func(t *testing.T, h *house) {
		if err := h.simple("before", 1); err != nil {
			t.Fatal(err)
		}
		clock.by.Store(0)
		if err := h.simple("after", 2); err != nil {
			t.Fatal(err)
		}
		h.restart()
		time.Sleep(23 * time.Hour)
		if settle(); h.offset("before") != 1 || h.offset("after") != 2 {
			t.Fatal("gone early")
		}
		time.Sleep(2 * time.Hour)
		if settle(); len(h.List()) != 0 {
			t.Fatalf("%+v", h.List())
		}
	})
}

// TestOffsetsGrowOldOverRestarts, in Tarns none of which runs for as long as they are kept, and by no clock that is set ahead.
func TestOffsetsGrowOldOverRestarts(t *testing.T) {
	clock := &behind{}
	in(t, group.Options{OffsetsKept: 24 * time.Hour, Clock: clock}, func(t *testing.T, h *house) {
		if err := h.simple("t", 1); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(7 * time.Hour)
			h.restart()
		}
		clock.by.Store(-int64(30 * 24 * time.Hour))
		h.restart()
		time.Sleep(2 * time.Hour)
		if settle(); h.offset("t") != 1 {
			t.Fatal("gone early")
		}
		time.Sleep(2 * time.Hour)
		if settle(); len(h.List()) != 0 {
			t.Fatalf("%+v", h.List())
		}
	})
}

func TestOffsetsOfTopicsThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{t: t, path: filepath.Join(t.TempDir(), "meta.db"), change: make(chan struct{}), topics: map[string]string{"t": "1", "u": "2"}}
		h.open()
		t.Cleanup(h.close)
		if err := errors.Join(h.simple("t", 5), h.simple("u", 6)); err != nil {
			t.Fatal(err)
		}
		if err := h.simple("nowhere", 5); !errors.Is(err, group.ErrUnknownPartition) {
			t.Fatal(err)
		}
		settle()
		h.topics["t"] = "3" // deleted, and made again
		if h.offset("t") != -1 {
			t.Fatal("an offset of another topic")
		}
		change := h.change
		h.change = make(chan struct{})
		close(change)
		settle()
		h.topics["t"] = "1"
		if h.offset("t") != -1 || h.offset("u") != 6 {
			t.Fatal(h.offset("t"), h.offset("u"))
		}
		if err := h.simple("t", 5); err != nil {
			t.Fatal(err)
		}
		delete(h.topics, "t") // while Tarn is down
		h.restart()
		settle()
		h.topics["t"] = "1"
		if h.offset("t") != -1 {
			t.Fatal("it came back")
		}
	})
}

func TestOffsetsOfTransactions(t *testing.T) {
	in(t, group.Options{}, func(t *testing.T, h *house) {
		pend := func(producer int64, b group.Beat, topic string, at int64) error {
			b.Group = "g"
			errs, err := h.CommitPending(t.Context(), producer, group.Commit{Beat: b, Offsets: []group.Offset{{Partition: group.Partition{Topic: topic}, At: at}}})
			return errors.Join(append(errs, err)...)
		}
		finish := func(producer int64, commit bool) {
			t.Helper()
			record := meta.Entry{Bucket: meta.IDs, Key: fmt.Sprint("end of ", producer), Value: []byte("x")}
			if err := h.Finish(t.Context(), producer, commit, record); err != nil {
				t.Fatal(err)
			}
			if _, err := h.o.Meta.Get(t.Context(), meta.IDs, record.Key); err != nil {
				t.Fatal(err)
			}
		}
		stable := func(topic string) error {
			t.Helper()
			got, err := h.Fetch("g", []group.Partition{{Topic: topic}}, true)
			if err != nil {
				t.Fatal(err)
			}
			return got[0].Err
		}
		none := group.Beat{Generation: -1}
		if err := errors.Join(h.simple("t", 1), pend(10, none, "t", 2), pend(11, none, "u", 3)); err != nil {
			t.Fatal(err)
		}
		if h.offset("t") != 1 || !errors.Is(stable("t"), group.ErrUnstable) || !errors.Is(stable("u"), group.ErrUnstable) || stable("v") != nil {
			t.Fatal("what is pending is seen")
		}
		h.restart()
		if got := h.Pending(); !slices.Equal(got, []int64{10, 11}) || !errors.Is(stable("t"), group.ErrUnstable) {
			t.Fatal(got)
		}
		finish(10, true)
		finish(11, false)
		h.restart()
		if h.offset("t") != 2 || h.offset("u") != -1 || len(h.Pending()) != 0 || stable("t") != nil || stable("u") != nil {
			t.Fatal(h.offset("t"), h.offset("u"), h.Pending())
		}
		// What is committed beside a transaction after its own commit is newer.
		if err := errors.Join(pend(12, none, "t", 10), h.simple("t", 11)); err != nil {
			t.Fatal(err)
		}
		finish(12, true)
		finish(13, true) // of nothing
		if h.restart(); h.offset("t") != 11 {
			t.Fatal(h.offset("t"))
		}
		// Members are fenced as in their other commits (KIP-447), and a rebalance refuses none.
		leader, _ := h.pair()
		stale := of(leader)
		stale.Generation--
		if err := pend(14, stale, "t", 12); !errors.Is(err, group.ErrGeneration) {
			t.Fatal(err)
		}
		if err := errors.Join(pend(14, of(leader), "t", 12), pend(14, none, "t", 13)); err != nil {
			t.Fatal(err)
		}
		if finish(14, true); h.offset("t") != 13 {
			t.Fatal(h.offset("t"))
		}
	})
}
