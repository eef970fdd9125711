package sqlite

import (
	"context"
	"slices"

	"tarn/ingest/source"
)

// tell keeps what others ask for, as of this look.
func (r *reader) tell(lag source.Lag) {
	states := make([]source.TableState, len(r.tables))
	for i, t := range r.tables {
		st := r.pos.Tables[t.name]
		states[i] = source.TableState{Table: t.name, Topic: t.topic, State: source.Streaming, Done: -1, Millis: t.behind}
		switch {
		case t.gone:
			states[i].State = source.Gone
			states[i].Error = "it was dropped or renamed in the source; what was landed of it stays"
		case st.Snapshot != nil && (st.Snapshot.Begun || st.Snapshot.Planned):
			states[i].State, states[i].Done = source.Snapshotting, t.done
		case st.Snapshot != nil:
			states[i].State = source.Waiting
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lag, r.states = lag, states
}

// Tables says how each table stands.
func (r *reader) Tables() []source.TableState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.states)
}

// portion is the part of a table up to a key, by row ids, which are not counted but measured:
// holes among them make it wrong, never above 1. Negative for a table without row ids.
func (t *table) portion(ctx context.Context, q querier, after []string) (float64, error) {
	id := t.current().Def.RowID
	if id == "" {
		return -1, nil
	}
	key, err := parseKey(after)
	if err != nil || len(key) != 1 {
		return 0, err
	}
	at, ok := key[0].(int64)
	if !ok {
		return -1, nil
	}
	from, err := number(ctx, q, "SELECT coalesce(min("+id+"), 0) FROM "+quote(t.name))
	if err != nil {
		return 0, err
	}
	to, err := number(ctx, q, "SELECT coalesce(max("+id+"), 0) FROM "+quote(t.name))
	if err != nil || to < from {
		return 0, err
	}
	// In floating point, for the ids may be as far apart as an integer cannot tell.
	return min(1, max(0, (float64(at)-float64(from)+1)/(float64(to)-float64(from)+1))), nil
}
