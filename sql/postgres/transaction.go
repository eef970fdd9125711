//go:build duckdb_arrow

package postgres

import (
	"slices"
	"strings"

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
