//go:build duckdb_arrow

package postgres

import (
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// did notes what a statement of a transaction has changed, which no ROLLBACK takes back.
func (c *conn) did(r *engine.Result) {
	if first, _, _ := strings.Cut(r.Tag, " "); c.state == within && slices.Contains([]string{"CREATE", "DROP", "ALTER", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "COMMENT", "COPY"}, first) {
		c.done = append(c.done[:min(len(c.done), doneMax)], r.Tag)
	}
}

// doneMax bounds the statements that a warning names.
const doneMax = 8

// stays warns of what has been done within the transaction, and stays.
func (c *conn) stays() {
	if len(c.done) == 0 {
		return
	}
	c.warn("25000", "what was done in this transaction stays: "+strings.Join(c.done, ", "), "each statement takes effect at once: undo it by another one")
	c.done = nil
}

// modes takes what BEGIN, SET TRANSACTION and SET SESSION CHARACTERISTICS say of a transaction: whether it only reads. Of how it is isolated
// there is one kind.
func (c *conn) modes(in *sqltext.Reader, setting string, local bool) error {
	for ; in.Peek().Kind != sqltext.End; in.Next() {
		var value string
		switch {
		case in.Take("READ", "ONLY"):
			value = "on"
		case in.Take("READ", "WRITE"):
			value = "off"
		default:
			continue
		}
		if err := c.put(setting, value, local); err != nil {
			return err
		}
	}
	return nil
}

// readOnly tells whether what runs now may change nothing.
func (s *settings) readOnly() bool {
	name := "default_transaction_read_only"
	if s.before != nil {
		name = "transaction_read_only"
	}
	return slices.Contains([]string{"on", "true", "yes", "1"}, strings.ToLower(s.now[name]))
}

// changing are the verbs of statements that a transaction which only reads refuses, but of temporary tables.
var changing = []string{"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "DROP", "ALTER", "COMMENT", "PRODUCE", "PAUSE", "RESUME"}

// mayChange refuses a statement that changes something where nothing may be.
func (c *conn) mayChange(verb, text string) error {
	if !c.settings.readOnly() || c.temps.Writes(text) {
		return nil
	}
	return stateError{"25006", fault.Newf(fault.Denied, "do it in another transaction, or after SET TRANSACTION READ WRITE", "cannot execute %s in a read-only transaction", verb)}
}
