//go:build duckdb_arrow

package trino

import (
	"cmp"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// kill is CALL system.runtime.kill_query(query_id => '…', message => '…'): it ends a statement of the same user.
func (q *query) kill(d *Door) (done bool, err error) {
	in, err := sqltext.NewReader(q.text)
	if err != nil || !in.Take("CALL", "system", ".", "runtime", ".", "kill_query", "(") {
		return false, nil //nolint:nilerr // what cannot be read is refused by whom it is for
	}
	values := map[string]string{}
	for _, place := range []string{"query_id", "message"} {
		for _, name := range []string{"query_id", "message"} {
			if in.Take(name, "=>") || in.Take(name, "=", ">") {
				place = name
			}
		}
		if in.Peek().Kind != sqltext.String {
			return true, in.Fault("a text")
		}
		values[place] = in.Next().Value()
		if !in.Take(",") {
			break
		}
	}
	if !in.Take(")") {
		return true, in.Fault("a parenthesis")
	}
	in.Take(";")
	if err := in.Done(); err != nil {
		return true, err
	}
	d.mu.Lock()
	of := d.live[values["query_id"]]
	d.mu.Unlock()
	if of == nil || of == q || of.who.User != q.who.User {
		return true, failure{"NOT_FOUND", fault.Newf(fault.NotFound, "see system.runtime.queries", "Target query not found: %s", values["query_id"])}
	}
	of.killed.Store(new(cmp.Or(values["message"], "No message provided.")))
	of.cancel()
	q.tag = "CALL"
	return true, nil
}
