package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tarn/embedded/fault"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// The states of a table, as system.source_tables shows them, beside Snapshotting and Streaming.
const (
	Waiting       = "waiting"          // its snapshot comes after that of another
	Quarantined   = "quarantined"      // left out, while the others go on
	NeedsSnapshot = "needs_resnapshot" // also of a source that waits for RESNAPSHOT CONNECTOR
	Gone          = "gone"             // dropped or renamed in the source
)

// TableName is how a source calls a table: with its schema, but for SQLite, which captures main alone.
func TableName(s *record.Schema) string {
	if s.Schema == "" || s.Schema == "main" {
		return s.Table
	}
	return s.Schema + "." + s.Table
}

// tables are the source's tables with what the runner knows of them. The caller holds mu.
func (r *Runner) tables() []TableState {
	if t, ok := r.source.(Tabler); ok {
		r.listed = t.Tables()
	}
	byName := make(map[string]TableState, len(r.listed))
	for _, t := range r.listed {
		t.Rows = r.rows[r.topicOf(t.Topic)]
		byName[t.Table] = t
	}
	note := func(table, state, message, hint string) {
		t, ok := byName[table]
		if !ok {
			t.Table, t.Done = table, -1
		}
		t.State, t.Error, t.Hint = state, message, hint
		byName[table] = t
	}
	for _, reasons := range []map[string]string{r.resnapshot, r.awaited} {
		for table, reason := range reasons {
			note(table, NeedsSnapshot, reason, "")
		}
	}
	for table, f := range r.skip {
		note(table, Quarantined, f.Message, f.Hint)
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b TableState) int { return cmp.Compare(a.Table, b.Table) })
}

// await notes that a snapshot has to be asked for.
func (r *Runner) await(needs *NeedsResnapshot) {
	r.set(NeedsSnapshot, fault.New(fault.Conflict, needs.Error(), "look at what was lost, then say RESNAPSHOT CONNECTOR "+r.o.Config.Name+": rows that are gone leave the mirrors with it"))
	r.o.Logger.Error("source waits to be resnapshotted", "source", r.o.Config.Name, "tables", needs.Tables, "reason", needs.Reason)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, table := range needs.Tables {
		r.awaited[table] = needs.Reason
	}
}

// Reopen has the source opened anew where it stands: wishes come true, and quarantined tables that
// were wished for are read again.
func (r *Runner) Reopen() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reopen != nil {
		r.reopen()
	}
}

// Release takes out of the database of a connector that does not run what keeps its tables from
// being altered.
func Release(ctx context.Context, m *meta.Store, k Kind, c Config) error {
	if k.Release == nil {
		return fault.Newf(fault.Invalid, "PAUSE CONNECTOR "+c.Name+" is enough", "nothing of Tarn keeps the tables of connector %s from being altered", c.Name)
	}
	known, err := identityOf(ctx, m, c.Name)
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what connector %s is: %w", c.Name, err)
	}
	return k.Release(ctx, c, known.ID)
}

// Resnapshot wishes for new snapshots of tables of a connector, running or not; Reopen makes
// them come true at once. A connector that never started is snapshotted anyway.
func Resnapshot(ctx context.Context, m *meta.Store, connector string, tables []string, reason string) error {
	known, err := identityOf(ctx, m, connector)
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what connector %s is: %w", connector, err)
	}
	for _, table := range tables {
		if err := Wish(ctx, m, known.ID, table, reason); err != nil {
			return err
		}
	}
	return nil
}
