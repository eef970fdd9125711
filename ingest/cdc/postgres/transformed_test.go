package postgres_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"tarn/embedded/fault"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

// router sends rows to topics by what they are.
type router struct{ topics []string }

func (router) Renames() bool { return false }

func (t router) Apply(r *source.Record) bool {
	if len(r.Value) == 0 {
		return false
	}
	r.Topic = t.topics[len(r.Key)%len(t.topics)]
	return !bytes.Contains(r.Value, []byte(`"id":13,`))
}

// TestATransformedChunkIsInItsTopicsOnce, whatever of it was there when the position could not be saved.
func TestATransformedChunkIsInItsTopicsOnce(t *testing.T) {
	server := pgtest.Start(t)
	for name, topics := range map[string][]string{"one": {"p.all"}, "two": {"p.even", "p.odd"}} {
		for crash, at := range map[string]int{"first": 1, "second": 2, "third": 3, "fourth": 4} {
			t.Run(name+" "+crash, func(t *testing.T) {
				d := server.Database("d_"+name+"_"+crash, callsDDL, "CREATE TABLE other (id int)", "INSERT INTO calls SELECT i, repeat('x', 3000), i FROM generate_series(1, 1500) i")
				r := newRig(t, d)
				r.transform = router{topics}
				n := 0
				gone := make(chan struct{})
				r.log.Refuse = func(string) (bool, error) {
					if n++; n >= at {
						if n == at {
							close(gone)
						}
						return n == at, context.Canceled // the first is in the log, and nobody knows
					}
					return false, nil
				}
				r.start()
				<-gone
				r.stop()
				r.log.Refuse = nil
				d.Exec("INSERT INTO other VALUES (1)") // the next cut is another one
				r.start()
				r.until("the snapshot", func() bool {
					tables := r.runner.Status().Tables
					return len(tables) == 2 && tables[0].State == source.Streaming
				})
				d.Exec("INSERT INTO calls VALUES (5000, 'y', '')")
				r.until("the last row", func() bool {
					return slices.ContainsFunc(topics, func(topic string) bool {
						return slices.ContainsFunc(r.log.Events(t, topic), func(e sourcetest.Event) bool { return string(e.Key) == `{"id":5000}` })
					})
				})
				seen := map[string]bool{}
				for _, topic := range topics {
					for _, e := range r.log.Events(t, topic) {
						if seen[string(e.Key)] {
							t.Fatalf("%s is there twice", e.Key)
						}
						seen[string(e.Key)] = true
					}
				}
				if len(seen) != 1500-1+1+1 { // without the one that has no topic, with the last, and that of the other table
					t.Fatalf("%d rows", len(seen))
				}
			})
		}
	}
}

// TestTheRestOfATransformedChunkIsRefused after a crash: the table is quarantined, and its next snapshot has the rows.
func TestTheRestOfATransformedChunkIsRefused(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls SELECT i, 'a', 'b' FROM generate_series(1, 1500) i")
	r := newRig(t, d)
	topics := []string{"p.even", "p.odd"}
	r.transform = router{topics}
	n, rest := 0, ""
	gone := make(chan struct{})
	r.log.Refuse = func(topic string) (bool, error) {
		if n++; n == 2 {
			rest = topic
			close(gone)
		}
		return false, map[bool]error{true: context.Canceled}[n >= 2]
	}
	r.start()
	<-gone
	r.stop()
	n = 0
	r.log.Refuse = func(topic string) (bool, error) {
		if topic == rest {
			n++
		}
		return false, map[bool]error{true: fault.New(fault.Conflict, "filled by somebody else", "delete it")}[topic == rest && n == 1]
	}
	r.start()
	r.until("the table is quarantined", func() bool {
		return slices.ContainsFunc(r.runner.Status().Tables, func(s source.TableState) bool {
			return s.Table == "public.calls" && s.State == source.Quarantined && s.Hint != ""
		})
	})
	r.stop()
	r.start()
	r.until("all rows", func() bool {
		seen := map[string]bool{}
		for _, topic := range topics {
			for _, e := range r.log.Events(t, topic) {
				seen[string(e.Key)] = true
			}
		}
		return len(seen) == 1500-1 // without the one that has no topic
	})
}
