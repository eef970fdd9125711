package source_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/meta"
	"tarn/ingest/source"
)

// tableState is how a table stands.
func (s *stage) tableState(table string) source.TableState {
	for _, t := range s.runner.Status().Tables {
		if t.Table == table {
			return t
		}
	}
	return source.TableState{}
}

func TestAQuarantinedTableIsReadAgainWhenSomebodyAsks(t *testing.T) {
	refused := true
	s := newStage(t, batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a"))))
	s.log.Refuse = func(string) (bool, error) {
		if refused {
			return false, fault.New(fault.Conflict, "filled by somebody else", "choose another prefix")
		}
		return false, nil
	}
	s.run(0)
	s.until("a quarantine", func() bool { return s.tableState("calls").State == source.Quarantined })
	if st := s.tableState("calls"); !strings.Contains(st.Error, "filled by somebody else") || st.Hint != "choose another prefix" {
		t.Fatalf("got %+v", st)
	}
	s.until("it reads on without the table", func() bool { return len(s.script.list(&s.script.opened)) == 2 })
	refused = false
	s.script.mu.Lock()
	var asked []string
	s.script.batches = append(s.script.batches, func(env source.Env) (source.Batch, error) {
		asked = env.Resnapshot
		return batch(`"2"`, "calls", change(1, source.Create, nil, row(1, "a")))(env)
	})
	s.script.mu.Unlock()
	if err := source.Resnapshot(t.Context(), s.meta, "s", []string{"calls"}, "somebody asked"); err != nil {
		t.Fatal(err)
	}
	s.runner.Reopen()
	s.acked(`"2"`)
	if st := s.tableState("calls"); st.State == source.Quarantined || !slices.Equal(asked, []string{"calls"}) {
		t.Fatalf("asked %q, %+v", asked, st)
	}
}

func TestASourceThatWaitsToBeAskedForASnapshot(t *testing.T) {
	var asked []string
	s := newStage(t,
		func(source.Env) (source.Batch, error) {
			return source.Batch{}, &source.NeedsResnapshot{Tables: []string{"calls"}, Reason: "the slot is gone", Ask: true}
		},
		func(env source.Env) (source.Batch, error) {
			asked = env.Resnapshot
			return batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a")))(env)
		})
	s.run(0)
	s.until("the wait", func() bool { return s.runner.Status().State == source.NeedsSnapshot })
	st := s.runner.Status()
	if !strings.Contains(st.Error, "the slot is gone") || !strings.Contains(st.Hint, "RESNAPSHOT CONNECTOR s") || s.tableState("calls").State != source.NeedsSnapshot {
		t.Fatalf("got %+v", st)
	}
	if err := errors.Join(source.Resnapshot(t.Context(), s.meta, "s", []string{"calls"}, "somebody asked"), source.Resnapshot(t.Context(), s.meta, "another", []string{"calls"}, "x")); err != nil {
		t.Fatal(err)
	}
	s.runner.Reopen()
	s.acked(`"1"`)
	if !slices.Equal(asked, []string{"calls"}) || s.runner.Status().Error != "" {
		t.Fatalf("asked %q, %+v", asked, s.runner.Status())
	}
	if opened := s.script.list(&s.script.opened); len(opened) != 2 {
		t.Fatalf("opened %d times: it was tried again before somebody asked", len(opened))
	}
}

// TestAConnectorThatEndedLeavesNoPlaces of its transformed tables: made again under the name, it begins anew. Generations and claims of
// topics stay, as the topics do.
func TestAConnectorThatEndedLeavesNoPlaces(t *testing.T) {
	s := newStage(t, batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a"))))
	s.run(0)
	s.acked(`"1"`)
	s.script.mu.Lock()
	id := s.script.env.SourceID
	s.script.mu.Unlock()
	stays := map[string]bool{id + "//p.a": false, id + "//!p.a": false, id + "//=p.a": true, id + "/p.a": true, id + "0//p.a": true}
	for key := range stays {
		if err := s.meta.Put(t.Context(), meta.Entry{Bucket: meta.Positions, Key: key, Value: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := source.End(t.Context(), s.meta, "s"); err != nil {
		t.Fatal(err)
	}
	for key, want := range stays {
		if _, err := s.meta.Get(t.Context(), meta.Positions, key); (err == nil) != want {
			t.Errorf("%s stays: %v, want %v", strings.TrimPrefix(key, id), err == nil, want)
		}
	}
}
